"""The rule for text that no one wrote: keyboard rows, base64, hex dumps, mojibake, letters by chance.

The score is our own and needs no model; `signals/gibberish.rs` in the core says how it is made. A
list of identifiers may look like it, so the set is not among the default rules.
"""

from __future__ import annotations

from dataclasses import dataclass

from gristmill.filters.rule import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Gibberish:
    """The rule against gibberish.

    Attributes:
        max_score: Largest score, 0 for prose to 1.
    """

    max_score: float = 0.7

    def rules(self) -> list[Rule]:
        """The one rule."""
        return [Rule("gibberish_score", high=self.max_score)]
