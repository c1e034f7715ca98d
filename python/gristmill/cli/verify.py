"""``gristmill verify``: hold a corpus or a model against what was written down about it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from gristmill.cli.app import Json, app, report, stderr


@app.command("verify", rich_help_panel="Corpus")
def verify_command(
    directory: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="A directory: a corpus, a model, or shards.", show_default=False
        ),
    ],
    deep: Annotated[
        bool,
        typer.Option("--deep", help="Also decode every token and hash every file of the card."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Recount a corpus, a model or shards: digests, rows, conservation of documents, card against data.

    **Example:** `gristmill verify out/demo/corpus --deep`
    """
    from gristmill.verify import check_directory

    checks = check_directory(directory, deep)
    problems = [problem for check in checks for problem in check.problems]
    table = Table("check", "", "looked at", title=escape(str(directory)))
    for check in checks:
        mark = "[red]fails[/]" if check.problems else "[green]holds[/]"
        table.add_row(check.name, mark, escape(check.looked_at))
    data = {
        "path": str(directory),
        "ok": not problems,
        "checks": [check.as_dict() for check in checks],
    }
    report(data, as_json, table)
    if problems:
        if not as_json:
            for problem in problems:
                stderr.print(f"[red]{problem.check}[/]  {escape(str(problem))}", soft_wrap=True)
        raise typer.Exit(1)
