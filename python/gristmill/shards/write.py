"""Write documents as packed shards: tokenize, pack, hash each block while writing, manifest last.

Documents stream through: memory is a batch of text, its tokens and one block per split, whatever
the size of the corpus. The same documents in the same order give the same bytes, however they are
grouped into tables and whatever the number of threads.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Protocol, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from gristmill import _core, schema
from gristmill.files import atomic_write, write_json
from gristmill.packing import BLOCK_BYTES, Packer, block_rows
from gristmill.progress import progress
from gristmill.shards import manifest as manifests
from gristmill.shards.manifest import Manifest

SHARD_BYTES = 256 * 2**20
_TEXT_BYTES = 8 * 2**20  # text tokenized in one call
_DOCUMENT_BYTES = 64  # what a document takes besides its text, so that tiny ones are bounded too
_ROW_GROUP = 2**16  # documents
_END_MARK = b"\xff\xff\xff\xff\x00\x00\x00\x00"
_COLUMNS = ["id", "text", "source", "license", "url"]


class Encoder(Protocol):
    """What is needed of a tokenizer."""

    @property
    def vocab_size(self) -> int:
        """Ids are below this."""

    @property
    def end_token_id(self) -> int:
        """The id that closes a document."""

    def encode_batch(self, texts: Any, threads: int = 1) -> pa.Array:
        """Token ids of each text, ``list<uint32>``."""

    def save(self, path: Path) -> None:
        """Write ``tokenizer.json``."""


def write_shards(
    documents: Iterable[pa.Table],
    tokenizer: Encoder,
    out: Path,
    *,
    seq_len: int,
    validation: float = 0.005,
    threads: int = 1,
    recipe_fingerprint: str = "",
    shard_bytes: int = SHARD_BYTES,
    block_bytes: int = BLOCK_BYTES,
) -> Manifest:
    """Tokenize and pack documents into ``out/train``, ``out/validation`` and their manifest.

    A document goes to validation when the 64-bit xxh3 of its id, as a fraction of 2**64, is below
    `validation`. The manifest of an earlier run is removed first, so a folder with a manifest is
    complete.

    Args:
        documents: Tables with the columns of `schema.DOCUMENT`, in corpus order.
        tokenizer: Encodes the texts; its end token closes each document.
        out: Folder of the shards; made when missing.
        seq_len: Tokens in a row.
        validation: Expected fraction of documents in the validation split, from 0 to 1.
        threads: Threads that tokenize.
        recipe_fingerprint: Goes into the manifest as it is.
        shard_bytes: A file is closed once it has this many bytes.
        block_bytes: Ids in a block, the unit that is verified.

    Returns:
        The manifest, as written to ``out/manifest.json``.

    Raises:
        ValueError: A setting is outside its range, or the tokenizer gives ids outside its own.
    """
    if not 0.0 <= validation <= 1.0:
        raise ValueError(f"validation = {validation} is not a fraction from 0 to 1")
    if shard_bytes < 1:
        raise ValueError(f"shard_bytes = {shard_bytes} is not a size; the default is {SHARD_BYTES}")
    vocab_size, end_token_id = tokenizer.vocab_size, tokenizer.end_token_id
    n_rows = block_rows(seq_len, vocab_size, block_bytes)
    packer = partial(Packer, seq_len, vocab_size, end_token_id, n_rows)
    (out / manifests.NAME).unlink(missing_ok=True)
    with ExitStack() as open_files:
        splits = {
            name: open_files.enter_context(_Split(out, name, packer(), shard_bytes))
            for name in manifests.SPLITS
        }
        rows = open_files.enter_context(_DocumentsFile(out / manifests.DOCUMENTS))
        advance = open_files.enter_context(progress("pack", unit="docs"))
        for batch in _batches(documents):
            tokens = tokenizer.encode_batch(batch.column("text"), threads=threads)
            _push(batch, tokens, splits, rows, validation)
            advance(batch.num_rows)
        for split in splits.values():
            split.finish()
    manifest = _describe(out, tokenizer, seq_len, splits, rows, validation, recipe_fingerprint)
    _remove_strangers(out, manifest)
    write_json(out / manifests.NAME, manifest)
    return manifest


def _batches(documents: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Regroup documents into tables of about `_TEXT_BYTES`."""
    held: list[pa.Table] = []
    held_bytes = 0
    for table in documents:
        columns = table.select(_COLUMNS)
        sizes = pc.binary_length(columns.column("text")).to_numpy() + _DOCUMENT_BYTES
        start = 0
        ends = np.cumsum(sizes)
        while start < len(sizes):
            before = int(ends[start - 1]) if start else 0
            limit = before + max(1, _TEXT_BYTES - held_bytes)
            end = min(int(np.searchsorted(ends, limit)) + 1, len(sizes))
            held.append(columns.slice(start, end - start))
            held_bytes += int(ends[end - 1]) - before
            start = end
            if held_bytes >= _TEXT_BYTES:
                yield pa.concat_tables(held)
                held, held_bytes = [], 0
    if held:
        yield pa.concat_tables(held)


def _push(
    batch: pa.Table,
    tokens: pa.Array | pa.ChunkedArray,
    splits: dict[str, _Split],
    rows: _DocumentsFile,
    validation: float,
) -> None:
    """Give each document of a batch its number, its row in the table and its split."""
    if isinstance(tokens, pa.ChunkedArray):
        tokens = tokens.combine_chunks()
    numbers = pa.array(np.arange(rows.n_rows, rows.n_rows + batch.num_rows), pa.uint32())
    rows.append(batch, tokens)
    held_out = _held_out(batch.column("id"), validation)
    for name, mask in (("train", ~held_out), ("validation", held_out)):
        if mask.all():
            splits[name].push(numbers, tokens)
        elif mask.any():
            chosen = pa.array(mask)
            splits[name].push(numbers.filter(chosen), tokens.filter(chosen))


def _held_out(ids: pa.ChunkedArray, validation: float) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which documents are validation, by their ids alone."""
    digests = pa.table(_core.xxh3_64_each(pa.table({"id": ids}))).column("digest").to_numpy()
    limit = int(validation * 2.0**64)
    held_out: np.ndarray[Any, np.dtype[np.bool_]] = (
        np.ones(len(digests), bool) if limit >= 2**64 else digests < np.uint64(limit)
    )
    return held_out


class _DocumentsFile:
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

    def append(self, batch: pa.Table, tokens: pa.Array) -> None:
        """Add a row per document, with its number of tokens, the end token not counted."""
        n_tokens = pc.list_value_length(tokens).cast(pa.uint32())
        columns = batch.drop_columns("text").append_column("n_tokens", n_tokens)
        self._held.append(columns.cast(schema.SHARD_DOCUMENTS))
        self.n_rows += batch.num_rows
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
        with self._stack:
            if error is not None:
                raise error
            self._flush(1)


class _Split:
    """The files of one split, opened when rows come and closed when they are large enough."""

    def __init__(self, out: Path, name: str, packer: Packer, shard_bytes: int) -> None:
        self.name = name
        self.files: list[dict[str, Any]] = []
        self.n_docs = 0
        self._out = out
        self._shard_bytes = shard_bytes
        self._packer = packer
        self._rows = 0
        self._open: _ShardFile | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        (self._out / self.name).mkdir(parents=True, exist_ok=True)
        return self

    def push(self, numbers: pa.Array, tokens: pa.Array) -> None:
        """Append documents to the rows; full blocks go to the file."""
        self.n_docs += len(numbers)
        self._write(self._packer.push(numbers, tokens))

    def finish(self) -> None:
        """Pad the last row and close the last file."""
        self._write(self._packer.finish())
        self._close()

    def _write(self, batches: list[pa.RecordBatch]) -> None:
        for batch in batches:
            if self._open is None:
                path = f"{self.name}/shard-{len(self.files):05}.arrow"
                file = self._stack.enter_context(atomic_write(self._out / path))
                self._open = _ShardFile(file, path, self.name, self._packer.schema)
            self._open.write(batch, self._rows)
            self._rows += batch.num_rows
            if self._open.entry["bytes"] >= self._shard_bytes:
                self._close()

    def _close(self) -> None:
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


def _describe(
    out: Path,
    tokenizer: Encoder,
    seq_len: int,
    splits: dict[str, _Split],
    rows: _DocumentsFile,
    validation: float,
    recipe_fingerprint: str,
) -> Manifest:
    """The manifest of what was written."""
    dtype = "uint16" if tokenizer.vocab_size <= 2**16 else "uint32"
    counts = {
        name: {
            "rows": sum(file["rows"] for file in split.files),
            "tokens": sum(file["tokens"] for file in split.files),
            "documents": split.n_docs,
        }
        for name, split in splits.items()
    }
    table = {"path": manifests.DOCUMENTS, "rows": rows.n_rows, "n_tokens": rows.n_tokens}
    table["xxh3"] = _core.xxh3_128_hex((out / manifests.DOCUMENTS).read_bytes())
    manifest: Manifest = {
        "version": manifests.VERSION,
        "fingerprint": "",
        "recipe_fingerprint": recipe_fingerprint,
        "seq_len": seq_len,
        "vocab_size": tokenizer.vocab_size,
        "dtype": dtype,
        "end_token_id": tokenizer.end_token_id,
        "tokenizer_xxh3": _tokenizer_digest(tokenizer),
        "validation": validation,
        "splits": counts,
        "documents": table,
        "files": [file for split in splits.values() for file in split.files],
    }
    manifest["fingerprint"] = manifests.fingerprint(manifest)
    manifest["merkle_root"] = manifests.merkle_root(manifest)
    return manifest


def _tokenizer_digest(tokenizer: Encoder) -> str:
    """The digest of the tokenizer's ``tokenizer.json``."""
    with tempfile.TemporaryDirectory(prefix="gristmill-") as folder:
        path = Path(folder) / "tokenizer.json"
        tokenizer.save(path)
        return _core.xxh3_128_hex(path.read_bytes())


def _remove_strangers(out: Path, manifest: Manifest) -> None:
    """Remove shards that an earlier run left and this one does not have."""
    ours = {out / file["path"] for file in manifest["files"]}
    for split in manifests.SPLITS:
        for path in (out / split).glob("shard-*.arrow"):
            if path not in ours:
                path.unlink()
