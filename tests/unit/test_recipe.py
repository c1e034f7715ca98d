"""Recipes: what is refused, in which words, and what changes the fingerprint."""

import pytest
import yaml

from gristmill.config import override, parse_bytes
from gristmill.errors import RecipeError
from gristmill.init import KINDS, render, write_recipe
from gristmill.recipe import Recipe, load_recipe

BASE = {"name": "x", "sources": [{"name": "a", "path": "*.jsonl"}]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pak": {}}, "unknown key 'pak'; did you mean 'pack'?"),
        ({"dedup": {"near": {"treshold": 1}}}, "did you mean 'threshold'?"),
        ({"sources": [{"name": "a", "pth": "x"}]}, "unknown key 'sources.0.pth'"),
        ({"pack": {}}, "pack needs a tokenizer"),
        ({"dedup": {}}, "names no kind of duplicate"),
        ({"normalize": None}, "write {} to run it with its defaults"),
        ({"language": {"keep": []}}, "language.keep"),
        ({"quality": {"rules": []}}, "quality.rules"),
        (
            {"quality": {}, "sources": [{**BASE["sources"][0], "skip": ["quality"]}]},
            "every source skips quality",
        ),
        ({"pii": {"mask": ["email"], "drop": ["email"]}}, "email has two actions"),
        ({"pii": {"mask": []}}, "names no entity"),
        ({"pii": {"pseudonymise": ["email"]}}, "pseudonymise and key_env belong together"),
        ({"pii": {"key_env": "KEY"}}, "pseudonymise and key_env belong together"),
        ({"classifier": {}}, "classifier.model"),
        ({"decontaminate": {"against": []}}, "decontaminate.against"),
        ({"licenses": {}}, "allows and denies nothing"),
        ({"limits": {"memory": "8 gigs"}}, "'8 gigs' is not a size"),
        ({"sources": []}, "sources"),
        ({"sources": [{"name": "a"}]}, "needs a path"),
        ({"sources": [BASE["sources"][0]] * 2}, "two sources are called 'a'"),
        ({"pack": {"seq_len": 1}}, "pack.seq_len"),
        ({"dedup": {"near": {"threshold": 1.5}}}, "dedup.near.threshold"),
        ({"dedup": {"near": {"bands": 4}}}, "dedup.near: bands = 4 is given without rows"),
        ({"dedup": {"near": {"rows": 4}}}, "dedup.near: rows = 4 is given without bands"),
        (
            {"dedup": {"near": {"bands": 16, "rows": 9}}},
            "dedup.near: bands x rows = 16 x 9 is not allowed: together at most num_perm = 128",
        ),
        ({"dedup": {"near": {"bands": 0, "rows": 4}}}, "dedup.near.bands"),
        ({"dedup": {"near": {"method": "simhash"}}}, "dedup.near.method"),
        ({"dedup": {"near": {"keep": "last"}}}, "dedup.near.keep"),
        ({"dedup": {"near": {"against": []}}}, "dedup.near.against"),
        (
            {"dedup": {"near": {"keep": "longest", "quality_key": "score"}}},
            "quality_key = 'score' has no effect with keep: longest; say keep: quality",
        ),
    ],
)
def test_a_faulty_recipe_is_refused_with_its_key_and_remedy(change, words):
    with pytest.raises(RecipeError) as caught:
        load_recipe({**BASE, **change})
    assert words in str(caught.value)
    assert caught.value.exit_code == 2


def test_an_entity_with_another_action_leaves_the_default_mask():
    options = load_recipe({**BASE, "pii": {"drop": ["secret"], "tag": ["url"]}}).pii
    assert "secret" not in options.mask
    assert "email" in options.mask


def test_the_fingerprint_follows_what_changes_bytes_and_nothing_else():
    plain = load_recipe(BASE).fingerprint()
    assert load_recipe({**BASE, "seed": 7}).fingerprint() == plain  # the default, spelled out
    assert load_recipe({**BASE, "out": "elsewhere"}).fingerprint() == plain
    assert load_recipe({**BASE, "limits": {"memory": "1GiB"}}).fingerprint() == plain
    assert load_recipe({**BASE, "seed": 8}).fingerprint() != plain
    assert load_recipe({**BASE, "normalize": {}}).fingerprint() != plain


def test_settings_reach_into_mappings_and_lists():
    changed = override(BASE, ["sources.0.path=b.jsonl", "pack.seq_len=64", "seed=3"])
    assert changed["sources"] == [{"name": "a", "path": "b.jsonl"}]
    assert (changed["pack"], changed["seed"]) == ({"seq_len": 64}, 3)
    assert BASE["sources"][0]["path"] == "*.jsonl"
    with pytest.raises(RecipeError, match="KEY=VALUE"):
        override(BASE, ["seed"])
    with pytest.raises(RecipeError, match="no position"):
        override(BASE, ["sources.1.path=x"])


@pytest.mark.parametrize(
    ("text", "n_bytes"), [("2GB", 2 * 10**9), ("4GiB", 2**32), ("1.5 kb", 1500), ("7", 7), (7, 7)]
)
def test_sizes_have_units(text, n_bytes):
    assert parse_bytes(text) == n_bytes


def test_a_missing_or_broken_file_is_refused(tmp_path):
    with pytest.raises(RecipeError, match="no such recipe"):
        load_recipe(tmp_path / "none.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("name: [")
    with pytest.raises(RecipeError, match="not valid YAML"):
        load_recipe(broken)
    broken.write_text("- a\n")
    with pytest.raises(RecipeError, match="expected keys"):
        load_recipe(broken)


@pytest.mark.parametrize("kind", KINDS)
def test_the_recipe_that_init_writes_is_accepted_and_means_what_it_lists(kind, tmp_path):
    path = write_recipe(kind, tmp_path / "mine.yaml")
    recipe = load_recipe(path)
    given = {key for key in KINDS[kind] if getattr(recipe, key) is not None}
    assert given == set(KINDS[kind])
    with pytest.raises(RecipeError, match="exists already"):
        write_recipe(kind, path)


def test_init_documents_every_key_of_the_stages_it_writes():
    text = render("text")
    for stage in KINDS["text"]:
        annotation = Recipe.model_fields[stage].annotation
        model = getattr(annotation, "__args__", (annotation,))[0]
        for key in model.model_fields:
            assert f"{key}:" in text
    assert yaml.safe_load(text)["pii"] == {}


def test_the_recipe_has_at_most_seventy_one_keys_that_take_a_value():
    def keys(model):
        """Keys below `model`; a mapping counts by what it holds, an empty one (`index: {}`) as one."""
        n_keys = 0
        for field in model.model_fields.values():
            parts = [field.annotation, *getattr(field.annotation, "__args__", ())]
            below = sum(keys(part) for part in parts if hasattr(part, "model_fields"))
            n_keys += max(below, 1)
        return n_keys

    assert 40 < keys(Recipe) <= 71
