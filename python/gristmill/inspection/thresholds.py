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
from gristmill.filters.quality import RULE_SETS

FACTORS = (0.5, 0.75, 1.0, 1.25, 1.5)
"""Each threshold is tried at these multiples of what it is; a threshold of 0 is a yes or no."""

CAPTION = (
    "Shares of the documents that were measured, by each threshold alone; "
    "what an earlier stage dropped was not measured, so stages hide signals from later ones"
)


def drop_rates(corpus: Path | str) -> dict[str, Any]:
    """Count what each threshold of a corpus would drop at several values around its own.

    Args:
        corpus: A corpus directory.

    Returns:
        ``documents`` (read in all), ``caption``, ``thresholds``: for each its ``stage``,
        ``signal``, ``side`` (``low``: smaller values are dropped, or ``high``), ``threshold`` (the
        present one), ``measured`` (documents whose signal is known) and ``rates``, a list of
        ``value``, ``documents`` and ``share`` (null when none was measured); and ``licenses``: for
        each ``license`` its ``documents``, those ``dropped`` for it and those ``kept`` in the end.

    Raises:
        RecipeError: `corpus` is no corpus directory.
    """
    corpus = Path(corpus)
    recipe = read_run(corpus).get("recipe") or {}
    ledger = scan(corpus, "ledger")
    return {
        "documents": ledger.select(pl.len()).collect().item(),
        "caption": CAPTION,
        "thresholds": [*_language(recipe, ledger), *_quality(recipe, ledger)],
        "licenses": _licenses(ledger),
    }


def _language(recipe: dict[str, Any], ledger: pl.LazyFrame) -> Iterator[dict[str, Any]]:
    """`min_score` judges documents in a language that is kept; ``und`` has no score."""
    if not recipe.get("language"):
        return
    judged = pl.col("reason").ne_missing("language") & pl.col("language").ne_missing(UNDETERMINED)
    scores = ledger.filter(judged).select(pl.col("language_score").drop_nulls()).collect()
    yield _row("language", scores["language_score"], "low", recipe["language"]["min_score"])


def _quality(recipe: dict[str, Any], ledger: pl.LazyFrame) -> Iterator[dict[str, Any]]:
    sets = (recipe.get("quality") or {}).get("rules") or ()
    for rule in (rule for name in RULE_SETS if name in sets for rule in RULE_SETS[name].rules()):
        values = ledger.select(pl.col(rule.signal).drop_nulls()).collect()[rule.signal]
        for side, threshold in (("low", rule.low), ("high", rule.high)):
            if np.isfinite(threshold):
                yield _row("quality", values, side, threshold)


def _row(stage: str, values: pl.Series, side: str, threshold: float) -> dict[str, Any]:
    factors = FACTORS if threshold else (1.0,)
    return {
        "stage": stage,
        "signal": values.name,
        "side": side,
        "threshold": threshold,
        "measured": len(values),
        "rates": [_rate(values, side, _at(threshold, factor, side)) for factor in factors],
    }


def _at(threshold: float, factor: float, side: str) -> float:
    value = threshold * factor
    # A share is never above 1, so a floor beyond it would drop everything.
    return min(value, 1.0) if side == "low" and threshold <= 1 else float(f"{value:.6g}")


def _rate(values: pl.Series, side: str, value: float) -> dict[str, Any]:
    as_in_ledger = float(np.float32(value))
    broken = values < as_in_ledger if side == "low" else values > as_in_ledger
    n_docs = int(broken.sum())
    return {
        "value": value,
        "documents": n_docs,
        "share": n_docs / len(values) if len(values) else None,
    }


def _licenses(ledger: pl.LazyFrame) -> list[dict[str, Any]]:
    counted = ledger.group_by("license").agg(
        pl.len().alias("documents"),
        (pl.col("stage") == "licenses").sum().alias("dropped"),
        (pl.col("fate") == "kept").sum().alias("kept"),
    )
    ordered = counted.sort(["documents", "license"], descending=[True, False])
    return ordered.collect().to_dicts()
