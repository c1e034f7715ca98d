"""WARC files beside their peers: records read, documents read, and documents with their text.

Every side runs in a process of its own on one pinned core, all sides in turn, round by round; a
ratio is the median of those of the rounds. The input is all ``*.warc.gz`` of a folder, joined and
repeated, so that starting up does not count. Peers that are not installed are left out.

All read every record to its end. ``records`` undo HTTP's codings (fastwarc too), ``documents`` are
those that gristmill makes: decoded, with title, date and license; ``text`` adds the extraction of
resiliparse to the documents, as fastwarc and resiliparse do it together.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import paired

LEAST_BYTES = 100 << 20
"""Of the input, as it lies in the file."""
SLOW = {"warcio": 8, "datatrove": 32, "text": 32, "fastwarc + resiliparse": 32}
"""Sides that read a part of the input: one in so many."""
PEERS_OF = {
    "records": ("fastwarc", "warcio"),
    "documents": ("fastwarc", "datatrove"),
    "text": ("fastwarc + resiliparse",),
}


def records(path: str) -> tuple[int, int]:
    from gristmill._core import WarcRecords

    size, n = os.path.getsize(path), 0
    with open(path, "rb") as file:
        reader = WarcRecords(file, True, 0, size, size, 16 << 20, True)
        while batch := reader.next_batch():
            n += len(batch)
    return n, 0


def _documents(path: str) -> Iterator[Any]:
    from gristmill.sources.base import Item
    from gristmill.sources.warc import records as read

    return read(Item(path=path, locator="bench", n_bytes=os.path.getsize(path)), "repair")


def documents(path: str) -> tuple[int, int]:
    found, n = _documents(path), 0
    while True:
        try:
            next(found)
        except StopIteration as end:
            return n + sum(end.value.values()), n
        n += 1


def text(path: str) -> tuple[int, int]:
    from resiliparse.extract.html2text import extract_plain_text

    n = 0
    for found in _documents(path):
        extract_plain_text(found.text, main_content=True)
        n += 1
    return 0, n


def fastwarc(path: str) -> tuple[int, int]:
    from fastwarc.warc import ArchiveIterator

    n = 0
    with open(path, "rb") as file:
        for record in ArchiveIterator(file, auto_decode="all"):
            record.reader.read()
            n += 1
    return n, 0


def fastwarc_resiliparse(path: str) -> tuple[int, int]:
    from fastwarc.warc import ArchiveIterator, WarcRecordType
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.encoding import detect_encoding

    n = 0
    with open(path, "rb") as file:
        for record in ArchiveIterator(file, WarcRecordType.response, auto_decode="all"):
            page = record.reader.read()
            charset = record.http_charset or detect_encoding(page)
            extract_plain_text(page.decode(charset, "replace"), main_content=True)
            n += 1
    return 0, n


def warcio(path: str) -> tuple[int, int]:
    from warcio.archiveiterator import ArchiveIterator

    n = 0
    with open(path, "rb") as file:
        for record in ArchiveIterator(file):
            record.content_stream().read()
            n += 1
    return n, 0


def datatrove(path: str) -> tuple[int, int]:
    from datatrove.pipeline.readers import WarcReader
    from loguru import logger

    logger.remove()
    folder, name = os.path.split(path)
    return 0, sum(1 for _ in WarcReader(folder, glob_pattern=name).run())


SIDES: dict[str, tuple[Callable[[str], tuple[int, int]], tuple[str, ...]]] = {
    "records": (records, ()),
    "documents": (documents, ()),
    "text": (text, ("resiliparse",)),
    "fastwarc": (fastwarc, ("fastwarc",)),
    "fastwarc + resiliparse": (fastwarc_resiliparse, ("fastwarc", "resiliparse")),
    "warcio": (warcio, ("warcio",)),
    "datatrove": (datatrove, ("datatrove", "warcio", "cchardet", "magic")),
}


def run_side(side: str, path: str, core: int) -> dict[str, float]:
    """Records and pages per CPU second of one side, and its memory."""
    paired.pin(core)
    reader, counts = SIDES[side][0], list[tuple[int, int]]()
    reader(path + ".small")  # loads and warms what is needed
    part = path if side not in SLOW else f"{path}.{SLOW[side]}"
    figures = paired.measure(lambda: counts.append(reader(part)))
    (n_records, n_pages), cpu = counts[0], figures["cpu_s"]
    return figures | {"records_per_s": n_records / cpu, "pages_per_s": n_pages / cpu}


def _make(folder: Path, into: Path) -> str:
    once = b"".join(path.read_bytes() for path in sorted(folder.glob("*.warc.gz")))
    if not once:
        sys.exit(f"{folder}: no *.warc.gz there")
    path = into / "bench.warc.gz"
    for name, parts in [(".small", None), ("", 1), *((f".{n}", n) for n in set(SLOW.values()))]:
        copies = 1 if parts is None else LEAST_BYTES // len(once) // parts + 1
        with open(f"{path}{name}", "wb") as file:
            for _ in range(copies):
                file.write(once)
    return str(path)


def measure(folder: Path, rounds: int = 3, core: int = 0) -> list[dict[str, Any]]:
    """Measure all sides on the WARC files of a folder.

    Returns:
        A row per side: records and pages per CPU second (0 where a side does not count them), peak
        memory in MB, and for ours the ratios to its peers.
    """
    sides = [side for side, (_, needs) in SIDES.items() if all(map(find_spec, needs))]
    found: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    with TemporaryDirectory() as into:
        path = _make(folder, Path(into))
        for _ in range(rounds):
            for side in sides:
                command = [sys.executable, __file__, side, path, str(core)]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                found[side].append(json.loads(done.stdout.splitlines()[-1]))
    return [_row(side, found) for side in sides]


def _row(side: str, found: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    row: dict[str, Any] = {"side": side}
    for key in ("records_per_s", "pages_per_s", "rss_mb"):
        row[key] = median(one[key] for one in found[side])
    for peer in PEERS_OF.get(side, ()):
        if peer in found:
            counted = all(one["records_per_s"] for one in (row, found[peer][0]))
            key = "records_per_s" if counted else "pages_per_s"
            pairs = zip(found[side], found[peer], strict=True)
            row[f"ratio to {peer}"] = median(ours[key] / theirs[key] for ours, theirs in pairs)
    return row


if __name__ == "__main__":
    print(json.dumps(run_side(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
