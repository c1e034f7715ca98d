"""Unpacked content, read on from part to part.

What is packed has no other way to a place than from the beginning. So the stream that a part was
read from is held, and the next part of the same file goes on with it: a process unpacks a file once,
however many of its parts it reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from gristmill.errors import IntegrityError
from gristmill.sources.base import Item, Part
from gristmill.sources.paths import open_bytes

SKIP_BYTES = 1 << 20


class Forward:
    """The unpacked content of a file, read in one direction.

    Attributes:
        item: The file.
        position: The byte that the next read begins with.
    """

    def __init__(self, item: Item) -> None:
        self.item, self.position = item, 0
        self._stream = open_bytes(item)

    def readinto(self, buffer: memoryview) -> int:
        """Fill the start of `buffer`; how many bytes it were, 0 at the end."""
        n_bytes: int = self._stream.readinto(buffer)
        self.position += n_bytes
        return n_bytes

    def skip_to(self, start: int) -> None:
        """Go to `start`, or to the end."""
        if self._stream.seekable():
            self._stream.seek(start)
            self.position = start
        if self.position == start:
            return
        buffer = memoryview(bytearray(SKIP_BYTES))
        with suppress(OSError):  # a stream that breaks off does so again when it is read
            while self.position < start and self.readinto(buffer[: start - self.position]):
                pass

    def check_unchanged(self) -> None:
        """See `streams.LocalFile.check_unchanged`; only local files are read in parts."""
        self._stream.check_unchanged()

    def close(self) -> None:
        """Close the file, which checks that it is still the planned one."""
        self._stream.close()


@contextmanager
def opened(item: Item, part: Part) -> Iterator[Forward]:
    """Open a file at the first byte of a part; held for the next part, unless this is the last."""
    stream = _held.pop() if _held else None
    if stream is not None and (stream.item != item or stream.position > part.start):
        with suppress(IntegrityError):  # what was read of it was checked then
            stream.close()
        stream = None
    stream = stream or Forward(item)
    read_on = False
    try:
        stream.skip_to(part.start)
        yield stream
        if part.stop is not None:
            stream.check_unchanged()
            read_on = True
    finally:
        if read_on:
            _held.append(stream)
        else:
            stream.close()


_held: list[Forward] = []
"""The stream that this process read last; a global, since each part is read by a call of its own."""
