"""What clients send: the requests of the OpenAI API as far as they are honored, with bounds.

A field that would change the answer and is not honored (``n: 3``, ``logprobs``, tools, …) is
refused unless it has the value that changes nothing; fields that say nothing about the answer
(``user``, ``metadata``, …) are ignored. ``model`` is ignored too: a server has one.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gristmill.serve.chat import Message

MAX_STOPS = 4
MAX_STOP_CHARACTERS = 256
DEFAULT_MAX_TOKENS = 128

Zero = Annotated[float, Field(ge=0, le=0)]
One = Annotated[int, Field(ge=1, le=1)]
Nothing = Annotated[list[Any] | dict[str, Any] | None, Field(max_length=0)]
Stop = Annotated[str, Field(max_length=MAX_STOP_CHARACTERS)]
TokenId = Annotated[int, Field(ge=0)]


class StreamOptions(BaseModel):
    """``stream_options``."""

    include_usage: bool = False


class TextFormat(BaseModel):
    """``response_format``, of which only plain text is honored."""

    type: Literal["text"] = "text"


class Request(BaseModel):
    """What all requests for text have in common."""

    model_config = ConfigDict(extra="forbid")

    max_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stop: Annotated[list[Stop], Field(max_length=MAX_STOPS)] | Stop | None = None
    trace: bool = False
    """Answer with the sources of the text too; the server needs a corpus for it."""

    @property
    def stops(self) -> tuple[str, ...]:
        """The stop texts."""
        if self.stop is None:
            return ()
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)


class TextRequest(Request):
    """``POST /generate_text``."""

    prompt: str


class OpenAiRequest(Request):
    """What the two routes of the OpenAI API have in common."""

    stream: bool = False
    stream_options: StreamOptions | None = None
    model: str | None = None
    user: str | None = None
    metadata: dict[str, Any] | None = None
    store: bool | None = None
    n: One | None = None
    presence_penalty: Zero | None = None
    frequency_penalty: Zero | None = None
    logit_bias: Nothing = None

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with the token counts."""
        return self.stream_options is not None and self.stream_options.include_usage


class CompletionRequest(OpenAiRequest):
    """``POST /v1/completions``: one prompt, as text or as token ids."""

    prompt: str | list[TokenId] | Annotated[list[str], Field(min_length=1, max_length=1)]
    best_of: One | None = None
    echo: bool = False
    logprobs: None = None
    suffix: Annotated[str, Field(max_length=0)] | None = None

    @property
    def text(self) -> str | None:
        """The prompt when it is a text."""
        first = self.prompt[:1] if isinstance(self.prompt, list) else [self.prompt]
        return first[0] if first and isinstance(first[0], str) else None

    @property
    def ids(self) -> list[int]:
        """The prompt when it is token ids."""
        return [token for token in self.prompt if isinstance(token, int)]


class ContentPart(BaseModel):
    """A part of a message."""

    type: Literal["text"]
    text: str


class ChatMessage(BaseModel):
    """One turn of a conversation."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[ContentPart]
    name: str | None = None

    @property
    def message(self) -> Message:
        """The turn as templates take it; ``developer`` is the newer name of ``system``."""
        parts = self.content if isinstance(self.content, list) else []
        text = self.content if isinstance(self.content, str) else "".join(p.text for p in parts)
        return Message("system" if self.role == "developer" else self.role, text)


class ChatRequest(OpenAiRequest):
    """``POST /v1/chat/completions``."""

    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=256)]
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    logprobs: Literal[False] | None = None
    top_logprobs: Zero | None = None
    response_format: TextFormat | None = None
    tools: Nothing = None
