"""Which words of a text another text has too, in the same order."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

MAX_WORDS = 2_000
"""Words of each text that are compared; the matcher's time grows with their product."""

MIN_WORDS = 3
"""Shorter common passages are chance."""

_WORD = re.compile(r"\S+")


def common_spans(text: str, other: str) -> list[tuple[int, int]]:
    """Mark what `text` shares with `other`, by their first `MAX_WORDS` words.

    Returns:
        Character ranges of `text`, in order: passages of `MIN_WORDS` words and more.

    >>> common_spans("one two three four five", "zero two three four")
    [(4, 18)]
    """
    words = [match for _, match in zip(range(MAX_WORDS), _WORD.finditer(text), strict=False)]
    others = _WORD.findall(other)[:MAX_WORDS]
    matcher = SequenceMatcher(None, [word.group() for word in words], others, autojunk=False)
    return [
        (words[block.a].start(), words[block.a + block.size - 1].end())
        for block in matcher.get_matching_blocks()
        if block.size >= MIN_WORDS
    ]
