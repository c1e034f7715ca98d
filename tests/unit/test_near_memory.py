"""The memory that near-duplicates take beyond what the process has, with a budget and without."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from gristmill.documents import TEXT, TextFiles
from gristmill.tables import write_arrow

N_DOCS, N_BYTES = 400_000, 330
BUDGET = 120 * 2**20

PROBE = """
import sys
from pathlib import Path

from gristmill import _core
from gristmill.dedup import MinHash
from gristmill.documents import TextFiles
from gristmill.text import from_kernel


def memory(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


path, memory_given, spill = Path(sys.argv[1]), int(sys.argv[2]) or None, Path(sys.argv[3])
places = TextFiles([path]).places("text")
Path("/proc/self/clear_refs").write_text("5")
before = memory("VmRSS")
found = from_kernel(
    _core.near_duplicates_in_files(places, MinHash(), 1, memory_given, spill)
)["representative"].to_numpy()
print(memory("VmHWM") - before, len(set(found.tolist())), int(found[-1]))
"""


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """132 MB of words of six letters; the second half repeats the first but for the first word."""
    letters = np.random.default_rng(5).integers(97, 123, (N_DOCS, N_BYTES), np.uint8)
    letters[N_DOCS // 2 :, 7:] = letters[: N_DOCS // 2, 7:]
    letters[:, ::7] = ord(" ")
    offsets = np.arange(N_DOCS + 1, dtype=np.int64) * N_BYTES
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(letters)]
    column = pa.Array.from_buffers(pa.large_string(), N_DOCS, buffers)
    path = tmp_path_factory.mktemp("texts") / "texts.arrow"
    write_arrow(path, [pa.table({"text": column}, schema=TEXT)], TEXT)
    return path


def probe(texts: Path, memory: int) -> list[int]:
    """Bytes beyond those before, number of clusters, representative of the last document."""
    given = [sys.executable, "-c", PROBE, texts, memory, texts.parent / "spill"]
    done = subprocess.run([str(one) for one in given], capture_output=True, text=True, check=True)
    return [int(number) for number in done.stdout.split()]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak of a while")
def test_a_budget_bounds_the_memory_and_changes_nothing(texts: Path) -> None:
    assert len(TextFiles([texts])) == N_DOCS
    free, *clusters = probe(texts, 0)
    bounded, *same = probe(texts, BUDGET)
    assert same == clusters == [N_DOCS // 2, N_DOCS // 2 - 1]
    assert bounded < 1.25 * BUDGET
    assert free > 1.5 * BUDGET  # so the budget is what bounds it
