"""Memory that is left: what the process has counts, and a kernel always gets enough to work."""

import numpy as np

from gristmill.room import LEAST_BYTES, Room, peak_rss_bytes, rss_bytes


def test_what_the_process_holds_is_not_left(tmp_path):
    limit = rss_bytes() + 40 * LEAST_BYTES
    before = Room(tmp_path, limit).left()
    held = np.ones(10 * LEAST_BYTES, np.uint8)
    after = Room(tmp_path, limit).left()
    assert 9 * LEAST_BYTES < before - after < 11 * LEAST_BYTES
    assert rss_bytes() < peak_rss_bytes() + LEAST_BYTES  # the system's counts lag a little
    del held


def test_each_thread_gets_the_least_and_no_limit_is_none(tmp_path):
    assert Room(tmp_path, 1).left() == LEAST_BYTES
    assert Room(tmp_path, 1).left(3) == 3 * LEAST_BYTES
    assert Room(tmp_path).left() is None
