"""Documents next to a threshold, with the first words of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from gristmill.cards.frames import scan
from gristmill.inspection.again import read_again
from gristmill.inspection.sample import NOT_FOUND_AGAIN

SHOWN_CHARS = 60
_READ_CHARS = 1_000
"""Characters that white space is taken out of before the first are shown."""


def nearest(measured: pl.DataFrame, signal: str, broken: pl.Series, threshold: float) -> list[Any]:
    """Choose the document that breaks a threshold by least, and the one that keeps it by least.

    Args:
        measured: The columns ``id`` and `signal`, float or integer, without nulls.
        signal: The column's name.
        broken: Whether each document breaks the threshold, bool[n].
        threshold: The threshold.

    Returns:
        ``id``, ``value`` and ``breaks`` of up to two documents, that which breaks first; among
        equals the one whose id sorts first.
    """
    rows = measured.with_columns(
        (pl.col(signal).cast(pl.Float64) - threshold).abs().alias("_away"), broken.alias("_breaks")
    )
    chosen = rows.sort("_away", "id").group_by("_breaks", maintain_order=True).first()
    return [
        {"id": row["id"], "value": row[signal], "breaks": row["_breaks"], "text": None}
        for row in chosen.sort("_breaks", descending=True).to_dicts()
    ]


def add_texts(
    corpus: Path, run: dict[str, Any], examples: list[dict[str, Any]], recipe: Path | str | None
) -> None:
    """Set ``text`` of each example to the first `SHOWN_CHARS` characters, without line breaks.

    What was dropped is read again from its source, and stays None when it is not there any more.
    """
    ids = sorted({one["id"] for one in examples})
    ledger = scan(corpus, "ledger").filter(pl.col("id").is_in(ids))
    rows = ledger.select("id", "source", "stage", "fate").collect().to_dicts()
    kept = scan(corpus, "documents").filter(pl.col("id").is_in(ids))
    heads = kept.select("id", pl.col("text").str.slice(0, _READ_CHARS)).collect()
    texts = dict(heads.iter_rows())
    gone = [row for row in rows if row["fate"] == "dropped" and row["stage"] not in NOT_FOUND_AGAIN]
    texts |= read_again(run, gone, recipe)[0]
    for one in examples:
        if (text := texts.get(one["id"])) is not None:
            one["text"] = " ".join(text[:_READ_CHARS].split())[:SHOWN_CHARS]
