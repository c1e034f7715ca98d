"""The learning rate of each step: linear warm-up, then cosine, linear, WSD or constant."""

from __future__ import annotations

import math

from gristmill.train.recipe import ScheduleOptions


def factor(step: int, schedule: ScheduleOptions) -> float:
    """The part of the peak learning rate that step `step` (1 is the first) is made with.

    The last warm-up step has the whole rate; the last step of a decay has `final_lr` of it.
    """
    if step <= schedule.warmup_steps:
        return step / schedule.warmup_steps
    if schedule.kind == "constant":
        return 1.0
    start = float(schedule.warmup_steps)
    if schedule.kind == "wsd":
        start = max(start, schedule.steps * (1 - schedule.decay))
    done = min(max((step - start) / max(schedule.steps - start, 1e-9), 0.0), 1.0)
    left = (1 + math.cos(math.pi * done)) / 2 if schedule.kind == "cosine" else 1 - done
    return schedule.final_lr + (1 - schedule.final_lr) * left
