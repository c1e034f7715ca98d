"""The figure of a comparison of tokenizers: bytes per token, by language and by source.

One row a group, with a mark for each tokenizer on a common axis; a mark has its own shape as well as
its own color, and its own height in the row, so that equal values show. Groups with the most text
are drawn, those with the longest tokens first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil
from typing import Any

import pyarrow as pa

from gristmill.cards.figures import WIDTH, Figure, clip, ticks
from gristmill.cards.wording import bytes_, listed, plural
from gristmill.tokenizer.comparison import SMALL_BYTES

STYLE = """
.fig .dot{stroke:var(--paper);stroke-width:1}.fig .span{stroke:var(--soft);stroke-width:1.5}
.fig .row{fill:var(--ghost);opacity:.45}
"""
MAX_ROWS = 40
"""Groups that are drawn of each kind."""

RIGHT = 88.0
LABEL_CHARACTERS = 24
COLORS = 7
LANE = 6.0
"""Height between the marks of two tokenizers."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Group:
    """The tokenizers in one group, in the order of the legend."""

    name: str
    rows: Sequence[Row]

    @property
    def values(self) -> list[float | None]:
        return [row["bytes_per_token"] for row in self.rows]


@dataclass(frozen=True, slots=True)
class _Plot:
    """Where values are drawn: from `left` on, `scale` for each byte, in rows of some height."""

    left: float
    scale: float
    largest: float
    row: float

    @classmethod
    def of(cls, groups: Sequence[_Group]) -> _Plot:
        """Room for all groups."""
        widest = max((len(clip(one.name, LABEL_CHARACTERS)) for one in groups), default=0)
        values = [value for one in groups for value in one.values if value]
        left, largest = 30 + 7.4 * widest, ceil(max(values, default=1))
        row = 14 + LANE * max((len(one.rows) for one in groups), default=1)
        return cls(left, (WIDTH - left - RIGHT) / largest, largest, row)

    def x(self, value: float) -> float:
        return self.left + self.scale * value


def comparison_figure(comparison: pa.Table) -> Figure:
    """Draw what `compare_tokenizers` found."""
    kinds = {
        kind: [_Group(str(name), list(group)) for name, group in groupby(rows, _name)]
        for kind, rows in groupby(comparison.to_pylist(), lambda row: row["group"])
    }
    (whole,) = kinds.pop("all")
    figure = Figure("tokenizers", "Bytes of text per token", _describe(whole, kinds))
    figure.body.append(f"<style>{STYLE}</style>")
    top = _legend(figure, whole)
    plot = _Plot.of([one for groups in kinds.values() for one in groups[:MAX_ROWS]])
    for kind, groups in kinds.items():
        top = _panel(figure, plot, kind, groups, top)
    figure.height = top
    return figure


def _name(row: Row) -> str | None:
    name: str | None = row["name"]
    return name


def _describe(whole: _Group, kinds: dict[str, list[_Group]]) -> str:
    totals = [f"{row['tokenizer']} {_number(row['bytes_per_token'])}" for row in whole.rows]
    parts = [f"Bytes per token over {plural(whole.rows[0]['documents'], 'document')}: "
             f"{listed(totals)}."]  # fmt: skip
    for kind, groups in kinds.items():
        each = [
            f"{group.name} {' / '.join(_number(value) for value in group.values)}"
            for group in groups
        ]
        parts.append(f"By {kind}, largest first: {listed(each, MAX_ROWS)}.")
    return " ".join(parts)


def _legend(figure: Figure, whole: _Group) -> float:
    """Title and marks with the tokenizers' names; gives the height they take."""
    figure.text(0, 16, "Bytes of text per token: more is better", "strong")
    per_line = 2
    for at, row in enumerate(whole.rows):
        x, y = (at % per_line) * WIDTH / per_line + 8, 44 + 24 * (at // per_line)
        _mark(figure, x, y - 4, at)
        note = f"{row['vocab_size']:,} tokens, {_number(row['bytes_per_token'])} in all"
        figure.text(x + 14, y, f"{clip(row['tokenizer'], LABEL_CHARACTERS)}: {note}")
    return 44 + 24 * ceil(len(whole.rows) / per_line)


def _panel(figure: Figure, plot: _Plot, kind: str, groups: Sequence[_Group], top: float) -> float:
    """Draw the groups of one kind; gives the y below them."""
    shown = sorted(groups[:MAX_ROWS], key=lambda group: -(group.values[0] or 0))
    beyond = f", the {MAX_ROWS} of {len(groups)} with the most text" if groups[MAX_ROWS:] else ""
    figure.text(0, top + 16, f"By {kind}{beyond}", "strong")
    figure.text(WIDTH - 6, top + 16, "text", "soft end")
    first = top + 28
    last = first + plot.row * len(shown)
    for at in range(0, len(shown), 2):
        figure.box(0, first + plot.row * at, WIDTH, plot.row, "row")
    for tick in range(int(plot.largest) + 1) if plot.largest <= 12 else ticks(plot.largest):
        figure.line(plot.x(tick), first, plot.x(tick), last)
        figure.text(plot.x(tick), last + 17, f"{tick:g}", "soft mid")
    figure.text(plot.x(plot.largest / 2), last + 35, "UTF-8 bytes per token", "soft mid")
    for at, group in enumerate(shown):
        _row(figure, plot, group, first + plot.row * (at + 0.5))
    if any(group.rows[0]["small"] for group in shown):
        figure.text(0, last + 35, f"* less than {bytes_(SMALL_BYTES)}", "soft")
    return last + 58


def _row(figure: Figure, plot: _Plot, group: _Group, middle: float) -> None:
    first = group.rows[0]
    label = clip(group.name, LABEL_CHARACTERS) + ("*" if first["small"] else "")
    figure.text(plot.left - 14, middle + 4.5, label, "end")
    figure.text(WIDTH - 6, middle + 4.5, bytes_(first["bytes"]), "soft end")
    marks = [(at, plot.x(value), middle + LANE * (at - (len(group.rows) - 1) / 2))
             for at, value in enumerate(group.values) if value]  # fmt: skip
    places = [x for _, x, _ in marks]
    if places:
        figure.line(min(places), middle, max(places), middle, "span")
    for at, x, y in marks:
        _mark(figure, x, y, at)


def _mark(figure: Figure, x: float, y: float, at: int) -> None:
    shapes = ("a5 5 0 1 0 10 0a5 5 0 1 0 -10 0z", "m0 -4.5h9v9h-9z", "l6 -6l6 6l-6 6z",
              "m0 4.5l5 -9.5l5 9.5z")  # fmt: skip
    left = (5, 4.5, 6, 5)[at % len(shapes)]
    figure.path(f"M{x - left:.1f} {y:.1f}{shapes[at % len(shapes)]}", f"c{at % COLORS + 1} dot")


def _number(value: float | None) -> str:
    return "—" if value is None else f"{value:.2f}"
