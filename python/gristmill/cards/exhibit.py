"""One part of a card: a sentence, a figure, and the table behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gristmill.cards.figures import Figure
from gristmill.cards.wording import one_line

TABLE_ROWS = 40
"""Rows of a table on the card; all are in ``measured.json``."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of texts; columns named in `numeric` are set to the right."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: frozenset[int] = frozenset()
    left_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """One part of the card.

    Attributes:
        key: Anchor on the page.
        title: Heading.
        lead: What the numbers say, in a sentence.
        how: Where they come from.
        figure: The drawing, if there is one.
        caption: How to read the drawing.
        table: The numbers.
        strips: A small drawing per table row, if there are.
        open: Show the table at once: it is the exhibit.
        limits: What the method cannot tell.
    """

    key: str
    title: str
    lead: str
    how: str
    figure: Figure | None = None
    caption: str = ""
    table: Table
    strips: Sequence[str] = ()
    open: bool = False
    limits: str = ""


def table_of(columns: str, data: Sequence[Sequence[str]], numeric_from: int = 1) -> Table:
    """A table with its columns given as ``A | B``; all but the first are set to the right."""
    names = columns.split(" | ")
    shown = [[one_line(cell) for cell in row] for row in data[:TABLE_ROWS]]
    numeric = frozenset(range(numeric_from, len(names)))
    return Table(names, shown, numeric, max(len(data) - TABLE_ROWS, 0))
