"""fastText models: texts per CPU second, short and long, beside the fastText package.

Three models of two labels are trained on tweets: of words, of words and word pairs, and of letters
besides (quantised and pruned, as a small model that is shipped). Each side is one pinned core in a
process of its own, in turn, with the texts in memory: as an Arrow array for us, as a list of str
without newlines for the package, whose `predict` is asked for all at once. Equality is tested in
`tests/unit/test_fasttext.py`.

Run: ``python benches/filters/fasttext_models.py DATA``: a folder with
``toxicity/davidson_labeled_data.csv.gz`` and ``bench_en.jsonl.zst``.
"""

from __future__ import annotations

import csv
import gzip
import json
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import paired

MODELS: dict[str, dict[str, Any]] = {
    "words": {"dim": 16},
    "pairs": {"dim": 16, "wordNgrams": 2, "bucket": 200_000},
    "letters": {"dim": 16, "wordNgrams": 2, "minn": 3, "maxn": 5, "bucket": 200_000},
}
KEPT = 60_000
"""Rows that the model of letters keeps."""

SHORT_TIMES, LONG_MB, PACKAGE_LONG_MB = 8, 60, 12
SIDES = ("ours", "package")


def tweets(data: Path) -> list[tuple[str, str]]:
    path = data / "toxicity" / "davidson_labeled_data.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = [(row["class"], row["tweet"]) for row in csv.DictReader(file)]
    return [(f"__label__{int(kind != '2')}", text.replace("\n", " ")) for kind, text in rows]


def long_texts(data: Path, megabytes: float) -> list[str]:
    import pyarrow as pa

    kept: list[str] = []
    size, pending = 0, b""
    with pa.input_stream(str(data / "bench_en.jsonl.zst"), compression="zstd") as file:
        while size < megabytes * 1e6 and (read := file.read(1 << 22)):
            *lines, pending = (pending + read).split(b"\n")
            kept += [json.loads(line)["text"].replace("\n", " ") for line in lines]
            size += sum(map(len, lines))
    return kept


def train(data: Path, folder: Path) -> None:
    import fasttext

    lines = folder / "lines.txt"
    lines.write_text("".join(f"{label} {text}\n" for label, text in tweets(data)), encoding="utf-8")
    for name, options in MODELS.items():
        model = fasttext.train_supervised(str(lines), thread=1, verbose=0, **options)
        if "minn" in options:
            model.quantize(cutoff=KEPT, qnorm=True)
        model.save_model(str(folder / name))


def asker(side: str, path: Path, texts: list[str]) -> Callable[[], object]:
    if side == "ours":
        import pyarrow as pa

        from gristmill.filters.fasttext import FastText

        model, column = FastText.load(path), pa.array(texts, pa.large_string())
        return lambda: model.predict(column)
    import fasttext

    package = fasttext.load_model(str(path))
    return lambda: package.predict(texts)


def run(side: str, kind: str, path: Path, data: Path) -> dict[str, float]:
    """One side: the figures of its texts."""
    paired.pin(0)
    if kind == "short":
        texts = [text for _, text in tweets(data)] * SHORT_TIMES
    else:
        texts = long_texts(data, LONG_MB if side == "ours" else PACKAGE_LONG_MB)
    ask = asker(side, path, texts)
    paired.forget_peak()
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    return {**paired.measure(ask), "mb": megabytes, "texts": len(texts)}


def main(data: Path, pairs: int = 3) -> None:
    """Print every figure."""
    script = str(Path(__file__))
    with TemporaryDirectory() as folder:
        train(data, Path(folder))
        for name in MODELS:
            for kind in ("short", "long"):
                arguments = [kind, str(Path(folder) / name), str(data)]
                rows = [
                    [paired.run_side(script, side, arguments) for side in SIDES]
                    for _ in range(pairs)
                ]
                print(f"{name}, {kind}: {_line(rows)}", flush=True)


def _line(rows: list[list[dict[str, float]]]) -> str:
    speeds = [
        f"{side} {median(row[at]['mb'] / row[at]['cpu_s'] for row in rows):.1f} MB/s, "
        f"{median(row[at]['texts'] / row[at]['cpu_s'] for row in rows) / 1e3:.0f}k texts/s, "
        f"+{median(row[at]['peak_mb'] for row in rows):.0f} MB"
        for at, side in enumerate(SIDES)
    ]
    ratio = median((a["mb"] / a["cpu_s"]) / (b["mb"] / b["cpu_s"]) for a, b in rows)
    return f"{'; '.join(speeds)}; ratio {ratio:.1f}"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--side"]:
        _, _, side, kind, path, data = sys.argv
        print(json.dumps(run(side, kind, Path(path), Path(data))))
    else:
        main(Path(sys.argv[1]))
