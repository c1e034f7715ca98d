"""``gristmill decontaminate``: which benchmark items stand in some documents, and in which."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from gristmill.cli.app import Json, app, report

if TYPE_CHECKING:
    import pyarrow as pa

    from gristmill.decontaminate import Benchmarks

N_EXAMPLES = 10
MAX_CELL_CHARS = 160


@app.command("decontaminate", rich_help_panel="Corpus")
def decontaminate_command(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="A corpus directory; or files, globs, folders or URLs of JSONL, Parquet, Arrow or "
            "text; plain, gzip or zstd.",
            show_default=False,
        ),
    ],
    against: Annotated[
        list[str],
        typer.Option(
            help="Benchmark files: JSONL, JSON, CSV, TSV or Parquet, or a glob. Repeatable.",
            metavar="FILES",
            show_default=False,
        ),
    ],
    ngram: Annotated[
        int, typer.Option(help="So many consecutive words of an item are a find.")
    ] = 13,
    coverage: Annotated[
        float, typer.Option(help="So is this share of its words, in shorter runs, up to 1.")
    ] = 0.6,
    rows: Annotated[
        Path | None,
        typer.Option("--report", help="Write every find to a Parquet file.", metavar="FILE"),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="The result is the same for any number.")] = 1,
    as_json: Json = False,
) -> None:
    """Find benchmark items in documents, verbatim or edited, and say where. Nothing is changed.

    **Example:** `gristmill decontaminate out/demo/corpus --against "tasks/*.jsonl.gz"`
    """
    from gristmill.decontaminate import CONTAMINATION, Benchmarks, counted
    from gristmill.errors import RecipeError
    from gristmill.tables import write_parquet

    try:
        benchmarks = Benchmarks.read(against, ngram, coverage)
    except ValueError as error:
        raise RecipeError(str(error)) from None
    n_docs, finds = _search(inputs, benchmarks, threads)
    if rows is not None:
        write_parquet(rows, [finds], CONTAMINATION)
    worst = finds.sort_by([("coverage", "descending"), ("longest_match", "descending")])
    data: dict[str, Any] = {
        "documents": n_docs,
        "contaminated": len(finds["id"].unique()),
        "benchmarks": counted(finds, benchmarks),
        "examples": worst.slice(0, N_EXAMPLES).to_pylist(),
        "report": None if rows is None else str(rows),
    }
    report(
        data,
        as_json,
        _benchmark_table(data["benchmarks"]),
        *([_example_table(data["examples"])] if data["examples"] else []),
        f"{data['contaminated']:,} of {n_docs:,} documents hold benchmark items",
    )


def _search(inputs: list[str], benchmarks: Benchmarks, threads: int) -> tuple[int, pa.Table]:
    """How many documents there are, and the rows of the report on them."""
    import pyarrow as pa

    from gristmill.decontaminate import CONTAMINATION, report_rows

    n_docs, found = 0, [CONTAMINATION.empty_table()]
    for docs in _documents(inputs):
        n_docs += len(docs)
        found.append(report_rows(benchmarks.find(docs["text"], threads), docs))
    return n_docs, pa.concat_tables(found)


def _documents(inputs: list[str]) -> Iterator[pa.Table]:
    from gristmill.sources import open_source
    from gristmill.tables import read_parts

    folder = Path(inputs[0])
    if len(inputs) == 1 and (folder / "run.json").is_file():
        yield from read_parts(folder / "documents")
        return
    source = open_source(name="input", path=inputs)
    for split in source.splits():
        for batch in source.read(split):
            yield batch.docs


def _benchmark_table(counts: list[dict[str, Any]]) -> Table:
    table = Table(
        "benchmark", "items", "too short", "found", "share (95 %)", "documents", "longest"
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for one in counts:
        low, high = one["share_interval"]
        table.add_row(
            one["benchmark"],
            f"{one['items']:,}",
            f"{one['too_short']:,}",
            f"{one['found']:,}",
            f"{one['share']:.2%} ({low:.2%} to {high:.2%})",
            f"{one['documents']:,}",
            f"{one['longest_match']:,}",
        )
    return table


def _example_table(examples: list[dict[str, Any]]) -> Table:
    table = Table(
        "item", "coverage", "longest", "document", "matched", title="most of an item first"
    )
    for one in examples:
        where = " · ".join(filter(None, (one["id"], one["source"], one["url"])))
        table.add_row(
            Text(one["item"]),
            f"{one['coverage']:.2f}",
            f"{one['longest_match']:,}",
            Text(where),
            Text(_short(one["matched"])),
        )
        table.add_section()
    return table


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_CELL_CHARS else f"{line[: MAX_CELL_CHARS - 1]}…"
