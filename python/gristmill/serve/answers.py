"""How answers look: objects and events of the OpenAI API."""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

from gristmill.serve.completion import Completion
from gristmill.serve.engines import Engine


class Form:
    """How answers of one route look: ``text_completion`` or ``chat.completion``."""

    def __init__(self, engine: Engine, chat: bool) -> None:
        self._chat = chat
        self._head: dict[str, Any] = {
            "id": ("chatcmpl-" if chat else "cmpl-") + secrets.token_hex(12),
            "object": "chat.completion" if chat else "text_completion",
            "created": int(time.time()),
            "model": engine.name,
        }
        self.opening = {"delta": {"role": "assistant", "content": ""}} if chat else None

    def delta(self, text: str | None) -> dict[str, Any]:
        """The part of a choice that carries a bit of text (None: no more)."""
        if self._chat:
            return {"delta": {} if text is None else {"content": text}}
        return {"text": text or ""}

    def chunk(self, part: dict[str, Any] | None, finish: str | None = None) -> dict[str, Any]:
        """One event of a stream."""
        head = self._head | ({"object": "chat.completion.chunk"} if self._chat else {})
        if part is None:
            return head | {"choices": []}
        return head | {"choices": [self._choice(part, finish)]}

    def whole(self, completion: Completion, before: str = "") -> dict[str, Any]:
        """The answer as one object."""
        text = before + completion.text
        part = {"message": {"role": "assistant", "content": text}} if self._chat else {"text": text}
        choices = [self._choice(part, completion.finish)]
        return self._head | {"choices": choices, "usage": usage(completion)}

    def _choice(self, part: dict[str, Any], finish: str | None) -> dict[str, Any]:
        return {"index": 0, **part, "logprobs": None, "finish_reason": finish}


def usage(completion: Completion) -> dict[str, int]:
    """Token counts in the form of the OpenAI API."""
    return {
        "prompt_tokens": completion.n_prompt,
        "completion_tokens": completion.n_tokens,
        "total_tokens": completion.n_prompt + completion.n_tokens,
    }


def event(data: dict[str, Any]) -> str:
    """One server-sent event; dates and the like become text."""
    return f"data: {json.dumps(data, ensure_ascii=False, default=str)}\n\n"
