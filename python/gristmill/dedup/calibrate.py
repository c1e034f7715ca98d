"""Measures, on documents of your own, how many near-duplicates each bands x rows finds.

The true pairs come from an exact comparison of all documents with all (`_core.similar_pairs`), so
recall and precision are counted and not estimated. Documents of equal n-gram sets share every band
of every banding; only the first of them takes part, or they would hide what is missed. Edited copies
of the documents (`planted`) give points where nature has few pairs; they are counted apart.

Cost: one comparison of all pairs of the sample, 20,000 documents of web text in about a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gristmill import _core
from gristmill.dedup.curves import (
    AtThreshold,
    Banding,
    Codes,
    Curve,
    Floats,
    bins_of,
    candidate_codes,
    edges_from,
    planted_found,
    share_of,
)
from gristmill.dedup.minhash import METHODS
from gristmill.dedup.parameters import at_least
from gristmill.dedup.planted import plant
from gristmill.progress import progress
from gristmill.text import Texts, as_table, from_kernel

RECALL = 0.98
"""The part of the true pairs that a banding should find."""

MIN_PAIRS = 100
"""Natural pairs at or above the threshold from which on they decide."""

N_PLANTED = 4_000
FLOOR = 0.3
"""The smallest similarity that is looked at, unless the threshold is near it or below."""

Basis = Literal["natural", "planted", "theory"]


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was measured, and the banding that follows from it.

    Attributes:
        threshold: Smallest similarity of near-duplicates.
        num_perm: Values in a signature.
        ngram: Words in an n-gram.
        seed: The seed of the hash functions.
        method: How signatures were made.
        recall: The part of the true pairs that a banding should find.
        documents: Documents compared.
        identical: How many of them have the n-gram set of an earlier one, and took no part.
        pairs: Natural pairs at or above the threshold.
        planted: Pairs of a document and its edited copy.
        curves: What each banding found, those with the fewest bands first.
        recommended: The banding with the fewest candidates whose measured and theoretical recall
            reach `recall`; the one that comes closest when none does.
        reached: Whether it does.
        basis: Which pairs decided: natural ones; planted ones when those are too few; the theory
            alone, over similarities from the threshold to 1, when no document is fit for editing.
        reason: Why this banding, in a sentence.
        notes: What limits the measurement, a sentence each.
    """

    threshold: float
    num_perm: int
    ngram: int
    seed: int
    method: str
    recall: float
    documents: int
    identical: int
    pairs: int
    planted: int
    curves: tuple[Curve, ...]
    recommended: Banding
    reached: bool
    basis: Basis
    reason: str
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        names = ("threshold", "num_perm", "ngram", "seed", "method", "recall", "documents", "identical",
                 "pairs", "planted", "basis", "reached", "reason")  # fmt: skip
        return {name: getattr(self, name) for name in names} | {
            "recommended": {"bands": self.recommended.bands, "rows": self.recommended.rows},
            "notes": list(self.notes),
            "curves": [curve.as_dict() for curve in self.curves],
        }


def calibrate_near_duplicates(
    texts: Texts,
    threshold: float = 0.8,
    num_perm: int = 128,
    ngram: int = 5,
    bandings: Sequence[tuple[int, int]] | None = None,
    recall: float = RECALL,
    planted: int = N_PLANTED,
    threads: int = 1,
    seed: int = 0,
    method: str = METHODS[0],
) -> Calibration:
    """Measure recall and precision of several bandings on these documents, and recommend one.

    Args:
        texts: A sample of documents, length *n*; a null counts as an empty document.
        threshold: Smallest Jaccard similarity of near-duplicates, above 0, at most 1.
        num_perm: Values in a MinHash signature.
        ngram: Words in an n-gram; characters in scripts written without spaces.
        bandings: ``(bands, rows)`` to try, bands times rows at most `num_perm`; when None, those
            around the one that theory would take.
        recall: The part of the true pairs that should be found, above 0, at most 1.
        planted: How many edited copies to make; 0 for none.
        threads: Threads to use; the result is the same for any number.
        seed: Chooses the hash functions, and the edits.
        method: ``one-permutation`` or ``k-permutation``.

    Raises:
        ValueError: A parameter is outside its range, there are fewer than two documents, or so many
            similar ones that their pairs cannot be held.
        TypeError: `texts` is not text.

    >>> gm.calibrate_near_duplicates(texts, threshold=0.8).recommended  # doctest: +SKIP
    Banding(bands=18, rows=7)
    """
    tried = check_calibration(
        threshold, num_perm, ngram, bandings, recall, planted, threads, method
    )
    table = as_table(texts)
    if len(table) < 2:
        raise ValueError(f"texts = {len(table)} documents is not allowed: at least 2 to compare")
    floor = min(FLOOR, threshold / 2)
    kernel = _Kernel(num_perm, ngram, seed, method, threads)
    sample = _Sample.of(table, floor, kernel)
    copies = _Copies.of(sample.texts, planted, floor, kernel)
    curves = tuple(_curves(tried, sample, copies, threshold, floor))
    return _recommend(curves, sample, copies, threshold, recall, kernel)


def check_calibration(
    threshold: float,
    num_perm: int,
    ngram: int,
    bandings: Sequence[tuple[int, int]] | None,
    recall: float,
    planted: int,
    threads: int,
    method: str = METHODS[0],
) -> list[Banding]:
    """Refuse parameters outside their range; gives the bandings to try, fewest bands first.

    Raises:
        ValueError: A parameter is outside its range.
    """
    for name, value in (("threshold", threshold), ("recall", recall)):
        if not 0 < value <= 1:
            raise ValueError(f"{name} = {value} is not allowed: above 0, at most 1")
    for name, number, least in (("num_perm", num_perm, 1), ("ngram", ngram, 1),
                                ("threads", threads, 1), ("planted", planted, 0)):  # fmt: skip
        at_least(name, number, least)
    if method not in METHODS:
        raise ValueError(f"method = {method!r} is not allowed: {' or '.join(METHODS)}")
    if num_perm > 4_096:
        raise ValueError(f"num_perm = {num_perm} is not allowed: from 1 to 4,096")
    if bandings is None:
        return default_bandings(threshold, num_perm, recall)
    tried = sorted({Banding(bands, rows) for bands, rows in bandings})
    if not tried:
        raise ValueError("bandings = [] is not allowed: at least one (bands, rows)")
    for banding in tried:
        if banding.bands * banding.rows > num_perm:
            raise ValueError(
                f"banding {banding} is not allowed: {banding.bands} bands of {banding.rows} rows are "
                f"{banding.bands * banding.rows} values of a signature of num_perm = {num_perm}"
            )
    return tried


def default_bandings(threshold: float, num_perm: int, recall: float = RECALL) -> list[Banding]:
    """Bandings that use the whole signature, around the most selective one that theory allows.

    >>> [str(banding) for banding in default_bandings(0.8, 128)]
    ['12x10', '14x9', '16x8', '18x7', '21x6', '25x5']
    """
    whole = [Banding(num_perm // rows, rows) for rows in range(1, num_perm + 1)]
    reaching = [one.rows for one in whole if _theory(one, threshold) >= recall]
    last = max(reaching, default=1)
    return sorted(whole[max(last - 5, 0) : last + 1])


def _theory(banding: Banding, threshold: float) -> float:
    """The mean probability over similarities from the threshold to 1."""
    return float(banding.probability(np.linspace(threshold, 1, 201)).mean())


@dataclass(frozen=True, slots=True)
class _Kernel:
    num_perm: int
    ngram: int
    seed: int
    method: str
    threads: int

    def sign(self, texts: pa.Table) -> npt.NDArray[np.uint32]:
        """The signatures, ``uint32[n, num_perm]``."""
        signed = _core.minhash_signatures(
            texts, self.num_perm, self.ngram, self.seed, self.method, self.threads
        )
        column = from_kernel(signed)["signature"].combine_chunks()
        return np.asarray(column.flatten()).reshape(-1, self.num_perm)


@dataclass(frozen=True, slots=True)
class _Sample:
    """The documents of distinct n-gram sets, with the similar pairs among them."""

    n_documents: int
    texts: pa.ChunkedArray
    codes: Codes
    similarity: Floats
    signatures: npt.NDArray[np.uint32]

    @classmethod
    def of(cls, table: pa.Table, floor: float, kernel: _Kernel) -> _Sample:
        """Find all pairs from `floor` on, and sign the documents."""
        with progress("compare all documents", total=len(table)) as advance:
            pairs = from_kernel(_core.similar_pairs(table, kernel.ngram, floor, kernel.threads))
            left, right = (pairs[name].to_numpy() for name in ("left", "right"))
            similarity = pairs["jaccard"].to_numpy()
            equal = similarity == 1
            distinct = np.ones(len(table), bool)
            distinct[right[equal]] = False
            number = np.cumsum(distinct, dtype=np.uint64) - 1
            texts = table.filter(pa.array(distinct))
            codes = number[left[~equal]] * np.uint64(len(texts)) + number[right[~equal]]
            advance(len(table))
        with progress("sign", total=len(texts)) as advance:
            signatures = kernel.sign(texts)
            advance(len(texts))
        return cls(len(table), texts["text"], codes, similarity[~equal], signatures)

    @property
    def n_identical(self) -> int:
        """Documents that took no part."""
        return self.n_documents - len(self.texts)


@dataclass(frozen=True, slots=True)
class _Copies:
    """Pairs of a document and an edited copy of it."""

    similarity: Floats
    left: npt.NDArray[np.uint32]
    right: npt.NDArray[np.uint32]

    @classmethod
    def of(cls, texts: pa.ChunkedArray, n_copies: int, floor: float, kernel: _Kernel) -> _Copies:
        """Plant copies, and measure how similar they are; copies that are equal do not count."""
        with progress("plant edited copies", total=n_copies) as advance:
            chosen, copies = plant(texts, n_copies, floor, kernel.ngram, kernel.seed)
            originals = as_table(texts.take(chosen))
            edited = as_table(pa.array(copies, pa.large_string()))
            both = pa.concat_tables([originals, edited], promote_options="permissive")
            ends = np.arange(len(both), dtype=np.uint32)
            left, right = (pa.table({"at": part}) for part in np.split(ends, 2))
            found = _core.similarities(both, left, right, kernel.ngram, kernel.threads)
            similarity = from_kernel(found)["jaccard"].to_numpy()
            differ = similarity < 1
            advance(len(copies))
        return cls(similarity[differ], kernel.sign(originals)[differ], kernel.sign(edited)[differ])


def _curves(
    bandings: Iterable[Banding], sample: _Sample, copies: _Copies, threshold: float, floor: float
) -> Iterable[Curve]:
    edges = edges_from(floor)
    for banding in bandings:
        codes = candidate_codes(sample.signatures, banding)
        found = np.isin(sample.codes, codes, assume_unique=True)
        planted = planted_found(copies.left, copies.right, banding)
        true = copies.similarity >= threshold
        yield Curve(
            banding=banding,
            natural=bins_of(banding, sample.similarity, found, edges),
            planted=bins_of(banding, copies.similarity, planted, edges),
            thresholds=tuple(
                AtThreshold(at, share_of(banding, sample.similarity[here], found[here]), len(codes))
                for at in sorted({*edges, threshold})
                for here in [sample.similarity >= at]
            ),
            planted_true=share_of(banding, copies.similarity[true], planted[true]),
            candidates=len(codes),
            candidates_per_document=len(codes) / len(sample.texts),
        )


def _recommend(
    curves: tuple[Curve, ...],
    sample: _Sample,
    copies: _Copies,
    threshold: float,
    recall: float,
    kernel: _Kernel,
) -> Calibration:
    n_pairs, n_planted = curves[0].at(threshold).true.pairs, curves[0].planted_true.pairs
    basis: Basis = "natural" if n_pairs >= MIN_PAIRS else "planted" if n_planted else "theory"
    reach = {curve.banding: _reach(curve, threshold, basis) for curve in curves}

    def cost(curve: Curve) -> tuple[float, float]:
        # Among equals the banding that lets the fewest dissimilar pairs through.
        below = np.linspace(0, threshold, 201)
        return curve.candidates, float(curve.banding.probability(below).mean())

    enough = [curve for curve in curves if min(reach[curve.banding]) >= recall]
    best = min(enough, key=cost) if enough else max(curves, key=lambda c: min(reach[c.banding]))
    return Calibration(
        threshold=threshold,
        num_perm=kernel.num_perm,
        ngram=kernel.ngram,
        seed=kernel.seed,
        method=kernel.method,
        recall=recall,
        documents=sample.n_documents,
        identical=sample.n_identical,
        pairs=n_pairs,
        planted=len(copies.similarity),
        curves=curves,
        recommended=best.banding,
        reached=bool(enough),
        basis=basis,
        reason=_reason(best, reach[best.banding], basis, recall, bool(enough)),
        notes=tuple(_notes(sample, threshold, n_pairs, basis)),
    )


def _reach(curve: Curve, threshold: float, basis: Basis) -> tuple[float, float]:
    """Measured and theoretical recall of the pairs that decide."""
    if basis == "theory":
        theory = _theory(curve.banding, threshold)
        return theory, theory
    share = curve.at(threshold).true if basis == "natural" else curve.planted_true
    return share.recall or 0.0, share.theory or 0.0


def _reason(
    curve: Curve, reach: tuple[float, float], basis: Basis, recall: float, reached: bool
) -> str:
    measured, theory = reach
    cost = f"{curve.candidates_per_document:.3g} candidates a document"
    finds = {
        "natural": f"finds {measured:.2%} of the pairs of the sample (theory: {theory:.2%})",
        "planted": f"finds {measured:.2%} of the planted pairs (theory: {theory:.2%})",
        "theory": f"should find {theory:.2%} of pairs spread evenly above the threshold",
    }[basis]
    if reached:
        return f"{curve.banding} {finds}, at {cost}: the cheapest that reaches {recall:.4g}"
    return (
        f"no banding reaches a recall of {recall:.4g}; {curve.banding} comes closest: it {finds}, at "
        f"{cost}. Raise num_perm, or try bandings of fewer rows"
    )


def _notes(sample: _Sample, threshold: float, n_pairs: int, basis: Basis) -> Iterable[str]:
    if sample.n_identical:
        yield (
            f"{sample.n_identical:,} of {sample.n_documents:,} documents have the n-grams of an "
            "earlier one; every banding finds them, and they are not counted"
        )
    if basis != "natural":
        instead = "edited copies and the theory" if basis == "planted" else "the theory alone"
        yield (
            f"the sample holds {n_pairs} pairs of similarity {threshold:g} or more, fewer than "
            f"{MIN_PAIRS}: too few to measure by, so {instead} decide; a larger sample may hold more"
        )
