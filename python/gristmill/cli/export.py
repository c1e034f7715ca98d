"""``gristmill export``: a trained model as files that other programs run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from gristmill.cli.app import Json, app, report


@app.command("export", rich_help_panel="Model")
def export_command(
    model: Annotated[Path, typer.Argument(help="Hugging Face model directory.")],
    to: Annotated[
        str, typer.Option(help="Targets, separated by commas: gguf:f32, :f16, :bf16, :q8_0.")
    ] = "gguf:f16,gguf:q8_0",
    out: Annotated[Path, typer.Option(help="Folder for the files and export.json.")] = Path(
        "export"
    ),
    as_json: Json = False,
) -> None:
    """Write a model as GGUF, with its tokenizer and the lineage of its data inside.

    **Example:** `gristmill export runs/tiny/model --to gguf:f16,gguf:q8_0 --out out`
    """
    from gristmill.export import export

    result = export(model, to, out)
    report(result | {"out": str(out)}, as_json, _table(result, out))


def _table(result: dict[str, Any], out: Path) -> Table:
    table = Table("target", "file", "MB", "seconds", "tensors", title=f"export of {result['name']}")
    for target, file in result["files"].items():
        tensors = ", ".join(f"{count} {kind}" for kind, count in file["tensors"].items())
        table.add_row(
            target,
            str(out / file["file"]),
            f"{file['bytes'] / 1e6:,.1f}",
            f"{file['seconds']:.1f}",
            tensors,
        )
    return table
