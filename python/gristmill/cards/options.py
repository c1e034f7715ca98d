"""The recipe's options, in the few words that fit beside a stage."""

from __future__ import annotations

from typing import Any

from gristmill.cards.wording import listed


def main_option(m: dict[str, Any], stage: str) -> str:
    """The one option of a stage that says most about it."""
    recipe = m["corpus"]["recipe"]
    dedup = recipe.get("dedup") or {}
    options = {
        "language": ("keep", recipe.get("language")),
        "quality": ("rules", recipe.get("quality")),
        "toxicity": ("max_score", recipe.get("toxicity")),
        "near_duplicates": ("threshold", dedup.get("near") if isinstance(dedup, dict) else None),
        "exact_substrings": _threshold(
            dedup.get("substrings") if isinstance(dedup, dict) else None
        ),
        "decontaminate": ("ngram", recipe.get("decontaminate")),
        "licenses": ("allow", recipe.get("licenses")),
    }
    key, given = options.get(stage, ("", None))
    if not isinstance(given, dict) or given.get(key) is None:
        return ""
    chosen = given[key]
    named = listed([str(item) for item in chosen], 4) if isinstance(chosen, list) else str(chosen)
    signs = {"threshold": "Jaccard ≥ ", "max_score": "score ≤ ", "keep": "keep "}
    signs |= {"min_bytes": "≥ ", "min_tokens": "≥ "}
    units = {"min_bytes": " bytes", "min_tokens": " tokens"}
    return signs.get(key, "") + named + units.get(key, "")


def _threshold(substrings: Any) -> tuple[str, Any]:
    in_tokens = isinstance(substrings, dict) and substrings.get("min_tokens") is not None
    return ("min_tokens" if in_tokens else "min_bytes"), substrings
