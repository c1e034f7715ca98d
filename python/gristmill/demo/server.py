"""One real request to a real server, started and stopped here."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from gristmill.errors import GristmillError

START_S = 120.0
ANSWER_S = 120.0


def ask_server(model: Path, corpus: Path, prompt: str, max_tokens: int = 32) -> dict[str, Any]:
    """Start ``gristmill serve``, ask for one traced completion, and stop it.

    Raises:
        GristmillError: The server ended or did not get ready in `START_S` seconds.
    """
    port = _free_port()
    command = [sys.executable, "-m", "gristmill", "serve", str(model), "--corpus", str(corpus)]
    command += ["--port", str(port)]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            _wait_until_ready(port, server)
            body = {"prompt": prompt, "max_tokens": max_tokens, "temperature": 0, "trace": True}
            started = time.monotonic()
            answer = _post(f"http://127.0.0.1:{port}/v1/completions", body)
            seconds = time.monotonic() - started
        finally:
            server.terminate()
    return {
        "route": "/v1/completions",
        "prompt": prompt,
        "text": answer["choices"][0]["text"],
        "sources": answer.get("sources", answer["choices"][0].get("sources", [])),
        "seconds": round(seconds, 2),
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(port: int, server: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            said = (server.stderr.read() if server.stderr else "").strip()
            raise GristmillError(f"the server ended with exit code {server.returncode}: {said}")
        try:
            with urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                return
        except (URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    raise GristmillError(f"the server was not ready after {START_S:.0f} s")


def _post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    request = Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    with urlopen(request, timeout=ANSWER_S) as response:
        answer: dict[str, Any] = json.loads(response.read())
        return answer
