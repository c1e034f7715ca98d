"""Files behind fsspec: found and read through faults of the network, which are no faults of the data.

What may pass (a reset connection, 500, 503 SlowDown, a timeout, a short answer) is tried again,
`ATTEMPTS` times with growing pauses, a read from the byte where it stopped. What does not pass then
stops the build with exit code 4, to be gone on with; a file that is not the planned one any more is an
integrity error. Credentials and endpoints are fsspec's own configuration.
"""

from __future__ import annotations

import errno
import io
import random
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from fnmatch import fnmatchcase
from glob import has_magic
from typing import Any, TypeAlias, TypeVar

import pyarrow as pa
from rich.markup import escape

from gristmill.errors import IntegrityError, InterruptedRunError
from gristmill.progress import say
from gristmill.sources.base import Item

BLOCK_BYTES = 16 << 20
"""What one request asks for, read ahead; a file that is read holds about twice as much."""
SMALLEST_REQUEST = 64 << 10
"""Requests are halved down to this while they fail, for a line that does not carry a whole one."""

ATTEMPTS = 9
FIRST_PAUSE_S = 0.1
"""Doubled after each fault: with 9 attempts 25 s of pauses, and 15 s of silence for each of them."""

S3_CLIENT = {"connect_timeout": 5, "read_timeout": 15, "retries": {"total_max_attempts": 1}}
"""Seconds, and no retries of botocore's own; `config_kwargs` in fsspec's configuration goes before."""

_PASSING = (
    ("aiohttp", "ClientError"),
    ("botocore.exceptions", "ConnectionError"),
    ("botocore.exceptions", "HTTPClientError"),
    ("botocore.exceptions", "IncompleteReadError"),
    ("botocore.parsers", "ResponseParserError"),
    ("gcsfs.retry", "HttpError"),
    ("httpx", "HTTPError"),
)
_LASTING = (("botocore.exceptions", "BotoCoreError"),)
"""Exceptions of file systems that are no OSError, by the module that is loaded when they occur."""

_REFUSED = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
_VERSIONS = ("ETag", "etag", "md5Hash", "blob_id", "LastModified", "last_modified", "mtime")

T = TypeVar("T")
Info: TypeAlias = dict[str, Any]


def connect(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it.

    Raises:
        ImportError: The package of the file system is missing.
        ValueError: There is no such file system.
    """
    import fsspec

    if not url.startswith(("s3://", "s3a://")):
        file_system, path = fsspec.core.url_to_fs(url)
        return file_system, str(path)
    given = fsspec.config.conf.get("s3", {}).get("config_kwargs", {})
    file_system, path = fsspec.core.url_to_fs(url, config_kwargs=S3_CLIENT | given)
    file_system.retries = 1  # s3fs would try 25 times, each time from the start of a block
    return file_system, str(path)


def patiently(what: str, call: Callable[[int], T]) -> T:
    """Give what ``call(n)`` gives, with `n` the number of faults before.

    Raises:
        OSError: It was refused for good: not found, not allowed, not understood.
        InterruptedRunError: It failed `ATTEMPTS` times.
    """
    pause_s = FIRST_PAUSE_S
    for n_faults in range(ATTEMPTS):
        try:
            return call(n_faults)
        except _REFUSED:
            raise
        except _loaded(OSError, *_PASSING) as error:
            if isinstance(error, OSError) and error.errno == errno.EINVAL:
                raise
            fault = error
        except _loaded(*_LASTING) as error:
            raise OSError(str(error)) from error
        if n_faults < ATTEMPTS - 1:
            say(escape(f"{what}: {_name(fault)}; trying again in {pause_s:.1f} s"))
            time.sleep(pause_s * random.uniform(0.5, 1))
            pause_s *= 2
    raise InterruptedRunError(
        f"{what}: cannot be read, {ATTEMPTS} attempts failed ({_name(fault)}); nothing that was read "
        "is lost: the same command goes on when the server answers again"
    ) from fault


def _loaded(*kinds: type[Exception] | tuple[str, str]) -> tuple[type[Exception], ...]:
    """The exceptions of those that are named by a module which is loaded."""
    return tuple(
        kind if isinstance(kind, type) else getattr(sys.modules[kind[0]], kind[1])
        for kind in kinds
        if isinstance(kind, type) or kind[0] in sys.modules
    )


def _name(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def list_files(url: str) -> tuple[list[tuple[str, Info]], str | None]:
    """The files that a URL or a pattern names now, each with what the server says of it.

    Listed folder by folder: `glob` and `find` of fsspec leave out folders that cannot be listed.

    Returns:
        URL and fsspec's `info` of each file, and their folder when the URL names that.

    Raises:
        OSError: The URL is refused.
        InterruptedRunError: The server does not answer.
    """
    file_system, path = connect(url)
    file_system.invalidate_cache()
    folder = None
    if has_magic(path):
        infos = list(_matching(file_system, *_cut(path)))
    else:
        infos = [patiently(url, lambda _: file_system.info(path))]
        if infos[0]["type"] == "directory":
            folder = path
            infos = list(_matching(file_system, path, ["**"]))
    files = [info for info in infos if info["type"] == "file"]
    return [(str(file_system.unstrip_protocol(info["name"])), info) for info in files], folder


def _cut(pattern: str) -> tuple[str, list[str]]:
    """A pattern's folder without wildcards, and the parts below it."""
    parts = pattern.split("/")
    first = next(number for number, part in enumerate(parts) if has_magic(part))
    return "/".join(parts[:first]), parts[first:]


def _matching(file_system: Any, folder: str, parts: list[str]) -> Iterator[Info]:
    part, *rest = parts
    for info in _listed(file_system, folder):
        name, is_folder = info["name"].rpartition("/")[2], info["type"] == "directory"
        if name.startswith(".") and not part.startswith("."):
            continue  # as glob does on a disk
        if part == "**":
            if is_folder:
                yield from _matching(file_system, info["name"], parts)
            if rest:
                continue
        if not fnmatchcase(name, part):
            continue
        if not rest:
            yield info
        elif is_folder:
            yield from _matching(file_system, info["name"], rest)
    if part == "**" and rest:
        yield from _matching(file_system, folder, rest)


def _listed(file_system: Any, folder: str) -> list[Info]:
    try:
        infos = patiently(folder, lambda _: file_system.ls(folder, detail=True))
    except FileNotFoundError:
        return []
    return [info for info in infos if info["name"].rstrip("/") != folder.rstrip("/")]


def version(info: Info) -> str:
    """What tells two contents of one file apart, as the server has it: mostly the ETag."""
    key = next((key for key in _VERSIONS if info.get(key)), None)
    return _version(info, key) if key else ""


def _version(info: Info, key: str) -> str:
    value = info[key]
    # Some servers say milliseconds in a listing and seconds of a file.
    return f"{key} {int(value.timestamp()) if isinstance(value, datetime) else value}"


def check_unchanged(item: Item) -> None:
    """Ask the server whether a file is still the planned one.

    Raises:
        IntegrityError: It is gone, or another one.
    """
    file_system, path = connect(item.path)
    file_system.invalidate_cache(path)
    try:
        info = patiently(item.locator, lambda _: file_system.info(path))
    except FileNotFoundError as error:
        raise IntegrityError(
            f"{item.locator}: was there when the run was planned and is gone; put it back and run "
            "the same command again"
        ) from error
    except OSError as error:
        raise _refused(item, error) from error
    key = item.version.partition(" ")[0]
    now = _version(info, key) if info.get(key) else item.version
    if (info["size"], now) != (item.n_bytes, item.version):
        raise IntegrityError(
            f"{item.locator}: is another file than when the run was planned ({info['size']} bytes, "
            f"{now}; then {item.n_bytes} bytes, {item.version}); run the same command again, which "
            "reads the new one"
        )


def _refused(item: Item, error: OSError) -> InterruptedRunError:
    return InterruptedRunError(
        f"{item.locator}: the server refuses to give it ({_name(error)}); renew the credentials, or "
        "copy the file, then run the same command again: it goes on from here"
    )


class RemoteFile(pa.PythonFile):  # type: ignore[misc]
    """A file behind fsspec, seekable, read ahead block by block; checked again when it is closed."""

    def __new__(cls, item: Item) -> RemoteFile:
        """Open the file; a fault shows when it is read."""
        raw = _Blocks(item)
        file = io.BufferedReader(raw, min(BLOCK_BYTES, max(item.n_bytes, 1)))
        opened: RemoteFile = super().__new__(cls, file, mode="r")
        opened.raw = raw
        return opened

    def __init__(self, item: Item) -> None:
        self.item = item
        self.raw: _Blocks

    def close(self) -> None:
        """Close the file.

        Raises:
            IntegrityError: It changed while it was read.
        """
        if not self.closed:
            super().close()
            if not self.raw.failed:
                check_unchanged(self.item)


class _Blocks(io.RawIOBase):
    def __init__(self, item: Item) -> None:
        self._item = item
        self._file_system, self._path = connect(item.path)
        self._position = 0
        self.failed = False

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._item.n_bytes}
        self._position = start[whence] + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), BLOCK_BYTES, self._item.n_bytes - self._position)
        if wanted <= 0:
            return 0
        try:
            self.failed = True
            data = patiently(self._item.locator, lambda n_faults: self._request(wanted, n_faults))
        except OSError as error:
            check_unchanged(self._item)
            raise _refused(self._item, error) from error
        self.failed = False
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _request(self, wanted: int, n_faults: int) -> bytes:
        n_bytes = min(wanted, max(SMALLEST_REQUEST, wanted >> n_faults))
        start, stop = self._position, self._position + n_bytes
        # Not a file of fsspec: that of s3fs hides a timeout behind an IndexError.
        data: bytes = self._file_system.cat_file(self._path, start=start, end=stop)
        if not data:
            raise OSError(errno.EIO, f"no bytes from {start} on, of {self._item.n_bytes}")
        if len(data) > n_bytes:
            raise OSError(errno.EINVAL, f"{len(data)} bytes for a range of {n_bytes}: no ranges")
        return data
