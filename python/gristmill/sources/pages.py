"""From a page that the kernel has read to a document: title, date and license as the page says.

A license that the page declares as its own (``rel=license``, ``itemprop``, rights in ``meta`` tags,
the JSON-LD of the page itself) is mapped to SPDX. One that maps to nothing, or two that differ, make
``NOASSERTION``; what was declared stays in the metadata as ``declared_license``. Links to Creative
Commons that do not say whose license it is are kept as ``license_links`` and count for nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from html import unescape
from typing import Any, NamedTuple

from gristmill.schema import NO_ASSERTION
from gristmill.sources.base import Record
from gristmill.sources.fields import LONGEST_EXTRA
from gristmill.spdx import license_of_url

LARGEST_PAGE = 16 << 20
"""Bytes of the largest page that is read; Common Crawl cuts pages at 5 MiB."""

_PAGE_TYPES = frozenset(
    {
        "AboutPage", "Article", "Blog", "BlogPosting", "Book", "Chapter", "CollectionPage",
        "Course", "CreativeWork", "Dataset", "FAQPage", "HowTo", "ItemPage", "LearningResource",
        "LiveBlogPosting", "MedicalWebPage", "NewsArticle", "OpinionNewsArticle", "ProfilePage",
        "QAPage", "Recipe", "Report", "ReportageNewsArticle", "ScholarlyArticle",
        "SocialMediaPosting", "SoftwareSourceCode", "TechArticle", "WebPage",
    }
)  # fmt: skip
"""What of schema.org a page itself is; an image's license is not the page's."""

_DATED_BEFORE = timedelta(days=1)
_license = lru_cache(maxsize=4096)(license_of_url)


class Declared(NamedTuple):
    """What a page declares, as the kernel gives it: character references are not decoded."""

    title: str | None
    canonical: str | None
    published: str | None
    licenses: list[str]
    license_links: list[str]
    json_ld: list[str]


class Page(NamedTuple):
    """A page as the kernel gives it; `fault` says what had to be replaced in its text."""

    text: str
    charset: str
    fault: str | None
    declared: tuple[Any, ...]


def page_record(
    locator: str, page: Page, url: str | None, crawled: datetime | None, metadata: dict[str, Any]
) -> Record:
    """Make a document of a page.

    Args:
        locator: Where it is.
        page: The page; one with a fault counts as repaired.
        url: Where it was fetched.
        crawled: When it was fetched: the document's date if the page gives none, or one that is
            later.
        metadata: What else is known; None is left out.
    """
    declared = Declared(*page.declared)
    things = list(_things(declared.json_ld))
    published = _plain(declared.published) or _first_string(things, "datePublished")
    moment = date_of(published)
    if crawled is not None and (moment is None or moment > crawled + _DATED_BEFORE):
        moment = crawled
    known = {
        "charset": page.charset,
        "title": _plain(declared.title),
        "canonical": _plain(declared.canonical),
        "published": published,
        "license_links": [unescape(link) for link in declared.license_links] or None,
        "repaired": "bad_utf8" if page.fault else None,
    }
    found = {key: value for key, value in (metadata | known).items() if value is not None}
    return Record(
        locator=locator,
        text=page.text,
        license=_declared_license(declared, things, found),
        url=url,
        created=moment,
        metadata=found,
    )


def date_of(text: str | None) -> datetime | None:
    """A point in time in ISO 8601, in UTC where it names no zone; None when it is none."""
    try:
        moment = datetime.fromisoformat(text.strip().replace("/", "-")) if text else None
        if moment is None:
            return None
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _declared_license(
    declared: Declared, things: list[dict[str, Any]], metadata: dict[str, Any]
) -> str | None:
    urls = [unescape(url) for url in declared.licenses]
    urls += [url for thing in things for url in _strings(thing.get("license"))]
    urls = [url[:LONGEST_EXTRA] for url in dict.fromkeys(urls)]
    if not urls:
        return None
    spdx = {_license(url) for url in urls}
    found = spdx.pop() if len(spdx) == 1 else NO_ASSERTION
    if found == NO_ASSERTION:
        metadata["declared_license"] = urls[0] if len(urls) == 1 else urls
    return found


def _things(documents: list[str]) -> Iterator[dict[str, Any]]:
    """The things of JSON-LD that are the page itself."""
    for document in documents:
        try:
            found = json.loads(document)
        except (ValueError, RecursionError):
            continue
        for thing in _listed(found):
            if isinstance(thing, dict):
                graph = _listed(thing.get("@graph"))
                yield from filter(_is_page, [thing, *graph])


def _is_page(thing: Any) -> bool:
    kinds = _listed(thing.get("@type")) if isinstance(thing, dict) else []
    return any(isinstance(kind, str) and kind.rpartition("/")[2] in _PAGE_TYPES for kind in kinds)


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _strings(value: Any) -> Iterator[str]:
    """The strings that a value of JSON-LD stands for: itself, or the address of what it describes."""
    for one in _listed(value):
        if isinstance(one, dict):
            one = one.get("@id") or one.get("url")
        if isinstance(one, str) and one.strip():
            yield one.strip().encode("utf-8", "replace").decode()


def _first_string(things: list[dict[str, Any]], key: str) -> str | None:
    found = (text for thing in things for text in _strings(thing.get(key)))
    return _plain(next(found, None))


def _plain(value: str | None) -> str | None:
    """A value of a tag as people read it: references decoded, spaces joined, not too long."""
    if value is None:
        return None
    return " ".join(unescape(value).split())[:LONGEST_EXTRA] or None
