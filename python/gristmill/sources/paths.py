"""Paths, globs and fsspec URLs of a source: which files they name, and how to open one.

Everything that can be known to be wrong before work starts is refused here: a pattern that matches
nothing, a file that cannot be opened, a file system whose package is missing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from glob import glob, has_magic
from pathlib import Path

import pyarrow as pa

from gristmill.errors import IntegrityError, RecipeError
from gristmill.sources.base import Item, digest
from gristmill.sources.remote import RemoteFile, list_files, version
from gristmill.sources.streams import LocalFile, Unpacked, local_version
from gristmill.units import digest as file_digest

_COMPRESSIONS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}

COMPRESSED_SUFFIXES = (".gz", ".zst", ".zstd")
SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules"})


def find(name: str, path: str | Sequence[str], base: Path) -> list[tuple[Item, bool]]:
    """The files that a source's `path` names, by locator, each once.

    Args:
        name: The source, for messages.
        path: Patterns relative to `base`, or fsspec URLs. A folder stands for the files under it,
            without hidden ones.
        base: The recipe's folder.

    Returns:
        Each file, and whether it was found in a folder rather than named.

    Raises:
        RecipeError: A pattern matches nothing, or a file cannot be read.
    """
    patterns = [path] if isinstance(path, str) else list(path)
    if not patterns:
        raise RecipeError(f"source {name!r}: path is an empty list; give at least one path")
    found: dict[str, tuple[Item, bool]] = {}
    for pattern in patterns:
        matches = _remote(name, pattern) if "://" in pattern else _local(name, pattern, base)
        for item, in_folder in matches:
            in_folder = in_folder and found.get(item.path, (item, True))[1]
            found[item.path] = (item, in_folder)
    return sorted(found.values(), key=lambda entry: entry[0].locator)


def suffix(path: str) -> str:
    """The lower-case suffix of a path, without that of its compression."""
    name = path.rpartition("/")[2].lower()
    for compressed in COMPRESSED_SUFFIXES:
        name = name.removesuffix(compressed)
    return os.path.splitext(name)[1]


def compression(head: bytes) -> str | None:
    """How a file is packed that begins so: ``gzip``, ``zstd`` or None. By its bytes, as names lie."""
    return next((name for magic, name in _COMPRESSIONS.items() if head.startswith(magic)), None)


def open_bytes(item: Item) -> pa.NativeFile:
    """Open a file for sequential reading, decompressed; see `open_raw`.

    A read raises OSError where the packed stream is broken, or a decompression bomb.
    """
    raw = open_raw(item)
    packed = compression(raw.read(4))
    raw.seek(0)
    return raw if packed is None else Unpacked(raw, packed)


def open_raw(item: Item) -> pa.NativeFile:
    """Open a file as it is, seekable; use it in a ``with`` block, at whose end it is checked.

    Raises:
        IntegrityError: The file is gone, or was changed since the run was planned; also when it is
            closed.
        InterruptedRunError: A remote file cannot be read now; also while it is read.
    """
    if "://" in item.path:
        return RemoteFile(item)
    try:
        return LocalFile(item)
    except OSError as error:
        raise IntegrityError(
            f"{item.locator}: could be read when the run was planned and cannot be now ({error}); "
            "put it back and run the same command again"
        ) from error


def content_key(item: Item) -> str:
    """Digest of a file's name and content; of a remote file, of its version as the server has it.

    Costs a read of a local file. Not mapped: what is mapped counts as memory of the process.
    """
    if "://" in item.path:
        return digest(item.locator, str(item.n_bytes), item.version)
    content = file_digest(Path(item.path)).xxh3 if item.n_bytes else ""
    return digest(item.locator, str(item.n_bytes), content)


def _local(name: str, pattern: str, base: Path) -> Iterator[tuple[Item, bool]]:
    full = os.path.join(base, os.path.expanduser(pattern))
    if os.path.isdir(full):
        paths, in_folder = list(_walk(full)), True
    elif os.path.exists(full) or not has_magic(full):
        paths, in_folder = [full], False
    else:
        matches = glob(full, recursive=True)
        paths, in_folder = [match for match in matches if os.path.isfile(match)], False
    if not paths:
        raise RecipeError(
            f"source {name!r}: path {pattern!r} matches no file in {_folder_of(full)}; paths are "
            "relative to the recipe's folder"
        )
    for path in paths:
        yield _local_item(name, path, base), in_folder


def _walk(folder: str) -> Iterator[str]:
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(
            one for one in folders if not one.startswith(".") and one not in SKIPPED_FOLDERS
        )
        yield from (os.path.join(parent, one) for one in files if not one.startswith("."))


def _local_item(name: str, path: str, base: Path) -> Item:
    path = os.path.abspath(path)
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
    except FileNotFoundError:
        raise RecipeError(
            f"source {name!r}: {path} does not exist{_near(path)}; paths are relative to the "
            "recipe's folder"
        ) from None
    except OSError as error:
        raise RecipeError(
            f"source {name!r}: {path} cannot be read ({error.strerror}); change its permissions "
            "or take it out of the path"
        ) from None
    relative = os.path.relpath(path, base)
    locator = path if relative.startswith("..") else relative
    return Item(path=path, locator=locator, n_bytes=status.st_size, version=local_version(status))


def _near(path: str) -> str:
    folder, missing = os.path.split(path)
    if not os.path.isdir(folder):
        return f" (nor does its folder {folder})"
    near = get_close_matches(missing, sorted(os.listdir(folder)), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _folder_of(pattern: str) -> str:
    """The part of a pattern before its first wildcard."""
    while has_magic(pattern):
        pattern = os.path.dirname(pattern)
    return os.path.abspath(pattern)


def _remote(name: str, url: str) -> Iterator[tuple[Item, bool]]:
    try:
        files, folder = list_files(url)
    except (ImportError, ValueError) as error:
        raise RecipeError(f"source {name!r}: {url} cannot be opened: {error}") from None
    except OSError as error:
        raise RecipeError(f"source {name!r}: {url} cannot be read ({error})") from error
    if folder is not None:
        files = [(full, info) for full, info in files if _visible(info["name"], folder)]
    if not files:
        raise RecipeError(f"source {name!r}: path {url!r} matches no file")
    for full, info in files:
        if info["size"] is None:
            raise RecipeError(
                f"source {name!r}: the server does not say how long {full} is; copy it to a disk"
            )
        item = Item(path=full, locator=full, n_bytes=int(info["size"]), version=version(info))
        yield item, folder is not None


def _visible(path: str, folder: str) -> bool:
    parts = path.removeprefix(folder).split("/")
    return not any(part.startswith(".") or part in SKIPPED_FOLDERS for part in parts)
