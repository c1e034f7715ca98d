"""What is cut from documents: byte ranges, and where the longest of each document stands first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cuts:
    """The ranges to cut from *k* documents, on characters, in order, none touching another.

    Attributes:
        documents: ``int64[k]``: rows of the documents, ascending.
        bounds: ``int64[k + 1]``: the ranges of entry *i* are ``bounds[i]`` to ``bounds[i + 1]``.
        starts: First byte of each range.
        ends: The byte after each range.
        twins: ``int64[k]``: the document in which the longest range of each stands first.
        offsets: ``int64[k]``: the byte of it where that range begins.
    """

    documents: Int64s
    bounds: Int64s
    starts: Int64s
    ends: Int64s
    twins: Int64s
    offsets: Int64s

    @classmethod
    def of(cls, ranges: pa.Table) -> Cuts:
        """Gather the ranges that the kernel found, ordered by document and start."""
        columns = (ranges[name].to_numpy().astype(np.int64) for name in ranges.column_names)
        document, starts, ends, twins, offsets = columns
        first = np.flatnonzero(np.diff(document, prepend=-1))
        bounds = np.append(first, len(document))
        longest = _first_longest(ends - starts, bounds)
        return cls(
            documents=document[first],
            bounds=bounds,
            starts=starts,
            ends=ends,
            twins=twins[longest],
            offsets=offsets[longest],
        )

    def within(self, first: int, stop: int) -> range:
        """The entries of the documents from row `first` on, before `stop`."""
        return range(*np.searchsorted(self.documents, [first, stop]).tolist())

    def ranges(self, entry: int) -> tuple[list[int], list[int]]:
        """Starts and ends of what is cut from one document."""
        here = slice(self.bounds[entry], self.bounds[entry + 1])
        return self.starts[here].tolist(), self.ends[here].tolist()

    def apply(self, entry: int, text: bytes) -> bytes:
        """The text of one document without its ranges."""
        starts, ends = self.ranges(entry)
        kept = zip([0, *ends], [*starts, len(text)], strict=True)
        return b"".join([text[start:end] for start, end in kept])

    def describe(self, entry: int, twin: str) -> str:
        """What is cut from one document, in the words of the ledger; `twin` is an id."""
        starts, ends = self.ranges(entry)
        ranges = "1 range" if len(starts) == 1 else f"{len(starts):,} ranges"
        return (
            f"cut {sum(ends) - sum(starts):,} bytes in {ranges}; longest from offset "
            f"{self.offsets[entry]:,} of {twin}"
        )


def _first_longest(lengths: Int64s, bounds: Int64s) -> Int64s:
    """The first of the longest ranges of each document."""
    if not len(lengths):
        return np.empty(0, np.int64)
    counts = np.diff(bounds)
    is_longest = lengths == np.repeat(np.maximum.reduceat(lengths, bounds[:-1]), counts)
    found = np.flatnonzero(is_longest)
    _, at = np.unique(np.repeat(np.arange(len(counts)), counts)[found], return_index=True)
    return found[at]
