"""``manifest.json``: which files belong to a set of shards, and the digest of every block of them.

A file is an Arrow IPC stream: schema message, blocks, end mark. A block is one record batch message
with at most a mebibyte of rows; it is the unit that is hashed while written and verified when read,
so nothing is parsed before its digest was right. `first_row` counts within the split.

Every digest is a 128-bit xxh3. The Merkle root covers block digests through their file's entry and
everything else in the manifest, so any change in the manifest itself shows as well. It guards
against decay and mix-ups; who can write the folder can also write a new root. The fingerprint
names the content alone: the same tokens and documents have the same one, whatever the file sizes.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, TypeAlias

from gristmill import _core
from gristmill.errors import FormatError, IntegrityError
from gristmill.files import canonical_json

Manifest: TypeAlias = dict[str, Any]
"""The parsed ``manifest.json``."""

NAME = "manifest.json"
DOCUMENTS = "documents.parquet"
VERSION = 1
SPLITS = ("train", "validation")
HEAD_BYTES = 4096
"""The start of a file that is verified on opening: it tells apart two files of the same size."""

_SETTINGS = ("seq_len", "vocab_size", "dtype", "end_token_id", "tokenizer_xxh3")
_KEYS = {*_SETTINGS, "version", "fingerprint", "splits", "documents", "files", "merkle_root"}
_SHARD_PATH = re.compile(r"(train|validation)/shard-\d{5,}\.arrow")
_END_MARK_BYTES = 8
_REPAIR = "restore it from a copy, or build the shards again"


def digest_of(value: Any) -> str:
    """The digest of a JSON value in its canonical form."""
    return _core.xxh3_128_hex(canonical_json(value))


def fingerprint(manifest: Manifest) -> str:
    """Name the content: settings, tokenizer, documents and the digest of every block, in order."""
    blocks = {
        split: [b["xxh3"] for f in manifest["files"] if f["split"] == split for b in f["blocks"]]
        for split in SPLITS
    }
    content = {name: manifest[name] for name in _SETTINGS}
    return digest_of([VERSION, content, manifest["documents"]["xxh3"], blocks])


def merkle_root(manifest: Manifest) -> str:
    """The digest over the digests of the files' entries and of everything else in the manifest."""
    rest = {key: manifest[key] for key in manifest if key not in ("files", "merkle_root")}
    return digest_of([digest_of(rest), *(digest_of(file) for file in manifest["files"])])


def load(folder: Path) -> Manifest:
    """Read the manifest of a folder of shards and hold it against its own root.

    Raises:
        FormatError: There is none, or it is of another version.
        IntegrityError: It is not what was written.
    """
    path = folder / NAME
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise FormatError(
            f"no shards in {folder}: {NAME} is missing; give the folder that `gristmill build` "
            "wrote, or finish the build with the same command"
        ) from None
    try:
        manifest = json.loads(text)
        root, version = manifest["merkle_root"], manifest["version"]
        found = merkle_root(manifest)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise IntegrityError(f"{path} cannot be read ({error!r}); {_REPAIR}") from None
    if found != root:
        raise IntegrityError(f"{path} has Merkle root {found}, its own says {root}; {_REPAIR}")
    if version != VERSION:
        raise FormatError(f"{path} has version {version}; this release reads version {VERSION}")
    if missing := _KEYS - manifest.keys():
        raise FormatError(f"{path} lacks {', '.join(sorted(missing))}; {_REPAIR}")
    for file in manifest["files"]:
        _check_layout(file, path)
    return dict(manifest)


def _check_layout(file: dict[str, Any], path: Path) -> None:
    """Blocks follow each other without a gap and end with the file."""
    if not _SHARD_PATH.fullmatch(file["path"]) or not file["path"].startswith(file["split"] + "/"):
        raise IntegrityError(f"{path} lists {file['path']!r}, which is no shard of its split")
    at = file["blocks"][0]["offset"]
    for block in file["blocks"]:
        if block["offset"] != at or block["bytes"] <= 0 or block["rows"] <= 0:
            raise IntegrityError(f"{path}: the blocks of {file['path']} leave a gap at byte {at}")
        at += block["bytes"]
    rows = sum(block["rows"] for block in file["blocks"])
    if at + _END_MARK_BYTES != file["bytes"] or rows != file["rows"]:
        raise IntegrityError(f"{path}: the blocks of {file['path']} do not make the whole file")


def split_files(manifest: Manifest, split: str) -> list[dict[str, Any]]:
    """The entries of a split's files, in row order."""
    return [file for file in manifest["files"] if file["split"] == split]


def check_sizes(manifest: Manifest, folder: Path, split: str | None = None) -> list[str]:
    """Name the files that are missing, or have another size than when they were written."""
    problems = []
    for file in manifest["files"] if split is None else split_files(manifest, split):
        path, expected = folder / file["path"], file["bytes"]
        if not path.is_file():
            problems.append(f"{path} is missing; {_REPAIR}")
        elif path.stat().st_size != expected:
            size = path.stat().st_size
            problems.append(f"{path} has {size} bytes, not {expected}; {_REPAIR}")
    return problems


def wrong_block(path: Path, block: dict[str, Any], found: str) -> str:
    """Say that the bytes of a block are not the ones that were written."""
    first, last = block["first_row"], block["first_row"] + block["rows"] - 1
    return f"{path}, rows {first} to {last}: xxh3 is {found}, not {block['xxh3']}; {_REPAIR}"
