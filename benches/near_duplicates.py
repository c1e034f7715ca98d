"""Near-duplicates beside their peers; short texts by the million; recall on planted pairs.

    python benches/near_duplicates.py [--text FILE.jsonl] [--peers-python PATH] [--without datatrove]
    python benches/near_duplicates.py --short 3000000 [--memory 2GiB] [--text FILE.jsonl]
    python benches/near_duplicates.py --planted [--pairs 25000] [--bandings 16x8,25x5]

First (the default): text to clusters of the first `--docs` documents, each side in a process of
its own on one pinned core: rensa, gaoya, datasketch and datatrove, those that are installed. Peers
may live in a virtual environment of their own, named by its Python:

    python -m venv peers
    peers/bin/pip install rensa gaoya datasketch datatrove 'xxhash<4' spacy tokenizers

All use shingles of five words, 128 permutations, and the threshold 0.8. What they link is compared
with all pairs of the text, found exactly in numpy (`near/truth.py`): precision is the share of
links whose similarity reaches the threshold; recall the share of true pairs that the links, as a
peer gives them or we, put into one cluster. Texts with equal n-grams count as one.

``--short`` runs the command `gristmill dedup near` on made texts of about 330 bytes, of which a
fifth are near-copies, and on a tenth of them.

``--planted`` counts how often pairs edited at known rates are found without verification, beside
the mean of 1-(1-s^rows)^bands over their exact similarities s.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import paired

Figures = dict[str, Any]
THRESHOLD, NUM_PERM, NGRAM = 0.8, 128, 5
PEERS = str(Path(__file__).parent / "near" / "peers.py")
OURS = {
    "gristmill": {},
    "gristmill, 2 threads": {"threads": 2},
    "gristmill, verify off": {"verify": False},
    "gristmill, k-permutation": {"method": "k-permutation"},
}
MOST_BYTES = 400_000_000
"""Of the text the documents are taken from."""
ONCE = ("datatrove",)
"""Sides too slow to be run in each round."""
PLANTED_WORDS = {30: 1.0, 60: 1.0, 120: 1.0, 250: 0.5, 500: 0.25, 1_000: 0.15, 2_000: 0.1}
"""Words of the planted texts, and for each the share of `--pairs` that is made."""
PLANTED_RATES = (0.003, 0.006, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.09)
BINS = 20
"""Bins of the similarity from 0 to 1."""


# ---- Beside the peers. ----


def write_texts(folder: str, source: str, n_docs: str) -> Figures:
    """Write the texts as JSONL for the peers, as Arrow for us."""
    import pyarrow as pa

    texts = paired.texts(MOST_BYTES, source or None)[: int(n_docs)]
    with open(f"{folder}/texts.jsonl", "w", encoding="utf-8") as file:
        file.writelines(json.dumps({"text": text}) + "\n" for text in texts)
    table = pa.table({"text": pa.array(texts, pa.large_string())})
    with (
        pa.OSFile(f"{folder}/texts.arrow", "wb") as file,
        pa.ipc.new_file(file, table.schema) as to,
    ):
        to.write_table(table)
    return {"n_docs": len(texts), "mb": sum(len(text.encode()) for text in texts) / 1e6}


def _read(folder: str) -> Any:
    import pyarrow as pa

    with pa.OSFile(f"{folder}/texts.arrow") as file:
        return pa.ipc.open_file(file).read_all()["text"]


def ours(folder: str, links_path: str, core: str, options: str) -> Figures:
    """Measure ours and write each document's link with the twin through which it joined."""
    from gristmill import dedup

    keywords = json.loads(options)
    paired.pin(-1 if keywords.get("threads", 1) > 1 else int(core))
    texts = _read(folder)
    threads = keywords.pop("threads", 1)
    minhash = dedup.MinHash(threshold=THRESHOLD, num_perm=NUM_PERM, ngram=NGRAM, **keywords)
    dedup.find_clusters(texts[:50], minhash, threads)
    found: list[Any] = []
    paired.forget_peak()
    figures = paired.measure(lambda: found.append(dedup.find_clusters(texts, minhash, threads)))
    twins = enumerate(found[0]["twin"].to_pylist())
    Path(links_path).write_text(json.dumps([(i, twin) for i, twin in twins if i != twin]))
    return figures


def score(folder: str, *sides: str) -> Figures:
    """Find the true pairs and compare each side's links with them."""
    from near import truth

    sets = truth.sets_of(_read(folder).to_pylist(), NGRAM)
    first = truth.same(sets)
    distinct = sorted(set(first.tolist()))
    pairs = truth.similar(sets, distinct, THRESHOLD)
    scores = {}
    for side in sides:
        links = json.loads(Path(f"{folder}/{side}.json").read_text())
        scores[side] = truth.score(sets, first, pairs, links, THRESHOLD)
    return {"n_pairs": len(pairs), "n_distinct": len(distinct), "scores": scores}


def compare(given: argparse.Namespace) -> None:
    with TemporaryDirectory() as folder:
        text = run("write", folder, given.text, str(given.docs))
        print(
            f"{text['n_docs']:,} documents, {text['mb']:.1f} MB, {given.rounds} rounds", flush=True
        )
        peers = installed_peers(given)
        sides = list(OURS)
        sides += [peer for peer in peers if peer not in given.without.split(",")]
        rounds = [_round(folder, sides, number, given) for number in range(given.rounds)]
        found = run("score", folder, *sides)
        print(f"{found['n_pairs']:,} pairs of {found['n_distinct']:,} distinct reach {THRESHOLD}")
        _show_peers(sides, rounds, text["mb"], found["scores"])


def installed_peers(given: argparse.Namespace) -> dict[str, str]:
    done = subprocess.run(
        [given.peers_python, PEERS, "versions"], stdout=subprocess.PIPE, check=True, text=True
    )
    found: dict[str, str] = json.loads(done.stdout)
    names = dict.fromkeys(f"{peer.split(',')[0]} {number}" for peer, number in found.items())
    print(f"peers: {', '.join(names) or 'none is installed, see --peers-python'}", flush=True)
    return found


def _round(
    folder: str, sides: Sequence[str], number: int, given: argparse.Namespace
) -> dict[str, Figures]:
    """Run the sides in turn, so that a ratio compares neighbors."""
    figures = {}
    for side in sides:
        if side in ONCE and number:
            continue
        links = f"{folder}/{side}.json"
        if side in OURS:
            figures[side] = run("ours", folder, links, str(given.core), json.dumps(OURS[side]))
            continue
        command = [given.peers_python, PEERS, side, f"{folder}/texts.jsonl", links, str(given.core)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
        figures[side] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _show_peers(
    sides: Sequence[str],
    rounds: Sequence[dict[str, Figures]],
    mb: float,
    scores: dict[str, dict[str, float]],
) -> None:
    print(
        f"{'':26} {'MB/CPU s':>8} {'CPU s':>8} {'wall s':>8} {'RAM +MB':>8} {'links':>8} "
        f"{'precision':>9} {'recall':>7} {'dropped':>8}"
    )
    speed = {}
    for side in sides:
        rows = [row[side] for row in rounds if side in row]
        cpu, wall, ram = (
            median(row[name] for row in rows) for name in ("cpu_s", "wall_s", "peak_mb")
        )
        speed[side] = mb / cpu
        found = scores[side]
        print(
            f"{side:26} {mb / cpu:8.1f} {cpu:8.2f} {wall:8.2f} {ram * 1.048576:8.0f} "
            f"{found['n_links']:8} {found['precision']:9.4f} {found['recall']:7.4f} "
            f"{found['n_dropped']:8}",
            flush=True,
        )
    _show_ratios([side for side in sides if side not in OURS], rounds, speed)


def _show_ratios(
    peers: Sequence[str], rounds: Sequence[dict[str, Figures]], speed: dict[str, float]
) -> None:
    one, two = "gristmill", "gristmill, 2 threads"
    faster = median(row[one]["wall_s"] / row[two]["wall_s"] for row in rounds)
    print(f"2 threads are {faster:.2f} times as fast in wall time as one")
    if not peers:
        return
    best = max(peers, key=speed.__getitem__)
    ratios = [row[best]["cpu_s"] / row[one]["cpu_s"] for row in rounds if best in row]
    print(
        f"{one} is {median(ratios):.1f} times as fast per CPU second as the best peer, {best} "
        f"({', '.join(f'{ratio:.1f}' for ratio in ratios)})"
    )


# ---- Short texts by the million, through the command. ----


def write_short(path: str, source: str, n_texts: str) -> Figures:
    import pyarrow as pa
    import pyarrow.compute as pc
    from near import made
    from pyarrow import parquet

    words, share = made.vocabulary(paired.texts(20_000_000, source or None))
    size = 0
    with parquet.ParquetWriter(path, pa.schema({"text": pa.large_string()})) as writer:
        for block in made.short_blocks(words, share, int(n_texts)):
            texts = pa.array(block, pa.large_string())
            size += pc.sum(pc.binary_length(texts)).as_py()
            writer.write_table(pa.table({"text": texts}))
    return {"mb": size / 1e6}


def command(path: str, memory: str, threads: str) -> Figures:
    """`gristmill dedup near`, reading and writing included."""
    with TemporaryDirectory(dir=Path(path).parent) as folder:
        program = [sys.executable, "-m", "gristmill", "dedup", "near", path, "--threads", threads]
        budget = ["--memory", memory] if memory else []
        out = f"{folder}/out"
        figures: Figures = paired.measure_commands(folder, [*program, *budget, "--out", out])
        import polars as pl

        fates = pl.scan_parquet(f"{out}/ledger/*.parquet").select(pl.col("fate") == "dropped")
        return figures | {"n_dropped": int(fates.sum().collect().item())}


def run_short(given: argparse.Namespace) -> None:
    budget = f" --memory {given.memory}" if given.memory else ""
    print(f"gristmill dedup near{budget}, reading and writing included", flush=True)
    print(
        f"{'texts':>10} {'MB':>7} {'CPU s':>8} {'wall s':>8} {'peak MB':>8} {'disk MB':>8} {'dropped':>9}"
    )
    cost = []
    with TemporaryDirectory() as folder:
        for n_texts in (given.short // 10, given.short):
            path = f"{folder}/{n_texts}.parquet"
            mb = run("short", path, given.text, str(n_texts))["mb"]
            row = run("command", path, given.memory, "1")
            cost.append(row["cpu_s"])
            print(
                f"{n_texts:10} {mb:7.0f} {row['cpu_s']:8.1f} {row['wall_s']:8.1f} "
                f"{row['rss_mb'] * 1.048576:8.0f} {row['disk_mb']:8.0f} {row['n_dropped']:9}",
                flush=True,
            )
    print(f"ten times the texts cost {cost[1] / cost[0]:.1f} times the CPU seconds")


# ---- Planted pairs. ----


def planted(n_words: str, bands: str, rows: str, method: str, n_pairs: str) -> Figures:
    """Per bin of similarity: pairs, how many were found, sums of their probabilities."""
    import numpy as np
    from near import made

    from gristmill import dedup

    curve = {"bands": int(bands), "rows": int(rows), "method": method}
    sums = np.zeros((4, BINS + 1))
    at_once = max(1, min(int(n_pairs), 4_000_000 // int(n_words)))
    for rate in PLANTED_RATES:
        for seed in range(math.ceil(int(n_pairs) / at_once)):
            texts, similarity = made.planted(int(n_words), rate, NGRAM, at_once, seed)
            found = dedup.near_duplicates(
                texts, THRESHOLD, NUM_PERM, NGRAM, verify=False, **curve
            ).to_numpy()
            p = 1 - (1 - similarity ** curve["rows"]) ** curve["bands"]
            of_pair = np.array([np.ones_like(p), found[::2] == found[1::2], p, p * (1 - p)])
            for row, values in zip(sums, of_pair, strict=True):
                np.add.at(row, (similarity * BINS).astype(int), values)
    return {"sums": sums.tolist()}


def run_planted(given: argparse.Namespace) -> None:
    for banding in given.bandings.split(","):
        for method in given.methods.split(","):
            print(f"\n{method}, {banding} bands x rows, {NUM_PERM} permutations", flush=True)
            print(
                f"{'':14} {'pairs':>9} {'measured':>9} {'expected':>9} {'difference, points':>20}"
            )
            _show_planted(banding.split("x"), method, given.pairs)


def _show_planted(banding: Sequence[str], method: str, n_pairs: int) -> None:
    total = [[0.0] * (BINS + 1) for _ in range(4)]
    for n_words, part in PLANTED_WORDS.items():
        sums = run("planted", str(n_words), *banding, method, str(int(n_pairs * part)))["sums"]
        total = [
            [a + b for a, b in zip(*rows, strict=True)] for rows in zip(total, sums, strict=True)
        ]
        _show_rate(f"{n_words} words", *map(sum, sums))
    for at in range(BINS):
        row = [sums[at] + (sums[at + 1] if at == BINS - 1 else 0) for sums in total]
        if row[0]:
            _show_rate(f"s {at / BINS:.2f} to {(at + 1) / BINS:.2f}", *row)
    _show_rate("all", *map(sum, total))


def _show_rate(what: str, pairs: float, found: float, expected: float, variance: float) -> None:
    """Shares in percent; the error is that of independent events of these probabilities."""
    difference, error = 100 * (found - expected) / pairs, 100 * math.sqrt(variance) / pairs
    print(
        f"{what:14} {pairs:9.0f} {100 * found / pairs:9.2f} {100 * expected / pairs:9.2f} "
        f"{difference:+12.2f} +- {error:.2f}",
        flush=True,
    )


SIDES = {
    "write": write_texts,
    "score": score,
    "ours": ours,
    "short": write_short,
    "command": command,
    "planted": planted,
}


def run(side: str, *arguments: str) -> Figures:
    return paired.run_side(__file__, side, arguments)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--text", default="", help="JSONL with a text in each line")
    parser.add_argument("--docs", type=int, default=30_000, help="documents of it to compare on")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side")
    parser.add_argument("--core", type=int, default=(os.cpu_count() or 1) - 1, help="where to run")
    parser.add_argument("--peers-python", default=sys.executable, help="Python that has the peers")
    parser.add_argument("--without", default="", help="peers to leave out, by commas")
    parser.add_argument("--short", type=int, help="short texts through the command, instead")
    parser.add_argument("--memory", default="2GiB", help="its budget; empty: none")
    parser.add_argument("--planted", action="store_true", help="recall on planted pairs, instead")
    parser.add_argument("--pairs", type=int, default=25_000, help="pairs of each rate and length")
    parser.add_argument("--bandings", default="16x8,25x5", help="bands x rows, by commas")
    parser.add_argument("--methods", default="one-permutation,k-permutation")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    print(
        f"gristmill {version('gristmill')}, Python {sys.version.split()[0]}, {os.cpu_count()} cores; "
        f"text: {Path(given.text).name or 'installed'}",
        flush=True,
    )
    if given.short:
        run_short(given)
    elif given.planted:
        run_planted(given)
    else:
        compare(given)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--side"]:
        print(json.dumps(SIDES[sys.argv[2]](*sys.argv[3:])))
    else:
        main()
