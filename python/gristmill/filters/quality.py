"""Measures the quality signals of Gopher, C4 and FineWeb, and drops what breaks their rules.

The figures come from one walk over each text in the core, computed as datatrove 0.10.1 does; the
decisions are taken here, on float64, before the figures are rounded for the table. Words are split
as by spaCy's English tokenizer, whatever the language of the text, as datatrove does by default.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gristmill import _core
from gristmill.errors import RecipeError
from gristmill.filters.c4 import C4
from gristmill.filters.fineweb import FineWeb
from gristmill.filters.gopher import Gopher
from gristmill.filters.rule import Rule, RuleSet, first_broken
from gristmill.schema import SIGNALS
from gristmill.stage import Verdict
from gristmill.text import Texts, as_table, from_kernel

RULE_SETS: dict[str, RuleSet] = {"gopher": Gopher(), "c4": C4(), "fineweb": FineWeb()}
"""The published rule sets by name, with their default thresholds, in the order they are asked."""

Figures = dict[str, npt.NDArray[np.float64]]


def quality_signals(texts: Texts, threads: int = 1) -> pa.Table:
    """Measure the quality signals of each text and what the published rules make of them.

    Args:
        texts: Texts, length *n*; a null counts as empty.
        threads: Threads to use; the result is the same for any number.

    Returns:
        Table of *n* rows: the float32 columns of `schema.SIGNALS`, then ``keep_gopher``,
        ``keep_c4`` and ``keep_fineweb``, bool: whether the text breaks no rule of the set, by the
        default thresholds of datatrove 0.10.

    Raises:
        ValueError: `threads` is zero.
    """
    figures, n_texts = _measure(texts, threads)
    kept = {
        f"keep_{name}": pa.array(first_broken(rule_set.rules(), figures, n_texts) < 0)
        for name, rule_set in RULE_SETS.items()
    }
    return pa.table(_columns(figures) | kept)


def _measure(texts: Texts, threads: int) -> tuple[Figures, int]:
    table = from_kernel(_core.quality_signals(as_table(texts), threads))
    figures = {name: table.column(name).to_numpy() for name in table.column_names}
    return figures, table.num_rows


def _columns(figures: Figures) -> dict[str, pa.Array]:
    return {field.name: pa.array(figures[field.name], pa.float32()) for field in SIGNALS}


class QualityFilter:
    """Drops a document for the first rule it breaks; the ledger gets all signals of all documents.

    The reason is the signal's name, e.g. ``gopher_word_count``; the detail is its value and the
    threshold it crossed.
    """

    name = "quality"

    def __init__(
        self, rules: Sequence[str] = ("gopher", "c4", "fineweb"), threads: int = 1
    ) -> None:
        """Apply the rule sets `rules`.

        Args:
            rules: Names of rule sets; they are asked in the order gopher, c4, fineweb.
            threads: Threads to use.

        Raises:
            RecipeError: `rules` is empty or names a set that does not exist.
        """
        if isinstance(rules, str):
            rules = (rules,)
        if not rules:
            raise RecipeError(
                "quality.rules is empty, so the stage could have no effect; name a rule set "
                f"({', '.join(RULE_SETS)}) or leave the stage out"
            )
        for name in rules:
            _check(name)
        chosen = [rule_set for name, rule_set in RULE_SETS.items() if name in rules]
        self.rules: list[Rule] = [rule for rule_set in chosen for rule in rule_set.rules()]
        self.threads = threads

    def judge(self, docs: pa.Table) -> Verdict:
        """Drop every document that breaks a rule, and measure all of them."""
        figures, n_docs = _measure(docs.column("text"), self.threads)
        reasons: list[str | None] = [None] * n_docs
        details: list[str | None] = [None] * n_docs
        broken = first_broken(self.rules, figures, n_docs)
        for row in np.flatnonzero(broken >= 0):
            rule = self.rules[broken[row]]
            reasons[row] = rule.signal
            details[row] = rule.detail(float(figures[rule.signal][row]))
        return Verdict(
            reason=pa.array(reasons, pa.string()),
            detail=pa.array(details, pa.string()),
            columns=_columns(figures),
        )


def _check(name: str) -> None:
    if name not in RULE_SETS:
        near = get_close_matches(name, RULE_SETS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(RULE_SETS)}"
        raise RecipeError(f"quality.rules has no rule set {name!r}{hint}")
