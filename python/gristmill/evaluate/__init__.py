"""Measure a model: so far the perplexity and bits per byte of text it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gristmill.errors import NotBuiltYetError, RecipeError
from gristmill.evaluate.perplexity import perplexity

TASKS = ("perplexity",)


def evaluate(
    model: str | Path,
    tasks: Sequence[str] = TASKS,
    data: str | Path | None = None,
    corpus: str | Path | None = None,
) -> dict[str, dict[str, Any]]:
    """Run evaluation tasks on a Hugging Face model directory.

    Args:
        model: The directory.
        tasks: Names of tasks.
        data: What `perplexity` reads: a text file, JSONL, shards, or a corpus directory.
        corpus: The corpus directory; its validation split is read when `data` is omitted.

    Returns:
        The result of each task, by its name.

    Raises:
        NotBuiltYetError: A task is for a later release.
        RecipeError: There is no model, or nothing to measure it on.
    """
    for task in tasks:
        if task not in TASKS:
            raise NotBuiltYetError(f"task {task!r} is not built yet; there is: {', '.join(TASKS)}")
    if not tasks:
        raise RecipeError(f"no task given; there is: {', '.join(TASKS)}")
    where = data if data is not None else corpus
    if where is None:
        raise RecipeError("perplexity needs text: give --data (a file or shards) or --corpus")
    return {"perplexity": perplexity(model, where)}


__all__ = ["TASKS", "evaluate", "perplexity"]
