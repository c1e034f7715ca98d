"""Compares two measurements number by number."""

from __future__ import annotations

import json
from typing import Any


def compare(said: Any, found: Any, where: str = "") -> tuple[int, list[tuple[str, Any, Any]]]:
    """Count the leaves of `found`, and list where `said` differs: (path, said, found).

    >>> compare({"a": [1, 2]}, {"a": [1, 3]})
    (2, [('a[1]', 2, 3)])
    """
    if isinstance(said, dict) and isinstance(found, dict):
        keys = [*found, *(key for key in said if key not in found)]
        parts = [(f"{where}.{key}".lstrip("."), said.get(key), found.get(key)) for key in keys]
    elif isinstance(said, list) and isinstance(found, list) and len(said) == len(found):
        parts = [
            (f"{where}[{at}]", old, new)
            for at, (old, new) in enumerate(zip(said, found, strict=True))
        ]
    else:
        return 1, [] if said == found else [(where, said, found)]
    total, differences = 0, []
    for path, old, new in parts:
        n, more = compare(old, new, path)
        total += n
        differences += more
    return total, differences


def brief(value: Any) -> str:
    """A value in at most 60 characters of JSON."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"
