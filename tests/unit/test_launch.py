"""Which of several failing processes a run is said to have ended by."""

import json

import pytest

from gristmill.errors import GristmillError, InterruptedRunError
from gristmill.train.launch import _raise_first_failure


def say(folder, rank, message, exit_code=1, unexpected=True, time=0.0):
    failure = {"exit_code": exit_code, "message": message, "unexpected": unexpected, "time": time}
    (folder / f"failure-{rank}.json").write_text(json.dumps(failure))


def test_no_failure_raises_nothing(tmp_path):
    _raise_first_failure([0, 0], tmp_path, tmp_path)


def test_a_refusal_comes_before_the_crash_it_caused_in_a_neighbor(tmp_path):
    say(tmp_path, 0, "connection reset", time=1.0)
    say(tmp_path, 1, "no such corpus", exit_code=2, unexpected=False, time=2.0)
    with pytest.raises(GristmillError, match="no such corpus") as refusal:
        _raise_first_failure([1, 2], tmp_path, tmp_path)
    assert refusal.value.exit_code == 2


def test_a_killed_process_comes_before_the_crash_it_caused(tmp_path):
    say(tmp_path, 0, "connection reset")
    with pytest.raises(GristmillError, match="process 1 was ended by SIGKILL; the system does"):
        _raise_first_failure([1, -9], tmp_path, tmp_path)


def test_the_earlier_of_two_crashes_is_said(tmp_path):
    say(tmp_path, 0, "second", time=2.0)
    say(tmp_path, 1, "first", time=1.0)
    with pytest.raises(GristmillError, match="first"):
        _raise_first_failure([1, 1], tmp_path, tmp_path)


def test_a_process_that_had_to_be_ended_is_not_the_cause(tmp_path):
    with pytest.raises(GristmillError, match=r"process 1 ended with code 7; see .*rank-1\.log"):
        _raise_first_failure([None, 7], tmp_path, tmp_path)


def test_an_interrupted_run_keeps_its_kind(tmp_path):
    say(tmp_path, 0, "stopped by SIGTERM", exit_code=4, unexpected=False)
    with pytest.raises(InterruptedRunError):
        _raise_first_failure([4, 4], tmp_path, tmp_path)
