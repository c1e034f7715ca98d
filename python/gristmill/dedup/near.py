"""Near-duplicates by MinHash-LSH, verified; the stage ``near_duplicates``."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gristmill import _core
from gristmill.dedup.copies import KeepFirst, spread
from gristmill.dedup.parameters import at_least
from gristmill.documents import Documents
from gristmill.room import Room
from gristmill.stage import Judge
from gristmill.text import Texts, as_table

SEED = 0
"""The seed of the MinHash functions when none is given."""


def near_duplicates(
    texts: Texts,
    threshold: float = 0.8,
    num_perm: int = 128,
    ngram: int = 5,
    verify: bool = True,
    threads: int = 1,
    seed: int = SEED,
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
        num_perm: Values in a MinHash signature; bands and rows follow from it and `threshold`.
        ngram: Words in an n-gram; characters in scripts written without spaces.
        verify: Compute the exact similarity of candidates.
        threads: Threads to use; the result is the same for any number.
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
    found = find_clusters(texts, threshold, num_perm, ngram, verify, threads, seed)
    return found["representative"].combine_chunks()


def find_clusters(
    texts: Texts,
    threshold: float = 0.8,
    num_perm: int = 128,
    ngram: int = 5,
    verify: bool = True,
    threads: int = 1,
    seed: int = SEED,
) -> pa.Table:
    """As `near_duplicates`, with the pair that each document joined by.

    Returns:
        ``representative`` uint32; ``twin`` uint32, the document it was compared with: the
        representative, or the member through which it joined the cluster, itself when it is the
        representative; ``jaccard`` float64, their similarity, NaN when not verified.
    """
    _check_near(threshold, num_perm, ngram, threads)
    table = as_table(texts)
    return pa.table(_core.near_duplicates(table, threshold, num_perm, ngram, verify, threads, seed))


@dataclass(frozen=True, slots=True, kw_only=True)
class NearDuplicates:
    """Drops a document that nearly repeats others, of which the first stays.

    `detail` gives the similarity and, when that is not with the document that stays, the id of the
    member through which it joined the cluster.

    Attributes:
        threshold: Smallest Jaccard similarity of the sets of word n-grams.
        num_perm: Values in a MinHash signature.
        ngram: Words in an n-gram.
        verify: Let the exact similarity decide.
        threads: Threads to use.
        seed: Chooses the hash functions.
    """

    threshold: float = 0.8
    num_perm: int = 128
    ngram: int = 5
    verify: bool = True
    threads: int = 1
    seed: int = SEED
    name: str = field(default="near_duplicates", init=False)

    def __post_init__(self) -> None:
        _check_near(self.threshold, self.num_perm, self.ngram, self.threads)

    def survey(self, docs: Documents, room: Room) -> Judge:
        """Find the clusters; all texts are in memory meanwhile."""
        del room
        texts = [pa.chunked_array([], pa.large_string()), *docs.texts()]
        found = find_clusters(
            pa.chunked_array([chunk for text in texts for chunk in text.chunks], texts[0].type),
            self.threshold,
            self.num_perm,
            self.ngram,
            self.verify,
            self.threads,
            self.seed,
        )
        del texts
        return _KeepFirstNear(self, found, docs)


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
        if not self._stage.verify:
            return "same band of the signature, similarity not verified"
        through = f" with {self._through[number]}" if self._joined[number].as_py() else ""
        threshold = f"threshold {self._stage.threshold:g}"
        return f"jaccard {self._jaccard[number]:.3f}{through}, {threshold}"


def _check_near(threshold: float, num_perm: int, ngram: int, threads: int) -> None:
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold = {threshold} is not allowed: above 0, at most 1")
    for name, value in (("num_perm", num_perm), ("ngram", ngram), ("threads", threads)):
        at_least(name, value, 1)
