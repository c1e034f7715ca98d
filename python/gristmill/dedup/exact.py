"""Finds what repeats an earlier passage, in texts or token ids that are in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gristmill import _core
from gristmill.dedup.parameters import at_least
from gristmill.text import Texts, as_table, from_kernel

if TYPE_CHECKING:
    import polars as pl

TokenIds: TypeAlias = "Sequence[Sequence[int]] | pa.Array | pa.ChunkedArray | pl.Series"
"""Lists of ids, or Arrow or polars lists of any integers from 0 to 2^32 - 1."""

ENGINES = ("winnowing", "suffix-array")
"""Two ways to the same ranges: `winnowing` is the faster, `suffix-array` its check."""

ENDLESS = 2**60
"""Longer than any text: a threshold beyond it means the same and fits the kernel's integers."""


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
        engine: ``winnowing`` or ``suffix-array``; the result is the same.
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
    check_exact("min_bytes", min_bytes, engine, threads)
    least = min(min_bytes, ENDLESS)
    return from_kernel(_core.exact_duplicates(as_table(texts), least, engine, threads))


def exact_duplicate_tokens(
    ids: TokenIds, min_tokens: int = 50, engine: str = "winnowing", threads: int = 1
) -> pa.Table:
    """Find the tokens that repeat a run of at least `min_tokens` tokens seen earlier.

    As `exact_duplicates`, with token ids in the place of bytes.

    Args:
        ids: The token ids of *n* documents, each 0 to 2^32 - 1, as `Tokenizer.encode_batch` gives
            them. A null counts as an empty document.
        min_tokens: Length of the shortest repeat that counts.
        engine: ``winnowing`` or ``suffix-array``; the result is the same.
        threads: Threads to use; the result is the same for any number.

    Returns:
        One row per range, in order: ``document`` uint32, ``start`` and ``end`` uint64, positions in
        the document's ids, overlapping and touching ranges merged.

    Raises:
        ValueError: `min_tokens` or `threads` is below 1, `engine` is unknown, or an id is null or
            outside of its range.
        TypeError: `ids` is no list of lists of whole numbers.

    >>> exact_duplicate_tokens([[1, 2, 3, 4], [9, 2, 3, 4]], min_tokens=3).to_pylist()
    [{'document': 1, 'start': 1, 'end': 4}]
    """
    check_exact("min_tokens", min_tokens, engine, threads)
    column, unit = _as_symbols(_as_lists(ids))
    least = min(min_tokens, ENDLESS) * unit
    values = pa.table({"ids": column})
    found = from_kernel(_core.exact_duplicates(values, least, engine, threads, unit))
    tokens = {
        name: pa.array(found[name].to_numpy() // unit, pa.uint64()) for name in ("start", "end")
    }
    return pa.table({"document": found["document"], **tokens})


def _as_lists(ids: TokenIds) -> pa.ChunkedArray:
    """Token ids as Arrow lists of uint16 or uint32."""
    if isinstance(ids, str | bytes):
        raise TypeError("expected lists of token ids, got a text; encode it first")
    if isinstance(ids, pa.Array | pa.ChunkedArray):
        column = ids
    elif hasattr(ids, "__arrow_c_stream__"):
        column = pa.chunked_array(ids)
    else:
        try:
            column = pa.array(ids, pa.large_list(pa.int64()))
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
            raise TypeError(f"expected lists of token ids: {error}") from None
    kind = column.type
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    if not is_list or not pa.types.is_integer(kind.value_type):
        raise TypeError(f"expected lists of token ids, got {kind}")
    narrow = pa.uint16() if kind.value_type in (pa.uint8(), pa.uint16()) else pa.uint32()
    try:
        cast = column.cast(pa.large_list(narrow))
    except pa.ArrowInvalid as error:
        raise ValueError(f"a token id is not allowed: {error}") from None
    return cast if isinstance(cast, pa.ChunkedArray) else pa.chunked_array([cast])


def _as_symbols(lists: pa.ChunkedArray) -> tuple[pa.ChunkedArray, int]:
    """The lists as the bytes of their ids, and the bytes of one id."""
    unit = lists.type.value_type.bit_width // 8
    chunks = []
    for chunk in lists.chunks:
        values = pc.list_flatten(chunk)
        if values.null_count:
            raise ValueError(f"{values.null_count} token ids are null; every id must be a number")
        ends = np.cumsum(pc.fill_null(pc.list_value_length(chunk), 0).to_numpy()) * unit
        offsets = pa.py_buffer(np.concatenate([[0], ends]).astype(np.int64))
        data = pa.py_buffer(np.ascontiguousarray(values.to_numpy()))
        buffers = [None, offsets, data]
        chunks.append(pa.Array.from_buffers(pa.large_binary(), len(chunk), buffers))
    return pa.chunked_array(chunks, pa.large_binary()), unit


def check_exact(name: str, least: int, engine: str, threads: int) -> None:
    """Refuse parameters that the kernels of exact duplicates do not take."""
    at_least(name, least, 1)
    at_least("threads", threads, 1)
    if engine not in ENGINES:
        raise ValueError(f"engine = {engine!r} is not allowed: one of {', '.join(ENGINES)}")
