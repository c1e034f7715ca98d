"""Batches whose columns a kernel fills, for records that are as most are; Python reads the others.

The kernel stops at every record of which it is not sure. That one goes through `fields.record`, the
reading that counts, and comes back to its place; so whatever the kernel takes, the batches are those
of `base.batches`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from gristmill._core import RecordRows
from gristmill.schema import DOCUMENT
from gristmill.sources.base import (
    BAD,
    BATCH_BYTES,
    BATCH_DOCS,
    LONGEST_RECORD,
    BadRecord,
    Batch,
    Origin,
    Record,
    Row,
    Rows,
    document_row,
    repeated,
)
from gristmill.sources.fields import declared_license
from gristmill.text import from_kernel

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """What the kernel is told of a source and of its batches."""

    source: str
    license: str
    locator: str
    batch_bytes: int
    batch_docs: int
    longest: int


class ColumnRows:
    """As `base.Rows`, with a kernel that appends documents by itself.

    Args:
        origin: What the recipe says of the source.
        locator: What the file is called.
        n_read: The number of records of the file before the first that is read.
        with_text: Whether the kernel collects the texts too.
    """

    def __init__(
        self, origin: Origin, locator: str, n_read: int, *, with_text: bool = True
    ) -> None:
        self._origin, self._locator, self._with_text = origin, locator, with_text
        place = _Place(
            source=origin.name,
            license=origin.license,
            locator=locator,
            batch_bytes=BATCH_BYTES,
            batch_docs=BATCH_DOCS,
            longest=LONGEST_RECORD,
        )
        self.kernel = RecordRows(place, n_read)
        self._begin()

    def _begin(self) -> None:
        self._bad, self._bad_at = Rows(self._origin), list[int]()

    def __len__(self) -> int:
        return self.kernel.n_docs + self.n_bad

    @property
    def n_bad(self) -> int:
        """How many bad records are held."""
        return len(self._bad)

    def is_full(self) -> bool:
        """Whether the batch has reached its size."""
        return self.kernel.is_full(self.n_bad)

    def add_license(self, declared: str) -> None:
        """Tell the kernel what a declared license means."""
        metadata: dict[str, str] = {}
        expression = declared_license(declared, metadata)
        self.kernel.add_license(
            declared, expression or self._origin.license, metadata.get("declared_license")
        )

    def add(self, number: int, record: Record | BadRecord) -> bool:
        """Append what Python made of the record with that number; whether it is a document."""
        if isinstance(record, Record):
            row = document_row(self._origin, record)
            text = record.text if self._with_text else None
            first = self.kernel.add(number, _finished(row), text, len(row["text"]))
            if first is None:
                return True
            record = repeated(record, f"{self._locator}:{first}")
        self._bad_at.append(len(self))
        self._bad.add_bad(record)
        return False

    def batch(self, texts: pa.ChunkedArray | None = None) -> Batch:
        """What was appended, with `texts` unless the kernel has them."""
        columns = from_kernel(self.kernel.take(self._with_text))
        if texts is not None:
            columns = columns.append_column("text", texts)
        docs = columns.select(DOCUMENT.names).cast(DOCUMENT)
        # An array made from a list lets pyarrow import pandas, a second of work: not without need.
        bad = self._bad.batch().bad if self.n_bad else pa.Table.from_batches([], BAD)
        batch = Batch(docs, bad, np.array(self._bad_at, np.int64))
        self._begin()
        return batch


def _finished(row: Row) -> Row:
    created = row["created"]
    return row | {"created": created and (created - _EPOCH) // timedelta(microseconds=1)}
