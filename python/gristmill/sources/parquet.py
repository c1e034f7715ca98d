"""Parquet and Arrow IPC (file or stream): a row is a record, a column a key.

Text columns are taken as bytes and decoded row by row, since both formats may hold strings that are
not UTF-8 and their readers do not look. Locators are ``path:row``, from 0.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

from gristmill.errors import RecipeError
from gristmill.sources.base import BadRecord, Item, OnBad, Record
from gristmill.sources.fields import record
from gristmill.sources.jsonl import broken
from gristmill.sources.paths import open_bytes, open_raw

BATCH_ROWS = 1_024


def parquet_records(item: Item, on_bad: OnBad) -> Iterator[Record | BadRecord]:
    """Read the rows of one Parquet file in order."""
    yield from _records(item, _parquet_batches(item), on_bad)


def arrow_records(item: Item, on_bad: OnBad) -> Iterator[Record | BadRecord]:
    """Read the rows of one Arrow IPC file or stream in order."""
    yield from _records(item, _arrow_batches(item), on_bad)


def check_columns(name: str, item: Item, format: str) -> None:
    """Refuse a file whose schema has no `text`; one that does not open is left to the reading.

    Raises:
        RecipeError: The column is missing.
    """
    try:
        schema = _schema(item, format)
    except (OSError, pa.ArrowException):
        return
    if "text" not in schema.names:
        raise RecipeError(
            f"source {name!r}: {item.locator} has no column 'text', but "
            f"{', '.join(schema.names) or 'none'}; rename the one that holds the text to 'text'"
        )


def _schema(item: Item, format: str) -> pa.Schema:
    if format == "parquet":
        with open_raw(item) as file:
            return pyarrow.parquet.read_schema(file)
    with open_bytes(item) as stream:
        return _reader(stream).schema


def _parquet_batches(item: Item) -> Iterator[pa.RecordBatch]:
    with open_raw(item) as file, pyarrow.parquet.ParquetFile(file) as parquet:
        yield from parquet.iter_batches(batch_size=BATCH_ROWS, use_threads=False)


def _arrow_batches(item: Item) -> Iterator[pa.RecordBatch]:
    with open_bytes(item) as stream, _reader(stream) as reader:
        if isinstance(reader, pyarrow.ipc.RecordBatchFileReader):
            yield from (reader.get_batch(i) for i in range(reader.num_record_batches))
        else:
            yield from reader


def _reader(stream: pa.NativeFile) -> pyarrow.ipc.RecordBatchReader:
    if stream.seekable():
        magic = stream.read(6)
        stream.seek(0)
        if magic == b"ARROW1":
            return pyarrow.ipc.open_file(stream)
    return pyarrow.ipc.open_stream(stream)


def _records(
    item: Item, batches: Iterator[pa.RecordBatch], on_bad: OnBad
) -> Iterator[Record | BadRecord]:
    number = 0
    try:
        for batch in batches:
            for start in range(0, batch.num_rows, BATCH_ROWS):
                for row in _plain(batch.slice(start, BATCH_ROWS)).to_pylist():
                    locator = f"{item.locator}:{number}"
                    yield record(row, locator, on_bad, _raw(row.get("text")))
                    number += 1
    except (OSError, pa.ArrowException) as error:
        yield broken(f"{item.locator}:{number}", OSError(error))


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Columns as Python can take them: strings as bytes, times in microseconds."""
    columns = [_plain_column(column) for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _plain_column(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.timestamp("us", column.type.tz), safe=False)
    if pa.types.is_string_view(column.type):
        return column.cast(pa.binary_view())
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        large = pa.types.is_large_string(column.type)
        return column.cast(pa.large_binary() if large else pa.binary())
    return column


def _raw(text: object) -> bytes:
    return text if isinstance(text, bytes) else b""
