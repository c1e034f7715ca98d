"""Keeps the documents in the languages wanted."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from difflib import get_close_matches
from pathlib import Path

import pyarrow as pa

from gristmill.errors import RecipeError
from gristmill.filters.language.identify import UNDETERMINED, identify_language, known_languages
from gristmill.stage import Verdict

REASONS = ("language", "language_score")
"""Why a document is dropped: it is in another language, or too little of it is in a wanted one."""

_GROUPS = {"no": ("nb", "nn")}
"""Codes that stand for several answers."""


class LanguageFilter:
    """Keeps documents whose first language is wanted and covers enough of the text.

    A text too short to tell (``und``) is dropped unless ``und`` is in `keep`: what cannot be named
    cannot be shown to be wanted. ``und`` has no score, so `min_score` does not apply to it.
    """

    name = "language"

    def __init__(
        self,
        keep: Sequence[str],
        min_score: float = 0.5,
        hints: Sequence[str] = (),
        model: Path | None = None,
        tag: Collection[str] = (),
    ) -> None:
        """Keep `keep`.

        Args:
            keep: ISO 639-1 codes; ``no`` stands for ``nb`` and ``nn``. With `model`, its labels.
            min_score: Smallest share of the text in that language, 0 to 1.
            hints: Languages that are likely, see `identify_language`.
            model: A fastText model to ask instead of the shipped one.
            tag: Those of `REASONS` that are noted of a document and do not drop it.

        Raises:
            RecipeError: `keep` is empty, it or `hints` hold a code that is never given, `min_score`
                is outside 0 to 1, or `tag` names no reason.
        """
        if isinstance(keep, str):
            keep = (keep,)
        if not keep:
            raise RecipeError(
                "language.keep is empty, so no document could pass; name a language, e.g. [en], "
                "or leave the stage out"
            )
        if not 0 <= min_score <= 1:
            raise RecipeError(f"language.min_score = {min_score} is not allowed: 0 to 1")
        self.keep = tuple(keep)
        self.min_score = min_score
        self.model = model
        self._tag = _reasons(tag)
        self._accepted = {code for word in self.keep for code in self._accept("keep", word)}
        self._hints = tuple(code for word in hints for code in _accept("languages", word))

    def _accept(self, key: str, word: str) -> tuple[str, ...]:
        if self.model is None:
            return _accept(f"language.{key}", word)
        return (word, *_GROUPS.get(word, ()))

    def judge(self, docs: pa.Table) -> Verdict:
        """Drop every document in another language or with too small a share of a wanted one."""
        found = identify_language(docs.column("text"), self._hints, self.model)
        pairs = zip(
            *(found.column(name).to_pylist() for name in ("language", "score")), strict=True
        )
        faults = [self._fault(language, score) for language, score in pairs]
        reasons = [None if reason in self._tag else reason for reason, _ in faults]
        tags = [[reason] if reason in self._tag else [] for reason, _ in faults]
        return Verdict(
            reason=pa.array(reasons, pa.string()),
            detail=pa.array([detail for _, detail in faults], pa.string()),
            tags=pa.array(tags, pa.list_(pa.string())),
            columns={"language": found.column("language"), "language_score": found.column("score")},
        )

    def _fault(self, language: str, score: float) -> tuple[str | None, str | None]:
        if language not in self._accepted:
            return "language", f"{language} {score:.2f}, kept: {' '.join(self.keep)}"
        if language != UNDETERMINED and score < self.min_score:
            return "language_score", f"{language} {score:.2f} (threshold {self.min_score:g})"
        return None, None


def _reasons(tag: Collection[str]) -> frozenset[str]:
    for reason in tag:
        if reason not in REASONS:
            raise RecipeError(f"language.tag has {reason!r}; allowed: {', '.join(REASONS)}")
    return frozenset(tag)


def _accept(key: str, word: str) -> tuple[str, ...]:
    if word in _GROUPS:
        return _GROUPS[word]
    if word in known_languages():
        return (word,)
    near = get_close_matches(word, sorted(known_languages()), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "; codes are those of ISO 639-1, e.g. en"
    raise RecipeError(f"{key} has {word!r}, which is no language that can be told{hint}")
