"""What the benchmarks share: text found on this machine, and paired timing in processes of their own.

Each side of a pair runs in a fresh process, in turn (A B A B ...), and reports its CPU seconds and
peak memory; the ratio is taken pair by pair, so it holds when the machine's speed drifts.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
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
    before, peak_before = resource.getrusage(resource.RUSAGE_SELF), _peak_kb()
    started = time.perf_counter()
    work()
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    added, in_all = _peak_kb() - peak_before, after.ru_maxrss
    return {"cpu_s": cpu, "wall_s": wall, "peak_mb": added / 1024, "rss_mb": in_all / 1024}


def _peak_kb() -> int:
    """This process's peak, without that of the one that started it, where Linux says."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def forget_peak() -> None:
    """Let the peak begin anew at what is resident now, where Linux can."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def pin(core: int) -> None:
    """Stay on one core, where the system can do that; below zero: do not."""
    if core >= 0 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})


def measure_commands(folder: str, *commands: list[str]) -> dict[str, float]:
    """CPU and wall seconds, peak memory of a process and peak size of `folder`.

    A child's peak counts from the memory of the process that starts it, so nothing large may be
    imported before.
    """
    sizes, ended = [0], threading.Event()
    environment = os.environ | {"TMPDIR": folder}

    def watch() -> None:
        while not ended.wait(0.2):
            sizes.append(_size_of(folder))

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.perf_counter()
    try:
        for one in commands:
            done = subprocess.run(one, stdout=subprocess.DEVNULL, env=environment)
            if done.returncode:
                sys.exit(f"exit {done.returncode}: {' '.join(one)}")
    finally:
        wall = time.perf_counter() - started
        sizes.append(_size_of(folder))
        ended.set()
        watcher.join()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "cpu_s": used.ru_utime + used.ru_stime,
        "wall_s": wall,
        "rss_mb": used.ru_maxrss / 1024,
        "disk_mb": max(sizes) / 1e6,
    }


def _size_of(folder: str) -> int:
    size = 0
    for path in Path(folder).rglob("*"):
        try:
            size += path.stat().st_size
        except FileNotFoundError:  # renamed or removed meanwhile
            continue
    return size


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
