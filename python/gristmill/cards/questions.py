"""The 52 questions of "Datasheets for Datasets", and a person's answers to them.

Gebru et al., arXiv:1803.09010, version 7; the wording is ours (``questions.yaml``).
``answers.yaml`` holds what only a person can say: a mapping ``dataset`` about the whole, and one
mapping per section from question key to answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from gristmill.errors import RecipeError

TEXT_KEYS = [
    "pretty_name",
    "summary",
    "version",
    "url",
    "license",
    "license_link",
    "citation",
    "contact",
    "date_published",
]
LIST_KEYS = ["creators", "keywords", "task_categories"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question: `number` counts from 1 to 52, `name` is ``section.key``."""

    number: int
    section: str
    key: str
    ask: str
    measured: bool = False
    required: bool = False

    @property
    def name(self) -> str:
        """``section.key``."""
        return f"{self.section}.{self.key}"


@dataclass(frozen=True, slots=True)
class Section:
    """One of the seven sections."""

    key: str
    title: str
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Answers:
    """What a person said.

    Attributes:
        dataset: About the whole: `pretty_name`, `summary`, `license`, `creators` …
        by_question: ``section.key`` -> answer; blank answers are left out.
    """

    dataset: dict[str, Any]
    by_question: dict[str, str]


NO_ANSWERS = Answers({}, {})


@cache
def sections() -> tuple[Section, ...]:
    """The seven sections with their 52 questions, in the paper's order."""
    text = resources.files("gristmill.cards").joinpath("questions.yaml").read_text("utf-8")
    found, number = [], 0
    for entry in yaml.safe_load(text):
        questions = []
        for item in entry["questions"]:
            number += 1
            questions.append(Question(number=number, section=entry["section"], **item))
        found.append(Section(entry["section"], entry["title"], tuple(questions)))
    return tuple(found)


def load_answers(path: Path | str) -> Answers:
    """Read ``answers.yaml``.

    Raises:
        RecipeError: The file is missing, no YAML mapping, or has a key that is no question.
    """
    path = Path(path)
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        raise RecipeError(
            f"{path} does not exist; give the answers' file or leave it out"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    return parse_answers(data, str(path))


def parse_answers(data: Any, where: str = "answers") -> Answers:
    """Check the mapping of an answers' file; unknown keys are refused with a suggestion."""
    if data is None:
        return NO_ANSWERS
    table = _mapping(data, where)
    known = {section.key: [q.key for q in section.questions] for section in sections()}
    _refuse_unknown(table, ["dataset", *known], where)
    answers = {}
    for section, keys in known.items():
        given = _mapping(table.get(section) or {}, f"{where}: {section}")
        _refuse_unknown(given, keys, f"{where}: {section}")
        for key in keys:
            if (text := _text(given.get(key), f"{where}: {section}.{key}")) is not None:
                answers[f"{section}.{key}"] = text
    return Answers(_dataset(table.get("dataset") or {}, f"{where}: dataset"), answers)


def _dataset(data: Any, where: str) -> dict[str, Any]:
    given = _mapping(data, where)
    _refuse_unknown(given, [*TEXT_KEYS, *LIST_KEYS], where)
    found: dict[str, Any] = {}
    for key in TEXT_KEYS:
        if (text := _text(given.get(key), f"{where}.{key}")) is not None:
            found[key] = text
    for key in LIST_KEYS:
        items = given.get(key) or []
        if not isinstance(items, list):
            raise RecipeError(f"{where}.{key} = {items!r}: expected a list of texts")
        if items:
            found[key] = [str(item) for item in items]
    return found


def _mapping(data: Any, where: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise RecipeError(f"{where}: expected a mapping, got {type(data).__name__}")
    return data


def _text(given: Any, where: str) -> str | None:
    if isinstance(given, dict | list):
        raise RecipeError(f"{where}: expected a text, got {type(given).__name__}")
    return None if given is None else (str(given).strip() or None)


def _refuse_unknown(given: dict[str, Any], known: list[str], where: str) -> None:
    for key in given:
        if key not in known:
            near = get_close_matches(str(key), known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
            raise RecipeError(f"{where} has no key {key!r}; {hint}")
