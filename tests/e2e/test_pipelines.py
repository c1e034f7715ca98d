"""Every shipped recipe is accepted, and the ones for a user's own data run on small data."""

import shutil
from pathlib import Path

import pytest

from corpora import texts, write_input
from gristmill.build import build, plan, prepare
from gristmill.init import KINDS, render
from gristmill.recipe import load_recipe
from gristmill.train.recipe import load as load_training

PIPELINES = Path(__file__).parents[2] / "pipelines"


@pytest.mark.parametrize("kind", KINDS)
def test_a_recipe_is_what_init_writes(kind):
    assert (PIPELINES / f"{kind}.yaml").read_text() == render(kind)


def test_every_recipe_is_in_the_table_and_accepted():
    table = (PIPELINES / "README.md").read_text()
    for path in PIPELINES.rglob("*.yaml"):
        assert f"`{path.relative_to(PIPELINES)}`" in table
        if path.parent.name == "train":
            load_training(path)
        else:
            load_recipe(path)


def test_the_demo_recipe_finds_text_of_each_kind(tmp_path):
    run = prepare(PIPELINES / "demo.yaml", tmp_path)
    assert {job.reader.name for job in plan(run)} == {"descriptions", "docs", "packages", "stdlib"}


SMALL = ["tokenizer.vocab_size=400", "pack.seq_len=64", "limits.max_bad_fraction=0.1"]


def test_the_text_recipe_runs(tmp_path):
    data = write_input(tmp_path / "in").parent / "web.jsonl"
    settings = [f"sources.0.path={data}", "quality.rules=[gopher]", *SMALL]
    corpus = build(PIPELINES / "text.yaml", tmp_path / "out", settings=settings)
    assert 0 < corpus.documents().collect().height < len(texts())
    assert (corpus.path / "card" / "datasheet.html").is_file()


def test_the_code_recipe_runs(tmp_path):
    package = Path(shutil.__file__).parent / "json"
    corpus = build(
        PIPELINES / "code.yaml",
        tmp_path / "out",
        settings=[f"sources.0.path={package}", "pack.validation=0", *SMALL],
    )
    assert corpus.documents().collect().height == len(list(package.glob("*.py")))


@pytest.mark.parametrize("name", ["web", "text", "code"])
def test_the_recipes_are_what_init_writes(name):
    from gristmill.init import render

    assert (PIPELINES / f"{name}.yaml").read_text() == render(name)
