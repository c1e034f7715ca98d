"""Let one generation run at a time and a bounded number wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from gristmill.errors import GristmillError
from gristmill.serve.metrics import Metrics

T = TypeVar("T")


class BusyError(GristmillError):
    """As many requests as may wait are waiting already."""


class Turns:
    """Turns at the model.

    The work itself runs in one thread, so what a client that has gone leaves half done ends before
    the next turn's work begins; giving a turn back therefore never has to wait.
    """

    def __init__(self, max_waiting: int, metrics: Metrics) -> None:
        self._lock, self._max_waiting, self._metrics = asyncio.Lock(), max_waiting, metrics
        self._thread = ThreadPoolExecutor(1, "generate")

    async def take(self) -> Turn:
        """Wait for a turn.

        Raises:
            BusyError: Too many wait already.
        """
        if self._lock.locked() and self._metrics.waiting >= self._max_waiting:
            raise BusyError(f"{self._metrics.waiting} requests are waiting, no more may; try later")
        self._metrics.waiting += 1
        try:
            await self._lock.acquire()
        finally:
            self._metrics.waiting -= 1
        self._metrics.running = 1
        return Turn(self)

    def give_back(self) -> None:
        """Let the next one have its turn."""
        self._metrics.running = 0
        self._lock.release()

    async def run(self, work: Callable[[], T]) -> T:
        """Do blocking work in the thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def each(self, items: Iterator[T]) -> AsyncIterator[T]:
        """Iterate in the thread; when the caller stops early, the iterator is closed there."""
        nothing = object()
        try:
            while (item := await self.run(lambda: next(items, nothing))) is not nothing:
                yield item  # type: ignore[misc]
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                self._thread.submit(close)

    def shut_down(self, last: Callable[[], None]) -> None:
        """Do `last` in the thread after all other work, and end the thread."""
        self._thread.submit(last)
        self._thread.shutdown(wait=True)


class Turn:
    """The right to use the model, until it is ended (twice is once)."""

    def __init__(self, turns: Turns) -> None:
        self._turns: Turns | None = turns

    def end(self) -> None:
        """Give the turn back."""
        if self._turns is not None:
            self._turns.give_back()
            self._turns = None
