"""The training recipe: one YAML file, checked before any work, and its fingerprint.

Paths in a recipe are relative to the recipe's folder; paths given to ``--set`` are relative to the
current folder, like every path on a command line. An unknown key is refused with a suggestion.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from gristmill.config import Options, check, fingerprint, override, read_yaml
from gristmill.errors import RecipeError


class ModelOptions(Options):
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
    def _shapes_fit(self) -> Self:
        if self.source is not None:
            given = sorted(self.model_fields_set - {"source"})
            if given:
                raise ValueError(f"`from` brings its own shape; remove {', '.join(given)}")
        elif self.hidden_size % self.heads:
            raise ValueError(
                f"heads = {self.heads} does not divide hidden_size = {self.hidden_size}"
            )
        elif self.heads % (self.kv_heads or self.heads):
            raise ValueError(f"kv_heads = {self.kv_heads} does not divide heads = {self.heads}")
        elif self.family == "gpt2" and self.kv_heads not in (None, self.heads):
            raise ValueError("gpt2 has no grouped-query attention; remove kv_heads")
        return self


class EngineOptions(Options):
    """How processes share the work; `zero` is DeepSpeed's ZeRO stage (arXiv:1910.02054)."""

    kind: Literal["deepspeed", "fsdp", "ddp", "single"] = "single"
    zero: Literal[0, 1, 2, 3] | None = None

    @model_validator(mode="after")
    def _zero_needs_deepspeed(self) -> Self:
        if self.zero is not None and self.kind != "deepspeed":
            raise ValueError(f"zero = {self.zero} belongs to kind: deepspeed, not {self.kind}")
        return self

    @property
    def stage(self) -> int:
        """The ZeRO stage that a deepspeed engine runs; 1 when not said."""
        return 1 if self.zero is None else self.zero


class BatchOptions(Options):
    """`rows` a step over all processes, taken `micro_rows` at a time by each process."""

    rows: PositiveInt = 32
    micro_rows: PositiveInt = 4


class OptimizerOptions(Options):
    """AdamW (arXiv:1711.05101); defaults as GPT-3 had them (arXiv:2005.14165, appendix B).

    Weight decay is for matrices: norms, biases and embeddings have none.
    """

    lr: PositiveFloat = 1e-3
    weight_decay: NonNegativeFloat = 0.1
    betas: tuple[float, float] = (0.9, 0.95)
    eps: PositiveFloat = 1e-8
    clip: NonNegativeFloat = 1.0

    @model_validator(mode="after")
    def _betas_are_averages(self) -> Self:
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas = {list(self.betas)}: each is at least 0 and less than 1")
        return self


class ScheduleOptions(Options):
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
    def _warmup_ends(self) -> Self:
        if self.warmup_steps > self.steps:
            raise ValueError(
                f"warmup_steps = {self.warmup_steps} is more than steps = {self.steps}"
            )
        return self


class ValidateOptions(Options):
    """Validation loss before the first step, every `every` steps, and after the last."""

    every: PositiveInt = 100


class CheckpointOptions(Options):
    """A checkpoint every `every` steps and after the last; the newest `keep` stay."""

    every: PositiveInt = 100
    keep: PositiveInt = 3


class TrainRecipe(Options):
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
    validation: ValidateOptions = Field(default=ValidateOptions(), alias="validate")
    checkpoint: CheckpointOptions = CheckpointOptions()

    def resolved(self) -> dict[str, Any]:
        """The recipe with every default filled in, as plain data (paths absolute)."""
        table = self.model_dump(mode="json", by_alias=True)
        source = table["model"].pop("from")
        return table | {"model": {"from": source}} if source else table

    def fingerprint(self) -> str:
        """128 bits of hex over everything but `data` and `out`; the data has its own."""
        return fingerprint({k: v for k, v in self.resolved().items() if k not in _PLACES})

    def trajectory(self) -> dict[str, Any]:
        """The keys that decide each step's weights, flat: what a resumed run must not change.

        Engine, processes and rows per pass may change: they move the last bits of a sum, no more.
        """
        flat = _flatten(self.resolved())
        return {
            key: value
            for key, value in flat.items()
            if key.split(".")[0] not in _FREE | _PLACES and key != "batch.micro_rows"
        }

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


def load(recipe: str | Path | dict[str, Any], sets: Iterable[str] = ()) -> TrainRecipe:
    """Read and check a training recipe.

    Args:
        recipe: A YAML file, or its content as a dict (paths relative to the current folder).
        sets: Changes as ``key.key=value``, the value in YAML.

    Raises:
        RecipeError: The file cannot be read, a key is unknown, or a value is not allowed.
    """
    if isinstance(recipe, dict):
        table, folder, where = recipe, Path.cwd(), "recipe"
    else:
        path = Path(recipe)
        table, folder, where = read_yaml(path), path.absolute().parent, str(path)
    table = _absolute(override(_absolute(table, folder), sets), Path.cwd())
    table.setdefault("out", folder / "runs" / str(table.get("name", "model")))
    return check(TrainRecipe, table, where)


def _absolute(table: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The recipe with its relative paths joined to `folder`."""
    made = dict(table)
    for key in ("data", "out"):
        if isinstance(made.get(key), str | Path):
            made[key] = (folder / Path(made[key]).expanduser()).absolute()
    model = made.get("model")
    if isinstance(model, dict) and isinstance(model.get("from"), str | Path):
        source = (folder / Path(model["from"]).expanduser()).absolute()
        made["model"] = model | {"from": source}
    return made


def _flatten(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
