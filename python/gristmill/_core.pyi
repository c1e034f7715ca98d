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

# ---- end dedup.rs ----

# ---- digest.rs ----

# ---- end digest.rs ----

# ---- pack.rs ----

# ---- end pack.rs ----

# ---- permute.rs ----

# ---- end permute.rs ----

# ---- pii.rs ----

def find_pii(texts: Any, entities: list[str], threads: int) -> Batches:
    """Find personal data: document, start, end (characters), entity, score."""

def scrub_pii(texts: Any, entities: list[str], threads: int) -> Batches:
    """Mask personal data: text, and a uint32 column of counts per entity."""

# ---- end pii.rs ----

# ---- signals.rs ----

def quality_signals(texts: Any, threads: int) -> Batches:
    """Measure the quality signals of every text, as float64 columns."""

# ---- end signals.rs ----

# ---- suffix_index.rs ----

# ---- end suffix_index.rs ----

