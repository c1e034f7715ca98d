"""What is cut from documents: byte ranges, and where the longest of each document stays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Int64s = npt.NDArray[np.int64]

MAX_STEPS = 100
"""How far a twin is followed: a bound on time that real text does not come near."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one scan found in *n* texts: *m* ranges, ordered by document and start.

    Attributes:
        document: The row of each range's text.
        start: Its first byte, on a character.
        end: The byte after it, on a character.
        twin: The row of the text in which the bytes at `start` stand first.
        offset: The byte of that text.
        longest: ``int64[n]``: the longest stretch of each text that is in no range, in the unit of
            the threshold.
    """

    document: Int64s
    start: Int64s
    end: Int64s
    twin: Int64s
    offset: Int64s
    longest: Int64s

    def __len__(self) -> int:
        return len(self.document)


def longest_between(document: Int64s, start: Int64s, end: Int64s, lengths: Int64s) -> Int64s:
    """The longest stretch outside of some ranges, for each of the texts of these lengths.

    >>> one, other = np.array([1, 1]), np.array([5, 5])
    >>> longest_between(one, np.array([0, 3]), np.array([1, 4]), other).tolist()
    [5, 2]
    """
    longest = lengths.copy()
    if len(document):
        is_first = np.diff(document, prepend=-1) != 0
        first = np.flatnonzero(is_first)
        before = start - np.where(is_first, 0, np.roll(end, 1))
        last = np.append(first[1:], len(document)) - 1
        here = document[first]
        after = lengths[here] - end[last]
        longest[here] = np.maximum(np.maximum.reduceat(before, first), after)
    return longest


@dataclass(frozen=True, slots=True, kw_only=True)
class Cuts:
    """The ranges to cut from *k* of *n* documents, in order, none touching another.

    Attributes:
        bases: ``int64[n]``: where each document would start if all stood end to end, a byte apart.
        documents: ``int64[k]``: rows of the documents, ascending.
        bounds: ``int64[k + 1]``: the ranges of entry *i* are ``bounds[i]`` to ``bounds[i + 1]``.
        starts: First byte of each range.
        ends: The byte after each range.
        lengths: ``int64[k]``: bytes of the longest passage that was found in each.
        twins: ``int64[k]``: the document in which that passage stays; see `_led_back`.
        offsets: ``int64[k]``: the byte of it where the passage begins.
    """

    bases: Int64s
    documents: Int64s
    bounds: Int64s
    starts: Int64s
    ends: Int64s
    lengths: Int64s
    twins: Int64s
    offsets: Int64s

    @classmethod
    def none(cls, n_bytes: Int64s) -> Cuts:
        """Cut nothing from documents of these lengths."""
        nothing = np.empty(0, np.int64)
        return cls(
            bases=np.cumsum(n_bytes + 1) - n_bytes - 1,
            documents=nothing,
            bounds=np.zeros(1, np.int64),
            starts=nothing,
            ends=nothing,
            lengths=nothing,
            twins=nothing,
            offsets=nothing,
        )

    def also(self, found: Found, least: int) -> Cuts:
        """Cut too what a scan for repeats of `least` found in the texts that these cuts leave."""
        if not len(found):
            return self
        twin, offset = _led_back(found, least, self.bases)
        document = np.concatenate([self._of_ranges(), found.document])
        start = np.concatenate([self.starts, self.origin(found.document, found.start)])
        end = np.concatenate([self.ends, self.origin(found.document, found.end - 1) + 1])
        document, start, end = _united(document, start, end, self.bases)
        first = np.flatnonzero(np.diff(document, prepend=-1))
        length = np.concatenate([self.lengths, found.end - found.start])
        owner = np.concatenate([self.documents, found.document])
        order = np.lexsort((-length, owner))
        best = order[np.flatnonzero(np.diff(owner[order], prepend=-1))]
        twins = np.concatenate([self.twins, twin])
        offsets = np.concatenate([self.offsets, self.origin(twin, offset)])
        return Cuts(
            bases=self.bases,
            documents=document[first],
            bounds=np.append(first, len(document)),
            starts=start,
            ends=end,
            lengths=length[best],
            twins=twins[best],
            offsets=offsets[best],
        )

    def origin(self, document: Int64s, position: Int64s) -> Int64s:
        """Where bytes of the texts that are left stand in the documents."""
        if not len(self.starts):
            return position
        resumes = self.bases[self._of_ranges()] + self.starts - self._cut_before()
        through = np.searchsorted(resumes, self.bases[document] + position, side="right") - 1
        shift = (self._cut_before() + self.ends - self.starts)[through]
        inside = (through >= 0) & (self._of_ranges()[through] == document)
        return position + np.where(inside, shift, 0)

    def joints(self, rows: Int64s) -> tuple[Int64s, Int64s]:
        """Where texts were cut, in what is left of them.

        Args:
            rows: Documents, ascending.

        Returns:
            For each range of these documents, in order: its document's place in `rows`, and the
            byte at which the text before it meets the text after it.
        """
        places, ranges = self.ranges_in(rows)
        return places, (self.starts - self._cut_before())[ranges]

    def ranges_in(self, rows: Int64s) -> tuple[Int64s, Int64s]:
        """Number the ranges of some documents: each document's place in `rows`, and the range."""
        entries = np.searchsorted(self.documents, rows)
        known = np.flatnonzero(np.append(self.documents, -1)[entries] == rows)
        entries = entries[known]
        counts = self.bounds[entries + 1] - self.bounds[entries]
        skipped = np.repeat(np.cumsum(counts) - counts, counts)
        numbers = np.repeat(self.bounds[entries], counts) + np.arange(counts.sum()) - skipped
        return np.repeat(known, counts), numbers

    def apply(
        self, first: int, texts: pa.ChunkedArray
    ) -> tuple[range, npt.NDArray[np.bool_], pa.Array]:
        """Cut the texts of the documents from row `first` on.

        Returns:
            The entries of those that lose something, which of `texts` they are, and what is left.
        """
        entries = range(*np.searchsorted(self.documents, [first, first + len(texts)]).tolist())
        mask = np.zeros(len(texts), bool)
        mask[self.documents[entries.start : entries.stop] - first] = True
        given = texts.filter(pa.array(mask)).cast(pa.large_binary()).to_pylist()
        left = [self._left(*one) for one in zip(entries, given, strict=True)]
        return entries, mask, pa.array(left, pa.large_binary()).cast(pa.large_string())

    def _left(self, entry: int, text: bytes) -> bytes:
        starts, ends = self._ranges(entry)
        kept = zip([0, *ends], [*starts, len(text)], strict=True)
        return b"".join([text[start:end] for start, end in kept])

    def describe(self, entry: int, twin: str) -> str:
        """What is cut from one document, in the words of the ledger; `twin` is an id."""
        starts, ends = self._ranges(entry)
        ranges = "1 range" if len(starts) == 1 else f"{len(starts):,} ranges"
        return (
            f"cut {sum(ends) - sum(starts):,} bytes in {ranges}; longest from offset "
            f"{self.offsets[entry]:,} of {twin}"
        )

    def _ranges(self, entry: int) -> tuple[list[int], list[int]]:
        here = slice(self.bounds[entry], self.bounds[entry + 1])
        return self.starts[here].tolist(), self.ends[here].tolist()

    def _of_ranges(self) -> Int64s:
        """The document of each range."""
        return np.repeat(self.documents, np.diff(self.bounds))

    def _cut_before(self) -> Int64s:
        """The bytes that are cut from its document before each range."""
        lengths = self.ends - self.starts
        before: Int64s = np.cumsum(lengths) - lengths
        return before - np.repeat(before[self.bounds[:-1]], np.diff(self.bounds))


def _led_back(found: Found, least: int, bases: Int64s) -> tuple[Int64s, Int64s]:
    """Follow the beginning of each range back to where it was not cut.

    The twin of a range has its first window, but may have lost it itself: what it repeats can begin
    a letter later and so stand in another document. While half of the window or more lies in the
    first window of a range of the twin, it stands in the twin of that range too, which is earlier.

    Returns:
        Document and byte of each.
    """
    keys = bases[found.document] + found.start
    twin, offset = found.twin.copy(), found.offset.copy()
    length = np.minimum(found.end - found.start, least)
    moving = np.arange(len(found))
    for _ in range(MAX_STEPS):
        at, n_bytes = offset[moving], length[moving]
        here = np.searchsorted(keys, bases[twin[moving]] + at + n_bytes // 2, side="right") - 1
        start = found.start[here]
        low = np.maximum(at, start)
        high = np.minimum(at + n_bytes, np.minimum(start + least, found.end[here]))
        goes_on = (here >= 0) & (found.document[here] == twin[moving]) & (2 * (high - low) >= least)
        moving, here = moving[goes_on], here[goes_on]
        if not len(moving):
            break
        offset[moving] = found.offset[here] + (low - start)[goes_on]
        twin[moving] = found.twin[here]
        length[moving] = (high - low)[goes_on]
    return twin, offset


def _united(
    document: Int64s, start: Int64s, end: Int64s, bases: Int64s
) -> tuple[Int64s, Int64s, Int64s]:
    """Join ranges that overlap or touch; documents stand a byte apart, so theirs never do."""
    order = np.lexsort((start, document))
    document, start, end = document[order], start[order], end[order]
    reach = np.maximum.accumulate(bases[document] + end)
    fresh = np.append(True, (bases[document] + start)[1:] > reach[:-1])[: len(order)]
    first = np.flatnonzero(fresh)
    last = np.append(first[1:], len(order))[: len(first)] - 1
    document = document[first]
    return document, start[first], reach[last] - bases[document]
