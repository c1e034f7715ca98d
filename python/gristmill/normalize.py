"""Make text regular without changing what it says: encoding, NFC, line ends, control characters.

Mended are mojibake (ftfy), ``\\r`` and other line ends, control characters, byte order marks and
white space at the ends of lines. Quotes, ligatures, character widths, HTML entities and indentation
are left alone, so source code stays as it was. Normalizing twice is normalizing once.

Cost: ASCII text is looked at with four scans by the C library; ftfy is asked only about lines that
its own heuristic (`ftfy.badness`) calls bad.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import pyarrow as pa

from gristmill.stage import Verdict

EMPTY = "empty"

_ROUNDS = 8
"""Bound on repetitions until nothing changes; one more than one is rare, three were not seen."""

_ASCII_CONTROLS = bytes(code for code in (*range(32), 127) if code not in b"\n\t")
_TERMINAL_ESCAPE = re.compile(r"\x1b\[[\d;]*[a-zA-Z]")
_LINE_END = re.compile(r"\r\n|[\r\v\f\x85\u2028\u2029]")
_LINE_END_OR_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u206a-\u206f\ufeff\ufff9-\ufffc]"
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u206a-\u206f\ufeff\ufff9-\ufffc]")
"""The Unicode controls (Cc), deprecated format characters and byte order marks (as ftfy has it)."""


class Normalize:
    """Stage ``normalize``: regular text; drops what is nothing but white space (``empty``)."""

    name = "normalize"

    def judge(self, docs: pa.Table) -> Verdict:
        """Normalize every text of `docs`."""
        given = docs["text"].to_pylist()
        texts = [normalize(text) for text in given]
        reason = pa.array([None if text.strip() else EMPTY for text in texts], pa.string())
        changed = any(new is not old for new, old in zip(texts, given, strict=True))
        return Verdict(reason=reason, text=pa.array(texts, pa.large_string()) if changed else None)


def normalize(text: str) -> str:
    """Return `text` made regular; the very same object when it was.

    >>> normalize("cafe\\u0301 \\r\\nâ€œquotedâ€\\x9d")
    'café\\n“quoted”'
    """
    for _ in range(_ROUNDS):
        if text.isascii():
            return _ascii(text)  # nothing that this does makes anything to do
        regular = _unicode(text)
        if regular == text:
            break
        text = regular
    return text


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
    bad = [i for i, line in enumerate(lines) if not line.isascii() and is_bad(line)]
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
    return "\n".join([line.rstrip() for line in text.split("\n")])
