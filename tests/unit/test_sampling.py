"""A source's weight keeps that share of its documents, always the same ones."""

import pyarrow as pa
import pytest

from gristmill.build import build
from gristmill.errors import RecipeError
from gristmill.recipe import load_recipe
from gristmill.sampling import Sample

DOCS = pa.table({"id": [f"doc {i}" for i in range(20_000)]})


def kept(weight, seed=7, docs=DOCS):
    verdict = Sample(weight, seed).judge(docs)
    pairs = zip(docs["id"].to_pylist(), verdict.reason.to_pylist(), strict=True)
    return {doc_id for doc_id, reason in pairs if reason is None}


def test_about_the_share_of_the_weight_stays():
    for weight in (0.01, 0.25, 0.9):
        deviation = (weight * (1 - weight) * len(DOCS)) ** 0.5
        assert abs(len(kept(weight)) - weight * len(DOCS)) < 5 * deviation
    assert len(kept(1.0)) == len(DOCS)


def test_a_larger_weight_keeps_all_that_a_smaller_one_kept_and_batches_do_not_matter():
    assert kept(0.1) < kept(0.3)
    halves = kept(0.3, docs=DOCS.slice(0, 9_000)) | kept(0.3, docs=DOCS.slice(9_000))
    assert halves == kept(0.3)
    assert kept(0.3, seed=8) != kept(0.3)


def test_what_the_weight_drops_is_in_the_ledger_and_other_sources_are_whole(tmp_path):
    for name in ("a", "b"):
        rows = "".join(f'{{"text": "{name} says {i}"}}\n' for i in range(400))
        (tmp_path / f"{name}.jsonl").write_text(rows)
    recipe = {
        "name": "weighed",
        "sources": [
            {"name": "a", "path": str(tmp_path / "a.jsonl"), "weight": 0.5},
            {"name": "b", "path": str(tmp_path / "b.jsonl")},
        ],
    }
    corpus = build(recipe, tmp_path / "out")
    rows = corpus.ledger().collect().filter(fate="dropped")
    assert set(rows["source"]) == {"a"}
    assert set(rows["reason"]) == {"not_sampled"}
    assert set(rows["detail"]) == {"weight 0.5"}
    assert 140 < len(rows) < 260
    stages = {stage["name"]: stage for stage in corpus.run["stages"]}
    assert stages["sample"]["docs_in"] == stages["read"]["docs_in"] == 800


def test_a_weight_that_is_no_share_is_refused():
    for weight in (0, 1.5, -1):
        with pytest.raises(RecipeError, match="weight"):
            load_recipe(
                {"name": "x", "sources": [{"name": "a", "path": "a.jsonl", "weight": weight}]}
            )
