"""How a measured number is written down: with the file and column it came from.

A *fact* is one number with its origin, a *table* is many rows with one origin. Both are plain
dictionaries, so that ``measured.json`` is the same thing on disk and in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Fact = dict[str, Any]
Row = dict[str, Any]


def fact(value: Any, how: str) -> Fact:
    """One number and the file and column it came from."""
    return {"value": value, "how": how}


def table(rows: Iterable[Row], how: str) -> dict[str, Any]:
    """Many numbers of one origin, in a fixed order."""
    return {"how": how, "rows": list(rows)}


def share(part: float, whole: float) -> float:
    """`part` of `whole` to six decimals; 0 of nothing is 0."""
    return round(part / whole, 6) if whole else 0.0


def rounded(value: float | None) -> float | None:
    """Six significant digits, so that the order of a sum cannot show."""
    return None if value is None else float(f"{value:.6g}")


def value(measured: Mapping[str, Any], *path: str, default: Any = None) -> Any:
    """The number of the fact at `path`, or `default` when it was not measured."""
    node: Any = measured
    for key in path:
        if not isinstance(node, Mapping) or node.get(key) is None:
            return default
        node = node[key]
    if isinstance(node, Mapping) and "value" in node:
        node = node["value"]
    return default if node is None else node


def rows(measured: Mapping[str, Any], *path: str) -> list[Row]:
    """The rows of the table at `path`, or none when it was not measured."""
    node: Any = measured
    for key in path:
        node = node.get(key) if isinstance(node, Mapping) else None
    found: list[Row] = node.get("rows", []) if isinstance(node, Mapping) else []
    return found
