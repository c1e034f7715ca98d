"""What a parameter of deduplication may be."""

from __future__ import annotations


def at_least(name: str, value: int, least: int) -> None:
    """Refuse what is no whole number, or below `least`.

    Raises:
        TypeError: `value` is no whole number.
        ValueError: It is too small.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} = {value!r} is not allowed: a whole number")
    if value < least:
        raise ValueError(f"{name} = {value} is not allowed: at least {least}")
