"""The training recipe refuses early, helps, and has a stable fingerprint."""

from pathlib import Path

import pytest
import yaml

from gristmill.errors import RecipeError
from gristmill.train.recipe import load

PIPELINES = Path(__file__).parents[2] / "pipelines" / "train"
SMALL = {"data": "corpus", "schedule": {"steps": 10}}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"modle": {}}, "did you mean 'model'?"),
        ({"optimizer": {"weight_deacy": 0.1}}, "did you mean 'weight_decay'?"),
        ({"model": {"form": "x"}}, "did you mean 'from'?"),
        ({"validate": {"evry": 1}}, "did you mean 'every'?"),
        ({"schedule": {}}, "schedule.steps: missing"),
        ({"batch": {"rows": 0}}, "batch.rows"),
        ({"engine": {"kind": "ddp", "zero": 1}}, "zero = 1 belongs to kind: deepspeed"),
        ({"model": {"from": "x", "layers": 2}}, "remove layers"),
        ({"model": {"hidden_size": 30, "heads": 4}}, "heads = 4 does not divide hidden_size = 30"),
        ({"model": {"heads": 4, "kv_heads": 3}}, "kv_heads = 3 does not divide"),
        ({"optimizer": {"betas": [0.9, 1.0]}}, "less than 1"),
        ({"schedule": {"steps": 5, "warmup_steps": 6}}, "more than steps = 5"),
    ],
)
def test_a_fault_is_refused_with_its_key_and_a_remedy(change, said):
    with pytest.raises(RecipeError) as refusal:
        load(SMALL | change)
    assert said in str(refusal.value)


def test_paths_start_from_the_recipes_folder_and_those_of_set_from_the_current_one(
    tmp_path, monkeypatch
):
    (tmp_path / "recipes").mkdir()
    file = tmp_path / "recipes" / "r.yaml"
    file.write_text(yaml.safe_dump(SMALL | {"name": "n"}))
    monkeypatch.chdir(tmp_path)
    recipe = load(file)
    assert recipe.data == tmp_path / "recipes" / "corpus"
    assert recipe.out == tmp_path / "recipes" / "runs" / "n"
    recipe = load(file, ["data=elsewhere", "out=there", "optimizer.lr=1.0e-4"])
    assert (recipe.data, recipe.out) == (tmp_path / "elsewhere", tmp_path / "there")
    assert recipe.optimizer.lr == 1e-4


def test_the_resolved_recipe_reads_back_as_itself():
    for table in (SMALL, SMALL | {"model": {"from": "/m"}}, SMALL | {"engine": {"kind": "ddp"}}):
        recipe = load(table)
        assert load(recipe.resolved()) == recipe


def test_the_fingerprint_is_of_what_is_trained_not_of_where():
    fingerprint = load(SMALL).fingerprint()
    assert load(SMALL | {"data": "other", "out": "there"}).fingerprint() == fingerprint
    assert load(SMALL | {"seed": 8}).fingerprint() != fingerprint


def test_engine_and_passes_may_change_in_a_run_and_the_learning_rate_may_not():
    before = load(SMALL).trajectory()
    free = {"engine": {"kind": "ddp"}, "batch": {"micro_rows": 2}, "checkpoint": {"keep": 1}}
    assert load(SMALL | free).trajectory() == before
    assert load(SMALL | {"optimizer": {"lr": 1e-4}}).trajectory() != before


def test_a_batch_that_does_not_divide_is_refused():
    recipe = load(SMALL | {"batch": {"rows": 12, "micro_rows": 4}, "engine": {"kind": "ddp"}})
    assert recipe.passes(3) == 1
    with pytest.raises(RecipeError, match="multiple of 8"):
        recipe.passes(2)


def test_the_single_engine_refuses_two_processes():
    with pytest.raises(RecipeError, match=r"engine\.kind = single"):
        load(SMALL).passes(2)


@pytest.mark.parametrize("file", sorted(PIPELINES.glob("*.yaml")), ids=lambda file: file.name)
def test_every_shipped_recipe_is_accepted(file):
    recipe = load(file)
    assert recipe.passes(2) >= 1
