"""Types of the compiled kernels; `mypy.stubtest` holds this file against the built module."""

from typing import Any, final

import pyarrow as pa

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

