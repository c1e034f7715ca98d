"""Documents of earlier corpora that stand for dropped ones, looked up where they were found.

A build notes in ``run.json`` where each earlier corpus was, and the fingerprint it had; it may be
gone since, or built again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from gristmill.dedup.earlier import REASON

ORIGIN = ("source", "license", "url")


def corpora(run: dict[str, Any]) -> list[dict[str, Any]]:
    """The earlier corpora of a ``run.json``: name, path, fingerprint, documents, dropped."""
    return [one for stage in run.get("stages") or [] for one in stage.get("against") or []]


def original(run: dict[str, Any], row: dict[str, Any]) -> dict[str, Any] | None:
    """The document of an earlier corpus that stands for a dropped one.

    Args:
        run: The ``run.json``.
        row: A row of the ledger.

    Returns:
        ``id``, ``corpus`` (its name) and ``path``, and ``source``, ``license`` and ``url`` when the
        corpus is still the one that was read; None for a row that is no copy of such a document.
    """
    if row["reason"] != REASON:
        return None
    name = (row["detail"] or "").rpartition("earlier corpus ")[2]
    corpus = next((one for one in corpora(run) if one["name"] == name), {})
    found = {"id": row["duplicate_of"], "corpus": name, "path": corpus.get("path")}
    if not corpus or not is_there(corpus):
        return found
    this_one = pl.col("id") == row["duplicate_of"]
    rows = _documents(corpus).filter(this_one).select(ORIGIN).head(1).collect()
    return found | (rows.row(0, named=True) if rows.height else {})


def without_original(run: dict[str, Any], rows: pl.DataFrame) -> tuple[pl.DataFrame, str]:
    """The rows of copies whose `duplicate_of` is in none of the earlier corpora.

    Args:
        run: The ``run.json``.
        rows: Rows of the ledger that are copies of documents of earlier corpora.

    Returns:
        The rows, none when a corpus cannot be looked up; and a remark that then says so, else empty.
    """
    gone = [one["path"] for one in corpora(run) if not is_there(one)]
    if gone and rows.height:
        return rows.clear(), f"; {rows.height:,} twins not looked up: {gone[0]} is not as it was"
    for one in corpora(run):
        ids = _documents(one).select("id").collect()["id"]
        rows = rows.filter(~pl.col("duplicate_of").is_in(ids.implode()))
    return rows, ""


def is_there(corpus: dict[str, Any]) -> bool:
    """Whether an earlier corpus still stands where it was, with the fingerprint that it had."""
    try:
        run = json.loads((Path(corpus["path"]) / "run.json").read_bytes())
        return bool(run["fingerprint"] == corpus["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _documents(corpus: dict[str, Any]) -> pl.LazyFrame:
    return pl.scan_parquet(Path(corpus["path"]) / "documents" / "part-*.parquet")
