"""Benchmark items planted in documents: how many are found, what is flagged besides, and how fast.

    python benches/filters/decontaminate.py DATA

DATA is a folder with ``bench_en.jsonl.zst`` and benchmark files under ``tasks``. Twenty items are
planted as they are and twenty with edits, each in a document of its own, at its start, in its middle or
at its end; everything is drawn from a seed. The peer is datatrove's `NGramsDecontFilter` with its own
words and hashes and 13-grams of the same items, on a part of the same texts. One pinned core; each side
in a process of its own.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import paired

from gristmill.decontaminate import BenchmarkItem, read_items

TASKS = "tasks/*.gz"
N_PLANTED = 40
LEAST_WORDS = 20
"""Words of a planted item, at least."""

PEER_BYTES = 2_000_000
NGRAM = 13


def every(text: str, step: int, rng: random.Random, edit: Callable[[str], str]) -> str:
    """Edit one word of every `step`, white space between them as it was."""
    pieces = re.split(r"(\s+)", text)
    for at in range(2 * rng.randrange(1, step), len(pieces), 2 * step):
        pieces[at] = edit(pieces[at])
    return "".join(pieces)


def replaced(parts: list[str], rng: random.Random) -> list[str]:
    return [every(part, 8, rng, lambda word: "something") for part in parts]


def inserted(parts: list[str], rng: random.Random) -> list[str]:
    return [every(part, 8, rng, lambda word: f"{word} indeed") for part in parts]


def deleted(parts: list[str], rng: random.Random) -> list[str]:
    return [every(part, 8, rng, lambda word: "") for part in parts]


def shouted(parts: list[str], _: random.Random) -> list[str]:
    return [re.sub(r"[^\w\s]", "", part).upper() for part in parts]


def wrapped(parts: list[str], rng: random.Random) -> list[str]:
    return [re.sub(r"\s+", lambda _: rng.choice(["\n", "  ", " \t"]), part) for part in parts]


def reordered(parts: list[str], rng: random.Random) -> list[str]:
    return [parts[0], *rng.sample(parts[1:], len(parts) - 1)]


def truncated(parts: list[str], _: random.Random) -> list[str]:
    words = " ".join(parts).split()
    return [" ".join(words[: max(len(words) * 7 // 10, 16)])]


def several(parts: list[str], rng: random.Random) -> list[str]:
    return wrapped(shouted(replaced(reordered(parts, rng), rng), rng), rng)


EDITS = (replaced, inserted, deleted, shouted, wrapped, reordered, truncated, several)


def plant(texts: list[str], items: list[BenchmarkItem], seed: int) -> dict[int, tuple[str, str]]:
    """Put items into some of `texts`: for each of these the item's id and what was done to it.

    The benchmarks take turns, so that each is there.
    """
    rng = random.Random(seed)
    by_name: dict[str, list[BenchmarkItem]] = {}
    for item in items:
        if len(" ".join(item.parts).split()) >= LEAST_WORDS:
            by_name.setdefault(item.benchmark, []).append(item)
    names = sorted(by_name)
    planted = {}
    for number, row in enumerate(rng.sample(range(len(texts)), N_PLANTED)):
        item = rng.choice(by_name[names[number % len(names)]])
        edit = None if number % 2 else EDITS[number // 2 % len(EDITS)]
        parts = list(item.parts) if edit is None else edit(list(item.parts), rng)
        at = (0, len(texts[row]) // 2, len(texts[row]))[number % 3]
        texts[row] = f"{texts[row][:at]}\n{chr(10).join(parts)}\n{texts[row][at:]}"
        planted[row] = item.id, "verbatim" if edit is None else edit.__name__
    return planted


def ours(texts: list[str], data: Path) -> dict[str, Any]:
    """Find the planted items, and time it without reading the items."""
    import pyarrow as pa

    from gristmill.decontaminate import Benchmarks

    benchmarks, column, found = (
        Benchmarks.read(data / TASKS),
        pa.array(texts, pa.large_string()),
        [],
    )
    paired.forget_peak()
    figures = paired.measure(lambda: found.append(benchmarks.find(column)))
    rows = found[0].select(["document", "item"]).to_pylist()
    return figures | {"found": [(row["document"], row["item"]) for row in rows]}


def datatrove(texts: list[str], data: Path) -> dict[str, Any]:
    """Filter with an index of the same items, made as `NGramsDecontIndexer` makes it."""
    import numpy as np
    import xxhash
    from datatrove.data import Document
    from datatrove.pipeline.decont.n_grams import NGramsDecontConfig, NGramsDecontFilter
    from datatrove.utils.text import ngrams, simplify_text
    from loguru import logger

    logger.remove()
    config = NGramsDecontConfig(n_grams=NGRAM)
    with tempfile.TemporaryDirectory() as folder:
        peer = NGramsDecontFilter(folder, config)
        # As datatrove's own, which xxhash 4 refuses: it takes no str.
        peer.hash_func = lambda words: xxhash.xxh64_intdigest(words.encode())

        def hashes(text: str) -> Iterable[int]:
            words = peer.tokenizer.word_tokenize(simplify_text(text, config.norm_config))
            return (peer.hash_func(" ".join(one)) for one in ngrams(words, config.n_grams))

        whole = {one for item in read_items(data / TASKS) for one in hashes("\n".join(item.parts))}
        index = np.array(list(whole), dtype=config.hash_config.np_descr)
        index.tofile(Path(folder) / "tasks.index.hashes")
        peer.load_index_hashes()
        documents = [Document(text=text, id=str(row)) for row, text in enumerate(texts)]
        found = []

        def work() -> None:
            found.extend(row for row, one in enumerate(documents) if peer.filter(one) is not True)

        paired.forget_peak()
        return paired.measure(work) | {"found": [(row, None) for row in found]}


SIDES = {"gristmill": ours, "datatrove": datatrove}


def side(name: str, texts_path: str, data: str, core: int) -> dict[str, Any]:
    """One side, in this process."""
    paired.pin(core)
    texts = json.loads(Path(texts_path).read_text())
    return SIDES[name](texts, Path(data))


def _run(name: str, texts_path: Path, data: Path, core: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--side", name, str(texts_path), str(data), str(core)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def main(data: Path, seed: int = 7, rounds: int = 3, core: int = 0) -> None:
    """Plant, search, and print what was found, what was flagged besides, speed, ratio and memory."""
    import polars as pl

    texts = pl.read_ndjson(data / "bench_en.jsonl.zst")["text"].to_list()
    planted = plant(texts, read_items(data / TASKS), seed)
    # The planted documents first, so that the peer's part has them all.
    order = [*planted, *(row for row in range(len(texts)) if row not in planted)]
    texts = [texts[row] for row in order]
    ends, size = 0, 0
    while size < PEER_BYTES:
        size += len(texts[ends].encode())
        ends += 1
    n_bytes = {"gristmill": sum(len(text.encode()) for text in texts), "datatrove": size}
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / f"{name}.json" for name in SIDES}
        paths["gristmill"].write_text(json.dumps(texts))
        paths["datatrove"].write_text(json.dumps(texts[:ends]))
        runs = [
            {name: _run(name, paths[name], data, core) for name in SIDES} for _ in range(rounds)
        ]
    truth = list(planted.values())
    for name in SIDES:
        _print_found(name, truth, runs[0][name]["found"])
        speed = median(n_bytes[name] / 1e6 / run[name]["cpu_s"] for run in runs)
        memory = median(run[name]["rss_mb"] for run in runs)
        print(f"{name}: {speed:.2f} MB per CPU second, peak memory {memory:.0f} MB with the texts")
    ratio = median(
        run["datatrove"]["cpu_s"] / n_bytes["datatrove"] * n_bytes["gristmill"]
        / run["gristmill"]["cpu_s"] for run in runs
    )  # fmt: skip
    print(f"ratio {ratio:.0f}", flush=True)


def _print_found(
    name: str, truth: list[tuple[str, str]], found: list[tuple[int, str | None]]
) -> None:
    rows = {row for row, _ in found}
    pairs = {(row, item) for row, item in found}
    for kind in ("verbatim", "edited"):
        wanted = [
            row
            for row, (_, edit) in enumerate(truth)
            if (edit == "verbatim") == (kind == "verbatim")
        ]
        n_named = sum((row, truth[row][0]) in pairs for row in wanted)
        named = f", {n_named} by their names" if name == "gristmill" else ""
        print(f"{name}: {kind} {len(rows & set(wanted))}/{len(wanted)} found{named}")
    missed = [truth[row] for row in range(len(truth)) if row not in rows]
    if missed:
        print(f"{name}: missed {missed}")
    n_others = len([row for row in rows if row >= len(truth)])
    print(f"{name}: {n_others} other documents flagged")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--side"]:
        name, texts_path, data, core = sys.argv[2:]
        print(json.dumps(side(name, texts_path, data, int(core))))
    else:
        main(Path(sys.argv[1]))
