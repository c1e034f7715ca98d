"""The fate of one document, told stage by stage."""

from __future__ import annotations

import io
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.cards import why
from gristmill.cards.fate import fates, nearest, split_detail
from gristmill.errors import RecipeError
from synthetic_corpus import STAGES, Doc, make_docs, write_corpus


@pytest.fixture(scope="module")
def docs():
    return make_docs(120)


@pytest.fixture(scope="module")
def corpus(docs, tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("why"), docs)


def test_every_input_document_has_a_fate_that_ends_where_the_ledger_says(docs, corpus):
    for doc in docs:
        told = why(corpus, doc.id)
        outcomes = [stage["outcome"] for stage in told["stages"]]
        names = [stage["stage"] for stage in told["stages"]]
        if doc.stage is None:
            assert names == STAGES
            assert "dropped" not in outcomes
        else:
            assert names == STAGES[: STAGES.index(doc.stage) + 1]
            assert outcomes[-1] == "dropped"
            assert told["stages"][-1]["reason"] == doc.reason
            assert told["place"] is None


def test_a_dropped_copy_names_its_twin_and_the_twin_its_copies(docs, corpus):
    copy = next(doc for doc in docs if doc.duplicate_of)
    twin = next(doc for doc in docs if doc.id == copy.duplicate_of)
    told = why(corpus, copy.id)["twin"]
    assert (told["id"], told["source"], told["url"]) == (twin.id, twin.source, twin.url)
    copies = why(corpus, twin.id)["copies"]
    assert copies["documents"] == sum(doc.duplicate_of == twin.id for doc in docs)
    assert copies["documents"] > 0


def test_cuts_and_masks_are_told_of_their_own_stage(docs, corpus):
    cut = next(doc for doc in docs if doc.stage is None and "cut" in (doc.detail or ""))
    stages = {stage["stage"]: stage for stage in why(corpus, cut.id)["stages"]}
    assert stages["exact_substrings"]["outcome"] == "changed"
    assert stages["exact_substrings"]["detail"] == cut.detail
    masked = next(doc for doc in docs if doc.stage is None and "email" in (doc.detail or ""))
    stages = {stage["stage"]: stage for stage in why(corpus, masked.id)["stages"]}
    assert stages["pii"] == {"stage": "pii", "outcome": "changed", "detail": masked.detail}


def test_a_kept_document_is_found_in_its_file(docs, corpus):
    import pyarrow.parquet as pq

    kept = [doc for doc in docs if doc.stage is None]
    for doc in (kept[0], kept[-1]):
        place = why(corpus, doc.id)["place"]
        table = pq.read_table(corpus / place["file"])
        assert table["text"][place["row"]].as_py() == doc.text
        assert place["tokens"] > 0


def test_an_unknown_id_is_answered_with_the_nearest(docs, corpus):
    with pytest.raises(RecipeError, match=docs[3].id):
        why(corpus, docs[3].id[:-1] + "z")
    with pytest.raises(RecipeError, match="ids look like"):
        why(corpus, "~")


def test_an_empty_ledger_says_so(tmp_path):
    with pytest.raises(RecipeError, match="the ledger is empty"):
        why(write_corpus(tmp_path, []), "a")


@given(st.lists(st.text("ab", max_size=6), max_size=12), st.text("ab", max_size=6))
def test_nearest_shares_the_longest_beginning(ids, asked):
    def shared(other):
        n = 0
        while n < min(len(asked), len(other)) and asked[n] == other[n]:
            n += 1
        return n

    best = max(map(shared, ids), default=0)
    found = nearest(asked, sorted(ids))
    assert bool(found) == (best > 0)
    assert all(shared(other) == best for other in found)


@pytest.mark.parametrize(
    ("detail", "dropped_by", "expected"),
    [
        (None, None, {}),
        ("9 < 50", "quality", {"quality": "9 < 50"}),
        (
            "cut 1,200 bytes in 2 ranges; longest from offset 0 of a; 12 characters left",
            "exact_substrings",
            {
                "exact_substrings": "cut 1,200 bytes in 2 ranges; longest from offset 0 of a; "
                "12 characters left"
            },
        ),
        (
            "cut 120 bytes in 1 range; longest from offset 7 of x; email 2, ip 1",
            None,
            {
                "exact_substrings": "cut 120 bytes in 1 range; longest from offset 7 of x",
                "pii": "email 2, ip 1",
            },
        ),
    ],
)
def test_parts_of_a_detail_go_to_the_stage_that_wrote_them(detail, dropped_by, expected):
    assert split_detail(detail, STAGES, dropped_by) == expected


def test_the_command_tells_it_to_people_and_programs(gristmill, docs, corpus):
    copy = next(doc for doc in docs if doc.duplicate_of)
    code, out, _ = gristmill("why", corpus, copy.id)
    assert code == 0
    assert copy.stage in out
    assert copy.duplicate_of in out
    code, out, _ = gristmill("why", corpus, copy.id, "--json")
    assert code == 0
    assert json.loads(out)["twin"]["id"] == copy.duplicate_of
    code, out, err = gristmill("why", corpus, "0" * 32)
    assert (code, out) == (2, "")
    assert "no input document" in err


def test_brackets_in_a_document_are_not_styles(gristmill, tmp_path):
    doc = Doc(
        id="[bold]x[/]", text="t", source="[red]s", url="[/]u", stage="quality", reason="[/r]"
    )
    corpus = write_corpus(tmp_path, [doc])
    code, out, _ = gristmill("why", corpus, doc.id)
    assert code == 0
    assert "[bold]x[/]" in out
    assert "[/r]" in out


def test_many_documents_are_told_as_each_alone(docs, corpus):
    ids = [doc.id for doc in reversed(docs)]
    told = fates(corpus, [*ids, "unknown", ids[0]])
    assert list(told) == ids
    assert told == {doc_id: why(corpus, doc_id) for doc_id in ids}


def test_several_ids_and_ids_from_stdin_are_one_command(gristmill, docs, corpus, monkeypatch):
    first, second, third = (doc.id for doc in docs[:3])
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{second}\n\n{third}\n"))
    code, out, _ = gristmill("why", corpus, first, "-", "--json")
    assert code == 0
    answers = json.loads(out)["answers"]
    assert [answer["document"]["id"] for answer in answers] == [first, second, third]


def test_ids_that_are_there_are_answered_beside_one_that_is_not(gristmill, docs, corpus):
    code, out, err = gristmill("why", corpus, docs[0].id, "~", docs[1].id[:-1] + "z", docs[2].id)
    assert code == 1
    assert docs[0].id in out
    assert docs[2].id in out
    assert "'~'; ids look like" in err
    assert docs[1].id in err
