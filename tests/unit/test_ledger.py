"""The ledger against a slow twin that follows every document by hand."""

from dataclasses import dataclass

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.errors import IntegrityError
from gristmill.ledger import (
    FINDINGS,
    Tally,
    apply,
    compose,
    first_findings,
    overlay,
    text_bytes,
)
from gristmill.schema import DOCUMENT, LEDGER
from gristmill.stage import Verdict
from gristmill.steps import _ledger_rows


def documents(texts):
    n_docs = len(texts)
    return pa.table(
        {
            "id": [f"d{number}" for number in range(n_docs)],
            "text": texts,
            "source": ["s"] * n_docs,
            "license": ["MIT"] * n_docs,
            "url": [None] * n_docs,
            "created": [None] * n_docs,
            "metadata": ["{}"] * n_docs,
        },
        schema=DOCUMENT,
    )


@dataclass
class DropsAndMarks:
    """Drops the documents whose text holds `word`, appends a letter to the others."""

    name: str
    word: str

    def judge(self, docs):
        texts = docs["text"].to_pylist()
        return Verdict(
            reason=pa.array(
                [f"has_{self.word}" if self.word in text else None for text in texts], pa.string()
            ),
            detail=pa.array(
                [f"{self.word}?" if len(text) % 2 else None for text in texts], pa.string()
            ),
            text=pa.array([text + self.name for text in texts], pa.large_string()),
            columns={"pii_count": pa.array([len(text) for text in texts], pa.uint32())},
        )


def follow(text, stages):
    """The slow twin: the fate of one document, stage by stage."""
    row = {
        "fate": "kept",
        "stage": None,
        "reason": None,
        "detail": None,
        "bytes_out": len(text.encode()),
        "pii_count": None,
    }
    for stage in stages:
        row["pii_count"] = len(text)
        if len(text) % 2:
            said = f"{stage.word}?"
            row["detail"] = said if row["detail"] is None else f"{row['detail']}; {said}"
        if stage.word in text:
            return {
                **row,
                "fate": "dropped",
                "stage": stage.name,
                "reason": f"has_{stage.word}",
                "bytes_out": 0,
            }
        text += stage.name
        row["bytes_out"] = len(text.encode())
    return row


STAGES = [DropsAndMarks("p", "a"), DropsAndMarks("q", "b"), DropsAndMarks("é", "c")]


@settings(deadline=None)
@given(st.lists(st.text("abcdxé", max_size=4), max_size=30), st.integers(0, 3), st.integers(1, 9))
def test_every_document_has_the_row_that_following_it_gives(texts, n_streaming, per_unit):
    docs = documents(texts)
    ledgers, kept = [], []
    for start in range(0, max(len(docs), 1), per_unit):
        part = docs.slice(start, per_unit)
        findings, left = first_findings(len(part), text_bytes(part)), part
        for stage in STAGES[:n_streaming]:
            left, found, _ = apply(stage, left)
            findings = overlay(findings, found)
        ledgers.append(_ledger_rows(part, findings))
        kept.append(left)
    left, later = pa.concat_tables(kept), []
    for stage in STAGES[n_streaming:]:
        left, found, tally = apply(stage, left)
        assert tally.docs_in == tally.docs_kept + sum(tally.dropped.values())
        assert tally.docs_kept == len(left)
        later.append(found)

    rows = pa.concat_tables([LEDGER.empty_table(), *compose(iter(ledgers), later, {})]).to_pylist()

    assert [row["id"] for row in rows] == docs["id"].to_pylist()
    for row, text in zip(rows, texts, strict=True):
        twin = follow(text, STAGES)
        assert {key: row[key] for key in twin} == twin
    assert left["id"].to_pylist() == [row["id"] for row in rows if row["fate"] == "kept"]


def test_a_count_survives_its_form_in_run_json_with_what_the_stage_noted():
    one = Tally("s", 3, 30, 10, {"short": 1}, 0.5, 7, {"cut": {"bytes": 20}})
    assert one.as_dict()["cut"] == {"bytes": 20}
    assert Tally.from_dict(one.as_dict()) == one
    total = Tally("s")
    total.add(one)
    assert total == one


def test_a_stage_that_forgets_a_document_is_caught():
    class Forgets:
        name = "forgets"

        def judge(self, docs):
            return Verdict(reason=pa.nulls(len(docs) - 1, pa.string()))

    with pytest.raises(IntegrityError, match="gave 1 verdicts for 2"):
        apply(Forgets(), documents(["a", "b"]))


def test_findings_for_other_documents_are_caught():
    two = first_findings(2, pa.chunked_array([[1, 1]], pa.uint64()))
    with pytest.raises(IntegrityError, match="findings for 2 kept"):
        overlay(two, FINDINGS.empty_table())
    ledger = _ledger_rows(documents(["a", "b"]), two)
    with pytest.raises(IntegrityError):
        list(compose(iter([ledger]), [pa.concat_tables([two, two])], {}))
