"""The DeepSpeed engine: ZeRO 0 to 3 around the same model, AdamW and loss as every engine.

DeepSpeed's own checkpoints are pickles cut by rank; ours are gathered and set by parameter
through its tensor-fragment interface instead. Its gloo start would compile a shared-memory kernel
that only inference uses; it is told to leave that out, so no compiler is needed.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
from typing import Any

import torch
from torch import Tensor, nn

from gristmill.train.engine import MOMENTS, Tensors, adamw, parameter_names
from gristmill.train.model import CausalLoss
from gristmill.train.processes import Place
from gristmill.train.recipe import TrainRecipe


def quiet_deepspeed(device: str) -> Any:
    """Import DeepSpeed without its log lines, its look for CUDA and its compiling."""
    os.environ.setdefault("DS_ACCELERATOR", device)
    os.environ.setdefault("DS_BUILD_OPS", "0")
    os.environ.setdefault("LOCAL_RANK", "0")
    with contextlib.redirect_stdout(io.StringIO()):
        import deepspeed
    logging.getLogger("DeepSpeed").setLevel(logging.ERROR)
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    return deepspeed


class DeepSpeedEngine:
    """ZeRO stage 0 (gradients averaged), 1 (moments cut), 2 (gradients too) or 3 (weights too)."""

    def __init__(
        self,
        recipe: TrainRecipe,
        place: Place,
        loss: CausalLoss,
        passes: int,
        moments: Tensors,
        step: int,
    ) -> None:
        deepspeed = quiet_deepspeed(place.device.type)
        self.place = place
        self.loss = loss
        self.clip = recipe.optimizer.clip
        self.stage = recipe.engine.stage
        deepspeed.init_distributed(auto_mpi_discovery=False, verbose=False)
        self.engine, *_ = deepspeed.initialize(
            model=loss, optimizer=adamw(recipe, loss), config=_config(recipe, loss, passes)
        )
        self._link_moments(step)
        if moments:
            self._restore(moments)

    def backward(self, tokens_BT: Tensor, labels_BT: Tensor, scale: float, last: bool) -> Tensor:
        """See `Engine.backward`."""
        del last  # DeepSpeed counts the passes itself
        self.engine.train()
        losses_B: Tensor = self.engine(tokens_BT, labels_BT)
        share = losses_B.sum() * (scale * self.place.world_size)
        self.engine.backward(share, scale_wrt_gas=False)
        if not self.engine.is_gradient_accumulation_boundary():
            self.engine.step()  # counts the pass
        return losses_B.detach()

    def step(self, lr: float) -> float:
        """See `Engine.step`."""
        for group in self.engine.optimizer.param_groups:
            group["lr"] = lr
        norm = self._norm() if self.stage == 0 else 0.0
        self.engine.step()
        return norm if self.stage == 0 else float(self.engine.get_global_grad_norm())

    def losses(self, tokens_BT: Tensor, labels_BT: Tensor) -> Tensor:
        """See `Engine.losses`."""
        self.engine.eval()
        with torch.no_grad():
            losses_B: Tensor = self.engine(tokens_BT, labels_BT)
        return losses_B

    def state(self) -> tuple[Tensors, Tensors]:
        """See `Engine.state`."""
        weights, moments = {}, {}
        for name, parameter in parameter_names(self.loss):
            weights[name] = self._whole(parameter, None)
            for key in MOMENTS:
                moments[f"{key}.{name}"] = self._whole(parameter, key)
        return weights, moments

    def _whole(self, parameter: nn.Parameter, key: str | None) -> Tensor:
        from deepspeed.utils import safe_get_full_fp32_param, safe_get_full_optimizer_state

        if self.stage == 0:
            part = self.engine.optimizer.state[parameter][key] if key else parameter
        elif key is None:
            part = safe_get_full_fp32_param(parameter)
        else:
            part = safe_get_full_optimizer_state(parameter, key)
        whole: Tensor = part.detach().cpu().reshape(_shape(parameter))
        return whole

    def _link_moments(self, step: int) -> None:
        """Give AdamW its moments now, and link each parameter to its part of them.

        DeepSpeed 0.19.8 links at the first step of the first parameter group, when the second
        group has no moments yet, and those then cannot be read (ZeRO 1 and 2).
        """
        zero = self.engine.optimizer
        if self.stage == 0:
            base, parts = zero, [p for p in self.loss.parameters() if p.requires_grad]
        elif self.stage == 3:
            base, parts = zero.optimizer, zero.fp32_partitioned_groups_flat
        else:
            base, parts = zero.optimizer, zero.single_partition_of_fp32_groups
        for part in parts:
            zeros = {key: torch.zeros_like(part) for key in MOMENTS}
            base.state[part] = {"step": torch.tensor(float(step))} | zeros
        if self.stage in (1, 2):
            zero._lazy_init_hp_params_optimizer_state()

    def _restore(self, moments: Tensors) -> None:
        """Set the moments; the weights were in the model when it was wrapped."""
        from deepspeed.utils import safe_set_full_optimizer_state

        for name, parameter in parameter_names(self.loss):
            for key in MOMENTS:
                whole = moments[f"{key}.{name}"].to(self.place.device)
                if self.stage == 0:
                    self.engine.optimizer.state[parameter][key].copy_(whole)
                else:
                    safe_set_full_optimizer_state(parameter, whole, key)

    def _norm(self) -> float:
        gradients = [p.grad for p in self.loss.parameters() if p.grad is not None]
        return float(nn.utils.get_total_norm(gradients))


def _shape(parameter: Any) -> torch.Size:
    shape: torch.Size = getattr(parameter, "ds_shape", parameter.shape)  # ZeRO 3 empties the tensor
    return shape


def _config(recipe: TrainRecipe, loss: nn.Module, passes: int) -> dict[str, Any]:
    n_parameters = sum(parameter.numel() for parameter in loss.parameters())
    return {
        "train_batch_size": recipe.batch.rows,
        "train_micro_batch_size_per_gpu": recipe.batch.micro_rows,
        "gradient_accumulation_steps": passes,
        "gradient_clipping": recipe.optimizer.clip,
        "steps_per_print": 10**9,
        "zero_optimization": {
            "stage": recipe.engine.stage,
            # The default of 500 million elements would be allocated whole, per process.
            "reduce_bucket_size": min(500_000_000, n_parameters),
            "overlap_comm": False,
        },
    }
