"""Write and read GGUF files (version 3, little endian), one tensor in memory at a time.

The writer asks for each tensor's bytes only when it is that tensor's turn. The reader believes no
number in the file: every count is compared with the bytes that are left before anything is
allocated, so a hostile file costs at most time linear in its size. Only the tensor types that
`quantize` makes are known. Format: ``docs/gguf.md`` of the ggml project.
"""

from __future__ import annotations

import hashlib
import mmap
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from gristmill.errors import FormatError
from gristmill.files import atomic_write

MAGIC = b"GGUF"
VERSION = 3
ALIGNMENT = 32
MAX_DIMS = 4
MAX_ALIGNMENT = 1 << 16
MIN_ENTRY_BYTES = 8 + 4 + 1
MIN_TENSOR_BYTES = 8 + 4 + 8 + 4 + 8

Bytes: TypeAlias = npt.NDArray[np.uint8]
Value: TypeAlias = "str | bool | int | float | list[str] | npt.NDArray[Any] | np.generic"
"""A metadata value: int is written as uint32 (uint64 when it has to), float as float32."""


class Block(NamedTuple):
    """How a tensor type stores values: `n_values` of them in `n_bytes` bytes."""

    n_values: int
    n_bytes: int


class TensorType(IntEnum):
    """Types of ggml tensors, by their number in the file."""

    F32 = 0
    F16 = 1
    Q8_0 = 8
    BF16 = 30

    @property
    def block(self) -> Block:
        """Values and bytes of one block."""
        return _BLOCKS[self]

    def nbytes(self, shape: Sequence[int]) -> int:
        """Bytes of a tensor of this type.

        Raises:
            FormatError: A row does not hold a whole number of blocks.
        """
        block, values = self.block, 1
        for size in shape:
            values *= size
        row = shape[-1] if shape else 1
        if row % block.n_values:
            raise FormatError(
                f"{self.name} stores blocks of {block.n_values} values, a row has {row}"
            )
        return values // block.n_values * block.n_bytes


_BLOCKS = {
    TensorType.F32: Block(1, 4),
    TensorType.F16: Block(1, 2),
    TensorType.Q8_0: Block(32, 34),
    TensorType.BF16: Block(1, 2),
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor to write.

    Attributes:
        name: Its name in the file.
        shape: Outermost dimension first, as in numpy (the file has them the other way round).
        type: How its values are stored.
        encode: Makes the bytes; called once, when it is this tensor's turn.
    """

    name: str
    shape: tuple[int, ...]
    type: TensorType
    encode: Callable[[], Bytes]


class Written(NamedTuple):
    """Size and SHA-256 of a file just written."""

    n_bytes: int
    sha256: str


def write_gguf(
    path: Path,
    metadata: Mapping[str, Value],
    tensors: Sequence[Tensor],
    wrote: Callable[[int], None] = lambda _: None,
) -> Written:
    """Write a GGUF file, atomically; the same input gives the same bytes.

    Args:
        path: Where the file appears when it is whole.
        metadata: Keys and values, written in this order.
        tensors: Written in this order, each aligned to 32 bytes.
        wrote: Told the bytes of each tensor once they are written.

    Raises:
        FormatError: A value has no GGUF type, or a tensor's bytes are not what its shape says.
    """
    with atomic_write(path) as file:
        sink = _Sink(file)
        sink.write(_header(metadata, tensors))
        sink.align()
        for tensor in tensors:
            data = tensor.encode()
            if data.nbytes != tensor.type.nbytes(tensor.shape):
                raise FormatError(
                    f"tensor {tensor.name}: {data.nbytes} bytes, {tensor.type.name} of shape "
                    f"{tensor.shape} needs {tensor.type.nbytes(tensor.shape)}"
                )
            sink.write(np.ascontiguousarray(data).data.cast("B"))
            sink.align()
            wrote(data.nbytes)
        return Written(sink.n_bytes, sink.digest.hexdigest())


class _Sink:
    def __init__(self, file: BinaryIO) -> None:
        self.file, self.n_bytes, self.digest = file, 0, hashlib.sha256()

    def write(self, data: bytes | memoryview) -> None:
        self.file.write(data)
        self.digest.update(data)
        self.n_bytes += len(data)

    def align(self) -> None:
        self.write(b"\0" * (-self.n_bytes % ALIGNMENT))


def _header(metadata: Mapping[str, Value], tensors: Sequence[Tensor]) -> bytes:
    parts = [MAGIC, struct.pack("<IQQ", VERSION, len(tensors), len(metadata))]
    for key, value in metadata.items():
        parts += (_string(key), _value(key, value))
    offset = 0
    for tensor in tensors:
        shape = tensor.shape[::-1]
        parts.append(_string(tensor.name))
        parts.append(struct.pack(f"<I{len(shape)}Q", len(shape), *shape))
        parts.append(struct.pack("<IQ", tensor.type, offset))
        n_bytes = tensor.type.nbytes(tensor.shape)
        offset += n_bytes + -n_bytes % ALIGNMENT
    return b"".join(parts)


class _ValueType(IntEnum):
    UINT8 = 0
    INT8 = 1
    UINT16 = 2
    INT16 = 3
    UINT32 = 4
    INT32 = 5
    FLOAT32 = 6
    BOOL = 7
    STRING = 8
    ARRAY = 9
    UINT64 = 10
    INT64 = 11
    FLOAT64 = 12


_DTYPES: dict[_ValueType, np.dtype[Any]] = {
    _ValueType.UINT8: np.dtype("<u1"),
    _ValueType.INT8: np.dtype("<i1"),
    _ValueType.UINT16: np.dtype("<u2"),
    _ValueType.INT16: np.dtype("<i2"),
    _ValueType.UINT32: np.dtype("<u4"),
    _ValueType.INT32: np.dtype("<i4"),
    _ValueType.FLOAT32: np.dtype("<f4"),
    _ValueType.BOOL: np.dtype("?"),
    _ValueType.UINT64: np.dtype("<u8"),
    _ValueType.INT64: np.dtype("<i8"),
    _ValueType.FLOAT64: np.dtype("<f8"),
}
_VALUE_TYPES = {dtype: value_type for value_type, dtype in _DTYPES.items()}


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _value(key: str, value: Value) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", _ValueType.STRING) + _string(value)
    if isinstance(value, list):
        head = struct.pack("<IIQ", _ValueType.ARRAY, _ValueType.STRING, len(value))
        return head + b"".join(map(_string, value))
    array = _as_array(value)
    if array is None or array.ndim > 1 or array.dtype not in _VALUE_TYPES:
        raise FormatError(f"metadata {key}: {value!r} has no GGUF type")
    value_type = _VALUE_TYPES[array.dtype]
    if array.ndim == 0:
        return struct.pack("<I", value_type) + array.tobytes()
    return struct.pack("<IIQ", _ValueType.ARRAY, value_type, len(array)) + array.tobytes()


def _as_array(value: Any) -> npt.NDArray[Any] | None:
    if isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
        return array.astype(array.dtype.newbyteorder("<"), copy=False)
    if isinstance(value, bool):
        return np.asarray(value)
    if isinstance(value, float):
        return np.asarray(value, np.dtype("<f4"))
    if isinstance(value, int) and 0 <= value < 1 << 64:
        return np.asarray(value, np.dtype("<u4" if value < 1 << 32 else "<u8"))
    return None


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor in a file: `start` counts bytes from the file's beginning."""

    shape: tuple[int, ...]
    type: TensorType
    start: int

    @property
    def n_bytes(self) -> int:
        """Its length in the file, without padding."""
        return self.type.nbytes(self.shape)


class GgufFile:
    """A GGUF file, memory-mapped.

    Attributes:
        metadata: Scalars as Python values, arrays of strings as lists, other arrays as numpy.
        tensors: Where each tensor lies, by name, in file order.
    """

    metadata: dict[str, Any]
    tensors: dict[str, Stored]

    def __init__(self, path: Path) -> None:
        """Read the header.

        Raises:
            FormatError: The file breaks the format, or claims more than it holds.
        """
        self.path = path
        with path.open("rb") as file:
            size = path.stat().st_size
            if size < len(MAGIC) + 20:
                raise FormatError(f"{path}: {size} bytes are too few for a GGUF file")
            self._data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        cursor = _Cursor(self._data, path)
        n_tensors, n_entries = _read_counts(cursor)
        self.metadata = _read_metadata(cursor, n_entries)
        self.tensors = _read_tensors(cursor, n_tensors, self.metadata)

    def raw(self, name: str) -> Bytes:
        """The stored bytes of a tensor, ``uint8[n_bytes]``, borrowed from the map."""
        tensor = self.tensors[name]
        return np.frombuffer(self._data, np.uint8, tensor.n_bytes, tensor.start)


class _Cursor:
    """Takes bytes off a buffer and refuses to pass its end."""

    def __init__(self, data: memoryview, path: Path) -> None:
        self.data, self.path, self.at = data, path, 0

    @property
    def left(self) -> int:
        return len(self.data) - self.at

    def refuse(self, why: str) -> FormatError:
        return FormatError(f"{self.path}: byte {self.at}: {why}")

    def take(self, n_bytes: int, what: str) -> memoryview:
        if n_bytes > self.left:
            raise self.refuse(f"{what} needs {n_bytes} bytes, {self.left} are left")
        self.at += n_bytes
        return self.data[self.at - n_bytes : self.at]

    def unpack(self, layout: str, what: str) -> tuple[Any, ...]:
        return struct.unpack(layout, self.take(struct.calcsize(layout), what))

    def count(self, layout: str, each_bytes: int, what: str) -> int:
        (count,) = self.unpack(layout, f"the number of {what}")
        if count * each_bytes > self.left:
            raise self.refuse(f"{count} {what} cannot fit into the {self.left} bytes left")
        return int(count)

    def string(self, what: str) -> str:
        data = self.take(self.count("<Q", 1, f"bytes of {what}"), what)
        try:
            return str(data, "utf-8")
        except UnicodeDecodeError as error:
            raise self.refuse(f"{what} is not UTF-8: {error.reason}") from None

    def value_type(self, what: str) -> _ValueType:
        (number,) = self.unpack("<I", what)
        if number > _ValueType.FLOAT64:
            raise self.refuse(f"{what} is {number}, the largest is {_ValueType.FLOAT64}")
        return _ValueType(number)


def _read_counts(cursor: _Cursor) -> tuple[int, int]:
    magic = bytes(cursor.take(4, "the magic number"))
    if magic != MAGIC:
        raise cursor.refuse(f"a GGUF file begins with {MAGIC!r}, this one with {magic!r}")
    (version,) = cursor.unpack("<I", "the version")
    if version != VERSION:
        raise cursor.refuse(f"GGUF version {version}, only {VERSION} is read")
    n_tensors = cursor.count("<Q", MIN_TENSOR_BYTES, "tensors")
    return n_tensors, cursor.count("<Q", MIN_ENTRY_BYTES, "metadata entries")


def _read_metadata(cursor: _Cursor, n_entries: int) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    for _ in range(n_entries):
        key = cursor.string("a metadata key")
        if key in metadata:
            raise cursor.refuse(f"metadata key {key!r} occurs twice")
        metadata[key] = _read_value(cursor, key)
    return metadata


def _read_value(cursor: _Cursor, key: str) -> Any:
    value_type = cursor.value_type(f"the type of {key!r}")
    if value_type is _ValueType.STRING:
        return cursor.string(key)
    if value_type is not _ValueType.ARRAY:
        dtype = _DTYPES[value_type]
        return np.frombuffer(cursor.take(dtype.itemsize, key), dtype)[0].item()
    items = cursor.value_type(f"the item type of {key!r}")
    if items is _ValueType.ARRAY:
        raise cursor.refuse(f"{key!r} nests an array in an array")
    if items is _ValueType.STRING:
        return [cursor.string(key) for _ in range(cursor.count("<Q", 8, f"strings of {key!r}"))]
    dtype = _DTYPES[items]
    count = cursor.count("<Q", dtype.itemsize, f"items of {key!r}")
    return np.frombuffer(cursor.take(count * dtype.itemsize, key), dtype)


def _read_tensors(cursor: _Cursor, n_tensors: int, metadata: dict[str, Any]) -> dict[str, Stored]:
    alignment = metadata.get("general.alignment", ALIGNMENT)
    if (
        not isinstance(alignment, int)
        or not 0 < alignment <= MAX_ALIGNMENT
        or alignment & (alignment - 1)
    ):
        raise cursor.refuse(
            f"general.alignment is {alignment!r}, allowed is a power of two up to {MAX_ALIGNMENT}"
        )
    tensors: dict[str, Stored] = {}
    for _ in range(n_tensors):
        name = cursor.string("a tensor's name")
        if name in tensors:
            raise cursor.refuse(f"tensor {name!r} occurs twice")
        tensors[name] = _read_tensor(cursor, name, alignment)
    start = cursor.at + -cursor.at % alignment
    placed = {
        name: Stored(tensor.shape, tensor.type, start + tensor.start)
        for name, tensor in tensors.items()
    }
    _check_places(cursor, placed)
    return placed


def _read_tensor(cursor: _Cursor, name: str, alignment: int) -> Stored:
    (n_dims,) = cursor.unpack("<I", f"the dimensions of {name!r}")
    if not 0 < n_dims <= MAX_DIMS:
        raise cursor.refuse(f"tensor {name!r} has {n_dims} dimensions, allowed are 1 to {MAX_DIMS}")
    shape = cursor.unpack(f"<{n_dims}Q", f"the shape of {name!r}")[::-1]
    number, offset = cursor.unpack("<IQ", f"the type of {name!r}")
    if number not in _BLOCKS:
        known = ", ".join(f"{kind.name} ({kind})" for kind in TensorType)
        raise cursor.refuse(f"tensor {name!r} is of type {number}; read are {known}")
    if 0 in shape or offset % alignment:
        raise cursor.refuse(f"tensor {name!r} has shape {shape} at offset {offset}")
    return Stored(shape, TensorType(number), offset)


def _check_places(cursor: _Cursor, tensors: dict[str, Stored]) -> None:
    end = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: item[1].start):
        if tensor.start < end:
            raise cursor.refuse(f"tensor {name!r} overlaps the one before it")
        end = tensor.start + tensor.n_bytes
        if end > len(cursor.data):
            raise cursor.refuse(
                f"tensor {name!r} ends at byte {end}, the file has {len(cursor.data)}"
            )
