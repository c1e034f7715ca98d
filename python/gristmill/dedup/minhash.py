"""The parameters of MinHash-LSH."""

from __future__ import annotations

from dataclasses import dataclass

from gristmill.dedup.parameters import at_least

METHODS = ("one-permutation", "k-permutation")
"""One hash per n-gram, or `num_perm` of them: the classic way, slower where vectors are short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MinHash:
    """What near-duplicates are, and how they are looked for.

    Attributes:
        threshold: Smallest Jaccard similarity of the sets of word n-grams, above 0, at most 1.
        num_perm: Values in a signature.
        ngram: Words in an n-gram; characters in scripts written without spaces.
        verify: Let the exact similarity decide; else sharing a band is enough.
        method: How signatures are made, one of `METHODS`.
        bands: Bands of a signature; given together with `rows`, else both follow from `threshold`.
        rows: Values in a band.
        seed: Chooses the hash functions.
    """

    threshold: float = 0.8
    num_perm: int = 128
    ngram: int = 5
    verify: bool = True
    method: str = "one-permutation"
    bands: int | None = None
    rows: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise ValueError(f"threshold = {self.threshold} is not allowed: above 0, at most 1")
        for name in ("num_perm", "ngram"):
            at_least(name, getattr(self, name), 1)
        at_least("seed", self.seed, 0)
        if self.method not in METHODS:
            allowed = " or ".join(METHODS)
            raise ValueError(f"method = {self.method!r} is not allowed: {allowed}")
        self._check_banding()

    def _check_banding(self) -> None:
        if self.bands is None and self.rows is None:
            return
        if self.bands is None or self.rows is None:
            given, missing = ("bands", "rows") if self.rows is None else ("rows", "bands")
            value = self.bands or self.rows
            raise ValueError(f"{given} = {value} is given without {missing}; give both or none")
        at_least("bands", self.bands, 1)
        at_least("rows", self.rows, 1)
        if self.bands * self.rows > self.num_perm:
            raise ValueError(
                f"bands x rows = {self.bands} x {self.rows} is not allowed: "
                f"together at most num_perm = {self.num_perm}"
            )
