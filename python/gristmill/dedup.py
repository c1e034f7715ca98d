"""Finds and removes duplicates: of documents, near-duplicates, and substrings within documents.

Of everything that repeats, the first occurrence in the order of the input stays. The kernels are
`rust/gristmill-core/src/{exact_substring,near_duplicates}.rs`; here they become functions and the
three stages of the build.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gristmill import _core
from gristmill.stage import Column, Verdict, keep_all
from gristmill.text import Texts, as_table

ENGINES = ("winnowing", "suffix-array")
"""Two ways to the same ranges: `winnowing` is the faster, `suffix-array` its check."""

SEED = 0
"""The seed of the MinHash functions when none is given."""


def exact_duplicates(
    texts: Texts, min_bytes: int = 100, engine: str = "winnowing", threads: int = 1
) -> pa.Table:
    """Find the bytes that repeat a substring of at least `min_bytes` bytes seen earlier.

    Earlier means in an earlier document, or earlier in the same one, overlaps included. The first
    occurrence always stays; substrings and ranges never cross documents. Linear in the text.

    Args:
        texts: Documents, length *n*; Arrow data is borrowed, not copied. A null counts as an empty
            document.
        min_bytes: Length of the shortest repeat that counts, in UTF-8 bytes.
        engine: ``winnowing`` (up to 4 GiB of text) or ``suffix-array``; the result is the same.
        threads: Threads to use; the result is the same for any number.

    Returns:
        One row per range, in order: ``document`` uint32, ``start`` and ``end`` uint64, byte offsets
        in the document on character boundaries, overlapping and touching ranges merged.

    Raises:
        ValueError: `min_bytes` or `threads` is below 1, `engine` is unknown, or there is more text
            than the engine takes.
        TypeError: `texts` is not text.

    >>> exact_duplicates(["one fine day", "two fine days"], min_bytes=9).to_pylist()
    [{'document': 1, 'start': 3, 'end': 12}]
    """
    return find_ranges(texts, min_bytes, engine, threads).select(["document", "start", "end"])


def find_ranges(
    texts: Texts, min_bytes: int = 100, engine: str = "winnowing", threads: int = 1
) -> pa.Table:
    """As `exact_duplicates`, with columns ``twin_document`` uint32 and ``twin_offset`` uint64 too.

    They say where in the corpus the first `min_bytes` bytes of the range occur for the first time
    (what is left of those bytes when the range's start shrank to a whole character).
    """
    _check_exact(min_bytes, engine, threads)
    return pa.table(_core.exact_duplicates(as_table(texts), min_bytes, engine, threads))


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


def document_hashes(texts: Texts, threads: int = 1) -> pa.Array:
    """Digest each text by 128-bit xxh3.

    Returns:
        ``fixed_size_binary(16)[n]``, equal exactly for equal texts; big end first.
    """
    _at_least("threads", threads, 1)
    hashes = pa.table(_core.document_hashes(as_table(texts), threads))
    return hashes["hash"].combine_chunks()


def first_copies(texts: Texts, threads: int = 1) -> npt.NDArray[np.int64]:
    """Map each document to the first one with the same text, byte for byte: ``int64[n]``."""
    codes = document_hashes(texts, threads).dictionary_encode().indices.to_numpy()
    _, first = np.unique(codes, return_index=True)
    return np.asarray(first[codes], dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactDocuments:
    """Drops a document whose text, as this stage gets it, stood in an earlier one.

    Attributes:
        threads: Threads to use.
    """

    threads: int = 1
    name: str = field(default="exact_documents", init=False)

    def __post_init__(self) -> None:
        _at_least("threads", self.threads, 1)

    def judge(self, docs: pa.Table) -> Verdict:
        """Judge the whole corpus, in order."""
        first = first_copies(docs["text"], self.threads)
        return _keep_first(docs, first, "exact_duplicate")


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

    def judge(self, docs: pa.Table) -> Verdict:
        """Judge the whole corpus, in order."""
        found = find_clusters(
            docs["text"],
            self.threshold,
            self.num_perm,
            self.ngram,
            self.verify,
            self.threads,
            self.seed,
        )
        detail = self._details(docs["id"], found)
        return _keep_first(docs, found["representative"].to_numpy(), "near_duplicate", detail)

    def _details(self, ids: Column, found: pa.Table) -> pa.Array:
        kept, twin, jaccard = (found[column].to_numpy() for column in found.column_names)
        details: list[str | None] = [None] * len(kept)
        for i in np.flatnonzero(kept != np.arange(len(kept))):
            if not self.verify:
                details[i] = "same band of the signature, similarity not verified"
                continue
            through = "" if twin[i] == kept[i] else f" with {ids[int(twin[i])]}"
            details[i] = f"jaccard {jaccard[i]:.3f}{through}, threshold {self.threshold:g}"
        return pa.array(details, pa.string())


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactSubstrings:
    """Cuts what repeats an earlier passage, and drops a document of which too little is left.

    `detail` says of a document that lost something how much, and where the longest cut passage
    stands first: a byte offset in the text, as this stage gets it, of the document `duplicate_of`.

    Attributes:
        min_bytes: Length of the shortest repeat that is cut, in UTF-8 bytes.
        min_remaining: Characters, spaces not counted, that must be left of a document that was cut.
        engine: One of `ENGINES`.
        threads: Threads to use.
    """

    min_bytes: int = 100
    min_remaining: int = 50
    engine: str = ENGINES[0]
    threads: int = 1
    name: str = field(default="exact_substrings", init=False)

    def __post_init__(self) -> None:
        _check_exact(self.min_bytes, self.engine, self.threads)
        _at_least("min_remaining", self.min_remaining, 0)

    def judge(self, docs: pa.Table) -> Verdict:
        """Judge the whole corpus, in order."""
        ranges = find_ranges(docs["text"], self.min_bytes, self.engine, self.threads)
        if not ranges.num_rows:
            return Verdict(reason=keep_all(docs.num_rows))
        cuts = _cuts(ranges)
        touched = np.array([cut.document for cut in cuts])
        texts = docs["text"].take(touched)
        left = [cut.apply(text.as_py()) for cut, text in zip(cuts, texts, strict=True)]
        remaining = [sum(map(len, text.split())) for text in left]
        short = [n < self.min_remaining for n in remaining]
        twins = docs["id"].take([cut.twin for cut in cuts])
        details = [
            cut.describe(twin) + (self._too_short(n) if dropped else "")
            for cut, twin, n, dropped in zip(cuts, twins, remaining, short, strict=True)
        ]

        def spread(values: Sequence[str | None]) -> pa.Array:
            """Put one value per cut document in its row, null in the others."""
            nulls = pa.nulls(docs.num_rows, pa.string())
            return pc.replace_with_mask(nulls, mask, pa.array(values, pa.string()))

        mask = np.zeros(docs.num_rows, dtype=bool)
        mask[touched] = True
        return Verdict(
            reason=spread(["too_short_after_cut" if dropped else None for dropped in short]),
            detail=spread(details),
            duplicate_of=spread(twins.to_pylist()),
            text=pc.replace_with_mask(docs["text"], mask, pa.array(left, docs["text"].type)),
        )

    def _too_short(self, n_chars: int) -> str:
        return f"; {n_chars} characters left, at least {self.min_remaining} needed"


@dataclass(frozen=True, slots=True)
class _Cut:
    """The ranges to cut from one document, and where the longest stands first."""

    document: int
    starts: list[int]
    ends: list[int]
    twin: int
    twin_offset: int

    def apply(self, text: str) -> str:
        """`text` without the ranges."""
        data = text.encode()
        kept = zip([0, *self.ends], [*self.starts, len(data)], strict=True)
        return b"".join(data[start:end] for start, end in kept).decode()

    def describe(self, twin_id: Any) -> str:
        n_bytes = sum(self.ends) - sum(self.starts)
        ranges = "1 range" if len(self.starts) == 1 else f"{len(self.starts):,} ranges"
        return (
            f"cut {n_bytes:,} bytes in {ranges}; longest from offset {self.twin_offset:,} of "
            f"{twin_id}"
        )


def _cuts(ranges: pa.Table) -> list[_Cut]:
    """Gather the ranges of each document; they are ordered by document."""
    document, start, end, twin, offset = (ranges[name].to_numpy() for name in ranges.column_names)
    firsts = np.flatnonzero(np.diff(document, prepend=-1))
    cuts = []
    for first, after in zip(firsts, [*firsts[1:], len(document)], strict=True):
        longest = first + int(np.argmax(end[first:after] - start[first:after]))
        cuts.append(
            _Cut(
                document=int(document[first]),
                starts=start[first:after].tolist(),
                ends=end[first:after].tolist(),
                twin=int(twin[longest]),
                twin_offset=int(offset[longest]),
            )
        )
    return cuts


def _keep_first(
    docs: pa.Table, first: npt.NDArray[Any], reason: str, detail: pa.Array | None = None
) -> Verdict:
    """Drop each document whose entry in `first` is another one."""
    dropped = first != np.arange(docs.num_rows)
    twins = docs["id"].take(pa.array(first, pa.int64(), mask=~dropped))
    reasons = pc.if_else(pa.array(dropped), reason, pa.scalar(None, pa.string()))
    return Verdict(reason=reasons, detail=detail, duplicate_of=twins)


def _check_exact(min_bytes: int, engine: str, threads: int) -> None:
    _at_least("min_bytes", min_bytes, 1)
    _at_least("threads", threads, 1)
    if engine not in ENGINES:
        raise ValueError(f"engine = {engine!r} is not allowed: one of {', '.join(ENGINES)}")


def _check_near(threshold: float, num_perm: int, ngram: int, threads: int) -> None:
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold = {threshold} is not allowed: above 0, at most 1")
    for name, value in (("num_perm", num_perm), ("ngram", ngram), ("threads", threads)):
        _at_least(name, value, 1)


def _at_least(name: str, value: int, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} = {value!r} is not allowed: a whole number")
    if value < least:
        raise ValueError(f"{name} = {value} is not allowed: at least {least}")
