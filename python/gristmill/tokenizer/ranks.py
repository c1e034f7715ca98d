"""tiktoken's rank files: a token in base64 and its rank on each line, and nothing else.

The merges follow from the ranks. How texts are cut and which special tokens there are is not in
the file; for those that tiktoken publishes both are known by the file's name.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gristmill import _core
from gristmill.errors import CoreError, FormatError, RecipeError
from gristmill.files import atomic_write
from gristmill.tokenizer.document import END_OF_TEXT, Merges, config_of, document_of
from gristmill.tokenizer.patterns import PATTERNS, resolved

_FIM = ("<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>")
_PUBLISHED: dict[str, tuple[str, dict[str, int]]] = {
    "gpt2": ("gpt2", {END_OF_TEXT: 50256}),
    "r50k_base": ("gpt2", {END_OF_TEXT: 50256}),
    "p50k_base": ("gpt2", {END_OF_TEXT: 50256}),
    "cl100k_base": (
        "cl100k",
        {token: 100257 + i for i, token in enumerate((END_OF_TEXT, *_FIM))}
        | {"<|endofprompt|>": 100276},
    ),
    "o200k_base": ("o200k", {END_OF_TEXT: 199999, "<|endofprompt|>": 200018}),
}


class Ranks(NamedTuple):
    """A rank file as the two documents of a tokenizer."""

    document: dict[str, Any]
    config: dict[str, Any]
    tied: bool
    """Whether neighbouring merges to one token have one rank, as a ``tokenizer.json`` cannot say."""


def read_ranks(file: Path, pattern: str | None, special_tokens: Mapping[str, int] | None) -> Ranks:
    """Read a rank file; see `Tokenizer.load`.

    Raises:
        RecipeError: The file is missing, or `pattern` is and the file's name is none that tiktoken
            publishes.
        FormatError: The file is damaged; the message names the line.
    """
    known_pattern, known_specials = _PUBLISHED.get(file.stem, (None, {}))
    pattern = pattern or known_pattern
    if pattern is None:
        raise RecipeError(
            f"{file}: the file does not say how texts are cut; give pattern=, one of "
            f"{', '.join(PATTERNS)} or a regular expression"
        )
    specials = dict(known_specials if special_tokens is None else special_tokens)
    tokens = _tokens(file)
    for token, token_id in specials.items():
        if 0 <= token_id < len(tokens) and tokens[token_id] is not None:
            raise RecipeError(
                f"{file}: the special token {token!r} has the id of a rank, {token_id}"
            )
    try:
        merges, single = _core.merges_of_ranks(tokens)
    except CoreError as error:
        raise FormatError(f"{file}: {error}") from None
    document = document_of(tokens, merges, specials, resolved(pattern), ignore_merges=not single)
    return Ranks(document, config_of(list(specials)), tied=not single)


def _tokens(file: Path) -> list[bytes | None]:
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise RecipeError(f"there is no tokenizer at {file}: {error.strerror}") from None
    ranks: dict[int, bytes] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        rank, token = _entry(line, f"{file}:{number}", 4 * len(lines) + 2**16)
        if rank in ranks:
            raise FormatError(f"{file}:{number}: rank {rank} is given twice")
        ranks[rank] = token
    tokens: list[bytes | None] = [None] * (max(ranks, default=-1) + 1)
    for rank, token in ranks.items():
        tokens[rank] = token
    return tokens


def _entry(line: bytes, where: str, limit: int) -> tuple[int, bytes]:
    parts = line.split()
    if len(parts) != 2 or not parts[1].isdigit() or len(parts[1]) > 10:
        raise FormatError(f"{where}: expected a token in base64 and its rank, got {line[:60]!r}")
    rank = int(parts[1])
    if rank > limit:
        raise FormatError(f"{where}: rank {rank} is not allowed: at most {limit} in this file")
    try:
        return rank, base64.b64decode(parts[0], validate=True)
    except binascii.Error as error:
        raise FormatError(f"{where}: the token {parts[0][:60]!r} is no base64: {error}") from None


def write_ranks(path: Path, tokens: list[bytes | None], merges: Merges, *, tied: bool) -> None:
    """Write the tokens that are not added ones (`tokens` has None there), the first with rank 0.

    Raises:
        FormatError: tiktoken would give other ids, because those here are not in the order of the
            merges, or a token is not made by a merge of its own. Only what came from a rank file
            may have such tokens (`tied`).
    """
    first = next((i for i, token in enumerate(tokens) if token is not None), 0)
    shifted = [(left - first, right - first, result - first) for left, right, result in merges]
    try:
        found, single = _core.merges_of_ranks(tokens[first:])
    except CoreError as error:
        raise FormatError(f"{path}: not a vocabulary for tiktoken: {error}") from None
    if found != shifted or not (single or tied):
        raise FormatError(
            f"{path}: tiktoken merges by the order of ids, and those of this tokenizer are not in "
            "the order of its merges; save tokenizer.json instead"
        )
    with atomic_write(path) as file:
        for rank, token in enumerate(tokens[first:]):
            if token is not None:
                file.write(b"%s %d\n" % (base64.b64encode(token), rank))


def ambiguous(tokens: Sequence[bytes | None], merges: Merges) -> bytes | None:
    """A token made by two pairs that can overlap, so that only the text says which comes first."""
    splits: dict[int, set[int]] = {}
    for left, _, result in merges:
        splits.setdefault(result, set()).add(len(tokens[left] or b""))
    for result, lengths in splits.items():
        token = tokens[result] or b""
        for length in lengths:
            other = len(token) - length
            if other != length and other in lengths and token.startswith(token[length:]):
                return token
    return None
