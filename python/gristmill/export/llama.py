"""Describe a Llama-like model as GGUF: its `llama.*` keys, its tensors, and the rope permutation.

Hugging Face stores the rotary pairs of a head as (first half, second half), llama.cpp as
neighbours, so the rows of q and k are reordered. Names: llama.cpp, ``gguf-py/gguf/constants.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from gristmill.errors import FormatError, NotBuiltYetError
from gristmill.export.gguf import Bytes, Tensor, TensorType, Value
from gristmill.export.quantize import quantize
from gristmill.export.weights import Weights

FAMILIES = ("llama", "mistral")

FILE_TYPES = {TensorType.F32: 0, TensorType.F16: 1, TensorType.Q8_0: 7, TensorType.BF16: 32}
"""`general.file_type` by the type of the matrices (llama.cpp's `LLAMA_FTYPE`)."""

_LAYER = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LlamaShape:
    """The sizes of a Llama-like decoder.

    Attributes:
        context: Longest sequence that the positions (and the attention window) allow, in tokens.
        rope_scale: Linear stretch of the positions; 1 for none.
        biases: Which of ``attention`` and ``mlp`` have biases.
    """

    vocab_size: int
    context: int
    hidden: int
    layers: int
    feed_forward: int
    heads: int
    kv_heads: int
    head_dim: int
    norm_epsilon: float
    rope_base: float
    rope_scale: float
    tied: bool
    biases: frozenset[str]

    def keys(self) -> dict[str, Value]:
        """Its metadata."""
        keys: dict[str, Value] = {
            "llama.vocab_size": self.vocab_size,
            "llama.context_length": self.context,
            "llama.embedding_length": self.hidden,
            "llama.block_count": self.layers,
            "llama.feed_forward_length": self.feed_forward,
            "llama.attention.head_count": self.heads,
            "llama.attention.head_count_kv": self.kv_heads,
            "llama.attention.key_length": self.head_dim,
            "llama.attention.value_length": self.head_dim,
            "llama.attention.layer_norm_rms_epsilon": self.norm_epsilon,
            "llama.rope.dimension_count": self.head_dim,
            "llama.rope.freq_base": self.rope_base,
        }
        if self.rope_scale != 1:
            keys["llama.rope.scaling.type"] = "linear"
            keys["llama.rope.scaling.factor"] = self.rope_scale
        return keys

    def sources(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        """GGUF name -> Hugging Face name and expected shape, in file order."""
        embedding = (self.vocab_size, self.hidden)
        sources: dict[str, tuple[str, tuple[int, ...]]] = {
            "token_embd.weight": ("model.embed_tokens.weight", embedding)
        }
        if not self.tied:
            sources["output.weight"] = ("lm_head.weight", embedding)
        sources["output_norm.weight"] = ("model.norm.weight", (self.hidden,))
        for layer in range(self.layers):
            for theirs, ours in _LAYER.items():
                shape = self._layer_shape(ours)
                name = f"model.layers.{layer}.{theirs}"
                sources[f"blk.{layer}.{ours}.weight"] = (f"{name}.weight", shape)
                block = "attention" if theirs.startswith("self_attn.") else "mlp"
                if len(shape) == 2 and block in self.biases:
                    sources[f"blk.{layer}.{ours}.bias"] = (f"{name}.bias", shape[:1])
        return sources

    def _layer_shape(self, name: str) -> tuple[int, ...]:
        queries, keys = self.heads * self.head_dim, self.kv_heads * self.head_dim
        shapes: dict[str, tuple[int, ...]] = {
            "attn_q": (queries, self.hidden),
            "attn_k": (keys, self.hidden),
            "attn_v": (keys, self.hidden),
            "attn_output": (self.hidden, queries),
            "ffn_gate": (self.feed_forward, self.hidden),
            "ffn_up": (self.feed_forward, self.hidden),
            "ffn_down": (self.hidden, self.feed_forward),
        }
        return shapes.get(name, (self.hidden,))


def read_shape(config: Mapping[str, Any]) -> LlamaShape:
    """Read ``config.json``.

    Raises:
        NotBuiltYetError: The family or its rope is one that a later release exports.
        FormatError: A key is missing or its value cannot be.
    """
    family = config.get("model_type")
    if family not in FAMILIES:
        raise NotBuiltYetError(
            f"models of type {family!r} cannot be exported to GGUF yet; "
            f"there is {' and '.join(FAMILIES)}"
        )
    if config.get("hidden_act", "silu") != "silu":
        raise FormatError(f"llama.cpp has silu for {family}, not {config['hidden_act']!r}")
    hidden, heads = _size(config, "hidden_size"), _size(config, "num_attention_heads")
    context = _size(config, "max_position_embeddings")
    base, scale = _rope(config)
    shape = LlamaShape(
        vocab_size=_size(config, "vocab_size"),
        context=min(context, config.get("sliding_window") or context),
        hidden=hidden,
        layers=_size(config, "num_hidden_layers"),
        feed_forward=_size(config, "intermediate_size"),
        heads=heads,
        kv_heads=_size(config, "num_key_value_heads", heads),
        head_dim=_size(config, "head_dim", hidden // heads),
        norm_epsilon=float(config.get("rms_norm_eps", 1e-6)),
        rope_base=base,
        rope_scale=scale,
        tied=bool(config.get("tie_word_embeddings", False)),
        biases=frozenset(kind for kind in ("attention", "mlp") if config.get(f"{kind}_bias")),
    )
    if shape.heads % shape.kv_heads or shape.head_dim % 2:
        raise FormatError(
            f"{shape.heads} heads of {shape.head_dim} over {shape.kv_heads} key-value heads: the "
            "first must be a multiple of the last, and the size even"
        )
    return shape


def _size(config: Mapping[str, Any], key: str, default: int | None = None) -> int:
    value = config.get(key)
    value = default if value is None else value
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise FormatError(f"config.json: {key} is {value!r}, it must be a positive integer")
    return value


def _rope(config: Mapping[str, Any]) -> tuple[float, float]:
    rope = config.get("rope_parameters") or {}
    scaling = config.get("rope_scaling") or {}
    base = rope.get("rope_theta") or config.get("rope_theta") or 10_000.0
    kind = rope.get("rope_type") or scaling.get("rope_type") or scaling.get("type") or "default"
    if kind == "default":
        return float(base), 1.0
    if kind == "linear":
        return float(base), float(rope.get("factor") or scaling["factor"])
    raise NotBuiltYetError(
        f"rope scaling {kind!r} cannot be exported to GGUF yet; there is default and linear"
    )


def tensors(weights: Weights, shape: LlamaShape, kind: TensorType) -> list[Tensor]:
    """List the tensors to write; nothing is read before the writer asks.

    Matrices are stored as `kind`; norms and biases stay F32. A matrix whose rows do not hold whole
    blocks is stored as F16, as llama.cpp does.

    Raises:
        FormatError: The weights lack a tensor, have one more, or one has another shape.
    """
    sources = shape.sources()
    _check_names(weights, shape, {name for name, _ in sources.values()})
    listed = []
    for ours, (theirs, expected) in sources.items():
        if weights.shape(theirs) != expected:
            raise FormatError(
                f"{theirs} has shape {weights.shape(theirs)}, config.json says {expected}"
            )
        stored = stored_type(expected, kind)
        encode = partial(_encode, weights, shape, theirs, stored)
        listed.append(Tensor(ours, expected, stored, encode))
    return listed


def stored_type(shape: tuple[int, ...], kind: TensorType) -> TensorType:
    """The type a tensor is stored as when `kind` was asked for."""
    if len(shape) == 1:
        return TensorType.F32
    return TensorType.F16 if shape[-1] % kind.block.n_values else kind


def _check_names(weights: Weights, shape: LlamaShape, wanted: set[str]) -> None:
    held = set(weights.names())
    if missing := sorted(wanted - held):
        raise FormatError(f"the weights lack {missing[0]} ({len(missing)} missing)")
    extra = {name for name in held - wanted if not name.endswith("rotary_emb.inv_freq")}
    if shape.tied:
        extra.discard("lm_head.weight")
    if extra:
        raise FormatError(
            f"the weights hold {min(extra)}, which config.json does not describe "
            f"({len(extra)} such tensors)"
        )


def _encode(weights: Weights, shape: LlamaShape, name: str, kind: TensorType) -> Bytes:
    values = weights.read(name)
    if ".q_proj." in name:
        values = permute_rope(values, shape.heads)
    elif ".k_proj." in name:
        values = permute_rope(values, shape.kv_heads)
    return quantize(values, kind, name)


def permute_rope(values: npt.NDArray[Any], heads: int) -> npt.NDArray[Any]:
    """Reorder the rows of a q or k projection from half-and-half to neighbouring rotary pairs.

    Args:
        values: ``[heads * head_dim, ...]``.
        heads: Query heads, or key-value heads for k.
    """
    halves = values.reshape(heads, 2, values.shape[0] // heads // 2, *values.shape[1:])
    return np.swapaxes(halves, 1, 2).reshape(values.shape)
