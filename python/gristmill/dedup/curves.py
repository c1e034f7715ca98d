"""How often a banding of MinHash signatures finds pairs of a known similarity.

Two documents of similarity *s* share one of *b* bands of *r* rows with probability
``1 - (1 - s^r)^b``, if the rows of a signature agree independently. What is measured here is held
against that.

Source: Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", section 3.4; the interval of a
share is Wilson's (1927).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gristmill.dedup.parameters import at_least

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.intp]
Codes = npt.NDArray[np.uint64]

MAX_CANDIDATES = 1 << 23
"""Candidates of one banding that are held, each 8 bytes."""

BIN_WIDTH = 0.05
_Z = 1.959964
"""Quantile of the normal distribution for an interval of 95 %."""


@dataclass(frozen=True, slots=True, order=True)
class Banding:
    """How a signature is cut: `bands` times `rows` values; documents that agree in one are compared.

    >>> f"{Banding(16, 8)}: {Banding(16, 8).probability(0.8):.3f}"
    '16x8: 0.947'
    """

    bands: int
    rows: int

    def __post_init__(self) -> None:
        at_least("bands", self.bands, 1)
        at_least("rows", self.rows, 1)

    def __str__(self) -> str:
        return f"{self.bands}x{self.rows}"

    def probability(self, similarity: Any) -> Any:
        """The probability that two documents of this similarity (number or array) share a band."""
        return 1 - (1 - similarity**self.rows) ** self.bands


@dataclass(frozen=True, slots=True)
class Share:
    """How many of `pairs` were `found`, and how many the theory expects.

    Attributes:
        pairs: How many there are.
        found: How many of them share a band.
        theory: Mean of the banding's `probability` over the pairs; None without pairs.
    """

    pairs: int
    found: int
    theory: float | None

    @property
    def recall(self) -> float | None:
        """The part that was found; None without pairs."""
        return self.found / self.pairs if self.pairs else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the recall, were the pairs independent; None without pairs.

        Pairs of one cluster are not, so it is too narrow where a few clusters give most pairs.
        """
        if not self.pairs:
            return None
        part, spread = self.found / self.pairs, _Z**2 / self.pairs
        middle = (part + spread / 2) / (1 + spread)
        half = (part * (1 - part) * spread + spread**2 / 4) ** 0.5 / (1 + spread)
        return max(middle - half, 0.0), min(middle + half, 1.0)

    def as_dict(self) -> dict[str, Any]:
        """The fields and what follows from them, for JSON."""
        return {"pairs": self.pairs, "found": self.found, "recall": self.recall,
                "interval": self.interval, "theory": self.theory}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bin:
    """The pairs of a similarity from `low` on and below `high`; `similarity` is their mean."""

    low: float
    high: float
    similarity: float | None
    share: Share

    def as_dict(self) -> dict[str, Any]:
        """The fields, for JSON."""
        return {"low": self.low, "high": self.high, "similarity": self.similarity,
                **self.share.as_dict()}  # fmt: skip


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """What a banding does when pairs from `threshold` on are wanted.

    Attributes:
        threshold: The smallest similarity that is wanted.
        true: The natural pairs at or above it.
        candidates: The pairs that share a band, of any similarity.
    """

    threshold: float
    true: Share
    candidates: int

    @property
    def precision(self) -> float | None:
        """The part of the candidates that is wanted, before verification; None without any."""
        return self.true.found / self.candidates if self.candidates else None

    def as_dict(self) -> dict[str, Any]:
        """The fields and what follows from them, for JSON."""
        return {"threshold": self.threshold, "candidates": self.candidates,
                "precision": self.precision, **self.true.as_dict()}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Curve:
    """What one banding found.

    Attributes:
        banding: The banding.
        natural: Pairs of the sample by similarity.
        planted: Pairs of a document and an edited copy, by similarity.
        thresholds: Recall and precision against the threshold, of natural pairs.
        planted_true: The planted pairs at or above the threshold of the calibration.
        candidates: Pairs of documents of the sample that share a band.
        candidates_per_document: The same for each document that takes part: the cost.
    """

    banding: Banding
    natural: tuple[Bin, ...]
    planted: tuple[Bin, ...]
    thresholds: tuple[AtThreshold, ...]
    planted_true: Share
    candidates: int
    candidates_per_document: float

    def at(self, threshold: float) -> AtThreshold:
        """The entry of a threshold; it is one of `thresholds`."""
        return next(one for one in self.thresholds if one.threshold == threshold)

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {
            "bands": self.banding.bands,
            "rows": self.banding.rows,
            "candidates": self.candidates,
            "candidates_per_document": self.candidates_per_document,
            "thresholds": [one.as_dict() for one in self.thresholds],
            "natural": [one.as_dict() for one in self.natural],
            "planted": [one.as_dict() for one in self.planted],
            "planted_true": self.planted_true.as_dict(),
        }


def share_of(banding: Banding, similarity: Floats, found: Bools) -> Share:
    """Count the pairs of some similarities, and those that were found."""
    theory = float(banding.probability(similarity).mean()) if len(similarity) else None
    return Share(len(similarity), int(found.sum()), theory)


def bins_of(
    banding: Banding, similarity: Floats, found: Bools, edges: Sequence[float]
) -> tuple[Bin, ...]:
    """Count pairs by similarity; `edges` are ascending."""
    bins = []
    for low, high in itertools.pairwise(edges):
        here = (similarity >= low) & (similarity < high)
        mean = float(similarity[here].mean()) if here.any() else None
        bins.append(Bin(low, high, mean, share_of(banding, similarity[here], found[here])))
    return tuple(bins)


def edges_from(floor: float) -> list[float]:
    """The edges of the bins from about `floor` to 1.

    >>> edges_from(0.85)
    [0.85, 0.9, 0.95, 1.0]
    """
    first = round(floor / BIN_WIDTH)
    return [round(at * BIN_WIDTH, 4) for at in range(first, round(1 / BIN_WIDTH) + 1)]


def candidate_codes(signatures: npt.NDArray[np.uint32], banding: Banding) -> Codes:
    """The pairs of documents that share a band, each once, as ``left * n + right``, ascending.

    Args:
        signatures: ``uint32[n, num_perm]``.
        banding: How they are cut.

    Raises:
        ValueError: There are more than `MAX_CANDIDATES`.
    """
    n, used = len(signatures), banding.bands * banding.rows
    cut = signatures[:, :used].reshape(n, banding.bands, banding.rows)
    keys = _keys(cut.reshape(-1, banding.rows)).reshape(n, banding.bands)
    found, n_found = [np.empty(0, np.uint64)], 0
    for band in range(banding.bands):
        for left, right in _equal_pairs(keys[:, band], banding):
            # Counted in the first band that they share: merging the sorted pairs of all bands took
            # 43 s instead of 1.1 s for 2,000 documents that all resemble each other (25x5).
            fresh = ~(keys[left, :band] == keys[right, :band]).any(axis=1)
            found.append(
                left[fresh].astype(np.uint64) * np.uint64(n) + right[fresh].astype(np.uint64)
            )
            n_found += len(found[-1])
            _refuse_too_many(n_found, banding)
    return np.sort(np.concatenate(found))


def planted_found(
    left: npt.NDArray[np.uint32], right: npt.NDArray[np.uint32], banding: Banding
) -> Bools:
    """Whether two signatures of each pair, ``uint32[n, num_perm]`` each, share a band."""
    used = banding.bands * banding.rows
    agree = (left[:, :used] == right[:, :used]).reshape(-1, banding.bands, banding.rows)
    found: Bools = agree.all(axis=2).any(axis=1)
    return found


def _keys(rows: npt.NDArray[np.uint32]) -> Codes:
    """A 64-bit hash of each row of values."""
    keys = np.zeros(len(rows), np.uint64)
    for column in rows.T:
        keys = (keys ^ column) * np.uint64(0x9E3779B97F4A7C15)
        keys ^= keys >> np.uint64(29)
    return keys


def _equal_pairs(keys: Codes, banding: Banding) -> Iterable[tuple[Ints, Ints]]:
    """The pairs of equal keys, left before right; neighbors at distance 1, then 2, and so on."""
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    _, sizes = np.unique(keys, return_counts=True)
    _refuse_too_many(int((sizes.astype(np.int64) * (sizes - 1) // 2).sum()), banding)
    at = np.arange(len(keys))
    for distance in itertools.count(1):
        at = at[at + distance < len(keys)]
        at = at[keys[at] == keys[at + distance]]
        if not len(at):
            return
        yield order[at], order[at + distance]


def _refuse_too_many(n_candidates: int, banding: Banding) -> None:
    if n_candidates > MAX_CANDIDATES:
        raise ValueError(
            f"banding {banding}: more than {MAX_CANDIDATES:,} candidates; take a smaller sample, or "
            "leave this banding out"
        )
