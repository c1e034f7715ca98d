"""Byte-level BPE tokenizers: train, encode, decode, read and write ``tokenizer.json`` and ranks.

Every text can be encoded and ``decode(encode(text)) == text``. Ids equal those of `tokenizers` and
`transformers` on the file that `save` writes; special tokens come first, then the 256 bytes, then
one token per merge, as `tokenizers`' trainer numbers them. Encoding adds no special tokens by
itself: packing puts the end token after each document. WordPiece and Unigram vocabularies, which
`tokenizers` runs, are behind the same interface (`gristmill.tokenizer.wrapped`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gristmill import _core
from gristmill.errors import CoreError, FormatError, RecipeError
from gristmill.files import write_json
from gristmill.text import Texts, from_kernel
from gristmill.tokenizer import training
from gristmill.tokenizer.document import (
    END_OF_TEXT,
    Parts,
    end_token,
    is_stripping,
    model_type,
    read_json,
)
from gristmill.tokenizer.offsets import character_offsets
from gristmill.tokenizer.patterns import PATTERNS
from gristmill.tokenizer.texts import Errors, one_text, text_table

__all__ = ["END_OF_TEXT", "PATTERNS", "Errors", "Model", "Specials", "Tokenizer"]

Specials: TypeAlias = Literal["text", "encode", "refuse"]
"""What a special token that is spelled out in a text becomes: text, its id, or an error."""

Model: TypeAlias = Literal["bpe", "wordpiece", "unigram"]
"""The kinds of vocabulary that are trained."""


class Tokenizer:
    """A byte-level BPE vocabulary: texts to ids and back.

    Make one with `train` or `load`. It never changes, and threads may share it.

    >>> tok = Tokenizer.train(["low lower lowest"], vocab_size=262)
    >>> tok.decode(tok.encode("slower")), len(tok.encode("slower"))
    ('slower', 4)
    """

    model: Model = "bpe"
    """The kind of vocabulary."""

    def __init__(
        self, document: dict[str, Any], config: dict[str, Any], where: str, *, tied: bool = False
    ) -> None:
        """Read a parsed ``tokenizer.json`` and ``tokenizer_config.json``; use `load` for files."""
        self._document, self._config = document, config
        parts = Parts(document, where)
        self._tokens, self._merges = parts.tokens, parts.merges
        self._nfc, self._prefix_space, self._tied = parts.nfc, parts.add_prefix_space, tied
        self.pattern = parts.pattern
        """How texts are cut into words: a key of `PATTERNS`, or a regular expression."""
        self.special_tokens = {t["content"]: t["id"] for t in parts.added if t["special"]}
        """The special tokens and their ids."""
        self._stripping = [t["content"] for t in parts.added if is_stripping(t)]
        self._added = parts.added
        self._end_token = end_token(config, self.special_tokens)
        try:
            self._encoder = _core.BpeEncoder(
                self._tokens,
                self._merges,
                [(t["content"], t["id"], t["special"]) for t in parts.added],
                self.pattern,
                ignore_merges=parts.ignore_merges,
                add_prefix_space=parts.add_prefix_space,
                tied=tied,
            )
        except (CoreError, ValueError) as error:
            raise FormatError(f"{where}: {error}") from None

    @classmethod
    def train(
        cls,
        texts: Texts,
        vocab_size: int,
        pattern: str | None = None,
        special_tokens: Sequence[str] | None = None,
        threads: int = 1,
        *,
        min_frequency: int = 1,
        max_token_bytes: int | None = None,
        sample_bytes: int | None = None,
        extend: Tokenizer | str | Path | None = None,
        model: Model = "bpe",
    ) -> Tokenizer:
        """Learn a vocabulary from texts.

        The merges equal those of `tokenizers`' ``BpeTrainer``: the commonest pair first, of equally
        common ones the pair with the smallest ids. Two things differ: a pair whose bytes spell a
        special token is never merged, and ``max_token_length`` there excludes the length itself.

        Args:
            texts: The texts to learn from; Arrow data is not copied.
            vocab_size: Number of tokens, special tokens and the 256 bytes included. Fewer come back
                when the texts hold nothing more to merge.
            pattern: How texts are cut into words: a key of `PATTERNS`, or a regular expression
                (see `gristmill.tokenizer.patterns`); ``gpt2`` when omitted, or that of the
                vocabulary to extend.
            special_tokens: They get the first ids, in this order; ``<|endoftext|>`` when omitted.
                With `extend` they get the first new ids, and none are added when omitted.
            threads: The result is the same for any number.
            min_frequency: Pairs that occur less often are not merged.
            max_token_bytes: No token gets longer than this.
            sample_bytes: Learn from a sample of the texts of at most this size, and at least 4/5 of
                it when texts are small: those whose hash is below the largest of 256 thresholds
                that fits. So it depends on the texts alone; equal texts are in it together.
            extend: A tokenizer to extend, or the path of one: its ids and merges stay as they are,
                words are counted as it encodes them, and new merges follow its own.
            model: ``wordpiece`` and ``unigram`` are learned by `tokenizers`, with words cut its way;
                they take no `pattern`, `max_token_bytes`, `sample_bytes` or `extend`.

        Raises:
            ValueError: `vocab_size` has no room for the 256 bytes and the special tokens, or for
                the vocabulary to extend, or that one has another `pattern`; a special token comes
                twice, has less than two bytes, or is an ordinary token of the vocabulary to extend;
                `pattern` is unknown; or no text fits `sample_bytes`.
        """
        return cls.train_batches(
            [texts],
            vocab_size,
            pattern,
            special_tokens,
            threads,
            min_frequency=min_frequency,
            max_token_bytes=max_token_bytes,
            sample_bytes=sample_bytes,
            extend=extend,
            model=model,
        )

    @classmethod
    def train_batches(
        cls,
        batches: Iterable[Texts],
        vocab_size: int,
        pattern: str | None = None,
        special_tokens: Sequence[str] | None = None,
        threads: int = 1,
        *,
        min_frequency: int = 1,
        max_token_bytes: int | None = None,
        sample_bytes: int | None = None,
        extend: Tokenizer | str | Path | None = None,
        model: Model = "bpe",
    ) -> Tokenizer:
        """Learn a vocabulary from batches of texts, of which only one is in memory at a time.

        The result is that of `train` on all the texts at once, in any order; see there.
        """
        if isinstance(special_tokens, str):
            raise TypeError("special_tokens is a list of tokens, got a single string")
        if model != "bpe":
            from gristmill.tokenizer.wrapped import WrappedTokenizer

            given: dict[str, object] = {"pattern": pattern, "max_token_bytes": max_token_bytes}
            given |= {"sample_bytes": sample_bytes, "extend": extend}
            if taken := [name for name, value in given.items() if value is not None]:
                raise ValueError(f"{taken[0]} is not for model = {model!r}; leave it out")
            specials = [END_OF_TEXT] if special_tokens is None else list(special_tokens)
            return WrappedTokenizer.learn(batches, vocab_size, specials, model, min_frequency)
        base = cls.load(extend) if isinstance(extend, (str, Path)) else extend
        document, config = training.train(
            batches,
            vocab_size,
            pattern,
            special_tokens,
            threads,
            min_frequency=min_frequency,
            max_token_bytes=max_token_bytes,
            sample_bytes=sample_bytes,
            base=base,
        )
        return cls(document, config, "trained vocabulary")

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        pattern: str | None = None,
        special_tokens: Mapping[str, int] | None = None,
    ) -> Tokenizer:
        """Open a ``tokenizer.json``, the folder that holds one, or a ``.tiktoken`` rank file.

        Any byte-level BPE (GPT-2, Llama 3, Qwen and their like), WordPiece or Unigram file.
        ``tokenizer_config.json`` beside it names the end token.

        Args:
            path: The file or folder.
            pattern: How texts are cut, for a rank file: a key of `PATTERNS` or a regular
                expression. Known by the file's name for what tiktoken publishes.
            special_tokens: The special tokens and their ids, for a rank file; known likewise.

        Raises:
            RecipeError: There is no such file, or a rank file of unknown name has no `pattern`.
            FormatError: The file is damaged, or of a kind that is not supported; the message names
                file and problem.
        """
        file = Path(path)
        if file.suffix == ".tiktoken":
            from gristmill.tokenizer.ranks import read_ranks

            ranks = read_ranks(file, pattern, special_tokens)
            return cls(ranks.document, ranks.config, str(file), tied=ranks.tied)
        if pattern is not None or special_tokens is not None:
            raise RecipeError(f"{file}: pattern and special_tokens are only for .tiktoken files")
        if file.is_dir():
            file = file / "tokenizer.json"
        document = read_json(file)
        beside = file.with_name("tokenizer_config.json")
        config = read_json(beside) if file.name == "tokenizer.json" and beside.exists() else {}
        if model_type(document) in ("WordPiece", "Unigram"):
            from gristmill.tokenizer.wrapped import WrappedTokenizer

            return WrappedTokenizer(document, config, str(file))
        return cls(document, config, str(file))

    def save(self, path: str | Path) -> None:
        """Write ``tokenizer.json`` and ``tokenizer_config.json`` into the folder `path`.

        When `path` ends in ``.json``, write that one file. `tokenizers.Tokenizer.from_file` and
        `transformers.AutoTokenizer.from_pretrained` open the result and give the same ids; but
        beside a ``config.json`` of model type ``qwen2``, `transformers` 5 cuts words by Qwen's
        pattern whatever the file says.

        When `path` ends in ``.tiktoken``, write the tokens by rank. That file holds no added tokens
        and no pattern, and its ranks begin with 0: a trained vocabulary, whose special tokens come
        first, has ``id = rank + len(special_tokens)``.

        Raises:
            FormatError: The file cannot say what this tokenizer does.
        """
        target = Path(path)
        if target.suffix == ".tiktoken":
            self._save_ranks(target)
            return
        self._refuse_ties(target)
        if target.suffix == ".json":
            write_json(target, self._document)
            return
        write_json(target / "tokenizer.json", self._document)
        write_json(target / "tokenizer_config.json", self._config)

    def _save_ranks(self, file: Path) -> None:
        from gristmill.tokenizer.ranks import write_ranks

        if self._nfc or self._prefix_space:
            raise FormatError(
                f"{file}: tiktoken neither normalizes nor adds a space; save tokenizer.json instead"
            )
        added = {token["id"] for token in self._added}
        tokens = [None if i in added else token for i, token in enumerate(self._tokens)]
        write_ranks(file, tokens, self._merges, tied=self._tied)

    def _refuse_ties(self, file: Path) -> None:
        from gristmill.tokenizer.ranks import ambiguous

        token = ambiguous(self._tokens, self._merges) if self._tied else None
        if token is not None:
            raise FormatError(
                f"{file}: the token {token!r} is made by overlapping pairs of one rank, which "
                "tokenizer.json cannot say; save a .tiktoken file instead"
            )

    @property
    def normalizes(self) -> bool:
        """Whether texts are brought to Unicode NFC before they are encoded."""
        return self._nfc

    @property
    def vocab_size(self) -> int:
        """Number of ids: one more than the largest."""
        return len(self._tokens)

    @property
    def end_token_id(self) -> int:
        """The id that ends a document.

        Raises:
            FormatError: The tokenizer has no such token.
        """
        if self._end_token is None:
            raise FormatError(
                "the tokenizer has no end token; name one as eos_token in tokenizer_config.json"
            )
        return int(self.special_tokens[self._end_token])

    @property
    def merges(self) -> list[tuple[bytes, bytes]]:
        """The merges by rank, as the bytes of their two parts."""
        return [
            (self.token_bytes(left), self.token_bytes(right)) for left, right, _ in self._merges
        ]

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes of a token.

        Raises:
            KeyError: No token has this id.
        """
        token = self._tokens[token_id] if 0 <= token_id < len(self._tokens) else None
        if token is None:
            raise KeyError(f"no token has id {token_id}; there are {self.vocab_size} ids")
        return token

    def words(self, text: str) -> list[str]:
        """The words that `pattern` cuts a text into; merges never cross them."""
        return self._encoder.words(text)

    def encode(
        self, text: str | bytes, *, specials: Specials = "text", errors: Errors = "strict"
    ) -> list[int]:
        """Encode one text; see `encode_batch`."""
        plain = one_text(text, errors)
        if self._nfc:
            plain = pc.utf8_normalize(plain, "NFC").as_py()
        return self._encoder.encode(plain, self._policy(specials))

    def encode_batch(
        self,
        texts: Texts | Sequence[bytes],
        threads: int = 1,
        *,
        specials: Specials = "text",
        errors: Errors = "strict",
    ) -> pa.ListArray:
        """Encode texts, without adding special tokens.

        Args:
            texts: *n* texts or their UTF-8 bytes; Arrow data is not copied, a null counts as an
                empty text.
            threads: The result is the same for any number.
            specials: What a special token spelled out in a text becomes: ``text`` (the default: a
                document cannot end itself), ``encode`` (its id) or ``refuse`` (an error). Added
                tokens that are not special are always matched, as `tokenizers` does.
            errors: What bytes that are not UTF-8 and lone surrogates become: ``strict`` (an error)
                or ``replace`` (U+FFFD).

        Returns:
            ``list<uint32>[n]``, without nulls; ``large_list<uint32>[n]`` from 2^31 ids on.

        Raises:
            ValueError: A text is not Unicode; the message names text and byte.
            CoreError: A text has 4 GiB or more, or holds a special token that is refused.
        """
        table = self._table(texts, errors)
        batches = self._encoder.encode_batch(table, self._policy(specials), threads)
        return _single(from_kernel(batches).column("ids"))

    def encode_with_offsets(
        self, text: str | bytes, *, specials: Specials = "text", errors: Errors = "strict"
    ) -> tuple[list[int], list[tuple[int, int]]]:
        """Encode one text: ids, and where each begins and ends in it, counted in characters.

        See `encode_batch_with_offsets`.
        """
        one = [one_text(text, errors)]
        row = self.encode_batch_with_offsets(one, specials=specials).to_pylist()[0]
        return row["ids"], list(zip(row["starts"], row["ends"], strict=True))

    def encode_batch_with_offsets(
        self,
        texts: Texts | Sequence[bytes],
        threads: int = 1,
        *,
        specials: Specials = "text",
        errors: Errors = "strict",
    ) -> pa.Table:
        """As `encode_batch`, with the place of each token in its text.

        Returns:
            *n* rows of three columns ``list<uint32>`` of one length a row: ``ids``; ``starts``, the
            first character of each token; ``ends``, the one after its last. They are those of
            `tokenizers` with ``trim_offsets`` false: characters (code points), and of a character
            that several tokens share all of them cover the whole.

        Raises:
            ValueError, CoreError: As `encode_batch`.
            FormatError: The tokenizer puts a space before texts, or a text is not in NFC and it is
                brought there; such tokens have no place in the text.
        """
        column = self._table(texts, errors).column(0)
        self._refuse_displaced(column, texts, errors)
        ids = self.encode_batch(column, threads, specials=specials)
        lengths = np.array([len(token or b"") for token in self._tokens], np.int64)
        places = character_offsets(ids, column, lengths)
        lists = [type(ids).from_arrays(ids.offsets, place, type=ids.type) for place in places]
        return pa.Table.from_arrays([ids, *lists], ["ids", "starts", "ends"])

    def encode_into(
        self,
        packer: _core.Packer,
        texts: Texts,
        held_out: pa.Array | pa.ChunkedArray,
        threads: int = 1,
    ) -> pa.UInt32Array:
        """Encode texts straight into rows; no list of their ids is ever made.

        Args:
            packer: Takes the ids of each text in turn.
            texts: *n* texts; a special token that is spelled out in one is text.
            held_out: ``bool[n]``, which of them are for validation.
            threads: The result is the same for any number.

        Returns:
            ``uint32[n]``, how many ids each text has.
        """
        documents = self._table(texts, "strict").append_column("held_out", held_out)
        found = from_kernel(packer.encode(self._encoder, documents, threads))
        return _single(found.column("n_tokens"))

    def count(
        self,
        texts: Texts | Sequence[bytes],
        threads: int = 1,
        *,
        specials: Specials = "text",
        errors: Errors = "strict",
    ) -> pa.UInt64Array:
        """The number of tokens of each text, ``uint64[n]``, without keeping the ids."""
        table = self._table(texts, errors)
        batches = self._encoder.count_batch(table, self._policy(specials), threads)
        return _single(from_kernel(batches).column("n_tokens"))

    def decode(self, ids: Iterable[int], *, skip_special_tokens: bool = False) -> str:
        """The text of a sequence of ids (a list, an Arrow or numpy array, a tensor).

        Ids that end inside a character give U+FFFD there; `decode_bytes` gives the bytes.

        Raises:
            CoreError: No token has one of the ids.
        """
        return self.decode_bytes(ids, skip_special_tokens=skip_special_tokens).decode(
            errors="replace"
        )

    def decode_batch(
        self, ids: Iterable[Iterable[int]] | pa.Array, *, skip_special_tokens: bool = False
    ) -> list[str]:
        """The text of each sequence of ids; see `decode`."""
        rows = ids.to_pylist() if isinstance(ids, pa.Array | pa.ChunkedArray) else ids
        return [self.decode(row, skip_special_tokens=skip_special_tokens) for row in rows]

    def decode_bytes(self, ids: Iterable[int], *, skip_special_tokens: bool = False) -> bytes:
        """The bytes of a sequence of ids; see `decode`."""
        as_list = getattr(ids, "tolist", None)
        plain = as_list() if as_list else [int(token_id) for token_id in ids]
        return self._encoder.decode(plain, skip_special_tokens)

    def __repr__(self) -> str:
        return f"Tokenizer(vocab_size={self.vocab_size}, pattern={self.pattern!r})"

    def _table(self, texts: Texts | Sequence[bytes], errors: Errors) -> pa.Table:
        table = text_table(texts, errors)
        if not self._nfc:
            return table
        column = table.column(0).cast(pa.large_string())
        return pa.Table.from_arrays([pc.utf8_normalize(column, "NFC")], ["text"])

    def _refuse_displaced(
        self, column: pa.ChunkedArray, texts: Texts | Sequence[bytes], errors: Errors
    ) -> None:
        if self._prefix_space:
            raise FormatError("offsets are not supported with add_prefix_space")
        given = text_table(texts, errors).column(0).cast(column.type) if self._nfc else column
        if not column.equals(given):
            raise FormatError(
                "offsets are not supported for a text that is not in Unicode NFC, as this tokenizer "
                "brings it there first; normalize it before"
            )

    def _policy(self, specials: Specials) -> str:
        if specials == "encode" and self._stripping:
            raise ValueError(
                f"specials='encode' is not supported here: {self._stripping[0]!r} takes the space "
                "around it (lstrip, rstrip or single_word)"
            )
        return specials


def _single(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
