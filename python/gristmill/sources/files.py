"""Sources that are files: one split per file of records, or per group of documents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from gristmill.sources.base import (
    BadRecord,
    Batch,
    Item,
    OnBad,
    Origin,
    Part,
    Record,
    Split,
    batches,
    digest,
    first_records,
    limited,
)
from gristmill.sources.jsonl import batches as jsonl_batches
from gristmill.sources.parquet import arrow_batches, check_columns, parquet_batches
from gristmill.sources.paths import content_key
from gristmill.sources.whole_files import code_record, text_record

SPLIT_BYTES = 32 << 20
"""Small files are read in groups of about this size."""

RECORD_FORMATS: dict[str, Callable[[Origin, Item, Part | None], Iterator[Batch]]] = {
    "jsonl": jsonl_batches,
    "parquet": parquet_batches,
    "arrow": arrow_batches,
}
DOCUMENT_FORMATS: dict[str, Callable[[Item, OnBad], Record | BadRecord]] = {
    "text": text_record,
    "markdown": text_record,
    "code": code_record,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """A source of files in one format; see `base.Source`."""

    origin: Origin
    format: str
    items: tuple[Item, ...]
    limit_bytes: int | None = None

    @property
    def name(self) -> str:
        """The source's name in the recipe."""
        return self.origin.name

    def splits(self) -> list[Split]:
        """One split per file of records; documents that are files in groups of 32 MiB."""
        groups: Iterator[tuple[Item, ...]]
        if self.format in RECORD_FORMATS:
            groups = iter([(item,) for item in self.items])
            if self.format != "jsonl":
                for item in self.items:
                    check_columns(self.name, item, self.format)
        else:
            groups = grouped(self.items)
        splits = [self._split(group) for group in groups]
        return limited(self.name, splits, self.read, self.limit_bytes)

    def read(self, split: Split) -> Iterator[Batch]:
        """Read one split in locator order."""
        return first_records(self._batches(split), split.n_records)

    def _split(self, items: tuple[Item, ...]) -> Split:
        return Split(
            key=digest(self.format, *(content_key(item) for item in items)),
            name=items[0].locator,
            n_bytes=sum(item.n_bytes for item in items),
            items=items,
        )

    def _batches(self, split: Split) -> Iterator[Batch]:
        if self.format in RECORD_FORMATS:
            (item,) = split.items
            return RECORD_FORMATS[self.format](self.origin, item, split.part)
        read = DOCUMENT_FORMATS[self.format]
        return batches(self.origin, (read(item, self.origin.on_bad) for item in split.items))


def grouped(items: tuple[Item, ...]) -> Iterator[tuple[Item, ...]]:
    """Cut a list of files into runs of about `SPLIT_BYTES`."""
    group, size = list[Item](), 0
    for item in items:
        group.append(item)
        size += item.n_bytes
        if size >= SPLIT_BYTES:
            yield tuple(group)
            group, size = [], 0
    if group:
        yield tuple(group)
