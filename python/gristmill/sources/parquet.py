"""Parquet and Arrow IPC (file or stream): a row is a record, a column a key.

Both formats may hold strings that are not UTF-8, and their readers do not look; so the kernel looks
at every string, and rows with such ones are taken to Python as bytes. The texts themselves are not
copied. Locators are ``path:row``, from 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

from gristmill._core import RecordTable
from gristmill.errors import RecipeError
from gristmill.schema import DOCUMENT
from gristmill.sources.base import Batch, Item, OnBad, Origin, Part, Record, Row
from gristmill.sources.columns import ColumnRows
from gristmill.sources.fields import record
from gristmill.sources.jsonl import broken
from gristmill.sources.paths import open_bytes, open_raw

BATCH_ROWS = 1_024
"""Rows that are decoded at once."""

READ_BYTES = 1 << 20
"""What is read of a column of Parquet at once. Left to itself, pyarrow holds whole row groups."""

UNUSUAL_ROWS = 32
"""Rows that are taken to Python at once when one of them is unusual."""


def parquet_batches(origin: Origin, item: Item, part: Part | None = None) -> Iterator[Batch]:
    """Read the documents of one Parquet file, or of some of its row groups.

    Raises:
        DataRefusedError: A record is bad and the source's `on_bad` is ``refuse``.
        IntegrityError: The file is gone or has another size than when the run was planned.
    """
    part = part or Part()
    yield from _batches(origin, item, _parquet_tables(item, part), part.first)


def arrow_batches(origin: Origin, item: Item, part: Part | None = None) -> Iterator[Batch]:
    """Read the documents of one Arrow IPC file or stream, or of some of its record batches.

    Raises:
        DataRefusedError: A record is bad and the source's `on_bad` is ``refuse``.
        IntegrityError: The file is gone or has another size than when the run was planned.
    """
    part = part or Part()
    yield from _batches(origin, item, _arrow_tables(item, part), part.first)


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


def _parquet_tables(item: Item, part: Part) -> Iterator[pa.RecordBatch]:
    options = {"buffer_size": READ_BYTES, "pre_buffer": False}
    with open_raw(item) as file, pyarrow.parquet.ParquetFile(file, **options) as parquet:
        stop = parquet.num_row_groups if part.stop is None else part.stop
        yield from parquet.iter_batches(
            batch_size=BATCH_ROWS, row_groups=list(range(part.start, stop)), use_threads=False
        )


def _arrow_tables(item: Item, part: Part) -> Iterator[pa.RecordBatch]:
    with open_bytes(item) as stream, _reader(stream) as reader:
        tables: Iterator[pa.RecordBatch]
        if isinstance(reader, pyarrow.ipc.RecordBatchFileReader):
            stop = reader.num_record_batches if part.stop is None else part.stop
            tables = map(reader.get_batch, range(part.start, stop))
        else:
            tables = islice(reader, part.start, part.stop)
        for table in tables:
            for start in range(0, table.num_rows, BATCH_ROWS):
                yield table.slice(start, BATCH_ROWS)


def _reader(stream: pa.NativeFile) -> pyarrow.ipc.RecordBatchReader:
    if stream.seekable():
        magic = stream.read(6)
        stream.seek(0)
        if magic == b"ARROW1":
            return pyarrow.ipc.open_file(stream)
    return pyarrow.ipc.open_stream(stream)


def _batches(
    origin: Origin, item: Item, tables: Iterator[pa.RecordBatch], first: int
) -> Iterator[Batch]:
    rows = ColumnRows(origin, item.locator, first, with_text=False)
    texts = list[pa.Array]()
    try:
        for table in tables:
            yield from _filled(rows, texts, table, item.locator, origin.on_bad)
    except (OSError, pa.ArrowException) as error:
        number = rows.kernel.n_read
        rows.add(number, broken(f"{item.locator}:{number}", OSError(error)))
    if len(rows):
        yield _batch(rows, texts)


def _filled(
    rows: ColumnRows, texts: list[pa.Array], table: pa.RecordBatch, locator: str, on_bad: OnBad
) -> Iterator[Batch]:
    """Append the rows of a table, and their texts to `texts`; gives the batches that they fill."""
    plain, columns = _Plain(table), _kernel_columns(table)
    kernel_table, text = RecordTable(columns), _text(columns)
    at = 0
    while at < table.num_rows or rows.is_full():
        if rows.is_full():
            yield _batch(rows, texts)
        start = at
        at, unusual, license = rows.kernel.read_table(kernel_table, at, rows.n_bad)
        if n_read := (at if unusual is None else unusual) - start:
            texts.append(text.slice(start, n_read))
        if license is not None:
            rows.add_license(license)
        if unusual is not None:
            number = rows.kernel.n_read - 1
            row = plain.row(unusual)
            read = record(row, f"{locator}:{number}", on_bad, _raw(row.get("text")))
            if rows.add(number, read) and isinstance(read, Record):
                texts.append(pa.array([read.text], pa.large_string()))


def _batch(rows: ColumnRows, texts: list[pa.Array]) -> Batch:
    batch = rows.batch(pa.chunked_array(texts, pa.large_string()))
    texts.clear()
    return batch


class _Plain:
    """The rows of a table as Python has them, some at a time."""

    def __init__(self, table: pa.RecordBatch) -> None:
        self._table = table
        self._rows, self._start = list[Row](), 0

    def row(self, at: int) -> Row:
        """The row with that number."""
        if not 0 <= at - self._start < len(self._rows):
            self._rows = _plain(self._table.slice(at, UNUSUAL_ROWS)).to_pylist()
            self._start = at
        return self._rows[at - self._start]


def _kernel_columns(table: pa.RecordBatch) -> pa.RecordBatch:
    """The columns in the types that the kernel knows; those that no document keeps are left out."""
    names = table.schema.names
    if len(set(names)) < len(names):
        return pa.record_batch({"": pa.nulls(table.num_rows, pa.int64())})  # leaves all to Python
    kept = {
        name: _kernel_column(column)
        for name, column in zip(names, table.columns, strict=True)
        if name in DOCUMENT.names or not _is_left_out(column.type)
    }
    return pa.record_batch(kept)


def _is_left_out(kind: pa.DataType) -> bool:
    """Whether Python has values of this type that are no numbers, strings or dates."""
    types = pa.types
    return bool(
        types.is_nested(kind)
        or types.is_decimal(kind)
        or types.is_time(kind)
        or types.is_duration(kind)
    )


def _kernel_column(column: pa.Array) -> pa.Array:
    column, types = _plain_column(column), pa.types
    kind = column.type
    if types.is_binary(kind) or types.is_binary_view(kind) or types.is_fixed_size_binary(kind):
        return column.cast(pa.large_binary())
    if types.is_null(kind) or (types.is_integer(kind) and kind != pa.uint64()):
        return column.cast(pa.int64())
    if types.is_floating(kind):
        return column.cast(pa.float64())
    return column


def _text(columns: pa.RecordBatch) -> pa.Array:
    """The texts as they are; the kernel says which of them are valid."""
    if "text" in columns.schema.names and columns["text"].type == pa.large_binary():
        return columns["text"].view(pa.large_string())
    return pa.nulls(columns.num_rows, pa.large_string())  # none that the kernel takes


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
