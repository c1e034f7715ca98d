"""Names the language of a text by CLD2, and keeps the documents in the languages wanted.

CLD2 scores quadgrams (words, for some scripts) of the text against 80-odd languages. It refuses
control characters and Unicode's non-characters, so those become spaces; it never sees them. A text
it finds too little in is ``und``, undetermined.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from functools import cache, partial

import pyarrow as pa
import pycld2

from gristmill.errors import RecipeError
from gristmill.stage import Verdict
from gristmill.text import Texts, as_table

UNDETERMINED = "und"
"""The ISO 639 code of a text whose language cannot be told."""

MIN_BYTES = 12
"""Letters (in UTF-8 bytes, as CLD2 counts them) below which any answer would be a guess."""

UNRELIABLE = 0.5
"""What the score of an answer that CLD2 itself calls unreliable is multiplied by."""

_REFUSED = re.compile(
    "[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ufdd0-\ufdef"
    + "".join(
        f"{chr(plane * 0x10000 + 0xFFFE)}{chr(plane * 0x10000 + 0xFFFF)}" for plane in range(17)
    )
    + "]"
)
_CODES = {"iw": "he", "jw": "jv", "no": "nb", "nso": "st", "sr-ME": "sr", "zh-Hant": "zh"}
"""CLD2's code, where ISO 639-1 (or its nearest code) has another."""

_HINTS = {ours: cld2s for cld2s, ours in _CODES.items() if "-" not in cld2s}
"""CLD2's code for a language that is hinted at."""

_GROUPS = {"no": ("nb", "nn")}
"""Codes that stand for several answers."""


def identify_language(texts: Texts, hints: Sequence[str] = ()) -> pa.Table:
    """Name the language of each text.

    Args:
        texts: Texts, length *n*; a null counts as empty.
        hints: ISO 639-1 codes of the languages that are likely, the likeliest first: CLD2 counts
            them as if some of the text had been in them, which decides short and mixed texts.

    Returns:
        Table of *n* rows. ``language`` string: ISO 639-1 code (639-3 where there is none;
        Norwegian is ``nb`` or ``nn``), or ``und`` when the text has fewer than `MIN_BYTES` bytes of
        letters or is in no language that CLD2 knows. ``score`` float32: the share of the text's
        bytes that is in that language, halved when CLD2 calls its answer unreliable; 0 for ``und``.

    >>> identify_language(["The cat sat on the mat.", "?"]).column("language").to_pylist()
    ['en', 'und']
    """
    answers = list(_answers(texts, hints))
    return pa.table(
        {
            "language": pa.array([language for language, _ in answers], pa.string()),
            "score": pa.array([score for _, score in answers], pa.float32()),
        }
    )


def _answers(texts: Texts, hints: Sequence[str]) -> Iterator[tuple[str, float]]:
    likely = ",".join(_HINTS.get(code, code) for code in hints)
    for chunk in as_table(texts).column(0).chunks:
        for text in chunk.to_pylist():
            yield _identify(text or "", likely)


def _identify(text: str, likely: str) -> tuple[str, float]:
    ask = partial(
        pycld2.detect, isPlainText=True, bestEffort=True, hintLanguageHTTPHeaders=likely or None
    )
    try:
        found = ask(text)
    except pycld2.error:
        found = ask(_REFUSED.sub(" ", text))
    reliable, n_bytes, ((_, code, percent, _), *_) = found
    if n_bytes < MIN_BYTES or not _is_language(code):
        return UNDETERMINED, 0.0
    return _CODES.get(code, code), percent / 100 * (1.0 if reliable else UNRELIABLE)


def _is_language(code: str) -> bool:
    """Whether CLD2's `code` is a language: not unknown, not a script alone, not a joke."""
    return code != "un" and not code.startswith(("xx", "zz")) and code != "tlh"


@cache
def known_languages() -> frozenset[str]:
    """Every code that `identify_language` can give, ``und`` included."""
    codes = {_CODES.get(code, code) for _, code in pycld2.LANGUAGES if _is_language(code)}
    return frozenset(codes | {UNDETERMINED})


class LanguageFilter:
    """Keeps documents whose first language is wanted and covers enough of the text.

    A text too short to tell (``und``) is dropped unless ``und`` is in `keep`: what cannot be named
    cannot be shown to be wanted. ``und`` has no score, so `min_score` does not apply to it.
    """

    name = "language"

    def __init__(
        self, keep: Sequence[str], min_score: float = 0.5, hints: Sequence[str] = ()
    ) -> None:
        """Keep `keep`.

        Args:
            keep: ISO 639-1 codes; ``no`` stands for ``nb`` and ``nn``.
            min_score: Smallest share of the text in that language, 0 to 1.
            hints: Languages that are likely, see `identify_language`.

        Raises:
            RecipeError: `keep` is empty, it or `hints` hold a code that is never given, or
                `min_score` is outside 0 to 1.
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
        self._accepted = {code for word in self.keep for code in _accept("language.keep", word)}
        self._hints = tuple(code for word in hints for code in _accept("languages", word))

    def judge(self, docs: pa.Table) -> Verdict:
        """Drop every document in another language or with too small a share of a wanted one."""
        found = identify_language(docs.column("text"), self._hints)
        pairs = zip(
            *(found.column(name).to_pylist() for name in ("language", "score")), strict=True
        )
        faults = [self._fault(language, score) for language, score in pairs]
        return Verdict(
            reason=pa.array([reason for reason, _ in faults], pa.string()),
            detail=pa.array([detail for _, detail in faults], pa.string()),
            columns={"language": found.column("language"), "language_score": found.column("score")},
        )

    def _fault(self, language: str, score: float) -> tuple[str | None, str | None]:
        if language not in self._accepted:
            return "language", f"{language} {score:.2f}, kept: {' '.join(self.keep)}"
        if language != UNDETERMINED and score < self.min_score:
            return "language_score", f"{language} {score:.2f} (threshold {self.min_score:g})"
        return None, None


def _accept(key: str, word: str) -> tuple[str, ...]:
    if word in _GROUPS:
        return _GROUPS[word]
    if word in known_languages():
        return (word,)
    near = get_close_matches(word, sorted(known_languages()), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "; codes are those of ISO 639-1, e.g. en"
    raise RecipeError(f"{key} has {word!r}, which is no language that can be told{hint}")
