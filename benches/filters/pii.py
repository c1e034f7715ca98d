"""Personal data: recall and precision on texts with gold spans, MB per CPU second beside Presidio.

A gold span is recalled when a finding of its entity overlaps it; "any span" when a finding of any
entity does. Precision is the share of an entity's findings that overlap a gold span of its type.
Speed is of one pinned core, each side in a process of its own, in turn. Presidio gives all it has by
default: its patterns, and with names spaCy's small English model in full.

Run: ``python benches/filters/pii.py DATA``: a folder with ``pii/*.jsonl.gz`` (full_text and spans) and,
for the speed of the structured entities, ``bench_en.jsonl.zst``.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import paired

GOLD = {
    "EMAIL_ADDRESS": "email",
    "PHONE_NUMBER": "phone",
    "CREDIT_CARD": "card",
    "IBAN_CODE": "iban",
    "IP_ADDRESS": "ip",
    "US_SSN": "national_id",
    "DOMAIN_NAME": "url",
}
FILES = ("generated_large.jsonl.gz", "synth_dataset_v2.jsonl.gz")
TECHNICAL_MB = 100

Spans = list[tuple[int, int, str]]


def gold_texts(data: Path) -> list[dict[str, Any]]:
    """The rows of all files of gold spans."""
    return [
        json.loads(line)
        for name in FILES
        for line in gzip.open(data / "pii" / name, "rt", encoding="utf-8")
    ]


def by_document(findings: Iterable[dict[str, Any]]) -> dict[int, Spans]:
    found: dict[int, Spans] = defaultdict(list)
    for row in findings:
        found[row["document"]].append((row["start"], row["end"], row["entity"]))
    return found


def scores(
    rows: list[dict[str, Any]], found: dict[int, Spans]
) -> dict[str, tuple[Counter[str], ...]]:
    """Hits and totals of recall and of precision by entity, and of any-span recall by gold type."""
    recalled, gold, right, given = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    touched, spans = Counter[str](), Counter[str]()
    for number, row in enumerate(rows):
        here = [(s["start_position"], s["end_position"], s["entity_type"]) for s in row["spans"]]
        for start, end, kind in here:
            over = {entity for a, b, entity in found[number] if a < end and start < b}
            spans.update(("all", kind))
            touched.update(("all", kind) if over else ())
            if kind in GOLD:
                gold[GOLD[kind]] += 1
                recalled[GOLD[kind]] += GOLD[kind] in over
        for start, end, entity in found[number]:
            given[entity] += 1
            right[entity] += any(
                a < end and start < b and GOLD.get(kind) == entity for a, b, kind in here
            )
    return {"recall": (recalled, gold), "precision": (right, given), "any": (touched, spans)}


def ours(names: bool) -> Callable[[list[str]], dict[int, Spans]]:
    import gristmill as gm
    from gristmill.pii import ENTITIES, STRUCTURED

    entities = ENTITIES if names else STRUCTURED
    gm.find_pii(["Ada"], entities)
    return lambda texts: by_document(gm.find_pii(texts, entities).to_pylist())


def presidio() -> Callable[[list[str]], dict[int, Spans]]:
    import importlib
    import logging

    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    from gristmill.pii.names import MODEL

    logging.disable(logging.CRITICAL)
    engine = SpacyNlpEngine()
    engine.nlp = {"en": importlib.import_module(MODEL).load()}
    analyzer = AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])
    analyzer.analyze("Ada", language="en")

    def find(texts: list[str]) -> dict[int, Spans]:
        found = (analyzer.analyze(text, language="en") for text in texts)
        return defaultdict(
            list,
            {
                number: [(one.start, one.end, one.entity_type) for one in results]
                for number, results in enumerate(found)
            },
        )

    return find


FINDERS = {"names": lambda: ours(names=True), "presidio": presidio}


def side(name: str, data: Path) -> dict[str, float]:
    """One side of a pair: the small texts with names, or the technical text without."""
    paired.pin(0)
    if name in FINDERS:
        rows = gold_texts(data)
        texts, find = [row["full_text"] for row in rows], FINDERS[name]()
        found: list[dict[int, Spans]] = []
        paired.forget_peak()
        figures = paired.measure(lambda: found.append(find(texts)))
        touched, spans = scores(rows, found[0])["any"]
        return {**figures, "mb": _mb(texts), "any_span": touched["all"] / spans["all"]}
    import pyarrow as pa

    import gristmill as gm

    texts = technical_texts(data)
    column = pa.array(texts, pa.large_string())
    work = gm.find_pii if name == "find" else gm.scrub_pii
    paired.forget_peak()
    return {**paired.measure(lambda: work(column)), "mb": _mb(texts)}


def technical_texts(data: Path) -> list[str]:
    """The first 100 MB of the technical English."""
    import pyarrow as pa

    kept: list[str] = []
    size = 0
    with pa.input_stream(str(data / "bench_en.jsonl.zst"), compression="zstd") as file:
        pending = b""
        while size < TECHNICAL_MB * 1e6 and (read := file.read(1 << 24)):
            *lines, pending = (pending + read).split(b"\n")
            kept += [json.loads(line)["text"] for line in lines]
            size += sum(map(len, lines))
    return kept


def _mb(texts: list[str]) -> float:
    return sum(len(text.encode()) for text in texts) / 1e6


def print_scores(rows: list[dict[str, Any]]) -> None:
    """Recall and precision of the structured entities."""
    found = scores(rows, ours(names=False)([row["full_text"] for row in rows]))
    (recalled, gold), (right, given) = found["recall"], found["precision"]
    print(f"{len(rows):,} texts with gold spans")
    for entity in GOLD.values():
        print(
            f"{entity}: recall {recalled[entity] / gold[entity]:.3f} of {gold[entity]}, "
            f"precision {right[entity] / max(1, given[entity]):.3f} of {given[entity]}"
        )


def main(data: Path, pairs: int = 3) -> None:
    """Print every figure."""
    print_scores(gold_texts(data))
    script, arguments = str(Path(__file__)), [str(data)]
    for name in ("find", "scrub"):
        runs = [paired.run_side(script, name, arguments) for _ in range(pairs)]
        speed = median(run["mb"] / run["cpu_s"] for run in runs)
        print(f"{name}, structured: {speed:.0f} MB/s, +{runs[0]['peak_mb']:.0f} MB", flush=True)
    runs = [[paired.run_side(script, name, arguments) for name in FINDERS] for _ in range(pairs)]
    ratio = median(peer["cpu_s"] / own["cpu_s"] for own, peer in runs)
    for name, run in zip(FINDERS, runs[0], strict=True):
        print(
            f"{name}: any-span recall {run['any_span']:.3f}, {run['mb'] / run['cpu_s']:.4f} MB/s, "
            f"+{run['peak_mb']:.0f} MB"
        )
    print(f"names over Presidio with the whole model: {ratio:.2f} times the speed")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--side"]:
        print(json.dumps(side(sys.argv[2], Path(sys.argv[3]))))
    else:
        main(Path(sys.argv[1]))
