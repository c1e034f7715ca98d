"""One completion: pieces of text from an engine, cut at the first stop text, and counted."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Literal

from gristmill.serve.engines import Engine, Sampling

Finish = Literal["stop", "length"]


class Completion:
    """A running completion; iterate over `pieces` once.

    Attributes:
        text: What was said so far, without any stop text.
        n_prompt: Tokens of the prompt.
        n_tokens: Tokens generated so far.
        finish: Why it ended: ``stop`` (the end token or a stop text) or ``length``.
    """

    def __init__(
        self, engine: Engine, prompt: Sequence[int], sampling: Sampling, stops: Sequence[str]
    ) -> None:
        self._engine, self._prompt, self._sampling = engine, prompt, sampling
        self._stops = [stop for stop in stops if stop]
        self.text, self.n_prompt, self.n_tokens = "", len(prompt), 0
        self.finish: Finish = "length"

    def pieces(self) -> Iterator[str]:
        """Yield the text bit by bit; what may be the beginning of a stop text is held back."""
        held = ""
        source = self._engine.stream(self._prompt, self._sampling)
        for piece in source:
            self.n_tokens += piece.n_tokens
            if piece.end:
                self.finish = "stop"
            held += piece.text
            if (cut := first_stop(held, self._stops)) is not None:
                self.finish, held = "stop", held[:cut]
                break
            sure = len(held) - longest_beginning(held, self._stops)
            if sure:
                yield self._say(held[:sure])
                held = held[sure:]
        if isinstance(source, Generator):
            source.close()
        if held:
            yield self._say(held)

    def _say(self, text: str) -> str:
        self.text += text
        return text


def first_stop(text: str, stops: Sequence[str]) -> int | None:
    """Where the first stop text begins in `text`, or None."""
    places = [place for stop in stops if (place := text.find(stop)) >= 0]
    return min(places, default=None)


def longest_beginning(text: str, stops: Sequence[str]) -> int:
    """The length of the longest end of `text` with which a stop text begins."""
    return max(
        (
            size
            for stop in stops
            for size in range(1, min(len(stop), len(text) + 1))
            if text.endswith(stop[:size])
        ),
        default=0,
    )
