"""``gristmill train``: a recipe and a corpus to a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from gristmill.cli.app import Json, app, report


@app.command("train", rich_help_panel="Model")
def train_command(
    recipe: Annotated[Path, typer.Argument(help="The training recipe, a YAML file.")],
    nproc: Annotated[int, typer.Option(help="Processes on this machine.", min=1)] = 1,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a key: optimizer.lr=0.001. Repeatable."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a language model on packed shards. The same command again goes on where it stopped.

    **Example:** `gristmill train pipelines/train/tiny.yaml --nproc 2 --set data=out/my-corpus`
    """
    from gristmill.train import train

    run = train(recipe, nproc, settings or ())
    if run:  # under torchrun only the first process has it
        report(run, as_json, _table(run), f"model: {run['model']}")


def _table(run: dict[str, Any]) -> Table:
    table = Table(title=f"{run['name']}: {run['parameters']:,} parameters")
    for column in ("steps", "tokens", "tokens/s", "loss", "validation loss", "perplexity"):
        table.add_column(column, justify="right")
    before, after = run["validation_loss_before"], run["validation_loss_after"]
    losses = perplexities = "not measured"
    if after is not None:
        losses = f"{before:.4f} -> {after:.4f}"
        perplexities = (
            f"{run['validation_perplexity_before']:,.1f} -> "
            f"{run['validation_perplexity_after']:,.1f}"
        )
    table.add_row(
        f"{run['steps']:,}",
        f"{run['tokens']:,}",
        f"{run['tokens_per_second']:,.0f}",
        f"{run['loss_first']:.3f} -> {run['loss_last']:.3f}",
        losses,
        perplexities,
    )
    return table
