"""Types of the compiled kernels; `mypy.stubtest` holds this file against the built module."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

import pyarrow as pa
from typing_extensions import Buffer

@final
class Batches:
    """Arrow data on its way out; read it with `pyarrow.table(...)`."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> Any: ...

# ---- bpe.rs ----

# ---- end bpe.rs ----

# ---- dedup.rs ----

def exact_duplicates(
    texts: pa.Table, min_bytes: int, engine: str, threads: int
) -> Batches: ...
def near_duplicates(
    texts: pa.Table,
    threshold: float,
    num_perm: int,
    ngram: int,
    verify: bool,
    threads: int,
    seed: int,
) -> Batches: ...
def document_hashes(texts: pa.Table, threads: int) -> Batches: ...

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

# ---- end pack.rs ----

# ---- permute.rs ----
def permute(n: int, key: int, start: int, count: int) -> Batches:
    """The numbers at positions ``start..start + count`` of a keyed order of ``0..n``.

    Args:
        n: How many numbers the order has, below 2**64.
        key: Which order, below 2**64.
        start: First position.
        count: How many positions; ``start + count`` is at most `n`.

    Returns:
        Column ``index``, uint64.
    """


# ---- end permute.rs ----

# ---- pii.rs ----

# ---- end pii.rs ----

# ---- signals.rs ----

# ---- end signals.rs ----

# ---- suffix_index.rs ----

def index_arrays(texts: pa.Table) -> tuple[Batches, Batches, Batches]: ...
@final
class SuffixIndex:
    """Memory-mapped suffix arrays, each shard given as its text, suffixes and starts."""

    def __new__(cls, shards: Sequence[tuple[Path, Path, Path]]) -> SuffixIndex: ...
    @property
    def n_documents(self) -> int:
        """The number of documents."""

    def count(self, pattern: bytes) -> int:
        """How often a pattern occurs, overlaps included."""

    def locate(self, pattern: bytes, limit: int) -> list[tuple[int, int]]:
        """The first documents that hold a pattern, with its first place in each."""

    def spans(
        self, text: str, tokens: Sequence[tuple[int, int]], min_tokens: int, limit: int
    ) -> list[tuple[int, int, int, list[tuple[int, int]]]]:
        """The maximal spans of a text that hold `min_tokens` of `tokens`."""

# ---- end suffix_index.rs ----

