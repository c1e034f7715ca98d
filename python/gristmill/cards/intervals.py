"""Intervals at 95 % for counts that come in clumps: what one text repeats is hardly more evidence.

Counts of words are not independent: a text about a nurse says *she* twenty times. The design effect
(Kish 1965) under the strictest assumption, that a text always says the same, is the sum of the
squares of the texts' counts over their sum; a variance is multiplied by it.
"""

from __future__ import annotations

from math import log, sqrt

Z = 1.959964
"""Quantile of the normal distribution for 95 %."""


def design_effect(total: float, squares: float) -> float:
    """How many counts stand for one independent one: 1 when no text has more than one."""
    return squares / total if total else 1.0


def wilson(part: float, total: float, effect: float = 1.0) -> tuple[float, float]:
    """Bounds of a share (Wilson 1927), with `total` divided by the design effect.

    >>> low, high = wilson(5, 10)
    >>> round(low, 3), round(high, 3)
    (0.237, 0.763)
    """
    if not total:
        return 0.0, 1.0
    n, share = total / effect, part / total
    middle = share + Z * Z / (2 * n)
    half = Z * sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    scale = 1 + Z * Z / n
    return max((middle - half) / scale, 0.0), min((middle + half) / scale, 1.0)


def log_odds(one: float, other: float, effect: float = 1.0) -> tuple[float, float]:
    """Natural logarithm of ``one / other`` and its variance; half a count is added to each."""
    one, other = one + 0.5, other + 0.5
    return log(one / other), effect * (1 / one + 1 / other)


def bounds(middle: float, variance: float) -> tuple[float, float]:
    """The interval around `middle`."""
    half = Z * sqrt(variance)
    return middle - half, middle + half
