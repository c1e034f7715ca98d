"""Turn chat messages into a prompt: the model's own template, or a plain one when it has none.

The plain one, for models that were never taught a chat format:

    System: You are terse.

    User: What turns the stone?

    Assistant:

The answer then ends where the model begins to write the next ``User:``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jinja2
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from gristmill.errors import RecipeError
from gristmill.serve.engines import Engine, Template

PLAIN_NAMES = {"system": "System", "user": "User", "assistant": "Assistant"}
PLAIN_STOP = "\nUser:"


class Message(NamedTuple):
    """One turn: `role` is system, user or assistant."""

    role: str
    content: str


class ChatPrompt(NamedTuple):
    """Token ids of a conversation, and the texts that end an answer to it."""

    ids: list[int]
    stops: tuple[str, ...]


def chat_prompt(engine: Engine, messages: Sequence[Message]) -> ChatPrompt:
    """Encode a conversation up to where the assistant's next answer begins.

    Raises:
        RecipeError: A message holds the text of a special token (with which it could pose as
            another role), or the template refuses the conversation.
    """
    template = engine.template
    if template is None:
        return ChatPrompt(engine.encode(_plain(messages)), (PLAIN_STOP,))
    for message in messages:
        for special in template.special:
            if special in message.content:
                raise RecipeError(f"messages cannot contain the special token {special!r}")
    return ChatPrompt(engine.encode(_render(template, messages), parse_special=True), ())


def _plain(messages: Sequence[Message]) -> str:
    turns = [f"{PLAIN_NAMES[message.role]}: {message.content}" for message in messages]
    return "\n\n".join([*turns, "Assistant:"])


def _render(template: Template, messages: Sequence[Message]) -> str:
    def raise_exception(message: str) -> None:
        raise jinja2.TemplateError(message)

    jinja = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
    )
    jinja.globals["raise_exception"] = raise_exception
    try:
        return jinja.from_string(template.source).render(
            messages=[message._asdict() for message in messages],
            add_generation_prompt=True,
            bos_token=template.begin,
            eos_token=template.end,
        )
    except jinja2.TemplateError as error:
        raise RecipeError(f"the model's chat template refuses the messages: {error}") from None
