"""Exact deduplication by its definition, slowly: every window against all earlier ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


class Range(NamedTuple):
    document: int
    start: int
    end: int


def duplicate_windows(documents: Sequence[Any], least: int) -> dict[tuple[int, int], Any]:
    """Each window that stood earlier, by document and start, with the place where it stood first."""
    first: dict[Any, tuple[int, int]] = {}
    repeats = {}
    for number, symbols in enumerate(documents):
        for start in range(len(symbols) - least + 1):
            window = tuple(symbols[start : start + least])
            place = first.setdefault(window, (number, start))
            if place != (number, start):
                repeats[number, start] = place
    return repeats


def ranges(documents: Sequence[Any], least: int) -> list[Range]:
    """Mark what lies in a window that stood earlier, and merge."""
    repeats = duplicate_windows(documents, least)
    found = []
    for number, symbols in enumerate(documents):
        marked = set()
        for start in range(len(symbols)):
            if (number, start) in repeats:
                marked |= set(range(start, start + least))
        for at in sorted(marked):
            if found and found[-1].document == number and found[-1].end == at:
                found[-1] = Range(number, found[-1].start, at + 1)
            else:
                found.append(Range(number, at, at + 1))
    return found


def on_characters(documents: Sequence[bytes], found: Sequence[Range]) -> list[Range]:
    """Shrink ranges of bytes to whole characters; what shrinks to nothing is gone."""
    whole = []
    for number, start, end in found:
        data = documents[number]
        while start < end and data[start] & 0xC0 == 0x80:
            start += 1
        while start < end < len(data) and data[end] & 0xC0 == 0x80:
            end -= 1
        if start < end:
            whole.append(Range(number, start, end))
    return whole


def pieces(documents: Sequence[Any], found: Sequence[Range]) -> list[list[Any]]:
    """What lies between the ranges, for each document."""
    left = []
    for number, symbols in enumerate(documents):
        cuts = [one for one in found if one.document == number]
        edges = [0, *(edge for one in cuts for edge in one[1:]), len(symbols)]
        left.append([symbols[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True)])
    return left
