"""Texts made for the benchmark: short ones by the million, and pairs edited at known rates."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

COPIES = 0.2
"""Share of the short texts that are near-copies."""
EDIT_RATES = (0.0, 0.01, 0.02, 0.05, 0.1)
"""Share of a near-copy's words that are replaced; the first makes it a copy."""
BLOCK = 10_000
"""Texts made at a time; a near-copy's original is in its block."""


def vocabulary(texts: Iterable[str]) -> tuple[Any, Any]:
    """The words of real texts and how often each occurs, as a share."""
    counts = Counter(word for text in texts for word in re.findall(r"\w+", text))
    words, count = zip(*sorted(counts.items()), strict=True)
    return np.array(words, object), np.array(count) / sum(count)


def short_blocks(words: Any, share: Any, n_texts: int, seed: int = 0) -> Iterator[list[str]]:
    """Blocks of texts of 40 to 70 words, about 330 bytes, drawn as often as in real text."""
    rng = np.random.default_rng(seed)
    heap = np.cumsum(share)
    for start in range(0, n_texts, BLOCK):
        n = min(BLOCK, n_texts - start)
        length = rng.integers(40, 71, n)
        drawn = np.searchsorted(heap, rng.random((n, 70)), side="right").clip(max=len(words) - 1)
        copies = np.flatnonzero(rng.random(n) < COPIES)
        originals = rng.integers(0, n, len(copies))
        drawn[copies], length[copies] = drawn[originals], length[originals]
        edited = rng.random((len(copies), 70)) < rng.choice(EDIT_RATES, (len(copies), 1))
        drawn[copies] = np.where(edited, rng.integers(0, len(words), edited.shape), drawn[copies])
        rows = words[drawn].tolist()
        yield [" ".join(row[:size]) for row, size in zip(rows, length.tolist(), strict=True)]


def planted(
    n_words: int, rate: float, ngram: int, n_pairs: int, seed: int
) -> tuple[list[str], Any]:
    """Pairs of texts, one after the other, and each pair's exact similarity.

    Words are random numbers that hardly ever repeat. In the second text each word is replaced with
    probability `rate`, so the n-grams in common are those without a replaced word.
    """
    rng = np.random.default_rng([seed, n_words, int(rate * 1e6)])
    words = rng.integers(0, 2**48, (n_pairs, n_words))
    replaced = rng.random(words.shape) < rate
    near = np.where(replaced, rng.integers(0, 2**48, words.shape), words)
    texts = [" ".join(map(hex, row)) for pair in zip(words, near, strict=True) for row in pair]
    windows = n_words - ngram + 1
    touched = np.cumsum(np.pad(replaced, ((0, 0), (1, 0))), axis=1)
    shared = (touched[:, ngram:] == touched[:, :windows]).sum(axis=1)
    return texts, shared / (2 * windows - shared)
