"""Asks supervised fastText models, `.bin` and `.ftz`, without the fastText package.

Answers equal the package's to 1e-5, the 1e-5 included that it adds to every probability (so one may
read 1.00001), but for texts of many thousand words, where the package's float32 sums lose digits.
Newlines count as spaces, where the package refuses them.

One core reads 155 to 230 MB/s of English text with models of words and word pairs, and 54 with one of
letters, which spends half of its time on the n-grams of words that it has not met
(`benches/filters/fasttext_models.py`); `max_bytes` bounds what a long text costs.
"""

from __future__ import annotations

import sys
from difflib import get_close_matches
from pathlib import Path

import pyarrow as pa

from gristmill import _core
from gristmill.errors import CoreError, FormatError, RecipeError
from gristmill.text import Texts, as_table, from_kernel

PREFIX = "__label__"
"""What labels begin with, unless a model was trained with another prefix."""


class FastText:
    """A supervised model in memory; it may be asked from several threads."""

    def __init__(self, model: _core.FastText, path: Path) -> None:
        """Wrap a loaded model; see `load`."""
        self._model = model
        self.path = path

    @classmethod
    def load(cls, path: Path | str) -> FastText:
        """Read a model.

        Args:
            path: A ``.bin`` or ``.ftz`` file.

        Raises:
            OSError: The file cannot be read.
            FormatError: It is no supervised fastText model, is truncated or contradicts itself.
        """
        try:
            return cls(_core.FastText(Path(path)), Path(path))
        except CoreError as error:
            raise FormatError(str(error)) from None

    @property
    def labels(self) -> list[str]:
        """The labels as the model has them, prefix included, the most frequent first."""
        return self._model.labels

    def label(self, name: str | None = None) -> str:
        """Find the label called `name`, with its prefix or without.

        None is ``positive``, as `gristmill classifier train` calls it.

        Raises:
            RecipeError: The model has no such label.
        """
        wanted = name or "positive"
        for label in (wanted, PREFIX + wanted):
            if label in self.labels:
                return label
        bare = [label.removeprefix(PREFIX) for label in self.labels]
        near = get_close_matches(wanted.removeprefix(PREFIX), bare, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        shown = ", ".join(bare[:20]) + (", ..." if len(bare) > 20 else "")
        raise RecipeError(f"{self.path} has no label {wanted!r}; it has {shown}{hint}")

    def predict(self, texts: Texts, threads: int = 1, max_bytes: int | None = None) -> pa.Table:
        """Name the likeliest label of each text.

        Args:
            texts: Texts, length *n*; a null counts as empty.
            threads: Threads to use; the result is the same for any number.
            max_bytes: Read at most this much of the beginning of each text, in whole characters.

        Returns:
            Table of *n* rows: ``label`` string and its probability, ``score`` float32; both null
            where nothing of the text, nor the end of a line, is known to the model.

        Raises:
            ValueError: `threads` is zero.
        """
        limit = sys.maxsize if max_bytes is None else max_bytes
        return from_kernel(self._model.predict(as_table(texts), threads, limit))

    def score(
        self, texts: Texts, label: str, threads: int = 1, max_bytes: int | None = None
    ) -> pa.ChunkedArray:
        """The probability of `label` for each text.

        Args:
            texts: Texts, length *n*; a null counts as empty.
            label: One of `labels`.
            threads: Threads to use; the result is the same for any number.
            max_bytes: Read at most this much of the beginning of each text, in whole characters.

        Returns:
            float32[n], null where nothing of the text is known to the model.

        Raises:
            ValueError: The model has no such label, or `threads` is zero.
        """
        if label not in self.labels:
            raise ValueError(f"label {label!r} is not in {self.path}: {', '.join(self.labels)}")
        limit = sys.maxsize if max_bytes is None else max_bytes
        number = self.labels.index(label)
        found = self._model.score(as_table(texts), number, threads, limit)
        return from_kernel(found).column("score")
