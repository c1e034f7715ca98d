"""A whole build: with one worker, with two, and with two and killed again and again; same bytes?

Every build is the command, in a process group of its own. Memory is that of its largest process,
and of all together without counting shared pages twice (PSS), sampled ten times a second.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

PARTS = ("documents", "ledger", "tokenizer", "shards")
"""What must be the same, byte for byte."""

Figures = dict[str, float]


def build(recipe: Path, out: Path, workers: int, kill_after_s: float | None = None) -> Figures:
    """Run the command until it ends, or is killed."""
    command = [sys.executable, "-m", "gristmill", "build", str(recipe), "--out", str(out)]
    started = time.monotonic()
    process = subprocess.Popen(
        [*command, "--workers", str(workers)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    peaks, ended = [0.0, 0.0], threading.Event()
    watcher = threading.Thread(target=_watch, args=(process.pid, peaks, ended))
    watcher.start()
    try:
        process.wait(kill_after_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    finally:
        ended.set()
        watcher.join()
    return {
        "exit": process.returncode,
        "wall_s": time.monotonic() - started,
        "largest_mb": peaks[0],
        "together_mb": peaks[1],
    }


def _watch(group: int, peaks: list[float], ended: threading.Event) -> None:
    while not ended.wait(0.1):
        sizes = [
            _sizes(process) for process in Path("/proc").glob("[0-9]*") if _is_of(process, group)
        ]
        peaks[0] = max([peaks[0], *(rss for rss, _ in sizes)])
        peaks[1] = max(peaks[1], sum(pss for _, pss in sizes))


def _is_of(process: Path, group: int) -> bool:
    try:
        return os.getpgid(int(process.name)) == group
    except OSError:
        return False


def _sizes(process: Path) -> tuple[float, float]:
    """Resident and proportional size of a process in MB."""
    try:
        lines = (process / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0, 0.0
    found = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines[1:]}
    return found["Rss"], found["Pss"]


def digest(out: Path) -> str:
    """Of all bytes that must be the same."""
    hasher = hashlib.sha256()
    for part in PARTS:
        for path in sorted((out / part).rglob("*")):
            if path.is_file():
                hasher.update(str(path.relative_to(out)).encode())
                hasher.update(path.read_bytes())
    return hasher.hexdigest()


def unbalanced(out: Path) -> list[str]:
    """The stages of which ``in = kept + dropped`` does not hold, or that pass on something else."""
    stages = json.loads((out / "run.json").read_text())["stages"]
    faults = [
        one["name"]
        for one in stages
        if one["docs_in"] != one["docs_kept"] + sum(one["dropped"].values())
    ]
    judged = [one for one in stages if one["name"] not in ("ledger", "tokenizer", "pack", "index")]
    for one, following in pairwise(judged):
        if one["docs_kept"] != following["docs_in"]:
            faults.append(f"{one['name']} to {following['name']}")
    return faults


def run(recipe: Path, folder: Path, kills: int, n_ids: int) -> None:
    """Build three times and print what holds."""
    digests = {}
    for workers in (1, 2):
        out = folder / f"workers-{workers}"
        figures = build(recipe, out, workers)
        digests[out.name] = digest(out)
        _show(out, figures)
    out, chance, whole_s = folder / "killed", random.Random(7), figures["wall_s"]
    for number in range(kills):
        figures = build(recipe, out, 2, kill_after_s=chance.uniform(0.1, 0.5) * whole_s)
        print(f"killed {number + 1}: exit {figures['exit']} after {figures['wall_s']:.1f} s")
    _show(out, build(recipe, out, 2))
    digests[out.name] = digest(out)
    for name, found in digests.items():
        print(f"{name}: sha256 {found[:16]} of {', '.join(PARTS)}")
    if len(set(digests.values())) != 1:
        sys.exit("the bytes differ")
    ask(out, n_ids)


def _show(out: Path, figures: Figures) -> None:
    stages = json.loads((out / "run.json").read_text())["stages"]
    read = stages[0]
    print(
        f"{out.name}: {read['docs_in']:,} documents, {read['bytes_in'] / 1e6:,.0f} MB, "
        f"{figures['wall_s']:.1f} s; largest process {figures['largest_mb']:,.0f} MB, "
        f"together {figures['together_mb']:,.0f} MB; unbalanced: {unbalanced(out) or 'none'}",
        flush=True,
    )


def ask(out: Path, n_ids: int) -> None:
    """Let ``gristmill why`` answer for random input documents."""
    import polars as pl

    ids = pl.read_parquet(out / "ledger" / "*.parquet", columns=["id"])["id"]
    chosen = ids.sample(min(n_ids, len(ids)), seed=7)
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "gristmill", "why", str(out), "-", "--json"],
        input="\n".join(chosen),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    answers = json.loads(done.stdout)["answers"]
    answered = sum(
        one["document"]["id"] == doc_id for one, doc_id in zip(answers, chosen, strict=True)
    )
    print(f"why: {answered:,} of {len(chosen):,} answered in {time.monotonic() - started:.1f} s")
