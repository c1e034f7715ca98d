"""Pack documents into rows of exactly `seq_len` tokens; every token is kept and knows its place.

Each document is closed by the end token; only the last row of a split is padded. Record batches
have a fixed number of rows, so they depend on the sequence of documents alone and never on how
these were grouped into calls.

`order` says which document comes after which: ``corpus`` as they are given, ``shuffled`` in a keyed
order, so that a row does not hold neighbors of the corpus. Their tokens then go through a file
without a name, and memory stays bounded whatever the size of the corpus.

`fit` says what shares a row: ``concatenate`` lays documents end to end and cuts at `seq_len`, the
"concatenate and chunk" of GPT-3 (Brown et al., 2020, arXiv:2005.14165, appendix B); ``best`` fills
rows from a window of documents so that few of those that fit into a row are cut, after the best-fit
decreasing of Ding et al. (2024, arXiv:2404.10830), but without their padding.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeAlias

import pyarrow as pa

from gristmill import _core, schema

Fit: TypeAlias = Literal["concatenate", "best"]
"""Which pieces share a row."""

Order: TypeAlias = Literal["shuffled", "corpus"]
"""In which order documents are packed."""

BLOCK_BYTES = 2**20
"""Ids in one record batch: it is hashed and verified as a whole, and at 1 MiB its own metadata and
its line in the manifest cost less than 0.1 %."""


def block_rows(seq_len: int, vocab_size: int, block_bytes: int = BLOCK_BYTES) -> int:
    """Rows of `seq_len` tokens whose ids take at most `block_bytes`; one row at least."""
    width = 2 if vocab_size <= 2**16 else 4
    return max(1, block_bytes // max(1, seq_len * width))


def order_key(seed: int) -> int:
    """The key of the order in which documents are packed under a seed."""
    return int(_core.xxh3_64_hex(f"pack:{seed}".encode()), 16)


class Packer:
    """Numbers documents from 0, and packs those of train and of validation into rows of their own.

    Args:
        seq_len: Tokens in a row.
        vocab_size: Ids are below this; up to 65,536 they take 2 bytes.
        end_token_id: The id that closes every document, and pads.
        rows: Rows in a record batch; a mebibyte of ids when omitted.
        fit: Which pieces share a row.
        key: Pack in the order of this key; in the order given when omitted.
        spill: Where the tokens go when they are shuffled; the system's folder when omitted.

    Raises:
        ValueError: A size is zero, the end token is not in the vocabulary, or `fit` is unknown.
    """

    def __init__(
        self,
        seq_len: int,
        vocab_size: int,
        end_token_id: int,
        rows: int | None = None,
        *,
        fit: Fit = "concatenate",
        key: int | None = None,
        spill: Path | None = None,
    ) -> None:
        self.schema = schema.shard_schema(seq_len, vocab_size)
        rows = block_rows(seq_len, vocab_size) if rows is None else rows
        self.kernel = _core.Packer(seq_len, rows, vocab_size, end_token_id, fit, key, spill)
        """Takes texts too, see `Tokenizer.encode_into`."""

    def push(
        self, tokens: pa.Array | pa.ChunkedArray, held_out: pa.Array | pa.ChunkedArray
    ) -> None:
        """Append documents.

        Args:
            tokens: ``list<uint32>[n]`` (or large_list), their ids without the end token.
            held_out: ``bool[n]``, which of them are validation.

        Raises:
            ValueError: An id is not in the vocabulary, or the packer is finished.
            TypeError: The columns have other types, or nulls.
            OSError: The tokens cannot be spilled.
        """
        self.kernel.push(pa.table({"tokens": tokens, "held_out": held_out}))

    def end(self) -> None:
        """Say that there are no more documents, so that the last rows are padded."""
        self.kernel.end()

    def blocks(self) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Yield the record batches that are full, with `schema`, and their split.

        The split is 0 for train and 1 for validation. Without `end` the iterator stops when more
        documents are needed, and another call goes on.
        """
        while (found := self.kernel.next_block()) is not None:
            split, batches = found
            yield split, pa.RecordBatchReader.from_stream(batches).read_next_batch()
