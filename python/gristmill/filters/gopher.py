"""Thresholds of Gopher's quality and repetition rules, as datatrove 0.10 has them by default.

Source: Rae et al. 2021, Scaling Language Models (arXiv:2112.11446), appendix A.1.1 and table A1.
datatrove's ``gopher_quality_filter`` and ``gopher_repetition_filter`` agree with it, but count
words that are not symbols only, and want 80 % of *all* words to have a letter.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from gristmill.filters.rule import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Gopher:
    """Rules of Gopher; a document that breaks none is kept.

    Attributes:
        word_count: Fewest and most words that are not symbols.
        mean_word_length: Smallest and largest mean length of those words, in characters.
        max_symbol_ratio: Most ``#`` per word, and most ellipses per word.
        max_bullet_line_ratio: Largest share of lines that begin with a bullet.
        max_ellipsis_line_ratio: Largest share of lines that end with an ellipsis.
        min_alpha_word_ratio: Smallest share of words with a letter.
        min_stop_words: Fewest different words of: the be to of and that have with.
        max_dup_para_frac: Largest share of paragraphs seen before.
        max_dup_para_char_frac: Largest share of characters in them.
        max_dup_line_frac: Largest share of lines seen before.
        max_dup_line_char_frac: Largest share of characters in them.
        max_top_gram_char_frac: Largest share of characters in the most frequent n-gram of words,
            for n = 2, 3, 4.
        max_dup_gram_char_frac: Largest share of characters in n-grams of words seen before, for
            n = 5 to 10.
    """

    word_count: tuple[float, float] = (50, 100_000)
    mean_word_length: tuple[float, float] = (3, 10)
    max_symbol_ratio: float = 0.1
    max_bullet_line_ratio: float = 0.9
    max_ellipsis_line_ratio: float = 0.3
    min_alpha_word_ratio: float = 0.8
    min_stop_words: float = 2
    max_dup_para_frac: float = 0.3
    max_dup_para_char_frac: float = 0.2
    max_dup_line_frac: float = 0.3
    max_dup_line_char_frac: float = 0.2
    max_top_gram_char_frac: tuple[float, float, float] = (0.2, 0.18, 0.16)
    max_dup_gram_char_frac: tuple[float, ...] = (0.15, 0.14, 0.13, 0.12, 0.11, 0.10)

    def rules(self) -> list[Rule]:
        """The rules in the order they are asked: quality, then repetition."""
        return [
            Rule("gopher_word_count", *self.word_count, top=inf),
            Rule("gopher_mean_word_length", *self.mean_word_length, top=inf),
            Rule("gopher_hash_ratio", high=self.max_symbol_ratio, top=inf),
            Rule("gopher_ellipsis_ratio", high=self.max_symbol_ratio, top=inf),
            Rule("gopher_bullet_line_ratio", high=self.max_bullet_line_ratio),
            Rule("gopher_ellipsis_line_ratio", high=self.max_ellipsis_line_ratio),
            Rule("gopher_alpha_word_ratio", low=self.min_alpha_word_ratio),
            Rule("gopher_stop_words", low=self.min_stop_words, top=8),
            Rule("gopher_dup_para_frac", high=self.max_dup_para_frac),
            Rule("gopher_dup_para_char_frac", high=self.max_dup_para_char_frac),
            Rule("gopher_dup_line_frac", high=self.max_dup_line_frac),
            Rule("gopher_dup_line_char_frac", high=self.max_dup_line_char_frac),
            *(
                Rule(f"gopher_top_{n}_gram_char_frac", high=share, top=inf)
                for n, share in enumerate(self.max_top_gram_char_frac, start=2)
            ),
            *(
                Rule(f"gopher_dup_{n}_gram_char_frac", high=share)
                for n, share in enumerate(self.max_dup_gram_char_frac, start=5)
            ),
        ]
