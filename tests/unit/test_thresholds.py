"""Drop rates per threshold: what a rebuild with another threshold really drops."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from corpora import texts
from gristmill.build import build
from gristmill.filters.gopher import Gopher
from gristmill.filters.quality import quality_signals
from gristmill.inspection import drop_rates

FRENCH = "Bonjour tout le monde, ceci est un texte écrit en français. "


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """Documents of which more and more is French."""
    folder = tmp_path_factory.mktemp("rates")
    made = [text + FRENCH * n for n, text in enumerate(texts(n_docs=30))]
    lines = [
        json.dumps({"text": text, "license": "MIT" if n % 3 else "ISC"})
        for n, text in enumerate(made)
    ]
    (folder / "mixed.jsonl").write_text("\n".join(lines))
    return {
        "name": "mixed",
        "sources": [{"name": "mixed", "path": str(folder / "mixed.jsonl")}],
        "licenses": {"allow": ["MIT"]},
        "language": {"keep": ["en"], "min_score": 0.6},
        "quality": {"rules": ["gopher"]},
    }


@pytest.fixture(scope="module")
def corpus(recipe, tmp_path_factory):
    return build(recipe, tmp_path_factory.mktemp("rates-out"))


def rates_of(corpus, signal, side):
    found = drop_rates(corpus.path)["thresholds"]
    return next(row for row in found if (row["signal"], row["side"]) == (signal, side))


def test_the_rate_of_a_language_score_is_what_a_rebuild_drops(recipe, corpus, tmp_path):
    row = rates_of(corpus, "language_score", "low")
    assert len({rate["documents"] for rate in row["rates"]}) > 2
    for number, rate in enumerate(row["rates"]):
        settings = [f"language.min_score={rate['value']}"]
        rebuilt = build(recipe, tmp_path / str(number), settings=settings)
        language = next(one for one in rebuilt.run["stages"] if one["name"] == "language")
        assert language["dropped"].get("language_score", 0) == rate["documents"]
        assert rate["share"] == rate["documents"] / row["measured"]


def test_the_rates_of_rules_are_those_of_their_signals(recipe, corpus):
    """Against the rules applied to the documents that reached the stage, signals not rounded."""
    given = pl.read_ndjson(recipe["sources"][0]["path"])["text"].to_list()
    n_bytes = (
        corpus.ledger().filter(pl.col("gopher_word_count").is_not_null()).collect()["bytes_in"]
    )
    reached = [text for text in given if len(text.encode()) in set(n_bytes)]
    signals = quality_signals(reached)
    for rule in Gopher().rules():
        sides = [side for side, at in (("low", rule.low), ("high", rule.high)) if np.isfinite(at)]
        at_present = 0
        for side in sides:
            row = rates_of(corpus, rule.signal, side)
            assert row["measured"] == len(reached)
            at_present += next(
                rate["documents"] for rate in row["rates"] if rate["value"] == row["threshold"]
            )
        values = signals[rule.signal].to_numpy().astype(np.float64)
        assert at_present == int(rule.broken(values).sum())


def test_licenses_are_counted_with_their_fates(corpus):
    counted = {row["license"]: row for row in drop_rates(corpus.path)["licenses"]}
    ledger = corpus.ledger().collect()
    assert counted["ISC"]["dropped"] == counted["ISC"]["documents"] > 0
    assert counted["MIT"]["dropped"] == 0
    assert sum(row["documents"] for row in counted.values()) == ledger.height
    assert counted["MIT"]["kept"] == (ledger["fate"] == "kept").sum()


def test_the_examples_are_the_documents_nearest_to_the_threshold(corpus):
    given = {row["id"]: row["text"] for row in corpus.documents().collect().to_dicts()}
    ledger = corpus.ledger().collect()
    found = drop_rates(corpus.path, texts=True)["thresholds"]
    assert any(len(row["examples"]) == 2 for row in found)
    for row in (one for one in found if one["stage"] == "quality"):
        values = ledger.drop_nulls(row["signal"]).select("id", row["signal"]).rows()
        sign = 1 if row["side"] == "high" else -1
        limit = float(np.float32(row["threshold"]))
        for one in row["examples"]:
            side = [abs(value - row["threshold"]) for _, value in values
                    if (sign * value > sign * limit) == one["breaks"]]  # fmt: skip
            assert abs(one["value"] - row["threshold"]) == min(side)
            assert 0 < len(one["text"]) <= 60
            if one["id"] in given:
                assert " ".join(given[one["id"]].split()).startswith(one["text"])


def test_examples_of_sources_that_are_gone_have_no_text(recipe, tmp_path):
    path = tmp_path / "gone.jsonl"
    path.write_text(Path(recipe["sources"][0]["path"]).read_text())
    built = build(recipe | {"sources": [{"name": "gone", "path": str(path)}]}, tmp_path / "out")
    path.unlink()
    found = drop_rates(built.path, texts=True)["thresholds"]
    ledger = dict(built.ledger().select("id", "fate").collect().iter_rows())
    examples = [one for row in found for one in row["examples"]]
    assert {ledger[one["id"]] for one in examples} == {"kept", "dropped"}
    for one in examples:
        assert (one["text"] is None) == (ledger[one["id"]] == "dropped")


def test_scores_of_other_stages_have_rows_when_the_recipe_asks_for_them(corpus, tmp_path):
    """The ledger and the recipe of a corpus that was judged so, made by hand."""
    shutil.copytree(corpus.path, tmp_path / "c")
    path = next((tmp_path / "c" / "ledger").glob("*.parquet"))
    n_docs = pl.read_parquet(path).height
    scores = pl.Series("toxicity_score", np.linspace(0, 1, n_docs), pl.Float32)
    counts = pl.Series("pii_count", np.arange(n_docs) % 3, pl.UInt32)
    pl.read_parquet(path).with_columns(scores, counts).write_parquet(path)
    run = json.loads((tmp_path / "c" / "run.json").read_text())
    run["recipe"] |= {"toxicity": {"max_score": 0.5}, "pii": {"mask": ["email"]}}
    (tmp_path / "c" / "run.json").write_text(json.dumps(run))
    found = {row["signal"]: row for row in drop_rates(tmp_path / "c")["thresholds"]}
    toxic = next(r for r in found["toxicity_score"]["rates"] if r["value"] == 0.5)
    assert toxic["documents"] == int((scores > 0.5).sum())
    (personal,) = found["pii_count"]["rates"]
    assert personal["documents"] == int((counts > 0).sum())
    assert [one["value"] for one in found["pii_count"]["examples"]] == [1, 0]


def test_thresholds_of_the_recipe_are_those_shown(recipe, tmp_path):
    """As `run.json` has them; the recipe's own key comes with its option."""
    built = build(recipe, tmp_path / "out")
    run = json.loads((built.path / "run.json").read_text())
    run["recipe"]["quality"] |= {"thresholds": {"gopher_word_count": [7, 200]}}
    (built.path / "run.json").write_text(json.dumps(run))
    found = drop_rates(built.path)["thresholds"]
    assert [r["threshold"] for r in found if r["signal"] == "gopher_word_count"] == [7, 200]


def test_a_corpus_without_such_stages_has_no_thresholds(tmp_path, recipe):
    plain = {key: recipe[key] for key in ("name", "sources")}
    rates = drop_rates(build(plain, tmp_path).path)
    assert rates["thresholds"] == []
    assert rates["documents"] == sum(row["documents"] for row in rates["licenses"])


def test_a_limited_build_ends_with_the_table(gristmill, tmp_path, recipe):
    path = tmp_path / "recipe.yaml"
    path.write_text(json.dumps(recipe))
    code, out, _ = gristmill("build", path, "--out", tmp_path / "out", "--limit", 20)
    assert code == 0
    assert "what other thresholds would drop" in out
    assert "nearest to each threshold" in out
    code, out, _ = gristmill("build", path, "--out", tmp_path / "out", "--limit", 20, "--json")
    assert json.loads(out)["drop_rates"]["documents"] == 20
    code, out, _ = gristmill("inspect", tmp_path / "out", "--thresholds")
    assert code == 0
    assert "language_score" in out
    code, out, _ = gristmill("build", path, "--out", tmp_path / "out", "--json")
    assert "drop_rates" not in json.loads(out)
