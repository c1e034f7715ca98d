"""What of a benchmark's row is the item: its question first, then its answers.

A row is known by its columns, as the evaluation harnesses and the benchmarks' own files have them;
of any other row all texts count, lists and objects inside it included, the longest first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Row = Mapping[str, Any]


def _columns(*names: str) -> Callable[[Row], list[str]]:
    """The texts of these columns, in this order."""
    return lambda row: [text for name in names for text in _texts(row[name])]


def _options(row: Row) -> list[str]:
    """Winograd schemas: the sentence with each of the words that may fill the gap."""
    return [f"{option} {row['continuation']}" for option in _texts(row["context_options"])]


def _continued(row: Row) -> list[str]:
    """LAMBADA and its like: a text and how it goes on."""
    return [f"{row['context']} {row['continuation']}"]


FORMATS: tuple[tuple[frozenset[str], Callable[[Row], list[str]]], ...] = tuple(
    (frozenset(names), parts)
    for names, parts in (
        (("context_options", "continuation"), _options),
        (("context", "continuation"), _continued),
        (("context", "chain_of_thought", "answer"), _columns("context", "chain_of_thought")),
        (("query", "choices"), _columns("query", "choices")),
        (("question", "choices"), _columns("question", "choices")),
        (
            ("prompt", "canonical_solution", "test"),
            _columns("prompt", "canonical_solution", "test"),
        ),
        (("goal", "sol1", "sol2"), _columns("goal", "sol1", "sol2")),
        (("ctx", "endings"), _columns("ctx", "endings")),
        (("Question", "Best Answer"), _columns("Question", "Best Answer")),
        (("question", "answer"), _columns("question", "answer")),
    )
)
"""Columns that a row must have, and its parts then; the first that fits counts."""


def parts_of(row: Row) -> list[str]:
    """The texts of a row that make up the item, question first, each once; none without a word."""
    for names, parts in FORMATS:
        if names <= row.keys():
            found = parts(row)
            break
    else:
        found = sorted(_texts(row), key=len, reverse=True)
    return list(dict.fromkeys(text for text in found if any(map(str.isalnum, text))))


def _texts(value: Any) -> Iterator[str]:
    """All texts in a value, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
