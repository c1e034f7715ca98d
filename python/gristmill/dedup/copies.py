"""Stage ``exact_documents``: drops a document whose text stood in an earlier one.

The survey keeps 16 bytes a document: the 128-bit xxh3 of its text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gristmill import _core
from gristmill.dedup.parameters import at_least
from gristmill.documents import Documents
from gristmill.room import Room
from gristmill.stage import Judge, Verdict
from gristmill.text import Texts, as_table, from_kernel


def document_hashes(texts: Texts, threads: int = 1) -> pa.Array:
    """Digest each text by 128-bit xxh3.

    Returns:
        ``fixed_size_binary(16)[n]``, equal exactly for equal texts; big end first.
    """
    at_least("threads", threads, 1)
    hashes = from_kernel(_core.document_hashes(as_table(texts), threads))
    return hashes["hash"].combine_chunks()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactDocuments:
    """Drops a document whose text, as this stage gets it, stood in an earlier one.

    Attributes:
        threads: Threads to use.
    """

    threads: int = 1
    name: str = field(default="exact_documents", init=False)

    def __post_init__(self) -> None:
        at_least("threads", self.threads, 1)

    def survey(self, docs: Documents, room: Room) -> Judge:
        """Hash every text, a batch at a time."""
        del room
        hashes = [np.empty(0, "V16")]
        for texts in docs.texts():
            buffer = document_hashes(texts, self.threads).buffers()[1]
            hashes.append(np.frombuffer(buffer, "V16", len(texts)))
        first = first_equal(np.concatenate(hashes))
        copies = np.flatnonzero(first != np.arange(len(first)))
        reasons = one_of(["exact_duplicate"], np.zeros(len(copies), np.int8))
        return DropCopies(self.name, copies, reasons, docs.ids_at(first[copies]))


def first_equal(hashes: npt.NDArray[np.void]) -> npt.NDArray[np.int64]:
    """Map each 16-byte hash to the first place of an equal one: ``int64[n]``.

    >>> first_equal(np.array([b"one", b"two", b"one"], "V16"))
    array([0, 1, 0])
    """
    high, low = hashes.view("<u8").reshape(-1, 2).T
    order = np.lexsort((low, high))  # stable: equal ones stay in the order of the documents
    fresh = np.ones(len(order), bool)
    fresh[1:] = (np.diff(high[order]) != 0) | (np.diff(low[order]) != 0)
    first = np.empty(len(order), np.int64)
    first[order] = order[fresh][np.cumsum(fresh) - 1]
    return first


class DropCopies:
    """Drops each document that another one stands for.

    Args:
        name: The stage.
        rows: ``int[k]``: the documents to drop, ascending.
        reasons: ``dictionary<string>[k]``: why.
        twins: ``string[k]``: the id of the document that stands for each.
    """

    def __init__(
        self, name: str, rows: npt.NDArray[Any], reasons: pa.DictionaryArray, twins: pa.Array
    ) -> None:
        self.name = name
        self._rows, self._reasons, self._twins = rows, reasons, twins
        self._n_judged = 0

    def judge(self, docs: pa.Table) -> Verdict:
        """Judge the next documents."""
        start, self._n_judged = self._n_judged, self._n_judged + len(docs)
        low, high = np.searchsorted(self._rows, [start, self._n_judged])
        dropped = np.zeros(len(docs), bool)
        dropped[self._rows[low:high] - start] = True
        details = self._details(low, high)
        return Verdict(
            reason=spread(self._reasons[low:high].cast(pa.string()), dropped),
            detail=None if details is None else spread(details, dropped),
            duplicate_of=spread(self._twins[low:high], dropped),
        )

    def _details(self, low: int, high: int) -> pa.Array | None:
        """``string[high - low]``: what is to be said of the dropped documents `low` to `high`."""
        del low, high
        return None

    def finish(self, left: Documents) -> dict[str, Any]:
        """Nothing is to be noted."""
        del left
        return {}


def one_of(words: list[str], which: npt.NDArray[np.int8]) -> pa.DictionaryArray:
    """A column of words, a byte a row: entry *i* is ``words[which[i]]``."""
    return pa.DictionaryArray.from_arrays(pa.array(which), pa.array(words))


def spread(values: pa.Array, mask: npt.NDArray[np.bool_]) -> pa.Array:
    """Put one value after the other where `mask` is true, null elsewhere."""
    return pc.replace_with_mask(pa.nulls(len(mask), pa.string()), mask, values)
