"""Tokens of a corpus: how many each document has, how many are trained on, by what tokenizer.

Training tokens are counted in the shards themselves, piece by piece, not inferred from the split's
share: `piece_document` says whose each token is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from gristmill.cards.facts import Row, fact, rounded, table
from gristmill.errors import IntegrityError
from gristmill.schema import PADDING

TRAIN = "train"


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the shards say.

    Attributes:
        manifest: ``shards/manifest.json``.
        per_document: A row per packed document: id, n_tokens, train_tokens.
        splits: A row per split: rows, documents, tokens, padding.
    """

    manifest: dict[str, Any]
    per_document: pl.DataFrame
    splits: list[Row]


def read_tokens(corpus: Path) -> Tokens | None:
    """Count the tokens of every packed document; None for a corpus that was not packed.

    Raises:
        IntegrityError: A shard points at a document that is not there.
    """
    shards = corpus / "shards"
    if not (shards / "manifest.json").is_file():
        return None
    manifest = json.loads((shards / "manifest.json").read_bytes())
    listed = pl.read_parquet(shards / "documents.parquet", columns=["id", "n_tokens"])
    per_split = {
        split: _split(shards, split, listed.height) for split in sorted(manifest.get("splits", {}))
    }
    train = per_split[TRAIN][1] if TRAIN in per_split else np.zeros(listed.height, np.int64)
    per_document = listed.with_columns(
        pl.col("n_tokens").cast(pl.Int64), pl.Series("train_tokens", train)
    )
    order = sorted(per_split, key=lambda split: (split != TRAIN, split))
    return Tokens(manifest, per_document, [per_split[split][0] for split in order])


def _split(shards: Path, split: str, n_docs: int) -> tuple[Row, npt.NDArray[np.int64]]:
    tokens = np.zeros(n_docs, np.int64)
    n_rows = padding = 0
    for path in sorted((shards / split).glob("shard-*.arrow")):
        for batch in _batches(path):
            n_rows += batch.num_rows
            document = batch["piece_document"].flatten().to_numpy()
            length = batch["piece_lengths"].flatten().to_numpy()
            real = document != PADDING
            padding += int(length[~real].sum())
            if real.any() and int(document[real].max()) >= n_docs:
                raise IntegrityError(
                    f"{path}: a piece names document {int(document[real].max())}, but "
                    f"{shards / 'documents.parquet'} has {n_docs} rows"
                )
            counts = np.bincount(document[real], weights=length[real], minlength=n_docs)
            tokens += counts.astype(np.int64)
    row = {
        "split": split,
        "rows": n_rows,
        "documents": int((tokens > 0).sum()),
        "tokens": int(tokens.sum()),
        "padding": padding,
    }
    return row, tokens


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as reader:
        yield from reader


def split_table(tokens: Tokens | None) -> dict[str, Any]:
    """Rows, documents, tokens and padding of each split."""
    found = [] if tokens is None else tokens.splits
    return table(
        found, "shards/*/shard-*.arrow: piece_lengths by piece_document, end tokens included"
    )


def measure_tokenizer(corpus: Path, documents: pl.DataFrame) -> dict[str, Any] | None:
    """Vocabulary, merges, special tokens, and bytes per token by language; None without one."""
    path = corpus / "tokenizer" / "tokenizer.json"
    if not path.is_file():
        return None
    described = json.loads(path.read_bytes())
    model, added = described.get("model", {}), described.get("added_tokens", [])
    vocab = model.get("vocab", {})
    extra = sum(1 for token in added if token.get("content") not in vocab)
    where = "tokenizer/tokenizer.json"
    return {
        "kind": fact(model.get("type", "unknown"), f"{where}: model.type"),
        "vocab_size": fact(len(vocab) + extra, f"{where}: model.vocab and added_tokens"),
        "merges": fact(len(model.get("merges", [])), f"{where}: model.merges"),
        "special_tokens": fact([token.get("content") for token in added], f"{where}: added_tokens"),
        "bytes_per_token": fact(_bytes_per_token(documents), f"bytes of text / {_N_TOKENS}"),
        "by_language": table(_fertility(documents), f"{_N_TOKENS}, by language of the ledger"),
    }


_N_TOKENS = "shards/documents.parquet: n_tokens (end tokens not counted)"


def _bytes_per_token(documents: pl.DataFrame) -> float | None:
    counted = documents.filter(pl.col("n_tokens").is_not_null())
    n_tokens = int(counted["n_tokens"].sum())
    return rounded(int(counted["bytes"].sum()) / n_tokens) if n_tokens else None


def _fertility(documents: pl.DataFrame) -> list[Row]:
    grouped = (
        documents.filter(pl.col("n_tokens").is_not_null() & pl.col("language").is_not_null())
        .group_by("language")
        .agg(pl.col("bytes", "characters", "n_tokens").sum())
        .filter(pl.col("n_tokens") > 0)
        .sort(["n_tokens", "language"], descending=[True, False])
    )
    return [
        {
            "language": row["language"],
            "tokens": row["n_tokens"],
            "bytes_per_token": rounded(row["bytes"] / row["n_tokens"]),
            "characters_per_token": rounded(row["characters"] / row["n_tokens"]),
        }
        for row in grouped.iter_rows(named=True)
    ]
