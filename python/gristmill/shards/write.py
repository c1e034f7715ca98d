"""Write documents as packed shards: tokenize, pack, hash each block while writing, manifest last.

Documents stream through: memory is a batch of text, its tokens, the packer's bounded part of them
and a few blocks, whatever the size of the corpus. The same documents in the same order give the
same bytes, however they are grouped into tables and whatever the number of threads.

Shuffled documents are encoded in the order of the corpus, so that texts are read once and in order;
their tokens are then packed in the order of the key. While they wait they take up to 2 (or 4) bytes
a token in the folder of the shards.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gristmill import _core
from gristmill.files import write_json
from gristmill.packing import BLOCK_BYTES, Fit, Order, Packer, block_rows, order_key
from gristmill.progress import progress
from gristmill.shards import manifest as manifests
from gristmill.shards.files import DocumentsFile, SplitFiles
from gristmill.shards.manifest import Manifest
from gristmill.text import from_kernel

SHARD_BYTES = 256 * 2**20
_TEXT_BYTES = 8 * 2**20  # text tokenized in one call
_DOCUMENT_BYTES = 64  # what a document takes besides its text, so that tiny ones are bounded too
_AHEAD = 8  # blocks that wait for the thread that writes
_COLUMNS = ["id", "text", "source", "license", "url"]


class Encoder(Protocol):
    """What is needed of a tokenizer."""

    @property
    def vocab_size(self) -> int:
        """Ids are below this."""

    @property
    def end_token_id(self) -> int:
        """The id that closes a document."""

    def encode_into(
        self, packer: _core.Packer, texts: pa.ChunkedArray, held_out: pa.ChunkedArray, threads: int
    ) -> pa.UInt32Array:
        """Encode texts and append them to the packer; the number of ids of each."""

    def save(self, path: Path) -> None:
        """Write ``tokenizer.json``."""


def write_shards(
    documents: Iterable[pa.Table],
    tokenizer: Encoder,
    out: Path,
    *,
    seq_len: int,
    validation: float = 0.005,
    order: Order = "shuffled",
    fit: Fit = "concatenate",
    seed: int = 7,
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
        order: ``shuffled`` by `seed`, or as in the ``corpus``.
        fit: ``concatenate``, or ``best`` to cut few documents; see `packing`.
        seed: Which order.
        threads: Threads that tokenize; with 2 or more, one more writes meanwhile.
        recipe_fingerprint: Goes into the manifest as it is.
        shard_bytes: A file is closed once it has this many bytes.
        block_bytes: Ids in a block, the unit that is verified.

    Returns:
        The manifest, as written to ``out/manifest.json``.

    Raises:
        ValueError: A setting is outside its range, or the tokenizer gives ids outside its own.
        OSError: The disk is full; what has its final name is whole.
    """
    _refuse(validation, shard_bytes, order)
    vocab_size, key = tokenizer.vocab_size, order_key(seed) if order == "shuffled" else None
    n_rows = block_rows(seq_len, vocab_size, block_bytes)
    packer = Packer(
        seq_len, vocab_size, tokenizer.end_token_id, n_rows, fit=fit, key=key, spill=out
    )
    (out / manifests.NAME).unlink(missing_ok=True)
    _sweep(out)
    with ExitStack() as open_files:
        splits = [
            open_files.enter_context(SplitFiles(out, name, packer.schema, shard_bytes))
            for name in manifests.SPLITS
        ]
        rows = open_files.enter_context(DocumentsFile(out / manifests.DOCUMENTS))
        in_order = open_files.enter_context(_in_order(threads))
        advance = open_files.enter_context(progress("pack", unit="docs"))
        n_held_out = 0
        for batch in _batches(documents):
            held_out = _held_out(batch.column("id"), validation)
            texts = batch.column("text")
            n_tokens = tokenizer.encode_into(packer.kernel, texts, held_out, threads)
            in_order(rows.append, batch.drop_columns("text"), n_tokens)
            _write_full(packer, splits, in_order)
            n_held_out += pc.sum(held_out).as_py()
            advance(batch.num_rows)
        packer.end()
        _write_full(packer, splits, in_order)
        for files in splits:
            in_order(files.close)
    settings: dict[str, Any] = {"seq_len": seq_len, "validation": validation, "order": order}
    settings |= {"seed": seed, "fit": fit}
    n_docs = (rows.n_rows - n_held_out, n_held_out)
    manifest = _describe(out, tokenizer, settings, splits, n_docs, rows, recipe_fingerprint)
    _remove_strangers(out, manifest)
    write_json(out / manifests.NAME, manifest)
    return manifest


def _refuse(validation: float, shard_bytes: int, order: str) -> None:
    if not 0.0 <= validation <= 1.0:
        raise ValueError(f"validation = {validation} is not a fraction from 0 to 1")
    if shard_bytes < 1:
        raise ValueError(f"shard_bytes = {shard_bytes} is not a size; the default is {SHARD_BYTES}")
    if order not in ("shuffled", "corpus"):
        raise ValueError(f"order = {order!r} is not allowed: shuffled or corpus")


def _batches(documents: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Regroup documents into tables of about `_TEXT_BYTES`."""
    held: list[pa.Table] = []
    held_bytes = 0
    for table in documents:
        columns = table.select(_COLUMNS)
        sizes = _numpy(pc.binary_length(columns.column("text"))) + _DOCUMENT_BYTES
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


def _write_full(packer: Packer, splits: list[SplitFiles], in_order: Callable[..., None]) -> None:
    """Send the blocks that are full to the files of their split."""
    for split, block in packer.blocks():
        in_order(splits[split].write, block)


@contextmanager
def _in_order(threads: int) -> Iterator[Callable[..., None]]:
    """Call functions one after the other: at once, or in a thread when there are several.

    An error of the thread is raised by a later call, or at the end.
    """
    if threads < 2:
        yield lambda work, *arguments: work(*arguments)
        return
    waiting: deque[Future[None]] = deque()
    pool = ThreadPoolExecutor(1)

    def call(work: Callable[..., None], *arguments: Any) -> None:
        waiting.append(pool.submit(work, *arguments))
        while len(waiting) > _AHEAD:
            waiting.popleft().result()

    try:
        yield call
        for future in waiting:
            future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _held_out(ids: pa.ChunkedArray, validation: float) -> pa.ChunkedArray:
    """Which documents are validation, by their ids alone."""
    limit = int(validation * 2.0**64)
    found = _core.held_out(pa.table({"id": ids}), limit if limit < 2**64 else None)
    return from_kernel(found)["held_out"]


def _numpy(column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    """As `to_numpy`, which would first import pandas: a second of work."""
    values: np.ndarray[Any, Any] = np.from_dlpack(column.combine_chunks())
    return values


def _describe(
    out: Path,
    tokenizer: Encoder,
    settings: dict[str, Any],
    splits: list[SplitFiles],
    n_docs: tuple[int, int],
    rows: DocumentsFile,
    recipe_fingerprint: str,
) -> Manifest:
    """The manifest of what was written."""
    counts = {
        split.name: {
            "rows": sum(file["rows"] for file in split.files),
            "tokens": sum(file["tokens"] for file in split.files),
            "documents": n_documents,
        }
        for split, n_documents in zip(splits, n_docs, strict=True)
    }
    table = {"path": manifests.DOCUMENTS, "rows": rows.n_rows, "n_tokens": rows.n_tokens}
    table["xxh3"] = _digest(out / manifests.DOCUMENTS)
    manifest: Manifest = {
        "version": manifests.VERSION,
        "fingerprint": "",
        "recipe_fingerprint": recipe_fingerprint,
        "vocab_size": tokenizer.vocab_size,
        "dtype": "uint16" if tokenizer.vocab_size <= 2**16 else "uint32",
        "end_token_id": tokenizer.end_token_id,
        "tokenizer_xxh3": _tokenizer_digest(tokenizer),
        **settings,
        "splits": counts,
        "documents": table,
        "files": [file for split in splits for file in split.files],
    }
    manifest["fingerprint"] = manifests.fingerprint(manifest)
    manifest["merkle_root"] = manifests.merkle_root(manifest)
    return manifest


def _digest(path: Path) -> str:
    """The digest of a file, of which a part is in memory at a time."""
    digest = _core.Xxh3()
    with path.open("rb") as file:
        while part := file.read(2**20):
            digest.update(part)
    return digest.hexdigest()


def _tokenizer_digest(tokenizer: Encoder) -> str:
    """The digest of the tokenizer's ``tokenizer.json``."""
    with tempfile.TemporaryDirectory(prefix="gristmill-") as folder:
        path = Path(folder) / "tokenizer.json"
        tokenizer.save(path)
        return _core.xxh3_128_hex(path.read_bytes())


def _sweep(out: Path) -> None:
    """Remove what a killed run left unfinished."""
    for folder in (out, *(out / split for split in manifests.SPLITS)):
        for path in folder.glob("*.partial"):
            path.unlink()


def _remove_strangers(out: Path, manifest: Manifest) -> None:
    """Remove shards that an earlier run left and this one does not have."""
    ours = {out / file["path"] for file in manifest["files"]}
    for split in manifests.SPLITS:
        for path in (out / split).glob("shard-*.arrow"):
            if path not in ours:
                path.unlink()
