"""Postal addresses by the marks they share: house numbers, words for streets, units, postcodes.

What a small model for names misses most: it sees numbers, and towns without a sentence around them.
Every pattern and every walk is bounded, so the time is linear in the text. The words are our own
selection for languages in Latin script.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_BEHIND = (
    "street|st|avenue|ave|av|road|rd|lane|ln|drive|dr|boulevard|blvd|court|ct|terrace|parade|crescent|"
    "highway|hwy|parkway|pkwy|quay|straße|strasse|platz|gasse|weg|allee|ufer|utca|út|útja|tér"
)
"""Words for a street that stand behind its name; not place, way and others that stand everywhere."""

_IN_FRONT = (
    "rue|avenue|boulevard|place|quai|chemin|impasse|allée|via|viale|piazza|corso|largo|vicolo|strada|"
    "calle|c/|avenida|avda|plaza|paseo|camino|carretera|ronda|rúa|rua|travessa|praça|estrada|"
    "ul|ulica|aleja|plac|bulevardi"
)
"""Words for a street that stand in front of its name."""

_ENDING = (
    "straße|strasse|str|straat|laan|plein|gracht|weg|gasse|allee|platz|damm|ufer|vej|gade|"
    "gata|gate|gaten|gatan|vegen|veien|vägen|stigen|katu|tie|kuja|polku|götu|stræti|braut"
)
"""Ends of words that name a street."""

_WORD = r"[^\W\d_][\w.'’/-]{0,24}"
_HOUSE = r"\b\d{1,6}[A-Za-z]?"

_UNIT = re.compile(
    r"\b(?:(?:apartment|apt|suite|ste|flat|p\.? ?o\.? ?box|post ?box|postfach|psc|cmr)\b\.? ?#?"
    r"|unit |box )\d{1,6}[a-z]?\b",
    re.IGNORECASE,
)
"""A flat or a box: seldom anything but part of an address."""

_STREET = re.compile(
    rf"{_HOUSE}(?: {_HOUSE})? (?:{_WORD} ){{1,4}}(?:{_BEHIND})\b"
    rf"|(?:{_HOUSE} )?\b(?:{_IN_FRONT})\b\.? (?:{_WORD} ){{1,5}}\d{{1,5}}\b"
    rf"|(?:{_HOUSE} )?\b[^\W\d_]{{2,24}}(?:{_ENDING}) \d{{1,5}}[a-z]?\b",
    re.IGNORECASE,
)
"""A street with a house number."""

_NUMBERED = re.compile(rf"{_HOUSE}(?: {_HOUSE})? (?:{_WORD} ){{1,5}}\d{{1,5}}\b", re.IGNORECASE)
"""Words between numbers, which only what stands before makes an address."""

_CUE = re.compile(
    r"(?:\baddress\b|\blives?\b|\blocated\b|\bresid(?:es?|ence)\b|\boffice is\b|\bmoved\b"
    r"|\bship(?:ped)? to\b|\bsent to\b|\bvisit\b)[^\n]{0,30}\n?[\s>]{0,8}$",
    re.IGNORECASE,
)

_MILITARY = re.compile(r"\b[ADF]PO,? A[AEP] \d{5}\b", re.IGNORECASE)
_POSTCODE = re.compile(
    r"\b(?:zip|post(?:al)?) ?code\b\W{0,3}(?:is |to )?"
    r"(\d{3,5}(?:[ -]\d{3,4})?|[A-Z]{1,2}\d[A-Z0-9]? ?\d[A-Z]{1,2}\d?)\b",
    re.IGNORECASE,
)
_ENDS_IN_POSTCODE = re.compile(
    r"(?:\b\d{4,6}|\b\d{2,4}[ -]\d{2,4}|\b\d{4} [A-Z]{2}|\b[A-Z]\d[A-Z] \d[A-Z]\d)[ .,]{0,2}$",
    re.IGNORECASE,
)
_TOWN = re.compile(rf"[ ,>|?*]{{0,8}}(?:{_WORD}[ ,]{{0,2}}){{1,4}}$")

LINES = 5
"""Lines of an address, blank ones too, behind the one where it was recognized."""

LINE_CHARS = 40
"""A longer line is no line of an address."""


def addresses(text: str) -> list[tuple[int, int]]:
    """Find postal addresses.

    Returns:
        First character and the one behind the last, in order, without overlaps.

    >>> addresses("Send it to 12 Long Lane, Suite 4, by noon")
    [(11, 32)]
    """
    merged: list[tuple[int, int]] = []
    for start, end in sorted(_proposed(text)):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _proposed(text: str) -> Iterator[tuple[int, int]]:
    for unit in _UNIT.finditer(text):
        yield _head(text, unit.start()), _tail(text, unit.end())
    for street in _STREET.finditer(text):
        yield street.start(), _tail(text, street.end())
    for numbered in _NUMBERED.finditer(text):
        if _CUE.search(text, max(0, numbered.start() - 60), numbered.start()):
            yield numbered.start(), _tail(text, numbered.end())
    for post in _MILITARY.finditer(text):
        yield _line_before(text, post.start()), post.end()
    for code in _POSTCODE.finditer(text):
        yield code.span(1)


def _head(text: str, at: int) -> int:
    """The house number before a unit, on its line or the one before; else `at`."""
    start = max(0, at - 2 * LINE_CHARS)
    lines = text[start:at].split("\n")
    for line in (lines[-1], lines[-2] if len(lines) > 1 else ""):
        number = re.search(r"\b\d{1,6}[A-Za-z]?\b", line[-LINE_CHARS:])
        if number is not None:
            behind = at - len(lines[-1]) - 1 if line is not lines[-1] else at
            return behind - len(line[-LINE_CHARS:]) + number.start()
    return at


def _line_before(text: str, at: int) -> int:
    """The start of the line before, where `at` begins one; else `at`."""
    start = text.rfind("\n", max(0, at - 8), at)
    if start < 0 or text[start:at].strip(" \n>|"):
        return at
    line = text[max(0, start - LINE_CHARS) : start].rpartition("\n")[2]
    return start - len(line.lstrip(" >|"))


def _tail(text: str, at: int) -> int:
    """The end of the line with the postcode, or of the towns on the next lines; else `at`."""
    lines = text[at : at + (LINES + 1) * (LINE_CHARS + 1)].split("\n")[: LINES + 1]
    capital = text[max(0, at - LINE_CHARS) : at].lower() != text[max(0, at - LINE_CHARS) : at]
    towns, end, goes_on = at, at, True
    for number, line in enumerate(lines):
        end += len(line) + (number > 0)
        if len(line) > LINE_CHARS:
            break
        if _ENDS_IN_POSTCODE.search(line):
            return end
        goes_on &= not line.strip() or _is_town(line, capital, first=number == 0)
        towns = end if goes_on and line.strip() else towns
    return towns


def _is_town(line: str, capital: bool, *, first: bool) -> bool:
    """Whether a line is the name of a town; behind a street it begins with a comma."""
    begins = not first or line.startswith(",")
    return begins and _TOWN.match(line) is not None and (not capital or line.lower() != line)
