"""Which member of a cluster of near-duplicates stays.

A cluster is given as the kernel gives it: each document names the first member. Ties go to the
first.
"""

from __future__ import annotations

import json
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gristmill.documents import Documents
from gristmill.errors import RecipeError

Keep: TypeAlias = Literal["first", "longest", "quality"]

KEEP = ("first", "longest", "quality")
"""The first in the order of the input, the one with most bytes of text, the best by a score."""

Rows: TypeAlias = npt.NDArray[np.int64]


def members_of(first: npt.NDArray[Any]) -> Rows:
    """``int64[k]``: the documents that are not alone in their cluster, ascending.

    Args:
        first: ``int[n]``: the first member of each document's cluster.

    >>> members_of(np.array([0, 1, 0, 3, 3]))
    array([0, 2, 3, 4])
    """
    copies = np.flatnonzero(first != np.arange(len(first)))
    return np.union1d(copies, first[copies]).astype(np.int64)


def best_of(first: npt.NDArray[Any], members: Rows, rank: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """``int[n]``: the member of each document's cluster that ranks highest.

    Args:
        first: ``int[n]``: the first member of each document's cluster.
        members: ``int64[k]``: the documents of whole clusters, ascending; the others keep `first`.
        rank: ``float64[k]`` or ``int64[k]`` without NaN: the rank of each of `members`.

    >>> best_of(np.array([0, 1, 0, 0]), np.array([0, 2, 3]), np.array([4, 7, 7]))
    array([2, 1, 2, 2])
    """
    best = first.copy()
    order = np.lexsort((-rank, first[members]))  # stable, so the first of equals comes first
    clusters = first[members[order]]
    starts = np.flatnonzero(np.r_[True, clusters[1:] != clusters[:-1]][: len(clusters)])
    sizes = np.diff(np.r_[starts, len(clusters)])
    best[members[order]] = np.repeat(members[order][starts], sizes)
    return best


def quality_scores(docs: Documents, key: str, rows: Rows) -> npt.NDArray[np.float64]:
    """``float64[k]``: the number under `key` in the metadata of some documents.

    Args:
        docs: The documents.
        key: A key of the metadata's JSON object.
        rows: ``int64[k]``, ascending.

    Returns:
        Minus infinity for a document that has none there.
    """
    scores, first = np.full(len(rows), -np.inf), 0
    for batch in docs.batches(["metadata"]):
        low, high = np.searchsorted(rows, [first, first + len(batch)])
        if low < high:
            metadata = batch["metadata"].take(pa.array(rows[low:high] - first)).to_pylist()
            scores[low:high] = [_score(one, key) for one in metadata]
        first += len(batch)
    return scores


def refuse_without_score(docs: Documents, key: str) -> None:
    """Make sure that `quality_scores` can find something.

    Raises:
        RecipeError: No document has a number under `key`.
    """
    # Metadata is written by `json.dumps`, so the key stands in it as `json.dumps` spells it.
    spelled = json.dumps(key, ensure_ascii=False)
    for batch in docs.batches(["metadata"]):
        likely = batch["metadata"].filter(pc.match_substring(batch["metadata"], spelled))
        if any(_score(one, key) > -np.inf for one in likely.to_pylist()):
            return
    if len(docs):
        raise RecipeError(
            f"dedup.near.quality_key = {key!r}: no document has a number under this key in its "
            "metadata, so keep: quality would choose nothing; name a key that they have, or keep "
            "first or longest"
        )


def _score(metadata: str, key: str) -> float:
    value = json.loads(metadata).get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return -np.inf
    try:
        score = float(value)
    except OverflowError:  # a whole number of more than 308 digits
        return np.inf if value > 0 else -np.inf
    return -np.inf if np.isnan(score) else score
