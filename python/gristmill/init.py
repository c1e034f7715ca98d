"""``gristmill init``: a commented recipe, rendered from the recipe's own schema.

Every key, default and remark comes from `recipe`, so what is written is always accepted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from gristmill.config import suggest
from gristmill.errors import NotBuiltYetError, RecipeError
from gristmill.files import atomic_write
from gristmill.recipe import Recipe, SourceOptions

_PROSE: dict[str, Any] = {
    "normalize": {},
    "language": {"keep": ["en"]},
    "quality": {"rules": ["gopher", "c4", "fineweb"]},
    "toxicity": {},
    "dedup": {"documents": {}, "near": {}, "substrings": {}},
    "pii": {},
    "tokenizer": {"vocab_size": 32_000, "pattern": "gpt2"},
    "pack": {"seq_len": 2048},
    "index": {},
    "card": {},
}

KINDS: dict[str, dict[str, Any]] = {
    "web": {
        "sources": [
            {"name": "web", "path": "data/*.warc.gz", "license": "NOASSERTION", "on_bad": "repair"}
        ],
        "extract": {"mode": "auto"},
        **_PROSE,
    },
    "text": {
        "sources": [{"name": "text", "path": "data/*.jsonl*", "license": "NOASSERTION"}],
        **_PROSE,
    },
    "code": {
        "sources": [
            {"name": "code", "path": "data/repos", "format": "code", "license": "NOASSERTION"}
        ],
        "normalize": {},
        "dedup": {"documents": {}, "near": {}},
        "pii": {"mask": ["email", "ip", "secret"]},
        "tokenizer": {"vocab_size": 32_000, "pattern": "cl100k"},
        "pack": {"seq_len": 2048},
        "index": {},
        "card": {},
    },
}
"""What each kind of recipe starts with; options that are not given are written as remarks."""

LATER = ("sft",)


def write_recipe(kind: str, path: Path | None = None) -> Path:
    """Write the recipe of a kind.

    Raises:
        RecipeError: There is no such kind, or `path` exists already.
    """
    if kind in LATER:
        raise NotBuiltYetError(f"gristmill init {kind} is not built yet; use web, text or code")
    if kind not in KINDS:
        raise RecipeError(f"there is no recipe {kind!r}; {suggest(kind, [*KINDS, *LATER])}")
    target = path or Path(f"{kind}.yaml")
    if target.is_dir():
        target = target / f"{kind}.yaml"
    if target.exists():
        raise RecipeError(f"{target} exists already; give another name, or remove it first")
    with atomic_write(target) as file:
        file.write(render(kind).encode())
    return target


def render(kind: str) -> str:
    """The text of the recipe of a kind."""
    lines = [
        f"# A Gristmill recipe for {kind}. Stages run in this order; remove one and it does not run.",
        "# Paths are relative to this file. Check it: gristmill build THIS --dry-run",
        f"name: my-{kind}",
        f"seed: {Recipe.model_fields['seed'].default}",
        "sources:",
    ]
    for source in KINDS[kind]["sources"]:
        lines += _mapping(SourceOptions, source, "    ", first="  - ")
    for stage, given in KINDS[kind].items():
        if stage != "sources":
            model = _model_of(stage)
            lines.append(f"# {_summary(model)}")
            lines.append(f"{stage}: {'' if given or model.model_fields else '{}'}".rstrip())
            lines += _mapping(model, given, "  ")
    lines += ["# Bounds of the run.", "limits:"]
    lines += _mapping(_model_of("limits"), {"memory": "8GiB", "max_bad_fraction": 0.001}, "  ")
    return "\n".join(lines) + "\n"


def _model_of(stage: str) -> type[BaseModel]:
    annotation: Any = Recipe.model_fields[stage].annotation
    options = getattr(annotation, "__args__", (annotation,))
    model: type[BaseModel] = options[0]
    return model


def _summary(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().splitlines()[0]


def _mapping(
    model: type[BaseModel], given: dict[str, Any], indent: str, first: str | None = None
) -> list[str]:
    """Lines for every key of `model`: the given ones, and the others as remarks."""
    lines = []
    for name, field in model.model_fields.items():
        remark = f"   # {' '.join(field.description.split())}" if field.description else ""
        default = field.get_default(call_default_factory=True)
        if name in given:
            lines.append(f"{first or indent}{name}: {_flow(given[name])}{remark}")
            first = None
        else:
            lines.append(f"{indent}# {name}: {_flow(default)}{remark}")
    if lines and all(line.lstrip().startswith("#") for line in lines):
        lines.insert(0, f"{indent}{{}}")
    return lines


def _flow(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000).strip()
    return text.removesuffix("\n...").strip()
