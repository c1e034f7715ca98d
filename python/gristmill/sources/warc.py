"""WARC and WET files: HTML pages, or plain texts, and where a record is broken.

Documents are the `response` and `resource` records that hold HTML and whose status is a success,
or, of WET files, the `conversion` records that hold plain text. What else a WARC file holds
(requests, images, redirects) is no document and no fault; `records` returns how many of each kind
there were. Locators are ``path:offset`` as CDX files have it; where one gzip member holds several
records, ``path:offset+n`` with the bytes of the inflated member before the record. For zstd the
offset is that of the decompressed file.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from gristmill._core import WarcDocuments
from gristmill.sources.base import (
    BadRecord,
    Batch,
    Item,
    OnBad,
    Origin,
    Part,
    Record,
    Rows,
    batches,
)
from gristmill.sources.jsonl import broken
from gristmill.sources.pages import LARGEST_PAGE, Page, date_of, page_record
from gristmill.sources.paths import compression, open_bytes, open_raw

Records = Generator[Record | BadRecord, None, dict[str, int]]

_UNKNOWN = (1 << 64) - 1
_PIECE_BYTES = 64 << 10
_PROBE_BYTES, _PROBE_INFLATED = 1 << 20, 16 << 20


def records(item: Item, on_bad: OnBad, start: int = 0, stop: int | None = None) -> Records:
    """Read the pages of a WARC file.

    Args:
        item: The file.
        on_bad: With ``repair``, what a page's charset does not have is replaced.
        start: Read the records that begin at this byte of the file or later, ...
        stop: ... and before this one; None means all. Ranges that tile a file give each record
            once; a file that is not `splittable` belongs to its first range.

    Returns:
        By kind, how many records of the range were no documents.
    """
    return (yield from _read(item, on_bad, start, stop, texts=False))


def wet_records(item: Item, on_bad: OnBad, start: int = 0, stop: int | None = None) -> Records:
    """Read the texts of a WET file; see `records`."""
    return (yield from _read(item, on_bad, start, stop, texts=True))


def warc_batches(origin: Origin, item: Item, part: Part | None = None) -> Iterator[Batch]:
    """Read the pages of one WARC file, or of the part of it that is meant."""
    return _batches(origin, records, item, part or Part())


def wet_batches(origin: Origin, item: Item, part: Part | None = None) -> Iterator[Batch]:
    """Read the texts of one WET file, or of the part of it that is meant."""
    return _batches(origin, wet_records, item, part or Part())


def _batches(
    origin: Origin, read: Callable[..., Records], item: Item, part: Part
) -> Iterator[Batch]:
    others = dict[str, int]()

    def found() -> Iterator[Record | BadRecord]:
        others.update((yield from read(item, origin.on_bad, part.start, part.stop)))

    yield from batches(origin, found())
    if others:
        yield replace(Rows(origin).batch(), others=others)


def splittable(item: Item) -> bool:
    """Whether reading may begin inside the file: it is plain, or its first gzip member is small."""
    with open_raw(item) as raw:
        head = raw.read(_PROBE_BYTES)
    packed = compression(head)
    if packed != "gzip":
        return packed is None
    member = zlib.decompressobj(wbits=31)
    try:
        member.decompress(head, _PROBE_INFLATED)
    except zlib.error:
        return False
    return member.eof and (bool(member.unused_data) or item.n_bytes > len(head))


def _read(item: Item, on_bad: OnBad, start: int, stop: int | None, *, texts: bool) -> Records:
    try:
        with open_raw(item) as raw:
            packed = compression(raw.read(4))
            raw.seek(0)
            if packed != "zstd":
                span = (start, _UNKNOWN if stop is None else stop, item.n_bytes)
                gzip = packed == "gzip"
                return (yield from _documents(item, on_bad, raw, gzip, span, texts))
        if start > 0:
            return {}
        with open_bytes(item) as stream:
            span = (0, _UNKNOWN, _UNKNOWN)
            return (yield from _documents(item, on_bad, _Pieces(stream), False, span, texts))
    except OSError as error:
        yield broken(_locator(item, start, 0), error)
        return {}


@dataclass(frozen=True, slots=True)
class _Pieces:
    """A decompressed stream in small reads: one that fails loses all that it asked for."""

    stream: pa.NativeFile

    def read(self, size: int) -> bytes:
        return bytes(self.stream.read(min(size, _PIECE_BYTES)))


def _documents(
    item: Item, on_bad: OnBad, stream: Any, gzip: bool, span: tuple[int, int, int], texts: bool
) -> Records:
    start, stop, size = span
    reader = WarcDocuments(
        stream,
        gzip=gzip,
        start=start,
        stop=stop,
        size=size,
        limit=LARGEST_PAGE,
        texts=texts,
        repair=on_bad == "repair",
    )
    while batch := reader.next_batch():
        for document, bad in batch:
            if document is not None:
                yield _record(item, document, texts)
            elif bad is not None:
                yield _bad(item, bad)
    return reader.others()


def _record(item: Item, document: tuple[Any, ...], texts: bool) -> Record:
    offset, inner, url, date, record_id, status, content_type, languages, truncated, page = document
    metadata = {
        "content_type": content_type,
        "crawled": None if texts else date,
        "languages": languages,
        "record_id": record_id and record_id.strip("<>"),
        "status": status,
        "truncated": truncated,
    }
    locator = _locator(item, offset, inner)
    return page_record(locator, Page(*page), url and _url(url), date_of(date), metadata)


def _bad(item: Item, bad: tuple[Any, ...]) -> BadRecord:
    offset, inner, reason, detail, raw, n_bytes, url = bad
    return BadRecord(
        locator=_locator(item, offset, inner),
        reason=reason,
        detail=detail,
        raw=raw,
        n_bytes=n_bytes,
        url=url and _url(url),
    )


def _locator(item: Item, offset: int, inner: int) -> str:
    return f"{item.locator}:{offset}+{inner}" if inner else f"{item.locator}:{offset}"


def _url(declared: str) -> str:
    """A record's address without the angle brackets of wget; spaces as browsers repair them."""
    if declared.startswith("<") and declared.endswith(">"):
        declared = declared[1:-1]
    return re.sub(r"[\t\r\n]", "", declared).strip().replace(" ", "%20")
