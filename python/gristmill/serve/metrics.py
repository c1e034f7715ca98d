"""Count what the server does, and say it in the Prometheus text format (version 0.0.4)."""

from __future__ import annotations

import threading
from collections import Counter

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0)
"""Upper ends of the buckets of request durations."""


class Metrics:
    """Counters of one server; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._within: Counter[float] = Counter()
        self._seconds = self._generation_seconds = 0.0
        self._prompt_tokens = self._tokens = 0
        self.running = 0
        self.waiting = 0

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        with self._lock:
            self._requests[method, route, status] += 1
            self._seconds += seconds
            for bound in SECONDS:
                self._within[bound] += seconds <= bound

    def completion(self, prompt_tokens: int, tokens: int, seconds: float) -> None:
        """Count one generation, finished or not."""
        with self._lock:
            self._prompt_tokens += prompt_tokens
            self._tokens += tokens
            self._generation_seconds += seconds

    def render(self) -> str:
        """All figures, as Prometheus reads them."""
        with self._lock:
            return "".join(
                [
                    *self._requests_lines(),
                    *self._duration_lines(),
                    _one("prompt_tokens_total", "counter", self._prompt_tokens),
                    _one("completion_tokens_total", "counter", self._tokens),
                    _one("generation_seconds_total", "counter", self._generation_seconds),
                    _one("generations_running", "gauge", self.running),
                    _one("generations_waiting", "gauge", self.waiting),
                ]
            )

    def _requests_lines(self) -> list[str]:
        lines = ["# TYPE gristmill_requests_total counter\n"]
        for (method, route, status), count in sorted(self._requests.items()):
            labels = f'method="{method}",route="{route}",status="{status}"'
            lines.append(f"gristmill_requests_total{{{labels}}} {count}\n")
        return lines

    def _duration_lines(self) -> list[str]:
        name, count = "gristmill_request_seconds", self._requests.total()
        buckets = [f'{name}_bucket{{le="{bound}"}} {self._within[bound]}\n' for bound in SECONDS]
        return [
            f"# TYPE {name} histogram\n",
            *buckets,
            f'{name}_bucket{{le="+Inf"}} {count}\n',
            f"{name}_sum {self._seconds}\n",
            f"{name}_count {count}\n",
        ]


def _one(name: str, kind: str, value: float) -> str:
    return f"# TYPE gristmill_{name} {kind}\ngristmill_{name} {value}\n"
