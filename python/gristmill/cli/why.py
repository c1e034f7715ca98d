"""``gristmill why``: what became of one input document."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from gristmill.cli.app import Json, app, report

MARKS = {
    "passed": "[green]passed[/]",
    "changed": "[yellow]changed[/]",
    "dropped": "[red]dropped[/]",
}


@app.command("why", rich_help_panel="Corpus")
def why_command(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="A corpus directory.", show_default=False)
    ],
    doc_id: Annotated[str, typer.Argument(help="Id of an input document.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Tell the fate of one input document, stage by stage: passed, changed or dropped, and why.

    **Example:** `gristmill why out/demo/corpus 3f2a9c0d5b7e41c8a6d2f0e19b8c7a54`
    """
    from gristmill.cards.fate import why

    found = why(directory, doc_id)
    lines: list[RenderableType] = [_origin(found["document"]), _stages(found["stages"])]
    if found["twin"]:
        lines.append(_twin(found["document"], found["twin"]))
    if found["earlier"]:
        lines.append(_original(found["earlier"]))
    lines += [_ending(found), *_measured(found["measured"])]
    report(found, as_json, *lines)


def _origin(row: dict[str, Any]) -> str:
    where = f" · {row['url']}" if row["url"] else ""
    text = f"{row['id']}  {row['source']} · {row['license']}{where}"
    return f"[bold]{escape(text)}[/]"


def _twin(row: dict[str, Any], twin: dict[str, Any]) -> str:
    """Where the text of a copy, or the longest passage that was cut, is to be found."""
    copied = row["fate"] == "dropped" and row["stage"] != "exact_substrings"
    what = "Its text" if copied else "Its longest cut"
    verb = "stays in" if twin["fate"] == "kept" else "stood first in"
    return f"{what} {verb} {_origin(twin)}, which was {twin['fate']}."


def _original(row: dict[str, Any]) -> str:
    """The document of an earlier corpus that a copy repeats."""
    where = row["path"] or row["corpus"]
    origin = _origin(row) if "source" in row else f"[bold]{escape(row['id'])}[/]"
    text = f"Its text stays in {origin}, in the earlier corpus {escape(where)}"
    return f"{text}." if "source" in row else f"{text}, which is not there any more as it was."


def _stages(stages: list[dict[str, Any]]) -> Table:
    table = Table("stage", "", "reason", "detail")
    for stage in stages:
        table.add_row(
            stage["stage"],
            MARKS[stage["outcome"]],
            escape(stage.get("reason") or ""),
            escape(stage.get("detail") or ""),
        )
    return table


def _ending(found: dict[str, Any]) -> str:
    row, place, copies = found["document"], found["place"], found["copies"]
    text = f"{row['fate']}: {row['bytes_in']:,} bytes in, {row['bytes_out']:,} bytes out"
    if place:
        text += f"; row {place['row']:,} of {place['file']}"
        text += f", {place['tokens']:,} tokens" if "tokens" in place else ""
    if copies["documents"]:
        text += (
            f"; {copies['documents']:,} later documents repeat it, e.g. {copies['first'][0]['id']}"
        )
    return escape(text)


def _measured(measured: dict[str, Any]) -> list[str]:
    """The signals that were measured of the document, on one line."""
    if not measured:
        return []
    pairs = (
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in measured.items()
    )
    return [f"[dim]{escape(', '.join(pairs))}[/]"]
