"""Read the JSON files of a Hugging Face model directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gristmill.errors import FormatError, RecipeError

CONFIG, TOKENIZER, TOKENIZER_CONFIG = "config.json", "tokenizer.json", "tokenizer_config.json"


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; a file that is not there counts as an empty one.

    Raises:
        FormatError: The file is not JSON, or not an object.
    """
    if not path.is_file():
        return {}
    try:
        loaded = json.loads(path.read_bytes())
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise FormatError(f"{path} is not JSON: {error}") from None
    if not isinstance(loaded, dict):
        raise FormatError(f"{path} holds no JSON object but a {type(loaded).__name__}")
    return loaded


def need_json(model_dir: Path, name: str) -> dict[str, Any]:
    """Read a JSON object that a model directory must have.

    Raises:
        RecipeError: The file is missing.
        FormatError: As `read_json`.
    """
    if not (model_dir / name).is_file():
        raise RecipeError(
            f"{model_dir} has no {name}; give the folder of a Hugging Face model "
            "(a run keeps it in model/)"
        )
    return read_json(model_dir / name)
