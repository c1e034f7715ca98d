"""What a run says while it trains: progress on stderr, ``metrics.jsonl`` on disk.

In a terminal a bar, elsewhere a plain line every few seconds; the first process only.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from gristmill.files import atomic_write
from gristmill.progress import LINE_EVERY_S, say, shown

Row = dict[str, Any]


class Metrics:
    """``metrics.jsonl``: a row a step, and a row with `validation_loss` for each validation.

    Opening it for a run that goes on from `step` drops the rows of later steps, which are made
    again. Only the process that `writes` touches the file.
    """

    def __init__(self, path: Path, step: int, writes: bool = True) -> None:
        self._file = None
        if writes:
            rows = path.read_bytes().splitlines(keepends=True) if path.is_file() else []
            with atomic_write(path) as file:
                file.writelines(row for row in rows if _is_kept(row, step))
            self._file = path.open("ab")

    def write(self, row: Row) -> None:
        """Append a row; it is on its way to the disk when this returns."""
        if self._file is not None:
            self._file.write(json.dumps(row).encode() + b"\n")
            self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        if self._file is not None:
            self._file.close()


def _is_kept(row: bytes, step: int) -> bool:
    try:
        return bool(json.loads(row)["step"] <= step)
    except (ValueError, KeyError, TypeError):
        return False  # a row cut short by a kill


class Display(Protocol):
    """Shows where the run is."""

    def __call__(self, step: int, loss: float, tokens_per_s: float, left_s: float) -> None:
        """Show one step."""
        ...


@contextmanager
def display(label: str, steps: int, first: bool) -> Iterator[Display]:
    """Show the steps of a run of `steps`: loss, tokens a second, time left."""
    if not first or not shown():
        yield _nothing
    elif sys.stderr.isatty():
        yield from _bar(label, steps)
    else:
        yield from _lines(label, steps)


def say_validation(step: int, loss: float) -> None:
    """Say what a validation found."""
    say(f"step {step:,}: validation loss {loss:.4f}, perplexity {math.exp(min(loss, 700)):,.1f}")


def _nothing(step: int, loss: float, tokens_per_s: float, left_s: float) -> None:
    del step, loss, tokens_per_s, left_s


def _bar(label: str, steps: int) -> Iterator[Display]:
    columns = (
        TextColumn(label),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[at]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=steps, at="")

        def show(step: int, loss: float, tokens_per_s: float, left_s: float) -> None:
            bar.update(task, completed=step, at=_place(step, steps, loss, tokens_per_s, left_s))

        yield show


def _lines(label: str, steps: int) -> Iterator[Display]:
    said = time.monotonic()

    def show(step: int, loss: float, tokens_per_s: float, left_s: float) -> None:
        nonlocal said
        if time.monotonic() - said >= LINE_EVERY_S or step == steps:
            said = time.monotonic()
            line = _place(step, steps, loss, tokens_per_s, left_s)
            print(f"{label}: {line}", file=sys.stderr, flush=True)

    yield show


def _place(step: int, steps: int, loss: float, tokens_per_s: float, left_s: float) -> str:
    minutes, seconds = divmod(round(left_s), 60)
    left = f"{minutes}:{seconds:02d} left"
    return f"step {step:,} of {steps:,}, loss {loss:.3f}, {tokens_per_s:,.0f} tokens/s, {left}"
