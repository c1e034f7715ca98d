"""The precise tier: trafilatura, with the options that its authors' peers measure best.

Its second opinions (``fast=False``) cost time and F1 on the article benchmark; comments are not
the page's text. Nothing in it depends on earlier pages: deduplication stays off.
"""

from __future__ import annotations

import logging

from gristmill.errors import RecipeError


def precise_text(html: str) -> str:
    """The text that trafilatura finds in a page; empty when it finds none."""
    from trafilatura import extract

    return extract(html, fast=True, include_comments=False, deduplicate=False) or ""


def need_trafilatura() -> None:
    """Load trafilatura and keep its warnings about pages to itself.

    Raises:
        RecipeError: It is not installed.
    """
    try:
        import trafilatura  # noqa: F401
    except ImportError:
        raise RecipeError(
            "the precise tier needs trafilatura, which is not installed; "
            '`pip install "gristmill[web]"` brings it, and `mode: fast` does without'
        ) from None
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
