"""Drops documents that a fastText classifier of the user's finds too unlike what is wanted."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
import pyarrow as pa

from gristmill.errors import RecipeError
from gristmill.filters.fasttext import FastText
from gristmill.stage import Verdict, keep_all

REASON = "classifier_score"
"""The one reason of this stage."""


class ClassifierFilter:
    """Drops a document whose probability of a label is below a threshold; the ledger gets the score.

    A text of which the model knows nothing has no score, and is dropped as one of score 0 would be.
    """

    name = "classifier"

    def __init__(
        self,
        model: Path,
        label: str | None = None,
        min_score: float = 0.5,
        tag: Collection[str] = (),
        threads: int = 1,
    ) -> None:
        """Ask `model`.

        Args:
            model: A ``.bin`` or ``.ftz`` file.
            label: The label that is wanted, with its prefix or without; that of models trained by
                `gristmill.classifier` when None.
            min_score: Smallest probability that is kept, above 0 and at most 1.
            tag: ``classifier_score`` tags documents instead of dropping them.
            threads: Threads to use.

        Raises:
            RecipeError: The file cannot be read, the label is none of its labels, or another
                argument is out of its range.
            FormatError: The file is no supervised fastText model.
        """
        if not 0 < min_score <= 1:
            raise RecipeError(
                f"classifier.min_score = {min_score} is not allowed: above 0, or nothing could be "
                "dropped, and at most 1"
            )
        if unknown := set(tag) - {REASON}:
            raise RecipeError(
                f"classifier.tag has {', '.join(sorted(unknown))}, no reason of this stage: {REASON}"
            )
        try:
            self.model = FastText.load(model)
        except OSError as error:
            raise RecipeError(f"classifier.model = {model} cannot be read: {error}") from None
        self.label = self.model.label(label)
        self.min_score = min_score
        self.tags = REASON in tag
        self.threads = threads

    def judge(self, docs: pa.Table) -> Verdict:
        """Score every document, and drop or tag those below the threshold."""
        scores = self.model.score(docs.column("text"), self.label, self.threads)
        known = scores.fill_null(0.0).to_numpy()
        low = known < np.float32(self.min_score)
        rows = zip(low.tolist(), known.tolist(), strict=True)
        detail = [f"{score:.3f} (threshold {self.min_score:g})" if is_low else None
                  for is_low, score in rows]  # fmt: skip
        found = pa.array([REASON if is_low else None for is_low in low], pa.string())
        tags = pa.array([[REASON] if is_low else None for is_low in low], pa.list_(pa.string()))
        return Verdict(
            reason=keep_all(len(docs)) if self.tags else found,
            detail=None if self.tags else pa.array(detail, pa.string()),
            tags=tags if self.tags else None,
            columns={REASON: scores},
        )
