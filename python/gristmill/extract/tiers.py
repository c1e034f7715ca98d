"""A page to its text, by the tier that the mode or the page asks for."""

from __future__ import annotations

from typing import NamedTuple

from gristmill.errors import RecipeError
from gristmill.extract.blocks import as_text, main_text
from gristmill.extract.fast import fast_blocks, fast_text, need_resiliparse
from gristmill.extract.limits import FAST, PRECISE, excess
from gristmill.extract.precise import need_trafilatura, precise_text
from gristmill.extract.trust import signs

MODES = ("fast", "precise", "auto")
FAILED, NO_TEXT = "extract_failed", "no_main_text"

PARSER_ERRORS = (ValueError, TypeError, LookupError, AttributeError, RecursionError)
"""What the tiers' own code raises over a page that it was not written for."""


class Extracted(NamedTuple):
    """The text of a page, or the reason why there is none.

    Attributes:
        text: Empty when there is a reason.
        reason: ``extract_failed`` or ``no_main_text``, or None.
        detail: Which tier gave the text, and why; or what failed.
    """

    text: str
    reason: str | None
    detail: str


def need_tiers(mode: str) -> None:
    """Load the packages behind a mode.

    Raises:
        RecipeError: There is no such mode, or one of its packages is not installed.
    """
    if mode not in MODES:
        raise RecipeError(f"mode = {mode!r} is not one of {', '.join(MODES)}")
    need_resiliparse()
    if mode != "fast":
        need_trafilatura()


def extract(html: str, mode: str) -> Extracted:
    """Find the text of one page. `need_tiers` comes first."""
    beyond = excess(html, FAST)
    if beyond is not None:
        return Extracted("", FAILED, beyond)
    try:
        text, detail = _TIERS[mode](html)
    except PARSER_ERRORS as error:
        return Extracted("", FAILED, f"{type(error).__name__}: {error}"[:200])
    return Extracted(text, None if text else NO_TEXT, detail)


def _fast(html: str) -> tuple[str, str]:
    return fast_text(html), "fast"


def _precise(html: str) -> tuple[str, str]:
    beyond = excess(html, PRECISE)
    if beyond is not None:
        return fast_text(html), f"fast: {beyond} for precise"
    return precise_text(html), "precise"


def _auto(html: str) -> tuple[str, str]:
    blocks = fast_blocks(html)
    kept = main_text(blocks)
    found = signs(blocks, kept)
    if found.doubt is None:
        return as_text(kept), f"fast: {found}"
    beyond = excess(html, PRECISE)
    if beyond is not None:
        return as_text(kept), f"fast: {found.doubt}, but {beyond} for precise"
    text = precise_text(html)
    if not text:
        return as_text(kept), f"fast: {found.doubt}, but precise found nothing"
    return text, f"precise: {found.doubt}"


_TIERS = {"fast": _fast, "precise": _precise, "auto": _auto}
