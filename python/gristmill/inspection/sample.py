"""Random documents of a corpus, some per drop reason and some that were kept, with their texts.

The documents shown are those with the smallest hash of seed and id, so the same seed shows the same
ones; the ledger is read once, a batch at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import nsmallest
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from gristmill._core import xxh3_128_hex
from gristmill.cards.fate import fates
from gristmill.cards.frames import part_files, scan
from gristmill.cards.measure import read_run
from gristmill.config import suggest
from gristmill.errors import RecipeError
from gristmill.inspection.again import GONE, read_again
from gristmill.inspection.common import common_spans

KEPT = "kept"
NOT_FOUND_AGAIN = {
    "read": "the record is no document",
    "unique_ids": "by the id that it brought, another document would be found",
}
"""Why the documents that these stages dropped are not read again."""

Group = tuple[str | None, str]
"""A stage and its drop reason, or None and `KEPT`."""


def sample(
    corpus: Path | str,
    *,
    n: int = 5,
    seed: int = 7,
    reason: str | None = None,
    stage: str | None = None,
    source: str | None = None,
    recipe: Path | str | None = None,
    texts: bool = True,
) -> dict[str, Any]:
    """Choose random documents per drop reason, and read their texts.

    The texts of kept documents are those of the corpus. A dropped one is read again from its
    source, and shown as the stage that dropped it saw it (before passages were cut); reading ends
    when all were found.

    Args:
        corpus: A corpus directory.
        n: Documents of each reason.
        seed: Another seed shows other documents.
        reason: Only this drop reason; ``kept`` for kept documents.
        stage: Only what this stage dropped.
        source: Only documents of this source.
        recipe: The file of the recipe, needed when it names paths relative to its own folder.
        texts: Whether to read the texts.

    Returns:
        ``corpus``, ``name``, ``seed``, ``n`` and ``groups``, kept documents first, then reasons in
        the order of the stages: ``stage``, ``reason``, ``documents`` (in all) and ``shown``, a list
        of what `cards.why` tells, with ``text`` (None when it is not there), ``note`` (why not),
        ``twin_text`` (when the twin was kept) and ``common``: character ranges of the text that
        its twin has too.

    Raises:
        RecipeError: `corpus` is no corpus directory, or nothing in it fits what was asked for.
    """
    corpus = Path(corpus)
    run = read_run(corpus)
    counted, chosen = _choose(corpus, n, seed, {"reason": reason, "stage": stage, "source": source})
    stages = [one["name"] for one in run.get("stages") or []]
    told = fates(corpus, [doc_id for ids in chosen.values() for doc_id in ids])
    if texts:
        _add_texts(corpus, run, told, recipe)
    groups = [
        {
            "stage": group[0],
            "reason": group[1],
            "documents": counted[group],
            "shown": [told[doc_id] for doc_id in chosen[group]],
        }
        for group in sorted(chosen, key=lambda group: _rank(group, stages))
    ]
    return {"corpus": str(corpus), "name": run.get("name"), "seed": seed, "n": n, "groups": groups}


def _rank(group: Group, stages: list[str]) -> tuple[int, str]:
    stage, reason = group
    if stage is None:
        return -1, reason
    return stages.index(stage) if stage in stages else len(stages), reason


def _choose(
    corpus: Path, n: int, seed: int, wanted: dict[str, str | None]
) -> tuple[dict[Group, int], dict[Group, list[str]]]:
    """Count the documents of each group, and choose `n` of them."""
    counted: dict[Group, int] = {}
    smallest: dict[Group, list[tuple[str, str]]] = {}
    known: dict[str, set[str]] = {name: set() for name in wanted}
    for rows in _rows(corpus):
        for name in wanted:
            known[name] |= set(rows[name].drop_nulls().unique())
        for name, value in wanted.items():
            if value is not None:
                rows = rows.filter(pl.col(name) == value)
        for (stage, reason), ids in rows.group_by("stage", "reason"):
            group = (None if stage is None else str(stage), str(reason))
            hashed = ((_hash(seed, doc_id), doc_id) for doc_id in ids["id"])
            smallest[group] = nsmallest(n, [*smallest.get(group, []), *hashed])
            counted[group] = counted.get(group, 0) + ids.height
    if not counted:
        raise RecipeError(_nothing(corpus, wanted, known))
    return counted, {group: [doc_id for _, doc_id in found] for group, found in smallest.items()}


def _rows(corpus: Path) -> Iterator[pl.DataFrame]:
    for path in part_files(corpus, "ledger"):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=["id", "source", "stage", "reason"]):
                yield pl.DataFrame(batch).with_columns(pl.col("reason").fill_null(KEPT))


def _hash(seed: int, doc_id: str) -> str:
    return xxh3_128_hex(f"{seed}:{doc_id}".encode())


def _nothing(corpus: Path, wanted: dict[str, str | None], known: dict[str, set[str]]) -> str:
    asked = {name: value for name, value in wanted.items() if value is not None}
    for name, value in asked.items():
        if value not in known[name]:
            hint = suggest(value, sorted(known[name])) if known[name] else "the ledger has none"
            return f"{corpus}: no document has the {name} {value!r}; {hint}"
    what = ", ".join(f"{name} {value!r}" for name, value in asked.items())
    return (
        f"{corpus}: no document has {what} together" if asked else f"{corpus}: the ledger is empty"
    )


def _add_texts(
    corpus: Path, run: dict[str, Any], told: dict[str, dict[str, Any]], recipe: Path | str | None
) -> None:
    twins = [one["twin"]["id"] for one in told.values() if one["twin"]]
    stay = [doc_id for doc_id, one in told.items() if one["document"]["fate"] == "kept"]
    kept = _kept_texts(corpus, [*stay, *twins])
    gone = [one["document"] for one in told.values() if one["document"]["fate"] == "dropped"]
    again, note = read_again(
        run, [row for row in gone if row["stage"] not in NOT_FOUND_AGAIN], recipe
    )
    for doc_id, one in told.items():
        text = kept.get(doc_id, again.get(doc_id))
        twin_text = kept.get(one["twin"]["id"]) if one["twin"] else None
        one["text"] = text
        one["note"] = None if text is not None else _why_no_text(one["document"], note)
        one["twin_text"] = twin_text
        dropped = one["document"]["fate"] == "dropped"
        one["common"] = common_spans(text, twin_text) if dropped and text and twin_text else []


def _why_no_text(row: dict[str, Any], note: str | None) -> str:
    return NOT_FOUND_AGAIN.get(row["stage"]) or note or GONE


def _kept_texts(corpus: Path, ids: list[str]) -> dict[str, str]:
    if not ids:
        return {}
    found = scan(corpus, "documents").filter(pl.col("id").is_in(ids)).select("id", "text")
    return dict(found.collect(engine="streaming").iter_rows())
