"""The model: a transformers decoder with fresh or given weights, and the loss of its rows.

Letters in names: B rows, T tokens, V vocabulary. Rows are read as they are packed: plain causal
attention over the whole row, positions 0 to T-1, so attention may look across a document's start
(as GPT-3 and Llama were trained). `transformers` alone computes the same number from the same
rows; passing restarted ``position_ids`` instead would make transformers 5 switch to block-diagonal
attention by itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gristmill.errors import RecipeError
from gristmill.train.recipe import ModelOptions

_CHUNK = 64  # tokens: 2 MiB of fp32 at 8,192 tokens of vocabulary

IGNORED = -100
"""The label of a token that is not predicted: a document's first, and padding."""


def quiet_transformers() -> None:
    """Keep transformers' own bars and hints out of our progress."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()


def build(
    options: ModelOptions, seq_len: int, vocab_size: int, end_token_id: int, seed: int
) -> Any:
    """A transformers causal language model in fp32, its weights a function of `seed` alone.

    Raises:
        RecipeError: `from` is no model directory, or its vocabulary is smaller than the data's.
    """
    from transformers import AutoModelForCausalLM

    quiet_transformers()
    if options.source is not None:
        return _pretrained(options.source, vocab_size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = _config(options, seq_len, vocab_size, end_token_id)
        return AutoModelForCausalLM.from_config(config, dtype=torch.float32)


def _config(options: ModelOptions, seq_len: int, vocab_size: int, end_token_id: int) -> Any:
    from transformers import GPT2Config, LlamaConfig

    tokens = {"bos_token_id": end_token_id, "eos_token_id": end_token_id, "pad_token_id": None}
    width = options.hidden_size
    if options.family == "gpt2":
        return GPT2Config(
            vocab_size=vocab_size,
            n_positions=seq_len,
            n_embd=width,
            n_layer=options.layers,
            n_head=options.heads,
            n_inner=options.intermediate_size or 4 * width,
            tie_word_embeddings=options.tie_embeddings,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            **tokens,
        )
    return LlamaConfig(
        vocab_size=vocab_size,
        max_position_embeddings=seq_len,
        hidden_size=width,
        num_hidden_layers=options.layers,
        num_attention_heads=options.heads,
        num_key_value_heads=options.kv_heads or options.heads,
        intermediate_size=options.intermediate_size or -(-8 * width // 3 // 64) * 64,
        tie_word_embeddings=options.tie_embeddings,
        **tokens,
    )


def _pretrained(source: Path, vocab_size: int) -> Any:
    from transformers import AutoModelForCausalLM

    if not (source / "config.json").is_file():
        raise RecipeError(
            f"model.from: {source} is no Hugging Face directory: it has no config.json"
        )
    try:
        model = AutoModelForCausalLM.from_pretrained(
            source, dtype=torch.float32, local_files_only=True, use_safetensors=True
        )
    except (OSError, ValueError) as error:
        raise RecipeError(f"model.from: {source} cannot be loaded: {error}") from None
    if model.config.vocab_size < vocab_size:
        raise RecipeError(
            f"model.from: {source} knows {model.config.vocab_size} tokens, the data has "
            f"{vocab_size}; encode the corpus with this model's tokenizer"
        )
    return model


class CausalLoss(nn.Module):
    """A causal language model that answers with the summed loss of each row.

    The sum, not the mean: the mean over a global batch is over its tokens, which only the loop
    knows. Training passes run under bf16 autocast when asked; validation always in fp32, so that
    its number is the one that any other program gets from the saved weights.
    """

    def __init__(self, model: nn.Module, bf16: bool = False) -> None:
        super().__init__()
        self.model = model
        self.bf16 = bf16

    def forward(self, tokens_BT: Tensor, labels_BT: Tensor) -> Tensor:
        """Negative log-likelihood in nats, summed over each row's labels: ``float32[B]``."""
        with torch.autocast(tokens_BT.device.type, torch.bfloat16, self.bf16 and self.training):
            logits_BTV = self.model(input_ids=tokens_BT, use_cache=False).logits
        return row_losses(logits_BTV, labels_BT)


def row_losses(logits_BTV: Tensor, labels_BT: Tensor) -> Tensor:
    """Negative log-likelihood in nats of ``labels[:, 1:]``, summed over each row: ``float32[B]``."""
    targets_BT = torch.full_like(labels_BT, IGNORED)
    targets_BT[:, :-1] = labels_BT[:, 1:]
    losses_N: Tensor = _TokenLosses.apply(logits_BTV.flatten(0, 1), targets_BT.flatten())
    return losses_N.view(labels_BT.shape).sum(dim=1)


class _TokenLosses(torch.autograd.Function):
    """Cross-entropy of each token in fp32, its gradient made in the same pass, chunk by chunk.

    `F.cross_entropy` keeps three copies of the logits in fp32 and walks them five times, which is
    a third of a small model's step on a CPU; a chunk that stays in the cache is walked once.
    `reference_token_losses` is the slow twin.
    """

    @staticmethod
    def forward(ctx: Any, logits_NV: Tensor, targets_N: Tensor) -> Tensor:
        losses_N = torch.empty(len(targets_N), device=logits_NV.device)
        wants = ctx.needs_input_grad[0]
        gradient_NV = torch.empty_like(logits_NV) if wants else None
        for start in range(0, len(targets_N), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            scores = logits_NV[chunk].float()
            predicted = targets_N[chunk] != IGNORED
            target = targets_N[chunk].where(predicted, 0)[:, None]
            total = scores.logsumexp(dim=1, keepdim=True)
            losses_N[chunk] = (total - scores.gather(1, target))[:, 0] * predicted
            if gradient_NV is not None:
                share = (scores - total).exp_()
                share.scatter_add_(1, target, torch.full_like(total, -1.0))
                gradient_NV[chunk] = share.mul_(predicted[:, None])
        if gradient_NV is not None:
            ctx.save_for_backward(gradient_NV)
        return losses_N

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient_NV,) = ctx.saved_tensors
        return gradient_NV * gradients[0][:, None].to(gradient_NV.dtype), None


def reference_token_losses(logits_NV: Tensor, targets_N: Tensor) -> Tensor:
    """What `_TokenLosses` computes, by torch's own function: ``float32[N]``."""
    return F.cross_entropy(logits_NV.float(), targets_N, ignore_index=IGNORED, reduction="none")


def n_targets(labels_BT: Tensor) -> Tensor:
    """How many tokens of each row are predicted: ``int64[B]``."""
    return (labels_BT[:, 1:] != IGNORED).sum(dim=1)


def decay_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """AdamW's parameter groups: matrices decay; norms, biases and embeddings do not."""
    embeddings = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, nn.Embedding)
        for parameter in module.parameters()
    }
    groups: dict[bool, list[nn.Parameter]] = {True: [], False: []}
    for parameter in model.parameters():
        if parameter.requires_grad:
            groups[parameter.ndim >= 2 and id(parameter) not in embeddings].append(parameter)
    return [
        {"params": groups[True], "weight_decay": weight_decay},
        {"params": groups[False], "weight_decay": 0.0},
    ]
