"""A uniform sample of the documents of sources, the same however they are split into files.

Each document's id is hashed with the seed, and the documents with the smallest hashes are taken, in
the order of the hashes; so documents that bring ids are chosen by those alone. Memory: the texts of
twice the sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gristmill._core import xxh3_64_each
from gristmill.progress import progress
from gristmill.schema import DOCUMENT
from gristmill.sources.base import Source

_KEPT = [DOCUMENT.field(name) for name in ("text", "source", "metadata")]
_SCHEMA = pa.schema([pa.field("hash", pa.uint64(), nullable=False), *_KEPT])


@dataclass(frozen=True, slots=True)
class Sample:
    """Some documents of all.

    Attributes:
        rows: Their columns ``text``, ``source`` and ``metadata``.
        documents: How many documents were read.
        bad: How many records were none.
    """

    rows: pa.Table
    documents: int
    bad: int

    @property
    def texts(self) -> pa.ChunkedArray:
        """The texts of the sample, large_string."""
        return self.rows["text"]


def sample_texts(sources: Sequence[Source], size: int, seed: int = 0) -> Sample:
    """Read all sources and take `size` of their documents, or all when there are fewer."""
    held, documents, bad, highest = _SCHEMA.empty_table(), 0, 0, None
    with progress("sample documents") as advance:
        for source in sources:
            for split in source.splits():
                for batch in source.read(split):
                    documents, bad = documents + len(batch.docs), bad + len(batch.bad)
                    rows = _hashed(batch.docs, seed)
                    if highest is not None:
                        rows = rows.filter(pc.less(rows["hash"], highest))
                    held = pa.concat_tables([held, rows])
                    if len(held) >= 2 * size:
                        held = _smallest(held, size)
                        highest = held["hash"][size - 1]
                    advance(len(batch.docs))
    return Sample(_smallest(held, size).drop_columns(["hash"]), documents, bad)


def _hashed(docs: pa.Table, seed: int) -> pa.Table:
    keys = pc.binary_join_element_wise(str(seed), docs["id"].cast(pa.string()), ":")
    hashes = pa.table(xxh3_64_each(pa.table({"key": keys})))["digest"]
    return pa.table([hashes, *(docs[field.name] for field in _KEPT)], schema=_SCHEMA)


def _smallest(rows: pa.Table, size: int) -> pa.Table:
    order = np.argsort(rows["hash"].to_numpy(), kind="stable")[:size]
    return rows.take(pa.array(order)).combine_chunks()
