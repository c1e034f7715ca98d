"""One rule of a published set: a signal, the range it must stay in, and how a recipe changes it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from math import inf, isfinite
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from gristmill.errors import RecipeError

Threshold: TypeAlias = "float | Sequence[float]"
"""One number for the side that the rule has, or the smallest and the largest value."""

Figures: TypeAlias = "Mapping[str, npt.NDArray[np.float64]]"


@dataclass(frozen=True, slots=True)
class Rule:
    """A signal that must be at least `low` and at most `high`; its name is the drop reason.

    Attributes:
        signal: The signal's name.
        low: Smallest value that is kept.
        high: Largest value that is kept.
        top: Largest value that the signal can have; the smallest is 0.
    """

    signal: str
    low: float = -inf
    high: float = inf
    top: float = 1.0

    def broken(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Tell for each value whether it is outside the range."""
        return (values < self.low) | (values > self.high)

    def detail(self, value: float) -> str:
        """Say the value and the threshold it crossed: ``12 (threshold 50)``."""
        threshold = self.low if value < self.low else self.high
        return f"{value:.4g} (threshold {threshold:g})"

    def at(self, threshold: Threshold) -> Rule:
        """The rule with another threshold.

        Raises:
            RecipeError: No document, or every one, would break it.
        """
        low, high = self._sides(threshold)
        key = f"quality.thresholds.{self.signal} = {_shown(threshold)}"
        if low > high:
            raise RecipeError(
                f"{key}: no value is at least {low:g} and at most {high:g}; swap them"
            )
        if low > self.top or high < 0:
            raise RecipeError(f"{key} would drop every document: {self._values()}")
        if low <= 0 and high >= self.top:
            raise RecipeError(
                f"{key} could drop no document: {self._values()}; leave out the rule set or say "
                f"tag: [{self.signal}]"
            )
        return replace(self, low=low, high=high)

    def _sides(self, threshold: Threshold) -> tuple[float, float]:
        two_sided = isfinite(self.low) and isfinite(self.high)
        match threshold:
            case int() | float() if not two_sided and _is_number(threshold):
                one = float(threshold)
                return (one, inf) if isfinite(self.low) else (-inf, one)
            case [low, high] if _is_number(low) and _is_number(high):
                return float(low), float(high)
        example = f"[{self.low:g}, {self.high:g}]" if two_sided else f"{self._bound():g}"
        raise RecipeError(
            f"quality.thresholds.{self.signal} = {_shown(threshold)} is not allowed: a number "
            f"or two, smallest and largest, e.g. {example}"
        )

    def _bound(self) -> float:
        return self.low if isfinite(self.low) else self.high

    def _values(self) -> str:
        return f"it is {'0 or more' if self.top == inf else f'from 0 to {self.top:g}'}"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value


def _shown(threshold: Any) -> str:
    return str(list(threshold)) if isinstance(threshold, tuple) else repr(threshold)


class RuleSet(Protocol):
    """A published set of rules."""

    def rules(self) -> list[Rule]:
        """The rules in the order they are asked."""
        ...


def with_thresholds(
    rules: Mapping[str, Sequence[Rule]], asked: Collection[str], thresholds: Mapping[str, Threshold]
) -> list[Rule]:
    """Choose rule sets and change the thresholds of their rules.

    Args:
        rules: The rules of all sets, by the name of the set.
        asked: Names of the sets that apply.
        thresholds: Other thresholds, by signal.

    Returns:
        The rules that apply, in the order they are asked.

    Raises:
        RecipeError: A threshold is for no rule, for one that is not asked, or without effect.
    """
    check_names("quality.thresholds", thresholds, rules, asked)
    chosen = [rule for name, ones in rules.items() if name in asked for rule in ones]
    return [
        rule.at(thresholds[rule.signal]) if rule.signal in thresholds else rule for rule in chosen
    ]


def check_names(
    key: str,
    names: Collection[str],
    rules: Mapping[str, Sequence[Rule]],
    asked: Collection[str],
    others: Collection[str] = (),
) -> None:
    """Refuse names that are neither signals of the sets asked for nor among `others`.

    Raises:
        RecipeError: Says what is meant, or which set to ask for.
    """
    sets = {rule.signal: name for name, ones in rules.items() for rule in ones}
    sets |= {name: name for name in rules if name in others}
    for name in names:
        if name in sets and sets[name] not in asked:
            raise RecipeError(
                f"{key} names {name!r}, but quality.rules has no {sets[name]}; add it or remove "
                "the name"
            )
        if name not in sets and name not in others:
            near = get_close_matches(str(name), [*sets, *others], n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(sets)}"
            raise RecipeError(f"{key} has no signal {name!r}{hint}")


def first_broken(rules: Sequence[Rule], signals: Figures, n_docs: int) -> npt.NDArray[Any]:
    """The position of the first rule that each document breaks, -1 for none, as int64[n]."""
    first = np.full(n_docs, -1, np.int64)
    for position, rule in reversed(list(enumerate(rules))):
        first[rule.broken(signals[rule.signal])] = position
    return first
