"""Engines map tasks over items and give the results in order; they decide nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from gristmill.engines import local
from gristmill.errors import NotBuiltYetError, RecipeError

Item = TypeVar("Item")
Result = TypeVar("Result")

ENGINES = ("local", "ray", "slurm")


def check_engine(engine: str) -> None:
    """Refuse an engine that does not exist or is not built yet."""
    if engine not in ENGINES:
        raise RecipeError(f"engine {engine!r} does not exist; use one of: {', '.join(ENGINES)}")
    if engine != "local":
        raise NotBuiltYetError(f"engine {engine!r} is not built yet; use local")


def run_all(
    task: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    engine: str = "local",
    workers: int = 1,
) -> Iterator[Result]:
    """Yield ``task(item)`` for each item, in the order of the items.

    Args:
        task: A function of a module, so that another process can find it.
        items: Small, picklable descriptions of work; data travels by file.
        engine: ``local``: processes of this machine.
        workers: How many tasks run at once; the results do not depend on it.
    """
    check_engine(engine)
    return local.run_all(task, items, workers)
