"""Very small Llama models with real tokenizers, made on the spot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

END = "<|endoftext|>"

TEXTS = [
    "The miller's wheel turns, and the grist comes out as flour; it doesn't stop at 12 o'clock.",
    "def grind(grain: list[str]) -> str:\n    return ''.join(g.lower() for g in grain)\n",
    "Größe, naïveté, слово, 言葉 and 🌾 are words too.\n\n\tTabs, and   runs of spaces.  \n",
    "A stone on a stone makes meal, and meal on a fire makes bread.",
]


def write_tokenizer(folder: Path, vocab_size: int = 512) -> None:
    """Train a byte-level BPE tokenizer on `TEXTS` and write its two files."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": END})
    )


def llama_config(**changes: Any) -> dict[str, Any]:
    """The ``config.json`` of a very small Llama with two query heads for each key-value head."""
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": 512,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "rms_norm_eps": 1e-6,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
        "tie_word_embeddings": True,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "dtype": "float32",
    }
    return config | changes


def llama_weights(config: dict[str, Any], seed: int = 7) -> dict[str, Any]:
    """Random float32 weights that fit `config`, by Hugging Face name."""
    rng = np.random.default_rng(seed)
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    head = config.get("head_dim") or hidden // config["num_attention_heads"]
    queries, keys = config["num_attention_heads"] * head, config["num_key_value_heads"] * head
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (config["vocab_size"], hidden),
        "model.norm.weight": (hidden,),
    }
    if not config["tie_word_embeddings"]:
        shapes["lm_head.weight"] = (config["vocab_size"], hidden)
    for layer in range(config["num_hidden_layers"]):
        parts = {
            "input_layernorm": (hidden,),
            "post_attention_layernorm": (hidden,),
            "self_attn.q_proj": (queries, hidden),
            "self_attn.k_proj": (keys, hidden),
            "self_attn.v_proj": (keys, hidden),
            "self_attn.o_proj": (hidden, queries),
            "mlp.gate_proj": (inner, hidden),
            "mlp.up_proj": (inner, hidden),
            "mlp.down_proj": (hidden, inner),
        }
        for part, shape in parts.items():
            shapes[f"model.layers.{layer}.{part}.weight"] = shape
            if len(shape) == 2 and config.get(f"{_block(part)}_bias"):
                shapes[f"model.layers.{layer}.{part}.bias"] = shape[:1]
    return {
        name: (0.2 * rng.standard_normal(shape) + (len(shape) == 1)).astype(np.float32)
        for name, shape in shapes.items()
    }


def _block(part: str) -> str:
    return "attention" if part.startswith("self_attn") else "mlp"


def write_llama(folder: Path, **changes: Any) -> Path:
    """Write a whole Hugging Face directory with random weights."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    config = llama_config(**changes)
    (folder / "config.json").write_text(json.dumps(config))
    save_file(llama_weights(config), folder / "model.safetensors", metadata={"format": "pt"})
    write_tokenizer(folder)
    return folder


def weights_of(folder: Path) -> dict[str, Any]:
    """The weights that `write_llama` gave a model, by Hugging Face name."""
    return llama_weights(json.loads((folder / "config.json").read_text()))
