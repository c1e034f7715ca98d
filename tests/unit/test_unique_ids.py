"""Of documents with one id the first stays, wherever the others stand."""

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.build import build
from gristmill.errors import DataRefusedError
from gristmill.inspection.sample import NOT_FOUND_AGAIN, sample
from gristmill.unique_ids import own_ids
from gristmill.verify import verify_corpus


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
    assert dropped["detail"][1].startswith("id 18 is the id of an earlier document")
    assert ledger["id"].is_unique().all()
    assert set(docs["id"]) < set(ledger["id"])
    assert verify_corpus(corpus.path) == []
    [group] = sample(corpus.path, stage="unique_ids")["groups"]
    assert {one["note"] for one in group["shown"]} == {NOT_FOUND_AGAIN["unique_ids"]}


def test_too_many_of_them_are_refused_with_exit_3_and_without_any_nothing_is_done(inputs):
    with pytest.raises(DataRefusedError, match=r"3 of 33 records are bad \(duplicate_id 3\)"):
        build(recipe(inputs, max_bad_fraction=0.08), inputs / "out")
    write(inputs / "second.jsonl", [{"text": "no id"}])
    corpus = build(recipe(inputs), inputs / "out")
    assert "unique_ids" not in [stage["name"] for stage in corpus.run["stages"]]


def test_an_id_is_that_of_the_document_that_stays_wherever_others_were_dropped(tmp_path):
    write(tmp_path / "first.jsonl", [{"id": "a", "text": " "}, {"id": "b", "text": " "}])
    write(tmp_path / "second.jsonl", [{"id": "a", "text": "stays"}, {"id": "b", "text": "\t"}])
    corpus = build(recipe(tmp_path) | {"normalize": {}}, tmp_path / "out")
    assert corpus.documents().collect()["id"].to_list() == ["a"]
    fates = dict(corpus.ledger().select("id", "fate").collect().iter_rows())
    assert (len(fates), fates["a"], fates["b"]) == (4, "kept", "dropped")
    assert verify_corpus(corpus.path) == []


def test_rows_keep_their_ids_when_nothing_repeats():
    ids, left = pa.chunked_array([["a", "b"], ["c"]]), pa.chunked_array([[True, False], [True]])
    assert own_ids(ids, left) == {}


ROWS = st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=12)


@given(ROWS)
def test_one_row_of_an_id_keeps_it_and_the_others_differ(rows):
    ids = pa.chunked_array([[doc_id for doc_id, _ in rows]], pa.string())
    found = own_ids(ids, pa.chunked_array([[left for _, left in rows]], pa.bool_()))
    after = [found.get(row, doc_id) for row, (doc_id, _) in enumerate(rows)]
    assert len(set(after)) == len(after)
    for doc_id in {doc_id for doc_id, _ in rows}:
        own = [row for row, (one, _) in enumerate(rows) if one == doc_id]
        lefts = [row for row in own if rows[row][1]]
        assert after[(lefts or own)[0]] == doc_id
