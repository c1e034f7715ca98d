"""Counts terms and what stands near them in the slowest, most obvious way: the twin of the kernel."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

Phrase = tuple[str, int]


def words_of(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def terms_in(words: list[str], phrases: Sequence[Phrase]) -> list[tuple[int, int]]:
    """(place, term) of the longest phrase that begins at each word."""
    found = []
    for place in range(len(words)):
        fitting = [
            (len(parts), term)
            for phrase, term in phrases
            for parts in [words_of(phrase)]
            if words[place : place + len(parts)] == parts
        ]
        longest = max((length for length, _ in fitting), default=0)
        found += sorted({(place, term) for length, term in fitting if length == longest})
    return found


def count(
    texts: Sequence[str],
    phrases: Sequence[Phrase],
    groups: Sequence[Sequence[int]],
    centers: Sequence[int],
    window: int,
) -> tuple[int, list[tuple[int, int]], list[tuple[int, int, int]]]:
    """Words, (occurrences, texts) of each term, (pairs, texts, squares) of each cell."""
    n_groups = max((group for of in groups for group in of), default=-1) + 1
    n_words = 0
    occurrences, n_texts = Counter(), Counter()
    pairs, pair_texts, squares = Counter(), Counter(), Counter()
    for text in texts:
        words = words_of(text)
        n_words += len(words)
        found = terms_in(words, phrases)
        here = Counter()
        for place, term in found:
            for group in groups[term]:
                here[len(centers), group] += 1
            if term in centers:
                for other_place, other in found:
                    if 1 <= abs(other_place - place) <= window:
                        for group in groups[other]:
                            here[centers.index(term), group] += 1
        of_terms = Counter(term for _, term in found)
        occurrences.update(of_terms)
        n_texts.update(of_terms.keys())
        pairs.update(here)
        pair_texts.update(here.keys())
        squares.update({cell: n * n for cell, n in here.items()})
    cells = [(row, group) for row in range(len(centers) + 1) for group in range(n_groups)]
    return (
        n_words,
        [(occurrences[term], n_texts[term]) for term in range(len(groups))],
        [(pairs[cell], pair_texts[cell], squares[cell]) for cell in cells],
    )
