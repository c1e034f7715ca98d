"""What the launcher told this process; nothing here needs torch.

The variables are torchrun's (RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT), so torchrun
or Slurm can start the same command on several machines; `launch` starts processes on this one.
"""

from __future__ import annotations

import os

RENDEZVOUS = "GRISTMILL_RENDEZVOUS"
"""Environment variable: the file through which the processes of one machine find each other."""


def from_environment() -> tuple[int, int]:
    """Rank and world size as the launcher set them; (0, 1) without one."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
