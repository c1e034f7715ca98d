"""All filters in one build: what each drops, tags, cuts and hides, and that the corpus holds."""

import json
import random

import polars as pl
import pytest

from corpora import digests, document
from gristmill.build import build
from gristmill.errors import RecipeError
from gristmill.verify import verify_corpus

ITEM = {
    "query": "Which harbor village keeps a paper lantern burning in the summer window of its old "
    "stone bridge house until the last boat returns?",
    "choices": ["the northern one", "the southern one"],
    "gold": 0,
}
ABUSE = (
    "You stupid worthless idiot, shut the fuck up, you are a fucking piece of shit.",
    "Go to hell you dumb bitch, nobody wants to hear that from such a retarded moron.",
    "What an ugly pathetic loser you are, and fuck your stupid mother with all of you.",
)
KEY = "0123456789abcdef-of-a-test"


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """A recipe with every filter, over documents in which each finds something."""
    chooser = random.Random(3)
    made = {f"plain-{at}": document(chooser) for at in range(20)}
    made["mail-1"] = f"{document(chooser)}\nWrite to jane.doe@example.org about it."
    made["mail-2"] = f"{document(chooser)}\nOr ask Jane.Doe@example.org."
    made["key"] = f"{document(chooser)}\nThe key is AKIAIOSFODNN7EXAMPLE."
    made["item"] = f"{document(chooser, 6)}\n{ITEM['query']}\n{document(chooser, 6)}"
    made["abuse"] = "\n".join([*ABUSE, document(chooser, 1)])
    made["french"] = "Bonjour tout le monde, ceci est un texte écrit en français. " * 12
    made["short"] = document(chooser, 2)
    lines = [json.dumps({"id": name, "text": text}) for name, text in made.items()]
    (tmp_path / "texts.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "items.jsonl").write_text(json.dumps(ITEM), encoding="utf-8")
    monkeypatch.setenv("GRISTMILL_TEST_KEY", KEY)
    (tmp_path / "recipe.yaml").write_text("""\
name: filtered
sources: [{name: texts, path: texts.jsonl, license: MIT}]
language: {keep: [en], min_score: 0.3}
quality: {rules: [gopher], thresholds: {gopher_word_count: [40, 100000]}}
toxicity: {max_score: 0.9}
tag: [gopher_word_count]
decontaminate: {against: [items.jsonl], action: cut}
pii: {pseudonymise: [email], key_env: GRISTMILL_TEST_KEY, drop: [secret]}
card: {}
""")
    return tmp_path / "recipe.yaml"


def rows(corpus):
    return corpus.ledger().collect().rows_by_key("id", named=True, unique=True)


def test_each_filter_says_what_it_found(recipe, tmp_path):
    corpus = build(recipe, tmp_path / "out")
    found = rows(corpus)
    assert found["french"]["reason"] == "language"
    assert (found["abuse"]["stage"], found["abuse"]["reason"]) == ("toxicity", "toxicity")
    assert found["abuse"]["toxicity_score"] > 0.9
    assert found["key"]["reason"] == "pii"
    assert (found["short"]["fate"], found["short"]["tags"]) == ("kept", "gopher_word_count")
    assert found["item"]["fate"] == "kept"
    assert found["item"]["detail"].startswith("cut items.jsonl:1")
    assert found["plain-0"]["tags"] is None
    assert verify_corpus(corpus.path) == []


def test_what_was_found_of_a_benchmark_is_told_with_its_document(recipe, tmp_path):
    corpus = build(recipe, tmp_path / "out")
    [row] = pl.read_parquet(corpus.path / "contamination.parquet").to_dicts()
    assert (row["id"], row["source"]) == ("item", "texts")
    assert ITEM["query"] in row["matched"]
    left = dict(corpus.documents().select("id", "text").collect().iter_rows())
    assert "lantern" not in left["item"]


def test_a_pseudonym_is_the_same_in_the_whole_corpus_and_another_under_another_key(
    recipe, tmp_path, monkeypatch
):
    def pseudonyms():
        corpus = build(recipe, tmp_path / "out")
        texts = dict(corpus.documents().select("id", "text").collect().iter_rows())
        return corpus, [
            texts[name].split("<EMAIL_")[1].split(">")[0] for name in ("mail-1", "mail-2")
        ]

    corpus, (one, two) = pseudonyms()
    assert one == two
    told = next(stage for stage in corpus.run["stages"] if stage["name"] == "pii")
    assert len(told["key"]) == 16
    monkeypatch.setenv("GRISTMILL_TEST_KEY", KEY[::-1])
    again, (other, _) = pseudonyms()
    assert other != one
    assert again.run["fingerprint"] != corpus.run["fingerprint"]
    assert KEY not in (tmp_path / "out/run.json").read_text()
    monkeypatch.delenv("GRISTMILL_TEST_KEY")
    with pytest.raises(RecipeError, match="'GRISTMILL_TEST_KEY' is not set"):
        pseudonyms()


def test_workers_change_no_byte_and_a_source_may_skip_filters(recipe, tmp_path):
    one, two = (build(recipe, tmp_path / f"w{n}", workers=n) for n in (1, 2))
    assert digests(one.path) == digests(two.path)
    skips = "sources.0.skip=[quality, toxicity]"
    with pytest.raises(RecipeError, match="every source skips quality"):
        build(recipe, tmp_path / "skip", settings=[skips])


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("tag=[gopher_word_cuont]", "did you mean 'gopher_word_count'"),
        ("tag=[classifier_score]", "is no reason of a filter of this recipe"),
        ("quality.thresholds={gopher_wordcount: 3}", "did you mean 'gopher_word_count'"),
        ("pii.mask=[emial]", "did you mean 'email'"),
        ("decontaminate.against=[nothing.jsonl]", "nothing.jsonl"),
        ("language.model=lid.ftz", "lid.ftz: no such file"),
        ("toxicity.max_score=1.5", "toxicity.max_score"),
    ],
)
def test_a_filter_that_could_have_no_effect_is_refused_before_any_work(
    recipe, tmp_path, setting, message
):
    with pytest.raises(RecipeError) as caught:
        build(recipe, tmp_path / "out", settings=[setting])
    assert message in str(caught.value)
    assert not (tmp_path / "out").exists()
