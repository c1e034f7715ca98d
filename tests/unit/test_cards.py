"""The card: what is measured, what is answered, and that nothing of a document can break a page."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gristmill.cards import figures, load_answers, measure, render, write_card
from gristmill.cards.evidence import answerable, measured_answer
from gristmill.cards.facts import rows, value
from gristmill.cards.groups import _histogram
from gristmill.cards.hub import hub_header
from gristmill.cards.losses import entity_counts
from gristmill.cards.questions import Answers, parse_answers, sections
from gristmill.cards.render import NO_ANSWERS, completeness
from gristmill.cards.wording import markdown, one_line
from gristmill.errors import FormatError, RecipeError
from synthetic_corpus import Doc, make_docs, write_corpus

DEMO_ANSWERS = Path(__file__).parents[2] / "datacards" / "demo" / "answers.yaml"
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></title><svg onload=alert(1)>",
    "a|b `c` *d* [e](javascript:f) https://evil.example ---\n# h\n- l",
    "': {yaml: [breaks]} # ---\n...",
    "{{ 7*7 }}{% raw %}\x00\u202e",
]


@pytest.fixture(scope="module")
def docs():
    return make_docs(200)


@pytest.fixture(scope="module")
def corpus(docs, tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("millpond"), docs)


@pytest.fixture(scope="module")
def measured(corpus):
    return measure(corpus)


@pytest.fixture(scope="module")
def card(corpus, measured, tmp_path_factory):
    folder = tmp_path_factory.mktemp("card")
    render(measured, load_answers(DEMO_ANSWERS), folder)
    return folder


def kept_of(docs):
    return [doc for doc in docs if doc.stage is None]


# ---- measuring ----


def test_sizes_are_those_of_an_obvious_count(docs, measured):
    kept = kept_of(docs)
    expected = {
        "documents": len(kept),
        "bytes": sum(len(doc.text.encode()) for doc in kept),
        "characters": sum(len(doc.text) for doc in kept),
        "documents_read": len(docs),
        "bytes_read": sum(doc.bytes_in for doc in docs),
        "documents_dropped": len(docs) - len(kept),
        "sources": len({doc.source for doc in kept}),
        "licenses": len({doc.license for doc in kept}),
    }
    assert {name: value(measured, "sizes", name) for name in expected} == expected


@pytest.mark.parametrize(("what", "column"), [("sources", "source"), ("licenses", "license")])
def test_each_group_counts_its_documents_bytes_and_losses(docs, measured, what, column):
    for row in rows(measured, what):
        mine = [doc for doc in docs if getattr(doc, column) == row[column]]
        kept = kept_of(mine)
        assert row["documents_read"] == len(mine)
        assert row["documents"] == len(kept)
        assert row["documents_dropped"] == len(mine) - len(kept)
        assert row["bytes"] == sum(len(doc.text.encode()) for doc in kept)
    assert sum(row["documents_read"] for row in rows(measured, what)) == len(docs)


def test_trained_tokens_are_those_that_lie_in_the_train_split(corpus, measured):
    tokens = {row["split"]: row["tokens"] for row in rows(measured, "splits")}
    listed = pl.read_parquet(corpus / "shards" / "documents.parquet")
    assert set(tokens) == {"train", "validation"}
    without_ends = listed["n_tokens"].sum()
    assert value(measured, "sizes", "tokens") == without_ends
    assert sum(tokens.values()) == without_ends + listed.height
    by_license = rows(measured, "licenses")
    assert sum(row["train_tokens"] for row in by_license) == tokens["train"]
    assert sum(row["tokens"] for row in by_license) == without_ends
    manifest = json.loads((corpus / "shards" / "manifest.json").read_bytes())
    for row in rows(measured, "splits"):
        assert row["rows"] * manifest["seq_len"] == row["tokens"] + row["padding"]


def test_drops_are_counted_by_stage_and_reason_with_real_examples(docs, measured):
    expected = Counter((doc.stage, doc.reason) for doc in docs if doc.stage)
    found = {(row["stage"], row["reason"]): row for row in rows(measured, "drops")}
    assert {pair: row["documents"] for pair, row in found.items()} == expected
    by_id = {doc.id: doc for doc in docs}
    for pair, row in found.items():
        assert row["examples"]
        assert {(by_id[e["id"]].stage, by_id[e["id"]].reason) for e in row["examples"]} == {pair}


def test_cut_bytes_and_personal_data_come_from_the_ledgers_details(docs, measured):
    kept = kept_of(docs)
    cut = sum("cut 120 bytes" in (doc.detail or "") for doc in kept)
    masked = sum("email 2" in (doc.detail or "") for doc in kept)
    assert cut
    assert masked
    assert measured["cuts"]["repeated_bytes_cut"] == 120 * cut
    assert {row["entity"]: row["found"] for row in rows(measured, "personal_data")} == {
        "email": 2 * masked,
        "ip": masked,
    }
    assert measured["personal_data"]["found"] == 3 * masked


def test_a_detail_that_only_mentions_an_entity_is_not_counted():
    details = ["email 3, ip 1", "longest from offset 7 of email 9000", "cut 1,024 bytes; email 1"]
    assert entity_counts(details) == [("email", 4), ("ip", 1)]


@given(st.lists(st.integers(0, 2**40), max_size=50))
def test_every_length_falls_into_exactly_one_column(lengths):
    import numpy as np

    found = _histogram(np.array(lengths, np.int64))
    assert sum(row["documents"] for row in found) == len(lengths)
    for row in found:
        inside = [n for n in lengths if row["from"] <= n < row["to"]]
        assert row["documents"] == len(inside)


def test_every_number_says_where_it_comes_from(measured):
    def bare(node, path, told):
        told = told or (isinstance(node, dict) and "how" in node)
        if isinstance(node, dict):
            return [found for key, at in node.items() for found in bare(at, f"{path}.{key}", told)]
        if isinstance(node, list):
            return [found for at in node for found in bare(at, path, told)]
        return [] if told or isinstance(node, str | None) else [path]

    assert bare({k: v for k, v in measured.items() if k != "format"}, "", False) == []
    assert bare({"n": 1}, "", False) == [".n"], "the walk finds a number without origin"


def test_the_same_corpus_gives_the_same_card_bytes(corpus, tmp_path):
    trees = []
    for name in ("a", "b"):
        render(measure(corpus), load_answers(DEMO_ANSWERS), tmp_path / name)
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        trees.append([(path.relative_to(tmp_path / name), path.read_bytes()) for path in files])
    assert trees[0] == trees[1]
    assert trees[0]


def test_the_time_and_place_of_the_run_do_not_show(docs, corpus, measured, tmp_path):
    other = write_corpus(
        tmp_path / "elsewhere",
        docs,
        sources=[{"name": "handbook", "path": "/home/me/data/x.jsonl"}],
    )
    run = json.loads((other / "run.json").read_bytes())
    for stage in run["stages"]:
        stage["seconds"] = random.random()
    (other / "run.json").write_text(json.dumps(run))
    again = measure(other)
    assert again["corpus"]["recipe"]["sources"][0]["path"] == "x.jsonl"
    again["corpus"] = measured["corpus"]
    assert again == measured


@pytest.mark.parametrize("n_docs", [0, 1, 3])
def test_tiny_corpora_have_a_card_too(tmp_path, n_docs):
    docs = [Doc(id=f"{at:032x}", text="grain " * (at + 1)) for at in range(n_docs)]
    done = write_card(write_corpus(tmp_path, docs))
    assert value(measure(tmp_path), "sizes", "documents") == n_docs
    assert set(done["files"]) <= {
        path.relative_to(tmp_path / "card").as_posix() for path in (tmp_path / "card").rglob("*")
    }


def test_a_corpus_without_tokens_signals_and_dates_has_a_card(tmp_path):
    docs = [Doc(id="a", text="x", language=None, pii_count=None), Doc(id="b", text="y")]
    docs[1].language = None
    done = write_card(write_corpus(tmp_path, docs, packed=False))
    page = (tmp_path / "card" / "datasheet.html").read_text()
    assert "tokens" not in measure(tmp_path)["sizes"]
    assert "figures/created.svg" not in done["files"]
    assert 'id="tokenizer"' not in page


def test_a_damaged_part_is_named(docs, tmp_path):
    corpus = write_corpus(tmp_path, docs[:20])
    (corpus / "documents" / "part-00000.parquet").write_bytes(b"PAR1 no parquet PAR1")
    with pytest.raises(FormatError, match="gristmill verify"):
        measure(corpus)


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(RecipeError, match=r"has no run\.json"):
        measure(tmp_path)
    with pytest.raises(RecipeError, match="does not exist"):
        measure(tmp_path / "nothing")


# ---- the 52 questions ----


def test_there_are_52_questions_in_seven_sections():
    sizes = [len(section.questions) for section in sections()]
    assert sizes == [3, 16, 12, 3, 5, 6, 7]
    numbers = [question.number for section in sections() for question in section.questions]
    assert numbers == list(range(1, 53))


def test_only_questions_marked_measured_are_answered_by_measurement():
    marked = {q.name for section in sections() for q in section.questions if q.measured}
    assert answerable() <= marked


def test_at_least_26_questions_are_answered_by_measurement(measured):
    found = completeness(measured, NO_ANSWERS)
    assert found["questions"] == 52
    assert found["measured"] >= 26
    assert "motivation.purpose" in found["required_unanswered"]


def test_what_was_not_measured_is_not_answered(measured):
    assert measured_answer("composition.offensive", measured) is None
    assert measured_answer("composition.splits", {**measured, "splits": {"rows": []}}) is None


def test_all_questions_appear_and_none_is_left_silently_blank(card, corpus, measured, tmp_path):
    render(measured, None, tmp_path)
    for folder in (card, tmp_path):
        page = (folder / "datasheet.html").read_text()
        articles = re.findall(r'<article class="question.*?</article>', page, re.DOTALL)
        assert len(articles) == 52
        assert all(re.search(r'<p class="by">\s*\w', article) for article in articles)
        text = (folder / "datasheet.md").read_text()
        parts = re.split(r"\n### \d+\. ", text)[1:]
        assert len(parts) == 52
        said = r"\*\*(Measured|Told by a person)\.\*\* \w|\*\*Not answered"
        assert all(re.search(said, part) for part in parts)


def test_the_demos_answers_answer_everything_that_is_required(measured):
    found = completeness(measured, load_answers(DEMO_ANSWERS))
    assert found["unanswered"] == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("motivation: {purpos: x}", "did you mean 'purpose'"),
        ("motivaton: {}", "did you mean 'motivation'"),
        ("dataset: {licence: MIT}", "did you mean 'license'"),
        ("motivation: {purpose: [a]}", "motivation.purpose: expected a text"),
        ("dataset: {creators: me}", "expected a list"),
        ("- a", "expected a mapping"),
        ("a: [", "is not YAML"),
    ],
)
def test_answers_that_fit_no_question_are_refused(tmp_path, text, message):
    path = tmp_path / "answers.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=re.escape(message)):
        load_answers(path)


def test_blank_answers_count_as_none():
    answers = parse_answers({"motivation": {"purpose": "  ", "funding": None}, "uses": None})
    assert answers.by_question == {}


def test_the_card_keeps_a_copy_of_the_answers_that_reads_the_same(card):
    assert load_answers(card / "answers.yaml") == load_answers(DEMO_ANSWERS)


def test_figures_and_answers_of_an_earlier_card_do_not_stay(measured, tmp_path):
    render(measured, load_answers(DEMO_ANSWERS), tmp_path)
    (tmp_path / "figures" / "old.svg").write_text("<svg/>")
    render(measured, None, tmp_path)
    assert not (tmp_path / "figures" / "old.svg").exists()
    assert not (tmp_path / "answers.yaml").exists()


# ---- what is rendered ----


class Page(HTMLParser):
    """Tags, ids, links and texts of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.links, self.attributes, self.text = Counter(), [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        for name, content in attrs:
            self.attributes.append((tag, name, content))
            self.ids += [content] if name == "id" else []
            self.links += [content] if name == "href" else []

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_loads_nothing_and_its_links_lead_somewhere(card):
    page = Page((card / "datasheet.html").read_text())
    assert len(page.ids) == len(set(page.ids))
    assert [link for link in page.links if link.startswith("#") and link[1:] not in page.ids] == []
    assert not page.tags.keys() & {"script", "link", "iframe", "img", "object", "form", "base"}
    assert not [a for a in page.attributes if a[1] in ("src", "srcset") or a[1].startswith("on")]
    assert "url(" not in (card / "datasheet.html").read_text()


def test_the_page_can_be_used_without_seeing_it(card):
    text = (card / "datasheet.html").read_text()
    page = Page(text)
    assert ("html", "lang", "en") in page.attributes
    assert page.tags["main"] == page.tags["h1"] == page.tags["nav"] == 1
    for drawing in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        labeled = "<title" in drawing and "<desc" in drawing and 'role="img"' in drawing
        assert labeled or 'aria-hidden="true"' in drawing
    levels = [int(level) for level in re.findall(r"<h(\d)", text)]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    for names in (a[2] for a in page.attributes if a[1] == "aria-labelledby"):
        assert set(names.split()) <= set(page.ids)
    assert len(re.findall(r"<table", text)) == len(re.findall(r"<thead", text))


def luminance(color):
    channels = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_text_has_enough_contrast_in_light_and_dark():
    css = (Path(figures.__file__).parent / "templates" / "datasheet.css").read_text()
    palettes = re.findall(r":root\{(.*?)\}", css, re.DOTALL)[:2]
    assert len(palettes) == 2
    for palette in palettes:
        color = dict(re.findall(r"--([\w-]+):(#[0-9a-f]{6})", palette))
        for text in ("ink", "soft", "kept", "lost", "mark"):
            for ground in ("paper", "warm") if text != "lost" else ("paper",):
                light, dark = sorted((luminance(color[text]), luminance(color[ground])))[::-1]
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground, color[text])


def test_figures_are_xml_with_a_title_and_a_description(card):
    found = sorted((card / "figures").glob("*.svg"))
    assert len(found) >= 6
    for path in found:
        root = ElementTree.parse(path).getroot()
        names = [child.tag.rpartition("}")[2] for child in root]
        assert names[:2] == ["title", "desc"]
        assert all(child.text for child in root[:2])
        assert "nan" not in path.read_text()


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 100)), min_size=1, max_size=12))
def test_a_flow_is_drawn_for_any_counts(losses):
    left, steps = 10**6, []
    for at, (lost, reasons) in enumerate(losses):
        lost = min(lost, left)
        dropped = [(f"r{reason}", lost) for reason in range(reasons)] if lost else []
        steps.append(figures.Step(f"s{at}", "", left, left - lost, dropped))
        left -= lost
    drawing = figures.flow("t", "d", steps, ["end"])
    ElementTree.fromstring(drawing.file())
    assert drawing.height > 0
    assert "-0.0" not in drawing.file()


def test_the_header_is_what_the_hub_reads(card):
    from huggingface_hub import DatasetCard, DatasetCardData
    from huggingface_hub.repocard import metadata_load

    data = metadata_load(card / "README.md")
    assert data["size_categories"] == ["n<1K"]
    assert data["language"] == ["en"]
    assert data["task_categories"] == ["text-generation"]
    assert set(data["license"]) == {"cc-by-4.0", "mit", "apache-2.0", "other"}
    assert {config["config_name"] for config in data["configs"]} == {
        "documents",
        "packed",
        "ledger",
    }
    assert DatasetCardData(**data).to_dict() == data
    assert DatasetCard.load(card / "README.md").text.lstrip().startswith("# Gristmill demo corpus")


def test_the_headers_data_files_are_there(corpus, card):
    from huggingface_hub.repocard import metadata_load

    for config in metadata_load(card / "README.md")["configs"]:
        for entry in config["data_files"]:
            assert list(corpus.glob(entry["path"])), entry


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of rdflib and pandas
def test_croissant_is_valid_and_its_records_are_the_documents(docs, tmp_path):
    import mlcroissant
    import pyarrow.parquet as pq

    corpus = write_corpus(tmp_path, docs)
    part = corpus / "documents" / "part-00000.parquet"
    table = pq.read_table(part)
    pq.write_table(table.slice(0, 50), part)
    pq.write_table(table.slice(50), part.with_name("part-00001.parquet"))
    write_card(corpus, DEMO_ANSWERS)
    dataset = mlcroissant.Dataset(jsonld=corpus / "card" / "croissant.json")
    assert not dataset.metadata.ctx.issues.errors
    records = list(dataset.records("documents"))
    kept = kept_of(docs)
    assert [record["documents/id"].decode() for record in records] == [doc.id for doc in kept]
    assert records[0]["documents/text"].decode() == kept[0].text
    licenses = list(dataset.records("source_licenses"))
    total = sum(int(record["source_licenses/documents"]) for record in licenses)
    assert total == len(kept)
    assert dataset.metadata.data_limitations


def test_croissant_names_each_file_with_its_sha256(corpus, measured, card):
    import hashlib

    listed = json.loads((card / "croissant.json").read_bytes())["distribution"]
    objects = [entry for entry in listed if "containedIn" in entry and "sha256" in entry]
    assert {entry["@id"] for entry in objects} >= {
        "tokenizer/tokenizer.json",
        "shards/manifest.json",
    }
    for entry in objects:
        data = (corpus / entry["@id"]).read_bytes()
        assert entry["sha256"] == hashlib.sha256(data).hexdigest()


# ---- hostile text ----


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    docs = [
        Doc(
            id=f"{at}{text}",
            text=text * 20,
            source=text,
            license=text,
            url=f"https://{at}.example/{text}",
            language="en",
            detail=text,
            stage="quality" if dropped else None,
            reason=text if dropped else None,
            duplicate_of=f"{at}{text}" if dropped else None,
        )
        for dropped in (False, True)
        for at, text in enumerate(HOSTILE, start=10 * dropped)
    ]
    docs += [Doc(id="plain", text="plain", source=text) for text in ()]
    corpus = write_corpus(folder, docs, name=HOSTILE[0])
    said = Answers(
        {"pretty_name": HOSTILE[1], "summary": HOSTILE[2]}, {"uses.unsuitable": HOSTILE[0]}
    )
    write_card(corpus, said)
    return corpus / "card"


def test_nothing_of_a_document_becomes_markup_in_the_page(hostile, card):
    page, calm = (Page((folder / "datasheet.html").read_text()) for folder in (hostile, card))
    assert page.tags.keys() <= calm.tags.keys()
    assert {(tag, name) for tag, name, _ in page.attributes} <= {
        (tag, name) for tag, name, _ in calm.attributes
    } | {("th", "class"), ("a", "rel")}
    assert page.tags["title"] == len(
        re.findall(r"<title", (hostile / "datasheet.html").read_text())
    )
    assert any(HOSTILE[0] in text for text in page.text)
    assert not [link for link in page.links if "javascript" in link]


def test_hostile_figures_stay_xml(hostile):
    for path in (hostile / "figures").glob("*.svg"):
        tags = {element.tag.rpartition("}")[2] for element in ElementTree.parse(path).iter()}
        assert tags <= {"svg", "title", "desc", "style", "text", "rect", "line", "path"}


def test_hostile_names_do_not_break_header_or_croissant(hostile):
    header = (hostile / "README.md").read_text().split("---\n")[1]
    assert yaml.safe_load(header)["pretty_name"] == HOSTILE[1]
    assert json.loads((hostile / "croissant.json").read_bytes())["name"] == HOSTILE[1]


@pytest.mark.parametrize("name", ["README.md", "datasheet.md"])
def test_hostile_names_stay_text_in_markdown(hostile, name):
    from markdown_it import MarkdownIt

    text = (hostile / name).read_text()
    body = text.split("---\n", 2)[2] if text.startswith("---\n") else text
    page = Page(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(body))
    allowed = "h1 h2 h3 p strong em ul li table thead tbody tr th td code pre a img".split()
    assert page.tags.keys() <= set(allowed)
    assert set(page.links) <= {"https://arxiv.org/abs/1803.09010"}


@given(st.text(max_size=60))
def test_markdown_shows_exactly_the_text(text):
    from html import unescape

    from markdown_it import MarkdownIt

    shown = one_line(text)
    html = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown(text))
    inner = re.fullmatch(r"(?:<p>(.*)</p>\n)?", html, re.DOTALL)
    assert inner is not None, html
    assert "<" not in (inner[1] or "")
    assert " ".join(unescape(inner[1] or "").split()) == " ".join(shown.split())


@given(st.text(max_size=40))
def test_any_name_survives_the_yaml_header(name):
    measured = {
        "corpus": {"name": "c"},
        "sizes": {"documents": {"value": 1}},
        "licenses": {"rows": []},
    }
    header = hub_header(measured, Answers({"pretty_name": name}, {}))
    data = yaml.safe_load(header.removeprefix("---\n").removesuffix("---\n"))
    assert data["pretty_name"] == one_line(name or "c")


def test_a_page_about_thousands_of_sources_stays_small(tmp_path):
    docs = [
        Doc(id=f"{at:032x}", text="grain", source=f"source-{at}", license=f"LicenseRef-{at % 900}")
        for at in range(10_000)
    ]
    write_card(write_corpus(tmp_path, docs, packed=False))
    assert (tmp_path / "card" / "datasheet.html").stat().st_size < 500_000
    assert len(rows(measure(tmp_path, digests=False), "sources")) == 10_000


# ---- the command ----


def test_card_writes_and_check_names_what_is_missing(gristmill, docs, tmp_path):
    corpus = write_corpus(tmp_path / "c", docs[:30])
    code, out, _ = gristmill("card", corpus, "--json")
    done = json.loads(out)
    assert code == 0
    assert (corpus / "card" / "datasheet.html").is_file()
    code, out, err = gristmill("card", corpus, "--check")
    assert code == 1
    assert "motivation.purpose" in err
    assert f"{done['measured']} of 52" in out
    gristmill("card", corpus, "--answers", DEMO_ANSWERS)
    code, out, _ = gristmill("card", corpus, "--check", "--json")
    assert code == 0
    assert json.loads(out)["required_unanswered"] == []


def test_card_refuses_a_folder_that_is_no_corpus(gristmill, tmp_path):
    assert gristmill("card", tmp_path)[0] == 2
    assert gristmill("card", tmp_path, "--check")[0] == 2
