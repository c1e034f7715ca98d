"""The blocks of a page's main content, and which of them are its text.

resiliparse finds the main content of a page with few losses, but leaves in it what stands around an
article: headline and byline, captions, calls to subscribe, links to other articles. Its minimal
HTML says of each block what it is and which of its text is links, for no more time than its plain
text takes; the rules below (our own) read nothing else. Those of language are few and English;
elsewhere the others do the work.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_LINKED = 0.5
"""Largest share of links in a block of text; a heading may be one link."""
SPEECH_CHARACTERS = 40
"""Outside paragraphs, a shorter line or one that does not end as a sentence is no text."""
LEAD_CHARACTERS = 40
"""What an article begins with is at least so long."""
TAIL_CHARACTERS = 40
"""What an article ends with is at least so long, or ends as a sentence."""
PROSE_CHARACTERS = 60
"""A block of which so much is not links counts when paragraphs are weighed against bare lines."""
NOTICE_CHARACTERS = 200
"""A longer block is not dropped for one of `_NOTICES`."""

_TAG_OF_BLOCK = re.compile(r"(</?(?:p|h[1-6]|pre|[uo]l|li)>)")
_LINE = re.compile(r"(?<!<br>)\n")
_TAG = re.compile(r"<[^>]*>")
_TAG_OF_LINK = re.compile(r"(<a [^>]*>|</a>)")
_CLOSING = " \t\"'”’»)]」』*"
_ENDS = frozenset(".!?…。！？։؟।")
_NOTICES = (
    "©", "copyright", "all rights reserved", "cookie", "newsletter", "subscribe to", "subscribe now",
    "subscription", "sign up", "privacy policy", "terms of use", "terms of service",
    "follow us on", "javascript",
)  # fmt: skip
_NOTICE_STARTS = ("related:", "read more", "also on", "see also", "advertisement", "subscribe")


@dataclass(slots=True)
class Block:
    """A paragraph, heading, item of a list, or a line that is in none of them.

    Attributes:
        kind: ``p``, ``h1`` to ``h6``, ``pre``, ``li`` or ``bare``.
        text: What it says, without markup.
        linked: How many of its characters are in links.
    """

    kind: str
    text: str
    linked: int

    @property
    def own(self) -> int:
        """Characters that are in no link."""
        return len(self.text) - self.linked

    @property
    def is_heading(self) -> bool:
        """Whether it is ``h1`` to ``h6``."""
        return self.kind[0] == "h"

    @property
    def is_linked(self) -> bool:
        """Whether most of it is links."""
        return self.linked > MAX_LINKED * len(self.text)

    @property
    def ends_sentence(self) -> bool:
        """Whether its last character, brackets and quotes aside, ends a sentence."""
        return self.text.rstrip(_CLOSING)[-1:] in _ENDS


def read_blocks(minimal_html: str) -> list[Block]:
    """The blocks of resiliparse's minimal HTML (with list bullets and links), in order."""
    return [block for kind, raw in _pieces(minimal_html) if (block := _block(kind, raw)).text]


def _pieces(minimal_html: str) -> Iterator[tuple[str, str]]:
    kind, lists = "bare", 0
    for number, piece in enumerate(_TAG_OF_BLOCK.split(minimal_html)):
        if number % 2:
            name, opens = piece.strip("</>"), piece[1] != "/"
            if name in ("ul", "ol"):
                lists += 1 if opens else -1
            kind = "li" if lists else name if opens else "bare"
        elif piece.isspace():
            continue
        elif kind in ("bare", "li"):
            for line in _LINE.split(piece):
                yield kind, line
        else:
            yield kind, piece


def _block(kind: str, raw: str) -> Block:
    return Block(kind, _plain(raw), _linked(raw) if "<a " in raw else 0)


def _linked(raw: str) -> int:
    linked = links_open = 0
    for number, piece in enumerate(_TAG_OF_LINK.split(raw)):
        if number % 2:
            links_open += -1 if piece == "</a>" else 1
        elif links_open:
            linked += len(_plain(piece))
    return linked


def _plain(raw: str) -> str:
    if "<" in raw:
        raw = _TAG.sub("", raw)
    return (html.unescape(raw) if "&" in raw else raw).strip()


def main_text(blocks: list[Block]) -> list[Block]:
    """The blocks that are the page's text, in order; none when there is none.

    Dropped are what comes before the headline and itself, blocks of links, notices (cookies,
    copyright, newsletters), lines outside paragraphs where the text is in paragraphs, and headings
    and scraps at both ends.
    """
    blocks = [block for block in _after_headline(blocks) if _may_be_text(block)]
    if _mostly_paragraphs(blocks):
        blocks = [block for block in blocks if block.kind != "bare" or _is_speech(block)]
        at = [number for number, block in enumerate(blocks) if block.kind != "bare"]
    else:
        at = list(range(len(blocks)))
    first = next((number for number in at if _leads(blocks[number])), 0)
    last = next((number for number in reversed(at) if _trails(blocks[number])), len(blocks) - 1)
    return blocks[first : last + 1]


def _after_headline(blocks: list[Block]) -> list[Block]:
    """What follows the first ``h1``, when that is most of the page's prose."""
    headline = next((number for number, block in enumerate(blocks) if block.kind == "h1"), None)
    if headline is None or 2 * _prose(blocks[headline:]) < _prose(blocks):
        return blocks
    return blocks[headline + 1 :]


def _prose(blocks: list[Block]) -> int:
    """Characters of the blocks that are long enough to be of a text."""
    return sum(
        block.own
        for block in blocks
        if block.own >= PROSE_CHARACTERS and not block.is_linked and not block.is_heading
    )


def _mostly_paragraphs(blocks: list[Block]) -> bool:
    return 2 * _prose([block for block in blocks if block.kind == "p"]) >= _prose(blocks)


def _may_be_text(block: Block) -> bool:
    if block.is_linked and not block.is_heading and block.kind != "li":
        return False
    return len(block.text) >= NOTICE_CHARACTERS or not _is_notice(block.text.lower())


def _is_notice(text: str) -> bool:
    return text.startswith(_NOTICE_STARTS) or any(words in text for words in _NOTICES)


def _is_speech(block: Block) -> bool:
    """A quotation or a row of a table: resiliparse gives both as bare lines."""
    long = len(block.text) >= SPEECH_CHARACTERS
    return "\t" in block.text or (long and block.ends_sentence)


def _leads(block: Block) -> bool:
    return not block.is_heading and block.own >= LEAD_CHARACTERS


def _trails(block: Block) -> bool:
    return not block.is_heading and (block.own >= TAIL_CHARACTERS or block.ends_sentence)


def as_text(blocks: list[Block]) -> str:
    """The text of blocks: an empty line between them, but not inside a list or a table."""
    lines, previous = [], ""
    for block in blocks:
        together = block.kind == previous and block.kind in ("li", "bare")
        lines.append("\n" if together else "\n\n")
        lines.append(f"- {block.text}" if block.kind == "li" else block.text)
        previous = block.kind
    return "".join(lines[1:])
