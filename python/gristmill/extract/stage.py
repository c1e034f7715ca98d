"""Stage ``extract``: pages in, their text out."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from gristmill.extract.tiers import Extracted, extract, need_tiers
from gristmill.stage import Verdict


@dataclass(frozen=True, slots=True)
class Extract:
    """Stage ``extract``: the text of web pages, which come as HTML in the column ``text``.

    Drops a page in which nothing is found (``no_main_text``) and one that no parser may or can read
    (``extract_failed``). The detail of a kept one says which tier gave its text, and why.

    Attributes:
        mode: ``fast``, ``precise`` or ``auto``.

    Raises:
        RecipeError: `mode` is none of these, or a package that it needs is not installed.
    """

    mode: str = "auto"

    def __post_init__(self) -> None:
        need_tiers(self.mode)

    @property
    def name(self) -> str:
        """``extract``."""
        return "extract"

    def judge(self, docs: pa.Table) -> Verdict:
        """Extract the text of every page of `docs`."""
        found = [extract(html, self.mode) for html in docs["text"].to_pylist()]
        return Verdict(
            reason=pa.array([page.reason for page in found], pa.string()),
            detail=pa.array([_detail(page) for page in found], pa.string()),
            text=pa.array([page.text for page in found], pa.large_string()),
        )


def _detail(page: Extracted) -> str:
    """As `why` tells it apart from what other stages say of a kept document."""
    return page.detail if page.reason else f"extract: {page.detail}"
