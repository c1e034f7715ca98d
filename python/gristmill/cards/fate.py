"""The fate of one input document: what every stage of the build did with it.

Read from ``run.json`` (the stages, in order) and the ledger (one row per input document).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from gristmill.cards.earlier import original
from gristmill.cards.frames import part_files, scan
from gristmill.cards.losses import entities_in
from gristmill.cards.measure import AFTER_DOCUMENTS, read_run
from gristmill.dedup.earlier import REASON as OF_EARLIER
from gristmill.errors import RecipeError

COPIES_SHOWN = 5
FIXED = [
    "id",
    "source",
    "license",
    "url",
    "fate",
    "stage",
    "reason",
    "detail",
    "duplicate_of",
    "bytes_in",
    "bytes_out",
]
_CUT = re.compile(r"cut [\d,]+ bytes\b")


def why(corpus: Path | str, doc_id: str) -> dict[str, Any]:
    """Tell what became of an input document, stage by stage.

    Args:
        corpus: A corpus directory.
        doc_id: The document's id, as in the ledger.

    Returns:
        ``document`` (its ledger row), ``stages`` (name, outcome ``passed``, ``changed`` or
        ``dropped``, and for the last two reason and detail), ``twin`` (the ledger row of the
        document that stands for it, or that a cut passage stands in first), ``earlier`` (when that
        document is in an earlier corpus: its id, the corpus's name and path, and its source,
        license and url where they are still to be read), ``copies`` (documents whose twin it is),
        ``measured`` (signals that are not null) and, when it was kept,
        ``place`` (file, row and tokens).

    Raises:
        RecipeError: `corpus` is no corpus directory, or no document has that id; the message names
            the ids with the longest common beginning.
    """
    corpus = Path(corpus)
    run = read_run(corpus)
    row = _row(corpus, doc_id)
    if row is None:
        raise RecipeError(_unknown(corpus, doc_id))
    copies = (
        scan(corpus, "ledger")
        .filter((pl.col("duplicate_of") == doc_id) & pl.col("reason").ne_missing(OF_EARLIER))
        .select("id", "source", "fate", "stage")
        .collect()
    )
    earlier = original(run, row)
    has_twin = row["duplicate_of"] is not None and earlier is None
    twin = _row(corpus, row["duplicate_of"]) if has_twin else None
    stages = [s["name"] for s in run.get("stages") or [] if s["name"] not in AFTER_DOCUMENTS]
    return {
        "document": {name: row[name] for name in FIXED},
        "stages": _stages(stages, row),
        "twin": twin and {name: twin[name] for name in FIXED},
        "earlier": earlier,
        "copies": {"documents": copies.height, "first": copies.head(COPIES_SHOWN).to_dicts()},
        "measured": {name: at for name, at in row.items() if name not in FIXED and at is not None},
        "place": _place(corpus, doc_id) if row["fate"] == "kept" else None,
    }


def _row(corpus: Path, doc_id: str) -> dict[str, Any] | None:
    found = scan(corpus, "ledger").filter(pl.col("id") == doc_id).head(1).collect()
    return found.row(0, named=True) if found.height else None


def _unknown(corpus: Path, doc_id: str) -> str:
    ids = scan(corpus, "ledger").select("id").collect()["id"].sort().to_list()
    near = nearest(doc_id, ids)
    hint = (
        f"the nearest by its beginning: {', '.join(near)}"
        if near
        else f"ids look like {ids[0]}"
        if ids
        else "the ledger is empty"
    )
    return f"{corpus}: no input document has the id {doc_id!r}; {hint}"


def nearest(doc_id: str, ids: list[str], most: int = 3) -> list[str]:
    """The ids that share the longest beginning with `doc_id`; `ids` is sorted.

    >>> nearest("abx", ["aaa", "abc", "abe", "b"])
    ['abc', 'abe']
    """
    at = bisect_left(ids, doc_id)
    shared = max((_n_shared(doc_id, other) for other in ids[max(at - 1, 0) : at + 1]), default=0)
    if not shared:
        return []
    first = bisect_left(ids, doc_id[:shared])
    return [other for other in ids[first : first + most] if other.startswith(doc_id[:shared])]


def _n_shared(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _stages(names: list[str], row: dict[str, Any]) -> list[dict[str, Any]]:
    """The stages up to the one that dropped the document, with what each did."""
    details = split_detail(row["detail"], names, row["stage"])
    found = []
    for name in names:
        if name == row["stage"] and row["fate"] == "dropped":
            found.append(
                {
                    "stage": name,
                    "outcome": "dropped",
                    "reason": row["reason"],
                    "detail": details.get(name),
                }
            )
            break
        changed = details.get(name)
        outcome = {"stage": name, "outcome": "changed" if changed else "passed"}
        found.append({**outcome, "detail": changed} if changed else outcome)
    return found


def split_detail(detail: str | None, stages: list[str], dropped_by: str | None) -> dict[str, str]:
    """Give each part of a ledger row's detail to the stage that wrote it.

    Parts are joined by ``; `` in the order of the stages; a part may begin with its stage's name.

    >>> split_detail("cut 9 bytes; longest from a; email 1", ["exact_substrings", "pii"], None)
    {'exact_substrings': 'cut 9 bytes; longest from a', 'pii': 'email 1'}
    """
    found: dict[str, str] = {}
    parts = detail.split("; ") if detail else []
    owner = None
    for at, part in enumerate(parts):
        name, colon, rest = part.partition(": ")
        if colon and name in stages:
            owner, part = name, rest
        elif dropped_by is not None and at == len(parts) - 1:
            owner = dropped_by
        else:
            owner = _guess(part, stages) or owner or dropped_by or "read"
        found[owner] = f"{found[owner]}; {part}" if owner in found else part
    return found


def _guess(part: str, stages: list[str]) -> str | None:
    """The stage that words a detail like this; None for one that goes on with the part before."""
    if entities_in(part) and "pii" in stages:
        return "pii"
    if _CUT.match(part) and "exact_substrings" in stages:
        return "exact_substrings"
    return None


def _place(corpus: Path, doc_id: str) -> dict[str, Any] | None:
    """Where a kept document lies: file of `documents/`, row in it, and its tokens when packed."""
    for path in part_files(corpus, "documents"):
        ids = pl.Series(pq.read_table(path, columns=["id"])["id"])
        at = (ids == doc_id).arg_max()
        if at is not None and ids[at] == doc_id:
            place = {"file": path.relative_to(corpus).as_posix(), "row": at}
            return place | _packed(corpus, doc_id)
    return None


def _packed(corpus: Path, doc_id: str) -> dict[str, Any]:
    path = corpus / "shards" / "documents.parquet"
    if not path.is_file():
        return {}
    found = pl.scan_parquet(path).filter(pl.col("id") == doc_id).select("n_tokens").collect()
    return {"tokens": found["n_tokens"][0]} if found.height else {}
