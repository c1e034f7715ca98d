"""The console script ``gristmill``: one module a command group; each parses, calls, prints."""

from __future__ import annotations

import sys

from gristmill.cli import (  # noqa: F401 - importing a module registers its commands
    build,
    calibrate,
    card,
    classifier,
    compare,
    decontaminate,
    dedup,
    demo,
    encode,
    evaluate,
    export,
    inspect,
    later,
    pii,
    serve,
    tokenizer,
    trace,
    train,
    verify,
    why,
)
from gristmill.cli.app import app, run


def main() -> None:
    """Run the command line and exit with the interface's code."""
    sys.exit(run(app))
