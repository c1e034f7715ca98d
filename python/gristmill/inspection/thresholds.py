"""What other thresholds would drop: rates from the signals that the ledger holds.

A signal is known of the documents that reached its stage only, and what an earlier rule dropped is
counted here too: each rate is that of one threshold alone. A stage that runs after others does not
see what they dropped. Decisions are taken on float64 and the ledger holds float32, so a document
within rounding of a threshold may be counted on its other side.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from gristmill.cards.frames import scan
from gristmill.cards.measure import read_run
from gristmill.filters.language import UNDETERMINED
from gristmill.filters.quality import chosen_rules
from gristmill.inspection.examples import add_texts, nearest

FACTORS = (0.5, 0.75, 1.0, 1.25, 1.5)
"""Each threshold is tried at these multiples of what it is; a threshold of 0 is a yes or no."""

CAPTION = (
    "Shares of the documents that were measured, by each threshold alone; "
    "what an earlier stage dropped was not measured, so stages hide signals from later ones"
)


def drop_rates(
    corpus: Path | str, *, texts: bool = False, recipe: Path | str | None = None
) -> dict[str, Any]:
    """Count what each threshold of a corpus would drop at several values around its own.

    Args:
        corpus: A corpus directory.
        texts: Whether to show the beginnings of the examples; dropped ones are read again from
            their sources.
        recipe: The file of the recipe, needed for that when it names paths relative to its folder.

    Returns:
        ``documents`` (read in all), ``caption``, ``thresholds``: for each its ``stage``,
        ``signal``, ``side`` (``low``: smaller values are dropped, or ``high``), ``threshold`` (the
        present one), ``measured`` (documents whose signal is known), ``rates``, a list of ``value``,
        ``documents`` and ``share`` (null when none was measured), and ``examples``, the document
        that breaks the present one by least and that which keeps it by least: ``id``, ``value``,
        ``breaks`` and ``text`` (60 characters, or None); and ``licenses``: for
        each ``license`` its ``documents``, those ``dropped`` for it and those ``kept`` in the end.

    Raises:
        RecipeError: `corpus` is no corpus directory.
    """
    corpus = Path(corpus)
    run = read_run(corpus)
    built = run.get("recipe") or {}
    ledger = scan(corpus, "ledger")
    stages = (_language, _quality, _toxicity, _personal_data)
    rows = [row for stage in stages for row in stage(built, ledger)]
    if texts:
        add_texts(corpus, run, [one for row in rows for one in row["examples"]], recipe)
    return {
        "documents": ledger.select(pl.len()).collect().item(),
        "caption": CAPTION,
        "thresholds": rows,
        "licenses": _licenses(ledger),
    }


def _language(recipe: dict[str, Any], ledger: pl.LazyFrame) -> Iterator[dict[str, Any]]:
    """`min_score` judges documents in a language that is kept; ``und`` has no score."""
    if not recipe.get("language"):
        return
    judged = pl.col("reason").ne_missing("language") & pl.col("language").ne_missing(UNDETERMINED)
    scores = _measured(ledger.filter(judged), "language_score")
    yield _row("language", scores, "low", recipe["language"]["min_score"])


def _quality(recipe: dict[str, Any], ledger: pl.LazyFrame) -> Iterator[dict[str, Any]]:
    options = recipe.get("quality")
    if not options:
        return
    for rule in chosen_rules(options["rules"], options.get("thresholds")):
        values = _measured(ledger, rule.signal)
        for side, threshold in (("low", rule.low), ("high", rule.high)):
            if np.isfinite(threshold):
                yield _row("quality", values, side, threshold)


def _toxicity(recipe: dict[str, Any], ledger: pl.LazyFrame) -> Iterator[dict[str, Any]]:
    threshold = (recipe.get("toxicity") or {}).get("max_score")
    if threshold is not None:
        yield _row("toxicity", _measured(ledger, "toxicity_score"), "high", threshold)


def _personal_data(recipe: dict[str, Any], ledger: pl.LazyFrame) -> Iterator[dict[str, Any]]:
    """Whether there is any."""
    if recipe.get("pii"):
        yield _row("pii", _measured(ledger, "pii_count"), "high", 0)


def _measured(ledger: pl.LazyFrame, signal: str) -> pl.DataFrame:
    return ledger.select("id", signal).drop_nulls(signal).collect()


def _row(stage: str, measured: pl.DataFrame, side: str, threshold: float) -> dict[str, Any]:
    factors = FACTORS if threshold else (1.0,)
    signal = measured.columns[1]
    values = measured[signal]
    return {
        "stage": stage,
        "signal": signal,
        "side": side,
        "threshold": threshold,
        "measured": len(values),
        "rates": [_rate(values, side, _at(threshold, factor, side)) for factor in factors],
        "examples": nearest(measured, signal, _broken(values, side, threshold), threshold),
    }


def _at(threshold: float, factor: float, side: str) -> float:
    value = threshold * factor
    # A share is never above 1, so a floor beyond it would drop everything.
    return min(value, 1.0) if side == "low" and threshold <= 1 else float(f"{value:.6g}")


def _rate(values: pl.Series, side: str, value: float) -> dict[str, Any]:
    n_docs = int(_broken(values, side, value).sum())
    return {
        "value": value,
        "documents": n_docs,
        "share": n_docs / len(values) if len(values) else None,
    }


def _broken(values: pl.Series, side: str, value: float) -> pl.Series:
    as_in_ledger = float(np.float32(value))
    return values < as_in_ledger if side == "low" else values > as_in_ledger


def _licenses(ledger: pl.LazyFrame) -> list[dict[str, Any]]:
    counted = ledger.group_by("license").agg(
        pl.len().alias("documents"),
        (pl.col("stage") == "licenses").sum().alias("dropped"),
        (pl.col("fate") == "kept").sum().alias("kept"),
    )
    ordered = counted.sort(["documents", "license"], descending=[True, False])
    return ordered.collect().to_dicts()
