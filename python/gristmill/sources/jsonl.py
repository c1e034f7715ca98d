"""JSON Lines: one object a line, plain, gzip or zstd.

Lines are cut at ``\\n`` alone, as the format says; blank ones are skipped. A file that breaks off
(a truncated gzip) gives what it holds, then one bad record that says where it broke.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from gristmill.sources.base import (
    LONGEST_RECORD,
    BadRecord,
    Batch,
    Item,
    OnBad,
    Origin,
    Part,
    Record,
)
from gristmill.sources.columns import ColumnRows
from gristmill.sources.fields import record
from gristmill.sources.paths import open_bytes

CHUNK_BYTES = 64 << 10
"""What is read at once, and what is lost at most where a compressed file breaks off."""

BLOCK_BYTES = 1 << 20
"""How much is held to find lines in, unless one is longer."""

_BOM = b"\xef\xbb\xbf"


class Stream(Protocol):
    """What lines are read from: a `pyarrow.NativeFile`, or any unbuffered file."""

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the start of `buffer`; how many bytes it were, 0 at the end."""
        ...


@dataclass(frozen=True, slots=True)
class LongLine:
    """A line beyond the limit.

    Attributes:
        start: Its first bytes.
        n_bytes: Its length.
    """

    start: bytes
    n_bytes: int


def batches(origin: Origin, item: Item, part: Part | None = None) -> Iterator[Batch]:
    """Read the documents of one file, or of a part of it; locators are ``path:line``.

    Raises:
        DataRefusedError: A record is bad and the source's `on_bad` is ``refuse``.
        IntegrityError: The file is gone or has another size than when the run was planned.
    """
    part = part or Part()
    with open_bytes(item) as stream:
        _skip(stream, part.start)
        yield from batches_of(origin, item.locator, stream, part)


def _skip(stream: pa.NativeFile, n_bytes: int) -> None:
    """Go forward; a stream that breaks off meanwhile does so again when it is read."""
    if stream.seekable():
        stream.seek(n_bytes)
        return
    with suppress(OSError):
        while n_bytes:
            n_bytes -= len(stream.read(min(n_bytes, BLOCK_BYTES))) or n_bytes


def batches_of(
    origin: Origin, locator: str, stream: Stream, part: Part | None = None
) -> Iterator[Batch]:
    """As `batches`, of an unpacked stream whose next byte is the first of the part."""
    part = part or Part()
    rows = ColumnRows(origin, locator, part.first)
    n_bytes = None if part.stop is None else part.stop - part.start
    try:
        for block in blocks(stream, n_bytes):
            yield from _filled(rows, block, locator, origin.on_bad)
    except OSError as error:
        number = rows.kernel.n_read + 1
        rows.add(number, broken(f"{locator}:{number}", error))
    if len(rows):
        yield rows.batch()


def _filled(
    rows: ColumnRows, block: memoryview | LongLine, locator: str, on_bad: OnBad
) -> Iterator[Batch]:
    """Append the lines of a block; gives the batches that they fill."""
    if isinstance(block, LongLine):
        rows.kernel.skip()
        number = rows.kernel.n_read
        rows.add(number, _too_large(f"{locator}:{number}", block))
        block = memoryview(b"")
    at = 0
    while at < len(block) or rows.is_full():
        if rows.is_full():
            yield rows.batch()
        at, unusual, license = rows.kernel.read_lines(block, at, rows.n_bad)
        if license is not None:
            rows.add_license(license)
        if unusual is not None:
            number = rows.kernel.n_read
            line = bytes(block[unusual:at]).removesuffix(b"\n")
            rows.add(number, record_of(line, f"{locator}:{number}", number, on_bad))


def blocks(stream: Stream, n_bytes: int | None = None) -> Iterator[memoryview | LongLine]:
    """Cut the next bytes of a stream, at most `n_bytes`, into blocks of whole lines.

    A block ends with a newline, but for the last of a stream; the next one overwrites it. Memory:
    `BLOCK_BYTES`, or twice the longest line up to the limit.

    Raises:
        OSError: The stream breaks off; all whole lines before were given.
    """
    held = _Held(stream, n_bytes)
    while not held.ended:
        held.fill()
        end = held.end_of_lines()
        if end:
            yield held.view[:end]
            held.drop(end)
        elif held.size > LONGEST_RECORD:
            yield from held.long_line()
        else:
            held.resize(min(2 * len(held.view), LONGEST_RECORD + CHUNK_BYTES))
    if held.fault is not None:
        raise held.fault


class _Held:
    """The bytes of a stream from the start of a line on."""

    def __init__(self, stream: Stream, n_bytes: int | None) -> None:
        self._stream = stream
        self._left = sys.maxsize if n_bytes is None else n_bytes
        self._bytes = bytearray(BLOCK_BYTES)
        self.view, self.size = memoryview(self._bytes), 0
        self.ended = False
        self.fault: OSError | None = None

    def fill(self) -> None:
        """Read until there is no room, or the stream has ended or broken off."""
        while self.size < len(self.view) and not self.ended:
            room = self.view[self.size :][: min(CHUNK_BYTES, self._left)]
            try:
                n_read = self._stream.readinto(room) if room else 0
            except OSError as error:
                self.fault, n_read = error, 0
            self.ended = n_read == 0
            self.size += n_read
            self._left -= n_read

    def end_of_lines(self) -> int:
        """The place after the last line that is whole."""
        if self.ended and self.fault is None:
            return self.size
        return self._bytes.rfind(b"\n", 0, self.size) + 1

    def drop(self, n_bytes: int) -> None:
        """Forget the first bytes."""
        rest = self.view[n_bytes : self.size]
        self.size = len(rest)
        if len(self.view) > BLOCK_BYTES >= self.size:
            self._bytes = bytearray(BLOCK_BYTES)
            self.view = memoryview(self._bytes)
        self.view[: self.size] = rest

    def resize(self, n_bytes: int) -> None:
        """Take more room."""
        larger = bytearray(n_bytes)
        larger[: self.size] = self.view[: self.size]
        self._bytes, self.view = larger, memoryview(larger)

    def long_line(self) -> Iterator[LongLine]:
        """Drop a line that has no end so far; nothing, when the stream breaks off in it."""
        start, n_bytes, end = bytes(self.view[:CHUNK_BYTES]), 0, -1
        while end < 0 and not self.ended:
            n_bytes += self.size
            self.size = 0
            self.fill()
            end = self._bytes.find(b"\n", 0, self.size)
        n_bytes += self.size if end < 0 else end
        self.drop(self.size if end < 0 else end + 1)
        if end >= 0 or self.fault is None:
            yield LongLine(start, n_bytes)


def broken(locator: str, error: OSError) -> BadRecord:
    """The bad record that stands for the rest of a file that cannot be read on."""
    detail = f"the file breaks off here: {error}"
    return BadRecord(locator=locator, reason="bad_file", detail=detail, raw=b"")


def record_of(line: bytes, locator: str, number: int, on_bad: OnBad) -> Record | BadRecord:
    """Read one line, without its newline; `number` counts from 1."""
    if len(line) > LONGEST_RECORD:
        return _too_large(locator, LongLine(line[:CHUNK_BYTES], len(line)))
    return _record(line.removeprefix(_BOM) if number == 1 else line, locator, on_bad)


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


def _too_large(locator: str, line: LongLine) -> BadRecord:
    return BadRecord(
        locator=locator,
        reason="too_large",
        detail=f"{line.n_bytes} bytes in one line, at most {LONGEST_RECORD} are read",
        raw=line.start,
        n_bytes=line.n_bytes,
    )
