"""Asks CLD2 for the language of a text: what answers where the shipped model is not sure.

CLD2 scores quadgrams (words, for some scripts) of the text against 80-odd languages. It refuses
control characters and Unicode's non-characters, so those become spaces; it never sees them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

import pycld2

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


def ask(text: str, hints: Sequence[str] = ()) -> tuple[str, float] | None:
    """Name the first language of `text`, and the share of its bytes that is in that language.

    Returns:
        The ISO 639-1 code (639-3 where there is none) and the share, 0 to 1, halved when CLD2 calls
        its answer unreliable; None when it has fewer than `MIN_BYTES` of letters or no answer.
    """
    likely = ",".join(_HINTS.get(code, code) for code in hints)
    detect = partial(
        pycld2.detect, isPlainText=True, bestEffort=True, hintLanguageHTTPHeaders=likely or None
    )
    try:
        found = detect(text)
    except pycld2.error:
        found = detect(_REFUSED.sub(" ", text))
    reliable, n_bytes, ((_, code, percent, _), *_) = found
    if n_bytes < MIN_BYTES or not _is_language(code):
        return None
    return _CODES.get(code, code), percent / 100 * (1.0 if reliable else UNRELIABLE)


def codes() -> frozenset[str]:
    """Every code that `ask` can give."""
    return frozenset(_CODES.get(code, code) for _, code in pycld2.LANGUAGES if _is_language(code))


def _is_language(code: str) -> bool:
    """Whether CLD2's `code` is a language: not unknown, not a script alone, not a joke."""
    return code != "un" and not code.startswith(("xx", "zz")) and code != "tlh"
