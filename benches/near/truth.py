"""All pairs of texts whose sets of word n-grams overlap by a threshold, found exactly.

Independent of the kernel: words are ``re.findall(r"\\w+", text.lower())``, each word has a random
64-bit number, an n-gram is their weighted sum. Pairs come from prefix filtering (Chaudhuri, Ganti
and Kaushik 2006; Bayardo, Ma and Srikant 2007): sets of similarity *t* share one of their
``n - ceil(t * n) + 1`` rarest members. Texts of equal sets count as one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np


def sets_of(texts: Iterable[str], ngram: int) -> list[Any]:
    """The sorted set of each text's n-grams, as 64-bit numbers."""
    words: dict[str, int] = {}
    rng = np.random.default_rng(0)
    spelled = []
    for text in texts:
        found = re.findall(r"\w+", text.lower()) or [f"no word {text}"]
        spelled.append(np.array([words.setdefault(one, len(words)) for one in found]))
    number = rng.integers(0, 2**64, len(words), np.uint64)
    weight = rng.integers(0, 2**63, ngram, np.uint64) * np.uint64(2) + np.uint64(1)
    return [np.unique(_ngrams(number[one], weight)) for one in spelled]


def _ngrams(numbers: Any, weight: Any) -> Any:
    n = min(len(weight), len(numbers))
    count = len(numbers) - n + 1
    return sum(numbers[at : at + count] * weight[at] for at in range(n)) + np.uint64(n)


def same(sets: Sequence[Any]) -> Any:
    """The first text with the same set, for each."""
    first: dict[bytes, int] = {}
    keys = (blake2b(one.tobytes(), digest_size=16).digest() for one in sets)
    return np.array([first.setdefault(key, number) for number, key in enumerate(keys)])


def similar(sets: Sequence[Any], of: Sequence[int], threshold: float) -> list[tuple[int, int]]:
    """Pairs ``i < j`` among the texts `of` with at least this similarity."""
    pairs = set()
    for group in _shared_prefixes(sets, of, threshold):
        for at, i in enumerate(group):
            for j in group[at + 1 :]:
                small, large = sorted((len(sets[i]), len(sets[j])))
                if small >= threshold * large:
                    pairs.add((i, j))
    return sorted(pair for pair in pairs if jaccard(sets, *pair) >= threshold)


def _shared_prefixes(sets: Sequence[Any], of: Sequence[int], threshold: float) -> list[list[int]]:
    """Groups of texts that share one of their rarest n-grams, each in ascending order."""
    everything = np.concatenate([sets[i] for i in of])
    values, rank, count = np.unique(everything, return_inverse=True, return_counts=True)
    by_rarity = np.empty(len(values), np.int64)
    by_rarity[np.argsort(count, kind="stable")] = np.arange(len(values))
    rank = by_rarity[rank]
    members, owners, at = [], [], 0
    for i in of:
        n = len(sets[i])
        # a whisker less than the threshold, so that rounding loses nothing
        prefix = n - math.ceil((threshold - 1e-9) * n) + 1
        members.append(np.sort(rank[at : at + n])[:prefix])
        owners.append(np.full(prefix, i))
        at += n
    member, owner = np.concatenate(members), np.concatenate(owners)
    order = np.argsort(member, kind="stable")
    member, owner = member[order], owner[order]
    edges = np.flatnonzero(np.diff(member)) + 1
    return [group.tolist() for group in np.split(owner, edges) if len(group) > 1]


def jaccard(sets: Sequence[Any], i: int, j: int) -> float:
    """Exact similarity of two texts."""
    shared = len(np.intersect1d(sets[i], sets[j], assume_unique=True))
    return float(shared / (len(sets[i]) + len(sets[j]) - shared))


def score(
    sets: Sequence[Any],
    first: Any,
    truth: Sequence[tuple[int, int]],
    links: Sequence[Sequence[int]],
    threshold: float,
) -> dict[str, float]:
    """Precision of the links; recall of the true pairs, found when in one cluster of the links."""
    distinct = {tuple(sorted((int(first[i]), int(first[j])))) for i, j in links}
    distinct = {pair for pair in distinct if pair[0] != pair[1]}
    right = sum(jaccard(sets, *pair) >= threshold for pair in distinct)
    root = list(range(len(sets)))

    def find(i: int) -> int:
        while root[i] != i:
            root[i] = i = root[root[i]]
        return i

    for i, j in [*links, *enumerate(first.tolist())]:
        low, high = sorted((find(i), find(j)))
        root[high] = low
    found = sum(find(i) == find(j) for i, j in truth)
    return {
        "n_links": len(distinct),
        "precision": right / max(len(distinct), 1),
        "recall": found / max(len(truth), 1),
        "n_dropped": sum(find(i) != i for i in range(len(sets))),
    }
