"""What tokenizers make of the same texts: bytes per token, tokens per word, tokens never used.

Measured over all texts, by language and by source, a portion at a time: memory does not grow with
the number of texts.

Tokens per word is the *fertility* of Ács (2019, "Exploring BERT's vocabulary") and Rust et al. (2021,
"How good is your tokenizer?", arXiv:2012.15613, section 3.2), and the part of words in more than one
token their proportion of continued words. They count in treebanks, whose words were cut by hand; a
word here is a longest run of characters without white space, and its tokens are those that it gets
after a space, less a token for that space alone. Texts in languages written without spaces count
neither words nor their tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gristmill.filters.language import identify_language
from gristmill.text import Texts, as_table
from gristmill.tokenizer import Tokenizer

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Objects = npt.NDArray[np.object_]
Names: TypeAlias = "Sequence[str | None] | pa.Array | pa.ChunkedArray"
"""A name for each text."""

COMPARISON = pa.schema(
    [
        pa.field("group", pa.string(), nullable=False),
        pa.field("name", pa.string()),
        pa.field("tokenizer", pa.string(), nullable=False),
        pa.field("pattern", pa.string(), nullable=False),
        pa.field("vocab_size", pa.int64(), nullable=False),
        pa.field("documents", pa.int64(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("characters", pa.int64(), nullable=False),
        pa.field("words", pa.int64(), nullable=False),
        pa.field("tokens", pa.int64(), nullable=False),
        pa.field("bytes_per_token", pa.float64()),
        pa.field("characters_per_token", pa.float64()),
        pa.field("tokens_per_word", pa.float64()),
        pa.field("continued_words", pa.float64()),
        pa.field("never_used", pa.float64(), nullable=False),
        pa.field("small", pa.bool_(), nullable=False),
    ]
)
"""One row for each tokenizer in each group; see `compare_tokenizers`."""

MAX_GROUPS = 256
"""Languages, and sources, that are told apart; texts of further ones are counted as `OTHERS`."""

OTHERS, UNNAMED = "(others)", "(none)"
SMALL_BYTES = 10_000
"""A group with less text is marked as small: its figures say little."""

IDENTIFIED_CHARACTERS = 2_000
"""The beginning of a text by which its language is identified."""

WITHOUT_SPACES = frozenset(
    "zh zho cmn yue wuu nan hak ja jpn th tha lo lao km khm my mya bo bod dz dzo".split()
)
"""Codes (ISO 639-1 and -3) of languages that put no spaces between words."""

_PORTION_BYTES = 16 << 20
_SHARED = ("documents", "bytes", "characters", "words")
_EACH = ("tokens", "word_tokens", "continued")


def compare_tokenizers(
    tokenizers: Mapping[str, Tokenizer],
    texts: Texts,
    languages: Names | None = None,
    sources: Names | None = None,
    threads: int = 1,
) -> pa.Table:
    """Measure what each tokenizer makes of the same texts.

    Args:
        tokenizers: The tokenizers, by the names they have in the result.
        texts: *n* texts; a null counts as an empty one.
        languages: The language of each; where it is missing, or None, it is identified by the
            beginning of the text (``und`` when it cannot be told).
        sources: Where each text is from, or None; without it nothing is grouped by source.
        threads: The result is the same for any number.

    Returns:
        Table with the columns of `COMPARISON`: for the `group` ``all``, then for each ``language``
        and each ``source`` (the one with the most bytes first) a row per tokenizer.
        ``tokens_per_word`` is the fertility and ``continued_words`` the part of the words in more
        than one token, both null where there are no words between spaces; ``never_used`` is the
        part of the vocabulary, special tokens aside, that no text of the group needed; ``small``
        marks groups of less than `SMALL_BYTES` bytes.

    Raises:
        ValueError: There is no tokenizer, or not a language or source for each text.

    >>> mill = Tokenizer.train(["a mill mills"], vocab_size=260)
    >>> found = compare_tokenizers({"mill": mill}, ["mill mills"], languages=["en"])
    >>> found.select(["group", "tokens", "bytes_per_token", "tokens_per_word"]).to_pylist()[0]
    {'group': 'all', 'tokens': 5, 'bytes_per_token': 2.0, 'tokens_per_word': 2.5}
    """
    comparison = Comparison(tokenizers, threads)
    comparison.add(texts, languages, sources)
    return comparison.table()


class Comparison:
    """Counts what tokenizers make of texts that come in batches; see `compare_tokenizers`."""

    def __init__(self, tokenizers: Mapping[str, Tokenizer], threads: int = 1) -> None:
        if not tokenizers:
            raise ValueError("there is no tokenizer to compare; give at least one")
        self._tokenizers, self._threads = dict(tokenizers), threads
        sizes = [tokenizer.vocab_size for tokenizer in self._tokenizers.values()]
        self._groupings = {kind: _Grouping(sizes) for kind in ("all", "language", "source")}

    def add(self, texts: Texts, languages: Names | None, sources: Names | None) -> None:
        """Count more texts."""
        column = as_table(texts).column(0).cast(pa.large_string()).fill_null("")
        names = [None if given is None else _names(given, len(column))
                 for given in (languages, sources)]  # fmt: skip
        rows = max(1, len(column) * _PORTION_BYTES // max(column.nbytes, 1))
        for start in range(0, len(column), rows):
            here = slice(start, start + rows)
            portion = column.slice(start, rows).combine_chunks()
            self._add(portion, *(None if given is None else given[here] for given in names))

    def _add(
        self, texts: pa.LargeStringArray, languages: Objects | None, sources: Objects | None
    ) -> None:
        languages = _identified(texts, languages)
        words = _Words(texts, np.array([not _without_spaces(one) for one in languages], bool))
        shared = [
            np.ones(len(texts), np.int64),
            pc.binary_length(texts).to_numpy(),
            pc.utf8_length(texts).to_numpy(),
            words.per_document(np.ones(len(words.distinct), np.int64)),
        ]
        ids = [one.encode_batch(texts, self._threads) for one in self._tokenizers.values()]
        counted = [
            figure
            for tokenizer, own in zip(self._tokenizers.values(), ids, strict=True)
            for figure in self._figures(tokenizer, own, words)
        ]
        figures = np.column_stack([*shared, *counted]).astype(np.int64)
        together = np.full(len(texts), "all", object)
        for kind, names in (("all", together), ("language", languages), ("source", sources)):
            if names is not None:
                self._groupings[kind].add(names, figures, ids)

    def _figures(self, tokenizer: Tokenizer, ids: pa.Array, words: _Words) -> list[Ints]:
        """What `_EACH` names, of each text."""
        n_tokens = words.n_tokens(tokenizer, self._threads)
        return [
            pc.list_value_length(ids).to_numpy(),
            words.per_document(n_tokens),
            words.per_document((n_tokens > 1).astype(np.int64)),
        ]

    def table(self) -> pa.Table:
        """What was counted so far, with the columns of `COMPARISON`."""
        rows = [
            row | {"group": kind, "name": None if kind == "all" else name}
            for kind, grouping in self._groupings.items()
            for name, sums, used in grouping.largest_first()
            for row in self._rows(sums, used)
        ]
        return pa.Table.from_pylist(rows, COMPARISON)

    def _rows(self, sums: Ints, used: list[int]) -> list[dict[str, Any]]:
        shared = dict(zip(_SHARED, sums[: len(_SHARED)].tolist(), strict=True))
        each = sums[len(_SHARED) :].reshape(-1, len(_EACH)).tolist()
        return [
            _row(name, tokenizer, shared, dict(zip(_EACH, figures, strict=True)), n_used)
            for (name, tokenizer), figures, n_used in zip(
                self._tokenizers.items(), each, used, strict=True
            )
        ]


def _row(
    name: str, tokenizer: Tokenizer, shared: dict[str, int], each: dict[str, int], n_used: int
) -> dict[str, Any]:
    n_plain = tokenizer.vocab_size - len(tokenizer.special_tokens)
    return shared | {
        "tokenizer": name,
        "pattern": tokenizer.pattern,
        "vocab_size": tokenizer.vocab_size,
        "tokens": each["tokens"],
        "bytes_per_token": _ratio(shared["bytes"], each["tokens"]),
        "characters_per_token": _ratio(shared["characters"], each["tokens"]),
        "tokens_per_word": _ratio(each["word_tokens"], shared["words"]),
        "continued_words": _ratio(each["continued"], shared["words"]),
        "never_used": 1 - n_used / n_plain,
        "small": shared["bytes"] < SMALL_BYTES,
    }


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


class _Words:
    """The words of some texts, each distinct one once."""

    def __init__(self, texts: pa.LargeStringArray, spaced: Bools) -> None:
        lists = pc.utf8_split_whitespace(texts)
        flat, document = pc.list_flatten(lists), pc.list_parent_indices(lists).to_numpy()
        # there is an empty word before leading and after trailing white space
        kept = (pc.binary_length(flat).to_numpy() > 0) & spaced[document]
        encoded = flat.filter(pa.array(kept)).dictionary_encode()
        self.distinct = encoded.dictionary
        self._n_texts, self._document = len(texts), document[kept]
        self._which = encoded.indices.to_numpy()

    def n_tokens(self, tokenizer: Tokenizer, threads: int) -> Ints:
        """Tokens of each distinct word after a space, less one for the space alone."""
        nothing, space = (pa.scalar(text, self.distinct.type) for text in ("", " "))
        spaced = pc.binary_join_element_wise(nothing, self.distinct, space)
        ids = tokenizer.encode_batch(spaced, threads)
        lengths: Ints = pc.list_value_length(ids).to_numpy().astype(np.int64)
        alone = tokenizer.encode(" ")
        if len(alone) == 1:
            several = lengths > 1
            starts = (np.cumsum(lengths) - lengths)[several]
            lengths[several] -= ids.flatten().to_numpy()[starts] == alone[0]
        return lengths

    def per_document(self, figures: Ints) -> Ints:
        """The sum over the words of each text, of a figure for each distinct word."""
        sums = np.bincount(self._document, figures[self._which], self._n_texts)
        return sums.astype(np.int64)


class _Grouping:
    """Sums of figures, and the tokens in use, by a name that each text has."""

    def __init__(self, vocab_sizes: Sequence[int]) -> None:
        self._numbers: dict[str, int] = {}
        self._sums = np.zeros(
            (MAX_GROUPS + 1, len(_SHARED) + len(_EACH) * len(vocab_sizes)), np.int64
        )
        # zeros that nobody touched take no memory
        self._used = [np.zeros((MAX_GROUPS + 1, size), bool) for size in vocab_sizes]

    def add(self, names: Objects, figures: Ints, ids: Sequence[pa.Array]) -> None:
        """Count texts with their names, their figures and each tokenizer's ids."""
        numbers = np.array([self._number(name or UNNAMED) for name in names], np.int64)
        np.add.at(self._sums, numbers, figures)
        for used, own in zip(self._used, ids, strict=True):
            lengths = pc.list_value_length(own).to_numpy()
            used[np.repeat(numbers, lengths), own.flatten().to_numpy()] = True

    def _number(self, name: str) -> int:
        if name not in self._numbers and len(self._numbers) >= MAX_GROUPS:
            name = OTHERS
        return self._numbers.setdefault(name, len(self._numbers))

    def largest_first(self) -> list[tuple[str, Ints, list[int]]]:
        """Name, sums and number of used tokens of each tokenizer, of each group."""
        at = _SHARED.index("bytes")
        order = sorted(self._numbers.items(), key=lambda one: (-self._sums[one[1], at], one[0]))
        return [
            (name, self._sums[number], [int(used[number].sum()) for used in self._used])
            for name, number in order
        ]


def _names(given: Names, length: int) -> Objects:
    plain = given.to_pylist() if hasattr(given, "to_pylist") else list(given)
    if len(plain) != length:
        raise ValueError(f"got {len(plain)} languages or sources for {length} texts; give as many")
    return np.array(plain, object)


def _identified(texts: pa.LargeStringArray, given: Objects | None) -> Objects:
    """The language of each text: what is given, else what the text looks like."""
    languages = np.full(len(texts), None, object) if given is None else given
    missing = np.array([not one for one in languages], bool)
    heads = pc.utf8_slice_codeunits(texts.filter(pa.array(missing)), 0, IDENTIFIED_CHARACTERS)
    languages[missing] = identify_language(heads)["language"].to_numpy()
    return languages


def _without_spaces(language: str) -> bool:
    return language.lower().replace("_", "-").partition("-")[0] in WITHOUT_SPACES
