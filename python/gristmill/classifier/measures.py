"""How well scores tell two classes apart, with 95 % intervals.

Shares have Wilson's interval (Wilson 1927), the area under the ROC curve DeLong's (DeLong et al.
1988, with the ranks of Sun and Xu 2014), F1 the quantiles of `N_DRAWS` draws of the confusion matrix.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float64]
Truth = npt.NDArray[np.bool_]

Z = 1.959964
"""Quantile of the normal distribution for 95 %."""

N_DRAWS = 2000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95 % interval; all None where nothing was there to count."""

    value: float | None
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        if self.value is None:
            return "-"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, slots=True)
class Measures:
    """What a classifier gets right at a threshold: at least the threshold counts as positive."""

    positives: int
    negatives: int
    threshold: float
    auc: Estimate
    f1: Estimate
    accuracy: Estimate
    precision: Estimate
    recall: Estimate
    false_positive_rate: Estimate

    def as_dict(self) -> dict[str, Any]:
        """The measures as JSON holds them."""
        return asdict(self)


def measure(scores: Scores, truth: Truth, threshold: float) -> Measures:
    """Measure scores against the truth.

    Args:
        scores: float64[n], higher for the positive class.
        truth: bool[n], whether each is positive.
        threshold: Smallest score that is called positive.
    """
    called = scores >= threshold
    tp, fp = int((called & truth).sum()), int((called & ~truth).sum())
    positives = int(truth.sum())
    negatives = len(truth) - positives
    fn, tn = positives - tp, negatives - fp
    return Measures(
        positives=positives,
        negatives=negatives,
        threshold=threshold,
        auc=area_under_roc(scores, truth),
        f1=_f1(tp, fp, fn, tn),
        accuracy=share(tp + tn, len(truth)),
        precision=share(tp, tp + fp),
        recall=share(tp, positives),
        false_positive_rate=share(fp, negatives),
    )


def share(part: int, whole: int) -> Estimate:
    """`part` of `whole` with Wilson's interval."""
    if not whole:
        return Estimate(None)
    p, spread = part / whole, Z * Z / whole
    middle = (p + spread / 2) / (1 + spread)
    half = Z * sqrt(p * (1 - p) / whole + spread / (4 * whole)) / (1 + spread)
    low = 0.0 if part == 0 else max(middle - half, 0.0)
    return Estimate(p, low, 1.0 if part == whole else min(middle + half, 1.0))


def area_under_roc(scores: Scores, truth: Truth) -> Estimate:
    """The chance that a positive scores above a negative, ties by half.

    Cost: three sorts. An area of 0 or 1 has an interval without width.
    """
    positive, negative = scores[truth], scores[~truth]
    m, n = len(positive), len(negative)
    if not m or not n:
        return Estimate(None)
    ranks = _ranks(np.concatenate([positive, negative]))
    above = (ranks[:m] - _ranks(positive)) / n
    below = 1 - (ranks[m:] - _ranks(negative)) / m
    area = float(above.mean())
    variance = (above.var(ddof=1) / m if m > 1 else 0) + (below.var(ddof=1) / n if n > 1 else 0)
    half = Z * sqrt(variance)
    return Estimate(area, max(area - half, 0.0), min(area + half, 1.0))


def _ranks(scores: Scores) -> Scores:
    """The rank of each score from 1 on, ties in the middle of theirs."""
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    middle: Scores = last - (counts - 1) / 2
    return middle[place]


def _f1(tp: int, fp: int, fn: int, tn: int) -> Estimate:
    if not tp + fp + fn:
        return Estimate(None)
    counts = np.array([tp, fp, fn, tn])
    draws = np.random.default_rng(0).multinomial(counts.sum(), counts / counts.sum(), N_DRAWS)
    called = 2 * draws[:, 0] + draws[:, 1] + draws[:, 2]
    drawn = 2 * draws[:, 0] / np.maximum(called, 1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Estimate(2 * tp / (2 * tp + fp + fn), float(low), float(high))


def roc(scores: Scores, truth: Truth) -> tuple[Scores, Scores]:
    """False and true positive rates of every threshold, from none called positive to all."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    hits, misses = np.cumsum(truth[order])[ends], np.cumsum(~truth[order])[ends]
    return (
        np.concatenate([[0.0], misses / max(misses[-1], 1)]),
        np.concatenate([[0.0], hits / max(hits[-1], 1)]),
    )
