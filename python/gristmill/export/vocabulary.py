"""Describe a byte-level BPE ``tokenizer.json`` as GGUF metadata, so that llama.cpp's ids are ours.

llama.cpp reads no pattern from a file, only the name of a pattern it knows; a tokenizer whose
pattern is none of those is refused rather than exported with one that almost fits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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

NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5
"""llama.cpp's token types."""

_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = rf"{_CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,3}}|{_REST}"
QWEN2 = rf"{_CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}|{_REST}"
_UPPER, _LOWER = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
O200K = (
    rf"[^\r\n\p{{L}}\p{{N}}]?[{_UPPER}]*[{_LOWER}]+{_CONTRACTIONS}?"
    rf"|[^\r\n\p{{L}}\p{{N}}]?[{_UPPER}]+[{_LOWER}]*{_CONTRACTIONS}?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
PRE_TOKENIZERS = {GPT2: "gpt-2", LLAMA3: "smaug-bpe", QWEN2: "qwen2", O200K: "gpt-4o"}
"""Pattern -> llama.cpp's name of it, among those that merge every word (``ignore_merges`` off)."""

WHOLE_WORDS = {LLAMA3: "llama-bpe"}
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
    path, tokenizer = model_dir / TOKENIZER, need_json(model_dir, TOKENIZER)
    _refuse_unlike(path, tokenizer)
    tokens, types = _tokens(path, tokenizer, vocab_size)
    begin, end = _ends(model_dir, {token: index for index, token in enumerate(tokens)})
    adds_begin, adds_end = _added_ends(tokenizer.get("post_processor"))
    merges = [
        pair if isinstance(pair, str) else " ".join(pair) for pair in tokenizer["model"]["merges"]
    ]
    keys: dict[str, Value] = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": pre_tokenizer(path, tokenizer),
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": np.asarray(types, np.int32),
        "tokenizer.ggml.merges": merges,
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


def pre_tokenizer(path: Path, tokenizer: Mapping[str, Any]) -> str:
    """llama.cpp's name for the tokenizer's pattern.

    Raises:
        FormatError: It has none for it.
    """
    pattern = _pattern(path, tokenizer.get("pre_tokenizer"))
    names = WHOLE_WORDS if tokenizer["model"].get("ignore_merges") else PRE_TOKENIZERS
    if pattern not in names:
        raise FormatError(
            f"{path}: llama.cpp has no name for the pattern {pattern!r}; known are "
            f"{', '.join(names.values())}"
        )
    return names[pattern]


def _pattern(path: Path, pre: Mapping[str, Any] | None) -> str:
    steps = list(_steps(pre, "pretokenizers"))
    pattern = None
    for step in steps:
        if step["type"] == "Split" and step.get("behavior") == "Isolated" and pattern is None:
            pattern = step["pattern"].get("Regex")
        elif step["type"] == "ByteLevel" and not step.get("add_prefix_space"):
            pattern = GPT2 if step.get("use_regex", True) and pattern is None else pattern
        else:
            raise FormatError(f"{path}: llama.cpp has nothing like the pre-tokenizer {step}")
    if pattern is None or steps[-1]["type"] != "ByteLevel":
        raise FormatError(f"{path}: only byte-level BPE with a pattern can be exported")
    return str(pattern)


def _steps(part: Mapping[str, Any] | None, key: str) -> Iterator[Mapping[str, Any]]:
    if part is None:
        return
    if part["type"] == "Sequence":
        for step in part[key]:
            yield from _steps(step, key)
    else:
        yield part


def _refuse_unlike(path: Path, tokenizer: Mapping[str, Any]) -> None:
    model = tokenizer["model"]
    if model.get("type", "BPE") != "BPE":
        raise FormatError(f"{path}: a {model['type']} tokenizer; only byte-level BPE is exported")
    features = ("byte_fallback", "dropout", "continuing_subword_prefix", "end_of_word_suffix")
    for feature in features:
        if model.get(feature):
            raise FormatError(f"{path}: llama.cpp's BPE has no {feature} ({model[feature]!r})")
    if tokenizer.get("normalizer"):
        raise FormatError(
            f"{path}: llama.cpp would not apply the normalizer {tokenizer['normalizer']['type']}, "
            "so its ids would differ"
        )
    for token in tokenizer.get("added_tokens") or []:
        if token.get("lstrip") or token.get("rstrip") or token.get("single_word"):
            raise FormatError(f"{path}: llama.cpp does not strip around {token['content']!r}")


def _tokens(
    path: Path, tokenizer: Mapping[str, Any], vocab_size: int
) -> tuple[list[str], list[int]]:
    by_id = {index: (text, NORMAL) for text, index in tokenizer["model"]["vocab"].items()}
    for added in tokenizer.get("added_tokens") or []:
        kind = CONTROL if added.get("special") else USER_DEFINED
        by_id[added["id"]] = (added["content"], kind)
    if max(by_id, default=0) >= vocab_size:
        raise FormatError(
            f"{path}: token id {max(by_id)} is beyond the model's vocabulary of {vocab_size}; "
            "it is the tokenizer of another model"
        )
    entries = [by_id.get(index, (f"[UNUSED{index}]", UNUSED)) for index in range(vocab_size)]
    texts = [text for text, _ in entries]
    if len(set(texts)) != len(texts):
        twice = next(text for text in texts if texts.count(text) > 1)
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
    for step in _steps(post, "processors"):
        if step["type"] == "TemplateProcessing":
            parts = [next(iter(part)) for part in step["single"]]
            before |= parts[0] == "SpecialToken"
            after |= parts[-1] == "SpecialToken"
    return before, after
