"""Byte-level BPE beside its peers: encoding, the first pass and a warm one, and training.

    python benches/bpe.py [--text FILE.jsonl] [--pattern cl100k --ranks FILE.tiktoken]
                          [--peers-python PATH ...] [--without 'tokenizers 0.']

Each side runs in a process of its own, in turn, on one pinned core: ours with one thread, and every
peer of `bpe_peers.py` that is installed. Peers may live in virtual environments of their own, named
by their Python; two release lines of one peer need two:

    python -m venv peers && peers/bin/pip install gigatoken fastokens tiktoken tokenizers \
        gigabpe rustbpe
    python -m venv candidate && candidate/bin/pip install --pre tokenizers==1.0.0rc3

The vocabulary of 32,000 is trained on the first 100 MB of the text, without special tokens, so that
nothing in a text is one; or it is a rank file. The first pass is a fresh process's first call on the
whole text, the warm one its second. Ids of all sides and passes are compared. Training is timed on
the same 100 MB; ours again with two threads.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import bpe_peers
import paired

Figures = dict[str, Any]
PEERS = str(Path(__file__).with_name("bpe_peers.py"))
VOCAB_SIZE = 32_000
MOST_BYTES = 400_000_000
TRAIN_BYTES = 100_000_000
OURS = {"gristmill": 1, "gristmill, 2 threads": 2}
SLOW = ("tokenizers 0.", "tiktoken")
"""Sides that are run in the first round only."""


def write(folder: str, text: str, ranks: str, pattern: str) -> Figures:
    """Write texts, the text to train on and the vocabulary, for us and for the peers."""
    import pyarrow as pa

    import gristmill as gm

    texts = paired.texts(MOST_BYTES, text or None)
    with open(f"{folder}/texts.jsonl", "w", encoding="utf-8") as file:
        file.writelines(json.dumps(text) + "\n" for text in texts)
    table = pa.table({"text": pa.array(texts, pa.large_string())})
    with (
        pa.OSFile(f"{folder}/texts.arrow", "wb") as file,
        pa.ipc.new_file(file, table.schema) as to,
    ):
        to.write_table(table)
    sample = first_bytes(texts, TRAIN_BYTES)
    Path(f"{folder}/train.txt").write_text("\0".join(sample))
    if ranks:
        tokenizer = gm.Tokenizer.load(ranks, pattern=pattern, special_tokens={})
    else:
        tokenizer = gm.Tokenizer.train(sample, VOCAB_SIZE, pattern, special_tokens=[], threads=2)
    tokenizer.save(f"{folder}/tokenizer.json")
    tokenizer.save(f"{folder}/ranks.tiktoken")
    setting = {"pattern": tokenizer.pattern, "vocab_size": tokenizer.vocab_size}
    Path(f"{folder}/setting.json").write_text(json.dumps(setting))
    sizes = {"mb": size_of(texts) / 1e6, "train_mb": size_of(sample) / 1e6}
    return setting | sizes | {"n_docs": len(texts)}


def size_of(texts: Sequence[str]) -> int:
    return sum(len(text.encode()) for text in texts)


def first_bytes(texts: Sequence[str], most: int) -> list[str]:
    kept, size = [], 0
    for text in texts:
        size += len(text.encode())
        if size > most:
            break
        kept.append(text)
    return kept


def encode(folder: str, core: str, threads: str) -> Figures:
    """Our first pass and warm pass."""
    import pyarrow as pa

    import gristmill as gm

    paired.pin(int(core) if threads == "1" else -1)
    with pa.OSFile(f"{folder}/texts.arrow") as file:
        texts = pa.ipc.open_file(file).read_all()["text"]
    tokenizer = gm.Tokenizer.load(f"{folder}/tokenizer.json")
    return bpe_peers.passes(
        lambda given: tokenizer.encode_batch(given, int(threads)),
        lambda found: found.values.to_numpy().tobytes(),
        texts,
    )


def train(folder: str, core: str, threads: str) -> Figures:
    """Our training on the text that the peers get, as Arrow."""
    import pyarrow as pa

    import gristmill as gm

    paired.pin(int(core) if threads == "1" else -1)
    setting = json.loads(Path(f"{folder}/setting.json").read_text())
    texts = pa.array(Path(f"{folder}/train.txt").read_text().split("\0"), pa.large_string())
    merges: list[int] = []
    paired.forget_peak()

    def work() -> None:
        made = gm.Tokenizer.train(texts, setting["vocab_size"], threads=int(threads))
        merges.append(len(made.merges))

    return paired.measure(work) | {"merges": merges[0]}


SIDES = {"write": write, "encode": encode, "train": train}


def installed(pythons: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Name and version of each peer -> its Python and its name."""
    found = {}
    for python in pythons:
        done = subprocess.run(
            [python, PEERS, "versions"], stdout=subprocess.PIPE, check=True, text=True
        )
        for side, number in json.loads(done.stdout).items():
            found[f"{side} {number}"] = (python, side)
    return found


def run_peer(job: str, python: str, side: str, folder: str, core: int) -> Figures:
    command = [python, PEERS, job, side, folder, str(core)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def rounds(
    job: str, folder: str, peers: dict[str, tuple[str, str]], given: argparse.Namespace
) -> list[dict[str, Figures]]:
    """Run all sides in turn, so that a ratio compares neighbors."""
    done = []
    failed: set[str] = set()
    for number in range(given.rounds):
        figures = {
            side: paired.run_side(__file__, job, [folder, str(given.core), str(threads)])
            for side, threads in OURS.items()
        }
        for label, (python, side) in peers.items():
            if label in failed or (number and label.startswith(SLOW)):
                continue
            try:
                figures[label] = run_peer(job, python, side, folder, given.core)
            except subprocess.CalledProcessError:
                failed.add(label)  # it cannot do this pattern, and said why
        done.append(figures)
    return done


def show_encode(found: list[dict[str, Figures]], mb: float) -> None:
    print(
        f"{'encode':26} {'first MB/CPU s':>14} {'warm':>8} {'wall s':>7} {'warm':>7} {'RAM +MB':>8}"
    )
    for side in found[0]:
        rows = [row[side] for row in found if side in row]
        cpu, wall, ram = (
            {name: median(row[name][of] for row in rows) for name in ("first", "warm")}
            for of in ("cpu_s", "wall_s", "peak_mb")
        )
        same = all(row["ids"] == found[0]["gristmill"]["ids"] for row in rows)
        print(
            f"{side:26} {mb / cpu['first']:14.1f} {mb / cpu['warm']:8.1f} {wall['first']:7.2f} "
            f"{wall['warm']:7.2f} {ram['first'] * 1.048576:8.0f}  ids {'equal' if same else 'DIFFER'}",
            flush=True,
        )
    for name in ("first", "warm"):
        two = [
            row["gristmill"][name]["wall_s"] / row["gristmill, 2 threads"][name]["wall_s"]
            for row in found
        ]
        show_ratio(found, name, lambda row, name=name: row[name]["cpu_s"])
        print(f"{name}: 2 threads are {median(two):.2f} times as fast in wall time as one")


def show_ratio(found: list[dict[str, Figures]], what: str, cpu: Any) -> None:
    peers = [side for side in found[0] if side not in OURS]
    if not peers:
        return
    best = min(peers, key=lambda side: median(cpu(row[side]) for row in found if side in row))
    ratios = [cpu(row[best]) / cpu(row["gristmill"]) for row in found if best in row]
    every = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    print(f"{what}: {median(ratios):.2f} times as fast as {best} ({every})", flush=True)


def show_train(found: list[dict[str, Figures]], mb: float) -> None:
    print(f"{'train':26} {'MB/CPU s':>14} {'CPU s':>8} {'wall s':>7} {'RAM +MB':>8} {'merges':>8}")
    for side in found[0]:
        rows = [row[side] for row in found if side in row]
        cpu, wall, ram = (median(row[of] for row in rows) for of in ("cpu_s", "wall_s", "peak_mb"))
        print(
            f"{side:26} {mb / cpu:14.1f} {cpu:8.2f} {wall:7.2f} {ram * 1.048576:8.0f} "
            f"{rows[0]['merges']:8}",
            flush=True,
        )
    show_ratio(found, "training", lambda row: row["cpu_s"])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--text", default="", help="JSONL with a text in each line")
    parser.add_argument("--pattern", default="gpt2", help="how texts are cut into words")
    parser.add_argument("--ranks", default="", help="FILE.tiktoken, instead of training")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side")
    parser.add_argument("--core", type=int, default=(os.cpu_count() or 1) - 1, help="where to run")
    parser.add_argument("--peers-python", action="append", help="Python that has peers; repeatable")
    parser.add_argument(
        "--without",
        default="",
        help="peers to leave out, by commas: names, or how their name and version begin",
    )
    return parser.parse_args()


def main() -> None:
    given = arguments()
    peers = {
        label: place
        for label, place in installed(given.peers_python or [sys.executable]).items()
        if not label.startswith(tuple(filter(None, given.without.split(","))))
    }
    print(
        f"gristmill {version('gristmill')}, Python {sys.version.split()[0]}, {os.cpu_count()} cores; "
        f"text: {Path(given.text).name or 'installed'}",
        flush=True,
    )
    with TemporaryDirectory() as folder:
        text = paired.run_side(__file__, "write", [folder, given.text, given.ranks, given.pattern])
        print(
            f"{text['n_docs']:,} documents, {text['mb']:.1f} MB, {text['vocab_size']:,} tokens, "
            f"pattern {text['pattern']}, {given.rounds} rounds",
            flush=True,
        )
        encoders = {a: b for a, b in peers.items() if b[1] in bpe_peers.ENCODE}
        show_encode(rounds("encode", folder, encoders, given), text["mb"])
        if not given.ranks and given.pattern == "gpt2":
            # the candidate does not train
            trainers = {
                label: place
                for label, place in peers.items()
                if place[1] in bpe_peers.TRAIN and not label.startswith("tokenizers 1.0.0rc")
            }
            show_train(rounds("train", folder, trainers, given), text["train_mb"])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--side"]:
        print(json.dumps(SIDES[sys.argv[2]](*sys.argv[3:])))
    else:
        main()
