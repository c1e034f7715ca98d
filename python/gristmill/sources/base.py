"""What every source gives: splits to read in parallel, and batches of documents and bad records.

A record that is no document (not JSON, no text, not UTF-8) is not lost: it comes back as a row of
`BAD`, from which the build writes its ledger row. Splits, and the records within one, are in
locator order, so reading all splits gives the same rows whoever reads them, and in which order.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Any, Literal, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gristmill._core import xxh3_128_hex
from gristmill.errors import DataRefusedError, RecipeError
from gristmill.schema import DOCUMENT, NO_ASSERTION

OnBad = Literal["refuse", "skip", "repair"]

BAD = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("license", pa.string(), nullable=False),
        pa.field("url", pa.string()),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("detail", pa.string(), nullable=False),
        pa.field("bytes_in", pa.uint64(), nullable=False),
    ]
)
"""A record that is no document; `detail` starts with where it is (``file:line``).

Reasons: ``bad_json``, ``no_text``, ``bad_utf8``, ``duplicate_id``, ``too_large``, ``unreadable`` (a
file without permission) and ``bad_file`` (the rest of a file that breaks off).
"""

BATCH_BYTES = 16 << 20
BATCH_DOCS = 8192
LONGEST_RECORD = 256 << 20
"""Bytes of the longest record that is read; a longer one is bad (``too_large``)."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some records of a split.

    Attributes:
        docs: Documents, with the columns of `schema.DOCUMENT`.
        bad: Records that are none, with the columns of `BAD`.
    """

    docs: pa.Table
    bad: pa.Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One input file.

    Attributes:
        path: Where to open it: a local path or an fsspec URL.
        locator: What it is called in ids and messages: the path relative to the recipe's folder.
        n_bytes: Its size when the run was planned.
        version: What told its content from another one then: an ETag, or when it was changed.
    """

    path: str
    locator: str
    n_bytes: int
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A part of a source that is read alone; small enough to send to another process.

    Attributes:
        key: Digest of the content: as long as the input is unchanged, so is the key.
        name: Locator of the first file, for messages.
        n_bytes: Bytes to read.
        items: The files.
        n_records: How many records to read, the rest is beyond the source's `limit_bytes`; None
            means all.
    """

    key: str
    name: str
    n_bytes: int
    items: tuple[Item, ...]
    n_records: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a recipe says of a source, and its documents therefore have when they do not say."""

    name: str
    license: str = NO_ASSERTION
    on_bad: OnBad = "skip"


@dataclass(slots=True, kw_only=True)
class Record:
    """A document on its way into a batch; what is None takes the source's value."""

    locator: str
    text: str
    id: str | None = None
    source: str | None = None
    license: str | None = None
    url: str | None = None
    created: datetime | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class BadRecord:
    """A record that is no document, and why; `raw` are its bytes, as far as they were read."""

    locator: str
    reason: str
    detail: str
    raw: bytes
    n_bytes: int | None = None
    license: str | None = None
    url: str | None = None


class Source(Protocol):
    """Something that documents come from."""

    @property
    def name(self) -> str:
        """The source's name in the recipe."""
        ...

    def splits(self) -> list[Split]:
        """List the parts in locator order, always the same; refuses an empty source."""
        ...

    def read(self, split: Split) -> Iterator[Batch]:
        """Read one part in locator order."""
        ...


def document_id(source: str, locator: str, text: bytes) -> str:
    """The id of a document that brings none: 32 hex digits, the 128-bit xxh3 of what it is.

    Neither a source's name nor a locator holds a NUL, so different documents are different bytes.
    """
    return xxh3_128_hex(b"\0".join((source.encode(), locator.encode(), text)))


def digest(*parts: str | bytes) -> str:
    """128-bit xxh3 of strings, each with its length, in hex."""
    encoded = (part.encode() if isinstance(part, str) else part for part in parts)
    return xxh3_128_hex(b"".join(b"%d:%s" % (len(part), part) for part in encoded))


def later_repeats(ids: pa.Array | pa.ChunkedArray) -> pa.BooleanArray:
    """Mark every id that stood earlier in `ids`: ``bool[n]``.

    A split checks its own ids while it is read; whoever joins splits and sources checks them all.
    """
    whole = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids
    codes = pc.dictionary_encode(whole).indices.to_numpy()
    first = np.zeros(len(codes), bool)
    first[np.unique(codes, return_index=True)[1]] = True
    return pa.array(~first)


def batches(origin: Origin, records: Iterable[Record | BadRecord]) -> Iterator[Batch]:
    """Collect records into batches of about 16 MiB of text.

    An id that a record of this split had before makes the later record bad (``duplicate_id``).

    Raises:
        DataRefusedError: A record is bad and the source's `on_bad` is ``refuse``.
    """
    rows, bad, size, seen = [], [], 0, dict[str, str]()
    for record in records:
        if isinstance(record, Record):
            text = record.text.encode()
            size += len(text)
            row = _document_row(origin, record, text)
            first = seen.setdefault(row["id"], record.locator)
            if first == record.locator:
                rows.append(row)
            else:
                bad.append(_bad_row(origin, _repeated(record, text, first)))
        else:
            bad.append(_bad_row(origin, record))
        if size >= BATCH_BYTES or len(rows) + len(bad) >= BATCH_DOCS:
            yield _batch(rows, bad)
            rows, bad, size = [], [], 0
    if rows or bad:
        yield _batch(rows, bad)


def limited(name: str, splits: list[Split], read: _Reader, limit_bytes: int | None) -> list[Split]:
    """Cut a source after the last document that fits into `limit_bytes` of text.

    Costs a pass over the records that are kept; without a limit, over the first one only.

    Raises:
        RecipeError: The source has no record at all, or its first document exceeds the limit.
    """
    if limit_bytes is None:
        if not any(True for split in splits for _ in islice(read(split), 1)):
            raise RecipeError(f"source {name!r}: no document in {_names(splits)}; check the path")
        return splits
    kept, left, ended = list[Split](), limit_bytes, False
    for split in splits:
        n_records, left, ended = _fitting(read(split), left)
        if n_records:
            key = digest(split.key, str(n_records))
            kept.append(replace(split, key=key, n_records=n_records) if ended else split)
        if ended:
            break
    if not kept:
        cause = f"its first document is larger than limit_bytes = {limit_bytes}"
        empty = f"no document in {_names(splits)}; check the path"
        raise RecipeError(f"source {name!r}: {cause if ended else empty}")
    return kept


def _fitting(records: Iterator[Record | BadRecord], left: int) -> tuple[int, int, bool]:
    """Count the records that fit into `left` bytes; what is left then; whether one did not fit."""
    n_records = 0
    for record in records:
        size = len(record.text.encode()) if isinstance(record, Record) else 0
        if size > left:
            return n_records, left, True
        left -= size
        n_records += 1
    return n_records, left, False


def _names(splits: list[Split]) -> str:
    more = f" and {len(splits) - 1} more" if len(splits) > 1 else ""
    return (splits[0].name if splits else "nothing") + more


class _Reader(Protocol):
    def __call__(self, split: Split, /) -> Iterator[Record | BadRecord]: ...


def _document_row(origin: Origin, record: Record, text: bytes) -> dict[str, Any]:
    return {
        "id": record.id or document_id(origin.name, record.locator, text),
        "text": record.text,
        "source": record.source or origin.name,
        "license": record.license or origin.license,
        "url": record.url,
        "created": record.created,
        "metadata": json.dumps(record.metadata, sort_keys=True, ensure_ascii=False),
    }


def _repeated(record: Record, text: bytes, first: str) -> BadRecord:
    return BadRecord(
        locator=record.locator,
        reason="duplicate_id",
        detail=f"{record.id} is the id of {first} already",
        raw=text,
        license=record.license,
        url=record.url,
    )


def _bad_row(origin: Origin, record: BadRecord) -> dict[str, Any]:
    detail = f"{record.locator}: {record.detail}"
    if origin.on_bad == "refuse":
        raise DataRefusedError(
            f"source {origin.name!r}: bad record ({record.reason}) at {detail}; mend it, or set "
            "on_bad to skip"
        )
    return {
        "id": document_id(origin.name, record.locator, record.raw),
        "source": origin.name,
        "license": record.license or origin.license,
        "url": record.url,
        "reason": record.reason,
        "detail": detail,
        "bytes_in": len(record.raw) if record.n_bytes is None else record.n_bytes,
    }


def _batch(rows: list[dict[str, Any]], bad: list[dict[str, Any]]) -> Batch:
    return Batch(_table(rows, DOCUMENT), _table(bad, BAD))


def _table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    columns = [pa.array([row[one.name] for row in rows], one.type) for one in schema]
    return pa.table(columns, schema=schema)
