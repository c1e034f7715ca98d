"""Renders one measured corpus as its card: dataset card, datasheet, Croissant and figures.

Everything comes from the measured data and the answers of a person; nothing is looked up, and the
same input gives the same bytes. Text that came with the documents is escaped for the format it
lands in: autoescaping in HTML, `wording.markdown` for every expression in Markdown.
"""

# ruff: noqa: S701 - each environment below escapes, and Markup is what it escaped itself

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from gristmill.cards import figures
from gristmill.cards.croissant import croissant
from gristmill.cards.evidence import Evidence, measured_answer
from gristmill.cards.exhibit import Exhibit
from gristmill.cards.exhibits import exhibits
from gristmill.cards.facts import rows, share, value
from gristmill.cards.groups import NOT_JUDGED
from gristmill.cards.hub import hub_header
from gristmill.cards.limits import known_limits
from gristmill.cards.measure import measure
from gristmill.cards.questions import NO_ANSWERS, Answers, Question, load_answers, sections
from gristmill.cards.wording import bytes_, count, markdown, percent, plural, short, words
from gristmill.files import atomic_write, write_json

FILES_SHOWN = 30
ANSWERS = "answers.yaml"
_CODE = re.compile(r"`([^`]+)`")
_WEB = re.compile(r"\bhttps?://[A-Za-z0-9./_~%?=:@#+-]*[A-Za-z0-9/]")


@dataclass(frozen=True, slots=True)
class Entry:
    """A question with what is known: measured evidence, a person's answer, both or neither."""

    question: Question
    evidence: Evidence | None
    person: str | None

    @property
    def state(self) -> str:
        """``measured``, ``person``, ``both`` or ``open``."""
        if self.evidence and self.person:
            return "both"
        return "measured" if self.evidence else "person" if self.person else "open"


def entries(m: Mapping[str, Any], answers: Answers) -> list[tuple[str, str, list[Entry]]]:
    """The 52 questions with their answers, by section: (key, title, entries)."""
    found = []
    for section in sections():
        listed = [
            Entry(
                question,
                measured_answer(question.name, dict(m)),
                answers.by_question.get(question.name),
            )
            for question in section.questions
        ]
        found.append((section.key, section.title, listed))
    return found


def completeness(m: Mapping[str, Any], answers: Answers) -> dict[str, Any]:
    """How many of the questions are answered, by what, and which are not."""
    every = [entry for _, _, listed in entries(m, answers) for entry in listed]
    unanswered = [entry.question for entry in every if entry.state == "open"]
    return {
        "questions": len(every),
        "measured": sum(entry.evidence is not None for entry in every),
        "by_a_person": sum(entry.person is not None for entry in every),
        "unanswered": [question.name for question in unanswered],
        "required_unanswered": [question.name for question in unanswered if question.required],
    }


def write_card(corpus: Path | str, answers: Path | str | Answers | None = None) -> dict[str, Any]:
    """Measure a corpus and write its ``card/``.

    Args:
        corpus: The corpus directory.
        answers: What a person said, or the path of ``answers.yaml``; a copy is kept in ``card/``.

    Returns:
        The files written and `completeness`.

    Raises:
        RecipeError: `corpus` or `answers` cannot be used.
    """
    said = load_answers(answers) if isinstance(answers, Path | str) else answers or NO_ANSWERS
    return render(measure(corpus), said, Path(corpus) / "card")


def render(measured: dict[str, Any], answers: Answers | None, card_dir: Path) -> dict[str, Any]:
    """Write every file of the card; returns their names and `completeness`."""
    said = answers or NO_ANSWERS
    shown = exhibits(measured)
    page = _context(measured, said, shown)
    texts = {
        "README.md": hub_header(measured, said)
        + _markdown().get_template("README.md.j2").render(page),
        "datasheet.md": _markdown().get_template("datasheet.md.j2").render(page),
        "datasheet.html": _html().get_template("datasheet.html.j2").render(page),
    }
    for exhibit in shown:
        if exhibit.figure:
            texts[f"figures/{exhibit.figure.name}.svg"] = exhibit.figure.file()
    if said != NO_ANSWERS:
        texts[ANSWERS] = _answers_yaml(said)
    if card_dir.is_dir():
        _remove_stale(card_dir, texts)
    write_json(card_dir / "measured.json", measured)
    write_json(card_dir / "croissant.json", croissant(measured, said))
    for name, text in texts.items():
        with atomic_write(card_dir / name) as file:
            file.write(text.encode())
    files = sorted([*texts, "measured.json", "croissant.json"])
    return {"card": str(card_dir), "files": files, **completeness(measured, said)}


def _remove_stale(card_dir: Path, texts: Mapping[str, str]) -> None:
    """Remove figures and answers of an earlier card that this one does not have."""
    old = [*(card_dir / "figures").glob("*.svg"), card_dir / ANSWERS]
    for path in old:
        if path.relative_to(card_dir).as_posix() not in texts:
            path.unlink(missing_ok=True)
    if not any(name.startswith("figures/") for name in texts):
        shutil.rmtree(card_dir / "figures", ignore_errors=True)


def _answers_yaml(said: Answers) -> str:
    data: dict[str, Any] = {"dataset": said.dataset} if said.dataset else {}
    for name, text in said.by_question.items():
        section, key = name.split(".")
        data.setdefault(section, {})[key] = text
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100)


def _context(m: dict[str, Any], said: Answers, shown: list[Exhibit]) -> dict[str, Any]:
    answered = entries(m, said)
    states = [
        (str(at + 1), [e.state for e in listed]) for at, (_, _, listed) in enumerate(answered)
    ]
    files = rows(m, "files")
    return {
        "m": m,
        "said": said.dataset,
        "name": said.dataset.get("pretty_name") or m["corpus"]["name"],
        "summary": _summary(m),
        "tiles": _tiles(m),
        "exhibits": shown,
        "limits": known_limits(m),
        "sections": answered,
        "complete": completeness(m, said),
        "coverage": Markup(figures.coverage(states)),
        "files": files[:FILES_SHOWN],
        "files_left_out": max(len(files) - FILES_SHOWN, 0),
        "drawing": Markup(figures.DRAWING),
    }


def _summary(m: dict[str, Any]) -> str:
    tokens = value(m, "sizes", "tokens")
    packed = f", {short(tokens)} tokens" if tokens is not None else ""
    documents, sources, licenses = (
        value(m, "sizes", name, default=0) for name in ("documents", "sources", "licenses")
    )
    return (
        f"{plural(documents, 'document')}, {bytes_(value(m, 'sizes', 'bytes'))} of text{packed}, "
        f"from {plural(sources, 'source')} under {plural(licenses, 'license')}."
    )


def _tiles(m: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The headline numbers: (what, number, note)."""
    read, kept = (value(m, "sizes", name, default=0) for name in ("documents_read", "documents"))
    tiles = [
        ("Documents", count(kept), f"of {count(read)} read"),
        ("Kept", percent(share(kept, read)), f"{count(read - kept)} left out"),
        (
            "Text",
            bytes_(value(m, "sizes", "bytes")),
            f"{short(value(m, 'sizes', 'characters'))} characters",
        ),
    ]
    if (tokens := value(m, "sizes", "tokens")) is not None:
        per_token = value(m, "tokenizer", "bytes_per_token")
        tiles.append(("Tokens", short(tokens), f"{per_token:.2f} bytes each" if per_token else ""))
    licenses = value(m, "sizes", "licenses", default=0)
    unstated = sum(
        r["share_documents"] for r in rows(m, "licenses") if r["license"] == "NOASSERTION"
    )
    tiles.append(("Licenses", count(licenses), f"{percent(unstated)} state none"))
    languages = [row for row in rows(m, "languages") if row["documents"]]
    judged = [row for row in languages if row["language"] != NOT_JUDGED]
    if judged:
        top = max(judged, key=lambda row: row["documents"])
        unjudged = sum(row["share_documents"] for row in languages if row not in judged)
        note = f"{percent(unjudged)} not judged" if unjudged else f"mostly {top['language']}"
        tiles.append(("Languages", count(len(judged)), note))
    copies = sum(row["documents"] for row in rows(m, "duplicates"))
    if rows(m, "duplicates"):
        tiles.append(("Copies removed", short(copies), percent(share(copies, read)) + " of read"))
    if found := m.get("personal_data"):
        note = f"in {plural(found['documents'], 'document')}"
        tiles.append(("Personal data found", short(found["found"]), note))
    return tiles


def _html() -> Environment:
    environment = _environment(autoescape=True)
    environment.filters["paragraphs"] = _html_paragraphs
    environment.filters["drawn"] = lambda figure: Markup(figure.inline())
    return environment


def _markdown() -> Environment:
    """Every expression is escaped as Markdown, unless it is marked as such already."""
    environment = _environment(
        autoescape=False,
        finalize=lambda given: given if isinstance(given, Markup) else Markup(markdown(given)),
    )
    environment.filters["paragraphs"] = lambda text: Markup("\n\n".join(_prose(text)))
    return environment


def _environment(**options: Any) -> Environment:
    environment = Environment(
        loader=PackageLoader("gristmill.cards"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **options,
    )
    environment.filters |= {
        "count": count,
        "short": short,
        "bytes": bytes_,
        "percent": percent,
        "words": words,
        "plural": plural,
        "raw": Markup,
    }
    return environment


def _html_paragraphs(text: str) -> Markup:
    """A person's answer as HTML: escaped, with `code` and web addresses marked up."""
    parts = (str(escape(" ".join(part.split()))) for part in text.split("\n\n"))
    return Markup("".join(f"<p>{_marked(part)}</p>" for part in parts if part))


def _marked(escaped: str) -> str:
    coded = _CODE.sub(r"<code>\1</code>", escaped)
    return _WEB.sub(r'<a href="\g<0>" rel="noreferrer">\g<0></a>', coded)


def _prose(text: str) -> Iterator[str]:
    """A person's answer as Markdown: theirs to format, but no HTML."""
    for part in text.split("\n\n"):
        yield " ".join(part.split()).replace("&", "&amp;").replace("<", "&lt;")


def read_measured(corpus: Path) -> dict[str, Any] | None:
    """The ``measured.json`` of a corpus's card, or None when there is none."""
    path = corpus / "card" / "measured.json"
    if not path.is_file():
        return None
    measured: dict[str, Any] = json.loads(path.read_bytes())
    return measured
