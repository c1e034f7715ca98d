"""Read the weights of a Hugging Face directory: safetensors files, mapped, never pickle.

The `safetensors` library checks the file; the values are then borrowed from a memory map, because
the library's numpy interface has no bfloat16.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gristmill.errors import FormatError, GristmillError, RecipeError
from gristmill.export.directory import read_json
from gristmill.export.quantize import widen_bf16

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}


class Weights:
    """The tensors of a model, by name; nothing is read before it is asked for."""

    def __init__(self, model_dir: Path) -> None:
        """Open ``model.safetensors``, or the files that ``model.safetensors.index.json`` names.

        Raises:
            RecipeError: There are no safetensors weights in the folder.
            FormatError: A file is not safetensors, or holds something that is not floats.
        """
        self._tensors: dict[str, npt.NDArray[Any]] = {}
        self._is_bf16: set[str] = set()
        for path in _files(model_dir):
            self._map(path)

    def names(self) -> list[str]:
        """Names of all tensors, sorted."""
        return sorted(self._tensors)

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of one tensor, outermost dimension first."""
        return self._tensors[name].shape

    def read(self, name: str) -> npt.NDArray[Any]:
        """One tensor as floats (bfloat16 comes as float32), borrowed where that is possible."""
        values = self._tensors[name]
        return widen_bf16(values) if name in self._is_bf16 else values

    def _map(self, path: Path) -> None:
        _check(path)
        with path.open("rb") as file:
            head_bytes = int.from_bytes(file.read(8), "little")
            entries = json.loads(file.read(head_bytes))
        entries.pop("__metadata__", None)
        data = np.memmap(path, np.uint8, "r")[8 + head_bytes :]
        for name, entry in entries.items():
            if entry["dtype"] not in _DTYPES:
                raise FormatError(
                    f"{path}: {name} is {entry['dtype']}, exported are {', '.join(_DTYPES)}"
                )
            first, last = entry["data_offsets"]
            values = np.asarray(data[first:last]).view(_DTYPES[entry["dtype"]])
            self._tensors[name] = values.reshape(entry["shape"])
            if entry["dtype"] == "BF16":
                self._is_bf16.add(name)


def _files(model_dir: Path) -> list[Path]:
    if (model_dir / SINGLE).is_file():
        return [model_dir / SINGLE]
    if not (model_dir / INDEX).is_file():
        raise RecipeError(
            f"{model_dir} has no {SINGLE}; give the folder of a Hugging Face model "
            "(a run keeps it in model/)"
        )
    names = set(read_json(model_dir / INDEX).get("weight_map", {}).values())
    for name in names:
        if Path(name).name != name:
            raise FormatError(f"{model_dir / INDEX}: {name!r} is not a file of that folder")
    return sorted(model_dir / name for name in names)


def _check(path: Path) -> None:
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError:
        raise GristmillError(
            "safetensors is not installed; `pip install 'gristmill[train]'` brings it"
        ) from None
    try:
        with safe_open(path, "np"):
            pass
    except (SafetensorError, OSError) as error:
        raise FormatError(f"{path} is not a readable safetensors file: {error}") from None
