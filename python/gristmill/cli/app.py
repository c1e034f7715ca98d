"""The Typer app that every command group registers on, and how commands print.

Data goes to stdout, everything else to stderr. With ``--json`` a command prints one JSON object.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType

from gristmill.errors import GristmillError, InterruptedRunError, NotBuiltYetError
from gristmill.progress import show

app = typer.Typer(
    name="gristmill",
    help="Raw text in; a documented corpus and a trained, quantised language model out.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")
]

CTRL_C = 130

WIDTH = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 120
"""Columns of the tables in a file or pipe, which have no width of their own."""

stdout = Console(width=WIDTH)
stderr = Console(stderr=True, highlight=False)


def report(data: dict[str, Any], as_json: bool, *human: RenderableType) -> None:
    """Print a command's result: `data` as JSON when asked for, else the `human` renderables."""
    if as_json:
        print(json.dumps(data, ensure_ascii=False, default=str))
        return
    for renderable in human:
        stdout.print(renderable)


def not_built_yet(command: str) -> None:
    """Refuse a command that the interface promises and a later release brings."""
    raise NotBuiltYetError(
        f"gristmill {command} is not built yet; `gristmill --help` marks what is"
    )


def run(invoke: Callable[[], Any]) -> int:
    """Run one command and turn the way it ends into the exit code of the interface."""
    signal.signal(signal.SIGTERM, _terminate)
    show()
    try:
        invoke()
    except SystemExit as end:  # Typer's own end: done, wrong use (2) or Ctrl-C (130)
        if end.code == CTRL_C:
            return _fail("stopped by Ctrl-C; the same command goes on from here", CTRL_C)
        return int(end.code or 0)
    except KeyboardInterrupt:
        return _fail("stopped by Ctrl-C; the same command goes on from here", CTRL_C)
    except GristmillError as error:
        return _fail(str(error), error.exit_code)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _fail(
                f"the disk is full ({error.filename or 'while writing'}); free some space, "
                "then run the same command again: it goes on from here",
                InterruptedRunError.exit_code,
            )
        return _fail(str(error), 1)
    return 0


def _terminate(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise InterruptedRunError("stopped by SIGTERM; the same command goes on from here")


def _fail(message: str, code: int) -> int:
    stderr.print(f"[bold red]error:[/] {_escape(message)}", soft_wrap=True)
    return code


def _escape(message: str) -> str:
    return message.replace("[", "\\[")
