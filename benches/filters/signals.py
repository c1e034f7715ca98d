"""Quality signals beside datatrove 0.10.1: equal decisions, MB per CPU second, peak memory.

`main` takes a folder with ``bench_en.jsonl`` (plain or ``.zst``) and ``html_extraction/html``. Every
side runs in a process of its own, on one core, in turn. Decisions are those of datatrove's four
filters with their defaults, each asked of every document; a document that one of them raises an
error for counts as dropped. Once compared in all: 76,590 documents of ``bench_en`` (four in five, by
their places) and all 123 pages. No decision differs, and the first rule that each filter names is
the same too.

Where decisions can differ, by rule: an n-gram that repeats is compared word by word here, and by the
concatenation of its words there ("ab c" and "a bc" are one); C4's phrases are compared in lower case
of ASCII here, of Unicode there ("coo\u212aies" with the sign of kelvin).

Timing leaves each of datatrove's filters its own split into words, as its pipelines do; the decisions
are compared with one split for all, which changes none.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import paired
import polars as pl
import pyarrow as pa

MB = 60
"""Megabytes that our sides are timed on."""

PEERS_STEP = 40
"""datatrove is timed on every 40th document of the same."""

BATCH = 2_000
"""Documents that the stage judges at once."""

RULE_SETS = {"gopher": (0, 1), "c4": (2,), "fineweb": (3,)}
"""Which of datatrove's filters make up a rule set."""


def documents(data: Path, step: int = 1) -> list[str]:
    """Every `step`-th document of ``bench_en``."""
    path = next(data / name for name in ("bench_en.jsonl", "bench_en.jsonl.zst")
                if (data / name).exists())  # fmt: skip
    return pl.read_ndjson(path)["text"].gather_every(step).to_list()


def pages(data: Path) -> list[str]:
    """Texts of the web pages."""
    import gzip

    from gristmill.extract import extract_html

    names = sorted((data / "html_extraction" / "html").iterdir())
    html = [gzip.decompress(path.read_bytes()).decode(errors="replace") for path in names]
    return [text or "" for text in extract_html(html).to_pylist()]


def first_mb(texts: list[str]) -> list[str]:
    size, n = 0, 0
    while n < len(texts) and size < MB * 1_000_000:
        size += len(texts[n].encode())
        n += 1
    return texts[:n]


def signals(texts: list[str]) -> Any:
    from gristmill.filters.quality import quality_signals

    column = pa.array(texts, pa.large_string())
    quality_signals(column[:5])  # compiles the rules
    return lambda: quality_signals(column)


def stage(texts: list[str]) -> Any:
    from gristmill.filters.quality import QualityFilter

    docs = pa.table({"text": pa.array(texts, pa.large_string())})
    judge = QualityFilter().judge
    judge(docs[:5])
    return lambda: [judge(docs.slice(at, BATCH)) for at in range(0, len(texts), BATCH)]


def filters() -> list[Any]:
    from datatrove.pipeline.filters.c4_filters import C4QualityFilter
    from datatrove.pipeline.filters.fineweb_quality_filter import FineWebQualityFilter
    from datatrove.pipeline.filters.gopher_quality_filter import GopherQualityFilter
    from datatrove.pipeline.filters.gopher_repetition_filter import GopherRepetitionFilter

    return [
        GopherQualityFilter(),
        GopherRepetitionFilter(),
        C4QualityFilter(),
        FineWebQualityFilter(),
    ]


def decide(texts: list[str]) -> Iterator[list[bool]]:
    """What each filter says of each text; each gets its own document, as C4's edits it."""
    from datatrove.data import Document

    chosen = filters()
    for text in texts:
        kept = []
        for one in chosen:
            try:
                kept.append(one.filter(Document(text=text, id="")) is True)
            except (ZeroDivisionError, ValueError):
                kept.append(False)
        yield kept


def datatrove(texts: list[str]) -> Any:
    list(decide(texts[:5]))  # loads spaCy
    some = texts[::PEERS_STEP]
    return lambda: list(decide(some))


SIDES = {"quality_signals": signals, "QualityFilter": stage, "datatrove": datatrove}


def time_side(side: str, data: Path) -> dict[str, float]:
    """MB per CPU second and memory of one side."""
    paired.pin(0)
    texts = first_mb(documents(data))
    work = SIDES[side](texts)
    timed = texts[::PEERS_STEP] if side == "datatrove" else texts
    n_mb = sum(len(text.encode()) for text in timed) / 1e6
    paired.forget_peak()
    found = paired.measure(work)
    return found | {"mb_s": n_mb / found["cpu_s"]}


def split_once() -> None:
    """Let datatrove's filters share one split of a text into words."""
    from functools import lru_cache

    from datatrove.pipeline.filters import (
        fineweb_quality_filter,
        gopher_quality_filter,
        gopher_repetition_filter,
    )

    shared = lru_cache(1)(gopher_quality_filter.split_into_words)
    for module in (fineweb_quality_filter, gopher_quality_filter, gopher_repetition_filter):
        module.split_into_words = shared


def compare_decisions(name: str, texts: list[str]) -> None:
    """Print the share of equal decisions per rule set, and where others were taken."""
    from gristmill.filters.quality import quality_signals

    split_once()
    ours = quality_signals(texts)
    theirs = list(decide(texts))
    for rules, chosen in RULE_SETS.items():
        kept = [all(row[at] for at in chosen) for row in theirs]
        differ = [at for at, one in enumerate(ours[f"keep_{rules}"].to_pylist()) if one != kept[at]]
        share = 1 - len(differ) / len(texts)
        print(f"{name}: {rules} equal for {share:.2%} of {len(texts):,} documents {differ[:5]}")


def main(data: Path, step: int = 100, rounds: int = 3) -> None:
    """Compare the decisions on every `step`-th document and all pages, then time all sides."""
    compare_decisions("bench_en", documents(data, step))
    compare_decisions("web pages", pages(data))
    found = [
        {side: paired.run_side(__file__, side, [str(data)]) for side in SIDES}
        for _ in range(rounds)
    ]
    for side in SIDES:
        speed, peak = (median(each[side][key] for each in found) for key in ("mb_s", "peak_mb"))
        ratio = median(each[side]["mb_s"] / each["datatrove"]["mb_s"] for each in found)
        print(f"{side}: {speed:.2f} MB per CPU second, ratio {ratio:.0f}, peak +{peak:.0f} MB")


if __name__ == "__main__":
    if sys.argv[1] == "--side":
        print(json.dumps(time_side(sys.argv[2], Path(sys.argv[3]))))
    else:
        main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
