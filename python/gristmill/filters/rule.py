"""One rule of a published set: a signal and the range it must stay in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Rule:
    """A signal that must be at least `low` and at most `high`; its name is the drop reason."""

    signal: str
    low: float = -np.inf
    high: float = np.inf

    def broken(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Tell for each value whether it is outside the range."""
        return (values < self.low) | (values > self.high)

    def detail(self, value: float) -> str:
        """Say the value and the threshold it crossed: ``12 (threshold 50)``."""
        threshold = self.low if value < self.low else self.high
        return f"{value:.4g} (threshold {threshold:g})"


class RuleSet(Protocol):
    """A published set of rules."""

    def rules(self) -> list[Rule]:
        """The rules in the order they are asked."""
        ...


def first_broken(
    rules: list[Rule], signals: dict[str, npt.NDArray[np.float64]], n_docs: int
) -> npt.NDArray[Any]:
    """The position of the first rule that each document breaks, -1 for none, as int64[n]."""
    first = np.full(n_docs, -1, np.int64)
    for position, rule in reversed(list(enumerate(rules))):
        first[rule.broken(signals[rule.signal])] = position
    return first
