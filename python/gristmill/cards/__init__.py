"""Datasheets that are measured, not written: numbers from a corpus, rendered as cards.

`measure.measure` counts, `evidence` turns counts into answers to the questions of "Datasheets for
Datasets", `render.render` writes the card from both, and `fate.why` tells a document's fate.
"""

from __future__ import annotations

from gristmill.cards.fate import why
from gristmill.cards.measure import measure
from gristmill.cards.questions import load_answers
from gristmill.cards.render import render, write_card

__all__ = ["load_answers", "measure", "render", "why", "write_card"]
