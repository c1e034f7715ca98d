"""Measures the quality signals of Gopher, C4 and FineWeb, and drops what breaks their rules.

The figures come from one walk over each text in the core, computed as datatrove 0.10.1 does; the
decisions are taken here, on float64, before the figures are rounded for the table. Words are split
as by spaCy's English tokenizer, whatever the language of the text, as datatrove does by default.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gristmill import _core
from gristmill.errors import RecipeError
from gristmill.filters.bad_words import SIGNAL, BadWords
from gristmill.filters.c4 import C4
from gristmill.filters.fineweb import FineWeb
from gristmill.filters.gibberish import Gibberish
from gristmill.filters.gopher import Gopher
from gristmill.filters.rule import (
    Rule,
    RuleSet,
    Threshold,
    check_names,
    first_broken,
    with_thresholds,
)
from gristmill.schema import SIGNALS
from gristmill.stage import Verdict
from gristmill.text import Texts, as_table, from_kernel

PUBLISHED: dict[str, RuleSet] = {"gopher": Gopher(), "c4": C4(), "fineweb": FineWeb()}
"""The published rule sets by name, with their default thresholds, in the order they are asked."""

RULE_SETS: dict[str, RuleSet] = PUBLISHED | {"gibberish": Gibberish()}
"""All rule sets."""

ALL = "quality"
"""A tag's name for every rule that applies."""

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
        for name, rule_set in PUBLISHED.items()
    }
    return pa.table(_columns(figures) | kept)


def _measure(texts: Texts, threads: int) -> tuple[Figures, int]:
    table = from_kernel(_core.quality_signals(as_table(texts), threads))
    figures = {name: table.column(name).to_numpy() for name in table.column_names}
    return figures, table.num_rows


def _columns(figures: Figures) -> dict[str, pa.Array]:
    return {field.name: pa.array(figures[field.name], pa.float32()) for field in SIGNALS}


def chosen_rules(
    names: Sequence[str], thresholds: Mapping[str, Threshold] | None = None
) -> list[Rule]:
    """The rules of the sets `names` in the order they are asked, with other thresholds.

    Raises:
        RecipeError: A set does not exist, or a threshold is refused, see `QualityFilter`.
    """
    for name in names:
        _check(name)
    return with_thresholds(_all_rules(), names, thresholds or {})


def _all_rules() -> dict[str, list[Rule]]:
    return {name: rule_set.rules() for name, rule_set in RULE_SETS.items()}


class QualityFilter:
    """Drops a document for the first rule it breaks; the ledger gets all signals of all documents.

    The reason is the signal's name, e.g. ``gopher_word_count``; the detail is its value and the
    threshold it crossed. A rule may be tagged instead: then its name is only noted, and the rules
    behind it are asked.
    """

    name = "quality"

    def __init__(
        self,
        rules: Sequence[str] = ("gopher", "c4", "fineweb"),
        thresholds: Mapping[str, Threshold] | None = None,
        tag: Collection[str] = (),
        threads: int = 1,
        bad_words: Path | str | None = None,
        keep_fraction: float = 0.0,
    ) -> None:
        """Apply the rule sets `rules`.

        Args:
            rules: Names of rule sets; they are asked in the order gopher, c4, fineweb, gibberish.
            thresholds: Other thresholds than the published ones, by signal: a number for the side
                the rule has, or the smallest and the largest value.
            tag: What is noted and drops nothing: signals, rule sets, or ``quality`` for all.
            threads: Threads to use.
            bad_words: A list of words, of which a document may have none; part of the rule set c4,
                see `bad_words.BadWords`.
            keep_fraction: Share of the documents with such a word that is kept.

        Raises:
            RecipeError: `rules` is empty or names a set that does not exist; a threshold or a tag is
                for no rule that applies; a threshold could drop nothing, or would drop everything;
                the list of bad words cannot be used.
        """
        rules = (rules,) if isinstance(rules, str) else rules
        if not rules:
            raise RecipeError(
                "quality.rules is empty, so the stage could have no effect; name a rule set "
                f"({', '.join(RULE_SETS)}) or leave the stage out"
            )
        self.rules: list[Rule] = chosen_rules(rules, thresholds)
        self.threads = threads
        self._bad_words = _read_bad_words(bad_words, keep_fraction, rules)
        if self._bad_words is not None:
            # Behind C4's other rules.
            at = max(at for at, rule in enumerate(self.rules) if rule.signal.startswith("c4_"))
            self.rules.insert(at + 1, BadWords.rule)
        self._set_tags((tag,) if isinstance(tag, str) else tag, rules)

    def _set_tags(self, tag: Collection[str], asked: Sequence[str]) -> None:
        known = {name: list(rules) for name, rules in _all_rules().items()}
        if self._bad_words is not None:
            known["c4"].append(BadWords.rule)
        check_names("quality.tag", tag, known, asked, others=(ALL, *RULE_SETS))
        tagged = {rule.signal for name in tag for rule in known.get(name, ())} | set(tag)
        noted = [ALL in tagged or rule.signal in tagged for rule in self.rules]
        self._tagging = [rule for rule, only in zip(self.rules, noted, strict=True) if only]
        self._dropping = [rule for rule, only in zip(self.rules, noted, strict=True) if not only]

    def judge(self, docs: pa.Table) -> Verdict:
        """Drop or tag every document that breaks a rule, and measure all of them."""
        texts = docs.column("text")
        figures, n_docs = _measure(texts, self.threads)
        if self._bad_words is not None:
            figures[SIGNAL] = self._bad_words.count(texts, self.threads)
        reasons: list[str | None] = [None] * n_docs
        details: list[str | None] = [None] * n_docs
        broken = first_broken(self._dropping, figures, n_docs)
        for row in np.flatnonzero(broken >= 0):
            rule = self._dropping[broken[row]]
            reasons[row] = rule.signal
            details[row] = rule.detail(float(figures[rule.signal][row]))
        return Verdict(
            reason=pa.array(reasons, pa.string()),
            detail=pa.array(details, pa.string()),
            tags=self._tags(figures) if self._tagging else None,
            columns=_columns(figures),
        )

    def _tags(self, figures: Figures) -> pa.Array:
        """The names of all tagged rules that each document breaks, in order."""
        broken = np.stack([rule.broken(figures[rule.signal]) for rule in self._tagging], axis=1)
        _, rules = np.nonzero(broken)
        names = pa.array([rule.signal for rule in self._tagging], pa.string())
        ends = np.concatenate([[0], broken.sum(axis=1).cumsum()]).astype(np.int32)
        return pa.ListArray.from_arrays(pa.array(ends), names.take(pa.array(rules)))


def _read_bad_words(
    path: Path | str | None, keep_fraction: float, asked: Sequence[str]
) -> BadWords | None:
    if path is None:
        if keep_fraction:
            raise RecipeError(
                f"quality.keep_fraction = {keep_fraction} has no effect without quality.bad_words, "
                "a file of words; give it, or remove the fraction"
            )
        return None
    if "c4" not in asked:
        raise RecipeError(
            f"quality.bad_words = {str(path)!r} belongs to the rule set c4, which quality.rules "
            "does not have; add it or remove the list"
        )
    return BadWords(path, keep_fraction)


def _check(name: str) -> None:
    if name not in RULE_SETS:
        near = get_close_matches(name, RULE_SETS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(RULE_SETS)}"
        raise RecipeError(f"quality.rules has no rule set {name!r}{hint}")
