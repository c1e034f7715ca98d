"""Checkpoints: folders that exist whole or not at all, verified before they are used, no pickle.

``checkpoints/step-00000100/`` holds ``model.safetensors`` (fp32 weights by parameter),
``optimizer.safetensors`` (``exp_avg.<parameter>``, ``exp_avg_sq.<parameter>``), ``rng.safetensors``
(generator states by process) and ``checkpoint.json``: the digest of every file and of itself, the
step, the stream's state, the fingerprints of data and recipe. Tensors are whole, so any engine and
number of processes can go on from them. A folder is written under a hidden name, fsynced, renamed.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gristmill.config import fingerprint
from gristmill.errors import IntegrityError
from gristmill.files import sync_folder, write_json
from gristmill.units import digest

if TYPE_CHECKING:
    from torch import Tensor

RECORD = "checkpoint.json"
_PREFIX = "step-"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint that verified: its folder, and what ``checkpoint.json`` says."""

    path: Path
    record: dict[str, Any]

    @property
    def step(self) -> int:
        """How many steps were made."""
        return int(self.record["step"])

    def tensors(self, name: str) -> dict[str, Tensor]:
        """The tensors of one of its files, without the suffix: ``model``, ``optimizer``, ``rng``."""
        from safetensors.torch import load_file

        return load_file(self.path / f"{name}.safetensors")


def save(
    folder: Path,
    step: int,
    tensors: Mapping[str, Mapping[str, Tensor]],
    record: dict[str, Any],
    keep: int,
) -> Path:
    """Write the checkpoint of `step` below `folder`, then remove all but the newest `keep`.

    Args:
        folder: ``checkpoints``.
        step: How many steps were made.
        tensors: File name without suffix -> tensors by name, on the CPU.
        record: What ``checkpoint.json`` says besides step, files and digest.
        keep: How many checkpoints stay.
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(folder)
    final = path_of(folder, step)
    partial = folder / f".{final.name}.partial"
    partial.mkdir()
    files = {}
    for name, content in tensors.items():
        path = partial / f"{name}.safetensors"
        save_file({k: v.contiguous() for k, v in content.items()}, path, {"format": "pt"})
        _sync_file(path)
        files[path.name] = asdict(digest(path))
    body = {"format": 1, "step": step, **record, "files": files}
    write_json(partial / RECORD, body | {"digest": fingerprint(body)})
    if final.exists():  # one that was refused
        _remove(final)
    partial.rename(final)
    sync_folder(folder)
    for old in _steps(folder)[keep:]:
        _remove(old)
    return final


def verify(path: Path) -> Checkpoint:
    """Read a checkpoint's record and hold every file against it.

    Raises:
        IntegrityError: Something is missing or has other bytes; the message names the file.
    """
    file = path / RECORD
    try:
        record = json.loads(file.read_bytes())
        body = {key: value for key, value in record.items() if key != "digest"}
        expected, files = record["digest"], record["files"].items()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise IntegrityError(f"{file} cannot be read: {error}") from None
    if fingerprint(body) != expected:
        raise IntegrityError(f"{file} is not what was written: its digest differs")
    for name, written in files:
        try:
            found = asdict(digest(path / name))
        except OSError as error:
            raise IntegrityError(f"{path / name} cannot be read: {error.strerror}") from None
        if found != written:
            raise IntegrityError(
                f"{path / name} is not what was written: {found['bytes']} bytes, xxh3 "
                f"{found['xxh3']}; expected {written['bytes']}, {written['xxh3']}"
            )
    return Checkpoint(path, record)


def newest(folder: Path, refused: Callable[[str], None]) -> Checkpoint | None:
    """The newest checkpoint that verifies; `refused` hears of every newer one that does not."""
    for path in _steps(folder):
        try:
            return verify(path)
        except IntegrityError as error:
            refused(f"checkpoint {path.name} is refused: {error}")
    return None


def path_of(folder: Path, step: int) -> Path:
    """The checkpoint of `step` below `folder`."""
    return folder / f"{_PREFIX}{step:08d}"


def _steps(folder: Path) -> list[Path]:
    """Checkpoint folders, newest first."""
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if path.name.removeprefix(_PREFIX).isdigit()]
    return sorted(found, key=lambda path: int(path.name.removeprefix(_PREFIX)), reverse=True)


def _remove(path: Path) -> None:
    """Remove a checkpoint; a kill half-way leaves no folder that looks like one."""
    hidden = path.with_name(f".{path.name}.removed")
    path.rename(hidden)
    shutil.rmtree(hidden)


def _remove_leftovers(folder: Path) -> None:
    for path in folder.glob(f".{_PREFIX}*"):
        shutil.rmtree(path)


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
