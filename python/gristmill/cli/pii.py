"""``gristmill pii``: what personal data files or a corpus hold, in counts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from gristmill.cli.app import Json, app, report

commands = typer.Typer(help="Personal data: what texts hold of it.", no_args_is_help=True)
app.add_typer(commands, name="pii", rich_help_panel="Corpus")


@commands.callback()
def group() -> None:
    """Personal data: what texts hold of it."""


@commands.command("report")
def report_command(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...|CORPUS_DIR",
            help="Files, globs, folders or URLs of JSONL, Parquet, Arrow or text; or a corpus.",
            show_default=False,
        ),
    ],
    entity: Annotated[
        list[str] | None,
        typer.Option(help="Only this entity; may be repeated.", show_default="all but names"),
    ] = None,
    names: Annotated[
        bool,
        typer.Option("--names", help="Persons, places, organizations too; needs gristmill[pii]."),
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Documents to read.", show_default="all")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads to use.")] = 1,
    as_json: Json = False,
) -> None:
    """Count the personal data of files, or of a corpus: what is in it and what its build hid.

    Values are never shown: of e-mail addresses the domains, of the rest masked examples.

    **Example:** `gristmill pii report data/*.jsonl.zst`
    """
    from gristmill.pii import NAMES, STRUCTURED
    from gristmill.pii.report import Report

    entities = [*(entity or STRUCTURED), *(NAMES if names else ())]
    counted = Report(entities, threads)
    corpus = Path(inputs[0]) if len(inputs) == 1 and Path(inputs[0], "run.json").exists() else None
    _read(counted, [str(corpus / "documents")] if corpus else inputs, limit)
    hidden = {} if corpus is None else {"hidden_by_the_build": _hidden(corpus)}
    data = {**counted.as_dict(), **hidden}
    report(data, as_json, *_shown(data))


def _read(counted: Any, inputs: Sequence[str], limit: int | None) -> None:
    from gristmill.sources import open_source

    left = limit
    for path in inputs:
        source = open_source(name=path, path=path)
        for split in source.splits():
            for batch in source.read(split):
                docs = batch.docs if left is None else batch.docs.slice(0, left)
                counted.add(docs)
                left = None if left is None else left - docs.num_rows
                if left == 0:
                    return


def _hidden(corpus: Path) -> list[dict[str, Any]]:
    """What the ledger says the build found in the documents it kept."""
    import polars as pl

    from gristmill.cards.losses import entity_counts

    kept = pl.scan_parquet(corpus / "ledger" / "part-*.parquet").filter(
        (pl.col("fate") == "kept") & (pl.col("pii_count") > 0)
    )
    details = kept.select("detail").collect()["detail"].drop_nulls().to_list()
    return [{"entity": name, "found": n} for name, n in entity_counts(details)]


def _shown(data: dict[str, Any]) -> list[RenderableType]:
    shown: list[RenderableType] = [_entities(data)]
    if len(data["sources"]) > 1:
        shown.append(_sources(data["sources"]))
    for key, title, name in (
        ("email_domains", "domains of e-mail addresses", "domain"),
        ("hidden_by_the_build", "hidden by the build", "entity"),
    ):
        if rows := data.get(key):
            table = Table(name, title=title)
            table.add_column("found", justify="right")
            for row in rows:
                table.add_row(escape(row[name]), f"{row['found']:,}")
            shown.append(table)
    return [*shown, *_examples(data["examples"])]


def _entities(data: dict[str, Any]) -> Table:
    table = Table("entity", title=f"personal data in {data['documents']:,} documents")
    for column in ("found", "documents", "found per million documents"):
        table.add_column(column, justify="right")
    for row in data["entities"]:
        per_million = f"{row['found_per_million_documents']:,.0f}"
        table.add_row(row["entity"], f"{row['found']:,}", f"{row['documents']:,}", per_million)
    return table


def _sources(sources: list[dict[str, Any]]) -> Table:
    table = Table("source", title="by source")
    table.add_column("documents", justify="right")
    table.add_column("found", overflow="fold")
    for row in sources:
        found = ", ".join(f"{one['entity']} {one['found']:,}" for one in row["entities"])
        table.add_row(escape(row["source"]), f"{row['documents']:,}", found or "nothing")
    return table


def _examples(examples: dict[str, list[str]]) -> list[str]:
    return [f"{name}: {escape(line)}" for name, lines in examples.items() for line in lines]
