"""Where large files are cut, so that several workers read one, and a killed build goes on inside it.

A part is about 128 MiB of what is in the file, or of a web archive as it lies there. JSON Lines are cut
at line ends, which costs a pass that unpacks the file and counts its lines; the key of such a part is
made of what it holds, so a file that grows keeps the parts that it had. Parquet is cut between row
groups, Arrow files between record batches, web archives anywhere; their parts go by the whole file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

from gristmill._core import Xxh3, count_lines
from gristmill.sources.base import Item, Part, digest
from gristmill.sources.paths import compression, content_key, open_bytes, open_raw
from gristmill.sources.warc import splittable

PART_BYTES = 128 << 20

LARGEST_WHOLE = 4 * PART_BYTES
"""Less than this, unpacked, is not cut."""

USUAL_RATIO = 4
"""Bytes of text that a packed byte gives, where the file does not say how large its content is."""

CHUNK_BYTES = 64 << 10
"""What is read at once, and not counted where a packed file breaks off."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A part of a file that is to be read alone; `part` is None for the whole file."""

    part: Part | None
    key: str
    n_bytes: int


def cut(item: Item, format: str) -> list[Cut]:
    """Cut one file; a file that is small, or cannot be cut, stays whole."""
    if format in _CUTTERS and _unpacked_bytes(item) >= LARGEST_WHOLE:
        cuts = _CUTTERS[format](item)
        if len(cuts) > 1:
            return cuts
    return [Cut(None, content_key(item), item.n_bytes)]


def _unpacked_bytes(item: Item) -> int:
    """About how large the content of a file is, by its first bytes."""
    try:
        with open_raw(item) as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return 0
    packed = compression(head)
    if packed is None:
        return item.n_bytes
    declared = zstd_content_bytes(head) if packed == "zstd" else None
    return declared or item.n_bytes * USUAL_RATIO


def zstd_content_bytes(head: bytes) -> int | None:
    """The size of the content that the header of a zstd frame declares (RFC 8878, 3.1.1.1)."""
    flags = head[4]
    n_bytes = (1 if flags & 0x20 else 0, 2, 4, 8)[flags >> 6]
    start = 5 + (0 if flags & 0x20 else 1) + (0, 1, 2, 4)[flags & 3]
    if not n_bytes or len(head) < start + n_bytes:
        return None
    return int.from_bytes(head[start : start + n_bytes], "little") + (256 if n_bytes == 2 else 0)


def _lines(item: Item) -> list[Cut]:
    """Cut JSON Lines where the line ends that a part has its size in."""
    if "://" in item.path:
        return []  # it would have to be fetched twice
    cuts, start, first, found = list[Cut](), 0, 0, _Counted()
    try:
        for chunk in _chunks(item):
            while end := _end_of_part(chunk, PART_BYTES - found.n_bytes):
                found.add(chunk[:end])
                cuts.append(found.cut(item, start, start + found.n_bytes, first))
                start, first = start + found.n_bytes, first + found.n_lines
                chunk, found = chunk[end:], _Counted()
            found.add(chunk)
    except OSError:
        found.add(content_key(item).encode())  # how it breaks off is said by who reads this part
    return [*cuts, found.cut(item, start, None, first)] if found.n_bytes else cuts


def _end_of_part(chunk: bytes, wanted: int) -> int:
    """Where the line ends that has the last byte of a part; 0 when that is not in this chunk."""
    return chunk.find(b"\n", max(wanted - 1, 0)) + 1 if wanted <= len(chunk) else 0


def _chunks(item: Item) -> Iterator[bytes]:
    with open_bytes(item) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            yield chunk


_HEAD_BYTES = 18
"""The longest header of a zstd frame."""


class _Counted:
    """What a part holds, so far."""

    def __init__(self) -> None:
        self._hasher = Xxh3()
        self.n_bytes = self.n_lines = 0

    def add(self, chunk: bytes) -> None:
        self._hasher.update(chunk)
        self.n_bytes += len(chunk)
        self.n_lines += count_lines(chunk)

    def cut(self, item: Item, start: int, stop: int | None, first: int) -> Cut:
        # The last part is another one when the file goes on behind it.
        key = digest(item.locator, str(start), str(stop), str(first), self._hasher.hexdigest())
        return Cut(Part(start, stop, first), key, self.n_bytes)


def _row_groups(item: Item) -> list[Cut]:
    try:
        with open_raw(item) as file:
            found = pyarrow.parquet.read_metadata(file)
    except (OSError, pa.ArrowException):
        return []
    groups = (found.row_group(number) for number in range(found.num_row_groups))
    return _runs(item, [(group.num_rows, group.total_byte_size) for group in groups])


def _record_batches(item: Item) -> list[Cut]:
    try:
        with open_raw(item) as file:
            if file.read(6) != b"ARROW1":
                return []  # a stream, or packed
            reader = pyarrow.ipc.open_file(file)
            batches = (reader.get_batch(number) for number in range(reader.num_record_batches))
            return _runs(item, [(batch.num_rows, batch.nbytes) for batch in batches])
    except (OSError, pa.ArrowException):
        return []


def _runs(item: Item, blocks: list[tuple[int, int]]) -> list[Cut]:
    """Join blocks of rows, each with its rows and bytes, to parts."""
    found, start, first, n_rows, n_bytes = list[tuple[Part, int]](), 0, 0, 0, 0
    for number, (rows, size) in enumerate(blocks, start=1):
        n_rows, n_bytes = n_rows + rows, n_bytes + size
        if n_bytes >= PART_BYTES or number == len(blocks):
            found.append((Part(start, number, first), n_bytes))
            start, first, n_rows, n_bytes = number, first + n_rows, 0, 0
    return _keyed(item, found)


def _ranges(item: Item) -> list[Cut]:
    """Cut a web archive at any byte: its records are found from there."""
    if not splittable(item):
        return []
    # Pages are packed to about a fifth, and only their text is kept.
    edges = [*range(0, item.n_bytes, PART_BYTES), item.n_bytes]
    return _keyed(item, [(Part(start, stop), stop - start) for start, stop in pairwise(edges)])


def _keyed(item: Item, parts: list[tuple[Part, int]]) -> list[Cut]:
    """Parts that are known by the digest of the whole file, which is read only if there are several."""
    if len(parts) < 2:
        return []
    content = content_key(item)
    return [Cut(part, digest(content, str(part)), n_bytes) for part, n_bytes in parts]


_CUTTERS: dict[str, Callable[[Item], list[Cut]]] = {
    "jsonl": _lines,
    "parquet": _row_groups,
    "arrow": _record_batches,
    "warc": _ranges,
    "wet": _ranges,
}
