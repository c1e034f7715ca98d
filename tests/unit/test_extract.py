"""Text of web pages: the three tiers, beside the packages they are made of."""

from __future__ import annotations

import subprocess
import sys

import polars as pl
import pyarrow as pa
import pytest
import trafilatura
from hypothesis import given, settings
from hypothesis import strategies as st
from resiliparse.extract.html2text import extract_plain_text

from gristmill.errors import RecipeError
from gristmill.extract import MODES, Extract, extract_html
from gristmill.extract.blocks import Block, as_text, main_text, read_blocks
from gristmill.extract.fast import fast_blocks
from gristmill.extract.limits import ATTRIBUTES, FAST, OPTIONS, PRECISE, Limits, excess
from gristmill.extract.tiers import extract, need_tiers
from gristmill.extract.trust import signs

STORY = [
    "The mill stands at the river since 1781, and its wheel has turned in every one of those years.",
    "It was built for rye. “Nobody asked for wheat,” the miller says, “until the railway came.”",
    "Today it grinds four days a week, and on the fifth it is shown to classes from the town.",
    "What the wheel does not need, a generator takes: enough for the lights of the house.",
]
PAGE = f"""<!DOCTYPE html><html><head><title>The mill</title></head><body>
<nav><ul><li><a href="/">Home</a></li><li><a href="/news">News</a></li></ul></nav>
<main><h1>The mill at the river</h1><div>By A. Writer</div><a href="/s">Share</a>
<p>{STORY[0]}</p><div class="image-caption">The wheel. Photo: A. Writer</div><p>{STORY[1]}</p>
<div>Advertisement</div><h2>Today</h2><p>{STORY[2]} <a href="/wheel">More of the wheel</a></p>
<p>{STORY[3]}</p><p><a href="/other">Seven other mills that you should see</a></p>
<p>This website uses cookies.</p></main>
<footer><p>© 2026 The Paper, and all of its friends, which are many.</p></footer></body></html>"""
LINKS = "".join(f'<li><a href="/{n}">Story {n} of the day</a></li>' for n in range(40))
FRONT = f"<html><body><main><h1>News</h1><p>{STORY[0]}</p><ul>{LINKS}</ul></main></body></html>"


def documents(*pages: str) -> pa.Table:
    return pa.table({"text": pa.array(pages, pa.large_string())})


def test_auto_keeps_the_story_and_drops_what_stands_around_it():
    third = f"{STORY[2]} More of the wheel"
    assert extract_html([PAGE]).to_pylist() == [
        "\n\n".join([STORY[0], STORY[1], "Today", third, STORY[3]])
    ]


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_finds_the_whole_story(mode):
    [text] = extract_html([PAGE], mode).to_pylist()
    assert all(paragraph in text for paragraph in STORY)
    assert "Home" not in text


def test_precise_is_what_trafilatura_finds():
    expected = trafilatura.extract(PAGE, fast=True, include_comments=False)
    assert expected
    assert extract_html([PAGE], "precise").to_pylist() == [expected]


def test_auto_trusts_an_article_and_asks_for_a_second_opinion_on_a_list_of_links():
    details = Extract().judge(documents(PAGE, FRONT)).detail.to_pylist()
    assert details[0].startswith("extract: fast: gaps 0.")
    assert details[1].startswith("extract: precise: ")
    [text] = extract_html([FRONT]).to_pylist()
    assert text == trafilatura.extract(FRONT, fast=True, include_comments=False)


def test_a_verdict_names_what_has_no_text_and_what_no_parser_may_read():
    deep = "<div>" * 100_000 + "text"
    verdict = Extract("fast").judge(documents(PAGE, "", "<nav>x</nav>", deep))
    assert verdict.reason.to_pylist() == [None, "no_main_text", "no_main_text", "extract_failed"]
    assert verdict.text.to_pylist()[1:] == ["", "", ""]
    assert "nested 100000 deep" in verdict.detail.to_pylist()[3]
    assert verdict.text.type == pa.large_string()


def test_an_empty_table_has_an_empty_verdict():
    verdict = Extract().judge(documents())
    assert [len(column) for column in (verdict.reason, verdict.detail, verdict.text)] == [0, 0, 0]


@pytest.mark.parametrize(
    "pages",
    [
        [PAGE, None],
        [PAGE.encode(), None],
        pa.array([PAGE, None], pa.string_view()),
        pa.chunked_array([[PAGE.encode()], [None]], pa.large_binary()),
        pl.Series([PAGE, None]),
    ],
)
def test_pages_come_as_text_or_bytes_in_lists_arrow_and_polars(pages):
    texts = extract_html(pages)
    assert texts.type == pa.large_string()
    assert texts.to_pylist() == [extract_html([PAGE])[0].as_py(), None]


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("utf-8-sig", "Größe, žluťoučký, 小麦"),
        ("utf-16", "Größe, žluťoučký, 小麦"),
        ("windows-1251", "Мельница стоит у реки, и колесо её вертится каждый год."),
        ("shift_jis", "水車は川のそばに立っています。粉はとても白いです。"),
    ],
)
def test_the_encoding_of_bytes_is_found(encoding, words):
    declared = "utf-8" if encoding == "utf-8-sig" else encoding
    page = f'<html><head><meta charset="{declared}"></head><body><main><p>{words * 9}</p></main>'
    assert extract_html([page.encode(encoding)], "fast").to_pylist() == [words * 9]


def test_what_is_no_page_is_refused():
    with pytest.raises(TypeError, match="put it in a list"):
        extract_html(PAGE)
    with pytest.raises(TypeError, match="page 1 is int; expected str or bytes"):
        extract_html([PAGE, 7])
    with pytest.raises(RecipeError, match="mode = 'quick' is not one of fast, precise, auto"):
        Extract("quick")


@pytest.mark.parametrize(
    ("module", "mode"), [("resiliparse.extract.html2text", "fast"), ("trafilatura", "auto")]
)
def test_a_missing_package_is_named_with_the_extra_that_brings_it(monkeypatch, module, mode):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(RecipeError, match=r'pip install "gristmill\[web\]"'):
        Extract(mode)


def test_the_packages_are_loaded_only_when_asked_for():
    code = "import sys, gristmill.extract as e; e.Extract('fast'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "resiliparse.extract.html2text" in done.stdout.split()
    assert not {"trafilatura", "lxml"} & set(done.stdout.split())


@pytest.mark.parametrize("mode", MODES)
def test_a_page_gives_the_same_text_whatever_came_before_it(mode):
    alone = extract_html([PAGE], mode).to_pylist()
    others = [FRONT, PAGE.replace("mill", "mine"), "<p>", *[PAGE] * 5]
    assert extract_html([*others, PAGE], mode).to_pylist()[-1:] == alone


TEXT = st.text('ab .&<>"é\n', min_size=1, max_size=12)
MARKUP = st.recursive(
    TEXT.map(lambda text: text.replace("&", "&amp;").replace("<", "&lt;")),
    lambda inner: st.builds(
        lambda tag, parts: f"<{tag}>{''.join(parts)}</{tag.split()[0]}>",
        st.sampled_from(
            ["p", "div", "h2", "ul", "ol", "li", "pre", "blockquote", 'a href="x"', "b", "table"]
        ),
        st.lists(inner, max_size=4),
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(MARKUP)
def test_blocks_say_what_the_plain_text_of_the_page_says(markup):
    form = {"list_bullets": False, "main_content": False}
    page = f"<body>{markup}</body>"
    plain = extract_plain_text(page, preserve_formatting=True, **form)
    form["list_bullets"] = True
    minimal = extract_plain_text(page, preserve_formatting="minimal_html", links=True, **form)
    said = " ".join(block.text for block in read_blocks(minimal))
    assert "".join(said.split()) == "".join(plain.split())


def test_a_block_knows_its_kind_and_how_much_of_it_is_links():
    page = """<main><h2>A <a href="x">link</a></h2><p>One &amp; <a href="y">two &lt;</a><br>more</p>
    <ol><li>first</li><li><p>second</p></li></ol><pre>x = 1
y = 2</pre><div>bare</div></main>"""
    assert fast_blocks(page) == [
        Block("h2", "A link", 4),
        Block("p", "One & two <\nmore", 5),
        Block("li", "first", 0),
        Block("li", "second", 0),
        Block("pre", "x = 1\ny = 2", 0),
        Block("bare", "bare", 0),
    ]
    assert as_text(fast_blocks(page)[2:4]) == "- first\n- second"


def test_text_without_paragraphs_is_kept_and_so_are_quotations_and_tables_among_them():
    bare = "<main>" + "".join(f"<div>{paragraph}</div>" for paragraph in STORY) + "</main>"
    assert [block.text for block in main_text(fast_blocks(bare))] == STORY
    mixed = [Block("p", STORY[0], 0), Block("bare", STORY[1], 0), Block("bare", "a\t1", 0)]
    scraps = [Block("bare", "3 shares", 0), Block("p", STORY[2], 0), Block("h3", "Related", 0)]
    assert main_text([*mixed, *scraps]) == [*mixed, scraps[1]]


KEPT = [Block("p", text, 0) for text in STORY]
SCRAPS = [Block("bare", "x", 0), Block("bare", "y", 0)]
OPEN_ENDED = [Block("p", text.rstrip(".”"), 0) for text in STORY]
LINKED = Block("li", "x" * 999, 999)


@pytest.mark.parametrize(
    ("blocks", "kept", "doubt"),
    [
        (KEPT, KEPT, None),
        ([*SCRAPS, *KEPT, *SCRAPS], KEPT, None),
        (KEPT[:1], KEPT[:1], f"{len(STORY[0])} characters"),
        ([*KEPT[:1], *SCRAPS, *KEPT[1:]], KEPT, "gaps 0.33"),
        (OPEN_ENDED, OPEN_ENDED, "sentences 0.00"),
        ([*KEPT, LINKED], KEPT, f"links {999 / (999 + len(''.join(STORY))):.2f}"),
        ([LINKED], [], "0 characters"),
    ],
)
def test_doubt_names_the_sign_and_its_value(blocks, kept, doubt):
    assert signs(blocks, kept).doubt == doubt


def naive_depth(html: str) -> int:
    """How deep ``div`` and ``article`` nest, by a walk over the tags one after another."""
    depth = deepest = 0
    for tag in html.lower().split("<")[1:]:
        depth += tag.startswith(("div", "article"))
        depth -= tag.startswith(("/div", "/article")) and depth > 0
        deepest = max(deepest, depth)
    return deepest


@pytest.mark.parametrize(
    ("within", "beyond", "says"),
    [
        ("x" * 100, "x" * 101, "101 characters, at most 100"),
        ("<p>" * 10, "<p>" * 11, "11 tags, at most 10"),
    ],
)
def test_a_page_beyond_a_limit_says_so(within, beyond, says):
    limits = Limits(characters=100, tags=10)
    assert excess(within, limits) is None
    assert excess(beyond, limits) == says


@pytest.mark.parametrize(
    ("within", "beyond", "says"),
    [
        ("<div></div>" * 9_000, "<DIV><article>" * 4_000, "8000 tags, nested 8000 deep"),
        ("<option>" * OPTIONS, "<option>x" * (OPTIONS + 1), f"more than {OPTIONS} options"),
        (
            f"<p {'a=1 ' * (ATTRIBUTES - 1)}>{'words ' * ATTRIBUTES}",
            f"<p {'a=1 ' * (ATTRIBUTES + 1)}>",
            f"more than {ATTRIBUTES} attributes",
        ),
        ("many words of plain text " * 9_999, "<p " + ATTRIBUTES * "a " + "b>", "attributes"),
    ],
)
def test_what_takes_a_parser_quadratic_time_is_refused(within, beyond, says):
    assert excess(within, FAST) is None
    assert says in excess(beyond, FAST)
    if "deep" in says:
        assert naive_depth(beyond) == 8_000


def test_a_page_too_large_for_trafilatura_gets_the_fast_text_and_says_so():
    need_tiers("precise")
    page = PAGE.replace("</main>", "<br>" * PRECISE.tags + "</main>")
    found = extract(page, "precise")
    assert found.text == extract(page, "fast").text
    assert found.detail.startswith("fast: ")
    assert found.detail.endswith("at most 20000 for precise")
