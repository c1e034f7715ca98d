"""Documents to packed shards on disk, beside our own encoding in memory and the peers' files.

    python benches/shards.py [--text FILE.jsonl] [--peers-python PATH] [--rounds 3]
    python benches/shards.py --growth [--text FILE.jsonl]

First (the default): an Arrow (or Parquet) file of documents becomes verified shards: read, encoded,
packed, every block hashed, each file synced to the disk and renamed. The same texts are encoded in
memory in the same round, a first pass in a fresh process on the same core; the ratio of the two is
taken round by round. Ids are checked equal: the rows of the shards against the ids in memory. Peers,
those that are installed, write the same tokens of the Parquet file, each document closed by the end
token: datatrove's `DocumentTokenizer`, and gigatoken's `encode_files` with `numpy.tofile` and a
sync. They may live in a virtual environment of their own:

    python -m venv peers
    peers/bin/pip install gigatoken 'datatrove[io,processing]' tokenizers numpy

``--growth`` packs 0.33 and 1 times `--growth-mb` of the text, repeated under new ids where it is
too short, and shows that the peak memory of the process does not grow.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import paired

Figures = dict[str, Any]
SEQ_LEN, VOCAB = 2048, 32_000
MOST_BYTES = 330_000_000
TRAIN_BYTES = 20_000_000
"""Text that the tokenizer is trained on."""
GROUP_ROWS = 1_024
PEERS = str(Path(__file__).with_name("shards_peers.py"))
OURS: dict[str, dict[str, Any]] = {
    "shards from Arrow": {},
    "shards from Arrow, corpus order": {"order": "corpus"},
    "shards from Arrow, best fit": {"fit": "best"},
    "shards from Arrow, 2 threads": {"threads": 2},
    "shards from Parquet": {"file": "documents.parquet"},
}


# ---- Sides, each in a process of its own. ----


def write(folder: str, source: str, n_bytes: str, repeat: str) -> Figures:
    """Write the documents as Arrow and Parquet, and train the tokenizer."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    import gristmill as gm
    from gristmill import schema

    texts = paired.texts(int(n_bytes), source or None)
    size = sum(len(text.encode()) for text in texts)
    repeats = max(1, round(int(n_bytes) / size)) if repeat else 1
    with (
        pa.OSFile(f"{folder}/documents.arrow", "wb") as file,
        pa.ipc.new_file(file, schema.DOCUMENT) as arrow,
        pq.ParquetWriter(f"{folder}/documents.parquet", schema.DOCUMENT) as parquet,
    ):
        for copy in range(repeats):
            for start in range(0, len(texts), GROUP_ROWS):
                table = _documents(texts[start : start + GROUP_ROWS], f"{copy}-{start}")
                arrow.write_table(table)
                parquet.write_table(table)
    sample = texts[:: max(1, size // TRAIN_BYTES)]
    gm.Tokenizer.train(sample, VOCAB).save(f"{folder}/tokenizer")
    return {"mb": size * repeats / 1e6, "n_docs": len(texts) * repeats}


def _documents(texts: list[str], name: str) -> Any:
    import pyarrow as pa

    from gristmill import schema

    n_docs = len(texts)
    columns = {
        "id": [f"{name}-{number}" for number in range(n_docs)],
        "text": texts,
        "source": ["bench"] * n_docs,
        "license": ["NOASSERTION"] * n_docs,
        "url": [None] * n_docs,
        "created": [None] * n_docs,
        "metadata": ["{}"] * n_docs,
    }
    return pa.table(columns, schema=schema.DOCUMENT)


def tables(path: Path) -> Any:
    """The documents of a file, a record batch or row group at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.suffix == ".parquet":
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                yield file.read_row_group(group, use_threads=False)
        return
    with pa.OSFile(str(path)) as file:
        reader = pa.ipc.open_file(file)
        for number in range(reader.num_record_batches):
            yield pa.Table.from_batches([reader.get_batch(number)])


def encode(folder: str, core: str) -> Figures:
    """Encode all texts in memory, in one call, the first pass of a fresh tokenizer."""
    import pyarrow as pa

    import gristmill as gm

    paired.pin(int(core))
    texts = pa.concat_tables(tables(Path(folder) / "documents.arrow")).column("text")
    gm.Tokenizer.load(f"{folder}/tokenizer").encode_batch(texts[:1])  # loads what it imports
    tokenizer = gm.Tokenizer.load(f"{folder}/tokenizer")
    return paired.measure(lambda: tokenizer.encode_batch(texts))


def shards(folder: str, out: str, core: str, options: str) -> Figures:
    """Write shards of the documents and say what they are."""
    import gristmill as gm
    from gristmill.shards.write import write_shards

    keywords = json.loads(options)
    path = Path(folder) / keywords.pop("file", "documents.arrow")
    if keywords.get("threads", 1) == 1:
        paired.pin(int(core))
    tokenizer = gm.Tokenizer.load(f"{folder}/tokenizer")
    found: list[Figures] = []
    figures = paired.measure(
        lambda: found.append(
            write_shards(tables(path), tokenizer, Path(out), seq_len=SEQ_LEN, **keywords)
        )
    )
    n_tokens = sum(split["tokens"] for split in found[0]["splits"].values())
    n_bytes = sum(file["bytes"] for file in found[0]["files"])
    return figures | {"tokens": n_tokens, "bytes_per_token": n_bytes / n_tokens}


def check(folder: str, out: str) -> Figures:
    """Hold the shards against the ids in memory; count the documents that are cut."""
    import numpy as np

    import gristmill as gm
    from gristmill.shards.read import Shards
    from gristmill.shards.verify import verify_shards

    problems = verify_shards(out, deep=True)
    assert not problems, problems[0]
    train = Shards(f"{out}/train")
    n_tokens = train.documents["n_tokens"].to_numpy() + 1
    n_pieces = np.zeros(len(n_tokens), int)
    for split in (train, Shards(f"{out}/validation")):
        for number in range(split.n_blocks):
            documents = split.block(number)["piece_document"].values.to_numpy()
            np.add.at(n_pieces, documents[documents < len(n_tokens)], 1)
    tokenizer = gm.Tokenizer.load(f"{folder}/tokenizer")
    first = next(tables(Path(folder) / "documents.arrow")).column("text")
    _check_ids(train, tokenizer.encode_batch(first).to_pylist())
    short = n_tokens <= SEQ_LEN
    return {"cut": float((n_pieces > 1).mean()), "short_cut": float((n_pieces[short] > 1).mean())}


def _check_ids(train: Any, expected: list[list[int]]) -> None:
    """The pieces of the first documents are stretches of their ids."""
    for row in range(len(train)):
        ids, start = train.row(row).tolist(), 0
        for length, document, offset in zip(*map(list, train.pieces(row)), strict=True):
            if document < len(expected):
                stretch = expected[document][offset : offset + length]
                assert ids[start : start + len(stretch)] == stretch
            start += int(length)


# ---- What is shown. ----


def run(side: str, *arguments: str) -> Figures:
    return paired.run_side(__file__, side, arguments)


def run_peer(given: argparse.Namespace, *arguments: str) -> Figures:
    command = [given.peers_python, PEERS, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def peers_of(given: argparse.Namespace) -> list[str]:
    found = run_peer(given, "versions")
    names = ", ".join(f"{name} {number}" for name, number in found.items())
    print(f"peers: {names or 'none is installed, see --peers-python'}", flush=True)
    return list(found)


def compare(given: argparse.Namespace) -> None:
    with TemporaryDirectory(dir=given.folder) as folder:
        text = run("write", folder, given.text, str(given.mb * 1_000_000), "")
        print(f"{text['n_docs']:,} documents, {text['mb']:.1f} MB", flush=True)
        rounds = [_round(folder, given) for _ in range(given.rounds)]
        cuts = {side: _made(folder, side, given)[1] for side in list(OURS)[:3]}
        peers = {peer: run_peer(given, peer, folder, str(given.core)) for peer in peers_of(given)}
    print(
        f"{'':34} {'MB/CPU s':>8} {'CPU s':>7} {'wall s':>7} {'of encode':>10} {'wall':>6} "
        f"{'B/token':>8} {'RSS MB':>7}"
    )
    for side in ("encode in memory", *OURS):
        _show(side, [row[side] for row in rounds], text["mb"], rounds)
    for peer, figures in peers.items():
        _show(peer, [figures], figures.get("mb", text["mb"]), rounds)
    for side, cut in cuts.items():
        print(f"{side}: {cut['cut']:.1%} of the documents are cut, ", end="")
        print(f"{cut['short_cut']:.2%} of those of at most {SEQ_LEN} tokens")


def _round(folder: str, given: argparse.Namespace) -> dict[str, Figures]:
    figures = {"encode in memory": run("encode", folder, str(given.core))}
    for side in OURS:
        figures[side] = _made(folder, side, given, checked=False)[0]
    return figures


def _made(
    folder: str, side: str, given: argparse.Namespace, checked: bool = True
) -> tuple[Figures, Figures]:
    with TemporaryDirectory(dir=folder) as out:
        figures = run("shards", folder, out, str(given.core), json.dumps(OURS[side]))
        return figures, run("check", folder, out) if checked else {}


def _show(side: str, rows: list[Figures], mb: float, rounds: list[dict[str, Figures]]) -> None:
    cpu, wall, rss = (median(row[name] for row in rows) for name in ("cpu_s", "wall_s", "rss_mb"))
    memory = [row["encode in memory"] for row in rounds]
    ratios = [
        median(one[name] / row[name] for one, row in zip(memory, rows, strict=False))
        for name in ("cpu_s", "wall_s")
    ]
    per_token = rows[0].get("bytes_per_token", 0.0)
    print(
        f"{side:34} {mb / cpu:8.1f} {cpu:7.2f} {wall:7.2f} {ratios[0]:10.2f} {ratios[1]:6.2f} "
        f"{per_token:8.4f} {rss * 1.048576:7.0f}",
        flush=True,
    )


def growth(given: argparse.Namespace) -> None:
    print(f"{'MB':>8} {'MB/CPU s':>8} {'wall s':>7} {'B/token':>8} {'RSS MB':>7}")
    for share in (0.33, 1.0):
        with TemporaryDirectory(dir=given.folder) as folder:
            n_bytes = str(int(given.growth_mb * share * 1e6))
            mb = run("write", folder, given.text, n_bytes, "repeat")["mb"]
            row = _made(folder, "shards from Arrow", given, checked=False)[0]
        print(
            f"{mb:8.0f} {mb / row['cpu_s']:8.1f} {row['wall_s']:7.1f} "
            f"{row['bytes_per_token']:8.4f} {row['rss_mb'] * 1.048576:7.0f}",
            flush=True,
        )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--text", default="", help="JSONL with a text in each line")
    parser.add_argument("--mb", type=int, default=MOST_BYTES // 1_000_000, help="of it, at most")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side")
    parser.add_argument("--core", type=int, default=(os.cpu_count() or 1) - 1, help="where to run")
    parser.add_argument("--folder", help="where files are written; the system's when omitted")
    parser.add_argument("--peers-python", default=sys.executable, help="Python that has the peers")
    parser.add_argument("--growth", action="store_true", help="memory by size, instead")
    parser.add_argument("--growth-mb", type=int, default=1_000, help="the larger of the two sizes")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    print(
        f"gristmill {version('gristmill')}, Python {sys.version.split()[0]}, {os.cpu_count()} cores; "
        f"text: {Path(given.text).name or 'installed'}; rows of {SEQ_LEN}, vocabulary {VOCAB:,}; "
        "every file is synced to the disk",
        flush=True,
    )
    growth(given) if given.growth else compare(given)


SIDES = {"write": write, "encode": encode, "shards": shards, "check": check}

if __name__ == "__main__":
    if sys.argv[1:2] == ["--side"]:
        print(json.dumps(SIDES[sys.argv[2]](*sys.argv[3:])))
    else:
        main()
