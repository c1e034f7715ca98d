"""SIGTERM and Ctrl-C, remembered until a step ends, so that a checkpoint can be written."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

from gristmill.errors import InterruptedRunError


class Stop:
    """While entered, the first SIGTERM or Ctrl-C is remembered; a second Ctrl-C acts at once."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._remember)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        del frame
        if number == signal.SIGINT and self.signal is not None:
            raise KeyboardInterrupt
        self.signal = number

    def leave(self, where: str) -> None:
        """End the run the way the signal asks for.

        Raises:
            KeyboardInterrupt: It was Ctrl-C.
            InterruptedRunError: It was SIGTERM, here or in another process.
        """
        if self.signal == signal.SIGINT:
            raise KeyboardInterrupt
        raise InterruptedRunError(
            f"stopped by SIGTERM {where}; the same command goes on from there"
        )
