"""Turn float tensors into F32, F16, BF16 and Q8_0 bytes, and back.

Q8_0 is bit-equal to llama.cpp's ``quantize_row_q8_0_ref``: blocks of 32 values share one float16
scale ``max|x| / 127``; values round half away from zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from gristmill.errors import FormatError
from gristmill.export.gguf import Bytes, TensorType

Floats = npt.NDArray[np.float32]

CHUNK_VALUES = 1 << 20
"""Values that are quantized at a time: the working copies then stay near the cache."""


def quantize(values: npt.NDArray[Any], kind: TensorType, name: str = "tensor") -> Bytes:
    """Encode float values.

    Args:
        values: Floats of any shape; for Q8_0 the last dimension is a multiple of 32.
        kind: How to store them.
        name: What an error calls them.

    Returns:
        ``uint8[n_bytes]``.

    Raises:
        FormatError: A value is NaN or infinite, or too large for a float16.
    """
    n_values = values.size
    block = kind.block
    encoded = np.empty(kind.nbytes(values.shape), np.uint8)
    flat = np.ascontiguousarray(values).reshape(-1)
    step = CHUNK_VALUES // block.n_values * block.n_values
    for first in range(0, n_values, step):
        floats = flat[first : first + step].astype(np.float32)
        if not np.isfinite(floats).all():
            raise FormatError(
                f"{name} holds NaN or infinite weights; export a checkpoint that does not"
            )
        start = first // block.n_values * block.n_bytes
        data = _ENCODERS[kind](floats, name)
        encoded[start : start + data.nbytes] = data
    return encoded


def dequantize(data: Bytes, kind: TensorType, shape: tuple[int, ...]) -> Floats:
    """Decode bytes that `quantize` made: ``float32`` of the given shape."""
    if kind is TensorType.F32:
        floats = data.view("<f4").astype(np.float32)
    elif kind is TensorType.F16:
        floats = data.view("<f2").astype(np.float32)
    elif kind is TensorType.BF16:
        floats = widen_bf16(data.view("<u2"))
    else:
        blocks = data.reshape(-1, kind.block.n_bytes)
        scales = blocks[:, :2].copy().view("<f2").astype(np.float32)
        floats = blocks[:, 2:].view(np.int8).astype(np.float32) * scales
    return floats.reshape(shape)


def widen_bf16(words: npt.NDArray[np.uint16]) -> Floats:
    """bfloat16 bit patterns as float32 of the same shape."""
    return (words.astype(np.uint32) << np.uint32(16)).view(np.float32)


def _f32(floats: Floats, name: str) -> Bytes:
    del name
    return floats.astype("<f4", copy=False).view(np.uint8)


def _f16(floats: Floats, name: str) -> Bytes:
    with np.errstate(over="ignore"):
        halves = floats.astype("<f2")
    _refuse_overflow(halves, name, "an F16 value")
    return halves.view(np.uint8)


def _bf16(floats: Floats, name: str) -> Bytes:
    bits = floats.view(np.uint32).astype(np.uint64)
    words = ((bits + 0x7FFF + ((bits >> np.uint64(16)) & np.uint64(1))) >> np.uint64(16)).astype(
        "<u2"
    )
    if np.isinf(widen_bf16(words)).any():
        raise FormatError(f"{name} holds weights beyond the largest bfloat16; use f32")
    return words.view(np.uint8)


def _q8_0(floats: Floats, name: str) -> Bytes:
    rows = floats.reshape(-1, TensorType.Q8_0.block.n_values)
    scales = np.abs(rows).max(axis=1, keepdims=True) / np.float32(127)
    with np.errstate(divide="ignore", over="ignore"):
        inverse = np.where(scales == 0, np.float32(0), np.float32(1) / scales)
        halves = scales.astype("<f2")
    _refuse_overflow(halves, name, "a Q8_0 scale")
    # A scale below 2^-128 has no finite inverse; in float16 it is zero anyway, so are the values.
    inverse[np.isinf(inverse)] = 0
    scaled = rows * inverse
    whole = np.trunc(scaled)
    rounded = whole + np.trunc(2 * (scaled - whole))
    return np.concatenate(
        [halves.view(np.uint8), rounded.astype(np.int8).view(np.uint8)], axis=1
    ).reshape(-1)


def _refuse_overflow(halves: npt.NDArray[np.float16], name: str, what: str) -> None:
    if np.isinf(halves).any():
        raise FormatError(
            f"{name} holds weights too large for {what} (at most 65504); use bf16 or f32"
        )


_ENCODERS = {
    TensorType.F32: _f32,
    TensorType.F16: _f16,
    TensorType.BF16: _bf16,
    TensorType.Q8_0: _q8_0,
}
