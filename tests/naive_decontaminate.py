"""The slow, obvious twin of the decontamination kernel: lists of words, every pair compared."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

SEED = 4


def words_of(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def has_ngram(item: Sequence[str], text: str, ngram: int) -> bool:
    """Whether the text has `ngram` consecutive words of a part of the item."""
    grams = {gram for part in item for gram in grams_of(words_of(part), ngram)}
    return any(gram in grams for gram in grams_of(words_of(text), ngram))


def grams_of(words: list[str], n: int) -> Iterator[tuple[str, ...]]:
    return (tuple(words[at : at + n]) for at in range(len(words) - n + 1))


def longest_common(one: str, other: str) -> int:
    """Characters of the longest string that stands in both, by the table of all pairs."""
    longest, row = 0, [0] * (len(other) + 1)
    for first in one:
        row = [0, *(row[at] + 1 if first == second else 0 for at, second in enumerate(other))]
        longest = max(longest, *row)
    return longest


def seed_coverage(part: str, text: str) -> float:
    """The share of a part's words in runs of `SEED` words that the text has anywhere."""
    words, known = words_of(part), set(grams_of(words_of(text), SEED))
    covered = {
        word
        for at, gram in enumerate(grams_of(words, SEED))
        if gram in known
        for word in range(at, at + SEED)
    }
    return len(covered) / max(len(words), 1)
