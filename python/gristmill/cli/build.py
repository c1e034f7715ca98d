"""``gristmill build`` and ``gristmill init``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from gristmill.cli.app import Json, app, report, stderr
from gristmill.cli.inspect import rate_tables
from gristmill.engines.local import cores


@app.command("build", rich_help_panel="Corpus")
def build_command(
    recipe: Annotated[Path, typer.Argument(help="The recipe, a YAML file.", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="The corpus directory.")] = None,
    workers: Annotated[int, typer.Option(help="Processes and threads to use.", min=1)] = cores(),
    engine: Annotated[str, typer.Option(help="Where tasks run: local, ray or slurm.")] = "local",
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Change a key: pack.seq_len=1024. Repeatable.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(help="Read at most so many documents of each source.", min=1)
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the recipe, say what would be read, stop.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Turn a recipe into a corpus directory. The same command again goes on where it stopped.

    **Example:** `gristmill build pipelines/text.yaml --out out/mine --set pack.seq_len=1024`
    """
    from gristmill.build import build, plan, prepare

    options: dict[str, Any] = {"workers": workers, "engine": engine, "settings": settings}
    if dry_run:
        run = prepare(recipe, out, limit=limit, **options)
        jobs = plan(run)
        report(*_planned(run, jobs, as_json))
        return
    corpus = build(recipe, out, limit=limit, **options)
    data = {"path": str(corpus.path), **corpus.run}
    rates: dict[str, Any] = {}
    if limit is not None:
        from gristmill.inspection import drop_rates

        rates = {"drop_rates": drop_rates(corpus.path, texts=True, recipe=recipe)}
    report(
        data | rates,
        as_json,
        flow_table(corpus.run),
        *(table for found in rates.values() for table in rate_tables(found)),
        f"corpus: {corpus.path}   fingerprint: {corpus.fingerprint}",
    )


def _planned(run: Any, jobs: list[Any], as_json: bool) -> tuple[Any, ...]:
    splits: dict[str, int] = {}
    for job in jobs:
        splits[job.reader.name] = splits.get(job.reader.name, 0) + len(job.splits)
    recipe = run.recipe.canonical()
    stages = [key for key in recipe if key not in ("name", "seed", "sources", "limits")]
    data = {"out": str(run.out), "splits": splits, "stages": stages, "recipe": recipe}
    table = Table("source", "splits", title=f"{run.recipe.name}: what would be read")
    for name, n_splits in splits.items():
        table.add_row(name, f"{n_splits:,}")
    return data, as_json, table, f"stages: {', '.join(stages)}", f"out: {run.out}"


def flow_table(run: dict[str, Any]) -> Table:
    """Documents and bytes into and out of each stage of a build."""
    table = Table(title=f"{run['name']}: what became of the documents")
    tagged = any(stage.get("tagged") for stage in run["stages"])
    for column in ("stage", "in", "kept", "dropped for", *(["tagged"] if tagged else [])):
        table.add_column(column, justify="right" if column in ("in", "kept") else "left")
    for column in ("MB in", "MB out", "seconds"):
        table.add_column(column, justify="right")
    for stage in run["stages"]:
        table.add_row(
            stage["name"],
            f"{stage['docs_in']:,}",
            f"{stage['docs_kept']:,}",
            _most(stage["dropped"]),
            *([_most(stage.get("tagged", {}))] if tagged else []),
            f"{stage['bytes_in'] / 1e6:,.1f}",
            f"{stage['bytes_out'] / 1e6:,.1f}",
            f"{stage['seconds']:,.1f}",
        )
    return table


def _most(counts: dict[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda entry: -entry[1])
    most = ", ".join(f"{word} {n_docs:,}" for word, n_docs in ordered[:4])
    return most + (", …" if len(ordered) > 4 else "")


@app.command("init", rich_help_panel="Corpus")
def init_command(
    kind: Annotated[str, typer.Argument(help="web, text, code or sft.", show_default=False)],
    path: Annotated[Path | None, typer.Argument(help="The file to write.")] = None,
    as_json: Json = False,
) -> None:
    """Write a commented recipe to start from.

    **Example:** `gristmill init text my-corpus.yaml`
    """
    from gristmill.init import write_recipe

    written = write_recipe(kind, path)
    report({"recipe": str(written)}, as_json, f"wrote {written}")
    stderr.print(f"next: gristmill build {written} --dry-run")
