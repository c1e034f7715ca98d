"""Pack documents into rows of exactly `seq_len` tokens; every token is kept and knows its place.

Documents are laid end to end, each closed by the end token, and cut at `seq_len`; only `finish`
pads. Record batches have a fixed number of rows, so they depend on the sequence of documents alone
and never on how these were grouped into calls. Our own; as a way of packing it is the "concatenate
and chunk" of GPT-3 (Brown et al., 2020, arXiv:2005.14165, appendix B) with the places kept.
"""

from __future__ import annotations

import pyarrow as pa

from gristmill import _core, schema

BLOCK_BYTES = 2**20
"""Ids in one record batch: it is hashed and verified as a whole, and at 1 MiB its own metadata and
its line in the manifest cost less than 0.1 %."""


def block_rows(seq_len: int, vocab_size: int, block_bytes: int = BLOCK_BYTES) -> int:
    """Rows of `seq_len` tokens whose ids take at most `block_bytes`; one row at least."""
    width = 2 if vocab_size <= 2**16 else 4
    return max(1, block_bytes // max(1, seq_len * width))


class Packer:
    """Lays documents end to end into rows and gives record batches as they become full.

    Args:
        seq_len: Tokens in a row.
        vocab_size: Ids are below this; up to 65,536 they take 2 bytes.
        end_token_id: The id that closes every document, and pads.
        rows: Rows in a record batch; a mebibyte of ids when omitted.

    Raises:
        ValueError: A size is zero, or the end token is not in the vocabulary.
    """

    def __init__(
        self, seq_len: int, vocab_size: int, end_token_id: int, rows: int | None = None
    ) -> None:
        self.schema = schema.shard_schema(seq_len, vocab_size)
        rows = block_rows(seq_len, vocab_size) if rows is None else rows
        self._packer = _core.Packer(seq_len, rows, vocab_size, end_token_id)

    def push(self, documents: pa.Array, tokens: pa.Array) -> list[pa.RecordBatch]:
        """Append documents.

        Args:
            documents: ``uint32[n]``, the number of each document.
            tokens: ``list<uint32>[n]`` (or large_list), its ids without the end token.

        Returns:
            The record batches that became full, with `shard_schema`.

        Raises:
            ValueError: An id is not in the vocabulary, or a document number is `schema.PADDING`.
            TypeError: The columns have other types, or nulls.
        """
        table = pa.table({"document": documents, "tokens": tokens})
        return [_batch(full) for full in self._packer.push(table)]

    def finish(self) -> list[pa.RecordBatch]:
        """Pad the last row; the last record batch, if any row is left."""
        last = self._packer.finish()
        return [] if last is None else [_batch(last)]


def _batch(batches: _core.Batches) -> pa.RecordBatch:
    return pa.RecordBatchReader.from_stream(batches).read_next_batch()
