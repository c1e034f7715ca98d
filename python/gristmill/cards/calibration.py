"""The figure of a calibration: what each banding found beside what theory says, and what it costs.

One panel a banding: the part of the pairs that share a band, by similarity, of natural pairs and of
planted copies, with the theoretical curve. Below them, recall and the precision of candidates against
the threshold, all bandings together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

from gristmill.cards.figures import WIDTH, Figure
from gristmill.dedup.calibrate import Calibration
from gristmill.dedup.curves import AtThreshold, Bin, Curve

STYLE = """
.fig .theory{fill:none;stroke:var(--soft);stroke-width:1.5}
.fig .bar{stroke:var(--kept);stroke-width:1.5}.fig .plantedbar{stroke:var(--mark);stroke-width:1}
.fig .planted{fill:var(--paper);stroke:var(--mark);stroke-width:1.5}
.fig .at{stroke:var(--lost);stroke-width:1.2;stroke-dasharray:4 3}
.fig .chosen{fill:none;stroke:var(--kept);stroke-width:1.5}
.fig .best{fill:var(--kept);font-weight:600}
""" + "".join(
    f".fig .l{n}{{fill:none;stroke:var(--c{n});stroke-width:1.6}}.fig .l{n}.thick{{stroke-width:3}}"
    for n in range(1, 8)
)

PER_ROW = 3
PANEL = (WIDTH / PER_ROW, 250.0)
HEAD = 58.0
"""Room for the legend."""


@dataclass(frozen=True, slots=True)
class _Axes:
    """A plot: where it is drawn, and what its left, right, bottom and top edges stand for."""

    left: float
    top: float
    width: float
    height: float
    label: str
    low: float
    bottom: float = 0.0

    def x(self, value: float) -> float:
        return self.left + self.width * (value - self.low) / (1 - self.low)

    def y(self, value: float) -> float:
        part = (max(value, self.bottom) - self.bottom) / (1 - self.bottom)
        return self.top + self.height * (1 - part)

    def path(self, points: Iterable[tuple[float, float]]) -> str:
        return "M" + "L".join(f"{self.x(x):.1f} {self.y(y):.1f}" for x, y in points)


def calibration_figure(calibration: Calibration) -> Figure:
    """Draw a calibration."""
    curves = calibration.curves
    figure = Figure("calibration", "Bands and rows on your documents", _describe(calibration))
    figure.body.append(f"<style>{STYLE}</style>")
    _legend(figure, calibration)
    for at, curve in enumerate(curves):
        column, row = at % PER_ROW, at // PER_ROW
        _panel(figure, calibration, curve, column * PANEL[0], HEAD + row * PANEL[1])
    top = HEAD + PANEL[1] * -(-len(curves) // PER_ROW) + 10
    half = WIDTH / 2
    from_ = max(calibration.threshold - 0.3, _low(curves[0]))
    recalls = [one.true.recall for curve in curves for one in curve.thresholds
               if one.threshold >= from_]  # fmt: skip
    lowest = min((part for part in recalls if part is not None), default=0.0)
    size = (half - 66, 190.0, "threshold", from_)
    _against_threshold(
        figure, calibration, _Axes(44, top + 34, *size, _below(lowest)),
        "Recall of pairs from the threshold on", lambda one: one.true.recall,
    )  # fmt: skip
    _against_threshold(
        figure, calibration, _Axes(half + 44, top + 34, *size),
        "Precision of candidates, before verification", lambda one: one.precision,
    )  # fmt: skip
    figure.height = _bandings(figure, calibration, top + 280)
    return figure


def _describe(calibration: Calibration) -> str:
    at = calibration.threshold
    each = []
    for curve in calibration.curves:
        here = curve.at(at)
        each.append(
            f"{curve.banding} finds {_percent(here.true.recall)} (theory "
            f"{_percent(here.true.theory)}) with {curve.candidates_per_document:.3g} candidates a "
            f"document, of which {_percent(here.precision)} are true"
        )
    return (
        f"{calibration.documents:,} documents, {calibration.pairs:,} pairs of similarity {at:g} or "
        f"more, {calibration.planted:,} planted copies. {'; '.join(each)}. Recommended: "
        f"{calibration.recommended}."
    )


def _legend(figure: Figure, calibration: Calibration) -> None:
    figure.text(0, 14, "Part of the pairs that share a band, by similarity", "strong")
    x, y = 8.0, 37.0
    for mark, label in (
        ("natural", "pairs of the sample"),
        ("planted", "edited copies"),
        ("theory", "1 − (1 − s^rows)^bands"),
        ("at", f"threshold {calibration.threshold:g}"),
    ):
        if mark in ("natural", "planted"):
            _point(figure, x + 6, y - 4, mark)
        else:
            figure.line(x - 4, y - 4, x + 14, y - 4, mark)
        figure.text(x + 20, y, label, "soft")
        x += 44 + 7 * len(label)
    figure.text(WIDTH, y, "bars: 95 % intervals", "soft end")


def _panel(figure: Figure, calibration: Calibration, curve: Curve, left: float, top: float) -> None:
    best = curve.banding == calibration.recommended
    if best:
        figure.body.append(
            f'<rect x="{left + 1:.1f}" y="{top + 1:.1f}" width="{PANEL[0] - 4:.1f}" '
            f'height="{PANEL[1] - 8:.1f}" rx="6" class="chosen"/>'
        )
    here = curve.at(calibration.threshold)
    figure.text(left + 12, top + 22, f"{curve.banding.bands} × {curve.banding.rows}", "strong")
    if best:
        figure.text(left + PANEL[0] - 14, top + 22, "recommended", "best end")
    share = here.true if calibration.basis == "natural" else curve.planted_true
    kind = "recall" if calibration.basis == "natural" else "copies"
    note = f"{kind} {_percent(share.recall)} · {curve.candidates_per_document:.2g} cand./doc"
    figure.text(left + 12, top + 39, note, "soft")
    axes = _Axes(left + 44, top + 52, PANEL[0] - 64, 150, "Jaccard similarity", _low(curve))
    _grid(figure, axes, calibration.threshold)
    steps = [axes.low + (1 - axes.low) * at / 80 for at in range(81)]
    points = [(x, float(curve.banding.probability(x))) for x in steps]
    figure.path(axes.path(points), "theory")
    for one in curve.planted:
        _measured(figure, axes, one, "planted", 2.5)
    for one in curve.natural:
        _measured(figure, axes, one, "natural", 0)


def _measured(figure: Figure, axes: _Axes, one: Bin, kind: str, aside: float) -> None:
    if one.similarity is None or one.share.recall is None or one.share.interval is None:
        return
    x, (low, high) = axes.x(one.similarity) + aside, one.share.interval
    bar = "bar" if kind == "natural" else "plantedbar"
    figure.line(x, axes.y(low), x, axes.y(high), bar)
    _point(figure, x, axes.y(one.share.recall), kind)


def _point(figure: Figure, x: float, y: float, kind: str) -> None:
    if kind == "natural":
        figure.body.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2" class="kept"/>')
    else:
        figure.body.append(f'<path d="M{x:.1f} {y - 4:.1f}l4 4l-4 4l-4 -4z" class="planted"/>')


def _grid(figure: Figure, axes: _Axes, threshold: float) -> None:
    for at in range(5):
        value = axes.bottom + (1 - axes.bottom) * at / 4
        figure.line(axes.left, axes.y(value), axes.left + axes.width, axes.y(value))
        figure.text(
            axes.left - 6,
            axes.y(value) + 4,
            f"{100 * value:.3g}{'%' if at == 4 else ''}",
            "soft end",
        )
    first = -(-round(axes.low * 100) // 10)
    step = 1 if axes.width > 200 or first > 5 else 2
    for tenth in range(10, first - 1, -step):
        figure.text(axes.x(tenth / 10), axes.top + axes.height + 17, f"{tenth / 10:g}", "soft mid")
    x = axes.x(threshold)
    figure.line(x, axes.top, x, axes.top + axes.height, "at")
    figure.text(axes.left + axes.width / 2, axes.top + axes.height + 33, axes.label, "soft mid")


def _against_threshold(
    figure: Figure,
    calibration: Calibration,
    axes: _Axes,
    title: str,
    value: Callable[[AtThreshold], float | None],
) -> None:
    figure.text(axes.left - 44, axes.top - 16, title, "strong")
    _grid(figure, axes, calibration.threshold)
    order = sorted(
        enumerate(calibration.curves), key=lambda one: one[1].banding == calibration.recommended
    )
    for at, curve in order:
        known = [(one.threshold, part) for one in curve.thresholds
                 if one.threshold >= axes.low and (part := value(one)) is not None]  # fmt: skip
        thick = " thick" if curve.banding == calibration.recommended else ""
        if len(known) > 1:
            figure.path(axes.path(known), f"l{at % 7 + 1}{thick}")


def _bandings(figure: Figure, calibration: Calibration, top: float) -> float:
    """The legend of the lines; gives the height of the figure."""
    step = WIDTH / max(len(calibration.curves), 6)
    for at, curve in enumerate(calibration.curves):
        best = curve.banding == calibration.recommended
        x, style = at * step, f"l{at % 7 + 1}{' thick' if best else ''}"
        figure.line(x, top - 4, x + 22, top - 4, style)
        label = f"{curve.banding.bands} × {curve.banding.rows}"
        figure.text(x + 29, top, label, "strong" if best else "")
    return top + 14


def _low(curve: Curve) -> float:
    return curve.natural[0].low


def _below(recall: float) -> float:
    """A round number below a recall, where the axis begins."""
    return next((edge for edge, above in pairwise((0.9, 0.8, 0.6, 0.4, 0.2, 0.0)) if recall >= edge),
                0.0)  # fmt: skip


def _percent(part: float | None) -> str:
    return "—" if part is None else f"{100 * part:.3g} %" if part < 0.99 else f"{100 * part:.2f} %"
