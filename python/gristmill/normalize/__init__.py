"""Make text regular without changing what it says: encoding, NFC, line ends, control characters.

Mended are mojibake (ftfy), ``\\r`` and other line ends, control characters, byte order marks and
white space at the ends of lines. Unless the recipe asks for more, quotes, ligatures, character
widths, HTML entities and indentation are left alone, so source code stays as it was. Normalizing
twice is normalizing once, whatever is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import pyarrow as pa

from gristmill.normalize.c4_lines import c4_lines
from gristmill.normalize.repair import ROUNDS, repair
from gristmill.stage import Verdict

__all__ = ["EMPTY", "Normalize", "c4_lines", "normalize"]

EMPTY = "empty"

_EMPTY_LINES = re.compile(r"\n{3,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalize:
    """Stage ``normalize``: regular text; drops what is nothing but white space (``empty``).

    Attributes:
        quotes: ``straight`` turns curly quotes and apostrophes into those of ASCII.
        whitespace: ``collapse`` leaves one space between words, none before a line, and one empty
            line between paragraphs; indentation is lost with it.
        lines: ``c4`` keeps the lines that `c4_lines` keeps.
    """

    name: ClassVar[str] = "normalize"

    quotes: Literal["keep", "straight"] = "keep"
    whitespace: Literal["keep", "collapse"] = "keep"
    lines: Literal["keep", "c4"] = "keep"

    def judge(self, docs: pa.Table) -> Verdict:
        """Normalize every text of `docs`."""
        given = docs["text"].to_pylist()
        edits = self._edits()
        texts = [_normalize(text, edits) for text in given]
        reason = pa.array([None if text.strip() else EMPTY for text in texts], pa.string())
        changed = any(new is not old for new, old in zip(texts, given, strict=True))
        return Verdict(reason=reason, text=pa.array(texts, pa.large_string()) if changed else None)

    def __call__(self, text: str) -> str:
        """Return `text` made regular; the very same object when it was."""
        return _normalize(text, self._edits())

    def _edits(self) -> list[Callable[[str], str]]:
        chosen: list[Callable[[str], str]] = []
        if self.quotes == "straight":
            chosen.append(_straight_quotes)
        if self.whitespace == "collapse":
            chosen.append(_collapse)
        if self.lines == "c4":
            chosen.append(c4_lines)
        return chosen


def normalize(text: str) -> str:
    """Return `text` made regular by the defaults; the very same object when it was.

    >>> normalize("cafe\\u0301 \\r\\nâ€œquotedâ€\\x9d")
    'café\\n“quoted”'
    """
    return repair(text)


def _normalize(text: str, edits: list[Callable[[str], str]]) -> str:
    if not edits:
        return repair(text)
    for _ in range(ROUNDS):
        edited = repair(text)
        for edit in edits:
            edited = edit(edited)
        if edited == text:
            break
        text = edited
    return text


def _straight_quotes(text: str) -> str:
    from ftfy.fixes import uncurl_quotes

    return text if text.isascii() else uncurl_quotes(text)


def _collapse(text: str) -> str:
    text = "\n".join([" ".join(line.split()) for line in text.split("\n")])
    return _EMPTY_LINES.sub("\n\n", text)
