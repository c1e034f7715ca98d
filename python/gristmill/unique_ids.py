"""Drop documents whose id an earlier document has, so that an id names one document of the corpus.

A split refuses its own repeated ids while it is read; this sees those of different splits and
sources. The build runs it only when there are some.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gristmill.documents import Documents
from gristmill.room import Room
from gristmill.sources import document_id, later_repeats
from gristmill.stage import Verdict

DUPLICATE_ID = "duplicate_id"
SAID = "is the id of an earlier document, of another split, already"


def own_ids(ids: pa.ChunkedArray, left: pa.ChunkedArray) -> dict[int, str]:
    """Find ids of their own for documents that may not have theirs in the ledger.

    Of documents with one id, the first that the streaming stages left keeps it, or else the first.

    Args:
        ids: Of all documents read, in order.
        left: Which of them the streaming stages left: ``bool[n]``.

    Returns:
        The new id of each of the others, by its row.
    """
    if not later_repeats(ids).true_count:
        return {}
    codes = pc.dictionary_encode(ids.combine_chunks()).indices.to_numpy()
    rows = np.arange(len(codes))
    keeps = np.unique(codes, return_index=True)[1]
    stays = rows[left.to_numpy()]
    of_left, first = np.unique(codes[stays], return_index=True)
    keeps[of_left] = stays[first]
    n_before, found = Counter[str](), dict[int, str]()
    for row in rows[keeps[codes] != rows].tolist():
        doc_id = ids[row].as_py()
        n_before[doc_id] += 1
        found[row] = document_id(DUPLICATE_ID, doc_id, str(n_before[doc_id]).encode())
    return found


class UniqueIds:
    """Global stage ``unique_ids``: the first document of an id stays."""

    name = "unique_ids"

    def survey(self, docs: Documents, room: Room) -> _Judge:
        """Find the repeats; the ids are held, the texts are not."""
        del room  # ids alone are small
        return _Judge(later_repeats(docs.ids()))


class _Judge:
    name = UniqueIds.name

    def __init__(self, repeats: pa.BooleanArray) -> None:
        self._repeats, self._judged = repeats, 0

    def judge(self, docs: pa.Table) -> Verdict:
        """Drop the repeats among the next documents (``duplicate_id``)."""
        repeats = self._repeats.slice(self._judged, len(docs))
        self._judged += len(docs)
        none = pa.scalar(None, pa.string())
        return Verdict(
            reason=pc.if_else(repeats, DUPLICATE_ID, none),
            detail=pc.if_else(repeats, pc.binary_join_element_wise(docs["id"], SAID, " "), none),
        )

    def finish(self, left: Documents) -> dict[str, Any]:
        """Nothing to add."""
        del left
        return {}
