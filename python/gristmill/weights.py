"""Reads safetensors files as bytes, and says what is wrong with them.

Written against the format alone (an 8-byte length, a JSON header, the tensors without gaps), so
that a model can be verified without torch. A hostile header is bounded before it is parsed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_HEADER_BYTES = 100_000_000
CHUNK_BYTES = 2**26
ITEM_BYTES = {
    "F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2,
    "U16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I8": 1, "U8": 1, "BOOL": 1,
}  # fmt: skip

Report = Callable[[str, str], None]
"""Takes a file name and what is wrong with it."""


def check_weights(model: Path, report: Report) -> str:
    """Check every weight file of a model directory; returns what was looked at."""
    index = model / "model.safetensors.index.json"
    names = ["model.safetensors"]
    placed: dict[str, str] = {}
    if index.is_file():
        try:
            placed = dict(json.loads(index.read_bytes())["weight_map"])
        except (ValueError, KeyError, TypeError) as error:
            report(index.name, f"is no index: {error}")
        names = sorted(set(placed.values()))
    n_tensors = n_values = 0
    for name in names:
        header = _check_file(model / name, name, report)
        expected = {tensor for tensor, file in placed.items() if file == name}
        if header and expected and expected != header.keys():
            odd = sorted(expected ^ header.keys())[0]
            report(name, f"tensor {odd!r} is in only one of the file and {index.name}")
        n_tensors += len(header)
        n_values += sum(math.prod(entry["shape"]) for entry in header.values())
    return f"{n_tensors:,} tensors, {n_values:,} values"


def _check_file(path: Path, name: str, report: Report) -> dict[str, Any]:
    """Check one file; returns its tensors by name, none when the header is bad."""
    if not path.is_file():
        report(name, "is missing")
        return {}
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size - 8, MAX_HEADER_BYTES):
            report(name, f"its header of {length} bytes does not fit into its {size} bytes")
            return {}
        try:
            header = json.loads(file.read(length))
            header.pop("__metadata__", None)
            fault = _layout_fault(header, size - 8 - length)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            report(name, f"its header is not that of safetensors: {type(error).__name__} {error}")
            return {}
    if fault:
        report(name, fault)
        return {}
    data = (
        np.memmap(path, np.uint8, "r", 8 + length) if size > 8 + length else np.zeros(0, np.uint8)
    )
    for tensor, entry in sorted(header.items()):
        bad = _not_finite(data[slice(*entry["data_offsets"])], entry["dtype"])
        if bad:
            report(name, f"tensor {tensor!r} holds {bad} values that are not finite")
    found: dict[str, Any] = header
    return found


def _layout_fault(header: dict[str, Any], n_bytes: int) -> str | None:
    """What keeps the tensors from filling the data section exactly, or None."""
    spans = []
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        if entry["dtype"] not in ITEM_BYTES:
            return f"tensor {name!r} has an unknown dtype {entry['dtype']!r}"
        need = math.prod(entry["shape"]) * ITEM_BYTES[entry["dtype"]]
        if min(start, *entry["shape"], 0) < 0 or end - start != need:
            return f"tensor {name!r} spans {end - start} bytes, its shape needs {need}"
        spans.append((start, end))
    spans = [(0, 0), *sorted(spans), (n_bytes, n_bytes)]
    for (_, end), (start, _) in pairwise(spans):
        if start != end:
            return f"the tensors leave a gap or overlap at byte {min(start, end)} of the data"
    return None


def _not_finite(data: npt.NDArray[np.uint8], dtype: str) -> int:
    """How many values are infinite or no number; integers never are."""
    masks = {
        "BF16": (np.uint16, 0x7F80),
        "F16": (np.uint16, 0x7C00),
        "F32": (np.uint32, 0x7F800000),
    }
    if dtype == "F8_E4M3":
        return int(np.count_nonzero((data & 0x7F) == 0x7F))
    if dtype == "F8_E5M2":
        return int(np.count_nonzero((data & 0x7C) == 0x7C))
    if dtype == "F64":
        return sum(
            int(np.count_nonzero(~np.isfinite(data[at : at + CHUNK_BYTES].view(np.float64))))
            for at in range(0, len(data), CHUNK_BYTES)
        )
    if dtype not in masks:
        return 0
    kind, mask = masks[dtype]
    return sum(
        int(np.count_nonzero((data[at : at + CHUNK_BYTES].view(kind) & mask) == mask))
        for at in range(0, len(data), CHUNK_BYTES)
    )
