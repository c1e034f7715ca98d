"""Finds the bytes that repeat an earlier passage, in texts that are in memory."""

from __future__ import annotations

import pyarrow as pa

from gristmill import _core
from gristmill.dedup.parameters import at_least
from gristmill.text import Texts, as_table

ENGINES = ("winnowing", "suffix-array")
"""Two ways to the same ranges: `winnowing` is the faster, `suffix-array` its check."""


def exact_duplicates(
    texts: Texts, min_bytes: int = 100, engine: str = "winnowing", threads: int = 1
) -> pa.Table:
    """Find the bytes that repeat a substring of at least `min_bytes` bytes seen earlier.

    Earlier means in an earlier document, or earlier in the same one, overlaps included. The first
    occurrence always stays; substrings and ranges never cross documents. Linear in the text.

    Args:
        texts: Documents, length *n*; Arrow data is borrowed, not copied. A null counts as an empty
            document.
        min_bytes: Length of the shortest repeat that counts, in UTF-8 bytes.
        engine: ``winnowing`` (up to 4 GiB of text) or ``suffix-array``; the result is the same.
        threads: Threads to use; the result is the same for any number.

    Returns:
        One row per range, in order: ``document`` uint32, ``start`` and ``end`` uint64, byte offsets
        in the document on character boundaries, overlapping and touching ranges merged.

    Raises:
        ValueError: `min_bytes` or `threads` is below 1, `engine` is unknown, or there is more text
            than the engine takes.
        TypeError: `texts` is not text.

    >>> exact_duplicates(["one fine day", "two fine days"], min_bytes=9).to_pylist()
    [{'document': 1, 'start': 3, 'end': 12}]
    """
    return find_ranges(texts, min_bytes, engine, threads).select(["document", "start", "end"])


def find_ranges(
    texts: Texts, min_bytes: int = 100, engine: str = "winnowing", threads: int = 1
) -> pa.Table:
    """As `exact_duplicates`, with columns ``twin_document`` uint32 and ``twin_offset`` uint64 too.

    They say where in the corpus the first `min_bytes` bytes of the range occur for the first time
    (what is left of those bytes when the range's start shrank to a whole character).
    """
    check_exact(min_bytes, engine, threads)
    return pa.table(_core.exact_duplicates(as_table(texts), min_bytes, engine, threads))


def check_exact(min_bytes: int, engine: str, threads: int) -> None:
    """Refuse parameters that the kernels of exact duplicates do not take."""
    at_least("min_bytes", min_bytes, 1)
    at_least("threads", threads, 1)
    if engine not in ENGINES:
        raise ValueError(f"engine = {engine!r} is not allowed: one of {', '.join(ENGINES)}")
