"""The exact-match index: building it, its size, and tracing texts of 2,000 characters.

    python benches/trace.py [TEXT.jsonl]

Builds an index of the file's texts, or of 100 MB found on this machine, in a temporary folder; then a
fresh process opens it and traces 500 texts taken verbatim from one document and 500 glued from twenty,
each twice: the second time is timed. Resident memory is that of the whole process, Python and pyarrow
included.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
from paired import measure, texts

from gristmill.schema import DOCUMENT
from gristmill.trace import Index, build_index

N_BYTES = 100_000_000
QUERY_CHARS = 2000
N_PIECES = 20
N_QUERIES = 500


def table(documents: list[str]) -> pa.Table:
    n = len(documents)
    columns = {
        "id": [f"d{i}" for i in range(n)],
        "text": documents,
        "source": ["bench"] * n,
        "license": ["NOASSERTION"] * n,
        "url": [None] * n,
        "created": [None] * n,
        "metadata": ["{}"] * n,
    }
    return pa.table(columns, schema=DOCUMENT)


def queries(documents: list[str], n_pieces: int) -> list[str]:
    """Texts of `QUERY_CHARS`, each glued from `n_pieces` places of documents that are long enough."""
    rng = random.Random(n_pieces)
    length = QUERY_CHARS // n_pieces
    long = [document for document in documents if len(document) > QUERY_CHARS]

    def piece() -> str:
        document = rng.choice(long)
        start = rng.randrange(len(document) - length)
        return document[start : start + length]

    return ["".join(piece() for _ in range(n_pieces)) for _ in range(N_QUERIES)]


def status(key: str) -> float:
    """A line of the process's status, in MB; 0 where the system has none."""
    path = Path("/proc/self/status")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(key)), 0.0)


def trace(folder: Path) -> None:
    """Trace the queries in `folder` and print the figures."""
    asked: dict[str, list[str]] = json.loads((folder / "queries.json").read_text())
    index = Index.open(folder / "index")
    for kind, texts_of_kind in asked.items():
        for text in texts_of_kind:
            index.trace(text)
        ms = []
        for text in texts_of_kind:
            started = time.perf_counter()
            index.trace(text)
            ms.append(1e3 * (time.perf_counter() - started))
        ms.sort()
        print(
            f"{kind}: median {statistics.median(ms):.2f} ms, 99th percentile "
            f"{ms[len(ms) * 99 // 100]:.2f} ms"
        )
    print(f"resident {status('VmRSS'):.0f} MB, at most {status('VmHWM'):.0f} MB")


def main() -> None:
    if sys.argv[1:2] == ["--trace"]:
        trace(Path(sys.argv[2]))
        return
    path = sys.argv[1] if len(sys.argv) > 1 else None
    documents = texts(sys.maxsize if path else N_BYTES, path)
    n_bytes = sum(len(document.encode()) for document in documents)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = table(documents)
        built = measure(lambda: build_index([rows], folder / "index"))
        size = sum(file.stat().st_size for file in (folder / "index").iterdir())
        print(
            f"{n_bytes / 1e6:.0f} MB of text: built at {n_bytes / 1e6 / built['cpu_s']:.1f} MB per "
            f"CPU second, {size / n_bytes:.2f} bytes a byte, peak memory +{built['peak_mb']:.0f} MB",
            flush=True,
        )
        asked = {"verbatim": queries(documents, 1), "glued": queries(documents, N_PIECES)}
        (folder / "queries.json").write_text(json.dumps(asked))
        subprocess.run([sys.executable, __file__, "--trace", name], check=True)


if __name__ == "__main__":
    main()
