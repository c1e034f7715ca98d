"""Train a causal language model on packed shards: our own loop over DeepSpeed, DDP, FSDP or one process.

The flow is `loop.Loop.run`. A run can be stopped at any moment; the same call goes on from its newest
checkpoint that verifies. Nothing is pickled. torch is imported when training starts, not before.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gristmill.errors import RecipeError
from gristmill.progress import say
from gristmill.train.environment import from_environment

if TYPE_CHECKING:
    from gristmill.train.recipe import TrainRecipe


def train(
    recipe: str | Path | dict[str, Any], nproc: int = 1, sets: Iterable[str] = ()
) -> dict[str, Any]:
    """Train as a recipe says, or go on with the run that its `out` holds.

    Args:
        recipe: A YAML file, or its content.
        nproc: Processes on this machine. Under torchrun, which sets their number, leave it 1.
        sets: Changes to the recipe as ``key.key=value``.

    Returns:
        What the run's ``run.json`` says: ``model`` is the Hugging Face directory,
        ``validation_loss_before`` and ``validation_loss_after`` are nats per token.

    Raises:
        RecipeError: The recipe, its data or `nproc` cannot be used.
        InterruptedRunError: SIGTERM or a full disk; the same call goes on.
        IntegrityError: Shards or tokenizer are not what was written down about them.
    """
    from gristmill.train.data import TrainingData
    from gristmill.train.recipe import load

    checked = load(recipe, sets)
    if nproc < 1:
        raise RecipeError(f"nproc = {nproc} is not allowed: 1 or more")
    rank, world_size = from_environment()
    checked.passes(max(nproc, world_size))
    done = _finished(checked, TrainingData(checked.data).fingerprint)
    if done is not None:
        if rank == 0:
            say(f"{checked.out} is done: {done['steps']:,} steps; nothing to do")
        return done
    if nproc > 1 and world_size == 1:
        from gristmill.train.launch import launch

        return launch(checked, nproc)
    from gristmill.train.sitting import sit

    return sit(checked)


def _finished(recipe: TrainRecipe, data_fingerprint: str) -> dict[str, Any] | None:
    """What ``run.json`` says when this very run is done and its model is there."""
    try:
        run: dict[str, Any] = json.loads((recipe.out / "run.json").read_bytes())
        same = run["fingerprint"] == recipe.fingerprint()
        same = same and run["data"]["fingerprint"] == data_fingerprint
        there = (recipe.out / "model" / "model.safetensors").is_file()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return run if same and there and run["status"] == "done" else None


__all__ = ["train"]
