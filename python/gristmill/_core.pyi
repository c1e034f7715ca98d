"""Types of the compiled kernels; `mypy.stubtest` holds this file against the built module."""

from collections.abc import Sequence
from typing import Any, final

import pyarrow as pa
from typing_extensions import Buffer

@final
class Batches:
    """Arrow data on its way out; read it with `pyarrow.table(...)`."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> Any: ...

# ---- bpe.rs ----

@final
class BpeTrainer:
    """Counts the words of texts, given in portions, and then learns their vocabulary."""

    def __new__(
        cls,
        pattern: str,
        vocab_size: int,
        special_tokens: list[str],
        min_frequency: int,
        max_token_bytes: int,
    ) -> BpeTrainer: ...
    def add(self, texts: pa.Table, threads: int) -> None: ...
    def train(self) -> tuple[list[bytes], list[tuple[int, int, int]]]: ...

@final
class BpeEncoder:
    """A vocabulary ready to encode and decode."""

    def __new__(
        cls,
        tokens: list[bytes | None],
        merges: list[tuple[int, int, int]],
        added: list[tuple[str, int, bool]],
        pattern: str,
        *,
        ignore_merges: bool = False,
        add_prefix_space: bool = False,
    ) -> BpeEncoder: ...
    def words(self, text: str) -> list[str]: ...
    def encode(self, text: str, specials: str) -> list[int]: ...
    def encode_batch(self, texts: pa.Table, specials: str, threads: int) -> Batches: ...
    def count_batch(self, texts: pa.Table, specials: str, threads: int) -> Batches: ...
    def decode(self, ids: list[int], skip_special_tokens: bool) -> bytes: ...

# ---- end bpe.rs ----

# ---- dedup.rs ----

def exact_duplicates(
    texts: pa.Table, min_bytes: int, engine: str, threads: int
) -> Batches: ...

# ---- end dedup.rs ----

# ---- digest.rs ----
def xxh3_64_hex(buffer: Buffer) -> str:
    """The 64-bit xxh3 of a contiguous buffer, as 16 hexadecimal digits."""

def xxh3_128_hex(buffer: Buffer) -> str:
    """The 128-bit xxh3 of a contiguous buffer, as 32 hexadecimal digits."""

def xxh3_128_hex_each(*columns: pa.Table) -> Batches:
    """Digest the rows of one or more columns of text, each given as a table of one column.

    Returns:
        Column ``digest``, string: for each row 32 hexadecimal digits over its fields; moving the
        border between two fields changes them. A null counts as an empty text.
    """

def xxh3_64_each(texts: pa.Table) -> Batches:
    """Digest each text of a table's first column: column ``digest``, uint64."""

@final
class Xxh3:
    """A 128-bit xxh3 of bytes that arrive in parts."""

    def __new__(cls) -> Xxh3: ...
    def update(self, buffer: Buffer) -> None:
        """Add the bytes of a contiguous buffer."""

    def hexdigest(self) -> str:
        """The digest of everything added so far, as 32 hexadecimal digits."""


# ---- end digest.rs ----

# ---- pack.rs ----
@final
class Packer:
    """Packs documents into rows of `seq_len` tokens, `block_rows` rows a record batch.

    Raises:
        ValueError: A size is zero, or the end token is not in the vocabulary.
    """

    def __new__(
        cls, seq_len: int, block_rows: int, vocab_size: int, end_token_id: int
    ) -> Packer: ...
    def push(self, documents: pa.Table) -> list[Batches]:
        """Append the documents of a table ``(document uint32, tokens list<uint32>)``.

        Returns:
            The record batches that became full, with the columns of `schema.shard_schema`.

        Raises:
            ValueError: An id is not in the vocabulary, a document number is 2**32 - 1, or the
                packer is finished.
        """

    def finish(self) -> Batches | None:
        """Pad the last row and give the last record batch, or None when no row is left."""

@final
class RowReader:
    """Reads rows out of mapped files into the arrays a model takes; `width` is 2 or 4 bytes."""

    def __new__(cls, files: Sequence[Buffer], seq_len: int, width: int) -> RowReader: ...
    def expand(self, places: Buffer, out: Buffer) -> None:
        """Expand rows into `out`.

        Args:
            places: ``uint64[B, 5]``, contiguous: for each row its file, the byte offsets of its ids
                and of its piece lengths, the number of its pieces, and its padding in tokens.
            out: ``int64[4, B, T]``, contiguous: filled with the ids, the labels (-100 at the first
                token of each piece and on padding), the position within the piece, and the number
                of the piece (-1 on padding).

        Raises:
            IndexError: A place lies outside its file.
            CoreError: Piece lengths do not sum to the row.
        """


# ---- end pack.rs ----

# ---- permute.rs ----
def permute(n: int, key: int, start: int, count: int, step: int = 1) -> Batches:
    """The numbers at positions ``start + k * step`` of a keyed order of ``0..n``.

    Args:
        n: How many numbers the order has, below 2**64.
        key: Which order, below 2**64.
        start: First position.
        count: How many positions, all below `n`.
        step: From one position to the next.

    Returns:
        Column ``index``, uint64.

    Raises:
        ValueError: A position is `n` or more.
    """

# ---- end permute.rs ----

# ---- pii.rs ----

# ---- end pii.rs ----

# ---- signals.rs ----

# ---- end signals.rs ----

# ---- suffix_index.rs ----

# ---- end suffix_index.rs ----

