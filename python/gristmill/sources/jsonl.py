"""JSON Lines: one object a line, plain, gzip or zstd.

Lines are cut at ``\\n`` alone, as the format says; blank ones are skipped. A file that breaks off
(a truncated gzip) gives what it holds, then one bad record that says where it broke.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from gristmill.sources.base import LONGEST_RECORD, BadRecord, Item, OnBad, Record
from gristmill.sources.fields import record
from gristmill.sources.paths import open_bytes

CHUNK_BYTES = 64 << 10
"""What is read at once, and what is lost at most where a compressed file breaks off."""

_BOM = b"\xef\xbb\xbf"


def records(item: Item, on_bad: OnBad) -> Iterator[Record | BadRecord]:
    """Read the records of one file in order; locators are ``path:line``."""
    number = 0
    with open_bytes(item) as stream:
        try:
            for number, line, n_bytes in lines(stream):
                if number == 1:
                    line = line.removeprefix(_BOM)
                if n_bytes > LONGEST_RECORD:
                    yield _too_large(f"{item.locator}:{number}", line, n_bytes)
                elif line.strip():
                    yield _record(line, f"{item.locator}:{number}", on_bad)
        except OSError as error:
            yield broken(f"{item.locator}:{number + 1}", error)


def lines(stream: pa.NativeFile) -> Iterator[tuple[int, bytes, int]]:
    """Yield number, bytes and length of each line; of one beyond the limit, only its start."""
    number, parts, size = 1, list[bytes](), 0
    while chunk := stream.read(CHUNK_BYTES):
        *ended, rest = chunk.split(b"\n")
        for piece in ended:
            yield number, b"".join((*parts, piece)) if parts else piece, size + len(piece)
            number, parts, size = number + 1, [], 0
        size += len(rest)
        if rest and (size <= LONGEST_RECORD or not parts):
            parts.append(rest)
    if parts:
        yield number, b"".join(parts), size


def broken(locator: str, error: OSError) -> BadRecord:
    """The bad record that stands for the rest of a file that cannot be read on."""
    detail = f"the file breaks off here: {error}"
    return BadRecord(locator=locator, reason="bad_file", detail=detail, raw=b"")


def _record(line: bytes, locator: str, on_bad: OnBad) -> Record | BadRecord:
    try:
        row: Any = json.loads(line.decode())
    except UnicodeDecodeError as error:
        if on_bad != "repair":
            detail = f"byte 0x{line[error.start]:02x} at {error.start} is not UTF-8"
            return BadRecord(locator=locator, reason="bad_utf8", detail=detail, raw=line)
        found = _record(line.decode("utf-8", "replace").encode(), locator, on_bad)
        if isinstance(found, Record):
            found.metadata["repaired"] = "bad_utf8"
        return found
    except (ValueError, RecursionError) as error:
        return BadRecord(locator=locator, reason="bad_json", detail=str(error), raw=line)
    if not isinstance(row, dict):
        detail = f"expected an object, got {type(row).__name__}"
        return BadRecord(locator=locator, reason="bad_json", detail=detail, raw=line)
    return record(row, locator, on_bad, line)


def _too_large(locator: str, start: bytes, n_bytes: int) -> BadRecord:
    return BadRecord(
        locator=locator,
        reason="too_large",
        detail=f"{n_bytes} bytes in one line, at most {LONGEST_RECORD} are read",
        raw=start[:CHUNK_BYTES],
        n_bytes=n_bytes,
    )
