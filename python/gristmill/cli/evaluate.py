"""``gristmill eval``: how good a model is, with error bars."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from gristmill.cli.app import Json, app, report


@app.command("eval", rich_help_panel="Model")
def eval_command(
    model: Annotated[Path, typer.Argument(help="Hugging Face model directory.")],
    tasks: Annotated[str, typer.Option(help="Tasks, separated by commas.")] = "perplexity",
    data: Annotated[
        Path | None, typer.Option(help="Text, JSONL, shards or a corpus for perplexity.")
    ] = None,
    corpus: Annotated[
        Path | None, typer.Option(help="Corpus directory; its validation split is measured.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure a model: perplexity and bits per byte, with standard errors.

    **Example:** `gristmill eval runs/tiny/model --tasks perplexity --data book.txt`
    """
    from gristmill.evaluate import evaluate

    names = [task.strip() for task in tasks.split(",") if task.strip()]
    results = evaluate(model, names, data, corpus)
    figures = {
        name: results["perplexity"][name] for name in ("loss", "perplexity", "bits_per_byte")
    }
    content = {"model": str(model), **figures, "tasks": results}
    report(content, as_json, *map(_table, results.values()))


def _table(result: dict[str, Any]) -> Table:
    table = Table("figure", "value", "standard error", title=f"perplexity of {result['data']}")
    for name in ("loss", "perplexity", "bits_per_byte"):
        error = result[f"{name}_stderr"]
        table.add_row(name, f"{result[name]:,.4f}", "-" if error is None else f"{error:,.4f}")
    for name in ("tokens", "bytes", "rows"):
        table.add_row(name, f"{result[name]:,}", "")
    return table
