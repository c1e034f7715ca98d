"""Evaluates scores of texts against labelled tables: as a whole, by identity term, by functional test.

Scores in one domain hide chance-level behaviour in another: a classifier that is right on tweets may
call every sentence hateful that names a group. So false-positive rates are given for each identity
term and each functional test, and the largest gap between terms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gristmill.classifier.measures import Estimate, Measures, Scores, Truth, measure, share
from gristmill.classifier.tables import Labelled
from gristmill.errors import RecipeError

Scorer = Callable[[pa.Array], "pa.Array | pa.ChunkedArray"]
"""Gives the probability of the positive class of each text, float32, null where it has none."""

FEWEST_NEGATIVES = 10
"""Identity terms with fewer harmless texts than this have no part in the gap."""


@dataclass(frozen=True, slots=True)
class Group:
    """An identity term or functional test: how many texts, and how many of them are called positive.

    Attributes:
        name: The term or the test.
        positives: Texts that are positive.
        negatives: Texts that are not.
        false_positive_rate: Share of `negatives` that are called positive.
        recall: Share of `positives` that are.
    """

    name: str
    positives: int
    negatives: int
    false_positive_rate: Estimate
    recall: Estimate


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a classifier does on one table.

    Attributes:
        table: Name of the table.
        measures: Of all its rows.
        terms: By identity term, the highest false-positive rate first.
        tests: By functional test, in the order of the table.
        gap: Largest difference of false-positive rates between terms with `FEWEST_NEGATIVES`
            harmless texts, and those two terms; None when there are not two.
    """

    table: str
    measures: Measures
    terms: list[Group]
    tests: list[Group]
    gap: tuple[float, str, str] | None

    def as_dict(self) -> dict[str, Any]:
        """The evaluation as JSON holds it."""
        return asdict(self)


def evaluate_classifier(scorer: Scorer, table: Labelled, threshold: float = 0.5) -> Evaluation:
    """Score the texts of a table and measure the scores.

    Args:
        scorer: The classifier.
        table: Texts and what they are.
        threshold: Smallest score that is called positive, 0 to 1.

    Raises:
        RecipeError: The rows of the table are of one class.
    """
    truth: Truth = np.array(table.truth, np.bool_)
    if truth.all() or not truth.any():
        only = "positive" if truth.all() else "negative"
        raise RecipeError(
            f"{table.name}: all {len(truth)} rows are {only}, so nothing can be told apart; check "
            "--label-column and --positive"
        )
    scores = score_texts(scorer, table.texts)
    called = scores >= threshold
    terms = _groups(table.terms, truth, called)
    terms.sort(key=lambda group: -(group.false_positive_rate.value or 0.0))
    return Evaluation(
        table=table.name,
        measures=measure(scores, truth, threshold),
        terms=terms,
        tests=_groups(table.tests, truth, called),
        gap=_gap(terms),
    )


def score_texts(scorer: Scorer, texts: Sequence[str]) -> Scores:
    """Scores as float64[n]; 0 where the classifier knows nothing of a text."""
    scores = scorer(pa.array(texts, pa.large_string())).fill_null(0.0)
    found: Scores = scores.to_numpy(zero_copy_only=False).astype(np.float64)
    return found


def _groups(names: Sequence[str], truth: Truth, called: Truth) -> list[Group]:
    columns: npt.NDArray[np.str_] = np.array(names)
    return [
        _group(name, truth[columns == name], called[columns == name])
        for name in dict.fromkeys(names)
        if name
    ]


def _group(name: str, truth: Truth, called: Truth) -> Group:
    positives, negatives = int(truth.sum()), int((~truth).sum())
    return Group(
        name=name,
        positives=positives,
        negatives=negatives,
        false_positive_rate=share(int((called & ~truth).sum()), negatives),
        recall=share(int((called & truth).sum()), positives),
    )


def _gap(terms: Sequence[Group]) -> tuple[float, str, str] | None:
    counted = [
        (group.false_positive_rate.value or 0.0, group.name)
        for group in terms
        if group.negatives >= FEWEST_NEGATIVES
    ]
    if len(counted) < 2:
        return None
    low, high = min(counted), max(counted)
    return high[0] - low[0], high[1], low[1]
