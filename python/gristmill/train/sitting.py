"""One sitting of a run in one process: open or go on, train, write the model and ``run.json``."""

from __future__ import annotations

import fcntl
import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn

from gristmill.errors import RecipeError
from gristmill.files import write_json
from gristmill.progress import say
from gristmill.train import checkpoint, model_directory
from gristmill.train.checkpoint import Checkpoint
from gristmill.train.data import TrainingData
from gristmill.train.engine import Tensors, open_engine
from gristmill.train.loop import Loop, State
from gristmill.train.model import build
from gristmill.train.processes import Place, joined, set_rng_states
from gristmill.train.recipe import TrainRecipe
from gristmill.train.report import Metrics

LOCK_WAIT_S = 15.0


def sit(recipe: TrainRecipe) -> dict[str, Any]:
    """Train in this process, with the others that the environment names, to the end.

    Returns:
        What ``run.json`` says; empty in all processes but the first.
    """
    recipe.out.mkdir(parents=True, exist_ok=True)
    with (
        joined(recipe.engine.kind != "single") as place,
        _locked(recipe.out, place),
        _seeded(recipe.seed, place),
    ):
        data = TrainingData(recipe.data)
        passes = recipe.passes(place.world_size)
        found = _agreed_checkpoint(recipe, data, place)
        model = build(recipe.model, data.seq_len, data.vocab_size, data.end_token_id, recipe.seed)
        state, moments = State(), Tensors()
        if found is not None:
            state = State(**found.record["state"])
            moments = _load(found, model, place)
        run = _Run(recipe, data, place, model, state)
        engine = open_engine(recipe, place, model, passes, moments, state.step)
        del moments
        with Metrics(recipe.out / "metrics.jsonl", state.step, place.rank == 0) as metrics:
            if place.rank == 0:
                run.write("running")
            Loop(recipe, data, engine, state, recipe.out, metrics).run()
        weights, _ = engine.state()
        if place.rank != 0:
            return {}
        model_directory.write(recipe, data, model.config, weights, asdict(state))
        return run.write("done")


@contextmanager
def _seeded(seed: int, place: Place) -> Iterator[None]:
    """Set torch's generators (dropout draws from them) for this process; put them back after."""
    with torch.random.fork_rng([place.device] if place.device.type == "cuda" else []):
        torch.manual_seed(seed + place.rank)
        yield


@contextmanager
def _locked(out: Path, place: Place) -> Iterator[None]:
    """Keep a second run out of the folder; the system lifts the lock however this one ends."""
    if place.rank != 0:
        yield
        return
    with (out / ".lock").open("w") as file:
        until = time.monotonic() + LOCK_WAIT_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise RecipeError(
                        f"another run is training into {out}; use another `out`"
                    ) from None
                time.sleep(0.2)
        yield


def _agreed_checkpoint(recipe: TrainRecipe, data: TrainingData, place: Place) -> Checkpoint | None:
    """The checkpoint to go on from: the first process chooses, all of them use it."""
    folder, found = recipe.out / "checkpoints", None
    if place.rank == 0:
        refused: list[str] = []
        found = checkpoint.newest(folder, refused.append)
        for line in refused:
            say(f"[yellow]{line.replace('[', chr(92) + '[')}[/]")
        if found is not None:
            _check_same_run(found, recipe, data)
            say(f"going on from {found.path.name}, which verified")
        elif refused:
            say("no checkpoint verifies; starting from the first step")
    if place.world_size == 1:
        return found
    chosen = torch.tensor([-1 if found is None else found.step], device=place.device)
    distributed.broadcast(chosen, src=0)
    if place.rank == 0 or int(chosen) < 0:
        return found
    return checkpoint.verify(checkpoint.path_of(folder, int(chosen)))


def _check_same_run(found: Checkpoint, recipe: TrainRecipe, data: TrainingData) -> None:
    """Refuse to go on from a checkpoint of another run.

    Raises:
        RecipeError: Data or recipe differ; names the keys.
    """
    if found.record["data_fingerprint"] != data.fingerprint:
        raise RecipeError(
            f"{recipe.out} holds a run on other data ({found.record['data_fingerprint']}, the "
            f"corpus is {data.fingerprint}); use another `out`"
        )
    before, now = found.record["trajectory"], recipe.trajectory()
    changed = [
        f"{key} = {now.get(key)} (there {before.get(key)})"
        for key in sorted(before | now)
        if before.get(key) != now.get(key)
    ]
    if changed:
        raise RecipeError(
            f"{recipe.out} holds a run of another recipe: {', '.join(changed)}; use another `out`, "
            "or remove that folder"
        )


def _load(found: Checkpoint, model: nn.Module, place: Place) -> dict[str, Tensor]:
    """Set weights and generators from a checkpoint; the moments, for the engine."""
    weights = found.tensors("model")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(weights[name])
    set_rng_states(place, found.tensors("rng"))
    return found.tensors("optimizer")


class _Run:
    """What ``run.json`` says."""

    def __init__(
        self, recipe: TrainRecipe, data: TrainingData, place: Place, model: nn.Module, state: State
    ) -> None:
        self.recipe, self.state, self.seq_len = recipe, state, data.seq_len
        self.fixed = {
            "name": recipe.name,
            "status": "running",
            "fingerprint": recipe.fingerprint(),
            "recipe": recipe.resolved(),
            "data": data.summary(),
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "engine": {
                "kind": recipe.engine.kind,
                "zero": recipe.engine.stage if recipe.engine.kind == "deepspeed" else None,
                "processes": place.world_size,
                "threads": torch.get_num_threads(),
                "device": place.device.type,
                "resumed_at_step": state.step,
            },
            "versions": _versions(recipe),
        }

    def write(self, status: str) -> dict[str, Any]:
        """Write the file; give what it says."""
        state = self.state
        rows = state.step * self.recipe.batch.rows
        content = self.fixed | {
            "status": status,
            "steps": state.step,
            "tokens": rows * self.seq_len,
            "seconds": round(state.seconds, 3),
            "tokens_per_second": round(rows * self.seq_len / state.seconds, 1) if rows else None,
            "loss_first": state.loss_first,
            "loss_last": state.loss_last,
            "validation_loss_before": state.validation_first,
            "validation_loss_after": state.validation_last,
            "validation_perplexity_before": _perplexity(state.validation_first),
            "validation_perplexity_after": _perplexity(state.validation_last),
            "model": str(self.recipe.out / "model"),
        }
        write_json(self.recipe.out / "run.json", content)
        return content


def _perplexity(loss: float | None) -> float | None:
    return None if loss is None else math.exp(min(loss, 700))


def _versions(recipe: TrainRecipe) -> dict[str, str]:
    names = ["gristmill", "torch", "transformers", "safetensors"]
    names += ["deepspeed"] if recipe.engine.kind == "deepspeed" else []
    found = {"python": sys.version.split()[0]}
    for name in names:
        with suppress(PackageNotFoundError):  # a source tree that is not installed
            found[name] = version(name)
    return found
