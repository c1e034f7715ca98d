"""``gristmill dedup``: one kind of deduplication alone, as a build with a single stage.

The result is a corpus directory like any other: kept documents, a ledger row for every document
read, and `run.json`; the same command goes on where it stopped.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from gristmill.cli.app import Json, app, report
from gristmill.cli.build import flow_table
from gristmill.errors import RecipeError

commands = typer.Typer(no_args_is_help=True, help="Deduplicate documents, and nothing else.")
app.add_typer(commands, name="dedup", rich_help_panel="Corpus")

Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT...",
        help="Files, globs, folders or URLs of JSONL, Parquet, Arrow or text; plain, gzip or zstd. "
        "The first occurrence in this order stays.",
        show_default=False,
    ),
]
Out = Annotated[Path, typer.Option(help="The corpus directory to write.", show_default=False)]
Threads = Annotated[int, typer.Option(min=1, help="The result is the same for any number.")]
Memory = Annotated[
    str | None,
    typer.Option(help="Refuse to start when more would be needed, e.g. 4GiB.", show_default=False),
]

EXPANSION = {".gz": 5, ".zst": 5, ".parquet": 4, ".pq": 4}
"""Bytes of text in a byte of a compressed file, on the generous side."""

MEMORY_PER_BYTE = {"winnowing": 8, "suffix-array": 13}
"""Peak memory of a run per byte of text; 327 MB of English took 7.6 and 11.1."""


@commands.command("exact")
def exact_command(
    inputs: Inputs,
    out: Out,
    min_bytes: Annotated[int, typer.Option(help="Bytes of the shortest repeat that is cut.")] = 100,
    min_remaining: Annotated[
        int, typer.Option(min=0, help="Characters that must be left of a document that was cut.")
    ] = 50,
    engine: Annotated[
        str, typer.Option(help="winnowing or suffix-array; the result is the same.")
    ] = "winnowing",
    memory: Memory = None,
    threads: Threads = 1,
    as_json: Json = False,
) -> None:
    """Cut every passage that repeats an earlier one; the first occurrence stays.

    **Example:** `gristmill dedup exact data/*.jsonl.zst --out out/unique --min-bytes 100`
    """
    options = {"min_bytes": min_bytes, "min_remaining": min_remaining, "engine": engine}
    recipe = _recipe("exact", inputs, {"substrings": options})
    if memory is not None:
        _refuse_too_little(recipe, memory, engine)
    _run(recipe, out, threads, as_json)


@commands.command("near")
def near_command(
    inputs: Inputs,
    out: Out,
    threshold: Annotated[
        float, typer.Option(help="Smallest Jaccard similarity of near-duplicates, up to 1.")
    ] = 0.8,
    num_perm: Annotated[int, typer.Option(help="Values in a MinHash signature.")] = 128,
    ngram: Annotated[int, typer.Option(help="Words in an n-gram.")] = 5,
    threads: Threads = 1,
    as_json: Json = False,
) -> None:
    """Drop documents that nearly repeat an earlier one, found by MinHash and verified exactly.

    **Example:** `gristmill dedup near data/*.jsonl.zst --out out/unique --threshold 0.8`
    """
    options = {"threshold": threshold, "num_perm": num_perm, "ngram": ngram}
    _run(_recipe("near", inputs, {"near": options}), out, threads, as_json)


def _recipe(kind: str, inputs: list[str], dedup: dict[str, Any]) -> dict[str, Any]:
    sources: dict[str, str] = {}
    for path in inputs:
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(path).name).strip("-") or "input"
        number = 2
        while name in sources:
            name, number = f"{name.removesuffix(f'-{number - 1}')}-{number}", number + 1
        sources[name] = path
    listed = [{"name": name, "path": path} for name, path in sources.items()]
    return {"name": f"dedup-{kind}", "sources": listed, "dedup": dedup}


def _refuse_too_little(recipe: dict[str, Any], memory: str, engine: str) -> None:
    """Refuse a run whose inputs are too large for `memory`, before anything is read."""
    from gristmill.recipe import load_recipe
    from gristmill.sources import open_source

    checked = load_recipe(recipe | {"limits": {"memory": memory}})
    sources = [open_source(name=source.name, path=source.path) for source in checked.sources]
    needed = MEMORY_PER_BYTE[engine] * sum(
        item.n_bytes * EXPANSION.get(Path(item.path).suffix, 1)
        for source in sources
        for split in source.splits()
        for item in split.items
    )
    if needed > checked.limits.memory:
        raise RecipeError(
            f"--memory {memory}: about {needed / 2**20:,.1f} MiB would be needed for what is to "
            "be read; allow more, or give fewer inputs"
        )


def _run(recipe: dict[str, Any], out: Path, threads: int, as_json: bool) -> None:
    from gristmill.build import build

    started = time.perf_counter()
    corpus = build(recipe, out, workers=threads)
    seconds = time.perf_counter() - started
    report(
        {"path": str(corpus.path), "seconds": round(seconds, 3), **corpus.run},
        as_json,
        flow_table(corpus.run),
        f"documents: {corpus.path / 'documents'}   why each went: {corpus.path / 'ledger'}",
    )
