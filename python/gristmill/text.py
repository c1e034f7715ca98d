"""Texts on their way to the kernels, and what comes back, as Arrow tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import pyarrow as pa

from gristmill import _core

if TYPE_CHECKING:
    import polars as pl

Texts: TypeAlias = "Sequence[str] | pa.Array | pa.ChunkedArray | pl.Series"
"""A list of str, Arrow string, large_string or string_view data, or a polars Series."""

_TEXT_TYPES = (pa.string(), pa.large_string(), pa.string_view())


def as_table(texts: Texts) -> pa.Table:
    """Wrap texts as a table of one column ``text``; Arrow and polars data is borrowed, not copied.

    Raises:
        TypeError: `texts` is a single string or holds something that is not text.
        ValueError: Bytes of an Arrow text are not UTF-8; the check runs at 18 GB/s.
    """
    if isinstance(texts, str | bytes):
        raise TypeError("expected many texts, got a single one; put it in a list")
    if isinstance(texts, pa.Array | pa.ChunkedArray):
        column = texts
    elif hasattr(texts, "__arrow_c_stream__"):
        column = pa.chunked_array(texts)
    else:
        try:
            column = pa.array(texts, pa.large_string())
        except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError) as error:
            raise TypeError(f"expected texts: {error}") from None
    if pa.types.is_null(column.type):
        column = column.cast(pa.string())
    if column.type not in _TEXT_TYPES:
        raise TypeError(f"expected texts, got {column.type}")
    try:
        column.validate(full=True)
    except pa.ArrowInvalid as error:
        raise ValueError(f"the texts are not UTF-8: {error}; decode them first") from None
    chunked = column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])
    return pa.Table.from_arrays([chunked], ["text"])


def from_kernel(batches: _core.Batches) -> pa.Table:
    """What a kernel found, as a table.

    `pyarrow.table` would first import pandas, where that is installed: a second of work.
    """
    return pa.RecordBatchReader.from_stream(batches).read_all()
