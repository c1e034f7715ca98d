"""Bias figures of the card: the kernel against its twin, known corpora, hostile input, the pages."""

from __future__ import annotations

import json
import time
from collections import Counter
from math import exp, log

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import naive_terms
from gristmill import _core
from gristmill.cards import measure, write_card
from gristmill.cards.bias import LEAST_DOCUMENTS, count_terms, figures_of
from gristmill.cards.bias_terms import load_terms, packaged_terms
from gristmill.cards.facts import rows, value
from gristmill.cards.intervals import bounds, design_effect, log_odds, wilson
from gristmill.errors import RecipeError
from gristmill.text import as_table, from_kernel
from gristmill.verify import verify_corpus
from synthetic_corpus import Doc, write_corpus

TERMS = packaged_terms()


def counted_by_kernel(texts, phrases, groups, centers, window, threads=1, portions=1):
    counter = _core.TermCounter(phrases, groups, centers, window)
    for first in range(portions):
        counter.add(as_table(texts[first::portions]), threads)

    def rows_of(batches):
        return [tuple(row.values()) for row in from_kernel(batches).to_pylist()]

    return counter.words(), rows_of(counter.terms()), rows_of(counter.cells())


def figures(texts, terms=TERMS):
    return figures_of(count_terms([as_table(texts)], terms), "texts")


# ---- the kernel ----

WORDS = ["he", "She", "nurse", "NURSES", "black", "woman", "É", "straße", "ΟΔΟΣ", "x", "don't"]
SPACES = [" ", ", ", "\n", "-", " … "]


@st.composite
def lists(draw):
    """Phrases of some terms in some groups, and the terms that are centers."""
    n_terms = draw(st.integers(1, 5))
    phrase = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join)
    phrases = draw(st.lists(st.tuples(phrase, st.integers(0, n_terms - 1)), max_size=8))
    group = st.lists(st.integers(0, 3), max_size=2, unique=True)
    groups = draw(st.lists(group, min_size=n_terms, max_size=n_terms))
    centers = draw(st.lists(st.integers(0, n_terms - 1), max_size=n_terms, unique=True))
    return phrases, groups, centers, draw(st.integers(1, 6))


@st.composite
def running_text(draw):
    parts = draw(st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(SPACES)), max_size=25))
    return "".join(part for pair in parts for part in pair)


@given(st.lists(running_text(), max_size=6), lists(), st.integers(1, 3), st.integers(1, 3))
@settings(max_examples=150, deadline=None)
def test_counts_are_those_of_the_twin_for_any_threads_and_portions(texts, asked, threads, portions):
    expected = naive_terms.count(texts, *asked)
    assert counted_by_kernel(texts, *asked, threads, portions) == expected


def test_words_far_into_a_long_text_keep_their_distance():
    texts = ["nurse " + "x " * 9 + "she " + "padding " * 20_000 + "nurse " + "x " * 10 + "she"]
    asked = ([("nurse", 0), ("she", 1)], [[], [0]], [0], 10)
    assert counted_by_kernel(texts, *asked)[2] == [(1, 1, 1), (2, 1, 4)]


def test_a_pair_never_crosses_from_one_text_into_the_next():
    asked = ([("nurse", 0), ("she", 1)], [[], [0]], [0], 5)
    assert counted_by_kernel(["a nurse", "she"], *asked)[2] == [(0, 0, 0), (1, 1, 1)]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (([("!?", 0)], [[]], [], 5), "phrase"),
        (([("a", 1)], [[]], [], 5), "term = 1"),
        (([("a", 0)], [[]], [0, 0], 5), "centers = 0"),
        (([("a", 0)], [[]], [], 0), "window = 0"),
    ],
)
def test_lists_that_cannot_be_counted_are_refused(asked, message):
    with pytest.raises(ValueError, match=message):
        _core.TermCounter(*asked)


@pytest.mark.parametrize(
    "text",
    [
        "a" * 50_000_000,
        "she " * 2_500_000,
        "nurse she " * 1_000_000,
        "(" * 10_000_000,
        "é" * 5_000_000,
        "",
        "x",
        "\u202eنرس she ممرضة nurse\u202c",
        "she שלום nurse 看護師 she",
    ],
    ids=["one word", "one term", "two", "a line", "wide", "empty", "a letter", "right", "mixed"],
)
def test_hostile_texts_are_counted_in_bounded_time(text):
    started = time.process_time()
    counted = count_terms([as_table([text])], TERMS)
    assert time.process_time() - started < 5
    assert counted.everywhere("pronoun", "she").pairs == Counter(text.split())["she"]


# ---- intervals ----


def test_the_interval_of_a_share_is_wilsons():
    # Newcombe 1998, Statistics in Medicine 17, table I, method 3.
    published = {(81, 263): (0.2553, 0.3662), (15, 148): (0.0624, 0.1605), (0, 20): (0, 0.1611)}
    for (part, total), expected in published.items():
        assert wilson(part, total) == pytest.approx(expected, abs=5e-5)


def test_what_one_text_repeats_is_one_voice():
    assert design_effect(20, 20) == 1
    assert design_effect(20, 20 * 20) == 20
    assert wilson(20, 20, 20) == wilson(1, 1)


def test_the_log_of_odds_has_the_textbooks_variance():
    middle, variance = log_odds(19.5, 9.5)
    assert exp(middle) == pytest.approx(2)
    assert variance == pytest.approx(1 / 20 + 1 / 10)
    assert bounds(0, 1) == pytest.approx((-1.959964, 1.959964))


# ---- known corpora ----


def test_pronouns_near_an_occupation_are_counted_by_occupation():
    texts = ["The nurse said that she was late."] * 30 + ["The plumber lost his hat."] * 25
    found = {row["occupation"]: row for row in rows(figures(texts), "pronouns")}
    assert set(found) == {"nurse", "plumber"}
    assert [found["nurse"][p]["pairs"] for p in ("he", "she", "they")] == [0, 30, 0]
    assert found["nurse"]["she"]["low"] == pytest.approx(wilson(30, 30)[0], abs=1e-6)
    assert found["plumber"]["he"]["share"] == 1
    assert found["plumber"]["documents"] == 25


def test_a_pair_that_one_text_repeats_is_not_more_than_expected():
    others = ["men and a nurse"] * 10 + ["men and a plumber"] * 40 + ["women and a plumber"] * 10
    clump = ["women and a nurse. " + "x " * 20] * 60
    by_many, by_one = (
        next(
            row
            for row in rows(figures(others + more), "occupations")
            if (row["term"], row["occupation"]) == ("women", "nurse")
        )
        for more in (clump, ["".join(clump)])
    )
    assert by_many["low"] > 0 > by_one["low"]
    assert by_many["log_ratio"] == by_one["log_ratio"]


def test_a_single_text_that_repeats_itself_shows_nothing():
    texts = ["The nurse said that she was late. " * 1000]
    found = figures(texts)["pronouns"]
    assert found["rows"] == []
    assert found["left_out"] == 1


def test_pronouns_of_a_few_long_texts_have_a_wide_interval():
    long, short = (["nurse she " * n + "nurse he"] * 20 for n in (50, 1))
    wide, narrow = (rows(figures(texts), "pronouns")[0] for texts in (long, short))
    assert wide["she"]["pairs"] > 10 * narrow["she"]["pairs"]
    assert wide["independent"] == pytest.approx(20, abs=0.5)


def test_judging_words_are_held_against_the_whole_corpus():
    texts = ["Muslims are wonderful."] * 30 + ["Buddhists are horrible."] * 30
    texts += ["wonderful and horrible"] * 100
    found = {row["term"]: row for row in rows(figures(texts), "sentiment")}
    assert found["muslim"]["low"] > 0 > found["buddhist"]["high"]
    assert (found["muslim"]["positive"], found["muslim"]["negative"]) == (30, 0)
    assert found["muslim"]["log_ratio"] == pytest.approx(log(30.5 / 0.5), abs=1e-4)


def test_without_a_difference_no_interval_excludes_the_corpus():
    texts = [f"{who} are {what}." for who in ("Muslims", "Hindus") for what in ("loved", "hated")]
    for row in rows(figures(texts * 40), "sentiment"):
        assert row["low"] < 0 < row["high"]


def test_occupations_are_held_against_the_margins_of_their_table():
    texts = ["women and a nurse"] * 40 + ["men and a plumber"] * 40
    texts += ["women and a plumber"] * 10 + ["men and a nurse"] * 10
    found = {(row["term"], row["occupation"]): row for row in rows(figures(texts), "occupations")}
    assert found["women", "nurse"]["expected"] == 25
    assert found["women", "nurse"]["pairs"] == 40
    assert found["women", "nurse"]["low"] > 0 > found["men", "nurse"]["high"]


def test_spellings_and_regions_are_shares_of_their_own_words():
    texts = ["The colour of Kenya, the color of Kenyans."] * 2 + ["a grey Brazilian theatre"]
    found = figures(texts)
    british, american = found["spelling"]["dialects"]
    assert (british["occurrences"], american["occurrences"]) == (4, 2)
    assert british["share"] == pytest.approx(2 / 3, abs=1e-6)
    shares = {row["region"]: row["occurrences"] for row in rows(found, "regions")}
    assert shares == {**dict.fromkeys(shares, 0), "Africa": 4, "Latin America and Caribbean": 1}
    assert found["regions"]["countries"][0]["country"] == "Kenya"


def test_a_color_is_no_group_of_people_but_black_women_are_two():
    terms = {r["term"]: r["occurrences"] for r in rows(figures(["black cat"]), "identity_terms")}
    assert sum(terms.values()) == 0
    women = rows(figures(["Black women"]), "identity_terms")
    assert {row["term"] for row in women if row["occurrences"]} == {"black", "women"}


# ---- the lists ----


def test_no_form_of_the_packaged_lists_stands_for_two_things_of_one_kind():
    owners = {}
    for term in TERMS.terms:
        for form in (*term.forms, *term.domains):
            assert owners.setdefault((term.kind, form), term.name) == term.name, form
            assert form == form.lower()
    assert len(owners) > 1000


def test_every_list_names_its_source():
    given = TERMS.lists.model_dump(exclude={"language", "window"})
    assert all(part["source"] for part in given.values())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1]", "expected a mapping, got list"),
        ("language: [", "is not YAML"),
        ("language: en\nocupations: {}", "did you mean 'occupations'"),
        ("language: en\nwindow: 0", "window"),
        ("language: en\nregions: {source: x, groups: {A: {B: ['!']}}}", "'B' has a form without"),
        ("language: en\nspelling: {source: x, dialects: [a, b], pairs: [[c]]}", "pairs"),
        ("language: en\nspelling: {source: x, dialects: [a, b], pairs: [[c, d], [c, e]]}", "twice"),
        ("language: en\npronouns: {source: x, groups: {he: he, she: she}}", "they"),
    ],
)
def test_lists_with_a_fault_are_refused_with_its_place(tmp_path, content, message):
    path = tmp_path / "terms.yaml"
    path.write_text(content)
    with pytest.raises(RecipeError, match=message):
        load_terms(path)


def test_a_file_of_lists_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(RecipeError, match="does not exist"):
        load_terms(tmp_path / "terms.yaml")


def test_lists_that_ask_for_nothing_measure_nothing(tmp_path):
    (tmp_path / "terms.yaml").write_text("language: en")
    found = figures(["she is a nurse"], load_terms(tmp_path / "terms.yaml"))
    assert set(found.values()) == {None}


# ---- the card ----


def biased_docs():
    sentences = {
        "The nurse said that she was proud of the women.": 60,
        "The plumber said that he was angry with the men.": 60,
        "Muslims in Kenya are wonderful; the colour of their theatre is grey.": 60,
        "A nurse and her lovely men in Brazil, the color of the center.": 20,
    }
    texts = [text for text, n in sentences.items() for _ in range(n)]
    docs = [
        Doc(id=f"{at:032x}", text=f"{text} {at}", url=f"https://a{at}.example.ke/")
        for at, text in enumerate(texts)
    ]
    return [*docs, Doc(id="f" * 32, text="women she nurse " * 50, language="de")]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    corpus = write_corpus(tmp_path_factory.mktemp("biased"), biased_docs(), packed=False)
    write_card(corpus)
    return corpus


def test_only_documents_in_the_lists_language_are_judged(corpus):
    bias = measure(corpus, digests=False)["bias"]
    assert value(bias, "documents") == 200
    assert value(bias, "share_documents") == pytest.approx(200 / 201, abs=1e-6)
    nurse = next(row for row in rows(bias, "pronouns") if row["occupation"] == "nurse")
    assert nurse["she"]["pairs"] == 80
    assert {r["region"]: r["documents"] for r in rows(bias, "domains")}["Africa"] == 200


def test_the_pages_show_figures_and_what_they_cannot_tell(corpus):
    pages = {
        name: (corpus / "card" / name).read_text()
        for name in ("README.md", "datasheet.md", "datasheet.html")
    }
    for page in pages.values():
        for said in (
            "Counts are not harm",
            "negation and irony are not seen",
            "African-American English",
            "A mention is not an origin",
            "stand for somebody else",
        ):
            assert said in page
    for figure in ("people", "judgments", "pronouns", "occupations", "spelling", "regions"):
        assert f"figures/{figure}.svg" in pages["datasheet.md"]
        assert f'id="{figure}"' in pages["datasheet.html"]
        drawn = (corpus / "card" / "figures" / f"{figure}.svg").read_text()
        assert "<title" in drawn
        assert "<desc" in drawn


def test_verify_counts_again_and_names_a_figure_that_was_changed(corpus):
    path = corpus / "card" / "measured.json"
    written = path.read_bytes()
    assert verify_corpus(corpus) == []
    measured = json.loads(written)
    measured["bias"]["pronouns"]["rows"][0]["he"]["pairs"] += 1
    try:
        path.write_text(json.dumps(measured))
        assert [p.what.split(" = ")[0] for p in verify_corpus(corpus)] == [
            "bias.pronouns.rows[0].he.pairs"
        ]
    finally:
        path.write_bytes(written)


def test_a_small_corpus_says_what_was_too_little(tmp_path):
    docs = [Doc(id=f"{at:032x}", text="The nurse and her women.") for at in range(3)]
    write_card(write_corpus(tmp_path, docs, packed=False))
    page = (tmp_path / "card" / "datasheet.html").read_text()
    assert "Left out because too little was counted: words that judge" in page
    assert 'id="pronouns"' not in page
    assert LEAST_DOCUMENTS > 3


def test_a_corpus_whose_language_nobody_told_is_read_whole_and_says_so(tmp_path):
    docs = [Doc(id="a" * 32, text="women", language=None)]
    write_card(write_corpus(tmp_path, docs, packed=False))
    assert value(measure(tmp_path, digests=False)["bias"], "documents") == 1
    assert (
        "language of the documents was not identified"
        in (tmp_path / "card" / "datasheet.md").read_text()
    )


def test_a_users_lists_are_kept_for_verify_and_named(gristmill, tmp_path):
    corpus = write_corpus(tmp_path / "corpus", biased_docs(), packed=False)
    lists = {
        "language": "en",
        "window": 3,
        "identity": {"source": "ours", "groups": {"<b>trades": {"*millers*": ["plumber"]}}},
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(lists))
    code, _, err = gristmill("card", corpus, "--terms", tmp_path / "mine.yaml")
    assert code == 0, err
    bias = json.loads((corpus / "card" / "measured.json").read_bytes())["bias"]
    assert bias["lists"]["file"] == "card/terms.yaml"
    assert [row["occurrences"] for row in rows(bias, "identity")] == [60]
    assert bias["pronouns"] is None
    assert verify_corpus(corpus) == []
    assert "<b>" not in (corpus / "card" / "datasheet.html").read_text()
    code, _, err = gristmill("card", corpus, "--terms", tmp_path / "no.yaml")
    assert code != 0
    assert "no.yaml does not exist" in " ".join(err.split())
