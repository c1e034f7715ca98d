"""What a page may be before a parser sees it: bounds on its size and on what takes quadratic time.

The parsers are C code that cannot be stopped half-way, and a limit in seconds would give another
text on another machine. So a page is refused by what it is: its characters (one of tags costs
resiliparse up to 140 bytes each), its tags, and the three shapes whose time grows with the square
of their size in resiliparse 2.0: nested ``div`` or ``article``, attributes of one tag, options.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest page that a tier takes."""

    characters: int
    tags: int


FAST = Limits(characters=8_000_000, tags=200_000)
PRECISE = Limits(characters=2_000_000, tags=20_000)
"""trafilatura takes up to 40 microseconds a tag on made-up pages."""

NESTED_TAGS = 5_000_000
"""Tags of the page times the depth of its ``div`` and ``article``; 1.5 s."""
OPTIONS = 10_000
"""0.4 s."""
ATTRIBUTES = 10_000
"""0.2 s."""

_STEP = 2 * ATTRIBUTES
"""Tokens of so many attributes: names or values, and what is between them."""

_FEW_TAGS = 5_000
"""However they nest, fewer take less than a second."""

_NESTING = re.compile(r"<(/?)(?:div|article)[\s/>]", re.IGNORECASE)
_OPTION = re.compile(r"<option", re.IGNORECASE)
_MANY_ATTRIBUTES = re.compile(
    rf"""<[A-Za-z][\w:-]*+[\s/](?:[^\s<>"']++|\s++|"[^"]*+"|'[^']*+'){{{_STEP}}}"""
)


def excess(html: str, limits: Limits) -> str | None:
    """Say which limit a page exceeds, with its value and the limit; None when it exceeds none."""
    if len(html) > limits.characters:
        return f"{len(html)} characters, at most {limits.characters}"
    tags = html.count("<")
    if tags > limits.tags:
        return f"{tags} tags, at most {limits.tags}"
    if any(_MANY_ATTRIBUTES.search(html, *stretch) for stretch in _long_stretches(html)):
        return f"a tag with more than {ATTRIBUTES} attributes"
    if tags < _FEW_TAGS:
        return None
    deepest = max(_depths(html), default=0)
    if tags * deepest > NESTED_TAGS:
        return f"{tags} tags, nested {deepest} deep, at most {NESTED_TAGS} when multiplied"
    if len(_OPTION.findall(html)) > OPTIONS:
        return f"more than {OPTIONS} options to select from"
    return None


def _long_stretches(html: str) -> Iterator[tuple[int, int]]:
    """Where no tag ends for a step or more; only there can a tag have too many attributes.

    A look at one place in each step finds all that are two steps long, and few are.
    """
    at = 0
    while at + _STEP <= len(html):
        end = html.find(">", at)
        if end < 0:
            end = len(html)
        if end - at >= _STEP:
            yield html.rfind(">", 0, at) + 1, end
        at = max(at + _STEP, end)


def _depths(html: str) -> Iterator[int]:
    depth = 0
    for match in _NESTING.finditer(html):
        depth = max(depth - 1, 0) if match[1] else depth + 1
        yield depth
