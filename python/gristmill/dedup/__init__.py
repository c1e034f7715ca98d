"""Finds and removes duplicates: of documents, near-duplicates, and substrings within documents.

Of everything that repeats, the first occurrence in the order of the input stays. The kernels are
`rust/gristmill-core/src/{exact_substring,near_duplicates}.rs`; here they become functions and the
three global stages of the build, one module each.
"""

from __future__ import annotations

from gristmill.dedup.calibrate import Calibration, calibrate_near_duplicates
from gristmill.dedup.copies import ExactDocuments, document_hashes
from gristmill.dedup.earlier import EarlierCorpus
from gristmill.dedup.exact import (
    ENGINES,
    exact_duplicate_tokens,
    exact_duplicates,
    find_ranges,
)
from gristmill.dedup.minhash import MinHash
from gristmill.dedup.near import NearDuplicates, find_clusters, near_duplicates
from gristmill.dedup.substrings import ExactSubstrings

__all__ = [
    "ENGINES",
    "Calibration",
    "EarlierCorpus",
    "ExactDocuments",
    "ExactSubstrings",
    "MinHash",
    "NearDuplicates",
    "calibrate_near_duplicates",
    "document_hashes",
    "exact_duplicate_tokens",
    "exact_duplicates",
    "find_clusters",
    "find_ranges",
    "near_duplicates",
]
