"""Thresholds of C4's rules, as datatrove 0.10 has them by default.

Source: Raffel et al. 2020, Exploring the Limits of Transfer Learning (JMLR 21:140), section 2.2.
C4 cuts lines and then asks whether enough is left. Here nothing is cut: a document is dropped when
C4 would drop it whole. A line counts when it ends in a full stop, question mark, exclamation mark
or quotation mark, has three words and none of over 1,000 characters, and speaks neither of
JavaScript nor of cookie and privacy policies. The list of bad words is a separate matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from gristmill.filters.rule import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class C4:
    """Rules of C4; a document that breaks none is kept.

    Attributes:
        lorem_ipsum: Whether a line that counts may hold "lorem ipsum".
        curly_bracket: Whether a line that counts may hold a curly bracket.
        min_sentences: Fewest sentences in the lines that count.
    """

    lorem_ipsum: bool = False
    curly_bracket: bool = False
    min_sentences: float = 5

    def rules(self) -> list[Rule]:
        """The rules in the order they are asked."""
        return [
            Rule("c4_lorem_ipsum", high=float(self.lorem_ipsum)),
            Rule("c4_curly_bracket", high=float(self.curly_bracket)),
            Rule("c4_sentence_count", low=self.min_sentences, top=inf),
        ]
