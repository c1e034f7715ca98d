"""Near-duplicates by MinHash-LSH, verified; the stage ``near_duplicates``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from gristmill import _core
from gristmill.dedup.copies import DropCopies, one_of
from gristmill.dedup.earlier import REASON, EarlierCorpus
from gristmill.dedup.members import (
    KEEP,
    Keep,
    Rows,
    best_of,
    members_of,
    quality_scores,
    refuse_without_score,
)
from gristmill.dedup.minhash import MinHash
from gristmill.dedup.pairs import Pairs
from gristmill.dedup.parameters import at_least
from gristmill.documents import Documents, NamedTexts
from gristmill.errors import RecipeError
from gristmill.progress import say
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
    """Drops documents that nearly repeat others, so that one of each cluster stays.

    `duplicate_of` names the document that stays and `detail` the similarity with it. Where that is
    below the threshold, because only others between them connect the two, `detail` names the member
    through which the document joined the cluster. A cluster with a document of an earlier corpus
    goes as a whole.

    Attributes:
        minhash: What a near-duplicate is.
        keep: Which member of a cluster stays, one of `KEEP`.
        quality_key: The key of the metadata that holds the score, for ``keep="quality"``.
        against: Earlier corpora, whose documents count as known.
        threads: Threads to use.
    """

    minhash: MinHash = field(default_factory=MinHash)
    keep: Keep = "first"
    quality_key: str = "quality_score"
    against: tuple[EarlierCorpus, ...] = ()
    threads: int = 1
    name: str = field(default="near_duplicates", init=False)

    def __post_init__(self) -> None:
        at_least("threads", self.threads, 1)
        if self.keep not in KEEP:
            raise ValueError(f"keep = {self.keep!r} is not allowed: one of {', '.join(KEEP)}")

    def survey(self, docs: Documents, room: Room) -> Judge:
        """Find the clusters; the kernel maps the texts where they stand.

        Raises:
            RecipeError: The kernel refuses a parameter, or no document has a score.
            IntegrityError: An earlier corpus is not what it was.
        """
        if self.keep == "quality":
            refuse_without_score(docs, self.quality_key)
        texts = NamedTexts([*self._write_earlier(room), *docs.paths])
        try:
            found = _core.near_duplicates_in_files(
                texts.places("text"),
                self.minhash,
                self.threads,
                room.left(self.threads),
                room.folder,
            )
        except ValueError as error:
            raise RecipeError(f"{self.name}: {error}") from None
        first, twin, jaccard = (column.to_numpy() for column in from_kernel(found).columns)
        kept = self._choose(first, twin, docs)
        pairs = Pairs.of(kept, twin, jaccard, self._n_earlier)
        if self.minhash.verify:
            pairs = pairs.measured(texts, self.minhash, self.threads)
        return _DropNear(self, pairs, texts)

    @property
    def _n_earlier(self) -> int:
        return sum(corpus.n_docs for corpus in self.against)

    def _write_earlier(self, room: Room) -> list[Path]:
        paths = []
        for number, corpus in enumerate(self.against):
            say(f"{self.name}: reading {corpus.n_docs:,} documents of {corpus.path}")
            paths.append(room.folder / f"earlier-{number}.arrow")
            corpus.write(paths[-1])
        return paths

    def _choose(self, first: Rows, twin: Rows, docs: Documents) -> Rows:
        """The document that stays for each one, by row among the earlier and the new ones."""
        n_earlier = self._n_earlier
        # An earlier document that it was compared with says more than the first of its cluster.
        known = np.where(twin < n_earlier, twin, first)
        kept = np.where(first < n_earlier, known, first)
        if self.keep == "first":
            return kept
        members = members_of(first)
        members = members[first[members] >= n_earlier]
        rows = members - n_earlier
        if self.keep == "longest":
            return best_of(kept, members, docs.text_bytes()[rows])
        return best_of(kept, members, quality_scores(docs, self.quality_key, rows))


class _DropNear(DropCopies):
    """Says of each dropped document how similar it is, and to which one."""

    def __init__(self, stage: NearDuplicates, pairs: Pairs, texts: NamedTexts) -> None:
        known = pairs.kept < pairs.n_earlier
        reasons = one_of(["near_duplicate", REASON], known.astype(np.int8))
        super().__init__(
            stage.name, pairs.dropped - pairs.n_earlier, reasons, texts.ids_at(pairs.kept)
        )
        self._stage, self._jaccard = stage, pairs.jaccard
        ends = np.cumsum([corpus.n_docs for corpus in stage.against])
        self._corpus = np.searchsorted(ends, pairs.kept, side="right").astype(np.uint16)
        self._indirect = np.flatnonzero(pairs.jaccard < stage.minhash.threshold)
        through, self._joined_at = pairs.joined(self._indirect)
        self._through = texts.ids_at(through)

    def _details(self, low: int, high: int) -> pa.Array:
        names = [f", earlier corpus {corpus.name}" for corpus in self._stage.against] + [""]
        said = [
            f"{similar}{names[corpus]}"
            for similar, corpus in zip(
                self._similarities(low, high), self._corpus[low:high].tolist(), strict=True
            )
        ]
        return pa.array(said, pa.string())

    def _similarities(self, low: int, high: int) -> list[str]:
        if not self._stage.minhash.verify:
            return ["same band of the signature, similarity not verified"] * (high - low)
        threshold = f"threshold {self._stage.minhash.threshold:g}"
        shown = np.where(
            self._jaccard[low:high] < self._stage.minhash.threshold,
            np.floor(self._jaccard[low:high] * 1000) / 1000,  # 0.7996 is not to look like 0.8
            self._jaccard[low:high],
        )
        said = [f"jaccard {one:.3f}, {threshold}" for one in shown.tolist()]
        start, stop = np.searchsorted(self._indirect, [low, high])
        for at in range(start, stop):
            through, jaccard = self._through[at], self._joined_at[at]
            said[self._indirect[at] - low] += f", joined through {through} at {jaccard:.3f}"
        return said

    def finish(self, left: Documents) -> dict[str, Any]:
        """Count what each earlier corpus had already."""
        del left
        counts = np.bincount(self._corpus, minlength=len(self._stage.against) + 1).tolist()
        noted = [
            {
                "name": corpus.name,
                "path": str(corpus.path),
                "fingerprint": corpus.fingerprint,
                "documents": corpus.n_docs,
                "dropped": dropped,
            }
            for corpus, dropped in zip(self._stage.against, counts, strict=False)
        ]
        return {"against": noted} if noted else {}
