"""What every source gives: splits to read in parallel, and batches of documents and bad records.

A record that is no document (not JSON, no text, not UTF-8) is not lost: it comes back as a row of
`BAD`, from which the build writes its ledger row. Splits, and the records within one, are in
locator order, so reading all splits gives the same rows whoever reads them, and in which order.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gristmill._core import xxh3_128_hex
from gristmill.errors import DataRefusedError, RecipeError
from gristmill.schema import DOCUMENT, NO_ASSERTION

OnBad = Literal["refuse", "skip", "repair"]

Row: TypeAlias = dict[str, Any]
"""The values of a document, or of a bad record, by column; a text as its UTF-8 bytes."""

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
        bad_at: ``int64[len(bad)]``, ascending: where among all records of the batch they stood.
        others: By kind, how many records of a web archive were no documents and no faults.
    """

    docs: pa.Table
    bad: pa.Table
    bad_at: npt.NDArray[np.int64]
    others: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.docs) + len(self.bad)

    def head(self, n_records: int) -> Batch:
        """The first records of the batch, at most so many."""
        n_bad = int(np.searchsorted(self.bad_at, n_records))
        docs, bad = self.docs.slice(0, n_records - n_bad), self.bad.slice(0, n_bad)
        return replace(self, docs=docs, bad=bad, bad_at=self.bad_at[:n_bad])

    def head_docs(self, n_docs: int) -> Batch:
        """The records up to the document with that number, at most so many documents."""
        if n_docs >= len(self.docs):
            return self
        at = np.delete(np.arange(len(self)), self.bad_at)
        return self.head(int(at[n_docs - 1]) + 1 if n_docs else 0)

    def text_bytes(self) -> npt.NDArray[np.int64]:
        """``int64[len(self)]``: UTF-8 bytes of each record's text, 0 for a bad one."""
        sizes = pc.binary_length(self.docs["text"]).to_numpy()
        return np.insert(sizes, self.bad_at - np.arange(len(self.bad)), 0)


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


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a large file.

    Attributes:
        start: Where it begins: a byte of a web archive, a byte of unpacked JSON Lines where a line
            begins, a row group of Parquet, a record batch of Arrow.
        stop: Where it ends, not included; None is the end of the file.
        first: How many lines or rows stand before it.
    """

    start: int = 0
    stop: int | None = None
    first: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A part of a source that is read alone; small enough to send to another process.

    Attributes:
        key: Digest of the content: as long as the input is unchanged, so is the key.
        name: Locator of the first file, for messages.
        n_bytes: Bytes to read.
        items: The files.
        part: Which part of the file is meant, when it is one of several.
        n_records: How many records to read, the rest is beyond the source's `limit_bytes`; None
            means all.
    """

    key: str
    name: str
    n_bytes: int
    items: tuple[Item, ...]
    part: Part | None = None
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

    @property
    def format(self) -> str:
        """How its documents were stored: one of `FORMATS`, or `GIVEN`."""
        ...

    def splits(self) -> list[Split]:
        """List the parts in locator order, always the same; refuses an empty source."""
        ...

    def read(self, split: Split) -> Iterator[Batch]:
        """Read one part in locator order."""
        ...

    def for_reading(self) -> Source:
        """What reads the parts without finding them: small enough to send to another process."""
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
    held, seen = Rows(origin), dict[str, str]()
    for record in records:
        if isinstance(record, Record):
            row = document_row(origin, record)
            first = seen.setdefault(row["id"], record.locator)
            if first == record.locator:
                held.add(row)
            else:
                held.add_bad(repeated(record, first))
        else:
            held.add_bad(record)
        if held.n_bytes >= BATCH_BYTES or len(held) >= BATCH_DOCS:
            yield held.batch()
            held = Rows(origin)
    if len(held):
        yield held.batch()


class Rows:
    """Records on their way into a batch.

    Args:
        origin: What the recipe says of the source.
    """

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._docs, self._bad, self._bad_at = list[Row](), list[Row](), list[int]()
        self.n_bytes = 0

    def __len__(self) -> int:
        return len(self._docs) + len(self._bad)

    def add(self, row: Row) -> None:
        """Append a document."""
        self.n_bytes += len(row["text"])
        self._docs.append(row)

    def add_bad(self, record: BadRecord) -> None:
        """Append a record that is none."""
        self._bad_at.append(len(self))
        self._bad.append(_bad_row(self._origin, record))

    def batch(self) -> Batch:
        """What was appended."""
        docs, bad = _table(self._docs, DOCUMENT), _table(self._bad, BAD)
        return Batch(docs, bad, np.array(self._bad_at, np.int64))


def limited(
    name: str, splits: list[Split], read: Callable[[Split], Iterator[Batch]], limit: int | None
) -> list[Split]:
    """Cut a source after the last document that fits into `limit` bytes of text.

    Costs a pass over the records that are kept; without a limit, over the first batch only.

    Raises:
        RecipeError: The source has no record at all, or its first document exceeds the limit.
    """
    if limit is None:
        if not any(True for split in splits for _ in islice(read(split), 1)):
            raise RecipeError(f"source {name!r}: no document in {_names(splits)}; check the path")
        return splits
    kept, left, ended = list[Split](), limit, False
    for split in splits:
        n_records, left, ended = _fitting(read(split), left)
        if n_records:
            key = digest(split.key, str(n_records))
            kept.append(replace(split, key=key, n_records=n_records) if ended else split)
        if ended:
            break
    if not kept:
        cause = f"its first document is larger than limit_bytes = {limit}"
        empty = f"no document in {_names(splits)}; check the path"
        raise RecipeError(f"source {name!r}: {cause if ended else empty}")
    return kept


def _fitting(batches: Iterator[Batch], left: int) -> tuple[int, int, bool]:
    """Count the records that fit into `left` bytes; what is left then; whether one did not fit."""
    n_records = 0
    for batch in batches:
        total = np.cumsum(batch.text_bytes())
        n_fitting = int(np.searchsorted(total, left, side="right"))
        n_records += n_fitting
        left -= int(total[n_fitting - 1]) if n_fitting else 0
        if n_fitting < len(batch):
            return n_records, left, True
    return n_records, left, False


def first_records(batches: Iterator[Batch], n_records: int | None) -> Iterator[Batch]:
    """The batches up to the record with that number, or all when it is None."""
    for batch in batches:
        if n_records is not None:
            batch = batch.head(n_records)
            n_records -= len(batch)
        yield batch
        if n_records == 0:
            return


def _names(splits: list[Split]) -> str:
    more = f" and {len(splits) - 1} more" if len(splits) > 1 else ""
    return (splits[0].name if splits else "nothing") + more


def document_row(origin: Origin, record: Record) -> Row:
    """The columns of a document; what it does not say takes the source's value."""
    text = record.text.encode()
    return {
        "id": record.id or document_id(origin.name, record.locator, text),
        "text": text,
        "source": record.source or origin.name,
        "license": record.license or origin.license,
        "url": record.url,
        "created": record.created,
        "metadata": json.dumps(record.metadata, sort_keys=True, ensure_ascii=False),
    }


def repeated(record: Record, first: str) -> BadRecord:
    """The bad record that stands for a document whose id the one at `first` has already."""
    return BadRecord(
        locator=record.locator,
        reason="duplicate_id",
        detail=f"{record.id} is the id of {first} already",
        raw=record.text.encode(),
        license=record.license,
        url=record.url,
    )


def _bad_row(origin: Origin, record: BadRecord) -> Row:
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


def _table(rows: list[Row], schema: pa.Schema) -> pa.Table:
    columns = [pa.array([row[one.name] for row in rows], one.type) for one in schema]
    return pa.Table.from_arrays(columns, schema=schema)
