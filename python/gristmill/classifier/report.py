"""What is written beside a trained classifier: its card, its figures as JSON, and a drawing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gristmill.cards.figures import Figure
from gristmill.cards.wording import count, markdown
from gristmill.classifier.measures import Estimate, Measures, Scores, Truth, roc
from gristmill.classifier.training import Trained
from gristmill.files import atomic_write, write_json

STYLE = """
.fig .curve{fill:none;stroke:var(--kept);stroke-width:2}
.fig .chance{stroke:var(--soft);stroke-width:1;stroke-dasharray:4 3}
"""

N_BINS = 20
SIDE, TOP, LEFT, RIGHT = 270.0, 40.0, 48.0, 430.0
"""Both plots are as tall as wide; where they begin."""

_WORDS = {
    "auc": "Area under the ROC curve",
    "f1": "F1",
    "accuracy": "Accuracy",
    "precision": "Precision",
    "recall": "Recall",
    "false_positive_rate": "False-positive rate",
}


def write_report(trained: Trained) -> list[Path]:
    """Write ``MODEL.json``, ``MODEL.md`` and, when a part was held out, ``MODEL.svg``.

    Returns:
        The files, named after the model.
    """
    data, card = trained.path.with_suffix(".json"), trained.path.with_suffix(".md")
    write_json(data, trained.as_dict())
    with atomic_write(card) as file:
        file.write(_card(trained).encode())
    if trained.measures is None:
        return [data, card]
    drawing = trained.path.with_suffix(".svg")
    with atomic_write(drawing) as file:
        file.write(draw(trained.scores, trained.truth, trained.measures).file().encode())
    return [data, card, drawing]


def _card(trained: Trained) -> str:
    options = trained.options
    lines = [
        f"# {markdown(trained.path.name)}",
        "",
        "A fastText classifier of documents by their words and word pairs, trained by `gristmill "
        "classifier train`. It scores how much a document looks like the positive examples rather "
        "than the negative ones, and knows nothing else: what the examples have in common besides "
        "what they were chosen for (topic, length, source, names of groups) counts too.",
        "",
        "## Data",
        "",
        "| class | inputs | documents | distinct | bytes | held out | digest |",
        "|---|---|---:|---:|---:|---:|---|",
    ]
    for name, side in trained.classes.items():
        inputs = ", ".join(map(markdown, side["inputs"]))
        numbers = " | ".join(count(side[key]) for key in ("documents", "distinct", "bytes"))
        lines.append(
            f"| {name} | {inputs} | {numbers} | {count(side['held_out'])} | {side['digest']} |"
        )
    lines += ["", "The digest is of the documents' hashes in order; the order of the files is "
              "nothing to it.", "", "## Held-out part", ""]  # fmt: skip
    lines += _held_out(trained.measures)
    lines += ["", "## Training", ""]
    lines.append(
        f"dim {options.dim}, epochs {options.epochs}, lr {options.lr:g}, word n-grams "
        f"{options.word_ngrams}, min count {options.min_count}, bucket {options.bucket}, seed "
        f"{options.seed}, one thread; {', '.join(f'{k} {v}' for k, v in trained.versions.items())}."
    )
    return "\n".join(lines) + f"\n\nModel digest (XXH3-128): {trained.digest}\n"


def _held_out(measures: Measures | None) -> list[str]:
    if measures is None:
        return ["Nothing was held out, so nothing is known of how well it works."]
    rows = [f"| {words} | {getattr(measures, name)} |" for name, words in _WORDS.items()]
    return [
        f"{count(measures.positives)} positive and {count(measures.negatives)} negative documents "
        f"that were not trained on, none of them equal to one that was; called positive from "
        f"{measures.threshold:g} on; in brackets 95 % intervals.",
        "",
        "| measure | value |",
        "|---|---|",
        *rows,
    ]


def draw(scores: Scores, truth: Truth, measures: Measures) -> Figure:
    """Draw the ROC curve, and beside it the histogram of the scores of both classes."""
    area: Estimate = measures.auc
    figure = Figure(
        "classifier",
        "The classifier on its held-out part",
        f"ROC curve with area {area}, and scores of {measures.positives} positive and "
        f"{measures.negatives} negative documents",
        height=TOP + SIDE + 46,
    )
    figure.body.append(f"<style>{STYLE}</style>")
    _draw_roc(figure, scores, truth, area)
    _draw_histogram(figure, scores, truth)
    return figure


def _draw_roc(figure: Figure, scores: Scores, truth: Truth, area: Estimate) -> None:
    figure.text(LEFT, 16, f"ROC, area {area}", "strong")
    _frame(figure, LEFT, "false-positive rate", "0", "1")
    figure.line(LEFT, TOP + SIDE, LEFT + SIDE, TOP, "chance")
    x, y = roc(scores, truth)
    keep = np.unique(np.linspace(0, len(x) - 1, 500).astype(int))
    points = (f"{LEFT + SIDE * x[at]:.1f} {TOP + SIDE * (1 - y[at]):.1f}" for at in keep)
    figure.path("M" + "L".join(points), "curve")
    figure.text(LEFT - 8, TOP + 8, "1", "soft end")


def _draw_histogram(figure: Figure, scores: Scores, truth: Truth) -> None:
    figure.text(RIGHT, 16, "Score: share of each class", "strong")
    _frame(figure, RIGHT, "probability of positive", "0", "1")
    shares = [_shares(scores[of]) for of in (~truth, truth)]
    largest = max(max(side, default=0.0) for side in shares) or 1.0
    width = SIDE / N_BINS
    for number, (side, style) in enumerate(zip(shares, ("lost", "kept"), strict=True)):
        for at, part in enumerate(side):
            tall = SIDE * part / largest
            x = RIGHT + width * (at + number / 2)
            figure.box(x + 0.5, TOP + SIDE - tall, width / 2 - 0.5, tall, style)
    figure.text(RIGHT, TOP - 8, "negative", "soft lost")
    figure.text(RIGHT + 70, TOP - 8, "positive", "soft kept")


def _shares(scores: Scores) -> Sequence[float]:
    counts, _ = np.histogram(np.clip(scores, 0, 1), bins=N_BINS, range=(0, 1))
    shares: list[float] = (counts / max(len(scores), 1)).tolist()
    return shares


def _frame(figure: Figure, left: float, label: str, low: str, high: str) -> None:
    figure.line(left, TOP, left, TOP + SIDE)
    figure.line(left, TOP + SIDE, left + SIDE, TOP + SIDE)
    figure.text(left, TOP + SIDE + 18, low, "soft mid")
    figure.text(left + SIDE, TOP + SIDE + 18, high, "soft mid")
    figure.text(left + SIDE / 2, TOP + SIDE + 36, label, "soft mid")
