"""Writes the exact-match index of a corpus, and opens its files checked.

An index is a folder::

    index.json               what follows, with bytes and xxh3 of each file
    documents.arrow          id, source, license, url, one row per document in corpus order
    text-00000.bin           the documents of a shard, each followed by the byte FF
    suffixes-00000.bin       the suffix array of that text, uint32
    samples-00000.bin        the first 16 bytes of every 64th suffix, then of every 8,192nd again
    starts-00000.bin         where each document starts in the text, uint64

All integers are little endian; together 5.25 bytes per byte of text. Files are read in small parts,
never loaded nor mapped. The folder appears whole or not at all. Sorting is what takes long, so a shard
whose text stands in an older index already is linked from there. The algorithms are
`rust/gristmill-core/src/suffix_index.rs`.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from gristmill import _core
from gristmill.errors import FormatError, GristmillError, IntegrityError, RecipeError
from gristmill.files import atomic_write, sync_folder, write_json
from gristmill.schema import DOCUMENT
from gristmill.tables import map_arrow, write_arrow

FORMAT = "gristmill-index"
VERSION = 2

SHARD_BYTES = 64 * 2**20
"""Text bytes of one shard, unless one document has more. Sorting takes 5 bytes of memory each."""

MAX_DOCUMENT_BYTES = 2**31 - 2
"""The longest document: positions within a shard are sorted as 32-bit integers."""

ORIGIN = pa.schema([DOCUMENT.field(name) for name in ("id", "source", "license", "url")])
"""What the index knows of a document besides its text."""

ARRAYS = ("text", "suffixes", "samples", "starts")


def build_index(
    documents: Iterable[pa.Table],
    out: str | Path,
    *,
    shard_bytes: int = SHARD_BYTES,
    reuse: Sequence[str | Path] = (),
) -> dict[str, Any]:
    """Index the texts of `documents` for `Index`.

    Args:
        documents: Tables with the columns of `schema.DOCUMENT`, in corpus order.
        out: The folder to write; what stood there is replaced when the new index is complete.
        shard_bytes: About how many bytes of text are sorted at a time.
        reuse: More indexes besides the one in `out` whose shards are taken over where their text is
            the same, by its 128-bit xxh3; they are checked against their digests first, and
            anything that is no index or damaged is passed over.

    Returns:
        The content of ``index.json``.

    Raises:
        FormatError: A document is longer than 2 GiB.
    """
    folder = Path(out)
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        manifest = _write(documents, partial, shard_bytes, _sorted_texts([folder, *reuse]))
        _replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return manifest


Sorted: TypeAlias = "dict[str, tuple[Path, dict[str, Any]]]"
"""By the digest of its text: the folder and the manifest's entry of a shard that is sorted."""


def _sorted_texts(folders: Sequence[str | Path]) -> Sorted:
    found: Sorted = {}
    for folder in folders:
        try:
            files = IndexFiles.open(folder)
        except GristmillError:  # none there, or one to be replaced
            continue
        for shard in files.manifest["shards"]:
            found.setdefault(shard["text"]["xxh3"], (files.folder, shard))
    return found


def _replace(partial: Path, folder: Path) -> None:
    """Give the finished folder its name; a folder cannot be renamed over one with files."""
    sync_folder(partial)
    shutil.rmtree(folder, ignore_errors=True)
    partial.replace(folder)
    sync_folder(folder.parent)


def _write(
    documents: Iterable[pa.Table], folder: Path, shard_bytes: int, known: Sorted
) -> dict[str, Any]:
    origins: list[pa.Table] = []
    shards = []
    for number, table in enumerate(_shards(documents, shard_bytes)):
        origins.append(table.select(ORIGIN.names).cast(ORIGIN))
        shards.append(_write_shard(folder, number, table, known))
    # One piece, so that the batches of the file do not depend on the tables that came in.
    origin = pa.concat_tables([ORIGIN.empty_table(), *origins]).combine_chunks()
    write_arrow(folder / "documents.arrow", [origin], ORIGIN)
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "n_documents": sum(shard["n_documents"] for shard in shards),
        "n_bytes": sum(shard["n_bytes"] for shard in shards),
        "documents": {
            "path": "documents.arrow",
            "bytes": (folder / "documents.arrow").stat().st_size,
            "xxh3": _digest(folder / "documents.arrow"),
        },
        "shards": shards,
    }
    write_json(folder / "index.json", manifest)
    return manifest


def _shards(documents: Iterable[pa.Table], shard_bytes: int) -> Iterator[pa.Table]:
    """Regroup documents into tables of about `shard_bytes` of text, never less than a document."""
    waiting: list[pa.Table] = []
    n_waiting = 0
    for table in documents:
        lengths = pc.binary_length(table["text"]).to_numpy()
        start = 0
        for row, length in enumerate(lengths):
            if length > MAX_DOCUMENT_BYTES:
                raise FormatError(
                    f"document {table['id'][row].as_py()!r} has {length:,} bytes; the index takes "
                    f"documents of at most {MAX_DOCUMENT_BYTES:,} bytes"
                )
            # The separators count too.
            if n_waiting and n_waiting + length + 1 > shard_bytes:
                yield pa.concat_tables([*waiting, table.slice(start, row - start)])
                waiting, n_waiting, start = [], 0, row
            n_waiting += int(length) + 1
        waiting.append(table.slice(start))
    if n_waiting:
        yield pa.concat_tables(waiting)


def _write_shard(folder: Path, number: int, table: pa.Table, known: Sorted) -> dict[str, Any]:
    text = _core.IndexText(table.select(["text"]))
    data = _column(text.text())
    digest = _core.xxh3_128_hex(data)
    entry: dict[str, Any] = {"n_documents": table.num_rows, "n_bytes": len(data) - table.num_rows}
    if digest in known and _link_shard(*known[digest], folder, number, entry):
        return entry
    entry["text"] = _write_array(folder / f"text-{number:05}.bin", data, digest)
    for name, batches in zip(("suffixes", "samples"), text.sort(), strict=True):
        entry[name] = _write_array(folder / f"{name}-{number:05}.bin", _column(batches))
    entry["starts"] = _write_array(folder / f"starts-{number:05}.bin", _column(text.starts()))
    return entry


def _column(batches: _core.Batches) -> memoryview:
    # numpy's view ends where the array does; the Arrow buffer may be padded.
    data: memoryview = pa.table(batches).column(0).chunk(0).to_numpy().view("u1").data
    return data


def _write_array(path: Path, data: memoryview, digest: str | None = None) -> dict[str, Any]:
    with atomic_write(path) as file:
        file.write(data)
    return {
        "path": path.name,
        "bytes": len(data),
        "xxh3": digest or _core.xxh3_128_hex(data),
    }


def _link_shard(
    source: Path, shard: dict[str, Any], folder: Path, number: int, entry: dict[str, Any]
) -> bool:
    """Take over the files of a shard with the same text, unless one of them is damaged."""
    if any(_digest(source / shard[name]["path"]) != shard[name]["xxh3"] for name in ARRAYS):
        return False
    for name in ARRAYS:
        path = folder / f"{name}-{number:05}.bin"
        try:
            os.link(source / shard[name]["path"], path)
        except OSError:  # another file system, or one without links
            shutil.copyfile(source / shard[name]["path"], path)
        entry[name] = shard[name] | {"path": path.name}
    return True


def _digest(path: Path) -> str:
    """The 128-bit xxh3 of a file, mapped rather than read."""
    if not path.stat().st_size:
        return _core.xxh3_128_hex(b"")
    with pa.memory_map(str(path)) as source:
        return _core.xxh3_128_hex(source.read_buffer())


@dataclass(frozen=True, slots=True)
class IndexFiles:
    """The files of an index, present and of the right sizes.

    Attributes:
        folder: Where they are.
        manifest: The content of ``index.json``.
    """

    folder: Path
    manifest: dict[str, Any]

    @classmethod
    def open(cls, path: str | Path) -> IndexFiles:
        """Read ``index.json`` in `path`, or in its folder ``index``, and check the files' sizes.

        Raises:
            RecipeError: There is no index.
            FormatError: It was written by a release with another format.
            IntegrityError: A file is missing or has another size; the message names it.
        """
        folder = Path(path)
        if not (folder / "index.json").exists() and (folder / "index").is_dir():
            folder /= "index"
        files = cls(folder, _read_manifest(folder))
        for entry in files.entries():
            _check_size(folder / entry["path"], entry["bytes"])
        return files

    def entries(self) -> list[dict[str, Any]]:
        """Path, bytes and xxh3 of each file."""
        arrays = [shard[name] for shard in self.manifest["shards"] for name in ARRAYS]
        return [self.manifest["documents"], *arrays]

    def documents(self) -> pa.Table:
        """The columns of `ORIGIN`, mapped."""
        path = self.folder / self.manifest["documents"]["path"]
        try:
            table = map_arrow(path)
        except pa.ArrowInvalid as error:
            raise IntegrityError(f"{path}: {error}; build the index again") from None
        if table.num_rows != self.manifest["n_documents"] or not table.schema.equals(ORIGIN):
            raise IntegrityError(
                f"{path}: holds {table.num_rows} documents {table.schema.names}, index.json says "
                f"{self.manifest['n_documents']} {ORIGIN.names}; build the index again"
            )
        return table

    def shards(self) -> list[tuple[Path, Path, Path, Path]]:
        """The paths of each shard's text, suffixes, samples and starts."""
        return [
            (
                self.folder / shard["text"]["path"],
                self.folder / shard["suffixes"]["path"],
                self.folder / shard["samples"]["path"],
                self.folder / shard["starts"]["path"],
            )
            for shard in self.manifest["shards"]
        ]

    def verify(self) -> None:
        """Compare every file's content with its digest; takes as long as reading all of it.

        Raises:
            IntegrityError: A file differs; the message names it.
        """
        for entry in self.entries():
            path = self.folder / entry["path"]
            found = _digest(path)
            if found != entry["xxh3"]:
                raise IntegrityError(
                    f"{path}: its xxh3 is {found}, index.json says {entry['xxh3']}; "
                    "build the index again"
                )


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / "index.json"
    try:
        manifest = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise RecipeError(
            f"{folder}: has no index (no index.json); add `index: {{}}` to the recipe and build "
            "again"
        ) from None
    except ValueError as error:
        raise IntegrityError(f"{path}: {error}; build the index again") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise FormatError(f"{path}: is no {FORMAT}")
    if manifest.get("version") != VERSION:
        raise FormatError(
            f"{path}: version {manifest.get('version')} is not {VERSION}, which this release "
            "reads; build the index again"
        )
    _check_shape(path, manifest)
    return manifest


def _check_shape(path: Path, manifest: dict[str, Any]) -> None:
    """Make sure that every key is there, and that no name leads out of the folder."""
    try:
        entries = [shard[name] for shard in manifest["shards"] for name in ARRAYS]
        for entry in [manifest["documents"], *entries]:
            plain = Path(entry["path"]).name == entry["path"]
            if not plain or not isinstance(entry["bytes"], int) or not entry["xxh3"]:
                raise IntegrityError(f"{path}: {entry} is no file of an index")
        int(manifest["n_documents"])
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError(
            f"{path}: {type(error).__name__} {error}; build the index again"
        ) from None


def _check_size(path: Path, n_bytes: int) -> None:
    try:
        found = path.stat().st_size
    except FileNotFoundError:
        raise IntegrityError(f"{path}: is missing; build the index again") from None
    if found != n_bytes:
        raise IntegrityError(
            f"{path}: has {found:,} bytes, index.json says {n_bytes:,}; build the index again"
        )
