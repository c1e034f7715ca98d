"""Stage ``exact_substrings``: cuts passages that repeat an earlier one, and loses nothing by it.

A *window* is as many consecutive bytes (or tokens) of one document as the threshold says; what is
cut is what lies in a window that occurs earlier in the corpus. So every byte that is cut leads back,
window by window, to an earlier byte that is not cut, with the same character in the same window.

    *What is lost.* Follow any byte of any document back like this. Where it ends, the byte stands
    in a kept document, or in the rest of a dropped one. Such a rest has fewer than `min_remaining`
    characters, and no window: each of its pieces is shorter than the threshold. In particular a
    window whose first occurrence nothing was cut from stands, whole, in a kept document.

A document of which less than `min_remaining` is left, but a piece as long as the threshold, is
therefore kept: the piece may be the first occurrence of what was cut elsewhere.

*Joints.* Cutting puts text next to text that it was not next to, and a window across such a joint
can repeat another. With ``joints: exclude`` these windows do not count. With ``include`` what is
left is scanned and cut again until nothing repeats; all documents take part to the end, and the
whole rest of a document counts as one piece when it is decided who is dropped, so no window across
a joint is lost with a dropped document either.

Source: Lee et al. 2022 (arXiv:2107.06499), section 4.1, which drops every copy; keeping the first,
the rule for dropping and the joints are our own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gristmill.dedup.copies import spread
from gristmill.dedup.cuts import Cuts, Int64s
from gristmill.dedup.exact import ENGINES, check_exact
from gristmill.dedup.parameters import at_least
from gristmill.dedup.proof import scan_documents, scan_pieces
from gristmill.dedup.scan import ByteScanner, Kernel, Scanner
from gristmill.dedup.tokens import TokenScanner
from gristmill.documents import TEXT, Documents, TextFiles
from gristmill.errors import IntegrityError
from gristmill.progress import say
from gristmill.room import Room
from gristmill.stage import Judge, Verdict, keep_all
from gristmill.tables import arrow_writer
from gristmill.tokenizer import Tokenizer

MIN_BYTES = 100
MIN_TOKENS = 50

LEAST_VERIFIED = 8
"""The smallest threshold that can be verified: shorter repeats can lie within a character."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactSubstrings:
    """Cuts what repeats an earlier passage, and drops a document of which too little is left.

    `detail` says of a document that lost something how much, and where the longest passage that it
    lost stays: a byte offset in the text, as this stage gets it, of the document `duplicate_of`.

    Attributes:
        min_bytes: Length of the shortest repeat that is cut, in UTF-8 bytes; 100 when neither this
            nor `min_tokens` is given.
        min_tokens: The same in tokens; 50 when there is a `tokenizer`.
        tokenizer: Path of the ``tokenizer.json`` that counts them.
        min_remaining: Characters, spaces not counted, that must be left of a document that was cut
            unless a piece of it is as long as the threshold.
        joints: ``exclude`` or ``include``: whether windows across joints count.
        verify: Scan again what is left, and fail when something repeats.
        engine: One of `ENGINES`.
        threads: Threads to use.
    """

    min_bytes: int | None = None
    min_tokens: int | None = None
    tokenizer: str | Path | None = None
    min_remaining: int = 50
    joints: Literal["exclude", "include"] = "exclude"
    verify: bool = False
    engine: str = ENGINES[0]
    threads: int = 1
    name: str = field(default="exact_substrings", init=False)
    _loaded: Tokenizer | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.min_bytes is not None and (self.min_tokens is not None or self.tokenizer):
            raise ValueError("min_bytes and min_tokens exclude each other: give one of them")
        if self.min_tokens is not None and not self.tokenizer:
            raise ValueError("min_tokens needs a tokenizer: the path of a tokenizer.json")
        check_exact(f"min_{self.unit}", self.least, self.engine, self.threads)
        at_least("min_remaining", self.min_remaining, 0)
        if self.joints not in ("exclude", "include"):
            raise ValueError(f"joints = {self.joints!r} is not allowed: exclude or include")
        if self.verify or self.joints == "include":
            at_least(f"min_{self.unit}", self.least, LEAST_VERIFIED)
        if self.tokenizer:
            object.__setattr__(self, "_loaded", Tokenizer.load(self.tokenizer))

    @property
    def unit(self) -> str:
        """What the threshold counts: ``bytes`` or ``tokens``."""
        return "tokens" if self.tokenizer else "bytes"

    @property
    def least(self) -> int:
        """The threshold."""
        if self.tokenizer:
            return MIN_TOKENS if self.min_tokens is None else self.min_tokens
        return MIN_BYTES if self.min_bytes is None else self.min_bytes

    def survey(self, docs: Documents, room: Room) -> Judge:
        """Find what to cut."""
        kernel = Kernel(self.least, self.engine, self.threads, room)
        loaded = self._loaded
        scanner = ByteScanner(kernel) if loaded is None else TokenScanner(kernel, loaded)
        cuts, left, n_scans = Cuts.none(docs.text_bytes()), TextFiles(docs.paths, docs.schema), 0
        while True:
            n_scans += 1
            say(f"{self.name}: scan {n_scans} for repeats of {self.least:,} {self.unit} or more")
            found = scanner.scan(left)
            cuts = cuts.also(found, self.least)
            if self.joints == "exclude" or not len(found):
                return _Cutter(self, scanner, cuts, found.longest, docs, n_scans)
            left = _cut_all(docs, cuts, room.folder / "left.arrow")


def _cut_all(docs: Documents, cuts: Cuts, path: Path) -> TextFiles:
    """Write what is left of all documents."""
    with arrow_writer(path, TEXT) as out:
        for first, texts in docs.numbered():
            _, mask, left = cuts.apply(first, texts)
            out.write(pa.table({"text": pc.replace_with_mask(texts, mask, left)}))
    return TextFiles([path])


class _Cutter:
    """Cuts what the survey found.

    Args:
        stage: Its options.
        scanner: What the survey used.
        cuts: What it found.
        longest: The longest stretch of each document that is left, in the unit of the threshold.
        docs: The documents that were surveyed.
        n_scans: How often they were scanned.
    """

    def __init__(
        self,
        stage: ExactSubstrings,
        scanner: Scanner,
        cuts: Cuts,
        longest: Int64s,
        docs: Documents,
        n_scans: int,
    ) -> None:
        self.name = stage.name
        self._stage, self._scanner, self._cuts = stage, scanner, cuts
        self._has_window = longest[cuts.documents] >= stage.least
        self._twins = docs.ids_at(cuts.twins)
        self._n_scans = n_scans
        self._n_docs = 0
        self._dropped: list[int] = []

    def judge(self, docs: pa.Table) -> Verdict:
        """Judge the next documents."""
        first, self._n_docs = self._n_docs, self._n_docs + len(docs)
        entries, mask, left = self._cuts.apply(first, docs["text"])
        if not entries:
            return Verdict(reason=keep_all(len(docs)))
        details, reasons = [], []
        for entry, text in zip(entries, left, strict=True):
            n_chars = self._too_few_chars(entry, text)
            detail = self._cuts.describe(entry, self._twins[entry].as_py())
            if n_chars is not None:
                self._dropped.append(int(self._cuts.documents[entry]))
                needed = self._stage.min_remaining
                detail += f"; {n_chars} characters left, at least {needed} needed"
            details.append(detail)
            reasons.append(None if n_chars is None else "too_short_after_cut")
        return Verdict(
            reason=spread(pa.array(reasons, pa.string()), mask),
            detail=spread(pa.array(details, pa.string()), mask),
            duplicate_of=spread(self._twins[entries.start : entries.stop], mask),
            text=pc.replace_with_mask(docs["text"], mask, left),
        )

    def _too_few_chars(self, entry: int, text: pa.Scalar) -> int | None:
        """How many characters are left, when the document is to be dropped for it."""
        if self._has_window[entry] or not self._stage.min_remaining:
            return None
        n_chars = sum(map(len, text.as_py().split()))
        return n_chars if n_chars < self._stage.min_remaining else None

    def finish(self, left: Documents) -> dict[str, Any]:
        """Count what was cut; with `verify`, scan what is left.

        Raises:
            IntegrityError: Something repeats.
        """
        cuts = self._cuts
        counted = {
            "documents": len(cuts.documents),
            "dropped": len(self._dropped),
            "ranges": len(cuts.starts),
            "bytes": int((cuts.ends - cuts.starts).sum()),
            "twins": len(np.unique(cuts.twins)),
            "scans": self._n_scans,
        }
        return {"cut": counted, **(self._verified(left) if self._stage.verify else {})}

    def _verified(self, left: Documents) -> dict[str, Any]:
        stage = self._stage
        say(f"{self.name}: scan what is left once more, as a proof")
        if stage.joints == "include":
            what, proof = "documents", scan_documents(left, self._scanner)
        else:
            rows = np.delete(np.arange(self._n_docs), self._dropped)
            what, proof = "pieces", scan_pieces(left, rows, self._cuts, self._scanner)
        if proof.first is not None:
            row, byte = proof.first
            doc_id = left.ids_at(np.array([row]))[0].as_py()
            raise IntegrityError(
                f"{self.name}: after cutting, {proof.repeats:,} ranges of {stage.least:,} "
                f"{stage.unit} or more still repeat an earlier one (joints: {stage.joints}), the "
                f"first at byte {byte:,} of document {doc_id!r}; this is a fault of engine "
                f"{stage.engine} and not of the input: use the other one, and report it"
            )
        return {"verified": {"joints": stage.joints, what: proof.scanned, "repeats": 0}}
