"""The second scan: what is left after cutting holds no repeat as long as the threshold.

It looks at the documents that were written, not at what was meant to be written. Windows across the
joints that cutting made count only when joints are included; otherwise the pieces between joints
are scanned as documents of their own. With a threshold in tokens these pieces are the tokens that
the documents had before cutting, after it is made sure that they spell what was written: encoded
anew, a piece can have other tokens at its ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gristmill.dedup.cuts import Cuts, Int64s
from gristmill.dedup.scan import Kernel, Scanner
from gristmill.dedup.tokens import Encoded, TokenScanner, text_buffers
from gristmill.documents import Documents
from gristmill.errors import IntegrityError
from gristmill.tables import ArrowFiles, arrow_writer

PIECES = pa.schema([pa.field("text", pa.large_binary())])


@dataclass(frozen=True, slots=True)
class Proof:
    """What a second scan looked at.

    Attributes:
        scanned: How many pieces, or documents, it compared.
        repeats: Ranges that it found.
        first: The first of them: the row of its document among those left, and the byte of it.
    """

    scanned: int
    repeats: int
    first: tuple[int, int] | None = None


def scan_documents(left: Documents, scanner: Scanner) -> Proof:
    """Scan documents as they are, joints included."""
    found = scanner.scan(left)
    first = (int(found.document[0]), int(found.start[0])) if len(found) else None
    return Proof(len(left), len(found), first)


def scan_pieces(left: Documents, rows: Int64s, cuts: Cuts, scanner: Scanner) -> Proof:
    """Scan what lies between joints.

    Args:
        left: The documents after cutting.
        rows: Which of the surveyed documents they are, ascending.
        cuts: What was to be cut.
        scanner: What the survey used.
    """
    if isinstance(scanner, TokenScanner):
        return _PiecesOfTokens(left, rows, cuts, scanner).scan()
    return _scan_pieces_of_text(left, rows, cuts, scanner.kernel)


def _scan_pieces_of_text(left: Documents, rows: Int64s, cuts: Cuts, kernel: Kernel) -> Proof:
    path = kernel.room.folder / "pieces.arrow"
    row_of, byte_of = [rows[:0]], [rows[:0]]
    with arrow_writer(path, PIECES) as out:
        for first, texts in left.numbered():
            bounds, data = text_buffers(texts.combine_chunks())
            places, joints = cuts.joints(rows[first : first + len(texts)])
            joints = np.minimum(bounds[places] + joints, bounds[places + 1])
            edges = np.sort(np.concatenate([bounds, joints]))
            buffers = [None, pa.py_buffer(edges), pa.py_buffer(data)]
            column = pa.Array.from_buffers(pa.large_binary(), len(edges) - 1, buffers)
            out.write(pa.table({"text": column}))
            row_of.append(np.searchsorted(bounds, edges[:-1], side="right") - 1)
            byte_of.append(edges[:-1] - bounds[row_of[-1]])
            row_of[-1] += first
    document, start, *_ = kernel.repeats(ArrowFiles([path], PIECES).places("text"))
    row, byte = np.concatenate(row_of), np.concatenate(byte_of)
    if not len(document):
        return Proof(len(row), 0)
    piece = document[0]
    return Proof(len(row), len(document), (int(row[piece]), int(byte[piece] + start[0])))


class _PiecesOfTokens:
    """The tokens that were not cut, piece by piece, held against the documents left."""

    def __init__(self, left: Documents, rows: Int64s, cuts: Cuts, scanner: TokenScanner) -> None:
        self._left, self._rows, self._cuts, self._scanner = left, rows, cuts, scanner
        self._before: Encoded = scanner.last

    def scan(self) -> Proof:
        """Write the pieces, and scan them."""
        path = self._scanner.kernel.room.folder / "pieces.arrow"
        row_of = [self._rows[:0]]
        with arrow_writer(path, self._scanner.schema) as out:
            for row, pieces in self._batches():
                row_of.append(row)
                out.write(pa.table({"ids": pieces}))
        file = ArrowFiles([path], self._scanner.schema)
        document, start, end, *_ = self._scanner.kernel.repeats(
            file.places("ids"), self._scanner.unit
        )
        n_pieces = sum(map(len, row_of))
        if not len(document):
            return Proof(n_pieces, 0)
        at = int(np.concatenate(row_of)[document[0]])
        ids = file.slice(int(document[0]), 1)["ids"].combine_chunks().values
        passage = b"".join(self._scanner.vocabulary.take(ids[start[0] : end[0]]).to_pylist())
        text = self._left.slice(at, 1)["text"][0].as_py().encode()
        return Proof(n_pieces, len(document), (at, text.find(passage)))

    def _batches(self) -> Iterator[tuple[Int64s, pa.Array]]:
        """The row of each piece among the documents left, and its ids."""
        first = 0
        for batch in self._before.ids.batches():
            stop = first + len(batch)
            low, high = np.searchsorted(self._rows, [first, stop]).tolist()
            kept = self._rows[low:high]
            if not len(kept):
                first = stop
                continue
            ids = batch["ids"].combine_chunks()
            bounds, values = ids.offsets.to_numpy(), ids.values.to_numpy()
            places, ranges = self._cuts.ranges_in(kept)
            opening = bounds[kept - first]
            base = opening[places]
            starts = np.sort(np.append(opening, base + self._before.end[ranges]))
            stops = np.sort(np.append(bounds[kept - first + 1], base + self._before.start[ranges]))
            inside = _inside(starts, stops, len(values))
            self._hold_against(low, high, kept, values[inside])
            offsets = np.append(0, np.cumsum(stops - starts))
            pieces = pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values[inside]))
            yield low + np.searchsorted(opening, starts, side="right") - 1, pieces
            first = stop

    def _hold_against(
        self, low: int, high: int, kept: Int64s, ids: npt.NDArray[np.unsignedinteger]
    ) -> None:
        """Refuse documents `low` to `high` when they are not what their tokens spell.

        At a joint, they also have the bytes of characters that were cut in two by their tokens.
        """
        texts = self._left.slice(low, high - low)["text"].combine_chunks()
        bounds, data = text_buffers(texts)
        places, joints = self._cuts.joints(kept)
        _, ranges = self._cuts.ranges_in(kept)
        at = np.minimum(bounds[places] + joints, bounds[-1])
        split = _inside(
            np.maximum(at - self._before.before[ranges], bounds[0]),
            np.minimum(at + self._before.after[ranges], bounds[-1]),
            len(data),
        )
        written = data[bounds[0] : bounds[-1]][~split[bounds[0] : bounds[-1]]]
        ends, spelled = text_buffers(self._scanner.vocabulary.take(pa.array(ids)))
        if not np.array_equal(written, spelled[ends[0] : ends[-1]]):
            raise IntegrityError(
                f"exact_substrings: documents {low} to {high - 1} after cutting are not the text "
                "that was to be left"
            )


def _inside(starts: Int64s, stops: Int64s, length: int) -> npt.NDArray[np.bool_]:
    """Which of `length` positions lie in one of some ranges that do not overlap."""
    steps = np.zeros(length + 1, np.int8)
    np.add.at(steps, starts, 1)
    np.subtract.at(steps, stops, 1)
    inside: npt.NDArray[np.bool_] = np.cumsum(steps[:-1], dtype=np.int8) > 0
    return inside
