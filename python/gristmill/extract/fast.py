"""The fast tier: the main content of a page by resiliparse (C++ and Rust, rules over its DOM)."""

from __future__ import annotations

from typing import Any

from gristmill.errors import RecipeError
from gristmill.extract.blocks import Block, read_blocks

SKIPPED = ("header", "footer", "[class*=caption]")
"""Kept by resiliparse in its main content; a headline and byline are in most headers."""


def _main_content(html: str, **form: Any) -> str:
    from resiliparse.extract.html2text import extract_plain_text

    return extract_plain_text(
        html,
        main_content=True,
        alt_texts=False,
        comments=False,
        post_meta=False,
        skip_elements=SKIPPED,
        **form,
    )


def fast_text(html: str) -> str:
    """The text of a page's main content; empty when it has none."""
    return _main_content(html).strip()


def fast_blocks(html: str) -> list[Block]:
    """The blocks of the same content."""
    return read_blocks(_main_content(html, preserve_formatting="minimal_html", links=True))


def decode(page: bytes) -> str:
    """The text of a page's bytes, in the encoding that resiliparse detects or the page declares."""
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding

    return bytes_to_str(page, detect_encoding(page) or "utf-8")


def need_resiliparse() -> None:
    """Load resiliparse.

    Raises:
        RecipeError: It is not installed.
    """
    try:
        import resiliparse.extract.html2text  # noqa: F401
    except ImportError:
        raise RecipeError(
            "text of HTML needs resiliparse, which is not installed; "
            '`pip install "gristmill[web]"` brings it'
        ) from None
