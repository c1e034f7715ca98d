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
    str,
    typer.Option(help="Memory of the whole process, e.g. 2GiB; what exceeds it goes to disk."),
]


@commands.command("exact")
def exact_command(
    inputs: Inputs,
    out: Out,
    min_bytes: Annotated[
        int | None,
        typer.Option(help="Bytes of the shortest repeat that is cut.", show_default="100"),
    ] = None,
    min_tokens: Annotated[
        int | None,
        typer.Option(
            help="The same in tokens, in the place of --min-bytes.",
            show_default="50 with --tokenizer",
        ),
    ] = None,
    tokenizer: Annotated[
        Path | None, typer.Option(help="The tokenizer.json that counts tokens.", metavar="FILE")
    ] = None,
    min_remaining: Annotated[
        int,
        typer.Option(
            min=0,
            help="Characters that must be left of a document that was cut, unless a piece of it is "
            "as long as the threshold.",
        ),
    ] = 50,
    joints: Annotated[
        str,
        typer.Option(
            help="exclude or include: whether passages count that repeat only across the joints "
            "that cutting makes."
        ),
    ] = "exclude",
    verify: Annotated[
        bool, typer.Option("--verify", help="Scan what is left again; fail if a passage repeats.")
    ] = False,
    engine: Annotated[
        str, typer.Option(help="winnowing or suffix-array; the result is the same.")
    ] = "winnowing",
    memory: Memory = "4GiB",
    threads: Threads = 1,
    as_json: Json = False,
) -> None:
    """Cut every passage that repeats an earlier one; the first occurrence stays.

    Then `gristmill why DIR ID` tells what was cut from a document, and where it stands first.

    **Example:** `gristmill dedup exact data/*.jsonl.zst --out out/unique --memory 2GiB --verify`

    **In tokens:** `gristmill dedup exact data --out out/unique --min-tokens 50 --tokenizer
    tokenizer.json`
    """
    options = {
        "min_bytes": min_bytes,
        "min_tokens": min_tokens,
        "tokenizer": None if tokenizer is None else str(tokenizer),
        "min_remaining": min_remaining,
        "joints": joints,
        "verify": verify,
        "engine": engine,
    }
    given = {key: value for key, value in options.items() if value is not None}
    _run(_recipe("exact", inputs, {"substrings": given}, memory), out, threads, as_json)


@commands.command("near")
def near_command(
    inputs: Inputs,
    out: Out,
    threshold: Annotated[
        float, typer.Option(help="Smallest Jaccard similarity of near-duplicates, up to 1.")
    ] = 0.8,
    num_perm: Annotated[int, typer.Option(help="Values in a MinHash signature.")] = 128,
    ngram: Annotated[
        int, typer.Option(help="Words in an n-gram; characters in scripts without spaces.")
    ] = 5,
    method: Annotated[
        str, typer.Option(help="one-permutation or k-permutation: how signatures are made.")
    ] = "one-permutation",
    bands: Annotated[
        int | None,
        typer.Option(
            help="Bands of a signature; give --rows too.", show_default="from the threshold"
        ),
    ] = None,
    rows: Annotated[
        int | None, typer.Option(help="Values in a band.", show_default="from the threshold")
    ] = None,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify/--no-verify",
            help="Let the exact similarity of candidates decide; else sharing a band is enough.",
        ),
    ] = True,
    keep: Annotated[
        str, typer.Option(help="first, longest or quality: which one of a cluster stays.")
    ] = "first",
    quality_key: Annotated[
        str | None,
        typer.Option(
            help="For --keep quality: the key of the documents' metadata (or of the input's "
            "records) whose highest number stays.",
            show_default="quality_score",
        ),
    ] = None,
    against: Annotated[
        list[Path] | None,
        typer.Option(
            help="A corpus directory of an earlier build: what nearly repeats a document of it goes "
            "too. Repeatable.",
            metavar="DIR",
        ),
    ] = None,
    memory: Memory = "4GiB",
    threads: Threads = 1,
    as_json: Json = False,
) -> None:
    """Drop documents that nearly repeat another one, found by MinHash and verified exactly.

    Then `gristmill why DIR ID` tells which document stays for one that went, and how similar the
    two are.

    **Example:** `gristmill dedup near data/*.jsonl.zst --out out/unique --threshold 0.8`

    **Only what is new:** `gristmill dedup near june.jsonl --out out/june --against out/may`
    """
    options = {
        "threshold": threshold,
        "num_perm": num_perm,
        "ngram": ngram,
        "method": method,
        "bands": bands,
        "rows": rows,
        "verify": verify,
        "keep": keep,
        "quality_key": quality_key,
        "against": [str(path) for path in against or []] or None,
    }
    given = {key: value for key, value in options.items() if value is not None}
    _run(_recipe("near", inputs, {"near": given}, memory), out, threads, as_json)


def _recipe(
    kind: str, inputs: list[str], dedup: dict[str, Any], memory: str | None = None
) -> dict[str, Any]:
    sources: dict[str, str] = {}
    for path in inputs:
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(path).name).strip("-") or "input"
        number = 2
        while name in sources:
            name, number = f"{name.removesuffix(f'-{number - 1}')}-{number}", number + 1
        sources[name] = path
    listed = [{"name": name, "path": path} for name, path in sources.items()]
    limits = {} if memory is None else {"limits": {"memory": memory}}
    return {"name": f"dedup-{kind}", "sources": listed, "dedup": dedup, **limits}


def _run(recipe: dict[str, Any], out: Path, threads: int, as_json: bool) -> None:
    from gristmill.build import build

    started = time.perf_counter()
    corpus = build(recipe, out, workers=threads)
    seconds = time.perf_counter() - started
    report(
        {"path": str(corpus.path), "seconds": round(seconds, 3), **corpus.run},
        as_json,
        flow_table(corpus.run),
        *(line for stage in corpus.run["stages"] for line in (*_cuts(stage), *_earlier(stage))),
        f"documents: {corpus.path / 'documents'}   why each went: {corpus.path / 'ledger'}",
    )


def _cuts(stage: dict[str, Any]) -> list[str]:
    """What a stage says of its cuts, and of what is left."""
    lines = []
    if cut := stage.get("cut"):
        share = cut["bytes"] / max(stage["bytes_in"], 1)
        lines.append(
            f"cut {cut['bytes']:,} bytes ({share:.1%} of the text) in {cut['ranges']:,} ranges from "
            f"{cut['documents']:,} documents; first occurrences stay in {cut['twins']:,}; "
            f"dropped {cut['dropped']:,}, of which too little was left"
        )
    if verified := stage.get("verified"):
        what = "pieces" if "pieces" in verified else "documents"
        lines.append(
            f"verified: nothing that long repeats in the {verified[what]:,} {what} that are left "
            f"(joints: {verified['joints']})"
        )
    return lines


def _earlier(stage: dict[str, Any]) -> list[str]:
    """How much of the input each earlier corpus had already."""
    return [
        f"{one['dropped']:,} documents nearly repeat one of the {one['documents']:,} in {one['path']}"
        for one in stage.get("against", [])
    ]
