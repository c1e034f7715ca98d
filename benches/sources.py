"""Reading sources beside their peers: pages, web archives, JSON Lines and Parquet; and a whole build.

    python benches/sources.py --html FOLDER --warc FOLDER [--text FILE.jsonl] [--rounds 3]
    python benches/sources.py --build RECIPE [--kills 5] [--ids 1000]

``--html`` takes a folder of pages with gold texts (`ground-truth.json.gz` and `html/` as in the
article extraction benchmark), ``--warc`` one with ``*.warc.gz``; without them those parts are left
out. Every side runs in a process of its own on one pinned core, in turn; figures are CPU seconds.
Peers that are not installed are left out: resiliparse, trafilatura, fastwarc, polars, pyarrow and datatrove
are in the environment of the tests, ``pip install warcio readability-lxml faust-cchardet python-magic``
brings what is missing.

``--build`` makes a recipe with one worker, with two, and with two while it is killed `--kills` times,
and compares the bytes.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import paired

sys.path.insert(0, str(Path(__file__).with_name("reading")))

TEXT_BYTES = 330_000_000


def show(title: str, rows: list[dict[str, Any]]) -> None:
    """Print rows as a table, its columns as wide as they need to be."""
    print(f"\n{title}")
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [names, *([_cell(row.get(name)) for name in names] for row in rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(names))]
    for row in cells:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
    sys.stdout.flush()


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.3f}" if abs(value) < 10 else f"{value:,.0f}"
    return "" if value is None else str(value)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--html", type=Path, help="folder of pages with gold texts")
    parser.add_argument("--warc", type=Path, help="folder with *.warc.gz")
    parser.add_argument("--text", help="JSONL with a text in each line; else what is installed")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side")
    parser.add_argument("--core", type=int, default=(os.cpu_count() or 1) - 1, help="where to run")
    parser.add_argument("--build", type=Path, help="a recipe to build again and again, instead")
    parser.add_argument("--kills", type=int, default=5, help="how often it is killed")
    parser.add_argument("--ids", type=int, default=1_000, help="documents to ask `why` for")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    print(
        f"gristmill {version('gristmill')}, Python {sys.version.split()[0]}, {os.cpu_count()} cores"
    )
    if given.build is not None:
        import killed

        with TemporaryDirectory() as folder:
            killed.run(given.build, Path(folder), given.kills, given.ids)
        return
    if given.html is not None:
        import web_text

        show("pages to text", web_text.measure(given.html, given.rounds, given.core))
    if given.warc is not None:
        import warc

        show("web archives", warc.measure(given.warc, given.rounds, given.core))
    import records

    with TemporaryDirectory() as folder:
        texts = paired.texts(TEXT_BYTES, given.text)
        rows = records.measure(Path(folder), texts, given.rounds, given.core)
        show("records: MB of text per CPU second", rows)


if __name__ == "__main__":
    main()
