"""What the benchmarks share: text found on this machine, and paired timing in processes of their own.

Each side of a pair runs in a fresh process, in turn (A B A B ...), and reports its CPU seconds and
peak memory; the ratio is taken pair by pair, so it holds when the machine's speed drifts.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path


def texts(n_bytes: int, path: str | None = None) -> list[str]:
    """About `n_bytes` of text: of a JSONL file, or else Python source and prose found here."""
    if path is not None:
        import polars as pl

        found = pl.read_ndjson(path)["text"].to_list()
    else:
        from gristmill.sources import open_source

        source = open_source(
            name="bench", format="installed", kinds=["descriptions", "docs", "stdlib", "code"]
        )
        found = [
            text
            for split in source.splits()
            for batch in source.read(split)
            for text in batch.docs["text"].to_pylist()
        ]
    kept, size = [], 0
    for text in found:
        size += len(text.encode())
        if size > n_bytes:
            break
        kept.append(text)
    return kept


def measure(work: Callable[[], object]) -> dict[str, float]:
    """CPU and wall seconds of `work`; peak resident memory in MB, what `work` added and in all."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    work()
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    added, in_all = after.ru_maxrss - before.ru_maxrss, after.ru_maxrss
    return {"cpu_s": cpu, "wall_s": wall, "peak_mb": added / 1024, "rss_mb": in_all / 1024}


def run_side(script: str, side: str, arguments: Sequence[str]) -> dict[str, float]:
    """Run one side of a benchmark in a process of its own and read the figures it prints."""
    command = [sys.executable, script, "--side", side, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def compare(
    script: str, claim: str, ours: str, peer: str, arguments: Sequence[str], pairs: int = 3
) -> None:
    """Print the MB per CPU second of both sides, their ratio and their memory."""
    rows = [
        (run_side(script, ours, arguments), run_side(script, peer, arguments)) for _ in range(pairs)
    ]
    speed = [
        statistics.median(row[side]["mb"] / row[side]["cpu_s"] for row in rows) for side in (0, 1)
    ]
    ratio = statistics.median(
        (one["mb"] / one["cpu_s"]) / (two["mb"] / two["cpu_s"]) for one, two in rows
    )
    memory = [statistics.median(row[side]["peak_mb"] for row in rows) for side in (0, 1)]
    print(
        f"{claim}: {ours} {speed[0]:.1f} MB/s, {peer} {speed[1]:.1f} MB/s, ratio {ratio:.1f}; "
        f"peak memory +{memory[0]:.0f} MB against +{memory[1]:.0f} MB",
        flush=True,
    )


def main_of(
    script: Path,
    sides: dict[str, Callable[[str | None], dict[str, float]]],
    pairs: Sequence[tuple[str, str, str]],
) -> None:
    """Run one side when asked with ``--side``, else every (claim, ours, peer) pair.

    An argument that is a path to JSONL replaces the text found on this machine.
    """
    arguments = sys.argv[1:]
    if arguments[:1] == ["--side"]:
        path = arguments[2] if len(arguments) > 2 else None
        print(json.dumps(sides[arguments[1]](path)))
        return
    for claim, ours, peer in pairs:
        compare(str(script), claim, ours, peer, arguments)
