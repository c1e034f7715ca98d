"""What the loop asks of an engine, and the engines of plain torch: single, ddp and fsdp.

Every engine trains fp32 master weights with torch's AdamW and gives its state by parameter, whole,
so that a checkpoint of one engine or world size continues under any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor, distributed, nn

from gristmill.train.model import CausalLoss, decay_groups
from gristmill.train.processes import Place
from gristmill.train.recipe import TrainRecipe

MOMENTS = ("exp_avg", "exp_avg_sq")
"""AdamW's two running averages, by torch's names."""

Tensors = dict[str, Tensor]


class Engine(Protocol):
    """One process's part of the training."""

    place: Place

    def backward(self, tokens_BT: Tensor, labels_BT: Tensor, scale: float, last: bool) -> Tensor:
        """Add `scale` times the rows' summed loss to the gradient, which is summed over processes.

        `last` marks the pass after which `step` follows. Returns each row's loss, detached.
        """
        ...

    def step(self, lr: float) -> float:
        """Clip, update the weights, clear the gradient; the norm before clipping."""
        ...

    def losses(self, tokens_BT: Tensor, labels_BT: Tensor) -> Tensor:
        """Each row's loss without a gradient, in fp32; all processes call it equally often."""
        ...

    def state(self) -> tuple[Tensors, Tensors]:
        """Weights and moments (``exp_avg.<parameter>``), whole, on the CPU; all processes call it.

        Only the first process's answer counts; others may give empty dicts.
        """
        ...


def open_engine(
    recipe: TrainRecipe, place: Place, model: nn.Module, passes: int, moments: Tensors, step: int
) -> Engine:
    """Wrap `model` as the recipe says, its AdamW continuing after `step` with `moments`."""
    loss = CausalLoss(model, bf16=recipe.precision == "bf16").to(place.device)
    kind = recipe.engine.kind
    if kind == "deepspeed":
        from gristmill.train.deepspeed_engine import DeepSpeedEngine

        return DeepSpeedEngine(recipe, place, loss, passes, moments, step)
    if kind == "fsdp":
        return FsdpEngine(recipe, place, loss, moments, step)
    if kind == "ddp":
        return DdpEngine(recipe, place, loss, moments, step)
    return SingleEngine(recipe, place, loss, moments, step)


def adamw(recipe: TrainRecipe, model: nn.Module) -> torch.optim.AdamW:
    """AdamW over the decay groups; torch's fused kernel, which also runs on CPUs."""
    options = recipe.optimizer
    return torch.optim.AdamW(
        decay_groups(model, options.weight_decay),
        lr=options.lr,
        betas=options.betas,
        eps=options.eps,
        fused=True,
    )


def total(place: Place, values: Sequence[float]) -> list[float]:
    """Sum each value over the processes, in float64."""
    if place.world_size == 1:
        return [float(value) for value in values]
    sums = torch.tensor(values, dtype=torch.float64, device=place.device)
    distributed.all_reduce(sums)
    return [float(value) for value in sums.tolist()]


def parameter_names(loss: CausalLoss) -> Iterable[tuple[str, nn.Parameter]]:
    """The model's parameters by the model's own names; a tied one once, under its first name."""
    return loss.model.named_parameters()


class SingleEngine:
    """One process, one model; the base of the engines that are a torch module around it."""

    def __init__(
        self, recipe: TrainRecipe, place: Place, loss: CausalLoss, moments: Tensors, step: int
    ) -> None:
        self.place = place
        self.loss = loss
        self.clip = recipe.optimizer.clip or float("inf")
        self.module = self.wrap(loss)
        self.optimizer = adamw(recipe, loss)
        for name, parameter in parameter_names(loss):
            if moments:
                self.optimizer.state[parameter] = {"step": torch.tensor(float(step))} | {
                    key: self.local(moments[f"{key}.{name}"], parameter) for key in MOMENTS
                }

    def wrap(self, loss: CausalLoss) -> nn.Module:
        """The module whose forward and backward share work with the other processes."""
        return loss

    def accumulate(self, last: bool) -> Any:
        """A context in which gradients meet the other processes' only in the `last` pass."""
        del last  # there are no others
        return nullcontext()

    def local(self, whole: Tensor, like: Tensor) -> Tensor:
        """This process's part of a `whole` tensor that is cut as `like` is."""
        return whole.to(like.device, copy=True)

    def whole(self, part: Tensor) -> Tensor:
        """The whole of a tensor of which this process holds a `part`, on the CPU."""
        return part.detach().cpu()

    def backward(self, tokens_BT: Tensor, labels_BT: Tensor, scale: float, last: bool) -> Tensor:
        """See `Engine.backward`."""
        self.module.train()
        with self.accumulate(last):
            losses_B: Tensor = self.module(tokens_BT, labels_BT)
            # The engines average gradients over processes; the loop's scale wants their sum.
            share = losses_B.sum() * (scale * self.place.world_size)
            share.backward()  # type: ignore[no-untyped-call]
        return losses_B.detach()

    def step(self, lr: float) -> float:
        """See `Engine.step`."""
        norm = nn.utils.clip_grad_norm_(self.loss.parameters(), self.clip)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return float(self.whole(norm))

    def losses(self, tokens_BT: Tensor, labels_BT: Tensor) -> Tensor:
        """See `Engine.losses`."""
        self.module.eval()
        with torch.no_grad():
            losses_B: Tensor = self.module(tokens_BT, labels_BT)
        return losses_B

    def state(self) -> tuple[Tensors, Tensors]:
        """See `Engine.state`."""
        weights, moments = {}, {}
        for name, parameter in parameter_names(self.loss):
            weights[name] = self.whole(parameter)
            for key in MOMENTS:
                moments[f"{key}.{name}"] = self.whole(self.optimizer.state[parameter][key])
        return weights, moments


class DdpEngine(SingleEngine):
    """The whole model in every process, gradients averaged (torch DistributedDataParallel)."""

    def wrap(self, loss: CausalLoss) -> nn.Module:
        """See `SingleEngine.wrap`."""
        devices = None if self.place.device.type == "cpu" else [self.place.device]
        return nn.parallel.DistributedDataParallel(loss, device_ids=devices)

    def accumulate(self, last: bool) -> Any:
        """See `SingleEngine.accumulate`."""
        return nullcontext() if last else self.module.no_sync()  # type: ignore[operator]

    def losses(self, tokens_BT: Tensor, labels_BT: Tensor) -> Tensor:
        """See `Engine.losses`; without the wrapper, whose forward would talk to the others."""
        self.loss.eval()
        with torch.no_grad():
            losses_B: Tensor = self.loss(tokens_BT, labels_BT)
        return losses_B


class FsdpEngine(SingleEngine):
    """Weights, gradients and moments cut over the processes (torch FSDP2, `fully_shard`)."""

    def wrap(self, loss: CausalLoss) -> nn.Module:
        """See `SingleEngine.wrap`."""
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        mesh = init_device_mesh(self.place.device.type, (self.place.world_size,))
        for module in loss.model.modules():
            if isinstance(module, nn.ModuleList):
                for layer in module:
                    fully_shard(layer, mesh=mesh)
        fully_shard(loss, mesh=mesh)
        return loss

    def accumulate(self, last: bool) -> Any:
        """See `SingleEngine.accumulate`."""
        self.module.set_requires_gradient_sync(last)  # type: ignore[operator]
        return nullcontext()

    def losses(self, tokens_BT: Tensor, labels_BT: Tensor) -> Tensor:
        """See `Engine.losses`; without a backward pass nothing else cuts the weights again."""
        losses_B = super().losses(tokens_BT, labels_BT)
        self.module.reshard()  # type: ignore[operator]
        return losses_B

    def local(self, whole: Tensor, like: Any) -> Tensor:
        """See `SingleEngine.local`."""
        from torch.distributed.tensor import distribute_tensor

        part: Tensor = distribute_tensor(
            whole.to(like.device), like.device_mesh, like.placements, src_data_rank=None
        )
        return part

    def whole(self, part: Any) -> Tensor:
        """See `SingleEngine.whole`."""
        full: Tensor = part.full_tensor() if hasattr(part, "full_tensor") else part
        return full.detach().cpu()
