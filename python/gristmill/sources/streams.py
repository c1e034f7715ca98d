"""Local files and unpacked streams that notice when the bytes are not what they should be.

A file that changes while it is read is an integrity error when it is closed; a stream that unpacks to
far more than any text does breaks off there.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pyarrow as pa

from gristmill.errors import IntegrityError
from gristmill.sources.base import Item

if TYPE_CHECKING:
    from typing_extensions import Buffer

LARGEST_UNPACKED = 1 << 30
HIGHEST_RATIO = 1_000
"""Beyond so many bytes, and so many for each one read, a stream is a bomb; gzip can give 1,032."""


def local_version(status: os.stat_result) -> str:
    """What tells two contents of one local file apart."""
    return f"mtime_ns {status.st_mtime_ns}"


class LocalFile(pa.OSFile):  # type: ignore[misc]
    """A local file, seekable; not mapped: what is mapped counts as memory of the process."""

    def __new__(cls, item: Item) -> LocalFile:
        """Open the file that was planned."""
        opened: LocalFile = super().__new__(cls, item.path)
        return opened

    def __init__(self, item: Item) -> None:
        self.item = item
        self.check_unchanged()

    def check_unchanged(self) -> None:
        """Compare size and time of change with the plan.

        Raises:
            IntegrityError: They differ.
        """
        now = os.fstat(self.fileno())
        if now.st_size != self.item.n_bytes:
            raise IntegrityError(
                f"{self.item.locator}: has {now.st_size} bytes, but had {self.item.n_bytes} when the "
                "run was planned; wait until it is complete and run the same command again"
            )
        if self.item.version not in ("", local_version(now)):
            raise IntegrityError(
                f"{self.item.locator}: was written to since the run was planned; wait until it is "
                "complete and run the same command again"
            )

    def close(self) -> None:
        """Close the file.

        Raises:
            IntegrityError: It changed while it was read.
        """
        if not self.closed:
            try:
                self.check_unchanged()
            finally:
                super().close()


class Unpacked(pa.CompressedInputStream):  # type: ignore[misc]
    """A compressed stream, unpacked.

    Args:
        raw: The packed stream; closed with this one.
        compression: ``gzip`` or ``zstd``.
    """

    def __init__(self, raw: pa.NativeFile, compression: str) -> None:
        super().__init__(raw, compression)
        self._raw = raw
        self._n_bytes = 0

    def read(self, nbytes: int | None = None) -> bytes:
        """Read on.

        Raises:
            OSError: The stream is broken, or a bomb.
        """
        data: bytes = super().read(nbytes)
        self._count(len(data))
        return data

    def readinto(self, b: Buffer) -> int:
        """Read on into the start of a buffer; how many bytes it were.

        Raises:
            OSError: The stream is broken, or a bomb.
        """
        n_bytes: int = super().readinto(b)
        self._count(n_bytes)
        return n_bytes

    def _count(self, n_bytes: int) -> None:
        self._n_bytes += n_bytes
        if self._n_bytes > LARGEST_UNPACKED and self._n_bytes > HIGHEST_RATIO * self._raw.tell():
            raise OSError(
                f"{self._raw.tell()} packed bytes gave {self._n_bytes}, more than {HIGHEST_RATIO} "
                f"for one beyond {LARGEST_UNPACKED}: a decompression bomb"
            )

    def check_unchanged(self) -> None:
        """See `LocalFile.check_unchanged`."""
        self._raw.check_unchanged()

    def close(self) -> None:
        """Close both streams; see `LocalFile.close`."""
        try:
            self._raw.close()
        finally:
            super().close()
