"""The whole chain in ``gristmill build``: language, signals, toxicity and structured personal data.

    python benches/filters/chain.py [DATA]

Two builds: one as a recipe has the filters by default, and one in which they tag and drop nothing, so
that each stage sees every document. CPU seconds are those of the whole process, start-up and writing included.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

FILTERS = {"language": {"keep": ["en"]}, "quality": {}, "toxicity": {}, "pii": {}}
TAG = ["quality", "language", "language_score", "toxicity"]


def build(source: dict[str, str], tag: list[str], folder: Path, core: int) -> dict[str, float]:
    """Build in a process of its own; megabytes of text, its CPU seconds and peak memory."""
    recipe = {"name": "chain", "sources": [{"name": "texts", **source}], **FILTERS, "tag": tag}
    path, out = folder / "chain.json", folder / f"out-{len(tag)}"
    path.write_text(json.dumps(recipe))
    command = [sys.executable, "-m", "gristmill", "build", str(path), "--out", str(out), "--json"]
    pid = os.posix_spawn(
        "/usr/bin/env",
        ["env", "taskset", "-c", str(core), *command],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_WRONLY, 0) for fd in (1, 2)],
    )
    _, status, used = os.wait4(pid, 0)
    if status:
        sys.exit(f"{' '.join(command)} failed")
    run = json.loads((out / "run.json").read_bytes())
    return {
        "mb": run["stages"][0]["bytes_in"] / 1e6,
        "cpu_s": used.ru_utime + used.ru_stime,
        "rss_mb": used.ru_maxrss / 1e3,
        "kept": run["stages"][-2]["docs_kept"],
        "read": run["stages"][0]["docs_in"],
    }


def main(data: Path | None = None, rounds: int = 3) -> None:
    """Print megabytes of text per CPU second for both builds."""
    source = (
        {"path": str(data.resolve() / "bench_en.jsonl.zst")} if data else {"format": "installed"}
    )
    core = (os.cpu_count() or 1) - 1
    for name, tag in (("filters drop", []), ("filters tag", TAG)):
        with TemporaryDirectory() as folder:
            found = []
            for _ in range(rounds):
                found.append(build(source, tag, Path(folder), core))
                subprocess.run(["rm", "-r", f"{folder}/out-{len(tag)}"], check=True)
        best = max(found, key=lambda one: one["mb"] / one["cpu_s"])
        speeds = ", ".join(f"{one['mb'] / one['cpu_s']:.1f}" for one in found)
        print(
            f"{name}: {speeds} MB per CPU s of {best['mb']:.0f} MB; {best['kept']:,.0f} of "
            f"{best['read']:,.0f} documents kept; peak {best['rss_mb']:.0f} MB"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else None)
