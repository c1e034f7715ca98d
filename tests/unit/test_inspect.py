"""Kept and dropped documents to look at: which, with which texts, and on which page."""

from __future__ import annotations

import json
from collections import Counter
from html.parser import HTMLParser

import polars as pl
import pytest

from corpora import texts, write_input
from gristmill.build import build
from gristmill.errors import RecipeError
from gristmill.inspection import sample
from gristmill.inspection.again import GONE
from gristmill.inspection.common import common_spans
from gristmill.inspection.page import write_page

SHARED = "and their own words follow here, which nobody else has written anywhere"


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    return write_input(tmp_path_factory.mktemp("inspected"))


@pytest.fixture(scope="module")
def corpus(recipe):
    return build(recipe, recipe.parent / "out").path


def shown(found):
    return {one["document"]["id"]: one for group in found["groups"] for one in group["shown"]}


def test_every_reason_is_shown_with_its_count_and_kept_documents_first(corpus):
    ledger = pl.read_parquet(corpus / "ledger" / "*.parquet")
    expected = Counter(ledger.select("stage", pl.col("reason").fill_null("kept")).iter_rows())
    found = sample(corpus, texts=False)["groups"]
    assert {(one["stage"], one["reason"]): one["documents"] for one in found} == expected
    assert found[0]["reason"] == "kept"
    assert [len(one["shown"]) for one in found] == [min(5, one["documents"]) for one in found]


def test_the_seed_chooses_the_documents(corpus):
    chosen = [
        set(shown(sample(corpus, seed=seed, reason="kept", texts=False))) for seed in (7, 7, 8)
    ]
    assert chosen[0] == chosen[1] != chosen[2]


def test_more_documents_of_a_reason_contain_the_fewer(corpus):
    few, many = (set(shown(sample(corpus, n=n, texts=False))) for n in (2, 30))
    assert few < many


def test_dropped_texts_are_read_again_and_kept_ones_are_those_of_the_corpus(corpus, recipe):
    found = shown(sample(corpus, n=100, recipe=recipe))
    documents = dict(
        pl.read_parquet(corpus / "documents" / "*.parquet").select("id", "text").iter_rows()
    )
    given = {text.strip() for text in texts()}
    dropped = 0
    for doc_id, one in found.items():
        if one["document"]["fate"] == "kept":
            assert one["text"] == documents[doc_id]
        elif one["document"]["stage"] == "read":
            assert (one["text"], one["note"]) == (None, "the record is no document")
        else:
            assert one["text"].strip() in given
            dropped += 1
    assert dropped == 5


def test_a_document_is_shown_as_the_stage_that_dropped_it_saw_it(tmp_path):
    mojibake = "Ceci est une phrase franÃ§aise, qui est assez longue pour Ãªtre reconnue. "
    rows = [{"id": "a", "text": mojibake}, {"id": "b", "text": texts()[0]}]
    (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, rows)))
    recipe = {
        "name": "x",
        "sources": [{"name": "x", "path": str(tmp_path / "x.jsonl")}],
        "normalize": {},
        "language": {"keep": ["en"]},
    }
    found = shown(sample(build(recipe, tmp_path / "out").path))
    assert found["a"]["text"] == (
        "Ceci est une phrase française, qui est assez longue pour être reconnue."
    )


def test_a_near_duplicate_stands_beside_its_twin_with_what_is_common(corpus, recipe):
    (one,) = shown(sample(corpus, reason="near_duplicate", recipe=recipe)).values()
    marked = " ".join(one["text"][start:end] for start, end in one["common"])
    assert len(marked) > 0.9 * len(one["twin_text"])
    assert "stream" not in marked
    assert "One more line" not in marked


def test_input_that_is_gone_or_changed_is_said_of_the_document(tmp_path):
    recipe = write_input(tmp_path)
    corpus = build(recipe, tmp_path / "out").path
    changed = (tmp_path / "web.jsonl").read_text().replace("Bonjour", "Bonsoir")
    (tmp_path / "web.jsonl").write_text(changed)
    found = shown(sample(corpus, recipe=recipe)).values()
    french = [one for one in found if (one["document"]["detail"] or "").startswith("fr")]
    assert [one["note"] for one in french] == [GONE]
    assert all(one["text"] for one in found if one["document"]["stage"] == "quality")
    (tmp_path / "web.jsonl").unlink()
    found = shown(sample(corpus, recipe=recipe)).values()
    assert {one["note"] for one in found if one["document"]["stage"] == "quality"} == {GONE}


def test_relative_paths_need_the_recipes_folder(corpus, recipe):
    (one,) = shown(sample(corpus, stage="quality")).values()
    assert "say --recipe FILE" in one["note"]
    with pytest.raises(RecipeError, match="no such file"):
        sample(corpus, recipe=recipe.parent / "other.yaml")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"reason": "near_duplicates"}, "did you mean 'near_duplicate'"),
        ({"stage": "qualty"}, "did you mean 'quality'"),
        ({"source": "wob"}, "did you mean 'web'"),
        ({"source": "notes", "stage": "quality"}, "together"),
    ],
)
def test_what_no_document_has_is_refused_with_what_some_have(corpus, asked, message):
    with pytest.raises(RecipeError, match=message):
        sample(corpus, **asked)


def test_common_words_are_marked_from_three_on():
    text, other = f"Here {SHARED} end of it.", f"There {SHARED} of it."
    assert [text[start:end] for start, end in common_spans(text, other)] == [SHARED]
    assert common_spans("a b", "a b") == []
    long = "word " * 50_000
    assert common_spans(long, long)[-1][1] < 10_001


class Page(HTMLParser):
    """The tags and the text of a page; a tag that is not closed in order is an error."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.open, self.text, self.links = set(), [], "", []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links += [value for key, value in attrs if key in ("href", "src", "action")]
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_the_page_holds_all_texts_and_loads_nothing(corpus, recipe, tmp_path):
    found = sample(corpus, recipe=recipe)
    write_page(found, tmp_path / "look.html")
    page = Page((tmp_path / "look.html").read_text())
    assert page.tags & {"script", "link", "img", "iframe"} == set()
    assert all(link.startswith("#") for link in page.links)
    for one in shown(found).values():
        assert (one["text"] or one["note"]) in page.text
        assert (one["document"]["detail"] or "") in page.text


def test_markup_in_a_document_is_text_on_the_page_and_in_the_terminal(gristmill, tmp_path):
    evil = "[bold]</pre><script>alert(1)</script>&amp; "
    rows = [{"id": f"{evil}{n}", "text": f"{evil} {n}", "url": evil} for n in range(2)]
    (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, rows)))
    recipe = {"name": "x", "sources": [{"name": "x", "path": str(tmp_path / "x.jsonl")}]}
    corpus = build(recipe, tmp_path / "out").path
    code, out, _ = gristmill("inspect", corpus)
    assert code == 0
    assert evil.strip() in out
    code, _, _ = gristmill("inspect", corpus, "--html", tmp_path / "x.html")
    assert code == 0
    page = Page((tmp_path / "x.html").read_text())
    assert "script" not in page.tags
    assert f"{evil} 1" in page.text


def test_the_command_prints_json_or_no_texts(gristmill, corpus):
    code, out, _ = gristmill("inspect", corpus, "--reason", "kept", "--n", 2, "--json")
    assert code == 0
    assert len(json.loads(out)["groups"][0]["shown"]) == 2
    code, out, _ = gristmill("inspect", corpus, "--no-text", "--stage", "quality")
    assert code == 0
    assert "threshold" in out
    code, out, err = gristmill("inspect", corpus, "--reason", "kpet")
    assert (code, out) == (2, "")
    assert "did you mean 'kept'" in err
