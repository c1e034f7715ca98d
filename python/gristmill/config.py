"""YAML in, checked options out: unknown keys are refused with a suggestion, sizes have units.

Shared by the build and the training recipes, so that both refuse and help in the same words.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, TypeVar, overload

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from gristmill.errors import RecipeError
from gristmill.files import canonical_json

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_UNITS |= {f"{unit}i": 2 ** (10 * power) for power, unit in enumerate("KMGT", start=1)}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?i?)B?\s*", re.IGNORECASE)


class Options(BaseModel):
    """A mapping of a recipe; keys that it does not know are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


@overload
def parse_bytes(size: str) -> int: ...
@overload
def parse_bytes(size: object) -> object: ...
def parse_bytes(size: object) -> object:
    """Turn ``"2GB"`` or ``"4GiB"`` into bytes; numbers pass through.

    >>> parse_bytes("4KiB"), parse_bytes("1.5 MB"), parse_bytes(7)
    (4096, 1500000, 7)
    """
    if not isinstance(size, str):
        return size
    match = _SIZE.fullmatch(size)
    if match is None:
        raise ValueError(f"{size!r} is not a size; write a number with a unit, like 500MB or 4GiB")
    number, unit = match.groups()
    return int(float(number) * _UNITS[unit[:1].upper() + unit[1:].lower()])


Bytes = Annotated[int, BeforeValidator(parse_bytes)]
"""A number of bytes, given as a number or with a unit."""

Model = TypeVar("Model", bound=BaseModel)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read the mapping in a YAML file.

    Raises:
        RecipeError: The file is missing, unreadable, not YAML, or not a mapping.
    """
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecipeError(f"{path}: no such recipe; `gristmill init text` writes one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise RecipeError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(value, dict):
        raise RecipeError(f"{path}: expected keys with values, found {type(value).__name__}")
    return value


def override(data: dict[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """Apply ``a.b=value`` settings (values in YAML) to a copy of `data`.

    >>> override({"pack": {"seq_len": 8}}, ["pack.seq_len=16", "seed=3"])
    {'pack': {'seq_len': 16}, 'seed': 3}
    """
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key:
            raise RecipeError(f"--set {setting}: expected KEY=VALUE, like pack.seq_len=1024")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise RecipeError(f"--set {setting}: the value is not YAML: {error}") from None
        data = _with(data, key.split("."), value, setting)
    return data


def _with(data: Any, keys: list[str], value: Any, setting: str) -> Any:
    if not keys:
        return value
    if isinstance(data, list):
        if not keys[0].isdigit() or int(keys[0]) >= len(data):
            raise RecipeError(
                f"--set {setting}: {keys[0]!r} is no position in a list of {len(data)}"
            )
        position = int(keys[0])
        changed = _with(data[position], keys[1:], value, setting)
        return [*data[:position], changed, *data[position + 1 :]]
    known = data if isinstance(data, dict) else {}
    return {**known, keys[0]: _with(known.get(keys[0], {}), keys[1:], value, setting)}


def check(model: type[Model], data: Mapping[str, Any], where: str) -> Model:
    """Validate `data` as `model`.

    Raises:
        RecipeError: One line per fault, each with its key and, for an unknown key, the nearest known.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        faults = [_fault(model, dict(fault), where) for fault in error.errors()]
        raise RecipeError("\n".join(faults)) from None


def _fault(model: type[BaseModel], fault: dict[str, Any], where: str) -> str:
    keys = [str(key) for key in fault["loc"]]
    place = f"{where}: {'.'.join(keys)}" if keys else where
    if fault["type"] == "extra_forbidden":
        known = _known_keys(model, keys[:-1])
        return f"{where}: unknown key {'.'.join(keys)!r}; {suggest(keys[-1], known)}"
    if fault["type"] == "missing":
        return f"{place}: missing, and it has no default"
    message = fault["msg"].removeprefix("Value error, ")
    given = f" (given {fault['input']!r})" if isinstance(fault["input"], str | int | float) else ""
    return f"{place}: {message[:1].lower()}{message[1:]}{given}"


def suggest(key: str, known: Iterable[str]) -> str:
    """Say which known key was probably meant.

    >>> suggest("seq_length", ["seq_len", "validation"])
    "did you mean 'seq_len'?"
    """
    known = list(known)
    near = get_close_matches(key, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"


def _known_keys(model: type[BaseModel], path: list[str]) -> list[str]:
    """Keys of the mapping at `path` below `model`."""
    for key in path:
        field = _fields_by_key(model).get(key)
        if field is None:
            continue  # a position in a list
        found = _model_in(field.annotation)
        if found is None:
            return []
        model = found
    return list(_fields_by_key(model))


def _fields_by_key(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a model by the key that a recipe gives them."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        if (found := _model_in(part)) is not None:
            return found
    return None


def fingerprint(value: Any) -> str:
    """128-bit BLAKE2b of the canonical JSON of `value`, in hex."""
    return hashlib.blake2b(canonical_json(value), digest_size=16).hexdigest()
