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
    report(run, as_json, _table(run), f"model: {run.get('model')}")


def _table(run: dict[str, Any]) -> Table:
    table = Table(title=f"{run.get('name')}: {run.get('parameters', 0):,} parameters")
    for column in ("steps", "tokens", "tokens/s", "loss", "validation loss", "perplexity"):
        table.add_column(column, justify="right")
    before, after = run.get("validation_loss_before"), run.get("validation_loss_after")
    table.add_row(
        f"{run.get('steps', 0):,}",
        f"{run.get('tokens', 0):,}",
        f"{run.get('tokens_per_second') or 0:,.0f}",
        f"{run.get('loss_first') or 0:.3f} -> {run.get('loss_last') or 0:.3f}",
        "not measured" if after is None else f"{before:.4f} -> {after:.4f}",
        "not measured"
        if after is None
        else f"{run['validation_perplexity_before']:,.1f} -> {run['validation_perplexity_after']:,.1f}",
    )
    return table
