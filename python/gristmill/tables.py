"""Arrow and Parquet files of the build, written atomically and read without copying."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from gristmill.files import atomic_write

BATCH_ROWS = 4096


def write_arrow(path: Path, tables: Iterable[pa.Table], schema: pa.Schema) -> None:
    """Write `tables` as one Arrow IPC file, uncompressed, so that it can be mapped."""
    with atomic_write(path) as file, pa.ipc.new_file(file, schema) as writer:
        for table in tables:
            writer.write_table(table.cast(schema), max_chunksize=BATCH_ROWS)


def map_arrow(path: Path) -> pa.Table:
    """Open an Arrow IPC file; its buffers stay on disk until they are touched."""
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all()


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write a table as Parquet with zstd, statistics and page checksums."""
    with atomic_write(path) as file:
        pq.write_table(
            table,
            file,
            compression="zstd",
            compression_level=1,
            use_dictionary=["source", "license"],
            write_page_checksum=True,
            row_group_size=16_384,
        )


def read_parts(folder: Path, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """Yield the row groups of ``part-*.parquet`` in order, page checksums verified."""
    for path in sorted(folder.glob("part-*.parquet")):
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for group in range(file.num_row_groups):
                yield file.read_row_group(group, columns=columns)
