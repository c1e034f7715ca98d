"""A real S3 server over a folder, and a proxy that strikes what passes it with a network's faults."""

from __future__ import annotations

import http.client
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

KEY, SECRET = "test", "a-secret-of-the-tests"

FAULTS = ("reset", "cut", "stall", "slow", "500", "503")
"""Connection reset in the body; body cut short; silence in the body; latency; the two answers."""

READ_TIMEOUT_S = 0.3
_ERRORS = {"500": "InternalError", "503": "SlowDown"}


def find_server() -> str:
    """The path of s3s-fs; without it the test fails, unless GRISTMILL_SKIP_S3 is set."""
    beside = Path(sys.executable).with_name("s3s-fs")
    found = str(beside) if beside.exists() else shutil.which("s3s-fs")
    if found is None and os.environ.get("GRISTMILL_SKIP_S3"):
        pytest.skip("s3s-fs is not installed, and GRISTMILL_SKIP_S3 is set")
    if found is None:
        pytest.fail("s3s-fs is not installed: run `make test`, or set GRISTMILL_SKIP_S3=1 to skip")
    return found


@contextmanager
def serve(root: Path):
    """Run the server over the buckets in `root`; gives its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [find_server(), "--host", "127.0.0.1", "--port", str(port)]
    command += ["--access-key", KEY, "--secret-key", SECRET, str(root)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port, server)
        yield port
    finally:
        server.terminate()
        server.wait(10)


def _wait_for(port: int, server: subprocess.Popen) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert server.poll() is None, "s3s-fs ended at once"
            time.sleep(0.05)
        else:
            return
    pytest.fail("s3s-fs does not listen after 10 s")


class Proxy(ThreadingHTTPServer):
    """Stands between a client and the server on `upstream`.

    `strike` says of each request which of `FAULTS` it meets, or None; `seen` lists method, path,
    asked range and fault of all of them.
    """

    daemon_threads = True

    def __init__(self, upstream: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = upstream
        self.lock = threading.Lock()
        self.seen: list[tuple[str, str, str | None, str | None]] = []
        self.strike = lambda method, path: None
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def strike_by_chance(self, seed: int, share: float) -> None:
        """Let a share of the requests meet a fault, each kind as often."""
        chance = random.Random(seed)
        self.strike = lambda method, path: (
            chance.choice(FAULTS) if chance.random() < share else None
        )

    def faults(self) -> set[str]:
        return {fault for *_, fault in self.seen if fault}

    def handle_error(self, request, client_address) -> None:
        """A client that leaves is what the tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def do_GET(self) -> None:
        with self.server.lock:
            fault = self.server.strike(self.command, self.path)
            asked = self.headers.get("Range")
            self.server.seen.append((self.command, self.path, asked, fault))
        if fault == "slow":
            time.sleep(0.05)
        if fault in _ERRORS:
            body = f"<Error><Code>{_ERRORS[fault]}</Code><Message>{fault}</Message></Error>"
            self._answer(int(fault), [("Content-Type", "application/xml")], body.encode(), None)
        else:
            self._answer(*self._forward(), fault)

    do_HEAD = do_GET  # noqa: N815

    def _forward(self):
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.upstream, timeout=30)
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            upstream.putheader(name, value)
        upstream.endheaders()
        answer = upstream.getresponse()
        body = answer.read()
        upstream.close()
        headers = [(name, value) for name, value in answer.getheaders()
                   if name.lower() not in ("transfer-encoding", "connection", "date")]  # fmt: skip
        return answer.status, headers, body

    def _answer(self, status, headers, body, fault) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if self.command == "GET" and "content-length" not in {name.lower() for name, _ in headers}:
            self.send_header("Content-Length", str(len(body)))
        if fault in ("reset", "cut", "stall"):
            self.close_connection = True
        if fault == "reset" and self.command == "HEAD":
            return self._reset()
        self.end_headers()
        if self.command == "HEAD":
            return None
        self.wfile.write(body[: len(body) // 2] if fault in ("reset", "cut", "stall") else body)
        if fault == "stall":
            time.sleep(READ_TIMEOUT_S * 3)
        return self._reset() if fault == "reset" else None

    def _reset(self) -> None:
        """Leave without a farewell: with no time to linger, close() sends RST."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, format, *args) -> None:
        pass
