"""The Hugging Face directory at the end of a run, with its model card and its lineage."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

from torch import Tensor

from gristmill.files import sync_folder, write_json
from gristmill.train.data import TrainingData
from gristmill.train.recipe import TrainRecipe

LINEAGE = "gristmill.json"
MANY = 20  # licenses that the card lists by name


def write(
    recipe: TrainRecipe,
    data: TrainingData,
    config: Any,
    weights: dict[str, Tensor],
    state: dict[str, Any],
) -> Path:
    """Write ``model/``: it takes its name when it is whole.

    Args:
        recipe: The run's recipe.
        data: What it was trained on.
        config: The transformers config of the model.
        weights: Its parameters by name, fp32, whole.
        state: How the run went: `loop.State` as a dict.
    """
    final = recipe.out / "model"
    partial = recipe.out / ".model.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    _write_weights(partial, config, weights)
    data.copy_tokenizer(partial)
    lineage = _lineage(recipe, data, state)
    write_json(partial / LINEAGE, lineage)
    card = _card(lineage, sum(tensor.numel() for tensor in weights.values()), data, recipe)
    (partial / "README.md").write_text(card, encoding="utf-8")
    sync_folder(partial)
    if final.exists():
        shutil.rmtree(final)
    partial.rename(final)
    sync_folder(recipe.out)
    return final


def _write_weights(folder: Path, config: Any, weights: dict[str, Tensor]) -> None:
    """``config.json``, ``model.safetensors``, ``generation_config.json``, by transformers itself."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng(devices=[]):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(weights[name])
    model.generation_config.bos_token_id = config.bos_token_id
    model.generation_config.eos_token_id = config.eos_token_id
    model.save_pretrained(folder)


def _lineage(recipe: TrainRecipe, data: TrainingData, state: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": recipe.name,
        "recipe_fingerprint": recipe.fingerprint(),
        "data_fingerprint": data.fingerprint,
        "corpus_recipe_fingerprint": data.manifest["recipe_fingerprint"],
        "merkle_root": data.manifest["merkle_root"],
        "steps": state["step"],
        "tokens": state["samples_seen"] * data.seq_len,
        "validation_loss_before": state["validation_first"],
        "validation_loss_after": state["validation_last"],
        "license_tokens": {row["license"]: row["tokens"] for row in data.license_tokens},
    }


def _card(lineage: dict[str, Any], parameters: int, data: TrainingData, recipe: TrainRecipe) -> str:
    header = {
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["gristmill", "causal-lm"],
    }
    yaml = "\n".join(f"{key}: {json.dumps(value)}" for key, value in header.items())
    return f"""---
{yaml}
---

# {recipe.name}

A language model of {parameters:,} parameters, trained by Gristmill on a corpus whose every document
is on record.

| | |
|---|---|
| Data fingerprint | `{lineage["data_fingerprint"]}` |
| Merkle root of the shards | `{lineage["merkle_root"]}` |
| Recipe of the corpus | `{lineage["corpus_recipe_fingerprint"]}` |
| Training recipe | `{lineage["recipe_fingerprint"]}` |
| Steps | {lineage["steps"]:,} |
| Tokens read | {lineage["tokens"]:,}, in rows of {data.seq_len:,} |
| Validation loss before | {_loss(lineage["validation_loss_before"])} |
| Validation loss after | {_loss(lineage["validation_loss_after"])} |

Rows are read with causal attention over the whole row, across the documents packed in it; the first
token of a document is not predicted. The losses are means over the predicted tokens of the validation
split, in nats, computed in fp32.

## Licenses of the training data

By token, of the documents of both splits; what a document declares, not a legal finding.

| License | Documents | Tokens | Share |
|---|---:|---:|---:|
{_license_rows(data)}

## Recipe

```json
{json.dumps(recipe.resolved() | {"data": recipe.data.name, "out": recipe.out.name}, indent=2)}
```
"""


def _loss(loss: float | None) -> str:
    if loss is None:
        return "not measured: the corpus has no validation rows"
    return f"{loss:.4f} (perplexity {math.exp(min(loss, 700)):,.2f})"


def _license_rows(data: TrainingData) -> str:
    rows = data.license_tokens
    n_tokens = sum(row["tokens"] for row in rows) or 1
    shown = rows[:MANY]
    if len(rows) > MANY:
        rest = {key: sum(row[key] for row in rows[MANY:]) for key in ("documents", "tokens")}
        shown = [*shown, {"license": f"{len(rows) - MANY} others", **rest}]
    return "\n".join(
        f"| {row['license'].replace('|', '/')} | {row['documents']:,} | {row['tokens']:,} | "
        f"{row['tokens'] / n_tokens:.1%} |"
        for row in shown
    )
