"""The report counts what is there and shows no value of it."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from gristmill.cli import app
from gristmill.errors import RecipeError
from gristmill.pii.report import Report

ROWS = [
    {"source": "a", "text": "ada@example.org, bob@example.org, +44 20 7946 0958"},
    {"source": "b", "text": "nothing"},
    {"source": "b", "text": f"{'x ' * 60}card 4111 1111 1111 1111 of eve@example.com [red]"},
]
VALUES = ("ada", "bob", "eve@", "7946", "1111")


def table(rows: list[dict[str, str]]) -> pa.Table:
    return pa.Table.from_pylist(rows, pa.schema([("source", "string"), ("text", "large_string")]))


def run(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["pii", "report", *arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_counts_are_by_entity_source_and_domain_and_the_same_in_any_batches() -> None:
    whole, apart = Report(), Report()
    whole.add(table(ROWS))
    for row in ROWS:
        apart.add(table([row]))
    found = whole.as_dict()
    assert found == apart.as_dict()
    assert found["documents"] == 3
    assert found["entities"][0] == {
        "entity": "email",
        "found": 3,
        "documents": 2,
        "found_per_million_documents": 1e6,
    }
    assert [row["entity"] for row in found["entities"]] == ["email", "phone", "card"]
    assert [(row["source"], row["documents"]) for row in found["sources"]] == [("a", 1), ("b", 2)]
    assert found["email_domains"] == [
        {"domain": "example.org", "found": 2},
        {"domain": "example.com", "found": 1},
    ]
    assert found["examples"]["card"] == [f"{'x ' * 17}card <CARD> of <EMAIL> [red]"]


def test_an_unknown_entity_is_refused() -> None:
    with pytest.raises(RecipeError, match="did you mean 'email'"):
        Report(["emial"])


def test_files_are_reported_as_a_table_and_as_json_without_a_value(tmp_path: Path) -> None:
    path = tmp_path / "docs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    shown, data = run(str(path)), run(str(path), "--json")
    for output in (shown, data):
        assert "example.org" in output
        assert not any(value in output for value in VALUES)
    assert "1,000,000" in shown
    assert "[red]" in shown
    assert json.loads(data)["entities"][0]["found"] == 3
    one = json.loads(run(str(path), "--json", "--limit", "1", "--entity", "phone"))
    assert (one["documents"], [row["entity"] for row in one["entities"]]) == (1, ["phone"])


def test_a_corpus_tells_what_is_left_and_what_its_build_hid(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "documents").mkdir()
    (tmp_path / "ledger").mkdir()
    pq.write_table(table(ROWS), tmp_path / "documents" / "part-00000.parquet")
    ledger = {"fate": ["kept", "dropped"], "pii_count": [2, 1], "detail": ["email 2", "card 1"]}
    pq.write_table(pa.table(ledger), tmp_path / "ledger" / "part-00000.parquet")
    data = json.loads(run(str(tmp_path), "--json"))
    assert data["documents"] == 3
    assert data["hidden_by_the_build"] == [{"entity": "email", "found": 2}]
