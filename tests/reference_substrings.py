"""The bytes that repeat an earlier window, by a suffix array that we did not write.

The definition of `gristmill.exact_duplicates`, read off the suffix array and the common prefixes
of libdivsufsort and Kasai's algorithm (package `pydivsufsort`), in whole-array numpy: about 25
bytes of memory per byte of text, up to 2 GiB of text.
"""

from __future__ import annotations

import numpy as np
import pydivsufsort


def repeats(texts: list[bytes], min_bytes: int) -> list[np.ndarray]:
    """Document, start and end of the ranges to cut, in order.

    A window is `min_bytes` bytes of one document. Windows that are equal stand together in the
    suffix array, with a common prefix of at least `min_bytes`; the smallest place among them is the
    first, and the bytes of all others are marked.
    """
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    data = np.frombuffer(bytearray().join(texts), dtype=np.uint8)
    if min_bytes > max(lengths, default=0):
        return [np.empty(0, dtype=np.int64)] * 3
    later = _windows(lengths, min_bytes)
    later[_first_places(data, later, min_bytes)] = False
    return ranges(data, lengths, later, min_bytes)


def ranges(
    data: np.ndarray, lengths: np.ndarray, later: np.ndarray, min_bytes: int
) -> list[np.ndarray]:
    """Document, start and end of what the windows that begin at the places in `later` cover."""
    opening = np.cumsum(lengths) - lengths
    start, end = _runs(_covered(later, min_bytes), opening[lengths > 0])
    return _whole_characters(data, opening, start, end)


def _windows(lengths: np.ndarray, min_bytes: int) -> np.ndarray:
    """Whether a window begins at each place: its document is long enough behind it."""
    n_windows = np.maximum(lengths - min_bytes + 1, 0)
    begins = np.stack([n_windows, lengths - n_windows], axis=1).ravel()
    return np.repeat(np.tile([True, False], len(lengths)), begins)


def _first_places(data: np.ndarray, windows: np.ndarray, min_bytes: int) -> np.ndarray:
    """The smallest place of each group of equal windows."""
    places = pydivsufsort.divsufsort(data)
    prefixes = pydivsufsort.kasai(data, places)  # of each suffix with the one that follows it
    group = np.flatnonzero(np.append(True, prefixes[:-1] < min_bytes))
    del prefixes
    places[~windows[places]] = len(data)
    first = np.minimum.reduceat(places, group)
    return first[first < len(data)]


def _covered(windows: np.ndarray, min_bytes: int) -> np.ndarray:
    """Whether a window that begins at a marked place covers each byte."""
    covering = np.cumsum(windows, dtype=np.int32)
    covering[min_bytes:] -= covering[:-min_bytes].copy()
    return covering > 0


def _runs(marked: np.ndarray, opening: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Start and end of the runs of marked bytes, none of which goes on into another document."""
    before = np.append(False, marked[:-1])
    before[opening] = False
    after = np.append(marked[1:], False)
    after[opening[1:] - 1] = False
    return np.flatnonzero(marked & ~before), np.flatnonzero(marked & ~after) + 1


def _whole_characters(
    data: np.ndarray, opening: np.ndarray, start: np.ndarray, end: np.ndarray
) -> list[np.ndarray]:
    """Move ends that are inside a character inwards; offsets within the document."""
    inside = np.append((data & 0xC0) == 0x80, False)
    for _ in range(3):  # a character has at most three bytes besides its first
        start, end = start + inside[start], end - inside[end]
    start, end = start[start < end], end[start < end]
    document = np.searchsorted(opening, start, side="right") - 1
    return [document, start - opening[document], end - opening[document]]
