"""The processes of a run: who this one is, how they find each other, and which device it uses.

The environment is torchrun's (RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT), so torchrun
or Slurm can start the same command on several machines; `launch` starts them on this one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed

RENDEZVOUS = "GRISTMILL_RENDEZVOUS"
"""Environment variable: the file through which the processes of one machine find each other."""

TIMEOUT = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Place:
    """This process among the others."""

    rank: int
    world_size: int
    device: torch.device


def from_environment() -> tuple[int, int]:
    """Rank and world size as the launcher set them; (0, 1) without one."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def cores() -> int:
    """How many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


@contextmanager
def joined(distributed_engine: bool) -> Iterator[Place]:
    """Join the other processes for the block; a group of one when the engine wants a group."""
    rank, world_size = from_environment()
    device = torch.device("cpu")
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    place = Place(rank, world_size, device)
    if not distributed_engine or distributed.is_initialized():
        yield place
        return
    backend = "nccl" if device.type == "cuda" else "gloo"
    if world_size == 1:
        distributed.init_process_group(
            backend, store=distributed.HashStore(), rank=0, world_size=1, timeout=TIMEOUT
        )
    else:
        meeting = os.environ.get(RENDEZVOUS)
        distributed.init_process_group(
            backend,
            init_method=f"file://{meeting}" if meeting else "env://",
            rank=rank,
            world_size=world_size,
            timeout=TIMEOUT,
        )
    try:
        yield place
    finally:
        distributed.destroy_process_group()
