"""Arrow and Parquet files of the build, written atomically and read a batch at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from gristmill.errors import IntegrityError
from gristmill.files import atomic_write

BATCH_ROWS = 4096

GROUP_ROWS = 16_384
"""Rows of a row group of a Parquet file."""

Place: TypeAlias = tuple[Path, int, int, int]
"""A column of a record batch in a file: path, position of its values, position of its 64-bit
offsets, rows."""


class Writer(Protocol):
    """An Arrow file on its way out."""

    def write(self, table: pa.Table) -> None:
        """Append the rows of a table."""


class _Writer:
    def __init__(self, writer: pa.ipc.RecordBatchFileWriter, schema: pa.Schema) -> None:
        self._writer, self._schema = writer, schema

    def write(self, table: pa.Table) -> None:
        self._writer.write_table(table.cast(self._schema), max_chunksize=BATCH_ROWS)


@contextmanager
def arrow_writer(path: Path, schema: pa.Schema) -> Iterator[Writer]:
    """Write an Arrow IPC file table by table, uncompressed, so that it can be mapped."""
    with atomic_write(path) as file, pa.ipc.new_file(file, schema) as writer:
        yield _Writer(writer, schema)


def write_arrow(path: Path, tables: Iterable[pa.Table], schema: pa.Schema) -> None:
    """Write `tables` as one Arrow IPC file, as `arrow_writer` does."""
    with arrow_writer(path, schema) as writer:
        for table in tables:
            writer.write(table)


def map_arrow(path: Path) -> pa.Table:
    """Open an Arrow IPC file; its buffers stay on disk until they are touched."""
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all()


class ArrowFiles:
    """The rows of Arrow IPC files that `arrow_writer` wrote, in order.

    They are read, not mapped, so what was read is given back when the caller lets go of it; pages
    of a map count as memory of the process until the map is closed.

    Args:
        paths: The files.
        schema: Their columns.
    """

    def __init__(self, paths: Iterable[Path], schema: pa.Schema) -> None:
        self.paths, self.schema = tuple(paths), schema
        self._open: tuple[Path, pa.ipc.RecordBatchFileReader] | None = None

    def __len__(self) -> int:
        return sum(n_rows for _, _, n_rows in self._blocks)

    def batches(self, columns: list[str] | None = None) -> Iterator[pa.Table]:
        """Yield the record batches that have rows, or some columns of them."""
        chosen = [self.schema.get_field_index(name) for name in columns or self.schema.names]
        options = pa.ipc.IpcReadOptions(included_fields=chosen)
        for path in self.paths:
            with pa.OSFile(str(path)) as file:
                reader = pa.ipc.open_file(file, options=options)
                for number in range(reader.num_record_batches):
                    batch = reader.get_batch(number)
                    if batch.num_rows:
                        yield pa.table(batch)

    def slice(self, start: int, length: int) -> pa.Table:
        """The rows from `start` on, at most `length`, read in the batches they stand in."""
        parts, first, stop = [self.schema.empty_table()], 0, start + length
        for path, number, n_rows in self._blocks:
            if first < stop and start < first + n_rows:
                batch = pa.table(self._reader(path).get_batch(number))
                low = max(start - first, 0)
                parts.append(batch.slice(low, stop - first - low))
            first += n_rows
        return pa.concat_tables(parts)

    def lengths(self, column: str) -> npt.NDArray[np.int64]:
        """``int64[n]``: length of each value of a column of texts or lists, from the offsets alone."""
        lengths = [
            np.diff(np.fromfile(path, "<i8", n_rows + 1, offset=offsets))
            for path, _, offsets, n_rows in self.places(column)
        ]
        return np.concatenate([np.empty(0, np.int64), *lengths])

    def places(self, column: str) -> list[Place]:
        """Where a column of variable-length values stands, for kernels that map files themselves.

        Raises:
            IntegrityError: A file is compressed, so that there is nothing to map.
        """
        return [place for path in self.paths for place in _places(path, column)]

    @cached_property
    def _blocks(self) -> list[tuple[Path, int, int]]:
        """File, number in it, and rows of each record batch, from the metadata alone."""
        blocks = []
        for path in self.paths:
            with pa.memory_map(str(path)) as source:
                reader = pa.ipc.open_file(source)
                blocks += [
                    (path, number, reader.get_batch(number).num_rows)
                    for number in range(reader.num_record_batches)
                ]
        return blocks

    def _reader(self, path: Path) -> pa.ipc.RecordBatchFileReader:
        if self._open is None or self._open[0] != path:
            self._open = path, pa.ipc.open_file(pa.OSFile(str(path)))
        return self._open[1]


def _places(path: Path, column: str) -> Iterator[Place]:
    with pa.memory_map(str(path)) as source:
        start = source.read_buffer(1).address
        reader = pa.ipc.open_file(source)
        for number in range(reader.num_record_batches):
            array = reader.get_batch(number).column(column)
            if not len(array):
                continue
            offsets, values = array.buffers()[1], array.buffers()[-1]
            position = offsets.address - start + array.offset * 8
            if not 0 <= position <= source.size() - (len(array) + 1) * 8:
                raise IntegrityError(f"{path}: column {column!r} cannot be mapped; build again")
            empty = values is None or not values.size
            yield path, 0 if empty else values.address - start, position, len(array)


def write_parquet(path: Path, tables: Iterable[pa.Table], schema: pa.Schema) -> int:
    """Write tables as one Parquet file with zstd, statistics and page checksums.

    A table begins a new row group; see `row_groups` for many small ones.

    Returns:
        The number of rows.
    """
    n_rows = 0
    with (
        atomic_write(path) as file,
        pq.ParquetWriter(
            file,
            schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=["source", "license"],
            write_page_checksum=True,
        ) as writer,
    ):
        for table in tables:
            writer.write_table(table, row_group_size=GROUP_ROWS)
            n_rows += len(table)
    return n_rows


def row_groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Cut and join tables so that each but the last is one row group."""
    held: list[pa.Table] = []
    for table in tables:
        held.append(table)
        if sum(map(len, held)) >= GROUP_ROWS:
            whole = pa.concat_tables(held).combine_chunks()
            stop = len(whole) - len(whole) % GROUP_ROWS
            yield whole.slice(0, stop)
            held = [whole.slice(stop)]
    if any(map(len, held)):
        yield pa.concat_tables(held).combine_chunks()


def read_parts(folder: Path, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """Yield the row groups of ``part-*.parquet`` in order, page checksums verified."""
    for path in sorted(folder.glob("part-*.parquet")):
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for group in range(file.num_row_groups):
                yield file.read_row_group(group, columns=columns)
