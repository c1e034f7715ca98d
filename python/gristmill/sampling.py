"""Keep a share of a source's documents, the same ones in every run.

A document stays when the hash of the seed and its id lies below the weight, so a larger weight keeps
all that a smaller one kept, and neither order nor other documents matter.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gristmill._core import xxh3_64_each
from gristmill.stage import Verdict
from gristmill.text import from_kernel

NOT_SAMPLED = "not_sampled"


class Sample:
    """Stage ``sample``: drops documents (``not_sampled``) so that about a share of them stays.

    Args:
        weight: The share that stays, above 0 and at most 1.
        seed: Chooses the documents.
    """

    name = "sample"

    def __init__(self, weight: float, seed: int) -> None:
        self._weight, self._seed = weight, seed

    def judge(self, docs: pa.Table) -> Verdict:
        """Drop what the hash of its id puts at or above the weight."""
        stays = self._hashes(docs["id"]) < self._weight
        detail = pa.scalar(f"weight {self._weight:g}")
        return Verdict(reason=_where(~stays, pa.scalar(NOT_SAMPLED)), detail=_where(~stays, detail))

    def _hashes(self, ids: pa.ChunkedArray) -> npt.NDArray[np.float64]:
        """``float64[n]``: the hash of each id, from 0 to 1."""
        keys = [f"{self._seed}:{doc_id}" for doc_id in ids.to_pylist()]
        table = pa.Table.from_arrays([pa.array(keys, pa.string())], ["key"])
        hashes: npt.NDArray[np.uint64] = from_kernel(xxh3_64_each(table))["digest"].to_numpy()
        return hashes / 2.0**64


def _where(marked: npt.NDArray[np.bool_], value: pa.Scalar) -> pa.Array:
    return pc.if_else(pa.array(marked), value, pa.scalar(None, pa.string()))
