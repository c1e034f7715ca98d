"""Commands of the interface that a later release builds: present, honest, exit code 2."""

from __future__ import annotations

from typing import Annotated

import typer

from gristmill.cli.app import app, not_built_yet

LATER = {
    "forget": "Remove documents and their near-duplicates; rebuild only what they touched.",
    "plan": "Memory per ZeRO stage, tokens per parameter, steps, disk for checkpoints.",
    "check": "Decode the first batches with their masks; fail on the faults that ruin runs.",
    "finetune": "Full, LoRA and the other methods, SFT, DPO, reward, classification.",
}


def _add(name: str, summary: str) -> None:
    @app.command(
        name,
        help=f"{summary} **Not built yet.**",
        rich_help_panel="Not built yet",
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )
    def command(
        arguments: Annotated[list[str] | None, typer.Argument(show_default=False)] = None,
    ) -> None:
        del arguments
        not_built_yet(name)


for _name, _summary in LATER.items():
    _add(_name, _summary)
