"""The gibberish score by regular expressions, a part between white space at a time: slow, obvious."""

from __future__ import annotations

import math
import re
import unicodedata
from itertools import pairwise

ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
KEYS = [
    row[at : at + n][::step]
    for row, n in zip(ROWS, (5, 4, 4), strict=True)
    for at in range(len(row) - n + 1)
    for step in (1, -1)
]
ODD_LOWER = re.compile(r"[bcdfghjklmnpqrstvwxz]{5}|[aeiouy]{6}")
ODD = re.compile(rf"([a-z])\1{{3}}|{'|'.join(KEYS)}")
KINDS = (str.isdigit, str.islower, str.isupper)


def score(text: str) -> float:
    """0 for prose to 1 for gibberish."""
    parts = text.split()
    chars = sum(map(len, parts))
    if not chars:
        return 0.0
    strange = min(1.0, 1.5 * sum(map(strange_chars, parts)) / chars)
    disorder = 1 / (1 + math.exp(min(700.0, sum(map(order, parts)) / 8 + 4)))
    return 1 - (1 - strange) * (1 - disorder / 2)


def strange_chars(part: str) -> int:
    """Characters of a part in strange runs, or strange by themselves."""
    runs = re.findall(r"[A-Za-z0-9]+", part)
    noise = re.findall(r"(?<=[a-z])[|^~!;`#%&](?=[a-z])", part)
    aliens = [c for c in part if unicodedata.category(c) == "Cc" or c == "\ufffd"]
    misread = 0
    for first, second in pairwise(part):
        continues = "\x80" <= second <= "\xbf" and second not in "«»·ªº"
        misread += "\xc2" <= first <= "\xf4" and (continues or second in "€‚ƒ„†‡ˆ‰Š‹ŒŽ•˜™›œžŸ")
    return sum(map(len, filter(is_strange, runs))) + 3 * len(noise) + 2 * misread + len(aliens)


def is_strange(run: str) -> bool:
    """Whether a run of letters and digits is one that no language has."""
    if ODD_LOWER.search(run) or ODD.search(run.lower()):
        return True
    mixed = re.search(r"\d", run) and re.search(r"\D", run)
    if mixed and re.fullmatch(r"[0-9a-fA-F]+", run) and len(run) != 3:
        return True
    turns = 0
    for first, second in pairwise(run):
        before, after = ([kind(c) for kind in KINDS] for c in (first, second))
        turns += before != after and not (first.isupper() and second.islower())
    rare = len(re.findall(r"[A-Z0-9]", run))
    return len(run) >= 8 and rare >= 3 and 4 * turns >= len(run)


def order(part: str) -> int:
    """Two for each pair of letters that take turns, minus three for each that does not."""
    nuclei = [nucleus(c) for c in part]
    pairs = [pair for pair in pairwise(nuclei) if None not in pair]
    return sum(2 if left != right else -3 for left, right in pairs)


def nucleus(c: str) -> bool | None:
    """Whether a letter stands for a vowel: in ASCII, accented Latin, Russian, Indian scripts."""
    base = unicodedata.normalize("NFD", c)[0].lower()
    if base.isascii() and base.isalpha():
        return base in "aeiouy"
    if "\u0900" <= c <= "\u0dff":
        return {"M": True, "L": False}.get(unicodedata.category(c)[0])
    if "À" <= c <= "ɏ" and c.isalpha():
        return c.lower() in "æœø"
    if "\u0410" <= c <= "\u044f":
        return c.lower() in "аеиоуыэюя"
    return None
