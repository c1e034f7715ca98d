"""Read packed shards: files are mapped, rows are views, no block is used unverified.

A block is verified the first time one of its rows is touched, and once only (xxh3 reads 20 GB/s, so
a mebibyte costs 50 microseconds); after that a row costs what copying it costs. The layout comes
from the manifest, so nothing of a file is parsed before it is verified.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gristmill import _core, schema
from gristmill.errors import FormatError, IntegrityError
from gristmill.shards import manifest as manifests

Array: TypeAlias = np.ndarray[Any, Any]
_Places = Sequence[int] | Array


class Shards:
    """The rows of one split, numbered from 0 in the order they were packed.

    Args:
        path: ``shards/train`` or ``shards/validation``; the manifest lies in the folder above.

    Attributes:
        manifest: The parsed manifest.
        split: ``train`` or ``validation``.
        seq_len: Tokens in a row.
        fingerprint: The content's name, from the manifest.

    Raises:
        FormatError: `path` is no split of shards.
        IntegrityError: The manifest is damaged; a file is missing, has another size, or begins
            like another file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        self.folder, self.split = self.path.parent, self.path.name
        self.manifest = manifests.load(self.folder)
        if self.split not in self.manifest["splits"]:
            known = ", ".join(self.manifest["splits"])
            raise FormatError(f"{self.path} is no split of its manifest; there are: {known}")
        self.seq_len = int(self.manifest["seq_len"])
        self.fingerprint = str(self.manifest["fingerprint"])
        self._schema = schema.shard_schema(self.seq_len, self.manifest["vocab_size"])
        self._entries = manifests.split_files(self.manifest, self.split)
        self._map_files()
        self._index_blocks()

    def _map_files(self) -> None:
        if problems := manifests.check_sizes(self.manifest, self.folder, self.split):
            raise IntegrityError("\n".join(problems))
        self._maps = [_map(self.folder / entry["path"], entry) for entry in self._entries]
        width = np.dtype(self.manifest["dtype"]).itemsize
        self._reader = _core.RowReader(self._maps, self.seq_len, width)

    def _index_blocks(self) -> None:
        self._blocks = [
            (file, block) for file, entry in enumerate(self._entries) for block in entry["blocks"]
        ]
        self._first_rows = np.array([block["first_row"] for _, block in self._blocks], np.int64)
        self._n_rows = sum(int(entry["rows"]) for entry in self._entries)
        ends = np.append(self._first_rows[1:], self._n_rows)
        rows = np.array([block["rows"] for _, block in self._blocks], np.int64)
        if len(rows) and (self._first_rows[0] != 0 or (ends - self._first_rows != rows).any()):
            raise IntegrityError(f"{self.folder / manifests.NAME}: rows of {self.split} leave gaps")
        self._batches: list[pa.RecordBatch | None] = [None] * len(self._blocks)
        self._n_opened = 0
        self._places = np.zeros((self._n_rows, 5), np.uint64)

    def __len__(self) -> int:
        return self._n_rows

    def row(self, index: int) -> Array:
        """The ids of a row, ``uint16[seq_len]`` or ``uint32[seq_len]``: a view of the file."""
        batch, at = self._find(index)
        ids = batch.column("input_ids").values.to_numpy(zero_copy_only=True)
        row: Array = ids[at * self.seq_len : (at + 1) * self.seq_len]
        return row

    def rows(self, indices: _Places) -> Array:
        """The ids of many rows, copied: ``[len(indices), seq_len]`` of the stored type."""
        out = np.empty((len(indices), self.seq_len), self.manifest["dtype"])
        for place, index in enumerate(indices):
            out[place] = self.row(int(index))
        return out

    def pieces(self, index: int) -> tuple[Array, Array, Array]:
        """The pieces of a row: lengths, documents (rows of `documents`) and offsets, ``uint32``."""
        batch, at = self._find(index)
        start, end = (batch.column("piece_lengths").offsets[at + k].as_py() for k in (0, 1))
        names = ("piece_lengths", "piece_document", "piece_offset")
        lengths, documents, offsets = (
            batch.column(name).values.to_numpy(zero_copy_only=True)[start:end] for name in names
        )
        return lengths, documents, offsets

    def expand(self, indices: _Places) -> Array:
        """What a model reads of rows: ``int64[4, len(indices), seq_len]``.

        The planes are the ids; the labels (the ids, -100 at the first token of each piece, which
        nothing in the row predicts, and on padding); the position within the piece; and the number
        of the piece within the row (-1 on padding).
        """
        rows = np.ascontiguousarray(indices, np.int64)
        if self._n_opened < len(self._blocks):
            for number in np.unique(self._first_rows.searchsorted(rows, "right") - 1):
                self.block(number)
        out = np.empty((4, len(rows), self.seq_len), np.int64)
        self._reader.expand(self._places.data, rows.data, out.data)
        return out

    @property
    def n_blocks(self) -> int:
        """How many blocks the split has."""
        return len(self._blocks)

    def block(self, number: int) -> pa.RecordBatch:
        """A block as a record batch that borrows the mapped file.

        Raises:
            IntegrityError: Its bytes are not the ones that were written; names file and rows.
        """
        batch = self._batches[number]
        if batch is None:
            batch = self._batches[number] = self._open_block(number)
            self._n_opened += 1
        return batch

    def block_place(self, number: int) -> tuple[str, int]:
        """The file of a block, relative to the shards, and the block's first row."""
        file, block = self._blocks[number]
        return self._entries[file]["path"], block["first_row"]

    def _open_block(self, number: int) -> pa.RecordBatch:
        file, block = self._blocks[number]
        path = self.folder / self._entries[file]["path"]
        message = memoryview(self._maps[file])[block["offset"] : block["offset"] + block["bytes"]]
        found = _core.xxh3_128_hex(message)
        if found != block["xxh3"]:
            raise IntegrityError(manifests.wrong_block(path, block, found))
        try:
            batch = pa.ipc.read_record_batch(pa.py_buffer(message), self._schema)
            batch.validate(full=True)
        except pa.ArrowInvalid as error:
            raise FormatError(f"{path}: block {number} is no record batch: {error}") from None
        if batch.num_rows != block["rows"]:
            raise FormatError(f"{path}: block {number} has {batch.num_rows} rows, not as listed")
        self._place(file, block, batch)
        return batch

    def _place(self, file: int, block: dict[str, Any], batch: pa.RecordBatch) -> None:
        """Note where the rows of a verified block lie, for `expand`."""
        base = np.frombuffer(self._maps[file], np.uint8).ctypes.data
        ids, pieces = batch.column("input_ids").values, batch.column("piece_lengths")
        starts = pieces.offsets.to_numpy()
        places = self._places[block["first_row"] : block["first_row"] + batch.num_rows]
        row_bytes = self.seq_len * ids.type.bit_width // 8
        places[:, 0] = file
        places[:, 1] = ids.buffers()[1].address - base + np.arange(batch.num_rows) * row_bytes
        places[:, 2] = pieces.values.buffers()[1].address - base + starts[:-1].astype(np.int64) * 4
        places[:, 3] = np.diff(starts)
        documents = batch.column("piece_document").values.to_numpy()
        if documents[-1] == schema.PADDING:
            places[-1, 4] = pieces.values[-1].as_py()

    def _find(self, index: int) -> tuple[pa.RecordBatch, int]:
        if not 0 <= index < self._n_rows:
            raise IndexError(f"row {index} of {self._n_rows}")
        number = int(self._first_rows.searchsorted(index, "right")) - 1
        return self.block(number), index - int(self._first_rows[number])

    @cached_property
    def documents(self) -> pa.Table:
        """The documents of both splits, with `schema.SHARD_DOCUMENTS`; verified when first read.

        Raises:
            IntegrityError: The table is not the one that was written.
        """
        return open_documents(self.manifest, self.folder)

    def where(self, row: int, token: int) -> dict[str, Any] | None:
        """The document of one token of a row, or None for padding.

        Returns:
            ``id``, ``source``, ``license`` and ``url`` of the document and the token's ``offset``
            within it, in tokens.
        """
        if not 0 <= token < self.seq_len:
            raise IndexError(f"token {token} of a row of {self.seq_len}")
        lengths, documents, offsets = self.pieces(row)
        ends = np.cumsum(lengths)
        piece = int(ends.searchsorted(token, "right"))
        if documents[piece] == schema.PADDING:
            return None
        document = self.documents.slice(int(documents[piece]), 1).to_pylist()[0]
        offset = int(offsets[piece]) + token - int(ends[piece] - lengths[piece])
        return {name: document[name] for name in ("id", "source", "license", "url")} | {
            "offset": offset
        }


def open_documents(manifest: manifests.Manifest, folder: Path) -> pa.Table:
    """Read the documents table that belongs to a manifest.

    Raises:
        IntegrityError: It is missing, or not the one that was written.
    """
    path, entry = folder / manifests.DOCUMENTS, manifest["documents"]
    if not path.is_file():
        raise IntegrityError(f"{path} is missing; restore it, or build the shards again")
    data = path.read_bytes()
    found = _core.xxh3_128_hex(data)
    if found != entry["xxh3"]:
        raise IntegrityError(
            f"{path}: xxh3 is {found}, not {entry['xxh3']}; restore it, or build the shards again"
        )
    return pq.read_table(pa.BufferReader(data), schema=schema.SHARD_DOCUMENTS)


def _map(path: Path, entry: dict[str, Any]) -> mmap.mmap:
    """Map a file whose size was checked, and verify its head."""
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    found = _core.xxh3_128_hex(memoryview(mapped)[: manifests.HEAD_BYTES])
    if found != entry["head_xxh3"]:
        raise IntegrityError(
            f"{path} does not begin as it was written (xxh3 of its head is {found}, not "
            f"{entry['head_xxh3']}); another file may have taken its name, or its first rows are "
            "damaged; restore it, or build the shards again"
        )
    return mapped
