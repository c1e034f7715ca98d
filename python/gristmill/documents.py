"""The documents that the units of a build left on disk, for stages that need the whole set.

A global stage passes over them a batch at a time, or tells a kernel where the texts stand; nobody
holds them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gristmill.schema import DOCUMENT
from gristmill.tables import ArrowFiles

TEXT = pa.schema([DOCUMENT.field("text")])

NAMED = pa.schema([DOCUMENT.field("id"), DOCUMENT.field("text")])
"""The columns that every document begins with, so files of both schemas can be read as one."""


class TextFiles(ArrowFiles):
    """Texts on disk.

    Args:
        paths: Arrow files with a column ``text``, large_string without nulls.
        schema: Their columns.
    """

    def __init__(self, paths: Iterable[Path], schema: pa.Schema = TEXT) -> None:
        super().__init__(paths, schema)

    def texts(self) -> Iterator[pa.ChunkedArray]:
        """The texts, batch by batch."""
        for batch in self.batches(["text"]):
            yield batch["text"]

    def numbered(self) -> Iterator[tuple[int, pa.ChunkedArray]]:
        """The texts, batch by batch, each batch with the row of its first text."""
        first = 0
        for texts in self.texts():
            yield first, texts
            first += len(texts)

    def text_bytes(self) -> npt.NDArray[np.int64]:
        """``int64[n]``: UTF-8 bytes of each text, from the offsets; no text is read."""
        return self.lengths("text")


class NamedTexts(TextFiles):
    """Texts on disk, each with its id.

    Args:
        paths: Arrow files whose first two columns are those of `NAMED`.
        schema: Their columns.
    """

    def __init__(self, paths: Iterable[Path], schema: pa.Schema = NAMED) -> None:
        super().__init__(paths, schema)

    def ids(self) -> pa.ChunkedArray:
        """All ids."""
        # Copied: a column that is read keeps the whole batch it stands in.
        copies = [_copy(batch["id"]) for batch in self.batches(["id"])]
        return pa.chunked_array(copies, pa.string())

    def ids_at(self, rows: npt.NDArray[Any]) -> pa.Array:
        """The ids of some rows, in any order and as often as asked for: ``string[len(rows)]``."""
        wanted, place = np.unique(rows, return_inverse=True)
        found, first = [pa.array([], pa.string())], 0
        for batch in self.batches(["id"]) if len(wanted) else ():
            inside = wanted[slice(*np.searchsorted(wanted, [first, first + len(batch)]))]
            found.append(batch["id"].combine_chunks().take(pa.array(inside - first)))
            first += len(batch)
        return pa.concat_arrays(found).take(pa.array(place))


class Documents(NamedTexts):
    """All documents of a corpus under construction, in order.

    Args:
        paths: Arrow files with the columns of `schema.DOCUMENT`.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        super().__init__(paths, DOCUMENT)


def _copy(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    return whole.take(pa.array(np.arange(len(whole))))
