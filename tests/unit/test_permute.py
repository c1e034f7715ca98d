"""The keyed permutation behind the order of a stream."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill import _core


def permute(n, key, start, count, step=1):
    return pa.table(_core.permute(n, key, start, count, step)).column("index").to_pylist()


keys = st.integers(0, 2**64 - 1)


@settings(deadline=None)
@given(st.integers(0, 3000) | st.sampled_from([4093, 4096, 4097, 8191]), keys)
def test_every_number_comes_exactly_once(n, key):
    assert sorted(permute(n, key, 0, n)) == list(range(n))


@settings(deadline=None)
@given(st.integers(2**32, 2**64 - 1), keys, st.integers(0, 2**64 - 1))
def test_huge_ranges_stay_inside_and_do_not_repeat(n, key, start):
    found = permute(n, key, start % (n - 50), 50)
    assert len(set(found)) == 50
    assert max(found) < n


@settings(deadline=None)
@given(st.integers(1, 500), keys, st.integers(1, 7))
def test_a_stride_is_a_part_of_the_whole(n, key, step):
    assert permute(n, key, 0, -(-n // step), step) == permute(n, key, 0, n)[::step]


def test_the_order_is_the_same_for_ever():
    assert permute(10, 7, 0, 10) == ORDER_OF_TEN


def test_positions_past_the_end_are_refused():
    with pytest.raises(ValueError, match="positions = 5 from 6 in steps of 1 is not allowed"):
        permute(10, 7, 6, 5)


def test_long_orders_are_not_the_identity_nor_a_shift():
    order = permute(1000, 1, 0, 1000)
    assert len({(number - place) % 1000 for place, number in enumerate(order)}) > 500


ORDER_OF_TEN = [6, 8, 4, 5, 7, 3, 1, 9, 2, 0]
