"""Thresholds of FineWeb's own rules, as datatrove 0.10 has them by default.

Source: Penedo et al. 2024, The FineWeb Datasets (arXiv:2406.17557), section 3.5; ``list_ratio`` is
from datatrove's ``fineweb_quality_filter``. Blank lines do not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from gristmill.filters.rule import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class FineWeb:
    """Rules of FineWeb; a document that breaks none is kept.

    Attributes:
        min_line_punct_ratio: Smallest share of lines that end with terminal punctuation.
        max_short_line_ratio: Largest share of lines of 30 characters or fewer.
        max_char_dup_ratio: Largest share of characters in lines seen before.
        max_list_ratio: Most newlines per word.
    """

    min_line_punct_ratio: float = 0.12
    max_short_line_ratio: float = 0.67
    max_char_dup_ratio: float = 0.01
    max_list_ratio: float = 0.3

    def rules(self) -> list[Rule]:
        """The rules in the order they are asked."""
        return [
            Rule("fineweb_line_punct_ratio", low=self.min_line_punct_ratio),
            Rule("fineweb_short_line_ratio", high=self.max_short_line_ratio),
            Rule("fineweb_char_dup_ratio", high=self.max_char_dup_ratio),
            Rule("fineweb_list_ratio", high=self.max_list_ratio, top=inf),
        ]
