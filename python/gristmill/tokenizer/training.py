"""Learns a vocabulary, from nothing or from one that it extends, and spells it as files.

Texts are counted in portions and merges made in steps, so that Ctrl-C is heard between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from gristmill import _core
from gristmill.progress import progress
from gristmill.text import Texts, as_table
from gristmill.tokenizer.document import (
    END_OF_TEXT,
    Merges,
    Parts,
    config_of,
    document_of,
    spell,
)
from gristmill.tokenizer.patterns import resolved

if TYPE_CHECKING:
    from gristmill.tokenizer import Tokenizer

COUNT_BYTES = 32 << 20
"""Text of one portion, about."""

STEP_MERGES = 1000


def train(
    batches: Iterable[Texts],
    vocab_size: int,
    pattern: str | None,
    special_tokens: Sequence[str] | None,
    threads: int,
    *,
    min_frequency: int,
    max_token_bytes: int | None,
    sample_bytes: int | None,
    base: Tokenizer | None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Learn a vocabulary; see `Tokenizer.train`.

    Returns:
        Its ``tokenizer.json`` and ``tokenizer_config.json``.
    """
    if isinstance(special_tokens, str):
        raise TypeError("special_tokens is a list of tokens, got a single string")
    specials = _special_tokens(special_tokens, base)
    parts = None if base is None else _to_extend(base)
    trainer = _core.BpeTrainer(
        _pattern(pattern, parts),
        vocab_size,
        specials,
        _at_least_one("min_frequency", min_frequency),
        _at_least_one("max_token_bytes", max_token_bytes) or 2**32,
        _at_least_one("sample_bytes", sample_bytes),
        None if parts is None else _kernel_parts(parts),
    )
    for batch in batches:
        for portion in _portions(as_table(batch) if base is None else base._table(batch, "strict")):
            trainer.add(portion, threads)
    tokens, merges = _learn(trainer, vocab_size, parts)
    if base is None or parts is None:
        ids = {token: token_id for token_id, token in enumerate(specials)}
        return document_of(tokens, merges, ids, _pattern(pattern, None)), config_of(specials)
    return _extended(base._document, parts, tokens, merges, specials), config_of(
        [*base.special_tokens, *specials]
    ) | base._config


def _to_extend(base: Tokenizer) -> Parts:
    if base.model != "bpe" or base._tied:
        raise ValueError(
            f"{base!r} cannot be extended; only a byte-level BPE can whose tokens have one merge each"
        )
    return Parts(base._document, "vocabulary to extend")


def _special_tokens(wanted: Sequence[str] | None, base: Tokenizer | None) -> list[str]:
    if wanted is None:
        return [END_OF_TEXT] if base is None else []
    return list(wanted)


def _pattern(pattern: str | None, parts: Parts | None) -> str:
    if parts is None:
        return resolved(pattern or "gpt2")
    if pattern is not None and resolved(pattern) != parts.pattern:
        raise ValueError(
            f"pattern = {pattern!r} is not allowed: the vocabulary to extend cuts words by "
            f"{parts.pattern!r}; leave the pattern out"
        )
    return parts.pattern


def _at_least_one(name: str, value: int | None) -> Any:
    if value is not None and value < 1:
        raise ValueError(f"{name} = {value} is not allowed: at least 1")
    return value


def _kernel_parts(parts: Parts) -> Any:
    added = [(token["content"], token["id"], token["special"]) for token in parts.added]
    return parts.tokens, parts.merges, added, parts.ignore_merges, parts.add_prefix_space


def _portions(table: pa.Table) -> list[pa.Table]:
    """Slices of about `COUNT_BYTES`."""
    rows = max(1, table.num_rows * COUNT_BYTES // max(table.nbytes, 1))
    return [table.slice(start, rows) for start in range(0, table.num_rows, rows)]


def _learn(
    trainer: _core.BpeTrainer, vocab_size: int, parts: Parts | None
) -> tuple[list[bytes], Merges]:
    """Make all merges; say how far they are when they take longer than a step."""
    n_made = trainer.learn(STEP_MERGES)
    if n_made == STEP_MERGES:
        n_wanted = vocab_size - (256 if parts is None else len(parts.tokens))
        with progress("learn merges", total=n_wanted, unit="merges") as advance:
            while n_made:
                advance(n_made)
                n_made = trainer.learn(STEP_MERGES)
    return trainer.finish()


def _extended(
    document: dict[str, Any],
    parts: Parts,
    tokens: list[bytes],
    merges: Merges,
    special_tokens: list[str],
) -> dict[str, Any]:
    """The ``tokenizer.json`` of an extended vocabulary: all that was there, then what is new."""
    document = deepcopy(document)
    model, first = document["model"], len(parts.tokens)
    held = {token["content"] for token in parts.added}
    specials = [token for token in special_tokens if token not in held]
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    document["added_tokens"] = (document.get("added_tokens") or []) + [
        {"id": token_id, "content": token, **flags, "special": True}
        for token_id, token in enumerate(specials, first)
    ]
    # `tokenizers` numbers an added token anew that is not in the vocabulary, after all that are
    model["vocab"].update({token["content"]: token["id"] for token in parts.added})
    learned = map(spell, tokens[first + len(specials) :])
    model["vocab"].update(
        {token: token_id for token_id, token in enumerate([*specials, *learned], first)}
    )
    spelled = {token_id: token for token, token_id in model["vocab"].items()}
    as_lists = any(isinstance(merge, list) for merge in model["merges"][:1])
    for left, right, _ in merges[len(parts.merges) :]:
        pair = [spelled[left], spelled[right]]
        model["merges"].append(pair if as_lists else " ".join(pair))
    return document
