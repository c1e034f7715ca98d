"""HTML files, one document each: plain, gzip or zstd."""

from __future__ import annotations

from gristmill._core import read_page
from gristmill.sources.base import BadRecord, Item, OnBad, Record
from gristmill.sources.pages import LARGEST_PAGE, Page, page_record
from gristmill.sources.whole_files import read_whole


def html_record(item: Item, on_bad: OnBad) -> Record | BadRecord:
    """Read one HTML file of up to `LARGEST_PAGE` bytes; its text is the page, tags and all.

    The charset is the one that the page declares, else UTF-8, else what its bytes look like.
    """
    raw = read_whole(item, LARGEST_PAGE)
    if isinstance(raw, BadRecord):
        return raw
    page = Page(*read_page(raw))
    if page.fault and on_bad != "repair":
        return BadRecord(locator=item.locator, reason="bad_utf8", detail=page.fault, raw=raw)
    return page_record(item.locator, page, None, None, {"path": item.locator})
