"""Drop rates per threshold: what a rebuild with another threshold really drops."""

from __future__ import annotations

import json

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
        "language": {"keep": ["en"], "min_score": 0.5},
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
    code, out, _ = gristmill("build", path, "--out", tmp_path / "out", "--limit", 20, "--json")
    assert json.loads(out)["drop_rates"]["documents"] == 20
    code, out, _ = gristmill("inspect", tmp_path / "out", "--thresholds")
    assert code == 0
    assert "language_score" in out
    code, out, _ = gristmill("build", path, "--out", tmp_path / "out", "--json")
    assert "drop_rates" not in json.loads(out)
