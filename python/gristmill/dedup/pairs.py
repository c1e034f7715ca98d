"""Each dropped near-duplicate beside the document that stays for it, and how similar they are.

The kernel compares a document with the first of its cluster, or with the member through which it
joined. Where another one stays, the exact similarity of that pair is computed afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gristmill import _core
from gristmill.dedup.members import Rows
from gristmill.dedup.minhash import MinHash
from gristmill.documents import NamedTexts
from gristmill.text import from_kernel

PAIR_BYTES = 32 * 2**20
"""Text whose n-grams are held at a time, about; they take about as much memory again and again half."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """The *k* dropped documents. Rows count the earlier documents first, then the new ones.

    Attributes:
        dropped: ``int64[k]``: their rows, ascending.
        kept: ``int64[k]``: the row of the document that stays for each.
        jaccard: ``float64[k]``: the similarity of the two; NaN where it is not known.
        twin: ``uint32[n]``: the document that each of all was compared with.
        twin_jaccard: ``float64[n]``: the similarity of those two.
        n_earlier: Rows of earlier documents.
    """

    dropped: Rows
    kept: Rows
    jaccard: npt.NDArray[np.float64]
    twin: npt.NDArray[Any]
    twin_jaccard: npt.NDArray[np.float64]
    n_earlier: int

    @classmethod
    def of(
        cls,
        kept: npt.NDArray[Any],
        twin: npt.NDArray[Any],
        jaccard: npt.NDArray[np.float64],
        n_earlier: int,
    ) -> Pairs:
        """The new documents for which another one stays, with what the kernel knows of them."""
        new = np.arange(n_earlier, len(kept))
        dropped = new[kept[n_earlier:] != new]
        stays = kept[dropped].astype(np.int64)
        known = np.where(twin[stays] == dropped, jaccard[stays], np.nan)
        known = np.where(twin[dropped] == stays, jaccard[dropped], known)
        return cls(
            dropped=dropped,
            kept=stays,
            jaccard=known,
            twin=twin,
            twin_jaccard=jaccard,
            n_earlier=n_earlier,
        )

    def measured(self, texts: NamedTexts, minhash: MinHash, threads: int) -> Pairs:
        """With the exact similarity of the pairs that the kernel did not compare."""
        unknown = np.flatnonzero(np.isnan(self.jaccard))
        unknown = unknown[np.argsort(self.kept[unknown], kind="stable")]
        jaccard, places = self.jaccard.copy(), texts.places("text") if len(unknown) else []
        for part in _parts(unknown, self.dropped, self.kept, texts):
            left, right = (
                pa.table({"row": rows[part].astype(np.uint32)})
                for rows in (self.dropped, self.kept)
            )
            found = _core.similarities_in_files(places, left, right, minhash.ngram, threads)
            jaccard[part] = from_kernel(found)["jaccard"].to_numpy()
        return replace(self, jaccard=jaccard)

    def joined(self, which: Rows) -> tuple[Rows, npt.NDArray[np.float64]]:
        """The member through which some of the pairs' dropped documents joined their cluster.

        Args:
            which: ``int64[m]``: positions among the *k*.

        Returns:
            ``int64[m]``: the member's row; ``float64[m]``: the similarity with it.
        """
        rows = self.dropped[which]
        through, jaccard = self.twin[rows].astype(np.int64), self.twin_jaccard[rows]
        # The first of a cluster is compared with itself: then the first that joined through it.
        firsts = np.flatnonzero(through == rows)
        if len(firsts):
            joiners = np.flatnonzero(self.twin != np.arange(len(self.twin)))
            joiners = joiners[np.argsort(self.twin[joiners], kind="stable")]
            at = joiners[np.searchsorted(self.twin[joiners], rows[firsts])]
            through[firsts], jaccard[firsts] = at, self.twin_jaccard[at]
        return through, jaccard


def _parts(which: Rows, dropped: Rows, kept: Rows, texts: NamedTexts) -> Iterator[Rows]:
    """Cut `which`, ordered by `kept`, where about `PAIR_BYTES` of text have come together."""
    if not len(which):
        return
    n_bytes = texts.text_bytes()
    fresh = np.r_[True, np.diff(kept[which]) != 0]
    sizes = n_bytes[dropped[which]] + np.where(fresh, n_bytes[kept[which]], 0)
    part = (np.cumsum(sizes) - sizes) // PAIR_BYTES
    yield from np.split(which, np.flatnonzero(np.diff(part)) + 1)
