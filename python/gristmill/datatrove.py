"""datatrove's pipelines read our sources, and our sources can be its readers.

`GristmillReader` is a step of a datatrove pipeline; `source` makes a source of a reader of datatrove's.
What a build writes to ``documents/`` needs neither: datatrove's `ParquetReader` reads it.

>>> from datatrove.pipeline.readers import ParquetReader
>>> from gristmill.datatrove import GristmillReader, source
>>> from gristmill.sources import open_source
>>> ours = open_source(name="news", path="news/*.jsonl", license="MIT", base=folder)
>>> [document.text for document in GristmillReader(ours).run()]
['one', 'two']
>>> theirs = source(ParquetReader(f"{folder}/tables"), name="tables", license="MIT")
>>> [batch.docs["text"].to_pylist() for split in theirs.splits() for batch in theirs.read(split)]
[['three']]
"""

from __future__ import annotations

import inspect
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from gristmill.errors import IntegrityError, RecipeError
from gristmill.sources import GIVEN, Batch, Source, Split, checked_origin
from gristmill.sources.base import BadRecord, Item, OnBad, Origin, Record, batches, digest
from gristmill.sources.fields import record
from gristmill.sources.jsonl import broken
from gristmill.sources.remote import version

try:
    import dill
    from datatrove.data import Document
    from datatrove.io import get_shard_from_paths_file
    from datatrove.pipeline.base import PipelineStep
except ImportError as error:
    raise ImportError(
        f"gristmill.datatrove needs datatrove, which cannot be imported ({error}); "
        "pip install datatrove"
    ) from error

_COLUMNS = ("source", "license", "url", "created")
_BREAKS = (OSError, EOFError, UnicodeError, zlib.error, pa.ArrowException)


class GristmillReader(PipelineStep):  # type: ignore[misc]
    """Read sources in a datatrove pipeline; tasks share the splits, and each reads its own.

    The plan is made here, once: every document comes exactly once, whatever the number of tasks. A
    record that is no document is counted in the step's statistics, by its reason.

    Args:
        sources: What `gristmill.sources.open_source` gives.

    Raises:
        RecipeError: A source has no document.
    """

    type = "📖 - READER"
    name = "Gristmill"

    def __init__(self, *sources: Source) -> None:
        super().__init__()
        self.sources = sources
        self.splits = [source.splits() for source in sources]

    def run(
        self, data: Iterable[Document] | None = None, rank: int = 0, world_size: int = 1
    ) -> Iterator[Document]:
        """Yield what earlier steps give, then the documents of every `world_size`-th split.

        Yields:
            Documents with `source`, `license`, and if known `url` and `created` (ISO 8601) in their
            metadata, beside what our own metadata holds.
        """
        yield from data or ()
        parts = [
            (source, split)
            for source, splits in zip(self.sources, self.splits, strict=True)
            for split in splits
        ]
        for source, split in parts[rank::world_size]:
            for batch in source.read(split):
                for reason in batch.bad["reason"].to_pylist():
                    self.stat_update("bad_records", reason)
                for row in batch.docs.to_pylist():
                    document = _document(row)
                    self.update_doc_stats(document)
                    yield document


def _document(row: dict[str, Any]) -> Document:
    columns = {name: row[name] for name in _COLUMNS if row[name] is not None}
    if "created" in columns:
        columns["created"] = columns["created"].isoformat()
    return Document(text=row["text"], id=row["id"], metadata=json.loads(row["metadata"]) | columns)


def source(
    reader: Any, *, name: str, license: str | None = None, on_bad: OnBad = "skip"
) -> ReaderSource:
    """Make a source of a datatrove reader: one split per file, or one when it reads no files.

    What a document's metadata says of `source`, `license`, `url` and `created` (or `date`) becomes its
    column. Lines that the reader itself leaves out (broken JSON, no text) are not seen here, and so not
    counted; media are left out.

    Args:
        reader: `JsonlReader`, `ParquetReader`, `CSVReader`, `WarcReader` or another step with `run`.
        name: The source's name in the recipe.
        license: SPDX expression of documents that declare none; ``NOASSERTION`` when None.
        on_bad: As for `open_source`.

    Raises:
        RecipeError: A value cannot be used, or the reader has a `limit` or `skip`, which count per task.
    """
    if getattr(reader, "limit", -1) != -1 or getattr(reader, "skip", 0):
        raise RecipeError(
            f"source {name!r}: the reader has limit = {reader.limit} and skip = {reader.skip}, which "
            "count per task; leave them out and use `limit` of the build"
        )
    return ReaderSource(origin=checked_origin(name, license, on_bad), reader=reader)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderSource:
    """A datatrove reader as a source; see `sources.base.Source`."""

    origin: Origin
    reader: Any

    @property
    def name(self) -> str:
        """The source's name in the recipe."""
        return self.origin.name

    @property
    def format(self) -> str:
        """That somebody gave it in Python."""
        return GIVEN

    def for_reading(self) -> ReaderSource:
        """Itself: it is small."""
        return self

    def splits(self) -> list[Split]:
        """One split per file of the reader, in its order.

        A file's key is its size and time of change (or ETag), with the reader's options. A reader
        without files has one split, whose key is the options alone.
        """
        options = _options(self.name, self.reader)
        if not hasattr(self.reader, "read_file"):
            return [Split(key=digest(options), name=self.name, n_bytes=0, items=())]
        items = [self._item(path) for path in self._paths()]
        if not items:
            raise RecipeError(f"source {self.name!r}: the reader finds no file; check its folder")
        return [
            Split(
                key=digest(options, item.locator, str(item.n_bytes), item.version),
                name=item.locator,
                n_bytes=item.n_bytes,
                items=(item,),
            )
            for item in items
        ]

    def read(self, split: Split) -> Iterator[Batch]:
        """Read one split in the reader's order.

        Raises:
            IntegrityError: The file was changed since the run was planned.
        """
        return batches(self.origin, self._records(split))

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, (self.origin, dill.dumps(self.reader))  # pickle loses an adapter

    def _paths(self) -> list[str]:
        reader = self.reader
        if reader.paths_file:
            return list(get_shard_from_paths_file(reader.paths_file, 0, 1))
        return reader.data_folder.get_shard(
            0, 1, recursive=reader.recursive, glob_pattern=reader.glob_pattern
        ) or []  # fmt: skip

    def _item(self, path: str) -> Item:
        folder = self.reader.data_folder
        folder.fs.invalidate_cache()
        info = folder.info(path)
        return Item(path=path, locator=path, n_bytes=int(info["size"]), version=version(info))

    def _records(self, split: Split) -> Iterator[Record | BadRecord]:
        if not split.items:
            yield from self._documents(self.name, self.reader.run(None, 0, 1))
        for item in split.items:
            yield from self._documents(item.locator, self.reader.read_file(item.path))
            if (now := self._item(item.path)) != item:
                raise IntegrityError(
                    f"{item.locator}: is another file than when the run was planned ({now.n_bytes} "
                    f"bytes, {now.version}; then {item.n_bytes} bytes, {item.version}); run the same "
                    "command again, which reads the new one"
                )

    def _documents(self, name: str, found: Iterable[Document]) -> Iterator[Record | BadRecord]:
        number = 0
        try:
            for document in found:
                yield record(_row(document), f"{name}:{number}", self.origin.on_bad, b"")
                number += 1
        except _BREAKS as error:
            yield broken(f"{name}:{number}", OSError(error))


def _received(origin: Origin, reader: bytes) -> ReaderSource:
    return ReaderSource(origin=origin, reader=dill.loads(reader))  # noqa: S301 (our own job)


def _row(document: Document) -> dict[str, Any]:
    """A document as a row that `fields.record` reads."""
    metadata = dict(document.metadata)
    columns = {name: metadata.pop(name, None) for name in _COLUMNS}
    columns["created"] = columns["created"] or metadata.get("date")
    return {"text": document.text, "id": document.id, "metadata": metadata, **columns}


def _options(name: str, reader: Any) -> str:
    """What a reader was made with; of an adapter its source, but not what that takes from outside."""
    options = {
        key: str(getattr(value, "path", value))
        for key, value in vars(reader).items()
        if key != "stats" and not key.startswith("_") and not callable(value)
    }
    adapter = getattr(reader, "adapter", None)
    try:
        code = inspect.getsource(adapter) if adapter is not None else ""
    except OSError:
        raise RecipeError(
            f"source {name!r}: the source code of the reader's adapter is not found, so a change of it "
            "would not be seen; define it in a file"
        ) from None
    return json.dumps([type(reader).__qualname__, code, options], sort_keys=True)
