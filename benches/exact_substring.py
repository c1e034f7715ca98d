"""Exact-substring deduplication beside its peers, and how its cost grows with the text.

    python benches/exact_substring.py [--text FILE.jsonl] [--sizes 10,100,300,1000] [--threads 1,2]
                                      [--dedup-binary PATH] [--memory 1GiB] [--quick]

First both engines and the peers, one thread each, on `--pair-mb` of text: a suffix array and common
prefixes by libdivsufsort, marked in numpy (`tests/reference_substrings.py`), and
deduplicate-text-datasets when its binary is given. Then our engines alone on growing texts. At last
the command `gristmill dedup exact` on the largest text within `--memory`.

All must find the same ranges, or this fails. deduplicate-text-datasets marks every copy; its groups
of equal windows, less the first of each and less those that cross documents, must mark our ranges.

Text beyond what there is (what is installed here, or the JSONL given) is the same text with its
letters exchanged: as hard, and hardly anything repeats from one round to the next.

To build the binary, clone https://github.com/google-research/deduplicate-text-datasets, run
`cargo build --release` there and give `target/release/dedup_dataset`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import string
import struct
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
MIN_BYTES = 100
ENGINES = ("winnowing", "suffix-array")
PEER = "divsufsort"
GOOGLE = "deduplicate-text-datasets"
COMMAND = "dedup exact"
BYTES_PER_BYTE = {"winnowing": 7, "suffix-array": 11}
"""Memory to have free before an engine is started, per byte of text, the text included."""
SEPARATOR = b"\xff\xff"
"""What deduplicate-text-datasets puts before each document, with the document's number."""
GAP = len(SEPARATOR) + 4


# ---- The text, in files, so that the processes that are measured hold nothing else. ----


def write_texts(folder: str, source: str, megabytes: str, binary: str) -> Figures:
    """Write the text of each size as Arrow; the first for the binary, the last for the command."""
    import pyarrow as pa
    from pyarrow import parquet

    sizes = [int(float(size) * 1e6) for size in megabytes.split(",")]
    base = pa.array(paired.texts(max(sizes), source or None), pa.large_string())
    for size in sizes:
        table = pa.table({"text": _text_of(base, size)})
        path = f"{folder}/{size}.arrow"
        with pa.OSFile(path, "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
    parquet.write_table(table, f"{folder}/{sizes[-1]}.parquet", row_group_size=10_000)
    if binary:
        _write_separated(f"{folder}/{sizes[0]}.bin", _read(f"{folder}/{sizes[0]}.arrow"))
    return {}


def _text_of(base: Any, n_bytes: int) -> Any:
    """The first `n_bytes` of the base and of its variants, in whole documents."""
    import numpy as np
    import pyarrow as pa

    ends = np.frombuffer(base.buffers()[1], np.int64)[1 : len(base) + 1]
    chunks, round_number = [], 0
    while n_bytes >= ends[0]:
        chunk = base.slice(0, int(np.searchsorted(ends, n_bytes, side="right")))
        chunks.append(_exchange_letters(chunk, round_number))
        n_bytes -= int(ends[len(chunk) - 1])
        round_number += 1
    return pa.chunked_array(chunks)


def _exchange_letters(texts: Any, round_number: int) -> Any:
    """Put another letter for each, the same everywhere, so that what repeats goes on to do so."""
    import pyarrow as pa

    if round_number == 0:
        return texts
    rng = random.Random(round_number)
    lower = "".join(rng.sample(string.ascii_lowercase, 26))
    table = bytes.maketrans(string.ascii_letters.encode(), (lower + lower.upper()).encode())
    _, offsets, data = texts.buffers()
    exchanged = pa.py_buffer(data.to_pybytes().translate(table))
    return pa.Array.from_buffers(texts.type, len(texts), [None, offsets, exchanged])


def _write_separated(path: str, texts: Any) -> None:
    with open(path, "wb") as file:
        for number, text in enumerate(texts):
            file.write(SEPARATOR + struct.pack("<I", number) + text.as_py().encode())


def _read(path: str) -> Any:
    import pyarrow as pa

    with pa.OSFile(path) as file:
        return pa.ipc.open_file(file).read_all()["text"]


def _megabytes(path: str) -> float:
    return int(Path(path).stem) / 1e6


# ---- The sides: each runs in a process of its own and gives its figures. ----


def gristmill(engine: str, path: str, threads: str) -> Figures:
    import gristmill as gm

    texts = _read(path)
    gm.exact_duplicates(["loaded"], 1, engine, int(threads))
    found: list[Any] = []

    def work() -> None:
        found.append(gm.exact_duplicates(texts, MIN_BYTES, engine, int(threads)))

    figures = paired.measure(work)
    columns = [found[0][name].to_numpy() for name in ("document", "start", "end")]
    return figures | _outcome(columns) | {"mb": _megabytes(path), "disk_mb": 0.0}


def divsufsort(path: str) -> Figures:
    repeats = _reference().repeats
    texts = [text.as_py().encode() for text in _read(path)]
    repeats([b"loaded"], 1)
    found: list[Any] = []
    figures = paired.measure(lambda: found.extend(repeats(texts, MIN_BYTES)))
    return figures | _outcome(found) | {"mb": _megabytes(path), "disk_mb": 0.0}


def google(binary: str, path: str) -> Figures:
    """Run their three steps: suffix array, groups of equal windows, ranges."""
    with TemporaryDirectory(dir=Path(path).parent) as folder:
        text = f"{folder}/text"
        os.link(Path(path).with_suffix(".bin"), text)
        windows = ["--length-threshold", str(MIN_BYTES), "--cache-dir", f"{folder}/cache"]
        figures = paired.measure_commands(
            folder,
            [binary, "make", "--data-file", text],
            [binary, "self-similar", "--data-file", text, *windows, "--num-threads", "1"],
            [binary, "collect", "--data-file", text, *windows],
        )
        figures["disk_mb"] -= os.path.getsize(text) / 1e6
        columns = _keep_first(Path(folder), _read(path))
    return figures | _outcome(columns) | {"mb": _megabytes(path)}


def command(path: str, memory: str, threads: str) -> Figures:
    """`gristmill dedup exact` within `memory`, reading and writing included."""
    with TemporaryDirectory(dir=Path(path).parent) as folder:
        program = [sys.executable, "-m", "gristmill", "dedup", "exact"]
        options = ["--memory", memory, "--min-remaining", "0", "--threads", threads]
        source = str(Path(path).with_suffix(".parquet"))
        figures = paired.measure_commands(
            folder, [*program, source, "--out", f"{folder}/out", *options]
        )
        import polars as pl

        sizes = pl.scan_parquet(f"{folder}/out/ledger/*.parquet").select("bytes_in", "bytes_out")
        cut = sizes.select(pl.col("bytes_in").sum() - pl.col("bytes_out").sum()).collect().item()
    return figures | {"mb": _megabytes(path), "cut_bytes": int(cut)}


def _keep_first(folder: Path, texts: Any) -> list[Any]:
    """The ranges of our definition from their groups of equal windows."""
    import numpy as np

    reference = _reference()
    data = np.frombuffer(b"".join(text.as_py().encode() for text in texts), np.uint8)
    lengths = np.array([len(text.as_py().encode()) for text in texts])
    opening = np.cumsum(lengths) - lengths
    opening_there = opening + GAP * (1 + np.arange(len(lengths)))
    width = os.path.getsize(folder / "text.table.bin") // os.path.getsize(folder / "text")

    def numbers(name: str) -> Any:
        (path,) = (folder / "cache").glob(f"{name}_*")
        digits = np.fromfile(path, np.uint8).reshape(-1, width).astype(np.int64)
        return digits @ (1 << 8 * np.arange(width))

    windows, sizes = numbers("dups"), numbers("sizes")
    group = np.repeat(np.arange(len(sizes)), sizes)
    document = np.searchsorted(opening_there, windows, side="right") - 1
    offset = windows - opening_there[document]
    within = (document >= 0) & (offset + MIN_BYTES <= lengths[document])
    places, group = (opening[document] + offset)[within], group[within]
    first = np.full(len(sizes), len(data))
    np.minimum.at(first, group, places)
    later = np.zeros(len(data), dtype=bool)
    later[places[places != first[group]]] = True
    return reference.ranges(data, lengths, later, MIN_BYTES)


def _reference() -> Any:
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    import reference_substrings

    return reference_substrings


def _outcome(columns: Sequence[Any]) -> Figures:
    """Number and bytes of the ranges, and a digest that is equal for equal ranges."""
    import numpy as np

    document, start, end = (np.ascontiguousarray(column, dtype="<i8") for column in columns)
    digest = hashlib.sha256(b"".join(column.tobytes() for column in (document, start, end)))
    return {
        "n_ranges": len(start),
        "cut_bytes": int((end - start).sum()),
        "digest": digest.hexdigest(),
    }


SIDES = {
    "write": write_texts,
    PEER: divsufsort,
    GOOGLE: google,
    COMMAND: command,
    **{engine: lambda *given, engine=engine: gristmill(engine, *given) for engine in ENGINES},
}


# ---- The tables. ----


def run(side: str, *arguments: str) -> Figures:
    return paired.run_side(__file__, side, arguments)


def show(side: str, threads: str, rows: Sequence[Figures]) -> None:
    """A line of medians; memory and disk in bytes per byte of text too."""

    def of(name: str) -> float:
        return median(row[name] for row in rows)

    mb = rows[0]["mb"]
    beyond = f"{of('peak_mb') * 1.048576 / mb:7.2f}" if "peak_mb" in rows[0] else "      -"
    print(
        f"{side:26} {mb:6.0f} {threads:>7} {mb / of('cpu_s'):8.2f} {of('cpu_s'):8.2f} "
        f"{of('wall_s'):8.2f} {beyond} {of('rss_mb'):8.0f} {of('disk_mb') / mb:7.2f} "
        f"{rows[0].get('n_ranges', '-'):>8} {rows[0]['cut_bytes']:>12}",
        flush=True,
    )


def show_head(title: str) -> None:
    print(
        f"\n{title}\n{'':26} {'MB':>6} {'threads':>7} {'MB/CPU s':>8} {'CPU s':>8} {'wall s':>8} "
        f"{'RAM/B':>7} {'peak MB':>8} {'disk/B':>7} {'ranges':>8} {'bytes cut':>12}"
    )


def check_equal(rows: dict[str, Figures]) -> None:
    """Stop unless all have found the same ranges."""
    if len({row["digest"] for row in rows.values()}) > 1:
        found = ", ".join(f"{side}: {row['n_ranges']} ranges" for side, row in rows.items())
        sys.exit(f"the ranges differ: {found}")


def compare_with_peers(path: str, binary: str | None, n_rounds: int) -> None:
    """Run ours and the peers in turn, so that a ratio compares neighbours."""
    sides = dict.fromkeys(ENGINES, (path, "1")) | {PEER: (path,)}
    if binary:
        sides[GOOGLE] = (binary, path)
    rounds = []
    for _ in range(n_rounds):
        rounds.append({side: run(side, *given) for side, given in sides.items()})
        check_equal(rounds[-1])
    show_head(f"Beside the peers, one thread, medians of {n_rounds}; all ranges are equal.")
    for side in sides:
        show(side, "1", [row[side] for row in rounds])
    for peer in list(sides)[len(ENGINES) :]:
        for engine in ENGINES:
            ratio = median(row[peer]["cpu_s"] / row[engine]["cpu_s"] for row in rounds)
            print(f"{engine} is {ratio:.1f} times as fast per CPU second as {peer}")


def scale(paths: Sequence[str], threads: Sequence[str], slower_mb: float) -> dict[str, Figures]:
    """Our engines on growing texts, the slower up to `slower_mb`; gives those of the last text."""
    show_head("Growing texts; the ranges of a text are equal.")
    rows: dict[tuple[str, str, str], Figures] = {}
    for path in paths:
        here = {}
        for engine in ENGINES:
            slower = engine != ENGINES[0]
            if slower and _megabytes(path) > slower_mb:
                continue
            for n in threads[:1] if slower else threads:
                needed = BYTES_PER_BYTE[engine] * _megabytes(path) / 1e3
                if needed > _free_gb():
                    print(f"{engine:26} {_megabytes(path):6.0f} not run: needs {needed:.1f} GB")
                    continue
                here[f"{engine}, {n} threads"] = row = run(engine, path, n)
                show(engine, n, [row])
                rows[engine, path, n] = row
        check_equal(here)
    _show_growth(rows, paths, threads)
    return here


def _show_growth(rows: dict[Any, Figures], paths: Sequence[str], threads: Sequence[str]) -> None:
    for engine, path, n in rows:
        one = rows.get((engine, path, threads[0]))
        if n != threads[0] and one:
            faster = one["wall_s"] / rows[engine, path, n]["wall_s"]
            print(f"{engine}, {_megabytes(path):.0f} MB: {n} threads are {faster:.2f} times faster")
    for engine in ENGINES:
        known = [path for path in paths if (engine, path, threads[0]) in rows]
        for path in known[:-1]:
            cost = [rows[engine, one, threads[0]]["cpu_s"] for one in (known[-1], path)]
            print(
                f"{engine}: {_megabytes(path):.0f} -> {_megabytes(known[-1]):.0f} MB costs "
                f"{cost[0] / cost[1]:.1f} times the CPU seconds"
            )


def _free_gb() -> float:
    """What may be taken now; where the system does not say, all there is."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if "MemAvailable" in line) * 1024 / 1e9
    except OSError:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9


def run_command(path: str, memory: str, threads: str, known: dict[str, Figures]) -> None:
    show_head(f"gristmill dedup exact --memory {memory}, reading and writing included.")
    try:
        row = run(COMMAND, path, memory, threads)
    except subprocess.CalledProcessError:
        sys.exit(f"{COMMAND:26} {_megabytes(path):6.0f} failed, see above")
    show(COMMAND, threads, [row])
    if any(one["cut_bytes"] != row["cut_bytes"] for one in known.values()):
        sys.exit(f"the command cut {row['cut_bytes']} bytes, the engines {known}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--text", default="", help="JSONL with a text in each line")
    parser.add_argument("--pair-mb", default="100", help="text for the comparison with the peers")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side of it")
    parser.add_argument("--sizes", default="10,100,300,1000", help="MB of the growing texts")
    parser.add_argument("--threads", default="1,2", help="for the suffix array the first of them")
    parser.add_argument("--suffix-array-mb", type=float, default=300, help="its largest text")
    parser.add_argument("--memory", default="1GiB", help="for the command; empty: do not run it")
    parser.add_argument("--dedup-binary", help="dedup_dataset of deduplicate-text-datasets")
    parser.add_argument("--quick", action="store_true", help="little text, once: does it all run?")
    given = parser.parse_args()
    if given.quick:
        given.pair_mb, given.rounds, given.sizes = "5", 1, "2,5"
    return given


def main() -> None:
    given = arguments()
    sizes = [size for size in given.sizes.split(",") if size]
    threads = given.threads.split(",")
    print(
        f"min_bytes {MIN_BYTES}; gristmill {version('gristmill')}, "
        f"pydivsufsort {version('pydivsufsort')}, Python {sys.version.split()[0]}, "
        f"{os.cpu_count()} cores; text: {Path(given.text).name or 'installed'}",
        flush=True,
    )
    with TemporaryDirectory() as folder:
        all_sizes = ",".join([given.pair_mb, *sizes])
        run("write", folder, given.text, all_sizes, given.dedup_binary or "")
        paths = [f"{folder}/{int(float(size) * 1e6)}.arrow" for size in all_sizes.split(",")]
        if given.rounds:
            compare_with_peers(paths[0], given.dedup_binary, given.rounds)
        if sizes:
            known = scale(paths[1:], threads, given.suffix_array_mb)
            if given.memory:
                run_command(paths[-1], given.memory, threads[0], known)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--side"]:
        print(json.dumps(SIDES[sys.argv[2]](*sys.argv[3:])))
    else:
        main()
