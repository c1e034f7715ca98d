"""Names the language of a text, and keeps the documents in the languages wanted.

`identify` asks the model that Gristmill ships (``models/language.bin``), `cld2` where that is not
sure, or a model of the user's; `filter` is the stage.
"""

from __future__ import annotations

from gristmill.filters.language.filter import LanguageFilter
from gristmill.filters.language.identify import (
    UNDETERMINED,
    identify_language,
    known_languages,
)

__all__ = ["UNDETERMINED", "LanguageFilter", "identify_language", "known_languages"]
