"""C4's rule against documents with a bad word, by C4's list or one that the user gives.

C4's list is LDNOOBW's; its single words are those of the package ``leoprofanity``. No list ships with
Gristmill, and no rule set has this rule by default: Dodge et al. 2021
(Documenting Large Webtext Corpora, arXiv:2104.08758, section 5) show that C4's list, LDNOOBW's,
takes out text by and about minorities more than other text. Rules as datatrove 0.10's
``C4BadWordsFilter``: a word counts in lower case, between characters that belong to no word.
"""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from zlib import crc32

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gristmill import _core
from gristmill.errors import RecipeError
from gristmill.filters.rule import Rule
from gristmill.text import as_table, from_kernel

C4 = "c4"
"""In the place of a path: the list of C4."""

SIGNAL = "c4_bad_words"
"""The signal's name: how often a text has a word of the list."""


class BadWords:
    """A list of words, and the share of the documents with one that is kept all the same."""

    rule = Rule(SIGNAL, high=0.0, top=np.inf)

    def __init__(self, path: Path | str, keep_fraction: float = 0.0, apart: bool = True) -> None:
        """Read a list.

        Args:
            path: A file in UTF-8 with a word or phrase on each line; LDNOOBW's lists are such files.
                ``c4`` is the 252 single words of its English one.
            keep_fraction: Share of the documents with a word that is kept, 0 to 1 (1 excluded); a
                hash of the text chooses, so a document always meets the same fate.
            apart: Whether words count only between characters that belong to no word. Lists for
                Japanese, Thai and Chinese need False.

        Raises:
            RecipeError: The file cannot be read, is not UTF-8 or has no word, or `keep_fraction` is
                out of range.
        """
        if not 0 <= keep_fraction < 1:
            raise RecipeError(
                f"quality.keep_fraction = {keep_fraction} is not allowed: 0 to 1, 1 excluded, "
                "for the share of documents with a bad word that stays"
            )
        self.words = _words_of_c4() if str(path) == C4 else _read(Path(path))
        self.keep_fraction = keep_fraction
        self.apart = apart

    def count(self, texts: pa.Array | pa.ChunkedArray, threads: int) -> npt.NDArray[np.float64]:
        """Count the words in each text, 0 where `keep_fraction` keeps it, as float64[n]."""
        table = from_kernel(_core.count_words(as_table(texts), self.words, self.apart, threads))
        counts: npt.NDArray[np.float64] = table.column("count").to_numpy().astype(np.float64)
        if self.keep_fraction:
            for row in np.flatnonzero(counts):
                text = (texts[row].as_py() or "").encode()
                if crc32(text) < self.keep_fraction * 2**32:
                    counts[row] = 0
        return counts


def _words_of_c4() -> list[str]:
    try:
        text = (
            resources.files("leoprofanity").joinpath("dictionary/default.json").read_text("utf-8")
        )
    except ModuleNotFoundError:
        raise RecipeError(
            f"quality.bad_words: {C4} needs a package; pip install 'gristmill[badwords]', or name a "
            "file with a word on each line"
        ) from None
    words: list[str] = json.loads(text)
    return words


def _read(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise RecipeError(f"quality.bad_words: {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise RecipeError(
            f"quality.bad_words: {path} is not UTF-8 (byte {error.start}); save it as UTF-8"
        ) from error
    words = sorted({line.strip() for line in lines} - {""})
    if not words:
        raise RecipeError(f"quality.bad_words: {path} has no word; give one a line")
    return words
