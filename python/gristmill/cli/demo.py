"""``gristmill demo``: the whole flow, and the table of what it made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from gristmill.cli.app import Json, app, report
from gristmill.cli.build import flow_table


@app.command("demo", rich_help_panel="Start here")
def demo_command(
    out: Annotated[Path, typer.Option(help="The folder to work in.")] = Path("out/demo"),
    as_json: Json = False,
) -> None:
    """From the text on this machine to a card, a model, its GGUF file and an answer with sources.

    About four minutes on two cores; the same command again goes on where it stopped.

    **Example:** `gristmill demo --out out/demo`
    """
    from gristmill.demo import run_demo

    summary = run_demo(out)
    report(summary, as_json, *_closing(out, summary))


def _closing(out: Path, summary: dict[str, Any]) -> list[Any]:
    build = summary["build"]
    flow = flow_table({"name": "demo", "stages": build["stages"]})
    return [flow, _traces(summary), _made(out, summary), _next(out, build["card"])]


def _made(out: Path, summary: dict[str, Any]) -> Table:
    seconds = summary["seconds"]
    before, after = summary["evaluate"]["before"], summary["evaluate"]["after"]
    greedy, parity = summary["generate"]["greedy"], summary["generate"]["tokenizer"]
    build = summary["build"]
    traced = [one for texts in summary["trace"].values() for one in texts]
    n_traced = sum(bool(one["spans"]) for one in traced)
    table = Table(title="What was made")
    for column in ("what", "where", "how big", "how long", "how good"):
        table.add_column(column, justify="right" if column in ("how big", "how long") else "left")
    tokens = sum(split["tokens"] for split in build["splits"].values())
    rows = [
        (
            "corpus, documented",
            out / "corpus",
            f"{build['documents_kept']:,} of {build['documents_in']:,} documents, "
            f"{tokens / 1e6:.1f} M tokens",
            seconds["build"],
            "every document's fate is in the ledger",
        ),
        (
            "model",
            out / "run" / "model",
            f"{_megabytes(out / 'run' / 'model')}",
            seconds["train"],
            f"perplexity {before['perplexity']:,.0f} → {after['perplexity']:,.1f}, "
            f"{before['bits_per_byte']:.2f} → {after['bits_per_byte']:.2f} bits per byte",
        ),
        (
            "GGUF F16 and Q8_0",
            out / "export",
            f"{_megabytes(out / 'export')}",
            seconds["export"] + seconds["generate"],
            f"llama.cpp: {parity['differences']} of {parity['strings']:,} strings tokenised "
            f"otherwise, {greedy['agreement']:.1%} of greedy tokens equal",
        ),
        (
            "answers with sources",
            "trace, serve",
            f"{n_traced} of {len(traced)} texts",
            seconds["trace"] + seconds["serve"],
            "spans found verbatim, with document, source and license",
        ),
    ]
    for what, where, size, duration, quality in rows:
        table.add_row(what, str(where), size, f"{duration:,.0f} s", quality)
    table.caption = f"in all {seconds['total']:,.0f} s"
    return table


def _megabytes(folder: Path) -> str:
    n_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return f"{n_bytes / 1e6:,.1f} MB"


def _traces(summary: dict[str, Any]) -> Group:
    parts = []
    for kind, texts in summary["trace"].items():
        for one in texts:
            text = Text(one["text"])
            for span in one["spans"]:
                text.stylize("bold green", span["start"], span["end"])
            lines = [text]
            for span in one["spans"][:2]:
                source = span["documents"][0]
                where = source["url"] or source["id"]
                lines.append(
                    Text(f"  ↳ {span['count']}× {source['source']} · {source['license']} · {where}")
                )
            parts.append(Panel(Group(*lines), title=f"{kind}, traced", title_align="left"))
    return Group(*parts)


def _next(out: Path, card: str) -> Panel:
    lines = [
        f"datasheet: {card}",
        "",
        "next, try:",
        f'  gristmill trace {out / "corpus"} "Permission is hereby granted, free of charge, to any person"',
        f"  gristmill verify {out / 'corpus'} --deep",
        f"  gristmill serve {out / 'run' / 'model'} --corpus {out / 'corpus'}",
    ]
    return Panel("\n".join(lines), title="look at it", title_align="left")
