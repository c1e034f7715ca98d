"""HTML files, one document each: plain, gzip or zstd."""

from __future__ import annotations

import pyarrow as pa

from gristmill._core import read_page
from gristmill.sources.base import BadRecord, Item, OnBad, Record
from gristmill.sources.pages import LARGEST_PAGE, Page, page_record
from gristmill.sources.paths import open_bytes
from gristmill.sources.whole_files import too_large


def html_record(item: Item, on_bad: OnBad) -> Record | BadRecord:
    """Read one HTML file of up to `LARGEST_PAGE` bytes; its text is the page, tags and all.

    The charset is the one that the page declares, else UTF-8, else what its bytes look like.
    """
    try:
        with open_bytes(item) as stream:
            packed = isinstance(stream, pa.CompressedInputStream)
            largest = LARGEST_PAGE if packed else min(LARGEST_PAGE, item.n_bytes)
            raw = stream.read(largest + 1)
    except OSError as error:
        return BadRecord(locator=item.locator, reason="bad_file", detail=str(error), raw=b"")
    if len(raw) > LARGEST_PAGE:
        return too_large(item, LARGEST_PAGE, raw[:LARGEST_PAGE])
    page = Page(*read_page(raw))
    if page.fault and on_bad != "repair":
        return BadRecord(locator=item.locator, reason="bad_utf8", detail=page.fault, raw=raw)
    return page_record(item.locator, page, None, None, {"path": item.locator})
