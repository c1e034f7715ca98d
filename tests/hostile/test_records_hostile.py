"""Lines that somebody made to break the reader: the same batches as from Python, in bounded memory."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from gristmill.sources import columns, jsonl
from gristmill.sources.base import Item, Origin

sys.path.insert(0, str(Path(__file__).parents[1]))
import naive_records

RECORD = {
    "id": "a",
    "text": 'é 😀 "quoted"\n\\ and \x7f',
    "license": "MIT",
    "created": "2024-02-29T12:30:00.123Z",
    "metadata": {"b": [1, -2.5e-7, {"c": None}], "a": True},
    "score": 1e22,
}


def item_of(path):
    return Item(path=str(path), locator=path.name, n_bytes=path.stat().st_size)


def rows(batches):
    return [(b.docs.to_pylist(), b.bad.to_pylist(), b.bad_at.tolist()) for b in batches]


def mutated(dice):
    """A good line of which some bytes were changed, cut out or put twice."""
    line = bytearray(json.dumps(RECORD, ensure_ascii=dice.random() < 0.5).encode())
    for _ in range(dice.randrange(1, 4)):
        at, n_bytes = dice.randrange(len(line)), dice.randrange(1, 9)
        kind = dice.randrange(3)
        if kind == 0:
            line[at] = dice.randrange(256)
        elif kind == 1:
            del line[at : at + n_bytes]
        else:
            line[at:at] = line[at : at + n_bytes]
    return bytes(line)


@pytest.mark.parametrize("seed", range(4))
def test_mutated_lines_and_noise_are_read_as_python_reads_them(tmp_path, seed):
    dice = random.Random(seed)
    lines = [mutated(dice) for _ in range(3_000)]
    lines += [dice.randbytes(dice.randrange(60)) for _ in range(1_000)]
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join(lines))
    origin, item = Origin(name="s", on_bad=("skip", "repair")[seed % 2]), item_of(path)
    expected = rows(naive_records.batches(origin, item, "jsonl"))
    assert rows(jsonl.batches(origin, item)) == expected


def test_lines_beyond_the_limit_are_dropped_and_counted(tmp_path, monkeypatch):
    limit = 3 << 20
    for module in (jsonl, columns):
        monkeypatch.setattr(module, "LONGEST_RECORD", limit)
    good = json.dumps({"text": "x" * (limit - 12)}).encode()
    assert len(good) == limit
    (tmp_path / "a.jsonl").write_bytes(
        b"\n".join([good, b"y" * (limit + 1), b'{"text": "b"}', b"z" * (20 << 20), good, b"w" * limit * 2])
    )  # fmt: skip
    found = rows(jsonl.batches(Origin(name="s"), item_of(tmp_path / "a.jsonl")))
    docs = [row["text"][:1] for batch in found for row in batch[0]]
    bad = [(row["reason"], row["bytes_in"], row["detail"][:9]) for one in found for row in one[1]]
    assert docs == ["x", "b", "x"]
    assert bad == [
        ("too_large", limit + 1, "a.jsonl:2"),
        ("too_large", 20 << 20, "a.jsonl:4"),
        ("too_large", limit * 2, "a.jsonl:6"),
    ]


def test_a_line_of_100_mb_takes_a_few_times_its_size(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "' + b"word " * (20 << 20) + b'"}\n{"text": "b"}\n')
    script = (
        "import resource, sys; from gristmill.sources import open_source\n"
        "source = open_source(name='s', path=sys.argv[1]); at = resource.RUSAGE_SELF\n"
        "before = resource.getrusage(at).ru_maxrss\n"
        "n = [len(b.docs) for s in source.splits()[:1] for b in source.read(s)]\n"
        "print(sum(n), resource.getrusage(at).ru_maxrss - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
    )
    n_docs, kb = map(int, done.stdout.split())
    assert n_docs == 2
    assert kb < (600 << 10 if sys.platform == "linux" else 600 << 20)
