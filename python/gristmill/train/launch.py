"""Start the processes of a run on this machine, and say in one message what became of them.

The environment is torchrun's; we start the processes ourselves because torchrun turns every exit
code into 1, prints a traceback per process, and kills after 30 seconds, which a checkpoint may
outlast. Processes meet through a file, so no port can be taken. They leave when this process dies,
however it dies: each holds the reading end of a pipe that only this process keeps open.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from gristmill.engines.local import cores
from gristmill.errors import GristmillError, InterruptedRunError
from gristmill.progress import shown
from gristmill.train.environment import RENDEZVOUS
from gristmill.train.recipe import TrainRecipe

POLL_S = 0.1
GRACE_S = 5.0
"""How long the others may say what went wrong after one process has failed."""


def launch(recipe: TrainRecipe, nproc: int) -> dict[str, Any]:
    """Train in `nproc` processes; give what ``run.json`` says.

    Raises:
        InterruptedRunError: SIGTERM or a full disk stopped the run.
        GristmillError: A process failed; the message is that of the first one.
    """
    logs = recipe.out / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="gristmill-") as name:
        meeting = Path(name)
        job = {"recipe": recipe.resolved(), "logs": str(logs), "show": shown()}
        (meeting / "job.json").write_text(json.dumps(job))
        watched, alive = os.pipe()
        workers = [
            subprocess.Popen(
                [sys.executable, "-m", "gristmill.train.worker", str(meeting), str(watched)],
                env=_environment(rank, nproc, meeting),
                pass_fds=[watched],
                stdin=subprocess.DEVNULL,
            )
            for rank in range(nproc)
        ]
        os.close(watched)
        try:
            codes = _wait(workers)
        finally:
            _end(workers)
            os.close(alive)
        _raise_first_failure(codes, meeting, logs)
    content: dict[str, Any] = json.loads((recipe.out / "run.json").read_bytes())
    return content


def _wait(workers: list[subprocess.Popen[bytes]]) -> list[int | None]:
    """Wait until all have ended, or one has failed and the others had time to say so.

    Returns the exit code of each that ended by itself, and None for the others.

    A signal that ends this process is passed on first, so that the workers write a checkpoint.
    """
    try:
        deadline = None
        while any(worker.poll() is None for worker in workers):
            if deadline is None and any(worker.returncode for worker in workers):
                deadline = time.monotonic() + GRACE_S
            if deadline is not None and time.monotonic() > deadline:
                break
            time.sleep(POLL_S)
    except (KeyboardInterrupt, InterruptedRunError):
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
        for worker in workers:
            worker.wait()
        raise
    return [worker.poll() for worker in workers]


def _end(workers: list[subprocess.Popen[bytes]]) -> None:
    for worker in workers:
        if worker.poll() is None:
            worker.kill()
    for worker in workers:
        worker.wait()


def _raise_first_failure(codes: list[int | None], meeting: Path, logs: Path) -> None:
    """Raise what ended the run: a refusal, else a process that was killed, else a crash.

    A process whose neighbor went away crashes too, a little later, so crashes come last.
    """
    said = [json.loads(path.read_bytes()) for path in meeting.glob("failure-*.json")]
    said.sort(key=lambda failure: (failure["unexpected"], failure["time"]))
    if said and not said[0]["unexpected"]:
        raise _error(said[0]["exit_code"], said[0]["message"])
    for rank, code in enumerate(codes):
        if code is not None and code < 0:
            hint = "; the system does that when memory runs out" if code == -signal.SIGKILL else ""
            raise GristmillError(
                f"training process {rank} was ended by {signal.Signals(-code).name}{hint}; the same "
                "command goes on from the latest checkpoint"
            )
    if said:
        raise _error(said[0]["exit_code"], said[0]["message"])
    for rank, code in enumerate(codes):
        if code:
            log = logs / f"rank-{rank}.log"
            raise GristmillError(f"training process {rank} ended with code {code}; see {log}")


def _error(exit_code: int, message: str) -> GristmillError:
    kinds = {kind.exit_code: kind for kind in (GristmillError, InterruptedRunError)}
    error = kinds.get(exit_code, GristmillError)(message)
    error.exit_code = exit_code
    return error


def _environment(rank: int, nproc: int, meeting: Path) -> dict[str, str]:
    """Torchrun's variables, one share of the cores a process, and talk over the loopback only."""
    threads = str(max(1, cores() // nproc))
    tools = str(Path(sys.executable).parent)  # where `ninja` of the same environment is
    return os.environ | {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(nproc),
        "LOCAL_WORLD_SIZE": str(nproc),
        RENDEZVOUS: str(meeting / "processes"),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", threads),
        "GLOO_SOCKET_IFNAME": "lo0" if sys.platform == "darwin" else "lo",
        "PATH": os.pathsep.join([tools, os.environ.get("PATH", os.defpath)]),
    }
