"""Stream packed rows in one global order that no world size, worker count or resume changes.

The order is the sequence of samples 0, 1, 2, …: sample ``s`` belongs to epoch ``s // n`` and is row
``permute(n, key, s % n)``, where the key is the xxh3 of fingerprint, split, seed and epoch. In each
round the ranks take the next ``batch_size * world_size`` samples; rank ``r`` gets those at ``r``,
``r + world_size``, and so on. How far the sequence was read, over all ranks, is the whole state.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from gristmill import _core
from gristmill.errors import IntegrityError, NotBuiltYetError, RecipeError
from gristmill.shards.manifest import digest_of
from gristmill.shards.read import Array, Shards

Batch = dict[str, Any]

_NAMES = ("input_ids", "labels", "position_ids", "segment_ids")
_ROUNDS = 64  # whose order is computed at a time


class ShardStream:
    """Batches of packed rows: a torch ``IterableDataset`` when torch is loaded, numpy otherwise.

    Iterating gives the rest of the current epoch, and the next time the next epoch; each sample is
    in exactly one batch of one rank. When the samples do not divide, the last round is smaller and
    a rank may have one batch less than another; ranks that must keep step use `forever`, which goes
    on into the next epoch with full batches. In a ``DataLoader`` (``batch_size=None``) the workers
    of a rank take its batches in turn, so their order stays that of the rank; the copies in the
    workers advance, and `state_dict` of the original does not.

    A batch is a dict of int64 tensors (numpy arrays without torch) of shape
    ``(batch_size, seq_len)``:

    - ``input_ids``;
    - ``labels``: the ids, not shifted (a model shifts them), and -100 at the first token of each
      piece, so that nothing is predicted from another document, and on padding;
    - ``position_ids``: counted from 0 in each piece;
    - ``segment_ids``: the piece within the row, from 0; -1 on padding.

    Args:
        path: ``shards/train`` or ``shards/validation``.
        batch_size: Rows in a batch of one rank.
        seed: Which order.
        rank: This process, below `world_size`.
        world_size: How many processes share the samples.
        shuffle: Rows in a keyed order, another one each epoch; otherwise as they were packed.
        weights: Rows by source; not built yet.
        licenses: Only rows all of whose documents have one of these licenses; reads all blocks
            once, when the first batch is asked for.

    Raises:
        FormatError: `path` is no split of shards.
        IntegrityError: The shards are not what their manifest says.
        ValueError: A number is outside its range.
    """

    def __init__(
        self,
        path: str | Path,
        batch_size: int = 8,
        seed: int = 7,
        rank: int = 0,
        world_size: int = 1,
        shuffle: bool = True,
        weights: Mapping[str, float] | None = None,
        licenses: Collection[str] | None = None,
    ) -> None:
        if weights is not None:
            raise NotBuiltYetError("weights: mixing by source is not built yet; leave it out")
        if batch_size < 1:
            raise ValueError(f"batch_size = {batch_size} is not allowed: 1 or more")
        if not 0 <= rank < world_size:
            raise ValueError(
                f"rank = {rank} is not allowed: 0 to world_size - 1 = {world_size - 1}"
            )
        if isinstance(licenses, str):
            raise TypeError(f"licenses = {licenses!r} is not allowed: a collection of licenses")
        self.shards = Shards(path)
        self.batch_size = batch_size
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.shuffle = shuffle
        self.licenses = None if licenses is None else frozenset(licenses)
        self._samples_seen = 0
        self._chosen: Array | None = None
        _register()

    @property
    def n_samples(self) -> int:
        """Samples in an epoch, over all ranks."""
        return len(self.shards) if self.licenses is None else len(self._chosen_rows())

    @property
    def fingerprint(self) -> str:
        """Name of the content that is streamed: the manifest's, or its license gate's."""
        if self.licenses is None:
            return self.shards.fingerprint
        return digest_of([self.shards.fingerprint, sorted(self.licenses)])

    def __iter__(self) -> Iterator[Batch]:
        start, n_samples = self._samples_seen, self.n_samples
        end = start - start % n_samples + n_samples if n_samples else start
        worker, n_workers = _worker()
        for number, rows in enumerate(self._rounds(start, end)):
            if number % n_workers == worker:
                done = start + (number - worker + n_workers) * self._round_size
                self._samples_seen = min(end, done)
                yield self._batch(rows)
        self._samples_seen = end

    def forever(self) -> Iterator[Batch]:
        """Yield full batches without end, from one epoch into the next; for ranks in step.

        Raises:
            RecipeError: There is no sample.
        """
        if not self.n_samples:
            raise RecipeError(f"{self.shards.path} has no row to stream")
        start = self._samples_seen
        for number, rows in enumerate(self._rounds(start, None)):
            self._samples_seen = start + (number + 1) * self._round_size
            yield self._batch(rows)

    def state_dict(self) -> dict[str, Any]:
        """How far all ranks are after the latest batch; resumes at any world size.

        `samples_seen` counts from the start of epoch 0; `epoch` is that of the next sample.
        """
        epoch = self._samples_seen // self.n_samples if self.n_samples else 0
        return {
            "samples_seen": self._samples_seen,
            "epoch": epoch,
            "fingerprint": self.fingerprint,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on behind the samples of a `state_dict`.

        Raises:
            IntegrityError: The state belongs to other shards or another license gate.
        """
        if state["fingerprint"] != self.fingerprint:
            raise IntegrityError(
                f"the state is of shards {state['fingerprint']}, {self.shards.path} is "
                f"{self.fingerprint}; resume with the shards the run began with, or start anew"
            )
        if state["samples_seen"] < 0:
            raise ValueError(f"samples_seen = {state['samples_seen']} is not allowed: 0 or more")
        self._samples_seen = int(state["samples_seen"])

    def set_epoch(self, epoch: int) -> None:
        """Go to the start of an epoch; needed between epochs of a DataLoader with workers."""
        self._samples_seen = epoch * self.n_samples

    def row_of(self, sample: int) -> int:
        """The row of the split that a sample of the global sequence is."""
        if sample < 0 or not self.n_samples:
            raise IndexError(f"sample {sample} of {self.n_samples} an epoch")
        return int(self._rows(sample, sample + 1)[0])

    def where(self, sample: int, token: int) -> dict[str, Any] | None:
        """The document of one token of a sample of the global sequence, or None for padding.

        Row ``j`` of rank ``r`` in a batch that began at ``samples_seen`` is sample
        ``samples_seen + r + j * world_size``.

        Returns:
            ``id``, ``source``, ``license``, ``url`` and ``offset``, in tokens of the document.
        """
        return self.shards.where(self.row_of(sample), token)

    @property
    def _round_size(self) -> int:
        return self.batch_size * self.world_size

    def _rounds(self, start: int, end: int | None) -> Iterator[Array]:
        """Rows of this rank's batches between two samples, in order."""
        while end is None or start < end:
            stop = start + _ROUNDS * self._round_size
            stop = stop if end is None else min(stop, end)
            rows = self._rows(start + self.rank, stop)
            for first in range(0, len(rows), self.batch_size):
                yield rows[first : first + self.batch_size]
            start = stop

    def _rows(self, start: int, stop: int) -> Array:
        """Rows of the samples at `start`, `start + world_size`, … before `stop`."""
        parts, n_samples = [], self.n_samples
        while start < stop:
            epoch, at = divmod(start, n_samples)
            last = min(stop - start, n_samples - at)
            count = -(-last // self.world_size)
            parts.append(self._order(epoch, at, count))
            start += count * self.world_size
        rows = np.concatenate(parts) if parts else np.empty(0, np.int64)
        return rows if self.licenses is None else self._chosen_rows()[rows]

    def _order(self, epoch: int, start: int, count: int) -> Array:
        if not self.shuffle:
            return start + np.arange(count) * self.world_size
        name = f"{self.fingerprint}:{self.shards.split}:{self.seed}:{epoch}"
        key = int(_core.xxh3_64_hex(name.encode()), 16)
        order = _core.permute(self.n_samples, key, start, count, self.world_size)
        return np.asarray(pa.table(order).column("index").to_numpy())

    def _chosen_rows(self) -> Array:
        """The rows that the license gate lets through."""
        if self._chosen is None:
            self._chosen = _rows_under(self.shards, self.licenses or frozenset())
        return self._chosen

    def _batch(self, rows: Array) -> Batch:
        planes = self.shards.expand(rows)
        torch = sys.modules.get("torch")
        arrays = planes if torch is None else map(torch.from_numpy, planes)
        return dict(zip(_NAMES, arrays, strict=True))

    def __reduce__(self) -> tuple[Any, ...]:
        """Open the same files again: how a spawned DataLoader worker gets its copy."""
        names = ("batch_size", "seed", "rank", "world_size", "shuffle")
        options = [getattr(self, name) for name in names]
        arguments = (self.shards.path, *options, None, self.licenses)
        return (type(self), arguments, {"_samples_seen": self._samples_seen})


def _rows_under(shards: Shards, licenses: frozenset[str]) -> Array:
    """Rows all of whose documents have one of `licenses`.

    Raises:
        RecipeError: There is no such row.
    """
    column = shards.documents.column("license")
    allowed = np.append(np.isin(column.to_numpy(), sorted(licenses)), True)  # padding
    chosen = []
    for number in range(shards.n_blocks):
        pieces = shards.block(number).column("piece_document")
        documents = np.minimum(pieces.values.to_numpy(), len(allowed) - 1)
        starts = pieces.offsets.to_numpy()[:-1]
        chosen.append(np.logical_and.reduceat(allowed[documents], starts))
    rows = np.flatnonzero(np.concatenate(chosen)) if chosen else np.empty(0, np.int64)
    if not len(rows):
        known = ", ".join(sorted(column.unique().to_pylist()))
        raise RecipeError(
            f"licenses = {sorted(licenses)} leave no row of {shards.path}; "
            f"its documents have: {known}"
        )
    return rows


def _worker() -> tuple[int, int]:
    """This DataLoader worker and how many there are; (0, 1) outside of one."""
    data = sys.modules.get("torch.utils.data")
    info = None if data is None else data.get_worker_info()
    return (0, 1) if info is None else (info.id, info.num_workers)


def _register() -> None:
    """Make a stream an IterableDataset in the eyes of torch, if torch is loaded."""
    data = sys.modules.get("torch.utils.data")
    if data is not None:
        data.IterableDataset.register(ShardStream)
