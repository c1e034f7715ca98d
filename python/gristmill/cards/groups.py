"""What is in a corpus, by source, license, language, domain, date and length."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from gristmill.cards.facts import Row, share, table
from gristmill.cards.frames import Frames

NOT_JUDGED = "not judged"
"""Stands for the language of documents that no language stage judged."""

DOMAINS = 50
LICENSES_PER_SOURCE = 20
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
QUANTILE_NAMES = ("min", "p5", "p25", "p50", "p75", "p95", "max")


def by_source(frames: Frames) -> dict[str, Any]:
    """Documents, bytes and tokens of each source, what it lost on the way, and its licenses."""
    found = _grouped(frames, "source")
    pairs = (
        frames.documents.group_by("source", "license")
        .agg(pl.len().alias("documents"))
        .sort(["documents", "license"], descending=[True, False])
    )
    licenses: dict[str, list[Row]] = {}
    for pair in pairs.iter_rows(named=True):
        licenses.setdefault(pair.pop("source"), []).append(pair)
    for row in found:
        pairs_of = licenses.get(row["source"], [])
        row["n_licenses"] = len(pairs_of)
        row["licenses"] = pairs_of[:LICENSES_PER_SOURCE]
    return table(found, _how("source"))


def by_license(frames: Frames) -> dict[str, Any]:
    """Documents, bytes and tokens under each license, and its share of what is trained on."""
    return table(_grouped(frames, "license"), _how("license"))


def by_language(frames: Frames) -> dict[str, Any]:
    """Documents, bytes and tokens in each identified language, of kept and of read documents."""
    if frames.ledger["language"].null_count() == frames.ledger.height:
        return table([], "ledger/part-*.parquet: language (the recipe has no language stage)")
    return table(_grouped(frames, "language"), _how("language"))


def _how(column: str) -> str:
    return (
        f"documents/part-*.parquet by {column}: rows, bytes of text; shards/documents.parquet: "
        "n_tokens; shards/train: piece_lengths; ledger/part-*.parquet: rows, fate"
    )


def _grouped(frames: Frames, column: str) -> list[Row]:
    kept = frames.documents.group_by(column).agg(
        pl.len().alias("documents"),
        pl.col("bytes").sum(),
        pl.col("n_tokens").sum().alias("tokens"),
        pl.col("train_tokens").sum(),
    )
    read = frames.ledger.group_by(column).agg(
        pl.len().alias("documents_read"),
        (pl.col("fate") == "dropped").sum().alias("documents_dropped"),
    )
    joined = (
        read.join(kept, on=column, how="full", coalesce=True, nulls_equal=True)
        .fill_null(0)
        .with_columns(pl.col(column).fill_null(NOT_JUDGED))
        .sort(
            ["documents", "bytes", "documents_read", column], descending=[True, True, True, False]
        )
    )
    whole = {name: int(joined[name].sum()) for name in ("documents", "bytes", "tokens")}
    trained = int(joined["train_tokens"].sum())
    return [
        {
            column: row[column],
            "documents": row["documents"],
            "bytes": row["bytes"],
            "tokens": row["tokens"],
            "train_tokens": row["train_tokens"],
            "share_documents": share(row["documents"], whole["documents"]),
            "share_bytes": share(row["bytes"], whole["bytes"]),
            "share_tokens": share(row["tokens"], whole["tokens"]),
            "share_train_tokens": share(row["train_tokens"], trained),
            "documents_read": row["documents_read"],
            "documents_dropped": row["documents_dropped"],
        }
        for row in joined.iter_rows(named=True)
    ]


def by_domain(frames: Frames) -> dict[str, Any]:
    """The hosts that most documents come from, and how many there are."""
    documents = frames.documents
    grouped = (
        documents.filter(pl.col("domain").is_not_null())
        .group_by("domain")
        .agg(pl.len().alias("documents"), pl.col("bytes").sum())
        .sort(["documents", "domain"], descending=[True, False])
    )
    found = [
        {**row, "share_documents": share(row["documents"], documents.height)}
        for row in grouped.head(DOMAINS).iter_rows(named=True)
    ]
    return {
        **table(found, f"documents/part-*.parquet: host of url, the {DOMAINS} largest"),
        "distinct": grouped.height,
        "without_url": int(documents["no_url"].sum()),
    }


def created(frames: Frames) -> dict[str, Any]:
    """The range of `created`, and documents per year."""
    column = frames.documents["created"]
    years = (
        frames.documents.filter(pl.col("created").is_not_null())
        .group_by(pl.col("created").dt.year().alias("year"))
        .agg(pl.len().alias("documents"))
        .sort("year")
    )
    first, last = column.min(), column.max()
    return {
        **table(years.iter_rows(named=True), "documents/part-*.parquet: year of created"),
        "earliest": _iso(first),
        "latest": _iso(last),
        "dated": column.len() - column.null_count(),
        "undated": column.null_count(),
    }


def _iso(moment: Any) -> str | None:
    return None if moment is None else str(moment.isoformat())


def lengths(frames: Frames) -> dict[str, Any]:
    """Quantiles and a histogram of characters and, when packed, tokens per document."""
    found = {"characters": _lengths(frames.documents["characters"], "characters of text")}
    if frames.documents["n_tokens"].null_count() < frames.documents.height:
        tokens = frames.documents["n_tokens"].drop_nulls()
        found["tokens"] = _lengths(tokens, "n_tokens of shards/documents.parquet")
    return found


def _lengths(column: pl.Series, what: str) -> dict[str, Any]:
    where = what if "shards" in what else f"documents/part-*.parquet: {what}"
    return {
        "how": where,
        "mean": share(int(column.sum()), column.len()),
        "quantiles": {
            name: None if at is None else int(at) for name, at in quantiles(column).items()
        },
        "histogram": _histogram(column.to_numpy()),
    }


def quantiles(column: pl.Series) -> dict[str, Any]:
    """Values at the named quantiles (the nearest that occurs); all None for an empty column."""
    return {
        name: column.quantile(q, "nearest")
        for name, q in zip(QUANTILE_NAMES, QUANTILES, strict=True)
    }


def _histogram(lengths: npt.NDArray[np.int64]) -> list[Row]:
    """Documents per power of two: ``from <= length < to``."""
    if not len(lengths):
        return []
    edges = np.array([0, *(2**power for power in range(64 - 1))], dtype=np.uint64)
    bins = np.searchsorted(edges, lengths.astype(np.uint64), side="right") - 1
    counts = np.bincount(bins)
    first = int(bins.min())
    return [
        {"from": int(edges[at]), "to": int(edges[at + 1]), "documents": int(counts[at])}
        for at in range(first, len(counts))
    ]
