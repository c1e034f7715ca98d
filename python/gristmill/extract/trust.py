"""The cheap test behind `auto`: whether the fast result looks like an article, whole and alone.

Three shares and a length, all read from the blocks that are there anyway. On the 123 news and blog
pages that this was made on, thresholds chosen on one half of them give the other half an F1 of .971
(mean of 40 random halves) against .968 when no page goes to the precise tier; neighbours of those
below are within .002 of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gristmill.extract.blocks import Block

MAX_GAPS = 0.25
MIN_SENTENCES = 0.6
MAX_LINKS = 0.3
MIN_CHARACTERS = 250
LONG_BLOCK_CHARACTERS = 200


class Signs(NamedTuple):
    """What the test looks at.

    Attributes:
        gaps: Share of the blocks from the first kept to the last that were dropped: a page of
            several texts, or one that the rules did not understand.
        sentences: Share of the kept characters in blocks that end as a sentence or are long.
        links: Share of the characters of the page's main content in links.
        characters: Characters kept.
    """

    gaps: float
    sentences: float
    links: float
    characters: int

    def __str__(self) -> str:
        return (
            f"gaps {self.gaps:.2f}, sentences {self.sentences:.2f}, links {self.links:.2f}, "
            f"{self.characters} characters"
        )

    @property
    def doubt(self) -> str | None:
        """The first sign that the fast result is not to be trusted, with its value, or None."""
        if self.characters < MIN_CHARACTERS:
            return f"{self.characters} characters"
        if self.gaps > MAX_GAPS:
            return f"gaps {self.gaps:.2f}"
        if self.sentences < MIN_SENTENCES:
            return f"sentences {self.sentences:.2f}"
        return f"links {self.links:.2f}" if self.links > MAX_LINKS else None


def signs(blocks: Sequence[Block], kept: Sequence[Block]) -> Signs:
    """Measure the fast result, `kept` out of the `blocks` of a page, in order."""
    if not kept:
        return Signs(0.0, 0.0, 0.0, 0)
    at = [number for number, block in enumerate(blocks) if block is kept[0] or block is kept[-1]]
    characters = sum(len(block.text) for block in kept)
    sentences = sum(len(block.text) for block in kept if _reads_on(block))
    linked = sum(block.linked for block in blocks) / sum(len(block.text) for block in blocks)
    gaps = 1 - len(kept) / (at[-1] - at[0] + 1)
    return Signs(gaps, sentences / characters, linked, characters)


def _reads_on(block: Block) -> bool:
    return len(block.text) >= LONG_BLOCK_CHARACTERS or block.ends_sentence
