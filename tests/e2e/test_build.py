"""A whole build: every document accounted for, the same bytes however it is run."""

import json
from itertools import pairwise

import polars as pl
import pyarrow.parquet as pq
import pytest

from corpora import BOILERPLATE, DATA, digests, texts, write_input
from gristmill.build import build
from gristmill.corpus import Corpus
from gristmill.errors import DataRefusedError, GristmillError, RecipeError
from gristmill.schema import DOCUMENT, LEDGER


def test_every_document_read_is_in_the_ledger_and_each_stage_balances(small_corpus):
    ledger = small_corpus.ledger().collect()
    stages = small_corpus.run["stages"]
    assert len(ledger) == stages[0]["docs_in"] == len(texts()) + 1 + 3
    for stage in stages:
        assert stage["docs_in"] == stage["docs_kept"] + sum(stage["dropped"].values())
    for before, after in pairwise(stages):
        if before["name"] not in ("ledger", "tokenizer", "pack") and after["name"] != "ledger":
            assert after["docs_in"] == before["docs_kept"]
    kept = ledger.filter(pl.col("fate") == "kept")
    documents = small_corpus.documents().collect()
    assert kept["id"].to_list() == documents["id"].to_list()
    assert kept["bytes_out"].to_list() == documents["text"].str.len_bytes().to_list()


def test_every_stage_found_what_was_planted(small_corpus):
    ledger = small_corpus.ledger().collect()
    dropped = dict(ledger.filter(pl.col("fate") == "dropped").group_by("stage").len().iter_rows())
    assert {"read", "language", "quality", "exact_documents", "near_duplicates"} <= set(dropped)
    twins = ledger.filter(pl.col("stage").is_in(["exact_documents", "near_duplicates"]))
    assert set(twins["duplicate_of"]) <= set(ledger.filter(pl.col("fate") == "kept")["id"])
    together = "\n".join(small_corpus.documents().collect()["text"])
    assert together.count(BOILERPLATE) == 1
    assert "jane.doe@example.org" not in together
    assert "<EMAIL_1>" in together
    assert "café" in together


def test_files_have_the_schemas_of_the_contract(small_corpus):
    for folder, schema in (("documents", DOCUMENT), ("ledger", LEDGER)):
        for path in (small_corpus.path / folder).glob("part-*.parquet"):
            assert pq.read_schema(path).equals(schema)


@pytest.mark.parametrize("workers", [1, 2])
def test_another_run_gives_the_same_bytes(small_corpus, tmp_path, workers):
    again = build(write_input(tmp_path), tmp_path / "out", workers=workers)
    assert digests(again.path) == digests(small_corpus.path)
    assert again.fingerprint == small_corpus.fingerprint


def test_a_finished_build_does_nothing_again(tmp_path):
    recipe = write_input(tmp_path)
    first = build(recipe, tmp_path / "out")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("part-*")}
    second = build(recipe, tmp_path / "out")
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert second.run == first.run


def test_a_changed_recipe_in_the_same_folder_gives_what_a_fresh_build_gives(tmp_path):
    recipe = write_input(tmp_path)
    build(recipe, tmp_path / "out")
    change = ["pack.seq_len=32", "dedup.near.threshold=0.9"]
    changed = build(recipe, tmp_path / "out", settings=change)
    fresh = build(recipe, tmp_path / "fresh", settings=change)
    assert digests(changed.path) == digests(fresh.path)


def test_a_damaged_part_is_made_again(tmp_path):
    recipe = write_input(tmp_path)
    first = digests(build(recipe, tmp_path / "out").path)
    part = next((tmp_path / "out" / "documents").iterdir())
    part.write_bytes(part.read_bytes()[:-1])
    assert digests(build(recipe, tmp_path / "out").path) == first


def test_a_limit_reads_the_first_documents_of_each_source(tmp_path):
    corpus = build(write_input(tmp_path), tmp_path / "out", limit=10)
    counts = dict(corpus.ledger().group_by("source").len().collect().iter_rows())
    assert counts["notes"] == 3
    assert 10 <= counts["web"] <= 11  # the bad record among them is counted too


def test_too_many_bad_records_are_refused_and_what_was_read_stays(tmp_path):
    recipe = write_input(tmp_path)
    with pytest.raises(DataRefusedError, match=r"1 of .* records are bad"):
        build(recipe, tmp_path / "out", settings=["limits.max_bad_fraction=0"])
    assert build(recipe, tmp_path / "out").name == "small"


def test_a_source_without_documents_is_refused(tmp_path):
    recipe = write_input(tmp_path)
    (tmp_path / "web.jsonl").write_text("")
    with pytest.raises(RecipeError, match=r"'web': no document in web\.jsonl"):
        build(recipe, tmp_path / "out")


def test_a_build_that_drops_everything_says_which_stage_did(tmp_path):
    with pytest.raises(GristmillError, match=r"no document is left of \d+ \(language: language"):
        build(write_input(tmp_path), tmp_path / "out", settings=["language.keep=[ja]"])
    with pytest.raises(RecipeError, match="not finished"):
        Corpus.open(tmp_path / "out")


def test_run_json_lists_every_data_file_with_its_digest(small_corpus):
    listed = set(json.loads((small_corpus.path / "run.json").read_bytes())["files"])
    assert listed == set(digests(small_corpus.path, (*DATA, "index")))
