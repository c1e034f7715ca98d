"""C4's line rules: the lines of a page that read like sentences stay, the others go.

Raffel et al. 2020 (arXiv:1910.10683), section 2.2, as datatrove 0.10's ``C4QualityFilter`` edits
lines; its rules for whole documents are those of the stage ``quality``. Removing a citation can
leave a line that the rules drop, and datatrove keeps it until its next pass: here a line passes
until nothing changes, so a second pass over a text changes nothing.
"""

from __future__ import annotations

import re

_PASSES = 8
"""Bound on passes over one line; citations nested deeper than this are no text."""

_MAX_WORD_CHARS = 1000
_MIN_WORDS = 3
_END_MARKS = (".", "?", "!", '"', "'")
_ELLIPSIS = "..."
_CITATION = re.compile(r"\[\d*\]|\[edit\]|\[citation needed\]")
_BOILERPLATE = (
    "javascript",
    "terms of use",
    "privacy policy",
    "cookie policy",
    "uses cookies",
    "use of cookies",
    "use cookies",
)


def c4_lines(text: str) -> str:
    """Keep the lines that C4 keeps, without their citation marks.

    A line stays when it ends in a full stop, question mark, exclamation mark or straight quotation
    mark, but no ellipsis, has three words, none of over 1,000 characters, and speaks neither of
    JavaScript nor of terms of use, cookies or a privacy policy. Blank lines go too.

    >>> c4_lines("Menu\\nThe mill turns.[1]\\nWe use cookies here.")
    'The mill turns.'
    """
    kept = (_line(line) for line in text.splitlines())
    return "\n".join([line for line in kept if line is not None])


def _line(line: str) -> str | None:
    for _ in range(_PASSES):
        left = _one_pass(line)
        if left is None or left == line:
            return left
        line = left
    return None


def _one_pass(line: str) -> str | None:
    line = line.strip()
    words = line.split()
    if len(line) > _MAX_WORD_CHARS and any(len(word) > _MAX_WORD_CHARS for word in words):
        return None
    line = _CITATION.sub("", line)
    if not line.endswith(_END_MARKS) or line.endswith(_ELLIPSIS) or len(words) < _MIN_WORDS:
        return None
    lower = line.lower()
    return None if any(phrase in lower for phrase in _BOILERPLATE) else line
