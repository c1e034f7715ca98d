"""``gristmill inspect``: random kept and dropped documents, and what other thresholds would do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.markup import escape
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from gristmill.cli.app import Json, app, report, stdout

SHOWN_CHARS = 2_000
"""Characters of a text in the terminal; the HTML page and the JSON show more."""


@app.command("inspect", rich_help_panel="Corpus")
def inspect_command(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="A corpus directory.", show_default=False)
    ],
    reason: Annotated[
        str | None, typer.Option(help="Only this drop reason; kept for kept documents.")
    ] = None,
    stage: Annotated[str | None, typer.Option(help="Only what this stage dropped.")] = None,
    source: Annotated[str | None, typer.Option(help="Only documents of this source.")] = None,
    n: Annotated[int, typer.Option("--n", "-n", help="Documents per reason.", min=1)] = 5,
    seed: Annotated[int, typer.Option(help="Another seed shows other documents.")] = 7,
    html: Annotated[
        Path | None, typer.Option(help="Write one HTML page instead, which loads nothing.")
    ] = None,
    texts: Annotated[
        bool, typer.Option("--text/--no-text", help="Show texts; dropped ones are read again.")
    ] = True,
    recipe: Annotated[
        Path | None,
        typer.Option(help="The recipe's file, when its paths are relative to its folder."),
    ] = None,
    thresholds: Annotated[
        bool, typer.Option("--thresholds", help="Show what other thresholds would drop instead.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show random kept and dropped documents per reason, or what other thresholds would drop.

    **Example:** `gristmill inspect out/demo/corpus --stage quality --html look.html`
    """
    from gristmill.inspection import drop_rates, sample

    if thresholds:
        rates = drop_rates(directory, texts=texts, recipe=recipe)
        report(rates, as_json, *rate_tables(rates))
        return
    found = sample(
        directory, n=n, seed=seed, reason=reason, stage=stage, source=source, recipe=recipe,
        texts=texts,
    )  # fmt: skip
    if html is not None:
        from gristmill.inspection.page import write_page

        write_page(found, html)
        report({"html": str(html), **found}, as_json, f"wrote {escape(str(html))}")
    elif as_json:
        report(found, as_json)
    else:
        os.environ.setdefault("LESS", "-FR")  # else less shows styles as escape sequences
        with stdout.pager(styles=True) if stdout.is_terminal else nullcontext():
            report({}, False, *_shown(found))


def _shown(found: dict[str, Any]) -> Iterator[RenderableType]:
    for group in found["groups"]:
        title = f"{group['stage']}: {group['reason']}" if group["stage"] else group["reason"]
        yield Rule(Text(f"{title} · {len(group['shown']):,} of {group['documents']:,}"))
        for one in group["shown"]:
            yield from _document(one)


def _document(one: dict[str, Any]) -> Iterator[RenderableType]:
    row, twin = one["document"], one["twin"]
    origin = (row["source"], row["license"], row["url"], f"{row['bytes_in']:,} bytes")
    yield Text.assemble((row["id"], "bold"), "  ", " · ".join(filter(None, origin)))
    if row["detail"]:
        yield Text(row["detail"], style="yellow")
    if pairs := [f"{name} {_short(value)}" for name, value in one["measured"].items() if value]:
        yield Text(", ".join(pairs), style="dim")
    if "text" in one:
        yield _clipped(one["text"], one["common"]) if one["text"] else Text(one["note"])
    if twin:
        yield Text(f"twin {twin['id']} of {twin['source']}, {twin['fate']}", style="cyan")
        if one.get("twin_text") not in (None, one.get("text")):
            yield _clipped(one["twin_text"], [])
    yield ""


def _clipped(given: str, common: list[tuple[int, int]]) -> Text:
    text = Text(given)
    for start, end in common:
        text.stylize("underline", start, end)
    if (left := len(text) - SHOWN_CHARS) > 0:
        text.truncate(SHOWN_CHARS)
        text.append(f"\n… {left:,} more characters", style="dim")
    return text


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def rate_tables(rates: dict[str, Any]) -> list[RenderableType]:
    """What `inspection.drop_rates` found, as tables."""
    return [
        *([_threshold_table(rates), _example_table(rates)] if rates["thresholds"] else []),
        _license_table(rates["licenses"]),
    ]


def _threshold_table(rates: dict[str, Any]) -> Table:
    table = Table(
        title="what other thresholds would drop",
        caption=f"{rates['caption']}. Read: {rates['documents']:,} documents.",
    )
    table.add_column("drops", overflow="fold")
    for column in ("measured", "×½", "×¾", "at present", "×1¼", "×1½"):
        table.add_column(column, justify="right")
    for row in rates["thresholds"]:
        cells = [_rate(rate) for rate in row["rates"]]
        shown = cells if len(cells) > 1 else ["", "", *cells]
        sign = "<" if row["side"] == "low" else ">"
        table.add_row(f"{row['signal']} {sign}", f"{row['measured']:,}", *shown)
    return table


def _example_table(rates: dict[str, Any]) -> Table:
    """The documents nearest to each threshold, where one breaks it."""
    table = Table(title="nearest to each threshold")
    table.add_column("drops", overflow="fold", min_width=20)
    table.add_column("value", justify="right", min_width=7)
    for column in ("document", "begins with"):
        table.add_column(column, overflow="ellipsis", no_wrap=True, max_width=36)
    for row in rates["thresholds"]:
        sign = "<" if row["side"] == "low" else ">"
        if not any(one["breaks"] for one in row["examples"]):
            continue
        for one in row["examples"]:
            drops = f"{row['signal']} {sign} {row['threshold']:g}" if one["breaks"] else "  not"
            begins = escape(one["text"] or "")
            table.add_row(drops, f"{one['value']:.4g}", escape(one["id"]), begins)
    return table


def _rate(rate: dict[str, Any]) -> str:
    share = "–" if rate["share"] is None else f"{rate['share']:.1%}"
    return f"{rate['value']:g}: {share}"


def _license_table(licenses: list[dict[str, Any]]) -> Table:
    table = Table("license", title="documents per license")
    for column in ("documents", "dropped for it", "kept in the end"):
        table.add_column(column, justify="right")
    for row in licenses:
        counts = (f"{row[key]:,}" for key in ("documents", "dropped", "kept"))
        table.add_row(escape(row["license"]), *counts)
    return table
