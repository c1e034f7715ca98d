"""The training loop, on one screen: stream -> model -> backward -> step -> log -> checkpoint.

The loss of a step is the mean over all predicted tokens of its global batch, however the rows are
spread over processes and passes. Letters in names: B rows, T tokens.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor

from gristmill.errors import GristmillError
from gristmill.train import checkpoint, report
from gristmill.train.data import TrainingData
from gristmill.train.engine import Engine, total
from gristmill.train.model import IGNORED, n_targets
from gristmill.train.processes import rng_states
from gristmill.train.recipe import TrainRecipe
from gristmill.train.schedule import factor
from gristmill.train.stop import Stop

Batch: TypeAlias = tuple[Tensor, Tensor]
"""Token ids and labels of one pass: ``int64[B, T]`` each."""


@dataclass
class State:
    """How far a run is; goes into each checkpoint.

    Attributes:
        step: Steps made.
        samples_seen: Rows read, over all processes: the stream's whole state.
        tokens: Tokens predicted so far.
        seconds: Time spent in steps, over all sittings; validation and checkpoints not counted.
        loss_first: Training loss of the first step.
        loss_last: Training loss of the latest step.
        validation_first: Validation loss of the untrained model.
        validation_last: The latest validation loss.
        validation_step: The step after which it was measured.
    """

    step: int = 0
    samples_seen: int = 0
    tokens: int = 0
    seconds: float = 0.0
    loss_first: float | None = None
    loss_last: float | None = None
    validation_first: float | None = None
    validation_last: float | None = None
    validation_step: int | None = None


@dataclass
class Loop:
    """A run under way in one process.

    Attributes:
        recipe: What was asked for.
        data: The shards.
        engine: Model and optimizer, and the other processes.
        state: How far it is; `run` goes on from here.
        folder: The run's folder.
        metrics: ``metrics.jsonl``; only the first process's is written.
    """

    recipe: TrainRecipe
    data: TrainingData
    engine: Engine
    state: State
    folder: Path
    metrics: report.Metrics

    def __post_init__(self) -> None:
        self._saved_step = self.state.step

    def run(self) -> None:
        """Train to the last step; every way out leaves a checkpoint to go on from.

        Raises:
            InterruptedRunError: SIGTERM came; a checkpoint of the latest whole step was written.
            KeyboardInterrupt: Ctrl-C came; likewise.
            GristmillError: The loss is no longer a number.
        """
        recipe, state = self.recipe, self.state
        steps, row_tokens = recipe.schedule.steps, recipe.batch.rows * self.data.seq_len
        with Stop() as stop, report.display(recipe.name, steps, self.first) as show:
            if state.validation_first is None:
                self.validate()
            for batches in self._batches_of_steps():
                started = time.monotonic()
                n_tokens = self._agree(batches, stop)
                loss = self._accumulate(batches, 1 / n_tokens) / n_tokens
                lr = recipe.optimizer.lr * factor(state.step + 1, recipe.schedule)
                norm = self.engine.step(lr)
                self._count(loss, lr, norm, n_tokens, time.monotonic() - started)
                step_s = state.seconds / state.step
                show(state.step, loss, row_tokens / step_s, step_s * (steps - state.step))
                if state.step % recipe.validation.every == 0 and state.step < steps:
                    self.validate()
                if state.step % recipe.checkpoint.every == 0 and state.step < steps:
                    self.save()
            if state.validation_step != steps:
                self.validate()
                self.save()

    def _batches_of_steps(self) -> Iterator[list[Batch]]:
        """This process's rows of each step that is left, a list of passes a step."""
        recipe, place = self.recipe, self.engine.place
        stream = self.data.stream(
            recipe.batch.micro_rows, recipe.seed, place.rank, place.world_size
        )
        seen = {"samples_seen": self.state.samples_seen, "fingerprint": stream.fingerprint}
        stream.load_state_dict(seen)
        rows, passes = stream.forever(), recipe.passes(place.world_size)
        while self.state.step < recipe.schedule.steps:
            yield [self._on_device(batch) for batch in islice(rows, passes)]

    def _agree(self, batches: list[Batch], stop: Stop) -> int:
        """How many tokens all processes predict in this step; or the end, when one was told to."""
        targets = sum(int(n_targets(labels_BT).sum()) for _, labels_BT in batches)
        n_tokens, stops = total(self.engine.place, [targets, stop.signal is not None])
        if stops:
            self.save()
            stop.leave(f"after step {self.state.step}")
        return max(int(n_tokens), 1)

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.engine.place.rank == 0

    def _on_device(self, batch: dict[str, Tensor]) -> Batch:
        device = self.engine.place.device
        return batch["input_ids"].to(device), batch["labels"].to(device)

    def _accumulate(self, batches: list[Batch], scale: float) -> float:
        """Forward and backward over this process's share; the summed loss of all processes."""
        losses = [
            self.engine.backward(tokens_BT, labels_BT, scale, last=number == len(batches))
            for number, (tokens_BT, labels_BT) in enumerate(batches, start=1)
        ]
        return total(self.engine.place, [float(torch.cat(losses).sum(dtype=torch.float64))])[0]

    def _count(self, loss: float, lr: float, norm: float, n_tokens: int, seconds: float) -> None:
        state = self.state
        state.step += 1
        state.samples_seen += self.recipe.batch.rows
        state.tokens += n_tokens
        state.seconds += seconds
        state.loss_first = loss if state.loss_first is None else state.loss_first
        state.loss_last = loss
        row = {"step": state.step, "loss": loss, "lr": lr, "grad_norm": norm}
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise GristmillError(
                f"step {state.step}: loss {loss}, gradient norm {norm}; lower optimizer.lr "
                f"({self.recipe.optimizer.lr}) or lengthen schedule.warmup_steps, and train into "
                "another `out`"
            )
        self.metrics.write(row | {"tokens": n_tokens, "seconds": round(seconds, 6)})

    def validate(self) -> None:
        """Measure the mean loss of the validation split, in fp32, over all processes."""
        started, state = time.monotonic(), self.state
        if not len(self.data.validation):
            return
        loss, n_tokens = validation_loss(self.engine, self.data, self.recipe.batch.micro_rows)
        if state.validation_first is None:
            state.validation_first = loss
        state.validation_last, state.validation_step = loss, state.step
        seconds = round(time.monotonic() - started, 6)
        row = {"step": state.step, "validation_loss": loss, "tokens": n_tokens}
        self.metrics.write(row | {"seconds": seconds})
        if self.first:
            report.say_validation(state.step, loss)

    def save(self) -> None:
        """Write a checkpoint; all processes take part, the first one writes."""
        if self.state.step == self._saved_step:
            return
        self._saved_step = self.state.step
        weights, moments = self.engine.state()
        rng = rng_states(self.engine.place)
        if self.first:
            record: dict[str, Any] = {
                "stream": {
                    "samples_seen": self.state.samples_seen,
                    "epoch": self.state.samples_seen // len(self.data.train),
                    "fingerprint": self.data.fingerprint,
                },
                "data_fingerprint": self.data.fingerprint,
                "recipe_fingerprint": self.recipe.fingerprint(),
                "trajectory": self.recipe.trajectory(),
                "world_size": self.engine.place.world_size,
                "state": asdict(self.state),
            }
            tensors = {"model": weights, "optimizer": moments, "rng": rng}
            folder = self.folder / "checkpoints"
            checkpoint.save(folder, self.state.step, tensors, record, self.recipe.checkpoint.keep)


def validation_loss(engine: Engine, data: TrainingData, micro_rows: int) -> tuple[float, int]:
    """Mean loss in nats over the predicted tokens of the validation split, and how many there are.

    Every process makes the same number of passes, so that engines which meet in a forward pass do;
    one that has run out of rows passes a row of nothing but padding.
    """
    place, shards = engine.place, data.validation
    n_rounds = -(-len(shards) // (micro_rows * place.world_size))
    nats, n_tokens = 0.0, 0
    for number in range(n_rounds):
        start = (number * place.world_size + place.rank) * micro_rows
        rows = range(start, min(start + micro_rows, len(shards)))
        planes = torch.from_numpy(shards.expand(rows if rows else [0]))[:2].to(place.device)
        tokens_BT, labels_BT = planes[0], planes[1] if rows else torch.full_like(planes[1], IGNORED)
        nats += float(engine.losses(tokens_BT, labels_BT).sum(dtype=torch.float64))
        n_tokens += int(n_targets(labels_BT).sum())
    nats, n_all = total(place, [nats, n_tokens])
    return nats / max(n_all, 1), int(n_all)
