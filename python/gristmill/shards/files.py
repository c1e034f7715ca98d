"""The files of shards on their way out, hashed as they are written."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from gristmill import _core, schema
from gristmill.files import atomic_write
from gristmill.shards import manifest as manifests

_ROW_GROUP = 2**16  # documents
_END_MARK = b"\xff\xff\xff\xff\x00\x00\x00\x00"


class DocumentsFile:
    """``documents.parquet``, written in row groups of a fixed number of documents."""

    def __init__(self, path: Path) -> None:
        self.n_rows = 0
        self.n_tokens = 0
        self._path = path
        self._held: list[pa.Table] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            file = stack.enter_context(atomic_write(self._path))
            self._writer = stack.enter_context(
                pq.ParquetWriter(
                    file, schema.SHARD_DOCUMENTS, compression="zstd", write_page_checksum=True
                )
            )
            self._stack = stack.pop_all()
        return self

    def append(self, columns: pa.Table, n_tokens: pa.Array | pa.ChunkedArray) -> None:
        """Add a row per document, with its number of tokens, the end token not counted."""
        columns = columns.append_column("n_tokens", n_tokens).cast(schema.SHARD_DOCUMENTS)
        # copied, since the columns may stand in one buffer with the texts, which it would keep
        copies = [pa.concat_arrays(column.chunks) for column in columns.columns]
        self._held.append(pa.table(copies, schema.SHARD_DOCUMENTS))
        self.n_rows += columns.num_rows
        self.n_tokens += pc.sum(n_tokens).as_py() or 0
        if sum(table.num_rows for table in self._held) >= _ROW_GROUP:
            self._flush(_ROW_GROUP)

    def _flush(self, least: int) -> None:
        """Write row groups until fewer than `least` documents are held."""
        table = pa.concat_tables(self._held).combine_chunks() if self._held else None
        while table is not None and table.num_rows >= least:
            self._writer.write_table(table.slice(0, _ROW_GROUP), row_group_size=_ROW_GROUP)
            table = table.slice(_ROW_GROUP)
        self._held = [] if table is None else [table]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            with suppress(OSError):  # a full disk refuses the writer's last bytes too
                self._stack.__exit__(kind, error, trace)
            return
        with self._stack:
            self._flush(1)


class SplitFiles:
    """The files of one split, opened when rows come and closed when they are large enough."""

    def __init__(self, out: Path, name: str, shard_schema: pa.Schema, shard_bytes: int) -> None:
        self.name = name
        self.files: list[dict[str, Any]] = []
        self._out = out
        self._schema = shard_schema
        self._shard_bytes = shard_bytes
        self._rows = 0
        self._open: _ShardFile | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        (self._out / self.name).mkdir(parents=True, exist_ok=True)
        return self

    def write(self, batch: pa.RecordBatch) -> None:
        """Append a block."""
        if self._open is None:
            path = f"{self.name}/shard-{len(self.files):05}.arrow"
            file = self._stack.enter_context(atomic_write(self._out / path))
            self._open = _ShardFile(file, path, self.name, self._schema)
        self._open.write(batch, self._rows)
        self._rows += batch.num_rows
        if self._open.entry["bytes"] >= self._shard_bytes:
            self.close()

    def close(self) -> None:
        """Close the last file, which then takes its name."""
        if self._open is not None:
            self.files.append(self._open.end())
            self._open = None
            self._stack.close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)


class _ShardFile:
    """One Arrow IPC stream on its way out: what is written is hashed as it passes."""

    def __init__(self, file: BinaryIO, path: str, split: str, shard_schema: pa.Schema) -> None:
        self.entry: dict[str, Any] = {"path": path, "split": split, "bytes": 0, "rows": 0}
        self.entry |= {"tokens": 0, "xxh3": "", "head_xxh3": "", "blocks": []}
        self._file = file
        self._hash = _core.Xxh3()
        self._head = b""
        self._put(shard_schema.serialize())

    def write(self, batch: pa.RecordBatch, first_row: int) -> None:
        """Append a record batch: one block."""
        offset, message = self.entry["bytes"], batch.serialize()
        self._put(message)
        self.entry["rows"] += batch.num_rows
        self.entry["tokens"] += _tokens(batch)
        block = {"offset": offset, "bytes": message.size, "first_row": first_row}
        block |= {"rows": batch.num_rows, "xxh3": _core.xxh3_128_hex(message)}
        self.entry["blocks"].append(block)

    def end(self) -> dict[str, Any]:
        """Write the end mark; the file's entry in the manifest."""
        self._put(pa.py_buffer(_END_MARK))
        self.entry["xxh3"] = self._hash.hexdigest()
        self.entry["head_xxh3"] = _core.xxh3_128_hex(self._head)
        return self.entry

    def _put(self, data: pa.Buffer) -> None:
        self._file.write(data)
        self._hash.update(data)
        self.entry["bytes"] += data.size
        if len(self._head) < manifests.HEAD_BYTES:
            self._head += data[: manifests.HEAD_BYTES - len(self._head)].to_pybytes()


def _tokens(batch: pa.RecordBatch) -> int:
    """Tokens in a batch, padding not counted; only the last piece can be padding."""
    lengths, documents = batch.column("piece_lengths"), batch.column("piece_document")
    all_tokens = int(pc.sum(lengths.values).as_py())
    padded = documents.values[-1].as_py() == schema.PADDING
    return all_tokens - (int(lengths.values[-1].as_py()) if padded else 0)
