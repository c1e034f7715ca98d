"""The training recipe: one YAML file, checked before any work, and its fingerprint.

Paths in a recipe are relative to the recipe's folder; paths given to ``--set`` are relative to the
current folder, like every path on a command line. An unknown key is refused with a suggestion.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from gristmill.errors import RecipeError
from gristmill.files import canonical_json


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class ModelOptions(_Part):
    """What is trained: a fresh decoder of a family, or the weights of a Hugging Face directory.

    Attributes:
        family: ``llama`` (RMSNorm, rotary positions, SwiGLU) or ``gpt2``.
        hidden_size: Width.
        layers: Depth.
        heads: Attention heads; divides `hidden_size`.
        kv_heads: Heads of keys and values (grouped-query attention); `heads` when omitted.
        intermediate_size: Width of the MLP; 8/3 of `hidden_size` (llama, Shazeer 2020,
            arXiv:2002.05202) or 4 times it (gpt2), rounded up to a multiple of 64, when omitted.
        tie_embeddings: Input and output embeddings are one matrix.
        source: ``from`` in YAML: a Hugging Face directory to go on from; excludes all the others.
    """

    family: Literal["llama", "gpt2"] = "llama"
    hidden_size: PositiveInt = 256
    layers: PositiveInt = 6
    heads: PositiveInt = 8
    kv_heads: PositiveInt | None = None
    intermediate_size: PositiveInt | None = None
    tie_embeddings: bool = True
    source: Path | None = Field(default=None, alias="from")

    @model_validator(mode="after")
    def _shapes_fit(self) -> ModelOptions:
        if self.source is not None:
            given = sorted(self.model_fields_set - {"source"})
            if given:
                raise ValueError(f"`from` brings its own shape; remove {', '.join(given)}")
        elif self.hidden_size % self.heads:
            raise ValueError(f"heads = {self.heads} does not divide hidden_size = {self.hidden_size}")
        elif self.heads % (self.kv_heads or self.heads):
            raise ValueError(f"kv_heads = {self.kv_heads} does not divide heads = {self.heads}")
        elif self.family == "gpt2" and self.kv_heads not in (None, self.heads):
            raise ValueError("gpt2 has no grouped-query attention; remove kv_heads")
        return self


class EngineOptions(_Part):
    """How processes share the work; `zero` is DeepSpeed's ZeRO stage (arXiv:1910.02054)."""

    kind: Literal["deepspeed", "fsdp", "ddp", "single"] = "single"
    zero: Literal[0, 1, 2, 3] | None = None

    @model_validator(mode="after")
    def _zero_needs_deepspeed(self) -> EngineOptions:
        if self.zero is not None and self.kind != "deepspeed":
            raise ValueError(f"zero = {self.zero} belongs to kind: deepspeed, not {self.kind}")
        return self

    @property
    def stage(self) -> int:
        """The ZeRO stage that a deepspeed engine runs; 1 when not said."""
        return 1 if self.zero is None else self.zero


class BatchOptions(_Part):
    """`rows` a step over all processes, taken `micro_rows` at a time by each process."""

    rows: PositiveInt = 32
    micro_rows: PositiveInt = 4


class OptimizerOptions(_Part):
    """AdamW (arXiv:1711.05101); defaults as GPT-3 had them (arXiv:2005.14165, appendix B).

    Weight decay is for matrices: norms, biases and embeddings have none.
    """

    lr: PositiveFloat = 1e-3
    weight_decay: NonNegativeFloat = 0.1
    betas: tuple[float, float] = (0.9, 0.95)
    eps: PositiveFloat = 1e-8
    clip: NonNegativeFloat = 1.0

    @model_validator(mode="after")
    def _betas_are_averages(self) -> OptimizerOptions:
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas = {list(self.betas)}: each is at least 0 and less than 1")
        return self


class ScheduleOptions(_Part):
    """Learning rate over `steps`: linear warm-up, then the `kind` of decay to `final_lr` x lr.

    ``wsd`` (warm-up, stable, decay; arXiv:2404.06395) stays flat, then falls linearly over the
    last `decay` part of the steps.
    """

    kind: Literal["cosine", "linear", "wsd", "constant"] = "cosine"
    warmup_steps: NonNegativeInt = 0
    steps: PositiveInt
    final_lr: float = Field(default=0.1, ge=0, le=1)
    decay: float = Field(default=0.1, gt=0, le=1)

    @model_validator(mode="after")
    def _warmup_ends(self) -> ScheduleOptions:
        if self.warmup_steps > self.steps:
            raise ValueError(f"warmup_steps = {self.warmup_steps} is more than steps = {self.steps}")
        return self


class ValidateOptions(_Part):
    """Validation loss before the first step, every `every` steps, and after the last."""

    every: PositiveInt = 100


class CheckpointOptions(_Part):
    """A checkpoint every `every` steps and after the last; the newest `keep` stay."""

    every: PositiveInt = 100
    keep: PositiveInt = 3


class TrainRecipe(_Part):
    """A training run: everything that decides its result, and where it goes."""

    name: str = "model"
    data: Path
    out: Path
    seed: NonNegativeInt = 7
    model: ModelOptions = ModelOptions()
    engine: EngineOptions = EngineOptions()
    batch: BatchOptions = BatchOptions()
    optimizer: OptimizerOptions = OptimizerOptions()
    schedule: ScheduleOptions
    precision: Literal["fp32", "bf16"] = "fp32"
    validate_: ValidateOptions = Field(default=ValidateOptions(), alias="validate")
    checkpoint: CheckpointOptions = CheckpointOptions()

    def resolved(self) -> dict[str, Any]:
        """The recipe with every default filled in, as plain data (paths absolute)."""
        return self.model_dump(mode="json", by_alias=True)

    def fingerprint(self) -> str:
        """128 bits of hex over everything but the paths; the data has a fingerprint of its own."""
        from gristmill._core import xxh3_128_hex

        content = {key: value for key, value in self.resolved().items() if key not in _PLACES}
        return xxh3_128_hex(canonical_json(content))

    def trajectory(self) -> dict[str, Any]:
        """The keys that decide each step's weights, flat: what a resumed run must not change.

        Engine, processes and rows per pass may change: they move the last bits of a sum, no more.
        """
        flat = _flatten(self.resolved())
        return {key: value for key, value in flat.items() if key.split(".")[0] not in _FREE | _PLACES
                and key != "batch.micro_rows"}

    def passes(self, world_size: int) -> int:
        """Forward and backward passes that each of `world_size` processes makes per step.

        Raises:
            RecipeError: The engine or the batch does not fit that many processes.
        """
        if self.engine.kind == "single" and world_size > 1:
            raise RecipeError(
                f"engine.kind = single trains in one process, not {world_size}; "
                "set engine.kind to deepspeed, ddp or fsdp, or leave --nproc out"
            )
        share = world_size * self.batch.micro_rows
        if self.batch.rows % share:
            raise RecipeError(
                f"batch.rows = {self.batch.rows} does not divide among {world_size} processes with "
                f"batch.micro_rows = {self.batch.micro_rows}; make it a multiple of {share}"
            )
        return self.batch.rows // share


_PLACES = {"data", "out"}
_FREE = {"name", "engine", "validate", "checkpoint"}
_PATH_KEYS = ("data", "out", "model.from")


def load(recipe: str | Path | dict[str, Any], sets: Iterable[str] = ()) -> TrainRecipe:
    """Read and check a training recipe.

    Args:
        recipe: A YAML file, or its content as a dict (paths relative to the current folder).
        sets: Overrides as ``key.key=value``, the value in YAML.

    Raises:
        RecipeError: The file cannot be read, a key is unknown, or a value is not allowed.
    """
    table, folder, where = _read(recipe)
    table = _absolute(table, folder)
    for item in sets:
        _override(table, item)
    if isinstance(table, dict) and "out" not in table:
        table["out"] = folder / "runs" / str(table.get("name", "model"))
    try:
        return TrainRecipe.model_validate(table)
    except ValidationError as error:
        raise RecipeError("\n".join(_refusal(where, fault) for fault in error.errors())) from None


def _read(recipe: str | Path | dict[str, Any]) -> tuple[dict[str, Any], Path, str]:
    if isinstance(recipe, dict):
        return dict(recipe), Path.cwd(), "recipe"
    path = Path(recipe)
    try:
        table = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"{path}: cannot read the recipe: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(table, dict):
        raise RecipeError(f"{path}: a recipe is a mapping of keys, not {type(table).__name__}")
    return table, path.absolute().parent, str(path)


def _absolute(table: dict[str, Any], folder: Path) -> dict[str, Any]:
    table = {key: dict(part) if isinstance(part, dict) else part for key, part in table.items()}
    for key in _PATH_KEYS:
        *parents, last = key.split(".")
        part = table
        for parent in parents:
            part = part.get(parent) if isinstance(part.get(parent), dict) else {}
        if isinstance(part.get(last), str | Path):
            part[last] = (folder / Path(part[last]).expanduser()).resolve()
    return table


def _override(table: dict[str, Any], item: str) -> None:
    key, equals, text = item.partition("=")
    if not equals or not all(key.split(".")):
        raise RecipeError(f"--set {item!r}: expected key=value, for example --set optimizer.lr=0.001")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RecipeError(f"--set {item!r}: the value is not YAML: {error}") from None
    *parents, last = key.split(".")
    for parent in parents:
        part = table.setdefault(parent, {})
        if not isinstance(part, dict):
            raise RecipeError(f"--set {item!r}: {parent} holds a value, not a mapping")
        table = part
    table[last] = (Path.cwd() / text).resolve() if key in _PATH_KEYS else value


def _refusal(where: str, fault: Any) -> str:
    *parents, last = (str(part) for part in fault["loc"]) if fault["loc"] else ("",)
    key = ".".join([*parents, last])
    if fault["type"] == "extra_forbidden":
        known = _known_keys(parents)
        near = get_close_matches(last, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
        return f"{where}: no option {key!r}; {hint}"
    if fault["type"] == "missing":
        return f"{where}: {key!r} is missing; add it"
    said = fault["msg"].removeprefix("Value error, ")
    said = said[:1].lower() + said[1:]
    if fault["type"] == "value_error":
        return f"{where}: {key or 'recipe'}: {said}"
    return f"{where}: {key} = {fault['input']!r} is refused: {said}"


def _known_keys(parents: list[str]) -> list[str]:
    kind: type[BaseModel] = TrainRecipe
    for parent in parents:
        for name, field in kind.model_fields.items():
            if (field.alias or name) == parent:
                kinds = [field.annotation, *get_args(field.annotation)]
                kind = next(k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel))
    return sorted(field.alias or name for name, field in kind.model_fields.items())


def _flatten(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
