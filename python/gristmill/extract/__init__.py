"""Finds the text of a web page: `fast` by resiliparse, `precise` by trafilatura, `auto` by both.

`auto` takes resiliparse's main content, drops what stands around the text (`blocks`) and looks
whether the rest reads like one (`trust`); only where it does not, the page goes to trafilatura,
which takes about ten times as long.

A page is judged by what it is alone: never by the time it takes, nor by the pages before it, so it
gives the same text in every run. What could take a parser minutes is refused before (`limits`).
"""

from __future__ import annotations

from gristmill.extract.pages import extract_html
from gristmill.extract.stage import Extract
from gristmill.extract.tiers import MODES

__all__ = ["MODES", "Extract", "extract_html"]
