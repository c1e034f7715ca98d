"""Filters beside their peers: decisions and recall on labelled data, speed, peak memory; and the chain.

    python benches/filters.py [DATA] [--only signals,pii]

DATA is a folder of labelled data: ``bench_en.jsonl.zst`` and the folders ``html_extraction``, ``lid``, ``pii``,
``toxicity`` and ``tasks``. Without it the parts run that need none of it, on the texts of installed
packages. Each part is a script in ``benches/filters/`` with a process of its own, which pins each side to a core and counts
CPU seconds.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

PARTS = (
    "signals",
    "gibberish",
    "language",
    "fasttext_models",
    "toxicity",
    "pii",
    "decontaminate",
    "bias",
    "chain",
)
WITHOUT_DATA = ("bias", "chain")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", help="folder of labelled data")
    parser.add_argument("--only", help=f"some of {','.join(PARTS)}")
    given = parser.parse_args()
    chosen = given.only.split(",") if given.only else PARTS if given.data else WITHOUT_DATA
    for part in chosen:
        print(f"\n== {part}", flush=True)
        script = Path(__file__).with_name("filters") / f"{part}.py"
        data = [str(given.data)] if given.data else []
        subprocess.run([sys.executable, str(script), *data], check=True)


if __name__ == "__main__":
    main()
