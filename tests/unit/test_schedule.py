"""Learning-rate schedules, against their definitions at the ends and in the middle."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.train.recipe import ScheduleOptions
from gristmill.train.schedule import factor

KINDS = st.sampled_from(["cosine", "linear", "wsd", "constant"])


@given(KINDS, st.integers(1, 300), st.floats(0, 1), st.floats(0, 1), st.floats(0.01, 1))
def test_the_rate_rises_to_one_then_never_rises_and_stays_in_its_bounds(
    kind, steps, warm, final, decay
):
    schedule = ScheduleOptions(
        kind=kind, steps=steps, warmup_steps=int(warm * steps), final_lr=final, decay=decay
    )
    rates = [factor(step, schedule) for step in range(1, steps + 1)]
    peak = max(schedule.warmup_steps, 1) - 1
    assert all(low < high for low, high in pairwise(rates[: peak + 1]))
    assert all(low <= high + 1e-12 for high, low in pairwise(rates[peak:]))
    assert all(0 < rate <= 1 or rate == final for rate in rates)
    if schedule.warmup_steps:
        assert rates[peak] == 1
    if kind != "constant" and schedule.warmup_steps < steps:
        assert math.isclose(rates[-1], final, abs_tol=1e-9)


@pytest.mark.parametrize(
    ("kind", "middle"), [("cosine", 0.6), ("linear", 0.6), ("wsd", 1.0), ("constant", 1.0)]
)
def test_half_way_the_rate_is_that_of_the_definition(kind, middle):
    schedule = ScheduleOptions(kind=kind, steps=110, warmup_steps=10, final_lr=0.2, decay=0.1)
    assert factor(60, schedule) == pytest.approx(middle)


def test_a_quarter_into_its_decay_the_cosine_is_a_cosine():
    schedule = ScheduleOptions(kind="cosine", steps=100, final_lr=0.0)
    assert factor(25, schedule) == pytest.approx((1 + math.cos(math.pi / 4)) / 2)
