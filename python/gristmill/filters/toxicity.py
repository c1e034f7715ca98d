"""Scores how likely a text is toxic, and tags or drops the documents that are.

A fastText model that ships with the package (its card: ``models/toxicity/README.md``) reads windows
of plain words. The odds of a text are those of its worst window divided by the number of its
windows, sixteen at most: one abusive paragraph is found in a long document, and many windows are as
many chances of a false alarm. Scores are probabilities by Platt's method. English only.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gristmill import _core
from gristmill.errors import IntegrityError, RecipeError
from gristmill.filters.fasttext import FastText
from gristmill.stage import Verdict
from gristmill.text import Texts, as_table, from_kernel

MODEL = Path(__file__).parents[1] / "models" / "toxicity.ftz"

FIGURES = MODEL.with_name("toxicity_figures.json")

NONE, OFFENSIVE, HATEFUL = "none", "offensive", "hateful"
"""The labels: harmless; insults, threats and coarse words; attacks on people for what they are."""

TOXIC = 0.5
"""The score from which a text has a label other than ``none`` and a document is tagged."""

REASON = "toxicity"

Figures = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


class ToxicityModel:
    """The shipped model and what its sidecar says of it."""

    def __init__(self, path: Path = MODEL) -> None:
        """Load `path` and the JSON file beside it.

        Raises:
            OSError: One of the two cannot be read.
            FormatError: `path` is no fastText model.
            IntegrityError: The sidecar is of another model.
        """
        sidecar = json.loads(path.with_suffix(".json").read_text("utf-8"))
        found = _core.xxh3_128_hex(path.read_bytes())
        if found != sidecar["xxh3"]:
            raise IntegrityError(
                f"{path} has the digest {found}, its sidecar expects {sidecar['xxh3']}; "
                "install gristmill again or run models/toxicity/train.py"
            )
        self._model = FastText.load(path)
        self._line: tuple[float, float] = (sidecar["slope"], sidecar["intercept"])
        self._window_words: int = sidecar["window_words"]
        self._max_penalty: int = sidecar["max_penalty_windows"]

    def score(self, texts: Texts, threads: int = 1) -> pa.Table:
        """Score each text; see `toxicity`."""
        table = as_table(texts)
        found = _core.toxicity_windows(table, self._window_words, threads)
        windows = from_kernel(found)
        document = windows.column("document").to_numpy()
        words = windows.column("words")
        odds = self._log_odds(words, threads)
        starts = np.flatnonzero(np.diff(document, prepend=-1))
        scores, worst = self._of_texts(odds, starts)
        labels = np.full(table.num_rows, NONE, object)
        toxic = np.flatnonzero(scores >= TOXIC)
        labels[toxic] = self._kinds(words.take(pa.array(worst[toxic])), threads)
        columns = [pa.array(scores, pa.float32()), pa.array(labels, pa.string())]
        return pa.Table.from_arrays(columns, ["score", "label"])

    def _log_odds(self, words: pa.ChunkedArray, threads: int) -> Figures:
        """The calibrated log-odds of each window; minus infinity for one without words."""
        slope, intercept = self._line
        known = self._model.score(words, f"__label__{NONE}", threads)
        none = np.clip(known.to_numpy().astype(np.float64), 1e-6, 1 - 1e-6)
        odds = slope * (np.log1p(-none) - np.log(none)) + intercept
        is_empty = np.isnan(none) | (pc.binary_length(words).to_numpy() == 0)
        return np.where(is_empty, -np.inf, odds)

    def _of_texts(self, odds: Figures, starts: Places) -> tuple[Figures, Places]:
        """The score of each text and the place of its worst window."""
        if not len(starts):
            return np.empty(0), starts
        n_windows = np.diff(starts, append=len(odds))
        highest = np.maximum.reduceat(odds, starts)
        candidates = np.flatnonzero(odds == np.repeat(highest, n_windows))
        worst = candidates[np.searchsorted(candidates, starts)]
        penalty = np.log(np.minimum(n_windows, self._max_penalty))
        return 1 / (1 + np.exp(penalty - highest)), worst

    def _kinds(self, words: pa.ChunkedArray, threads: int) -> list[str]:
        """Whether each toxic window is rather hateful or rather offensive."""
        hateful, offensive = (
            self._model.score(words, f"__label__{kind}", threads).to_numpy()
            for kind in (HATEFUL, OFFENSIVE)
        )
        return list(np.where(hateful > offensive, HATEFUL, OFFENSIVE))


@cache
def shipped_model() -> ToxicityModel:
    """The model that comes with the package, loaded once."""
    return ToxicityModel()


def toxicity(texts: Texts, threads: int = 1) -> pa.Table:
    """Score how likely each text is toxic to the people it speaks of or to.

    Args:
        texts: Texts, length *n*; a null counts as empty.
        threads: Threads to use; the result is the same for any number.

    Returns:
        Table of *n* rows. ``score`` float32: the probability that people would call the text
        toxic, 0 for a text without words. ``label`` string: ``none`` below `TOXIC`, else
        ``offensive`` or ``hateful``, whichever the worst window of the text rather is.

    Raises:
        ValueError: `threads` is zero.

    >>> toxicity(["I am a gay man.", "You are a fucking idiot."]).column("label").to_pylist()
    ['none', 'offensive']
    """
    return shipped_model().score(texts, threads)


def toxicity_figures() -> dict[str, Any]:
    """What the shipped model is worth on labelled texts, as its card has it."""
    figures: dict[str, Any] = json.loads(FIGURES.read_text("utf-8"))
    return figures


class ToxicityFilter:
    """Drops documents whose score is high, and tags those that are more likely toxic than not.

    The tag ``toxicity`` is given from `TOXIC` up, so a curator sees what stays. The ledger gets
    ``toxicity_score`` of every document.
    """

    name = "toxicity"

    def __init__(
        self, max_score: float = 0.95, tag: Collection[str] = (), threads: int = 1
    ) -> None:
        """Drop what scores above `max_score`.

        Args:
            max_score: The highest score that stays, `TOXIC` or more, below 1. The default drops
                what is nearly certain: the score errs on quotations and reclaimed words.
            tag: ``toxicity`` to drop nothing and only tag.
            threads: Threads to use.

        Raises:
            RecipeError: `max_score` is outside its range, or `tag` names another reason.
        """
        if not TOXIC <= max_score < 1:
            raise RecipeError(
                f"toxicity.max_score = {max_score} is not allowed: {TOXIC} (more likely toxic than "
                "not) or more and below 1; leave the stage out to keep everything"
            )
        for reason in (tag,) if isinstance(tag, str) else tag:
            if reason != REASON:
                raise RecipeError(f"toxicity.tag has no reason {reason!r}; known: {REASON}")
        self.max_score = max_score
        self.drops = not tag
        self.threads = threads

    def judge(self, docs: pa.Table) -> Verdict:
        """Score every document; drop or tag the toxic ones."""
        found = toxicity(docs.column("text"), self.threads).column("score")
        scores = found.to_numpy()
        reasons: list[str | None] = [None] * len(scores)
        details: list[str | None] = [None] * len(scores)
        tags: list[list[str]] = [[] for _ in scores]
        for row in np.flatnonzero(scores >= TOXIC):
            if scores[row] > self.max_score and self.drops:
                reasons[row] = REASON
                details[row] = f"{scores[row]:.3f} (threshold {self.max_score:g})"
            else:
                tags[row] = [REASON]
        return Verdict(
            reason=pa.array(reasons, pa.string()),
            detail=pa.array(details, pa.string()),
            tags=pa.array(tags, pa.list_(pa.string())),
            columns={"toxicity_score": found},
        )
