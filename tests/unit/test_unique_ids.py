"""Of documents with one id the first stays, wherever the others stand."""

import json

import pytest

from gristmill.build import build
from gristmill.errors import DataRefusedError


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def recipe(folder, **limits):
    sources = [
        {"name": name, "path": str(folder / f"{name}.jsonl")} for name in ("first", "second")
    ]
    return {"name": "ids", "sources": sources, "limits": {"max_bad_fraction": 0.5} | limits}


@pytest.fixture
def inputs(tmp_path):
    write(tmp_path / "first.jsonl", [{"id": f"id {i}", "text": f"first {i}"} for i in range(20)])
    rows = [{"id": f"id {i}", "text": f"second {i}"} for i in range(18, 30)]
    write(tmp_path / "second.jsonl", [*rows, {"id": "id 29", "text": "once more"}])
    return tmp_path


def test_the_first_document_of_an_id_stays_and_the_others_have_their_rows(inputs):
    corpus = build(recipe(inputs), inputs / "out")
    docs, ledger = corpus.documents().collect(), corpus.ledger().collect()
    assert docs["text"].to_list() == [
        *(f"first {i}" for i in range(20)), *(f"second {i}" for i in range(20, 30)),
    ]  # fmt: skip
    assert len(ledger) == 33
    dropped = ledger.filter(fate="dropped").sort("stage")
    assert dropped["stage"].to_list() == ["read", "unique_ids", "unique_ids"]
    assert set(dropped["reason"]) == {"duplicate_id"}
    assert dropped["duplicate_of"].to_list() == [None, "id 18", "id 19"]


def test_too_many_of_them_are_refused_with_exit_3_and_without_any_nothing_is_done(inputs):
    with pytest.raises(DataRefusedError, match=r"3 of 33 records are bad \(duplicate_id 3\)"):
        build(recipe(inputs, max_bad_fraction=0.08), inputs / "out")
    write(inputs / "second.jsonl", [{"text": "no id"}])
    corpus = build(recipe(inputs), inputs / "out")
    assert "unique_ids" not in [stage["name"] for stage in corpus.run["stages"]]
