"""``gristmill dedup calibrate``: which bands x rows for documents like these."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from gristmill.cli.app import Json, report
from gristmill.cli.dedup import Threads, commands
from gristmill.dedup.calibrate import Calibration, calibrate_near_duplicates, check_calibration
from gristmill.dedup.curves import Bin, Curve
from gristmill.dedup.minhash import METHODS
from gristmill.errors import RecipeError

SHADES = " ▁▂▃▄▅▆▇█"


@commands.command("calibrate")
def calibrate_command(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="Files, globs, folders or URLs of JSONL, Parquet, Arrow or text; plain, gzip or "
            "zstd.",
            show_default=False,
        ),
    ],
    sample: Annotated[
        int, typer.Option(min=2, help="Documents to compare, taken evenly from all.")
    ] = 20_000,
    threshold: Annotated[
        float, typer.Option(help="Smallest Jaccard similarity of near-duplicates, up to 1.")
    ] = 0.8,
    num_perm: Annotated[int, typer.Option(help="Values in a MinHash signature.")] = 128,
    ngram: Annotated[int, typer.Option(help="Words in an n-gram.")] = 5,
    banding: Annotated[
        list[str] | None,
        typer.Option(
            help="Bands x rows to try, e.g. 16x8; may be repeated.",
            metavar="BxR",
            show_default="six around the theory's choice",
        ),
    ] = None,
    method: Annotated[
        str, typer.Option(help="How signatures are made: one-permutation or k-permutation.")
    ] = METHODS[0],
    recall: Annotated[
        float, typer.Option(help="The part of the true pairs that should be found, up to 1.")
    ] = 0.98,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the curves into this file, an .svg.", metavar="FILE")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Write calibration.json and calibration.svg here.", metavar="DIR"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Chooses sample, hashes and edits.")] = 0,
    threads: Threads = 1,
    as_json: Json = False,
) -> None:
    """Measure recall and precision of several bands x rows on your documents; recommend one.

    All documents of the sample are compared exactly with all, so the pairs that a banding misses are
    known. Edited copies of documents give points where nature has few pairs.

    **Example:** `gristmill dedup calibrate data/*.jsonl.zst --threshold 0.8 --plot curves.svg`
    """
    if plot is not None and plot.suffix != ".svg":
        raise RecipeError(f"--plot {plot}: figures are written as .svg, which browsers show")
    bandings = None if banding is None else [_banding(text) for text in banding]
    try:
        check_calibration(threshold, num_perm, ngram, bandings, recall, 0, threads, method)
        texts, counts = _sample(inputs, sample, seed)
        found = calibrate_near_duplicates(
            texts,
            threshold,
            num_perm,
            ngram,
            bandings,
            recall,
            threads=threads,
            seed=seed,
            method=method,
        )
    except ValueError as error:
        raise RecipeError(f"dedup calibrate: {error}") from None
    written = _write(found, plot, out, counts)
    paste = _paste(found, inputs)
    data = {**counts, **found.as_dict(), **paste, "files": [str(path) for path in written]}
    recipe = "\n".join(f"    {line}" for line in paste["recipe"].splitlines())
    report(
        data,
        as_json,
        f"compared {found.documents:,} of {counts['documents_read']:,} documents, all with all: "
        f"{found.pairs:,} pairs of similarity {threshold:g} or more; "
        f"{found.planted:,} edited copies planted",
        *(f"note: {note}" for note in found.notes),
        _bandings_table(found),
        *([_thresholds_table(found)] if found.pairs else []),
        _spark_table(found),
        f"[bold]{'recommended' if found.reached else 'not reached'}:[/] {found.reason}\n",
        Text(f"    {paste['command']}\n", no_wrap=True, overflow="ignore"),
        Text(f"{recipe}\n", no_wrap=True, overflow="ignore"),
        *(escape(f"wrote {path}") for path in written),
    )


def _banding(text: str) -> tuple[int, int]:
    bands, cross, rows = text.partition("x")
    if not (cross and bands.isdecimal() and rows.isdecimal()):
        raise RecipeError(f"--banding {text!r} is not allowed: bands x rows, such as 16x8")
    return int(bands), int(rows)


def _sample(inputs: Sequence[str], size: int, seed: int) -> tuple[Any, dict[str, int]]:
    from gristmill.sources import open_source
    from gristmill.sources.sample import sample_texts

    taken = sample_texts([open_source(name=path, path=path) for path in inputs], size, seed)
    return taken.texts, {"documents_read": taken.documents, "bad_records": taken.bad}


def _write(
    found: Calibration, plot: Path | None, out: Path | None, counts: dict[str, int]
) -> list[Path]:
    from gristmill.cards.calibration import calibration_figure
    from gristmill.files import atomic_write, write_json

    figures = [path for path in (plot, out and out / "calibration.svg") if path is not None]
    for path in figures:
        with atomic_write(path) as file:
            file.write(calibration_figure(found).file().encode())
    if out is None:
        return figures
    write_json(out / "calibration.json", {**counts, **found.as_dict()})
    return [*figures, out / "calibration.json"]


def _paste(found: Calibration, inputs: Sequence[str]) -> dict[str, str]:
    """The recommendation as a command and as lines of a recipe."""
    best = found.recommended
    options = {"threshold": f"{found.threshold:g}", "num-perm": found.num_perm,
               "ngram": found.ngram, "bands": best.bands, "rows": best.rows}  # fmt: skip
    if found.method != METHODS[0]:
        options["method"] = found.method
    flags = " ".join(f"--{name} {value}" for name, value in options.items())
    keys = ", ".join(f"{name.replace('-', '_')}: {value}" for name, value in options.items())
    return {
        "command": f"gristmill dedup near {shlex.join(inputs)} --out DIR {flags}",
        "recipe": f"dedup:\n  near: {{{keys}}}",
    }


def _bandings_table(found: Calibration) -> Table:
    table = Table(title=f"bands x rows at threshold {found.threshold:g}")
    for name in ("bands x rows", "recall", "95 %", "theory", "edited copies", "theory", "precision",
                 "candidates / doc"):  # fmt: skip
        table.add_column(name, justify="right", no_wrap=True)
    for curve in found.curves:
        here, planted = curve.at(found.threshold), curve.planted_true
        interval = here.true.interval
        best = curve.banding == found.recommended
        table.add_row(
            f"{'* ' if best else ''}{curve.banding}",
            _percent(here.true.recall),
            f"{interval[0]:.2%} - {interval[1]:.2%}" if interval else "-",
            _percent(here.true.theory),
            _percent(planted.recall),
            _percent(planted.theory),
            _percent(here.precision),
            f"{curve.candidates_per_document:.3g}",
            style="bold green" if best else None,
        )
    return table


def _thresholds_table(found: Calibration) -> Table:
    table = Table(title="recall / precision of candidates against the threshold")
    table.add_column("threshold", justify="right")
    table.add_column("pairs", justify="right")
    for curve in found.curves:
        table.add_column(str(curve.banding), justify="right", no_wrap=True)
    for rows in zip(*(curve.thresholds for curve in found.curves), strict=True):
        first = rows[0]
        if first.true.pairs and (first.threshold >= 0.5 or first.threshold == found.threshold):
            table.add_row(
                f"{first.threshold:g}",
                f"{first.true.pairs:,}",
                *(f"{_percent(one.true.recall, 1)} / {_percent(one.precision, 0)}" for one in rows),
                style="bold" if first.threshold == found.threshold else None,
            )
    return table


def _spark_table(found: Calibration) -> Table:
    low = found.curves[0].natural[0].low
    table = Table(title=f"part that shares a band, by similarity {low:g} to 1")
    for name in ("bands x rows", "theory", "pairs", "edited copies"):
        table.add_column(name, no_wrap=True, justify="right" if name == "bands x rows" else "left")
    for curve in found.curves:
        table.add_row(
            str(curve.banding), _theory(curve), _spark(curve.natural), _spark(curve.planted)
        )
    return table


def _spark(bins: Sequence[Bin]) -> str:
    return "".join("·" if one.share.recall is None else _shade(one.share.recall) for one in bins)


def _theory(curve: Curve) -> str:
    return "".join(_shade(curve.banding.probability((b.low + b.high) / 2)) for b in curve.natural)


def _shade(part: float) -> str:
    return SHADES[round(part * (len(SHADES) - 1))]


def _percent(part: float | None, digits: int = 2) -> str:
    return "-" if part is None else f"{part:.{digits}%}"
