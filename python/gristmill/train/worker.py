"""``python -m gristmill.train.worker``: one process of a run, started by `launch`.

Whatever libraries print goes to the process's log; the terminal is for our own progress. A failure
is left as a small file for `launch` to raise.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

from gristmill import progress
from gristmill.errors import GristmillError, InterruptedRunError


def main(meeting: Path, watched: int) -> int:
    """Train as the job in `meeting` says; leave when the pipe `watched` closes."""
    threading.Thread(target=_leave_with, args=(watched,), daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent passes it on
    signal.signal(signal.SIGTERM, _terminate)
    job = json.loads((meeting / "job.json").read_bytes())
    rank = int(os.environ["RANK"])
    log = Path(job["logs"]) / f"rank-{rank}.log"
    _redirect(log, speaks=rank == 0)
    progress.show(job["show"] and rank == 0)
    try:
        from gristmill.train.recipe import load
        from gristmill.train.sitting import sit

        sit(load(job["recipe"]))
    except GristmillError as error:
        return _failed(meeting, rank, error.exit_code, str(error), unexpected=False)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            message = "the disk is full; free some space, then run the same command again"
            return _failed(meeting, rank, InterruptedRunError.exit_code, message, unexpected=False)
        return _crashed(meeting, rank, error, log)
    except Exception as error:  # the worker's edge: everything becomes one message
        return _crashed(meeting, rank, error, log)
    return 0


def _crashed(meeting: Path, rank: int, error: Exception, log: Path) -> int:
    traceback.print_exc(file=sys.__stderr__)
    first_line = str(error).strip().partition("\n")[0]
    message = f"training process {rank} failed: {type(error).__name__}: {first_line}; see {log}"
    return _failed(meeting, rank, GristmillError.exit_code, message, unexpected=True)


def _failed(meeting: Path, rank: int, exit_code: int, message: str, unexpected: bool) -> int:
    failure: dict[str, Any] = {"exit_code": exit_code, "message": message}
    failure |= {"unexpected": unexpected, "time": time.time()}
    partial = meeting / f".failure-{rank}.partial"
    partial.write_text(json.dumps(failure))
    partial.rename(meeting / f"failure-{rank}.json")
    sys.stderr.flush()
    os._exit(exit_code)  # threads of a broken process group would keep the process


def _leave_with(watched: int) -> None:
    os.read(watched, 1)
    os._exit(InterruptedRunError.exit_code)


def _terminate(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise InterruptedRunError("stopped by SIGTERM; the same command goes on from there")


def _redirect(log: Path, speaks: bool) -> None:
    """Send file descriptors 1 and 2 to the log; `sys.stderr` stays the terminal if it `speaks`."""
    terminal = os.dup(2)
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(target, 1)
    os.dup2(target, 2)
    logging.captureWarnings(True)
    logging.basicConfig(stream=sys.__stderr__)
    if speaks:
        sys.stderr = os.fdopen(terminal, "w", buffering=1)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
