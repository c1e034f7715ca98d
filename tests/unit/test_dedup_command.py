"""``gristmill dedup`` and ``gristmill trace`` from their arguments to files and exit codes."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gristmill.build import build
from gristmill.cli.app import app, run
from gristmill.schema import DOCUMENT, LEDGER

PASSAGE = "A passage of some length, é, that stands in three documents. " * 2
REST = "Here is enough text of its own for the document to stay in the corpus.\n"
RECORDS = [
    {"id": "one", "text": f"First: {PASSAGE}", "license": "MIT", "url": "https://example.org/1"},
    {"id": "two", "text": REST + PASSAGE},
    {"id": "three", "text": PASSAGE},
]


def invoke(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = run(lambda: app([str(argument) for argument in arguments]))
    printed = capsys.readouterr()
    return code, printed.out, printed.err


@pytest.fixture
def inputs(tmp_path: Path) -> list[Path]:
    lines = [json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in RECORDS]
    paths = [tmp_path / "b" / "docs.jsonl", tmp_path / "a" / "docs.jsonl.gz"]
    for path in paths:
        path.parent.mkdir()
    paths[0].write_bytes(lines[0])
    paths[1].write_bytes(gzip.compress(b"".join(lines[1:])))
    return paths


def read(out: Path, folder: str) -> pl.DataFrame:
    return pl.read_parquet(out / folder / "part-*.parquet")


@pytest.mark.parametrize("engine", ["winnowing", "suffix-array"])
def test_exact_writes_documents_and_a_row_for_each_read(
    inputs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], engine: str
) -> None:
    out = tmp_path / "out"
    arguments = ("--out", out, "--engine", engine, "--memory", "1GiB", "--json")
    code, printed, _ = invoke(capsys, "dedup", "exact", *inputs, *arguments)
    assert code == 0
    stages = {stage["name"]: stage for stage in json.loads(printed)["stages"]}
    assert stages["exact_substrings"]["dropped"] == {"too_short_after_cut": 1}
    documents, ledger = read(out, "documents"), read(out, "ledger")
    assert documents.columns == DOCUMENT.names
    assert ledger.columns == LEDGER.names
    assert documents["text"].to_list() == [RECORDS[0]["text"], REST]
    assert ledger["id"].to_list() == ["one", "two", "three"]
    assert ledger["fate"].to_list() == ["kept", "kept", "dropped"]
    assert ledger["duplicate_of"].to_list() == [None, "one", "one"]


def test_near_keeps_the_first_of_the_inputs_as_given(
    inputs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy.jsonl"
    copy.write_text(json.dumps({"id": "copy", "text": RECORDS[1]["text"].upper()}))
    code, printed, _ = invoke(capsys, "dedup", "near", copy, *inputs, "--out", tmp_path / "out")
    assert code == 0
    assert "near_duplicate" in printed
    fates = dict(read(tmp_path / "out", "ledger").select("id", "fate").rows())
    assert fates == {"copy": "kept", "one": "kept", "two": "dropped", "three": "dropped"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("exact", "--min-bytes", "0"), "min_bytes: input should be greater than"),
        (("exact", "--engine", "tree"), "engine: input should be 'winnowing' or 'suffix-array'"),
        (("exact", "--memory", "much"), "memory"),
        (("near", "--threshold", "1.5"), "threshold: input should be less than or equal to 1"),
        (("near", "--bands", "16"), "bands = 16 is given without rows; give both or none"),
        (("near", "--bands", "16", "--rows", "9"), "at most num_perm = 128"),
        (("near", "--method", "simhash"), "method: input should be 'one-permutation' or"),
        (("near", "--keep", "last"), "keep: input should be 'first', 'longest' or 'quality'"),
        (("near", "--quality-key", "q"), "quality_key = 'q' has no effect with keep: first"),
        (("near", "--memory", "much"), "limits.memory"),
        (("near", "--against", "nowhere"), "nowhere: not a corpus directory"),
    ],
)
def test_wrong_use_ends_with_2_before_anything_is_written(
    inputs: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    kind, *options = arguments
    out = tmp_path / "out"
    code, _, printed = invoke(capsys, "dedup", kind, *inputs, "--out", out, *options)
    assert code == 2
    assert message in printed
    assert not out.exists()


def test_a_missing_input_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("dedup", "exact", tmp_path / "no.jsonl", "--out", tmp_path / "out")
    code, _, printed = invoke(capsys, *arguments)
    assert code == 2
    assert "no.jsonl" in printed


@pytest.fixture
def corpus(inputs: list[Path], tmp_path: Path) -> Path:
    sources = [{"name": path.parent.name, "path": str(path)} for path in inputs]
    recipe: dict[str, Any] = {"name": "traced", "sources": sources, "index": {}}
    return build(recipe, tmp_path / "corpus").path


def test_trace_prints_spans_with_their_documents(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "They say: First: A passage of some length, é, is [red]here[/]."
    code, printed, _ = invoke(capsys, "trace", corpus, text, "--min-tokens", 4)
    assert code == 0
    assert text in printed.replace("\n", "")
    assert all(part in printed for part in ("1 spans", "one at 0", "MIT", "example.org/1"))
    (tmp_path / "text.txt").write_text(text)
    arguments = ("--file", tmp_path / "text.txt", "--min-tokens", 4, "--json")
    code, printed, _ = invoke(capsys, "trace", corpus, *arguments)
    (span,) = json.loads(printed)["spans"]
    assert (span["start"], span["end"]) == (text.index("First"), text.index("is ["))
    assert span["documents"][0]["id"] == "one"


def test_trace_says_when_nothing_occurs(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, printed, _ = invoke(capsys, "trace", corpus, "nothing of this is there")
    assert code == 0
    assert "no span of 8 tokens or more" in printed.replace("\n", " ")


def test_trace_without_one_text_or_an_index_ends_with_2(
    corpus: Path, inputs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(capsys, "trace", corpus)[0] == 2
    assert invoke(capsys, "trace", corpus, "a", "--file", inputs[0])[0] == 2
    assert invoke(capsys, "trace", corpus, "--file", inputs[1])[0] == 2  # gzip is not UTF-8
    assert invoke(capsys, "trace", corpus, "--file", tmp_path / "none")[0] == 2
    assert invoke(capsys, "trace", inputs[0].parent, "a")[0] == 2
