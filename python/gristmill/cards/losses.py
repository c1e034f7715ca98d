"""What a build took away and what it noticed: drops, duplicates, cuts, personal data, signals."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import polars as pl

from gristmill import schema
from gristmill.cards.facts import Row, rounded, share, table
from gristmill.cards.frames import Frames
from gristmill.cards.groups import QUANTILE_NAMES, quantiles
from gristmill.pii import ENTITIES

EXAMPLES = 3
DETAIL_CHARACTERS = 160
DUPLICATE_STAGES = ("exact_documents", "near_duplicates", "exact_substrings")

_NAMES = "|".join(ENTITIES)
_ENTITY_COUNT = re.compile(rf"({_NAMES})\s*[=:×]?\s*([\d,]+)|([\d,]+)\s*[×x]?\s*({_NAMES})")
_BYTES_CUT = re.compile(r"\bcut ([\d,]+) bytes\b")
_FIXED = {field.name for field in schema.LEDGER} - {field.name for field in schema.SIGNALS}


def drops(frames: Frames) -> dict[str, Any]:
    """Dropped documents by stage and reason, with the first examples of each."""
    dropped = frames.ledger.filter(pl.col("fate") == "dropped")
    examples = pl.struct("id", "source", "detail", "duplicate_of").head(EXAMPLES)
    grouped = (
        dropped.group_by("stage", "reason", maintain_order=True)
        .agg(pl.len().alias("documents"), pl.col("bytes_in").sum(), examples.alias("examples"))
        .sort(["documents", "stage", "reason"], descending=[True, False, False])
    )
    found = [
        {
            "stage": row["stage"],
            "reason": row["reason"],
            "documents": row["documents"],
            "bytes": row["bytes_in"],
            "share_read": share(row["documents"], frames.ledger.height),
            "examples": [_example(example) for example in row["examples"]],
        }
        for row in grouped.iter_rows(named=True)
    ]
    return table(found, "ledger/part-*.parquet where fate = dropped, by stage and reason")


def _example(example: Row) -> Row:
    detail = example["detail"]
    if detail and len(detail) > DETAIL_CHARACTERS:
        detail = detail[: DETAIL_CHARACTERS - 1] + "…"
    return {**example, "detail": detail}


def duplicates(frames: Frames, recipe: dict[str, Any]) -> dict[str, Any]:
    """Copies by kind: documents dropped, the documents that stand for them, and bytes cut."""
    ledger = frames.ledger
    found = []
    for stage in DUPLICATE_STAGES:
        gone = ledger.filter(pl.col("stage") == stage)
        if not gone.height and not _asked_for(recipe, stage):
            continue
        found.append(
            {
                "kind": stage,
                "documents": gone.height,
                "bytes": int(gone["bytes_in"].sum()),
                "originals": gone["duplicate_of"].drop_nulls().n_unique(),
                "share_read": share(gone.height, ledger.height),
            }
        )
    return table(found, "ledger/part-*.parquet by stage: rows, bytes_in, distinct duplicate_of")


def _asked_for(recipe: dict[str, Any], stage: str) -> bool:
    keys = {"exact_documents": "documents", "near_duplicates": "near"}
    asked = recipe.get("dedup")
    return isinstance(asked, dict) and asked.get(keys.get(stage, "substrings")) is not None


def repeats_left(frames: Frames) -> Row:
    """Kept documents whose text another kept document has too."""
    hashes = frames.documents["text_hash"]
    return {
        "value": hashes.len() - hashes.n_unique(),
        "how": "documents/part-*.parquet: rows - distinct hashes of text",
    }


def cuts(frames: Frames) -> dict[str, Any]:
    """Bytes between what was read of the kept documents and what is left of them."""
    kept = frames.ledger.filter(pl.col("fate") == "kept")
    shorter = kept.filter(pl.col("bytes_out") < pl.col("bytes_in"))
    details = kept["detail"].drop_nulls().to_list()
    repeated = [_int(cut[1]) for detail in details if (cut := _BYTES_CUT.search(detail))]
    return {
        "how": "ledger/part-*.parquet where fate = kept: bytes_in, bytes_out, detail",
        "documents_shortened": shorter.height,
        "bytes_in": int(kept["bytes_in"].sum()),
        "bytes_out": int(kept["bytes_out"].sum()),
        "documents_with_repeats_cut": len(repeated),
        "repeated_bytes_cut": sum(repeated),
    }


def personal_data(frames: Frames) -> dict[str, Any] | None:
    """Personal data found in the kept documents, by entity; None when nobody looked."""
    kept = frames.ledger.filter((pl.col("fate") == "kept") & pl.col("pii_count").is_not_null())
    if not kept.height:
        return None
    hit = kept.filter(pl.col("pii_count") > 0)
    entities = entity_counts(hit["detail"].drop_nulls().to_list())
    return {
        **table(
            [{"entity": name, "found": count} for name, count in entities],
            "ledger/part-*.parquet where fate = kept: counts by entity in detail",
        ),
        "documents_searched": kept.height,
        "documents": hit.height,
        "found": int(hit["pii_count"].sum()),
    }


def entity_counts(details: Iterable[str]) -> list[tuple[str, int]]:
    """Sum the ``entity=count`` pairs in ledger details, most frequent first.

    >>> entity_counts(["pii: email=2, ip=1", "email=1"])
    [('email', 3), ('ip', 1)]
    """
    total: Counter[str] = Counter()
    for detail in details:
        for part in detail.split("; "):
            total.update(dict(entities_in(part)))
    return sorted(total.items(), key=lambda item: (-item[1], item[0]))


def entities_in(part: str) -> list[tuple[str, int]]:
    """The entities and counts of one part of a detail, if it is nothing but those.

    >>> entities_in("email=2, ip=1"), entities_in("cut 3 bytes, email=2")
    ([('email', 2), ('ip', 1)], [])
    """
    found = []
    for item in part.removeprefix("pii: ").removeprefix("masked ").split(", "):
        match = _ENTITY_COUNT.fullmatch(item.strip())
        if match is None:
            return []
        found.append((match[1] or match[4], _int(match[2] or match[3])))
    return found


def _int(digits: str) -> int:
    return int(digits.replace(",", "") or 0)


def signals(frames: Frames) -> dict[str, Any]:
    """Quantiles over kept documents of every number the ledger measured."""
    kept = (frames.ledger["fate"] == "kept").fill_null(False)
    found = []
    for name in frames.ledger.columns:
        column = frames.ledger[name]
        if _is_signal(name, column) and column.null_count() < column.len():
            found.append(_signal(name, column, kept))
    return table(found, "ledger/part-*.parquet: the column of that name")


def _is_signal(name: str, column: pl.Series) -> bool:
    if name in ("language_score", "toxicity_score"):
        return True
    return name not in _FIXED and (column.dtype.is_numeric() or column.dtype == pl.Boolean)


def _signal(name: str, column: pl.Series, kept: pl.Series) -> Row:
    known, known_kept = column.drop_nulls(), column.filter(kept).drop_nulls()
    row: Row = {"signal": name, "measured": known.len(), "measured_kept": known_kept.len()}
    if column.dtype == pl.Boolean:
        row["share_true"] = share(int(known.sum()), known.len())
        row["share_true_kept"] = share(int(known_kept.sum()), known_kept.len())
        return row
    of_kept = quantiles(known_kept.cast(pl.Float64))
    row |= {at: rounded(of_kept[at]) for at in QUANTILE_NAMES}
    gone = column.filter(~kept).drop_nulls().cast(pl.Float64)
    row["p50_dropped"] = rounded(gone.quantile(0.5, "nearest"))
    return row
