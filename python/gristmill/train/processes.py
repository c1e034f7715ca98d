"""The processes of a run: how they find each other, and what each of them computes on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed

from gristmill.train.environment import RENDEZVOUS, from_environment

TIMEOUT = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Place:
    """This process among the others."""

    rank: int
    world_size: int
    device: torch.device


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
        store = distributed.HashStore()
        distributed.init_process_group(backend, store=store, rank=0, world_size=1, timeout=TIMEOUT)
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


def rng_states(place: Place) -> dict[str, Tensor]:
    """The state of torch's generators in every process, as ``cpu.<rank>`` and ``cuda.<rank>``."""
    mine = {"cpu": torch.get_rng_state()}
    if place.device.type == "cuda":
        mine["cuda"] = torch.cuda.get_rng_state(place.device)
    if place.world_size == 1:
        return {f"{kind}.0": state for kind, state in mine.items()}
    states: dict[str, Tensor] = {}
    for kind, state in mine.items():
        all_of_them = [
            torch.empty_like(state, device=place.device) for _ in range(place.world_size)
        ]
        distributed.all_gather(all_of_them, state.to(place.device))
        states |= {f"{kind}.{rank}": other.cpu() for rank, other in enumerate(all_of_them)}
    return states


def set_rng_states(place: Place, states: Mapping[str, Tensor]) -> None:
    """Set this process's generators; one that the states do not know keeps its own."""
    if (state := states.get(f"cpu.{place.rank}")) is not None:
        torch.set_rng_state(state)
    if (state := states.get(f"cuda.{place.rank}")) is not None and place.device.type == "cuda":
        torch.cuda.set_rng_state(state, place.device)
