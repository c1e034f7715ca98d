"""The fate of input documents: what every stage of the build did with them.

Read from ``run.json`` (the stages, in order) and the ledger (one row per input document).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import polars as pl

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
    found = fates(corpus, [doc_id])
    if not found:
        raise RecipeError(unknown(corpus, [doc_id])[0])
    return found[doc_id]


def fates(corpus: Path | str, doc_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Tell what became of many input documents, in about the time that one takes.

    Args:
        corpus: A corpus directory.
        doc_ids: Ids of documents; those that the ledger lacks are left out.

    Returns:
        For each id, in the order given, what `why` returns.

    Raises:
        RecipeError: `corpus` is no corpus directory.
    """
    corpus = Path(corpus)
    run = read_run(corpus)
    wanted = list(dict.fromkeys(doc_ids))
    rows = _rows(corpus, wanted)
    earlier = {doc_id: original(run, row) for doc_id, row in rows.items()}
    twins = _rows(
        corpus,
        {
            row["duplicate_of"]
            for doc_id, row in rows.items()
            if row["duplicate_of"] is not None and earlier[doc_id] is None
        },
    )
    copies = _copies(corpus, wanted)
    places = _places(corpus, [doc_id for doc_id, row in rows.items() if row["fate"] == "kept"])
    stages = [s["name"] for s in run.get("stages") or [] if s["name"] not in AFTER_DOCUMENTS]
    return {
        doc_id: {
            "document": {name: row[name] for name in FIXED},
            "stages": _stages(stages, row),
            "twin": _twin(row, twins) if earlier[doc_id] is None else None,
            "earlier": earlier[doc_id],
            "copies": _first_copies(copies.get(doc_id, [])),
            "measured": {
                name: at for name, at in row.items() if name not in FIXED and at is not None
            },
            "place": places.get(doc_id),
        }
        for doc_id in wanted
        if (row := rows.get(doc_id)) is not None
    }


def _rows(corpus: Path, ids: Collection[str]) -> dict[str, dict[str, Any]]:
    """The ledger rows of `ids`; of two with one id (which `verify` refuses), the first."""
    if not ids:
        return {}
    found = scan(corpus, "ledger").filter(pl.col("id").is_in(list(ids))).collect()
    return {row["id"]: row for row in reversed(found.to_dicts())}


def _copies(corpus: Path, ids: list[str]) -> dict[str, list[dict[str, Any]]]:
    """For each of `ids` that has some, the documents of this corpus whose twin it is, in order."""
    found: dict[str, list[dict[str, Any]]] = {}
    rows = (
        scan(corpus, "ledger")
        .filter(pl.col("duplicate_of").is_in(ids) & pl.col("reason").ne_missing(OF_EARLIER))
        .select("duplicate_of", "id", "source", "fate", "stage")
        .collect()
    )
    for row in rows.iter_rows(named=True):
        found.setdefault(row.pop("duplicate_of"), []).append(row)
    return found


def _first_copies(copies: list[dict[str, Any]]) -> dict[str, Any]:
    return {"documents": len(copies), "first": copies[:COPIES_SHOWN]}


def _twin(row: dict[str, Any], twins: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    twin = twins.get(row["duplicate_of"])
    return twin and {name: twin[name] for name in FIXED}


def unknown(corpus: Path | str, doc_ids: Iterable[str]) -> list[str]:
    """Say of ids that the ledger lacks which ones of it are near."""
    ids = scan(Path(corpus), "ledger").select("id").collect()["id"].sort().to_list()
    return [f"{corpus}: no input document has the id {one!r}; {_hint(one, ids)}" for one in doc_ids]


def _hint(doc_id: str, ids: list[str]) -> str:
    if near := nearest(doc_id, ids):
        return f"the nearest by its beginning: {', '.join(near)}"
    return f"ids look like {ids[0]}" if ids else "the ledger is empty"


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


def _places(corpus: Path, ids: list[str]) -> dict[str, dict[str, Any]]:
    """Where kept documents lie: file of `documents/`, row in it, and their tokens when packed."""
    found: dict[str, dict[str, Any]] = {}
    for path in part_files(corpus, "documents") if ids else ():
        name = path.relative_to(corpus).as_posix()
        rows = pl.scan_parquet(path).select("id").with_row_index("row")
        for row, doc_id in rows.filter(pl.col("id").is_in(ids)).collect().iter_rows():
            found.setdefault(doc_id, {"file": name, "row": row})
        if len(found) == len(ids):
            break
    packed = corpus / "shards" / "documents.parquet"
    if ids and packed.is_file():
        tokens = pl.scan_parquet(packed).filter(pl.col("id").is_in(ids)).select("id", "n_tokens")
        for doc_id, n_tokens in tokens.collect().iter_rows():
            if doc_id in found:
                found[doc_id]["tokens"] = n_tokens
    return found
