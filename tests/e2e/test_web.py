"""From web archives and pages to a corpus: text, licenses and every record's fate."""

import json
import random
from pathlib import Path

import pytest

from corpora import sentence
from gristmill.build import build
from gristmill.errors import RecipeError
from gristmill.sources import parts
from warcs import http, member, warc

PIPELINES = Path(__file__).parents[2] / "pipelines"
SETTINGS = [
    "tokenizer.vocab_size=300",
    "pack.seq_len=64",
    "pack.validation=0",
    "quality.rules=[gopher]",
]
CC = '<a rel="license" href="https://creativecommons.org/licenses/by/4.0/">CC BY</a>'


def page(number, foot=""):
    """A page with a menu, an article of its own and a foot."""
    chooser = random.Random(number)
    lines = [f"<p>{sentence(chooser, 30)}</p>" for _ in range(8)]
    return (
        f"<html><head><title>Mill {number}</title></head><body><nav><ul><li><a href=/>Home</a>"
        f"<li><a href=/a>Imprint</a></ul></nav><article><h1>Mill {number}</h1>{''.join(lines)}"
        f"</article><footer>{foot}</footer></body></html>"
    ).encode()


def archive(path, n_pages=40):
    """A web archive: pages, a page without text, a request, a redirect and a broken record."""
    records = [
        warc(http(page(i, CC if i % 10 == 0 else "")), url=f"http://example.org/{i}")
        for i in range(n_pages)
    ]
    records.insert(3, warc(http(b"<html><body></body></html>"), url="http://example.org/empty"))
    records.insert(5, warc(kind="request", block=b"GET / HTTP/1.1\r\n\r\n"))
    records.insert(7, warc(http(b"moved", status=b"301 Moved")))
    packed = [member(one) for one in records]
    packed.insert(9, b"no record at all")
    path.write_bytes(b"".join(packed))


def test_the_web_recipe_gives_the_text_of_pages_and_says_what_became_of_the_others(tmp_path):
    archive(tmp_path / "crawl.warc.gz")
    settings = [f"sources.0.path={tmp_path}/*.warc.gz", "limits.max_bad_fraction=0.1", *SETTINGS]
    corpus = build(PIPELINES / "web.yaml", tmp_path / "out", settings=settings)
    docs, ledger = corpus.documents().collect(), corpus.ledger().collect()
    assert all(text.count("\n") >= 7 for text in docs["text"])
    assert not any("Imprint" in text or "CC BY" in text for text in docs["text"])
    licensed = docs.filter(license="CC-BY-4.0")
    assert set(licensed["url"]) <= {f"http://example.org/{i}" for i in (0, 10, 20, 30)}
    assert len(licensed) > 0
    assert json.loads(docs["metadata"][0])["title"].startswith("Mill")
    reasons = dict(ledger.filter(fate="dropped").group_by("reason").len().iter_rows())
    assert reasons["no_main_text"] == 1
    assert reasons["bad_file"] == 1
    read = corpus.run["stages"][0]
    assert read["docs_in"] == len(ledger) == 42
    assert read["others"] == {"request": 1, "response: status 3xx": 1}


def test_an_archive_in_parts_gives_the_same_corpus_for_any_workers(tmp_path, monkeypatch):
    archive(tmp_path / "crawl.warc.gz")
    recipe = {
        "name": "web",
        "sources": [{"name": "web", "path": str(tmp_path / "crawl.warc.gz")}],
        "extract": {"mode": "fast"},
        "limits": {"max_bad_fraction": 0.1},
    }
    whole = build(recipe, tmp_path / "whole").documents().collect()
    monkeypatch.setattr(parts, "PART_BYTES", 3000)
    monkeypatch.setattr(parts, "LARGEST_WHOLE", 10)
    one = build(recipe, tmp_path / "one")
    two = build(recipe, tmp_path / "two", workers=2)
    assert one.documents().collect().equals(whole)
    for name, entry in one.run["files"].items():
        assert two.run["files"][name] == entry


def test_pages_that_are_files_become_documents(tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.html").write_bytes(page(number, CC))
    recipe = {"name": "web", "sources": [{"name": "web", "path": str(tmp_path)}], "extract": {}}
    docs = build(recipe, tmp_path / "out").documents().collect()
    assert docs["license"].to_list() == ["CC-BY-4.0"] * 3
    assert page(1).decode().split("<p>")[4].removesuffix("</p>") in docs["text"][1]


def test_extract_without_pages_is_refused(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "x"}\n')
    sources = [{"name": "a", "path": str(tmp_path / "a.jsonl")}]
    with pytest.raises(RecipeError, match="extract: no source has pages"):
        build({"name": "x", "sources": sources, "extract": {}}, tmp_path / "out")
    assert not (tmp_path / "out").exists()
