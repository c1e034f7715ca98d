"""``gristmill why``: what became of input documents."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from gristmill.cli.app import Json, app, report, stderr

STDIN = "-"

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
    doc_ids: Annotated[
        list[str],
        typer.Argument(
            metavar="DOC_ID…",
            help="Ids of input documents; - reads them from stdin, one a line.",
            show_default=False,
        ),
    ],
    as_json: Json = False,
) -> None:
    """Tell the fate of input documents, stage by stage: passed, changed or dropped, and why.

    **Example:** `gristmill why out/demo/corpus 3f2a9c0d5b7e41c8a6d2f0e19b8c7a54`
    """
    from gristmill.cards.fate import fates, unknown, why

    if len(doc_ids) == 1 and doc_ids[0] != STDIN:
        found = why(directory, doc_ids[0])
        report(found, as_json, *_told(found))
        return
    wanted = list(_given(doc_ids))
    answers = fates(directory, wanted)
    blocks = () if as_json else (part for found in answers.values() for part in _told(found))
    report({"answers": list(answers.values())}, as_json, *blocks)
    if missing := [doc_id for doc_id in dict.fromkeys(wanted) if doc_id not in answers]:
        for message in unknown(directory, missing):
            stderr.print(f"[bold red]error:[/] {escape(message)}", soft_wrap=True)
        raise typer.Exit(1)


def _given(doc_ids: list[str]) -> Iterator[str]:
    for doc_id in doc_ids:
        if doc_id == STDIN:
            yield from filter(None, map(str.strip, sys.stdin))
        else:
            yield doc_id


def _told(found: dict[str, Any]) -> list[RenderableType]:
    lines: list[RenderableType] = [_origin(found["document"]), _stages(found["stages"])]
    if found["twin"]:
        lines.append(_twin(found["document"], found["twin"]))
    if found["earlier"]:
        lines.append(_original(found["earlier"]))
    return [*lines, _ending(found), *_measured(found["measured"])]


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
