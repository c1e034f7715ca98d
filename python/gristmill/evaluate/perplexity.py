"""Perplexity and bits per byte, as the trainer measures its validation loss.

Rows are read with plain causal attention, positions 0 to T-1, in fp32, so
``AutoModelForCausalLM.from_pretrained(model)(input_ids=rows)`` and a cross-entropy over the labels
give the same number. Bits per byte divide by the UTF-8 bytes of the predicted tokens (an end token
spells none), so models with different tokenizers can be compared.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gristmill.errors import RecipeError
from gristmill.evaluate.rows import IGNORED, Array, Rows, read
from gristmill.progress import progress
from gristmill.tokenizer import Tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel

LONGEST_ROW = 2048
"""Rows that files are packed into are as long as the model reads, up to this."""


def perplexity(model: str | Path, data: str | Path, batch_rows: int = 8) -> dict[str, Any]:
    """Measure how well a model predicts text.

    Args:
        model: A Hugging Face directory with the tokenizer.
        data: A corpus directory (its validation split), shards or one of their splits, a JSONL
            file (its ``text``), or any other file as one text.
        batch_rows: Rows in a forward pass; changes nothing but speed and memory.

    Returns:
        ``loss`` (nats per predicted token), ``perplexity`` and ``bits_per_byte``, each with its
        standard error over rows (``loss_stderr``, …; None for a single row); ``tokens`` and
        ``bytes`` predicted; ``rows``; ``data``.

    Raises:
        RecipeError: There is no model or no text.
        IntegrityError: Shards are damaged.
    """
    folder = Path(model)
    if not (folder / "config.json").is_file():
        raise RecipeError(f"{folder} is no model directory: it has no config.json")
    tokenizer = Tokenizer.load(folder)
    loaded = _load(folder)
    rows = read(Path(data), tokenizer, _row_length(loaded))
    nats, n_tokens = row_sums(loaded, rows, batch_rows)
    n_bytes = row_bytes(rows, tokenizer)
    return _summary(nats, n_tokens, n_bytes) | {"data": rows.where}


def _load(folder: Path) -> PreTrainedModel:
    import torch
    from transformers import AutoModelForCausalLM

    from gristmill.train.model import quiet_transformers

    quiet_transformers()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, local_files_only=True, use_safetensors=True
    )
    return model.to(device).eval()


def _row_length(model: PreTrainedModel) -> int:
    return min(int(getattr(model.config, "max_position_embeddings", LONGEST_ROW)), LONGEST_ROW)


def row_sums(model: PreTrainedModel, rows: Rows, batch_rows: int) -> tuple[Array, Array]:
    """Summed loss in nats, ``float64[n]``, and predicted tokens, ``int64[n]``, of each row."""
    import torch

    from gristmill.train.model import CausalLoss

    loss = CausalLoss(model).eval()
    nats = []
    with torch.no_grad(), progress("perplexity", len(rows.tokens), "rows") as advance:
        for tokens_BT, labels_BT in rows.batches(batch_rows):
            pair = (torch.from_numpy(array).to(model.device) for array in (tokens_BT, labels_BT))
            nats.append(loss(*pair).double().cpu().numpy())
            advance(len(tokens_BT))
    return np.concatenate(nats), (rows.labels[:, 1:] != IGNORED).sum(axis=1)


def row_bytes(rows: Rows, tokenizer: Tokenizer) -> Array:
    """UTF-8 bytes that the predicted tokens of each row spell, ``int64[n]``; special ones none."""
    special = set(tokenizer.special_tokens.values())
    lengths = np.array(
        [0 if i in special else len(tokenizer.token_bytes(i)) for i in range(tokenizer.vocab_size)]
    )
    predicted = rows.labels[:, 1:]
    spelled = np.where(predicted == IGNORED, 0, lengths[np.maximum(predicted, 0)])
    total: Array = spelled.sum(axis=1)
    return total


def _summary(nats: Array, n_tokens: Array, n_bytes: Array) -> dict[str, Any]:
    loss, loss_error = _ratio(nats, n_tokens)
    bits, bits_error = _ratio(nats / math.log(2), n_bytes)
    value = math.exp(min(loss, 700))
    return {
        "loss": loss,
        "perplexity": value,
        "bits_per_byte": bits,
        "loss_stderr": loss_error,
        "perplexity_stderr": None if loss_error is None else value * loss_error,
        "bits_per_byte_stderr": bits_error,
        "tokens": int(n_tokens.sum()),
        "bytes": int(n_bytes.sum()),
        "rows": len(nats),
    }


def _ratio(above: Array, below: Array) -> tuple[float, float | None]:
    """A ratio of sums over rows, and its standard error (linearized; Cochran 1977, section 6.4)."""
    ratio = float(above.sum() / below.sum())
    n = len(above)
    if n < 2:
        return ratio, None
    residual = above - ratio * below
    error = math.sqrt(n / (n - 1) * float((residual**2).sum())) / float(below.sum())
    return ratio, error
