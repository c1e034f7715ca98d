"""Finds the longest spans of a text that occur verbatim in a corpus, and their documents."""

from __future__ import annotations

from gristmill.trace.index import SHARD_BYTES, build_index
from gristmill.trace.search import (
    MAX_DOCUMENTS,
    MIN_TOKENS,
    Index,
    token_ranges,
    word_ranges,
)

__all__ = [
    "MAX_DOCUMENTS",
    "MIN_TOKENS",
    "SHARD_BYTES",
    "Index",
    "build_index",
    "token_ranges",
    "word_ranges",
]
