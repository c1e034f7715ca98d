"""Drop documents whose id an earlier document has, so that an id names one document of the corpus.

A split refuses its own repeated ids while it is read; this sees those of different splits and
sources. The build runs it only when there are some.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from gristmill.documents import Documents
from gristmill.room import Room
from gristmill.sources import later_repeats
from gristmill.stage import Verdict

DUPLICATE_ID = "duplicate_id"


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
            detail=pc.if_else(repeats, "an earlier document of another split has this id", none),
            duplicate_of=pc.if_else(repeats, docs["id"].combine_chunks(), none),
        )

    def finish(self, left: Documents) -> dict[str, Any]:
        """Nothing to add."""
        del left
        return {}
