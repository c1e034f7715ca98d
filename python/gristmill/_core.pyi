"""Types of the compiled kernels; `mypy.stubtest` holds this file against the built module."""

from typing import Any, final

import pyarrow as pa

@final
class Batches:
    """Arrow data on its way out; read it with `pyarrow.table(...)`."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> Any: ...

# ---- bpe.rs ----

@final
class WordCounts:
    """How often each word occurs; the first half of training, fed in portions."""

    def __new__(cls, pattern: str) -> WordCounts: ...
    def add(self, texts: pa.Table, threads: int) -> None: ...
    def train(
        self,
        vocab_size: int,
        special_tokens: list[str],
        min_frequency: int,
        max_token_bytes: int,
    ) -> tuple[list[bytes], list[tuple[int, int, int]]]: ...

@final
class Encoder:
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
    ) -> Encoder: ...
    def encode(self, text: str, specials: str) -> list[int]: ...
    def encode_batch(self, texts: pa.Table, specials: str, threads: int) -> Batches: ...
    def count_batch(self, texts: pa.Table, specials: str, threads: int) -> Batches: ...
    def decode(self, ids: list[int], skip_special_tokens: bool) -> bytes: ...

# ---- end bpe.rs ----

# ---- dedup.rs ----

# ---- end dedup.rs ----

# ---- digest.rs ----

# ---- end digest.rs ----

# ---- pack.rs ----

# ---- end pack.rs ----

# ---- permute.rs ----

# ---- end permute.rs ----

# ---- pii.rs ----

# ---- end pii.rs ----

# ---- signals.rs ----

# ---- end signals.rs ----

# ---- suffix_index.rs ----

# ---- end suffix_index.rs ----

