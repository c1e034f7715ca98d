"""Numbers and lists as people read them, and text that cannot break the page it lands on."""

from __future__ import annotations

import re
from collections.abc import Sequence

_MARKDOWN = re.compile(r"([\\`*_\[\]|~$])|(?<=[A-Za-z])(:)(?=//)|(?<=\bwww)(\.)", re.IGNORECASE)
_BLOCK = re.compile(r"^(\d*)([#+=-]|(?<=\d)[.)](?=\s|$))")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def count(number: float | None) -> str:
    """A whole number with thousands separators.

    >>> count(1234567)
    '1,234,567'
    """
    return "—" if number is None else f"{number:,.0f}"


def short(number: float | None) -> str:
    """A number in three digits: ``12.3 M``.

    >>> short(12_345_678), short(999), short(None)
    ('12.3 M', '999', '—')
    """
    if number is None:
        return "—"
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= 0.9995 * size:
            return f"{_three_digits(number / size)} {unit}"
    return _three_digits(number)


def _three_digits(number: float) -> str:
    return f"{number:.3g}" if abs(number) < 999.5 else f"{number:.0f}"


def bytes_(number: float | None) -> str:
    """Bytes in decimal units: ``41.2 MB``."""
    return "—" if number is None else f"{short(number)}{'' if number >= 999.5 else ' '}B"


def percent(part: float | None) -> str:
    """A share as a percentage; what is not nothing never shows as 0.

    >>> percent(0.1234), percent(0.00001), percent(0), percent(1)
    ('12.3 %', '< 0.1 %', '0 %', '100 %')
    """
    if part is None:
        return "—"
    if 0 < part < 0.0005:
        return "< 0.1 %"
    if 0.9995 <= part < 1:
        return "> 99.9 %"
    return f"{100 * part:.1f} %".replace(".0 %", " %")


def number(value: float | None) -> str:
    """A measured value: whole numbers with separators, others with three digits."""
    if value is None:
        return "—"
    if float(value).is_integer():
        return count(value)
    return f"{value:,.3g}" if abs(value) < 1e3 else count(value)


def plural(n: int, one: str, many: str | None = None) -> str:
    """`n` with its noun.

    >>> plural(1, "source"), plural(2, "copy", "copies")
    ('1 source', '2 copies')
    """
    return f"{count(n)} {one if n == 1 else many or one + 's'}"


def listed(items: Sequence[str], most: int = 6) -> str:
    """Items in a sentence; after `most` of them how many more there are."""
    if len(items) > most:
        items = [*items[: most - 1], f"{count(len(items) - most + 1)} more"]
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def words(name: str) -> str:
    """A snake_case name as words."""
    return name.replace("_", " ")


def one_line(text: object) -> str:
    """Text without line breaks, control characters or direction overrides."""
    return _CONTROL.sub(" ", str(text)).strip()


def markdown(text: object) -> str:
    r"""`text` as Markdown that shows exactly it: no markup, HTML, table or link comes of it.

    >>> markdown("<b>|*x*")
    '&lt;b&gt;\\|\\*x\\*'
    """
    plain = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    plain = _MARKDOWN.sub(r"\\\g<0>", plain)
    return _BLOCK.sub(r"\1\\\2", plain)  # no line opens a heading, a list or a rule
