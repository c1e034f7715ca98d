"""The local engine: order, errors and interruption do not depend on the number of workers."""

import os
import signal
import subprocess
import sys
import time

import pytest

from gristmill.engines import run_all
from gristmill.errors import NotBuiltYetError, RecipeError


def square(number):
    time.sleep(0.05 if number == 0 else 0)
    return number * number


def refuse(number):
    if number == 1:
        raise RecipeError("one is refused")
    return number


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_items(workers):
    assert list(run_all(square, range(5), workers=workers)) == [0, 1, 4, 9, 16]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_task_reaches_the_caller(workers):
    with pytest.raises(RecipeError, match="one is refused"):
        list(run_all(refuse, range(3), workers=workers))


def test_unknown_and_later_engines_are_refused():
    with pytest.raises(NotBuiltYetError):
        run_all(square, [1], engine="ray")
    with pytest.raises(RecipeError, match="does not exist"):
        run_all(square, [1], engine="spark")


SCRIPT = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
import sleeper
from gristmill.engines import run_all
if __name__ == "__main__":
    list(run_all(sleeper.sleep, [1, 2], workers=2))
"""
SLEEPER = """
import os, time
def sleep(number):
    open(f"{os.path.dirname(__file__)}/{os.getpid()}.pid", "w").close()
    time.sleep(60)
"""


def test_workers_die_with_a_parent_that_is_killed(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    parent = subprocess.Popen([sys.executable, tmp_path / "script.py", tmp_path])
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("*.pid"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    pids = [int(path.stem) for path in tmp_path.glob("*.pid")]
    assert len(pids) == 2
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    while any(map(is_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(is_alive, pids))


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rsplit(")", 1)[1].split()[0] != "Z"
