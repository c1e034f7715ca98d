"""JSON Lines and Parquet to documents: MB of text per CPU second, beside what others do with them.

One pinned core, decompression included; each reading runs in a process of its own that has imported
what it needs. Ours gives batches of documents; polars and pyarrow give their columns as they are;
datatrove gives its documents one by one. orjson is what datatrove parses with.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import paired

FORMATS = ("jsonl.zst", "jsonl.gz", "jsonl", "parquet")
LICENSES = ("CC-BY-4.0", "MIT", "Public Domain", "cc-by-sa-4.0")


def rich(record: dict[str, Any], number: int) -> dict[str, Any]:
    """A record with the columns that web corpora bring."""
    return record | {
        "source": "web",
        "created": f"2024-0{number % 9 + 1}-11T10:11:12.000Z",
        "license": LICENSES[number % len(LICENSES)],
        "metadata": {"url": f"https://example.org/{number}", "lines": [number, None]},
        "score": (number % 997) / 997,
    }


def write(texts: list[str], folder: Path) -> int:
    """Write the texts with ids in every format, and with more columns; the bytes of text."""
    import gzip

    import pyarrow as pa
    import pyarrow.parquet as pq

    records = [{"id": f"doc-{i}", "text": text} for i, text in enumerate(texts)]
    kinds = {"plain": records, "rich": [rich(record, i) for i, record in enumerate(records)]}
    for name, rows in kinds.items():
        lines = b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
        (folder / f"{name}.jsonl").write_bytes(lines)
        (folder / f"{name}.jsonl.gz").write_bytes(gzip.compress(lines, 6))
        packed = pa.Codec("zstd").compress(lines, asbytes=True)
        (folder / f"{name}.jsonl.zst").write_bytes(packed)
        flat = [{key: one for key, one in row.items() if key != "metadata"} for row in rows]
        pq.write_table(pa.Table.from_pylist(flat), folder / f"{name}.parquet", compression="zstd")
    return sum(len(text.encode()) for text in texts)


def ours(path: Path) -> Callable[[], int]:
    from gristmill.sources import open_source

    source = open_source(name="bench", path=path.name, base=path.parent)
    splits = source.splits()
    return lambda: sum(len(batch.docs) for split in splits for batch in source.read(split))


def polars(path: Path) -> Callable[[], int]:
    import polars as pl

    read = pl.read_parquet if path.suffix == ".parquet" else pl.read_ndjson
    return lambda: len(read(path))


def pyarrow(path: Path) -> Callable[[], int]:
    import pyarrow as pa
    import pyarrow.json
    import pyarrow.parquet

    if path.suffix == ".parquet":
        return lambda: len(pa.parquet.read_table(path, use_threads=False))
    options = pa.json.ReadOptions(use_threads=False, block_size=16 << 20)
    return lambda: len(pa.json.read_json(pa.input_stream(str(path)), options))


def datatrove(path: Path) -> Callable[[], int]:
    from datatrove.pipeline.readers import JsonlReader, ParquetReader
    from loguru import logger

    logger.remove()
    kind = ParquetReader if path.suffix == ".parquet" else JsonlReader
    reader = kind(str(path.parent), glob_pattern=path.name)

    def documents() -> Iterator[Any]:
        yield from reader.run()

    return lambda: sum(1 for _ in documents())


SIDES = {"gristmill": ours, "polars": polars, "pyarrow": pyarrow, "datatrove": datatrove}


def side(name: str, path: str, core: int) -> dict[str, float]:
    """One reading, in this process."""
    paired.pin(core)
    work, counted = SIDES[name](Path(path)), list[int]()
    paired.forget_peak()
    return paired.measure(lambda: counted.append(work())) | {"n_docs": counted[0]}


def measure(folder: Path, texts: list[str], rounds: int = 3, core: int = 0) -> list[dict[str, Any]]:
    """A row per file: MB per CPU second and MB of memory of each reader, and ours to the fastest peer.

    Figures are medians of `rounds`, in each of which all readers run in turn. A reader that does not
    give all documents (a package that it needs is missing) has none.
    """
    n_bytes = write(texts, folder)
    files = [f"{kind}.{format}" for kind in ("plain", "rich") for format in FORMATS]
    return [
        {"file": file} | _row(folder / file, len(texts), n_bytes, rounds, core) for file in files
    ]


def _row(path: Path, n_docs: int, n_bytes: int, rounds: int, core: int) -> dict[str, Any]:
    runs = [{name: _run(name, path, core) for name in SIDES} for _ in range(rounds)]
    good = [name for name in SIDES if all(run[name]["n_docs"] == n_docs for run in runs)]
    row: dict[str, Any] = {}
    for name in good:
        row[name] = median(n_bytes / 1e6 / run[name]["cpu_s"] for run in runs)
        row[f"{name} MB"] = median(run[name]["peak_mb"] for run in runs)
    fastest = min(good[1:], key=lambda name: median(run[name]["cpu_s"] for run in runs))
    ratios = [run[fastest]["cpu_s"] / run["gristmill"]["cpu_s"] for run in runs]
    return row | {"ratio to the fastest": f"{median(ratios):.2f} {fastest}"}


def _run(name: str, path: Path, core: int) -> dict[str, float]:
    command = [sys.executable, __file__, name, str(path), str(core)]
    done = subprocess.run(command, stdout=subprocess.PIPE)
    figures: dict[str, float] = json.loads(done.stdout) if done.returncode == 0 else {"n_docs": -1}
    return figures


if __name__ == "__main__":
    print(json.dumps(side(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
