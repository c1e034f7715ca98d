"""Searches an index: counts, places, and the longest spans of a text that stand in the corpus."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from gristmill import _core
from gristmill.trace.index import IndexFiles

Ranges: TypeAlias = "list[tuple[int, int]]"
"""Byte ranges in the UTF-8 form of a text, in order."""

MIN_TOKENS = 8
"""Tokens of the shortest span that `trace` reports unless told otherwise."""

MAX_DOCUMENTS = 5
"""Documents that `trace` lists per span unless told otherwise."""

_WORD = re.compile(r"\S+")


class _Encodes(Protocol):
    def encode(self, text: str) -> list[int]: ...

    def token_bytes(self, token_id: int) -> bytes: ...


def word_ranges(text: str) -> Ranges:
    """Where the words of `text` are, words being what white space separates."""
    ranges = []
    n_chars = n_bytes = 0
    for match in _WORD.finditer(text):
        start = n_bytes + len(text[n_chars : match.start()].encode())
        n_chars, n_bytes = match.end(), start + len(match.group().encode())
        ranges.append((start, n_bytes))
    return ranges


def token_ranges(tokenizer: _Encodes) -> Callable[[str], Ranges]:
    """Make the function that says where the tokens of a text are."""

    def ranges(text: str) -> Ranges:
        found, end = [], 0
        for token_id in tokenizer.encode(text):
            start, end = end, end + len(tokenizer.token_bytes(token_id))
            found.append((start, end))
        return found

    return ranges


class Index:
    """The exact-match index of a corpus, searched where it stands on disk.

    Args:
        files: The index's files.
    """

    def __init__(self, files: IndexFiles) -> None:
        self._files = files
        self._documents = files.documents()
        self._shards = _core.SuffixIndex(files.shards())

    @classmethod
    def open(cls, path: str | Path) -> Index:
        """Open the index in `path`, a folder written by `build_index` or the corpus around it.

        Raises:
            RecipeError: There is no index.
            FormatError: It has another format or version.
            IntegrityError: A file is missing, cut short or damaged; the message names it.
        """
        return cls(IndexFiles.open(path))

    @property
    def n_documents(self) -> int:
        """The number of documents."""
        return self._shards.n_documents

    def verify(self) -> None:
        """Compare all files with their digests; the `IntegrityError` names the one that fails."""
        self._files.verify()

    def count(self, pattern: str | bytes) -> int:
        """How often `pattern` occurs within documents, overlaps included; an empty one never."""
        return self._shards.count(_bytes(pattern))

    def locate(self, pattern: str | bytes, limit: int = MAX_DOCUMENTS) -> list[dict[str, Any]]:
        """The first documents in corpus order that hold `pattern`.

        Returns:
            Dictionaries of ``id``, ``source``, ``license``, ``url``, and ``offset``: where in the
            document's text the first occurrence starts, in characters. Of more than 16,384
            occurrences in a shard only that many are looked at.
        """
        return self._describe(self._shards.locate(_bytes(pattern), limit))

    def trace(
        self,
        text: str,
        min_tokens: int = MIN_TOKENS,
        *,
        tokens: Callable[[str], Sequence[tuple[int, int]]] = word_ranges,
        documents: int = MAX_DOCUMENTS,
    ) -> list[dict[str, Any]]:
        """Find the longest spans of `text` that occur verbatim in the corpus.

        A span is reported when it holds at least `min_tokens` whole tokens of the text and is not
        part of a longer one; spans may overlap.

        Args:
            text: Any text.
            min_tokens: Tokens of the shortest span, at least 1.
            tokens: Gives the byte ranges of a text's tokens in order: `word_ranges`, or
                ``token_ranges(tokenizer)``.
            documents: At most so many documents are listed per span.

        Returns:
            Longest first: ``start`` and ``end`` (characters of `text`), ``text``, ``count`` (how
            often it occurs in the corpus) and ``documents``, see `locate`.

        Raises:
            ValueError: `min_tokens` is below 1.
        """
        if min_tokens < 1:
            raise ValueError(f"min_tokens = {min_tokens} is not allowed: at least 1")
        found = self._shards.spans(text, list(tokens(text)), min_tokens, documents)
        spans = [
            {
                "start": start,
                "end": end,
                "text": text[start:end],
                "count": count,
                "documents": self._describe(places),
            }
            for start, end, count, places in found
        ]
        return sorted(spans, key=_by_length)

    def _describe(self, places: list[tuple[int, int]]) -> list[dict[str, Any]]:
        """Put documents in the place of their rows.

        Values are read one by one: `Table.take` needs pyarrow's compute library, whose 55 MB and
        0.4 ms are more than a trace takes.
        """
        columns = zip(self._documents.column_names, self._documents.columns, strict=True)
        named = list(columns)
        return [
            {name: column[row].as_py() for name, column in named} | {"offset": offset}
            for row, offset in places
        ]


def _by_length(span: dict[str, Any]) -> tuple[int, int]:
    return span["start"] - span["end"], span["start"]


def _bytes(pattern: str | bytes) -> bytes:
    return pattern.encode() if isinstance(pattern, str) else pattern
