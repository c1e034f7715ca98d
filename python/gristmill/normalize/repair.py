"""Repair of text: encoding, NFC, line ends, control characters, white space at line ends.

Cost: ASCII text is looked at with four scans by the C library; ftfy is asked only about lines that
its own heuristic (`ftfy.badness`) calls bad, and that heuristic only where it could.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

ROUNDS = 8
"""Bound on repetitions until nothing changes; one more than one is rare, three were not seen."""

_ASCII_CONTROLS = bytes(code for code in (*range(32), 127) if code not in b"\n\t")
_TERMINAL_ESCAPE = re.compile(r"\x1b\[[\d;]*[a-zA-Z]")
_LINE_END = re.compile(r"\r\n|[\r\v\f\x85\u2028\u2029]")
_LINE_END_OR_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u206a-\u206f\ufeff\ufff9-\ufffc]"
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u206a-\u206f\ufeff\ufff9-\ufffc]")
"""The Unicode controls (Cc), deprecated format characters and byte order marks (as ftfy has it)."""

_MAY_BE_BAD = re.compile("[^\x00-\x7f](?:[^\x00-\x7f]|(?<=[ÃÂŒœ\x80-\x9f]))")
"""In every text that `ftfy.badness` calls bad: two characters beyond ASCII side by side, or one of
these. Four times as fast as asking."""


def repair(text: str) -> str:
    """Return `text` mended; the very same object when nothing was wrong."""
    for _ in range(ROUNDS):
        if text.isascii():
            return _ascii(text)  # nothing that this does makes anything to do
        if _only_ends_can_be_wrong(text):
            return _ends_of_lines(text)  # nor this
        mended = _unicode(text)
        if mended == text:
            break
        text = mended
    return text


def _only_ends_can_be_wrong(text: str) -> bool:
    return not (
        _MAY_BE_BAD.search(text) or _LINE_END_OR_CONTROL.search(text)
    ) and unicodedata.is_normalized("NFC", text)


def _ascii(text: str) -> str:
    encoded = text.encode()
    if len(encoded.translate(None, _ASCII_CONTROLS)) != len(encoded):
        text = _controls(text)
    return _ends_of_lines(text)


def _unicode(text: str) -> str:
    text = _mend_encoding(text)
    text = _ends_of_lines(_controls(text))
    return text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)


def _mend_encoding(text: str) -> str:
    from ftfy.badness import is_bad

    # Looking at a whole text of which few lines are not ASCII takes ten times as long.
    lines = text.split("\n")
    bad = [i for i, line in enumerate(lines) if _MAY_BE_BAD.search(line) and is_bad(line)]
    for i in bad:
        lines[i] = _mend_line(lines[i])
    return "\n".join(lines) if bad else text


@lru_cache(maxsize=1024)
def _mend_line(line: str) -> str:
    from ftfy import fix_encoding

    mended: str = fix_encoding(line)
    return mended


def _controls(text: str) -> str:
    if not _LINE_END_OR_CONTROL.search(text):
        return text
    if "\x1b" in text:
        text = _TERMINAL_ESCAPE.sub("", text)
    return _CONTROL.sub("", _LINE_END.sub("\n", text))


def _ends_of_lines(text: str) -> str:
    """Strip white space before line ends and at the end, in time linear in the text."""
    if text.isascii() and " \n" not in text and "\t\n" not in text and text[-1:] not in " \t":
        return text
    stripped = "\n".join([line.rstrip() for line in text.split("\n")])
    return text if len(stripped) == len(text) else stripped
