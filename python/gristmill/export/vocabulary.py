"""Describe a byte-level BPE ``tokenizer.json`` as GGUF metadata, so that llama.cpp's ids are ours.

llama.cpp reads no pattern from a file, only the name of a pattern it knows; a tokenizer whose
pattern is none of those is refused rather than exported with one that almost fits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gristmill.errors import FormatError
from gristmill.export.directory import (
    CONFIG,
    TOKENIZER,
    TOKENIZER_CONFIG,
    need_json,
    read_json,
)
from gristmill.export.gguf import Value
from gristmill.tokenizer.document import Parts, is_stripping

NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5
"""llama.cpp's token types."""

PRE_TOKENIZERS = {"gpt2": "gpt-2", "llama3": "smaug-bpe", "qwen2": "qwen2"}
"""Pattern -> llama.cpp's name of it, among those that merge every word (``ignore_merges`` off).

Tried on each of the 1,112,064 code points between letters, digits, signs and spaces: with these
three all ids are equal but for 4,382 characters that are newer than llama.cpp's Unicode tables
(1C89, A7CB, 105C0, …). Its ``gpt-4o`` differs from the o200k pattern on 6,445 characters that it
does know, and it has nothing that ends a text as cl100k does: both are refused.
"""

WHOLE_WORDS = {"llama3": "llama-bpe"}
"""The same for tokenizers that take a whole word from the vocabulary first (``ignore_merges``)."""


def vocabulary(model_dir: Path, vocab_size: int) -> dict[str, Value]:
    """Read the tokenizer of a model.

    Args:
        model_dir: Folder with ``tokenizer.json``, and ``config.json`` or ``tokenizer_config.json``
            for the end token.
        vocab_size: Rows of the embedding; ids beyond the tokenizer's get unused placeholders.

    Raises:
        RecipeError: There is no ``tokenizer.json``.
        FormatError: The tokenizer does something that llama.cpp would do differently.
    """
    path, document = model_dir / TOKENIZER, need_json(model_dir, TOKENIZER)
    parts = Parts(document, str(path))
    _refuse_unlike(path, parts)
    tokens, types = _tokens(path, document, parts, vocab_size)
    begin, end = _ends(model_dir, {token: index for index, token in enumerate(tokens)})
    adds_begin, adds_end = _added_ends(document.get("post_processor"))
    merges = document["model"]["merges"]
    keys: dict[str, Value] = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": pre_tokenizer(path, parts),
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": np.asarray(types, np.int32),
        "tokenizer.ggml.merges": [m if isinstance(m, str) else " ".join(m) for m in merges],
        "tokenizer.ggml.bos_token_id": begin,
        "tokenizer.ggml.eos_token_id": end,
        "tokenizer.ggml.add_bos_token": adds_begin,
        "tokenizer.ggml.add_eos_token": adds_end,
    }
    if template := chat_template(model_dir):
        keys["tokenizer.chat_template"] = template
    return keys


def chat_template(model_dir: Path) -> str | None:
    """The model's chat template (a Jinja source), or None when it has none."""
    path = model_dir / "chat_template.jinja"
    if path.is_file():
        return path.read_text(encoding="utf-8")
    template = read_json(model_dir / TOKENIZER_CONFIG).get("chat_template")
    return template if isinstance(template, str) else None


def pre_tokenizer(path: Path, parts: Parts) -> str:
    """llama.cpp's name for the tokenizer's pattern.

    Raises:
        FormatError: It has none for it.
    """
    names = WHOLE_WORDS if parts.ignore_merges else PRE_TOKENIZERS
    if parts.pattern not in names:
        raise FormatError(
            f"{path}: llama.cpp has no pre-tokenizer for the pattern {parts.pattern!r}"
            f"{' with ignore_merges' if parts.ignore_merges else ''}; it has one for "
            f"{', '.join(names)}"
        )
    return names[parts.pattern]


def _refuse_unlike(path: Path, parts: Parts) -> None:
    if parts.nfc:
        raise FormatError(
            f"{path}: llama.cpp would not apply the normalizer NFC, so its ids would differ"
        )
    if parts.add_prefix_space:
        raise FormatError(f"{path}: llama.cpp adds no space before a text (add_prefix_space)")
    for token in parts.added:
        if is_stripping(token):
            raise FormatError(f"{path}: llama.cpp does not strip around {token['content']!r}")


def _tokens(
    path: Path, document: Mapping[str, Any], parts: Parts, vocab_size: int
) -> tuple[list[str], list[int]]:
    by_id = {index: (text, NORMAL) for text, index in document["model"]["vocab"].items()}
    for added in parts.added:
        by_id[added["id"]] = (added["content"], CONTROL if added["special"] else USER_DEFINED)
    if max(by_id, default=0) >= vocab_size:
        raise FormatError(
            f"{path}: token id {max(by_id)} is beyond the model's vocabulary of {vocab_size}; "
            "it is the tokenizer of another model"
        )
    entries = [by_id.get(index, (f"[UNUSED{index}]", UNUSED)) for index in range(vocab_size)]
    texts = [text for text, _ in entries]
    if len(set(texts)) != len(texts):
        twice = next(text for text, count in Counter(texts).items() if count > 1)
        raise FormatError(f"{path}: token {twice!r} has two ids")
    return texts, [kind for _, kind in entries]


def _ends(model_dir: Path, ids: Mapping[str, int]) -> tuple[int, int]:
    """The ids that begin and end a text; what ends one also begins the next when none is named."""
    config, named = read_json(model_dir / CONFIG), read_json(model_dir / TOKENIZER_CONFIG)

    def find(which: str) -> int | None:
        token = named.get(f"{which}_token")
        text = token.get("content") if isinstance(token, dict) else token
        index = config.get(f"{which}_token_id")
        index = index[0] if isinstance(index, list) and index else index
        return index if isinstance(index, int) else ids.get(text or "")

    begin, end = find("bos"), find("eos")
    if end is None:
        raise FormatError(
            f"{model_dir}: neither config.json nor tokenizer_config.json names an end token "
            "(eos_token_id, eos_token)"
        )
    return (end if begin is None else begin), end


def _added_ends(post: Mapping[str, Any] | None) -> tuple[bool, bool]:
    """Whether encoding a text puts a special token before it and after it."""
    before = after = False
    steps = [] if post is None else post.get("processors", [post])
    for step in steps:
        if step["type"] == "TemplateProcessing":
            parts = [next(iter(part)) for part in step["single"]]
            before |= parts[0] == "SpecialToken"
            after |= parts[-1] == "SpecialToken"
    return before, after
