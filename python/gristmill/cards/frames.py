"""The two tables every measurement starts from: one row a kept document, one row an input document.

Texts are reduced to lengths and a hash while they stream by, so memory is about 150 bytes a
document, whatever the size of the texts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from gristmill.cards.tokens import Tokens
from gristmill.errors import FormatError

HOST = r"^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?([^/?#:]+)"


@dataclass(frozen=True, slots=True)
class Frames:
    """What was read of a corpus.

    Attributes:
        documents: A row per kept document: id, source, license, domain, created, bytes, characters,
            text_hash, language, n_tokens, train_tokens.
        ledger: A row per input document, every column of the ledger.
        names: Columns of the ledger beyond those of the interface: the quality signals.
    """

    documents: pl.DataFrame
    ledger: pl.DataFrame


def part_files(corpus: Path, part: str) -> list[Path]:
    """The ``part-*.parquet`` files of ``documents`` or ``ledger``, in order.

    Raises:
        FormatError: There is none.
    """
    found = sorted((corpus / part).glob("part-*.parquet"))
    if not found:
        raise FormatError(
            f"{corpus / part} has no part-*.parquet; build the corpus again: "
            "`gristmill build RECIPE`"
        )
    return found


def scan(corpus: Path, part: str) -> pl.LazyFrame:
    """``documents`` or ``ledger`` of a corpus, lazily, in file order."""
    return pl.scan_parquet(part_files(corpus, part))


def read_frames(corpus: Path, tokens: Tokens | None) -> Frames:
    """Read the small columns of documents and ledger, and reduce each text to its lengths."""
    text = pl.col("text")
    documents = (
        scan(corpus, "documents")
        .select(
            "id",
            "source",
            "license",
            "created",
            pl.col("url").is_null().alias("no_url"),
            pl.col("url").str.extract(HOST, 1).str.to_lowercase().alias("domain"),
            text.str.len_bytes().cast(pl.Int64).alias("bytes"),
            text.str.len_chars().cast(pl.Int64).alias("characters"),
            text.hash(seed=0).alias("text_hash"),
            (pl.col("metadata") == "{}").alias("no_metadata"),
        )
        .collect(engine="streaming")
    )
    ledger = scan(corpus, "ledger").collect()
    kept = ledger.filter(pl.col("fate") == "kept").select("id", "language")
    documents = _left_join(documents, kept)
    if tokens is None:
        empty = pl.lit(None, pl.Int64)
        documents = documents.with_columns(n_tokens=empty, train_tokens=empty)
    else:
        documents = _left_join(documents, tokens.per_document)
    return Frames(documents.rechunk(), ledger.rechunk())


def _left_join(left: pl.DataFrame, right: pl.DataFrame) -> pl.DataFrame:
    """Add the columns of `right` by id; a repeated id (which `verify` refuses) counts once."""
    once = right.unique("id", keep="first", maintain_order=True)
    return left.join(once, on="id", how="left", maintain_order="left")
