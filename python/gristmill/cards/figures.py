"""Figures as SVG, written by hand: the same numbers give the same bytes, and nothing is loaded.

A figure is drawn once and shown twice: inline in the page, where the page's style colors it, and as
a file of its own, which carries that style. Every figure has a title and a description that says in
words what it shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from math import ceil, floor, log10

from gristmill.cards.wording import count, one_line, percent, short

WIDTH = 760
LABEL_CHARACTERS = 30

STYLE = """
svg{--ink:#1d1b16;--soft:#5d584c;--line:#d9d4c5;--ghost:#e4dfd0;--kept:#17695c;--lost:#b4502a;
--mark:#b98212;--paper:#fbfaf6;--c1:#17695c;--c2:#c08a1e;--c3:#4b6fa8;--c4:#b4502a;--c5:#7d5683;
--c6:#6f7d35;--c7:#a19a88;font-family:ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,
"Helvetica Neue",Arial,sans-serif;background:var(--paper)}
@media(prefers-color-scheme:dark){svg{--ink:#ece7da;--soft:#aaa492;--line:#3a372d;--ghost:#322f27;
--kept:#66c2ad;--lost:#e58f68;--mark:#e2b352;--paper:#16150f;--c1:#66c2ad;--c2:#e2b352;--c3:#8db0e4;
--c4:#e58f68;--c5:#c79bcd;--c6:#b3c26e;--c7:#8b8574}}
"""
"""Colors of a figure that stands alone; the page defines the same names."""

DRAWING = """
.fig text{fill:var(--ink);font-size:13px;font-variant-numeric:tabular-nums}
.fig .soft{fill:var(--soft);font-size:12px}.fig .strong{font-weight:600}
.fig .end{text-anchor:end}.fig .mid{text-anchor:middle}
.fig .kept{fill:var(--kept)}.fig .lost{fill:var(--lost)}.fig .ghost{fill:var(--ghost)}
.fig .onkept{fill:var(--paper);font-weight:600}.fig .fade{opacity:.38}.fig .river{opacity:.2}
.fig .line{stroke:var(--line);stroke-width:1;fill:none}
.fig .node{stroke:var(--ink);stroke-width:1.5}
.fig .c1{fill:var(--c1)}.fig .c2{fill:var(--c2)}.fig .c3{fill:var(--c3)}.fig .c4{fill:var(--c4)}
.fig .c5{fill:var(--c5)}.fig .c6{fill:var(--c6)}.fig .c7{fill:var(--c7)}
"""
"""Classes that figures use, for the page and for the file."""


@dataclass
class Figure:
    """A drawing under way.

    Attributes:
        name: File name without its ending, and prefix of the ids.
        title: What it is, in a few words.
        description: What it shows, in a sentence with the main numbers.
    """

    name: str
    title: str
    description: str
    height: float = 0
    width: float = WIDTH
    body: list[str] = field(default_factory=list)

    def text(self, x: float, y: float, text: object, style: str = "") -> None:
        """Write `text` with its baseline at (x, y)."""
        kind = f' class="{style}"' if style else ""
        self.body.append(f'<text x="{_px(x)}" y="{_px(y)}"{kind}>{escape(one_line(text))}</text>')

    def box(
        self, x: float, y: float, width: float, height: float, style: str, radius: float = 0
    ) -> None:
        """Draw a filled rectangle."""
        round_ = f' rx="{_px(radius)}"' if radius else ""
        self.body.append(
            f'<rect x="{_px(x)}" y="{_px(y)}" width="{_px(max(width, 0))}" '
            f'height="{_px(max(height, 0))}" class="{style}"{round_}/>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, style: str = "line") -> None:
        """Draw a straight line."""
        self.body.append(
            f'<line x1="{_px(x1)}" y1="{_px(y1)}" x2="{_px(x2)}" y2="{_px(y2)}" class="{style}"/>'
        )

    def path(self, path: str, style: str) -> None:
        """Draw a filled path."""
        self.body.append(f'<path d="{path}" class="{style}"/>')

    def inline(self) -> str:
        """The figure for the page."""
        return self._svg("", "")

    def file(self) -> str:
        """The figure as a file."""
        style = f"<style>{STYLE}{DRAWING}</style>"
        return self._svg(' xmlns="http://www.w3.org/2000/svg"', style) + "\n"

    def _svg(self, namespace: str, style: str) -> str:
        size = f"0 0 {_px(self.width)} {_px(self.height)}"
        return (
            f'<svg{namespace} class="fig" viewBox="{size}" role="img" '
            f'aria-labelledby="{self.name}-t {self.name}-d">'
            f'<title id="{self.name}-t">{escape(one_line(self.title))}</title>'
            f'<desc id="{self.name}-d">{escape(one_line(self.description))}</desc>'
            f"{style}{''.join(self.body)}</svg>"
        )


def _px(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def clip(text: object, characters: int = LABEL_CHARACTERS) -> str:
    """The beginning of a label, with an ellipsis when it is longer."""
    whole = one_line(text)
    return whole if len(whole) <= characters else whole[: characters - 1] + "…"


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar: `size` is filled, out of `whole` (drawn behind it) where that is given."""

    label: str
    size: float
    note: str
    whole: float | None = None


def bars(
    name: str, title: str, description: str, data: Sequence[Bar], style: str = "kept"
) -> Figure:
    """Horizontal bars with their label to the left and a note to the right."""
    widest = max((len(clip(bar.label)) for bar in data), default=0)
    left, row, room = min(24 + 7.4 * widest, 250), 30, 330
    figure = Figure(name, title, description, height=max(len(data), 1) * row + 8)
    largest = max((max(bar.size, bar.whole or 0) for bar in data), default=0) or 1
    for at, bar in enumerate(data):
        y = 4 + at * row
        figure.text(left - 12, y + 19, clip(bar.label), "end")
        if bar.whole is not None:
            figure.box(left, y + 7, room * bar.whole / largest, 16, "ghost", 2)
        figure.box(left, y + 7, max(room * bar.size / largest, 1.5 * (bar.size > 0)), 16, style, 2)
        reach = max(bar.size, bar.whole or 0)
        figure.text(left + room * reach / largest + 10, y + 19, bar.note, "soft")
    return figure


def stacked(name: str, title: str, description: str, data: Sequence[tuple[str, float]]) -> Figure:
    """One bar of shares, with a legend below it; at most seven parts."""
    per_line = 3
    lines = ceil(len(data) / per_line)
    figure = Figure(name, title, description, height=52 + 24 * lines)
    x = 0.0
    for at, (_, part) in enumerate(data):
        figure.box(x, 4, WIDTH * part - (1.5 if part < 1 else 0), 30, f"c{at + 1}", 2)
        x += WIDTH * part
    for at, (label, part) in enumerate(data):
        column, line = at % per_line, at // per_line
        left, y = column * (WIDTH / per_line), 62 + 24 * line
        figure.box(left, y - 10, 11, 11, f"c{at + 1}", 2)
        figure.text(left + 18, y, f"{clip(label, 24)}  {percent(part)}")
    return figure


def histogram(
    name: str, title: str, description: str, data: Sequence[tuple[str, int]], unit: str
) -> Figure:
    """Columns over bins that are given by their lower bound."""
    left, top, tall, bottom = 64, 14, 190, 48
    figure = Figure(name, title, description, height=top + tall + bottom)
    largest = max((number for _, number in data), default=0) or 1
    step = min((WIDTH - left) / max(len(data), 1), 64)
    for tick in ticks(largest):
        y = top + tall * (1 - tick / largest)
        figure.line(left, y, left + step * len(data), y)
        figure.text(left - 10, y + 4, short(tick), "soft end")
    every = ceil(len(data) / 14) or 1
    for at, (label, number) in enumerate(data):
        tall_here = tall * number / largest
        x = left + at * step
        figure.box(x + 1.5, top + tall - tall_here, step - 3, tall_here, "kept", 2)
        if at % every == 0:
            figure.text(x + step / 2, top + tall + 18, label, "soft mid")
    figure.text(left + step * len(data) / 2, top + tall + 40, unit, "soft mid")
    return figure


@dataclass(frozen=True, slots=True)
class Dots:
    """A row of a dot plot: per series a value between its bounds."""

    label: str
    values: Sequence[tuple[float, float, float]]
    note: str


def dots(
    name: str,
    title: str,
    description: str,
    data: Sequence[Dots],
    scale: Sequence[tuple[float, str]],
    series: Sequence[str] = (),
    usual: float | None = None,
) -> Figure:
    """Values with their intervals over a scale, given as (place, label) of its ticks.

    Args:
        name: As of `Figure`, like the next two.
        title: The same.
        description: The same.
        data: The rows, from above.
        scale: Ticks from left to right; what lies beyond the outer ones is drawn at them.
        series: Names of the values, where a row has several; each has a color and a shape.
        usual: A value to draw a line at.
    """
    widest = max((len(clip(row.label)) for row in data), default=0)
    left, room, top = min(24 + 7.4 * widest, 250), 330, 30 if series else 6
    row_height = 26 if len(series) < 2 else 12 + 9 * len(series)
    figure = Figure(name, title, description, height=top + max(len(data), 1) * row_height + 28)
    bottom = figure.height - 24
    (first, _), (last, _) = scale[0], scale[-1]

    def x(value: float) -> float:
        return left + room * (min(max(value, first), last) - first) / (last - first)

    for place, label in scale:
        figure.line(x(place), top, x(place), bottom)
        figure.text(x(place), bottom + 18, label, "soft mid")
    if usual is not None:
        figure.line(x(usual), top, x(usual), bottom, "node")
    for at, named in enumerate(series):
        _mark(figure, left + 110 * at + 6, 12, at)
        figure.text(left + 110 * at + 18, 16.5, named)
    for at, row in enumerate(data):
        middle = top + (at + 0.5) * row_height
        figure.text(left - 12, middle + 4.5, clip(row.label), "end")
        figure.text(left + room + 18, middle + 4.5, row.note, "soft")
        for which, (value, low, high) in enumerate(row.values):
            y = middle + 9 * (which - (len(row.values) - 1) / 2)
            figure.box(x(low), y - 1, max(x(high) - x(low), 1), 2, f"c{which + 1} fade")
            _mark(figure, x(value), y, which)
    return figure


def _mark(figure: Figure, x: float, y: float, series: int) -> None:
    """A disk, a square or a diamond at (x, y), so that colors need not be told apart."""
    shapes = (
        f"M{_px(x - 4)} {_px(y)}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
        f"M{_px(x - 3.5)} {_px(y - 3.5)}h7v7h-7z",
        f"M{_px(x)} {_px(y - 5)}l5 5l-5 5l-5 -5z",
    )
    figure.path(shapes[series % len(shapes)], f"c{series + 1}")


def ticks(largest: float) -> list[float]:
    """Two to five round numbers from 0 to `largest`.

    >>> ticks(87)
    [0, 20, 40, 60, 80]
    """
    if largest <= 0:
        return [0]
    base = 10 ** floor(log10(largest))
    step = next(base * part for part in (0.2, 0.5, 1, 2) if largest / (base * part) < 5.5)
    step = max(step, 1)
    return [step * at for at in range(floor(largest / step) + 1)]


def strip(quantiles: Sequence[float | None], other: float | None) -> str:
    """A box plot of one row (p5, p25, p50, p75, p95), with a mark at `other`; decoration only."""
    known = [number for number in quantiles if number is not None]
    if len(known) < 5:
        return ""
    low, q1, middle, q3, high = known
    span = high - low

    def x(number: float) -> float:
        part = (number - low) / span if span else 0.5 + (number > low) / 2 - (number < low) / 2
        return 4 + 152 * min(max(part, 0), 1)

    marks = Figure("", "", "", height=18, width=160)
    marks.line(x(low), 9, x(high), 9)
    marks.box(x(q1), 4, max(x(q3) - x(q1), 2), 10, "kept fade")
    marks.box(x(middle) - 1.25, 2, 2.5, 14, "kept")
    if other is not None:
        marks.box(x(other) - 1, 3, 2, 12, "lost")
    return (
        '<svg class="fig strip" viewBox="0 0 160 18" aria-hidden="true">'
        f"{''.join(marks.body)}</svg>"
    )


def coverage(groups: Sequence[tuple[str, Sequence[str]]]) -> str:
    """A square per question, by section: filled when measured, half when answered; decoration."""
    figure = Figure("", "", "", height=58)
    x = 0.0
    gap = 18
    n_squares = sum(len(states) for _, states in groups)
    size = (WIDTH - gap * (len(groups) - 1)) / max(n_squares, 1)
    for title, states in groups:
        figure.text(x, 12, title, "soft")
        for state in states:
            style = {"measured": "kept", "both": "kept", "person": "c2"}.get(state, "ghost")
            figure.box(x, 22, size - 2, 22, style, 2)
            x += size
        x += gap
    return (
        f'<svg class="fig" viewBox="0 0 {WIDTH} 50" aria-hidden="true">{"".join(figure.body)}</svg>'
    )


@dataclass(frozen=True, slots=True)
class Step:
    """A stage of the flow: documents in and kept, and what was dropped for which reason."""

    name: str
    note: str
    docs_in: int
    docs_kept: int
    dropped: Sequence[tuple[str, int]]


REASONS_SHOWN = 3
TRUNK_X, TRUNK_WIDTH, LOST_X = 190, 250, 470
BEND = 10.0
"""Inner radius of a side arm's turn."""


def flow(title: str, description: str, steps: Sequence[Step], end: Sequence[str]) -> Figure:
    """The pipeline as a river: its width is the documents left, side arms are those dropped."""
    figure = Figure("flow", title, description)
    whole = max((step.docs_in for step in steps), default=0) or 1
    y = 26.0
    first = steps[0].docs_in if steps else 0
    figure.text(TRUNK_X, 14, f"{count(first)} documents read", "strong")
    for step in steps:
        y = _stage(figure, step, y, whole)
    width = TRUNK_WIDTH * (steps[-1].docs_kept if steps else 0) / whole
    figure.path(
        f"M{TRUNK_X} {_px(y)}h{_px(width)}v14h9L{_px(TRUNK_X + width / 2)} {_px(y + 34)}"
        f"L{TRUNK_X - 9} {_px(y + 14)}h9z",
        "kept",
    )
    for at, line in enumerate(end):
        figure.text(TRUNK_X, y + 56 + 20 * at, line, "soft" if at else "strong")
    figure.height = y + 56 + 20 * len(end)
    return figure


def _stage(figure: Figure, step: Step, y: float, whole: int) -> float:
    """Draw one stage at `y`; gives the y at which the next one begins."""
    before = TRUNK_WIDTH * step.docs_in / whole
    after = TRUNK_WIDTH * step.docs_kept / whole
    lost = before - after
    dropped = step.docs_in - step.docs_kept
    shown = step.dropped[:REASONS_SHOWN]
    lines = len(shown) + (len(step.dropped) > REASONS_SHOWN)
    height = max(44.0, BEND + lost + 18 if dropped else 0, 14 + 17 * lines)
    figure.box(TRUNK_X, y, after, height, "kept river")
    if dropped:
        figure.path(_arm(TRUNK_X + after, y, max(lost, 1.5)), "lost fade")
    figure.line(TRUNK_X - 8, y, TRUNK_X + before + 8, y, "node")
    figure.text(TRUNK_X - 20, y + 5, clip(step.name, 22), "strong end")
    figure.text(TRUNK_X - 20, y + 22, clip(step.note, 26), "soft end")
    label = y + BEND + max(min(lost / 2, height - 17 * lines), 0) + 4
    for at, (reason, number) in enumerate(shown):
        figure.text(LOST_X + 62, label + 17 * at, f"−{count(number)}", "strong end")
        figure.text(LOST_X + 72, label + 17 * at, clip(reason, 30))
    if len(step.dropped) > REASONS_SHOWN:
        rest = sum(number for _, number in step.dropped[REASONS_SHOWN:])
        more = len(step.dropped) - REASONS_SHOWN
        y_rest = label + 17 * len(shown)
        figure.text(LOST_X + 62, y_rest, f"−{count(rest)}", "soft end")
        figure.text(LOST_X + 72, y_rest, f"{more} other reasons", "soft")
    inside = after >= 70
    figure.text(
        TRUNK_X + (after / 2 if inside else after + 8),
        y + height - 8,
        count(step.docs_kept),
        "mid strong" if inside else "strong",
    )
    return y + height


def _arm(x: float, y: float, thick: float) -> str:
    """A band that leaves downwards at (x, y) and turns to the right, `thick` all the way."""
    outer, turned = BEND + thick, x + thick + BEND
    return (
        f"M{_px(x)} {_px(y)}A{_px(outer)} {_px(outer)} 0 0 0 {_px(turned)} {_px(y + outer)}"
        f"H{LOST_X}v{_px(-thick)}H{_px(turned)}"
        f"A{_px(BEND)} {_px(BEND)} 0 0 1 {_px(x + thick)} {_px(y)}z"
    )
