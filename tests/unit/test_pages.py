"""Pages: their charset, and what they declare of themselves."""

import gzip
import re

import pytest

from gristmill._core import read_page
from gristmill.schema import NO_ASSERTION
from gristmill.sources.base import BadRecord, Record
from gristmill.sources.html import html_record
from gristmill.sources.pages import LARGEST_PAGE, date_of
from gristmill.spdx import license_of_url, licensing
from warcs import item

CC = "https://creativecommons.org/licenses"


def page(tmp_path, html, on_bad="skip"):
    raw = html if isinstance(html, bytes) else html.encode()
    return html_record(item(tmp_path, raw, "page.html"), on_bad)


def charset(raw, content_type=None):
    text, name, fault, _ = read_page(raw, content_type)
    return text, name, fault


@pytest.mark.parametrize(
    ("raw", "content_type", "name"),
    [
        ("Grüße".encode(), None, "UTF-8"),
        ("\ufeffGrüße".encode(), "text/html; charset=latin-1", "UTF-8"),
        ("\ufeffGrüße".encode("utf-16-le"), None, "UTF-16LE"),
        ("Grüße".encode("latin-1"), "text/html; Charset = 'ISO-8859-1'", "windows-1252"),
        ("Привет".encode("cp1251"), "text/html;charset=windows-1251", "windows-1251"),
        ("<meta charset=shift_jis>日本".encode("shift_jis"), None, "Shift_JIS"),
        ("<!-- <meta charset=gbk> --><META CHARSET='koi8-r'>Да".encode("koi8-r"), None, "KOI8-R"),
        ("<meta content='text/html; charset=gbk' http-equiv=Content-Type>中".encode("gbk"),
         None, "GBK"),
        ("<?xml version='1.0' encoding='euc-jp'?><html>日".encode("euc-jp"), None, "EUC-JP"),
        ("<meta charset=utf-16>Grüße".encode(), None, "UTF-8"),
        ("Grüße".encode(), "text/html; charset=made-up", "UTF-8"),
        ("<meta charset=big5>1 €".encode(), "text/html; charset=euc-jp", "UTF-8"),
        ("Съешь ещё этих мягких французских булок, да выпей чаю".encode("cp1251"), None,
         "windows-1251"),
    ],
)  # fmt: skip
def test_a_charset_is_found_in_the_order_of_the_html_standard(raw, content_type, name):
    text, found, fault = charset(raw, content_type)
    assert (found, fault) == (name, None)
    assert text == raw.decode(name.replace("windows-", "cp")).removeprefix("\ufeff")


def test_a_charset_that_is_not_true_makes_a_page_bad_or_repaired(tmp_path):
    html = b"<meta charset=utf-8>Gr\xfc\xdfe"
    bad = page(tmp_path, html)
    assert (bad.reason, bad.raw) == ("bad_utf8", html)
    assert "UTF-8" in bad.detail
    mended = page(tmp_path, html, "repair")
    assert mended.text == html.decode(errors="replace")
    assert mended.metadata["repaired"] == "bad_utf8"


DECLARATIONS = [
    (f"<a class=x rel='external LICENSE noopener' href={CC}/by/4.0/>", "CC-BY-4.0"),
    (f"<link href='{CC}/by-sa/4.0/deed.an' rel=license>", "CC-BY-SA-4.0"),
    (f'<AREA REL="license" HREF="{CC}/by/3.0/de/">', "CC-BY-3.0-DE"),
    (f"<a itemprop=license href='{CC}/by-nc/2.0/'>", "CC-BY-NC-2.0"),
    (f"<meta itemprop=license content={CC}/by/4.0/>", "CC-BY-4.0"),
    ("<meta name=DC.rights content=http://www.apache.org/licenses/LICENSE-2.0>", "Apache-2.0"),
    (f'<script type="application/ld+json">{{"@type": ["WebPage"], "license": "{CC}/by/4.0"}}'
     "</script>", "CC-BY-4.0"),
    ('<script type=application/ld+json>{"@graph": [{"@type": "Dataset", "license": '
     f'{{"@id": "{CC}/by-nd/4.0/"}}}}]}}</script>', "CC-BY-ND-4.0"),
    (f'<script type=application/ld+json>{{"@type": "ImageObject", "license": "{CC}/by/4.0"}}'
     "</script>", None),
    ("<script type=application/ld+json>{'license': [[[</script>", None),
    (f"<!-- <a rel=license href={CC}/by/4.0/> -->", None),
    (f"<script>'<a rel=license href={CC}/by/4.0/>'</script>", None),
    (f"<p data-x='<a rel=license href={CC}/by/4.0/>'>", None),
    ("<a rel=nofollow href=/license>", None),
    ("<a rel=license href=/terms>", NO_ASSERTION),
    (f"<a rel=license href={CC}/by/4.0/><a rel=license href={CC}/by/4.0/deed.de>", "CC-BY-4.0"),
    (f"<a rel=license href={CC}/by/4.0/><a rel=license href={CC}/by/3.0/>", NO_ASSERTION),
    ("<a rel=license href=https://creativecommons.org/publicdomain/mark/1.0/>", NO_ASSERTION),
]  # fmt: skip


@pytest.mark.parametrize(("html", "expected"), DECLARATIONS)
def test_a_license_counts_only_where_the_page_declares_it_as_its_own(tmp_path, html, expected):
    found = page(tmp_path, f'<!doctype html><p class="it\'s">{html}')
    assert found.license == expected
    assert ("declared_license" in found.metadata) == (expected == NO_ASSERTION)


def test_two_licenses_are_both_kept_and_none_is_chosen(tmp_path):
    one, two = f"{CC}/by/4.0/?a&b", "/terms"
    html = f"<a rel=license href='{one.replace('&', '&amp;')}'><a rel=license href={two}>"
    found = page(tmp_path, html)
    assert (found.license, found.metadata["declared_license"]) == (NO_ASSERTION, [one, two])


def test_a_mere_link_to_a_license_is_kept_apart(tmp_path):
    found = page(tmp_path, f"Photo: <a href={CC}/by/2.0/>CC</a><a href={CC}-x/>")
    assert found.license is None
    assert found.metadata["license_links"] == [f"{CC}/by/2.0/"]


def test_title_address_and_date_are_those_of_the_page(tmp_path):
    html = """<html><head><TITLE>
      Fish &amp; <b>Chips</title><svg><title>no</title></svg>
      <link rel="canonical" href="https://a.org/?x=1&amp;y=2">
      <meta property="article:published_time" content="2020-02-03T04:05:06+01:00">
      <time datetime=1999-01-01>then</time>"""
    found = page(tmp_path, html)
    assert found.metadata == {
        "path": "page.html",
        "charset": "UTF-8",
        "title": "Fish & <b>Chips",
        "canonical": "https://a.org/?x=1&y=2",
        "published": "2020-02-03T04:05:06+01:00",
    }
    assert found.created.isoformat() == "2020-02-03T03:05:06+00:00"


@pytest.mark.parametrize(
    "html",
    [
        "<time itemprop='x datePublished' datetime=2020-01-02>",
        "<time pubdate datetime=2020-01-02>",
        "<meta itemprop=datePublished content=2020-01-02>",
        "<meta name=citation_publication_date content=2020/01/02>",
        "<script type=application/ld+json>[{'@type': 'NewsArticle', 'datePublished': "
        "'2020-01-02'}]</script>".replace("'", '"'),
    ],
)
def test_a_date_is_read_wherever_machines_look_for_it(tmp_path, html):
    assert page(tmp_path, html).created.isoformat() == "2020-01-02T00:00:00+00:00"


def test_what_is_no_date_stays_in_the_metadata_only(tmp_path):
    found = page(tmp_path, "<meta itemprop=datePublished content='last week'>")
    assert (found.created, found.metadata["published"]) == (None, "last week")
    assert date_of("0001-01-01T00:00:00+14:00") is None


def test_an_html_file_may_be_compressed(tmp_path):
    raw = gzip.compress(b"<title>x</title>")
    found = html_record(item(tmp_path, raw, "page.html.gz"), "skip")
    assert isinstance(found, Record)
    assert found.text == "<title>x</title>"


def test_a_page_beyond_the_limit_is_bad_however_small_its_file(tmp_path):
    raw = gzip.compress(bytes(LARGEST_PAGE + 1))
    found = html_record(item(tmp_path, raw, "page.html.gz"), "skip")
    assert isinstance(found, BadRecord)
    assert (found.reason, found.n_bytes) == ("too_large", len(raw))


def test_a_broken_compressed_page_is_bad(tmp_path):
    raw = gzip.compress(bytes(range(256)) * 99)[:-9]
    assert html_record(item(tmp_path, raw, "page.html.gz"), "skip").reason == "bad_file"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://creativecommons.org/licenses/by/4.0", "CC-BY-4.0"),
        ("//www.creativecommons.org/licenses/by-nc-nd/3.0/deed.fr", "CC-BY-NC-ND-3.0"),
        (
            "HTTPS://creativecommons.org:443/licenses/BY-SA/3.0/igo/legalcode?x#y",
            "CC-BY-SA-3.0-IGO",
        ),
        (f"{CC}/by-nc-sa/2.0/uk/", "CC-BY-NC-SA-2.0-UK"),
        (f"{CC}/by/3.0/it/", NO_ASSERTION),
        (f"{CC}/by/9.9/", NO_ASSERTION),
        (f"{CC}/", NO_ASSERTION),
        ("https://creativecommons.org/publicdomain/zero/1.0/deed.de", "CC0-1.0"),
        ("https://creativecommons.org/publicdomain/mark/1.0/", NO_ASSERTION),
        ("https://opensource.org/licenses/MIT", "MIT"),
        ("https://opensource.org/license/bsd-3-clause/", "BSD-3-Clause"),
        ("https://spdx.org/licenses/MPL-2.0.html", "MPL-2.0"),
        ("http://www.apache.org/licenses/LICENSE-2.0.txt", "Apache-2.0"),
        ("https://www.apache.org/licenses/", NO_ASSERTION),
        ("https://www.gnu.org/licenses/gpl-3.0.en.html", "GPL-3.0-only"),
        ("https://www.gnu.org/licenses/old-licenses/fdl-1.2.html", "GFDL-1.2-only"),
        ("https://www.gnu.org/licenses/gpl.html", NO_ASSERTION),
        ("https://evil.org/creativecommons.org/licenses/by/4.0/", NO_ASSERTION),
        ("https://creativecommons.org.evil.org/licenses/by/4.0/", NO_ASSERTION),
        ("by/4.0", NO_ASSERTION),
        ("", NO_ASSERTION),
    ],
)
def test_an_address_names_a_license_only_where_it_is_the_license(url, expected):
    assert license_of_url(url) == expected
    assert expected == NO_ASSERTION or expected in licensing().known_symbols


def test_every_creative_commons_license_is_found_at_its_own_address():
    found = [
        re.fullmatch(r"CC-(BY[A-Z-]*)-(\d\.\d)(-[A-Z]+)?", it) for it in licensing().known_symbols
    ]
    known = [it for it in found if it]
    assert len(known) > 40
    for it in known:
        kind, version, port = it[1].lower(), it[2], (it[3] or "").lower().replace("-", "/")
        assert license_of_url(f"{CC}/{kind}/{version}{port}/") == it[0]
