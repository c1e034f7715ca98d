"""Text of web pages: F1 and pages per second of our three modes and of their peers.

The folder is that of the article extraction benchmark of scrapinghub: ``ground-truth.json.gz``, an
object of ``{"articleBody"}`` by page, and ``html/PAGE.html.gz``. The metric is that benchmark's own:
multisets of four tokens in a row; precision and recall of each page, their means over the pages,
and F1 of the means. `measure` runs each side in a process of its own, on one core, in rounds of
all sides, so that ratios are of one round; readability-lxml takes part where it is installed.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from statistics import mean, median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import paired

Read = Callable[[list[str]], list[str | None]]
BASE = "resiliparse"


def ours(mode: str) -> Callable[[], Read]:
    def load() -> Read:
        from gristmill.extract import extract_html

        return lambda pages: extract_html(pages, mode).to_pylist()

    return load


def resiliparse() -> Read:
    from resiliparse.extract.html2text import extract_plain_text

    return lambda pages: [extract_plain_text(html, main_content=True) for html in pages]


def trafilatura(**options: bool) -> Callable[[], Read]:
    def load() -> Read:
        from trafilatura import extract

        return lambda pages: [extract(html, include_comments=False, **options) for html in pages]

    return load


def readability() -> Read:
    from lxml.html import document_fromstring
    from readability import Document

    return lambda pages: [
        document_fromstring(Document(html).summary()).text_content() for html in pages
    ]


SIDES: dict[str, Callable[[], Read]] = {
    BASE: resiliparse,
    "trafilatura": trafilatura(),
    "trafilatura fast": trafilatura(fast=True),
    "readability-lxml": readability,
    "fast": ours("fast"),
    "precise": ours("precise"),
    "auto": ours("auto"),
}


def shingles(text: str | None) -> Counter[tuple[str, ...]]:
    """The runs of four tokens; all tokens as one where there are fewer."""
    tokens = re.findall(r"\w+", text or "")
    runs = (tuple(tokens[at : at + 4]) for at in range(max(1, len(tokens) - 3)))
    return Counter(run for run in runs if run)


def f1(found: list[str | None], gold: list[str]) -> tuple[float, float, float]:
    """F1, precision and recall; a page without shingles has no precision, or no recall."""
    precision, recall = [], []
    for one, other in zip(map(shingles, found), map(shingles, gold), strict=True):
        common = (one & other).total()
        precision += [common / one.total()] if one else []
        recall += [common / other.total()] if other else []
    p, r = mean(precision), mean(recall)
    return 2 * p * r / (p + r), p, r


def read_pages(folder: Path) -> Iterator[tuple[str, str]]:
    """HTML and gold text of each page, in the order of their names."""
    gold = json.loads(gzip.decompress((folder / "ground-truth.json.gz").read_bytes()))
    for name in sorted(gold):
        html = gzip.decompress((folder / "html" / f"{name}.html.gz").read_bytes()).decode()
        yield html, gold[name]["articleBody"]


def measure_side(side: str, folder: str, core: str) -> dict[str, Any]:
    """One side on one core; all pages are read once before, as in the middle of a long run."""
    paired.pin(int(core))
    html, gold = (list(column) for column in zip(*read_pages(Path(folder)), strict=True))
    read = SIDES[side]()
    read(html)
    found: list[str | None] = []
    paired.forget_peak()
    figures = paired.measure(lambda: found.extend(read(html)))
    return figures | {"pages_s": len(html) / figures["cpu_s"], "f1": f1(found, gold)}


def measure(folder: Path, rounds: int = 3, core: int = 0) -> list[dict[str, Any]]:
    """A row per side: F1, precision, recall, pages per CPU second, memory, and the ratio to `BASE`."""
    sides = [side for side in SIDES if side != "readability-lxml" or find_spec("readability")]
    arguments = [str(folder), str(core)]
    found = [
        {side: paired.run_side(__file__, side, arguments) for side in sides} for _ in range(rounds)
    ]
    return [_row(side, found) for side in sides]


def _row(side: str, found: list[dict[str, dict[str, Any]]]) -> dict[str, Any]:
    scores = dict(zip(("F1", "precision", "recall"), found[0][side]["f1"], strict=True))
    ratio = median(each[side]["pages_s"] / each[BASE]["pages_s"] for each in found)
    return {
        "side": side,
        **scores,
        "pages_per_s": median(each[side]["pages_s"] for each in found),
        "peak_mb": median(each[side]["peak_mb"] for each in found),
        f"ratio to {BASE}": ratio,
    }


if __name__ == "__main__":
    print(json.dumps(measure_side(*sys.argv[2:])))
