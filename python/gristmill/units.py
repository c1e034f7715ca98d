"""Content-addressed work: what is on disk under its key with a good digest is not done again.

That one rule gives resume after a kill, incremental rebuilds and the same bytes from every run. A
unit's record is written after its files, so a unit exists whole or not at all.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gristmill._core import Xxh3
from gristmill.files import write_json

CHUNK_BYTES = 8 * 2**20

SPILL = ".work/spill"


@dataclass(frozen=True, slots=True)
class FileDigest:
    """Size in bytes and 128-bit xxh3 of a file."""

    bytes: int
    xxh3: str


@dataclass(frozen=True, slots=True)
class Record:
    """What a finished unit left: its files, by path relative to the corpus, and its statistics."""

    key: str
    files: dict[str, FileDigest]
    stats: dict[str, Any] = field(default_factory=dict)


def digest(path: Path) -> FileDigest:
    """Size and xxh3 of the file at `path`, read in bounded memory."""
    hasher = Xxh3()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            hasher.update(chunk)
        return FileDigest(file.tell(), hasher.hexdigest())


class Units:
    """The finished units of one corpus directory.

    Args:
        root: The corpus directory; records live in ``root/.work/units``.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / ".work" / "units"
        self._checked: dict[str, Record] = {}

    def get(self, key: str) -> Record | None:
        """The record of a unit whose files are all there and unchanged, else None."""
        if key not in self._checked:
            record = self._read(key)
            if record is None or not all(map(self._is_good, record.files.items())):
                return None
            self._checked[key] = record
        return self._checked[key]

    def _read(self, key: str) -> Record | None:
        try:
            raw = json.loads((self.folder / f"{key}.json").read_bytes())
            files = {name: FileDigest(**entry) for name, entry in raw["files"].items()}
            return Record(raw["key"], files, raw["stats"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def _is_good(self, entry: tuple[str, FileDigest]) -> bool:
        name, expected = entry
        path = self.root / name
        try:
            return path.stat().st_size == expected.bytes and digest(path) == expected
        except OSError:
            return False

    def finish(self, key: str, paths: Iterable[Path], stats: dict[str, Any]) -> Record:
        """Write the record of a unit whose files are complete."""
        files = {str(path.relative_to(self.root)): digest(path) for path in sorted(paths)}
        record = Record(key, files, stats)
        write_json(self.folder / f"{key}.json", asdict(record))
        self._checked[key] = record
        return record

    def do(self, key: str, work: Callable[[], tuple[Iterable[Path], dict[str, Any]]]) -> Record:
        """The unit's record, after doing its `work` when it is not done yet.

        Args:
            key: Hash of everything that determines the result.
            work: Writes the unit's files and returns their paths and the statistics to keep.
        """
        return self.get(key) or self.finish(key, *work())

    def forget_all_but(self, keys: set[str]) -> None:
        """Remove the records, and the working files, of units that the last build did not use."""
        for path in self.folder.glob("*.json"):
            if path.stem not in keys:
                path.unlink()
        for path in (self.root / ".work").glob("*/*.arrow"):
            if path.name.partition(".")[0] not in keys:
                path.unlink()


@contextmanager
def spill_folder(root: Path) -> Iterator[Path]:
    """A folder below `root` for files that only one step needs; gone when the block ends."""
    folder = root / SPILL
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(root: Path) -> None:
    """Remove what a killed run left half-written, or spilled, below `root`."""
    shutil.rmtree(root / SPILL, ignore_errors=True)
    for folder, _, names in os.walk(root):
        for name in names:
            if name.endswith(".partial"):
                Path(folder, name).unlink(missing_ok=True)
