"""Near-duplicates by MinHash-LSH, verified; the stage ``near_duplicates``."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gristmill import _core
from gristmill.dedup.copies import KeepFirst, spread
from gristmill.dedup.minhash import MinHash
from gristmill.dedup.parameters import at_least
from gristmill.documents import Documents
from gristmill.errors import RecipeError
from gristmill.room import Room
from gristmill.stage import Judge
from gristmill.text import Texts, as_table, from_kernel


def near_duplicates(
    texts: Texts,
    threshold: float = 0.8,
    num_perm: int = 128,
    ngram: int = 5,
    verify: bool = True,
    threads: int = 1,
    *,
    method: str = "one-permutation",
    bands: int | None = None,
    rows: int | None = None,
    seed: int = 0,
) -> pa.Array:
    """Map each document to the first member of its cluster of near-duplicates.

    Two documents belong together when the sets of their word n-grams, lower-cased, have a Jaccard
    similarity of at least `threshold`; a cluster is what such pairs connect. Candidates come from
    MinHash and banding, so a pair close to the threshold can be missed; with `verify` the exact
    similarity decides, so none is wrong. A text of fewer than `ngram` words is one n-gram; texts
    without any word are together only when identical. Linear in the text.

    Args:
        texts: Documents, length *n*; Arrow data is borrowed, not copied. A null counts as an empty
            document.
        threshold: Smallest similarity, above 0, at most 1.
        num_perm: Values in a MinHash signature.
        ngram: Words in an n-gram; characters in scripts written without spaces.
        verify: Compute the exact similarity of candidates.
        threads: Threads to use; the result is the same for any number.
        method: ``one-permutation`` or ``k-permutation``.
        bands: Bands of a signature. Given together with `rows`, ``bands * rows <= num_perm``;
            else both follow from `threshold` and `num_perm`.
        rows: Values in a band.
        seed: Chooses the hash functions.

    Returns:
        ``uint32[n]``: entry *i* is the smallest index in the cluster of document *i*, so a document
        is kept exactly when its entry is *i*.

    Raises:
        ValueError: A parameter is outside its range.
        TypeError: `texts` is not text.

    >>> near_duplicates(["a b c", "x y z", "A, b, c!"]).to_pylist()
    [0, 1, 0]
    """
    minhash = MinHash(
        threshold=threshold,
        num_perm=num_perm,
        ngram=ngram,
        verify=verify,
        method=method,
        bands=bands,
        rows=rows,
        seed=seed,
    )
    return find_clusters(texts, minhash, threads)["representative"].combine_chunks()


def find_clusters(texts: Texts, minhash: MinHash | None = None, threads: int = 1) -> pa.Table:
    """As `near_duplicates`, with the pair that each document joined by.

    Returns:
        ``representative`` uint32; ``twin`` uint32, the document it was compared with: the
        representative, or the member through which it joined the cluster, itself when it is the
        representative; ``jaccard`` float64, their similarity, NaN when not verified.
    """
    at_least("threads", threads, 1)
    return from_kernel(_core.near_duplicates(as_table(texts), minhash or MinHash(), threads))


@dataclass(frozen=True, slots=True, kw_only=True)
class NearDuplicates:
    """Drops a document that nearly repeats others, of which the first stays.

    `detail` gives the similarity and, when that is not with the document that stays, the id of the
    member through which it joined the cluster.

    Attributes:
        minhash: What a near-duplicate is.
        threads: Threads to use.
    """

    minhash: MinHash = field(default_factory=MinHash)
    threads: int = 1
    name: str = field(default="near_duplicates", init=False)

    def __post_init__(self) -> None:
        at_least("threads", self.threads, 1)

    def survey(self, docs: Documents, room: Room) -> Judge:
        """Find the clusters; the kernel maps the texts where they stand."""
        try:
            found = _core.near_duplicates_in_files(
                docs.places("text"),
                self.minhash,
                self.threads,
                room.left(self.threads),
                room.folder,
            )
        except ValueError as error:
            raise RecipeError(f"{self.name}: {error}") from None
        return _KeepFirstNear(self, from_kernel(found), docs)


class _KeepFirstNear(KeepFirst):
    """Says of each dropped document how similar it is, and to which one."""

    def __init__(self, stage: NearDuplicates, found: pa.Table, docs: Documents) -> None:
        kept, twin, jaccard = (found[column].to_numpy() for column in found.column_names)
        super().__init__(stage.name, "near_duplicate", kept, docs)
        self._stage, self._jaccard = stage, jaccard[self._copies]
        through = twin[self._copies]
        self._joined = pa.array(through != kept[self._copies])
        self._through = docs.ids_at(through)

    def _details(self, low: int, high: int, dropped: npt.NDArray[np.bool_]) -> pa.Array:
        return spread(pa.array(map(self._detail, range(low, high)), pa.string()), dropped)

    def _detail(self, number: int) -> str:
        if not self._stage.minhash.verify:
            return "same band of the signature, similarity not verified"
        through = f" with {self._through[number]}" if self._joined[number].as_py() else ""
        threshold = f"threshold {self._stage.minhash.threshold:g}"
        return f"jaccard {self._jaccard[number]:.3f}{through}, {threshold}"
