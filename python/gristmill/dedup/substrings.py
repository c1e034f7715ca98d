"""Stage ``exact_substrings``: cuts passages that repeat an earlier one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gristmill import _core
from gristmill.dedup.copies import spread
from gristmill.dedup.cuts import Cuts
from gristmill.dedup.exact import ENGINES, check_exact
from gristmill.dedup.parameters import at_least
from gristmill.documents import Documents
from gristmill.room import Room
from gristmill.stage import Judge, Verdict, keep_all


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactSubstrings:
    """Cuts what repeats an earlier passage, and drops a document of which too little is left.

    `detail` says of a document that lost something how much, and where the longest cut passage
    stands first: a byte offset in the text, as this stage gets it, of the document `duplicate_of`.

    Attributes:
        min_bytes: Length of the shortest repeat that is cut, in UTF-8 bytes.
        min_remaining: Characters, spaces not counted, that must be left of a document that was cut.
        engine: One of `ENGINES`.
        threads: Threads to use.
    """

    min_bytes: int = 100
    min_remaining: int = 50
    engine: str = ENGINES[0]
    threads: int = 1
    name: str = field(default="exact_substrings", init=False)

    def __post_init__(self) -> None:
        check_exact(self.min_bytes, self.engine, self.threads)
        at_least("min_remaining", self.min_remaining, 0)

    def survey(self, docs: Documents, room: Room) -> Judge:
        """Find what to cut; the kernel reads the texts where they stand on disk."""
        ranges = _core.exact_duplicates_in_files(
            docs.places("text"),
            self.min_bytes,
            self.engine,
            self.threads,
            memory=room.left(),
            spill=room.folder,
        )
        cuts = Cuts.of(pa.table(ranges))
        return _Cutter(self, cuts, docs.ids_at(cuts.twins))


class _Cutter:
    """Cuts what the survey found."""

    def __init__(self, stage: ExactSubstrings, cuts: Cuts, twins: pa.Array) -> None:
        self.name = stage.name
        self._stage, self._cuts, self._twins = stage, cuts, twins
        self._row = 0

    def judge(self, docs: pa.Table) -> Verdict:
        """Judge the next documents."""
        start, self._row = self._row, self._row + len(docs)
        entries = self._cuts.within(start, self._row)
        if not entries:
            return Verdict(reason=keep_all(len(docs)))
        cut = np.zeros(len(docs), bool)
        cut[self._cuts.documents[entries.start : entries.stop] - start] = True
        given = docs["text"].cast(pa.large_binary()).filter(pa.array(cut)).to_pylist()
        left = [self._cuts.apply(*one) for one in zip(entries, given, strict=True)]
        texts = pa.array(left, pa.large_binary()).cast(pa.large_string())
        remaining = [sum(map(len, text.as_py().split())) for text in texts]
        short = [n_chars < self._stage.min_remaining for n_chars in remaining]
        details = [
            self._cuts.describe(entry, self._twins[entry].as_py())
            + (self._too_short(n_chars) if dropped else "")
            for entry, n_chars, dropped in zip(entries, remaining, short, strict=True)
        ]
        reasons = ["too_short_after_cut" if dropped else None for dropped in short]
        return Verdict(
            reason=spread(pa.array(reasons, pa.string()), cut),
            detail=spread(pa.array(details, pa.string()), cut),
            duplicate_of=spread(self._twins[entries.start : entries.stop], cut),
            text=pc.replace_with_mask(docs["text"], cut, texts),
        )

    def _too_short(self, n_chars: int) -> str:
        return f"; {n_chars} characters left, at least {self._stage.min_remaining} needed"

    def finish(self, left: Documents) -> dict[str, Any]:
        """Nothing is to be noted."""
        del left
        return {}
