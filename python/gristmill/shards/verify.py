"""Hold a folder of shards against its manifest: digests, counts, conservation of tokens.

Shallow, every byte is read and hashed; deep, every row is decoded too, and each document is
followed through its pieces to its end token.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gristmill import _core, schema
from gristmill.errors import FormatError, IntegrityError
from gristmill.shards import manifest as manifests
from gristmill.shards.manifest import Manifest
from gristmill.shards.read import Array, Shards, open_documents

_NAMED = 10  # documents of one kind of problem


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as the manifest says.

    Attributes:
        path: The file, relative to the shards.
        rows: First and last row of the split that it concerns, when it concerns rows.
        what: What was found and what was expected.
    """

    path: str
    rows: tuple[int, int] | None
    what: str

    def __str__(self) -> str:
        rows = "" if self.rows is None else f", rows {self.rows[0]} to {self.rows[1]}"
        return f"{self.path}{rows}: {self.what}"


def verify_shards(shards_dir: str | Path, deep: bool = False) -> list[Problem]:
    """Find everything about a folder of shards that is not as its manifest says.

    Args:
        shards_dir: The folder that holds ``manifest.json``.
        deep: Also decode every row and follow every document through its pieces.

    Returns:
        The problems, empty when there is none; each names its file, and its rows where it can.
    """
    folder = Path(shards_dir)
    try:
        manifest = manifests.load(folder)
    except (FormatError, IntegrityError) as error:
        return [Problem(manifests.NAME, None, str(error))]
    problems = [*_files(manifest, folder), *_strangers(manifest, folder), *_counts(manifest)]
    try:
        documents = open_documents(manifest, folder)
    except IntegrityError as error:
        return [*problems, Problem(manifests.DOCUMENTS, None, str(error))]
    problems += _conservation(manifest, documents)
    if deep and not problems:
        problems += _follow(manifest, folder, documents)
    return problems


def _files(manifest: Manifest, folder: Path) -> Iterator[Problem]:
    """Sizes and digests of the shard files; a wrong file is narrowed down to its blocks."""
    for entry in manifest["files"]:
        path = folder / entry["path"]
        if not path.is_file():
            yield Problem(entry["path"], None, "the file is missing")
            continue
        data = pa.memory_map(str(path)).read_buffer()
        if data.size != entry["bytes"]:
            yield Problem(entry["path"], None, f"{data.size} bytes, not {entry['bytes']}")
        elif (found := _core.xxh3_128_hex(data)) != entry["xxh3"]:
            wrong = list(_blocks(entry, data))
            digest = f"xxh3 of the file is {found}, not {entry['xxh3']}"
            yield from wrong or [Problem(entry["path"], None, digest)]


def _blocks(entry: dict[str, Any], data: pa.Buffer) -> Iterator[Problem]:
    for block in entry["blocks"]:
        found = _core.xxh3_128_hex(data.slice(block["offset"], block["bytes"]))
        if found != block["xxh3"]:
            rows = (block["first_row"], block["first_row"] + block["rows"] - 1)
            yield Problem(entry["path"], rows, f"xxh3 is {found}, not {block['xxh3']}")


def _strangers(manifest: Manifest, folder: Path) -> Iterator[Problem]:
    """Shards that lie beside ours: a reader that lists the folder would mix them in."""
    ours = {entry["path"] for entry in manifest["files"]}
    for split in manifests.SPLITS:
        for path in sorted((folder / split).glob("*.arrow")):
            if f"{split}/{path.name}" not in ours:
                yield Problem(f"{split}/{path.name}", None, "the manifest does not list this file")


def _counts(manifest: Manifest) -> Iterator[Problem]:
    """What the manifest says about itself must add up."""
    seq_len = manifest["seq_len"]
    for split, counts in manifest["splits"].items():
        files = manifests.split_files(manifest, split)
        for unit in ("rows", "tokens"):
            total = sum(file[unit] for file in files)
            if total != counts[unit]:
                what = f"{counts[unit]} {unit} in {split}, but its files have {total}"
                yield Problem(manifests.NAME, None, what)
        padding = counts["rows"] * seq_len - counts["tokens"]
        if not 0 <= padding < seq_len:
            what = f"{padding} tokens of padding in {split}; only a last row is padded"
            yield Problem(manifests.NAME, None, what)
    if manifests.fingerprint(manifest) != manifest["fingerprint"]:
        yield Problem(manifests.NAME, None, "the fingerprint is not that of the blocks")


def _conservation(manifest: Manifest, documents: pa.Table) -> Iterator[Problem]:
    """Every document is in one split, and every token of it in the rows."""
    n_docs = sum(counts["documents"] for counts in manifest["splits"].values())
    in_rows = sum(counts["tokens"] for counts in manifest["splits"].values())
    n_tokens = (pc.sum(documents.column("n_tokens")).as_py() or 0) + documents.num_rows
    if n_docs != documents.num_rows or manifest["documents"]["rows"] != documents.num_rows:
        what = f"{documents.num_rows} documents, but the splits have {n_docs}"
        yield Problem(manifests.DOCUMENTS, None, what)
    if n_tokens != in_rows:
        what = f"{n_tokens} tokens with the end tokens, but the rows have {in_rows}"
        yield Problem(manifests.DOCUMENTS, None, what)


def _follow(manifest: Manifest, folder: Path, documents: pa.Table) -> Iterator[Problem]:
    """Decode every row: pieces fill rows, and each document is complete, once, with its end."""
    totals = documents.column("n_tokens").to_numpy().astype(np.int64) + 1
    trail = Trail(totals, manifest["end_token_id"])
    for split in manifest["splits"]:
        shards = Shards(folder / split)
        for number in range(shards.n_blocks):
            path, first_row = shards.block_place(number)
            block = shards.block(number)
            broken = [*_rows(block, shards.seq_len, manifest["vocab_size"]), *trail.follow(block)]
            for row, what in broken:
                yield Problem(path, (first_row + row, first_row + row), what)
        for document in trail.unfinished():
            yield Problem(split, None, f"document {document} breaks off in {split}")
    for document in np.flatnonzero(trail.seen != totals)[:_NAMED]:
        found = f"{trail.seen[document]} of {totals[document]} tokens"
        yield Problem(manifests.DOCUMENTS, None, f"document {document} has {found} in the rows")


def _rows(block: pa.RecordBatch, seq_len: int, vocab_size: int) -> Iterator[tuple[int, str]]:
    """Rows of a block, counted within it, whose pieces or ids are impossible."""
    pieces = block.column("piece_lengths")
    sums = np.add.reduceat(
        pieces.values.to_numpy().astype(np.int64), pieces.offsets.to_numpy()[:-1]
    )
    for row in np.flatnonzero(sums != seq_len).tolist():
        yield row, f"its pieces make {sums[row]} tokens of {seq_len}"
    ids = block.column("input_ids").values.to_numpy()
    for row in np.unique(np.flatnonzero(ids >= vocab_size) // seq_len).tolist():
        yield row, f"an id is not below {vocab_size}"


class Trail:
    """Follows documents from piece to piece; those of others may stand between.

    Attributes:
        seen: Tokens found of each document, end tokens included.
    """

    def __init__(self, totals: Array, end_token_id: int) -> None:
        self.seen = np.zeros(len(totals), np.int64)
        self._totals = totals
        self._end_token_id = end_token_id

    def unfinished(self) -> list[int]:
        """The first documents of which only a part was seen."""
        part = (self.seen > 0) & (self.seen < self._totals)
        found: list[int] = np.flatnonzero(part)[:_NAMED].tolist()
        return found

    def follow(self, block: pa.RecordBatch) -> Iterator[tuple[int, str]]:
        """Rows of a block, counted within it, with a piece that is out of place."""
        ids = block.column("input_ids").values.to_numpy()
        starts = block.column("piece_lengths").offsets.to_numpy()
        lengths, documents, offsets = (
            block.column(name).values.to_numpy().astype(np.int64)
            for name in ("piece_lengths", "piece_document", "piece_offset")
        )
        rows = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        last_ids = ids[np.minimum(np.cumsum(lengths), len(ids)) - 1]
        known = documents < len(self._totals)
        for piece in np.flatnonzero(~known & (documents != schema.PADDING)).tolist():
            yield int(rows[piece]), f"document {documents[piece]} is not in {manifests.DOCUMENTS}"
        pieces = np.flatnonzero(known)
        pieces = pieces[np.argsort(documents[pieces], kind="stable")]
        yield from self._step(
            rows[pieces], documents[pieces], offsets[pieces], lengths[pieces], last_ids[pieces]
        )

    def _step(
        self, rows: Array, documents: Array, offsets: Array, lengths: Array, last_ids: Array
    ) -> Iterator[tuple[int, str]]:
        """Go on with pieces that are sorted by document; what is wrong with them."""
        expected = self.seen[documents] + _before(documents, lengths)
        reached = offsets + lengths
        np.add.at(self.seen, documents, lengths)
        for piece in np.flatnonzero(offsets != expected).tolist():
            goes_on = f"goes on at token {offsets[piece]}, not {expected[piece]}"
            yield int(rows[piece]), f"document {documents[piece]} {goes_on}"
        ends = reached == self._totals[documents]
        for piece in np.flatnonzero(ends & (last_ids != self._end_token_id)).tolist():
            yield int(rows[piece]), f"document {documents[piece]} does not end with the end token"


def _before(documents: Array, lengths: Array) -> Array:
    """Tokens in the earlier pieces of the same document, when pieces are sorted by document."""
    sums = np.cumsum(lengths) - lengths
    first = np.flatnonzero(np.append(True, documents[1:] != documents[:-1])[: len(documents)])
    n_pieces = np.diff(np.append(first, len(documents)))
    before: Array = sums - np.repeat(sums[first], n_pieces)
    return before
