"""The documents of a `sample` as one HTML page that loads nothing and runs no script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from gristmill.files import atomic_write

SHOWN_CHARS = 20_000
"""Characters of a text that the page holds, so that one of a thousand documents can be opened."""


def write_page(found: dict[str, Any], path: Path) -> None:
    """Write what `sample` found to `path`; it looks like the corpus's datasheet."""
    environment = Environment(
        loader=ChoiceLoader(
            [PackageLoader("gristmill.inspection"), PackageLoader("gristmill.cards")]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["marked"] = _marked
    page = environment.get_template("inspect.html.j2").render(found, limit=SHOWN_CHARS)
    with atomic_write(path) as file:
        file.write(page.encode())


def _marked(one: dict[str, Any]) -> Markup:
    """The text of a document, with what its twin has too marked."""
    text, parts, at = one["text"][:SHOWN_CHARS], [], 0
    for start, end in one["common"]:
        parts += [escape(text[at:start]), Markup("<mark>{}</mark>").format(text[start:end])]
        at = end
    return Markup("").join([*parts, escape(text[at:])])
