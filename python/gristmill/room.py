"""How much memory and disk a stage may take, and how much memory the process has.

A budget is for the whole process: what a stage may still take is what the process does not have yet.
"""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

LEAST_BYTES = 64 * 2**20
"""What a thread may take however little is left: with less no kernel works."""


@dataclass(frozen=True, slots=True)
class Room:
    """What a global stage may take.

    Attributes:
        folder: For files that are removed when the stage is done; made when it is needed.
        memory: Bytes that the process may have resident; None is as many as the work likes best.
    """

    folder: Path
    memory: int | None = None

    def left(self, threads: int = 1) -> int | None:
        """Bytes of memory that some threads may still take, at least `LEAST_BYTES` each."""
        if self.memory is None:
            return None
        pa.default_memory_pool().release_unused()
        return max(self.memory - rss_bytes(), LEAST_BYTES * threads)


def peak_rss_bytes() -> int:
    """The largest resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def rss_bytes() -> int:
    """The resident memory of this process now; where the system does not tell, its peak."""
    try:
        pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    except OSError:
        return peak_rss_bytes()
    return pages * resource.getpagesize()
