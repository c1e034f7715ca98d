"""Progress of long work on stderr: a bar in a terminal, a plain line every few seconds elsewhere.

The library is silent until the command line calls `show()`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

Advance = Callable[[float], None]
"""Say that so many more units are done."""

LINE_EVERY_S = 5.0
_shown = False


def show(shown: bool = True) -> None:
    """Turn progress on (the command line does) or off."""
    global _shown  # one process, one stderr
    _shown = shown


def shown() -> bool:
    """Whether progress is on."""
    return _shown


@contextmanager
def progress(label: str, total: float | None = None, unit: str = "docs") -> Iterator[Advance]:
    """Show how far `label` is; the block calls the yielded function with each step's size.

    Args:
        label: What is being done.
        total: How many units there are, when known.
        unit: What is counted, for the rate: ``MB`` gives ``12.3 MB/s``.
    """
    if not _shown:
        yield lambda step: None
    elif sys.stderr.isatty():
        yield from _bar(label, total, unit)
    else:
        yield from _lines(label, total, unit)


def say(message: str) -> None:
    """Print one line of progress, when progress is shown."""
    if _shown:
        Console(stderr=True, highlight=False).print(message)


def _bar(label: str, total: float | None, unit: str) -> Iterator[Advance]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<24}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
    )
    start, done = time.monotonic(), 0.0
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=total, rate="")

        def advance(step: float) -> None:
            nonlocal done
            done += step
            rate = done / max(time.monotonic() - start, 1e-9)
            bar.update(task, advance=step, rate=f"{rate:,.1f} {unit}/s")

        yield advance
        bar.update(task, completed=done, total=total or done)


def _lines(label: str, total: float | None, unit: str) -> Iterator[Advance]:
    start, done, said = time.monotonic(), 0.0, time.monotonic()

    def line(word: str) -> None:
        seconds = max(time.monotonic() - start, 1e-9)
        part = f" of {total:,.0f}" if total else ""
        print(
            f"{label}: {word}{done:,.0f}{part} {unit}, {done / seconds:,.1f} {unit}/s, "
            f"{seconds:.1f} s",
            file=sys.stderr,
            flush=True,
        )

    def advance(step: float) -> None:
        nonlocal done, said
        done += step
        if time.monotonic() - said >= LINE_EVERY_S:
            said = time.monotonic()
            line("")

    yield advance
    line("done, ")
