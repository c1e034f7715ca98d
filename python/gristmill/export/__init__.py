"""Export a Hugging Face model directory to files that other programs run: GGUF so far.

Every number of a file comes from the model directory: sizes and weights from ``config.json`` and
``model.safetensors``, ids from ``tokenizer.json``, and where the data came from out of
``gristmill.json``, which the trainer writes beside them.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gristmill.errors import IntegrityError, NotBuiltYetError, RecipeError
from gristmill.export import llama
from gristmill.export.directory import CONFIG, need_json, read_json
from gristmill.export.gguf import GgufFile, Tensor, TensorType, Value, write_gguf
from gristmill.export.vocabulary import vocabulary
from gristmill.export.weights import Weights
from gristmill.files import canonical_json, write_json
from gristmill.progress import progress

TARGETS = {f"gguf:{kind.name.lower()}": kind for kind in TensorType}
"""What can be exported to, by the name of the interface."""

QUANTIZATION_VERSION = 2
"""`general.quantization_version` that llama.cpp expects of Q8_0."""

LINEAGE = "gristmill.json"
"""What the trainer writes about the model's data, beside the weights."""


def export(model: str | Path, to: Sequence[str] | str, out: str | Path) -> dict[str, Any]:
    """Write a model in the formats asked for.

    Args:
        model: A Hugging Face directory.
        to: Targets, as a list or separated by commas: ``gguf:f32 gguf:f16 gguf:bf16 gguf:q8_0``.
        out: Folder of the files and of ``export.json``, which lists them.

    Returns:
        What ``export.json`` holds: ``model``, ``name``, ``gristmill`` (the lineage) and ``files``,
        by target: ``file`` (its name in `out`), ``bytes``, ``sha256``, ``seconds`` and ``tensors``
        (how many have which type).

    Raises:
        NotBuiltYetError: A target, or this kind of model, is for a later release.
        RecipeError: `model` is not a model directory.
        FormatError: Weights, configuration and tokenizer do not fit together.
    """
    kinds = parse_targets(to)
    model_dir, out_dir = Path(model), Path(out)
    config = need_json(model_dir, CONFIG)
    shape = llama.read_shape(config)
    weights = Weights(model_dir)
    lineage = read_json(model_dir / LINEAGE)
    name = _name(model_dir, lineage)
    words = vocabulary(model_dir, shape.vocab_size)
    files: dict[str, dict[str, Any]] = {}
    for target, kind in kinds.items():
        metadata = {**_general(name, lineage, kind), **shape.keys(), **words, **_ours(lineage)}
        tensors = llama.tensors(weights, shape, kind)
        files[target] = _write(out_dir / f"{name}-{kind.name}.gguf", metadata, tensors)
    result = {"model": str(model_dir), "name": name, "gristmill": lineage, "files": files}
    write_json(out_dir / "export.json", result)
    return result


def parse_targets(to: Sequence[str] | str) -> dict[str, TensorType]:
    """Read the targets of the command line or of `export`.

    Raises:
        NotBuiltYetError: One is not among `TARGETS`.
    """
    names = to.split(",") if isinstance(to, str) else to
    targets = [name.strip().lower() for name in names if name.strip()]
    if not targets:
        raise RecipeError(f"no target to export to; there are {', '.join(TARGETS)}")
    for target in targets:
        if target not in TARGETS:
            raise NotBuiltYetError(
                f"export to {target!r} is not built yet; there are {', '.join(TARGETS)}"
            )
    return {target: TARGETS[target] for target in targets}


def _name(model_dir: Path, lineage: dict[str, Any]) -> str:
    folder = model_dir.resolve()
    plain = folder.parent.name if folder.name == "model" else folder.name
    name = str(lineage.get("name") or plain or "model")
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)


def _general(name: str, lineage: dict[str, Any], kind: TensorType) -> dict[str, Value]:
    keys: dict[str, Value] = {
        "general.architecture": "llama",
        "general.type": "model",
        "general.name": name,
        "general.file_type": llama.FILE_TYPES[kind],
        "general.quantization_version": QUANTIZATION_VERSION,
    }
    if license_ := lineage.get("license"):
        keys["general.license"] = str(license_)
    return keys


def _ours(lineage: dict[str, Any]) -> dict[str, Value]:
    """The lineage as ``gristmill.*`` keys: texts as they are, everything else as JSON."""
    return {
        f"gristmill.{key}": value if isinstance(value, str) else canonical_json(value).decode()
        for key, value in sorted(lineage.items())
    }


def _write(path: Path, metadata: dict[str, Value], tensors: list[Tensor]) -> dict[str, Any]:
    began = time.perf_counter()
    n_bytes = sum(tensor.type.nbytes(tensor.shape) for tensor in tensors)
    with progress(f"export {path.name}", n_bytes / 1e6, "MB") as advance:
        written = write_gguf(path, metadata, tensors, lambda done: advance(done / 1e6))
    _verify(path, metadata, tensors)
    return {
        "file": path.name,
        "bytes": written.n_bytes,
        "sha256": written.sha256,
        "seconds": round(time.perf_counter() - began, 3),
        "tensors": dict(Counter(tensor.type.name for tensor in tensors)),
    }


def _verify(path: Path, metadata: dict[str, Value], tensors: list[Tensor]) -> None:
    read = GgufFile(path)
    shapes = {tensor.name: (tensor.shape, tensor.type) for tensor in tensors}
    stored = {name: (tensor.shape, tensor.type) for name, tensor in read.tensors.items()}
    if stored != shapes or list(read.metadata) != list(metadata):
        raise IntegrityError(f"{path} does not read back as it was written")
