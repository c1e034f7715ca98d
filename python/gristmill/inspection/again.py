"""Read dropped documents again from where they came: their texts are nowhere in a corpus.

What a source says now counts: files that are gone, or a document that is not in them any more, are
no failure here. Of each document the text is made as the stage that dropped it saw it, by the
streaming stages before that one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from gristmill.errors import GristmillError, RecipeError
from gristmill.progress import progress
from gristmill.recipe import Recipe, SourceOptions, load_recipe
from gristmill.sources import Source, Split
from gristmill.stages import streaming_stages
from gristmill.steps import open_from

GONE = "the input is not there any more"

Found = tuple[dict[str, str], str | None]
"""Texts by id, and why others are missing."""


def read_again(
    run: dict[str, Any], rows: list[dict[str, Any]], recipe_file: Path | str | None
) -> Found:
    """Find the texts of documents in the sources of a build.

    Args:
        run: Its ``run.json``, which holds the recipe as it was resolved.
        rows: Rows of its ledger.
        recipe_file: The file of the recipe, for the folder that relative paths start from.

    Returns:
        Texts by id, and a remark when some source could not be asked.

    Raises:
        RecipeError: There is no such file.
    """
    wanted = {row["id"]: row for row in rows}
    if not wanted:
        return {}, None
    if recipe_file is not None and not Path(recipe_file).is_file():
        raise RecipeError(f"{recipe_file}: no such file; give the recipe that was built")
    try:
        recipe = load_recipe(run.get("recipe") or {})
    except RecipeError as error:
        return {}, f"this version cannot read the recipe in run.json: {error}"
    found: dict[str, str] = {}
    note = None
    for options in _candidates(recipe, rows):
        if recipe_file is None and (relative := _relative_path(options)):
            note = (
                f"source {options.name!r} reads {relative!r}, relative to its recipe's folder; "
                "say --recipe FILE to read it again"
            )
            continue
        folder = Path(recipe_file).resolve().parent if recipe_file else Path()
        try:
            for texts in _texts(recipe, options, folder, wanted):
                found |= texts
                if len(found) == len(wanted):
                    return found, note
        except (GristmillError, OSError):
            continue  # gone, or not readable any more: GONE is said of what is missing
    return found, note


def _candidates(recipe: Recipe, rows: list[dict[str, Any]]) -> list[SourceOptions]:
    """The sources to ask: those that documents name, or all when a document names its own."""
    named = {row["source"] for row in rows}
    chosen = [one for one in recipe.sources if one.name in named]
    return chosen if len(chosen) == len(named) else list(recipe.sources)


def _relative_path(options: SourceOptions) -> str | None:
    paths = [options.path] if isinstance(options.path, str) else options.path or []
    return next((one for one in paths if "://" not in one and not Path(one).is_absolute()), None)


def _texts(
    recipe: Recipe, options: SourceOptions, folder: Path, wanted: dict[str, dict[str, Any]]
) -> Iterator[dict[str, str]]:
    source = open_from(options, folder)
    ids = pa.array(list(wanted), pa.string())
    splits = source.splits()
    total = sum(split.n_bytes for split in splits) / 1e6
    with progress(f"read {options.name} again", total=total, unit="MB") as advance:
        for split in splits:
            for docs in _docs(source, split):
                hits = docs.filter(pc.is_in(docs["id"], value_set=ids))
                if len(hits):
                    yield _as_seen(recipe, source, hits, wanted)
            advance(split.n_bytes / 1e6)


def _docs(source: Source, split: Split) -> Iterator[pa.Table]:
    for batch in source.read(split):
        yield batch.docs


def _as_seen(
    recipe: Recipe, source: Source, docs: pa.Table, wanted: dict[str, dict[str, Any]]
) -> dict[str, str]:
    """The texts of `docs` as the stage that dropped each of them saw it."""
    dropped_by = {doc_id: wanted[doc_id]["stage"] for doc_id in docs["id"].to_pylist()}
    seen = dict(zip(dropped_by, docs["text"].to_pylist(), strict=True))
    left = docs
    for stage in streaming_stages(recipe, source.name, source.format):
        stays = [dropped_by[doc_id] != stage.name for doc_id in left["id"].to_pylist()]
        left = left.filter(pa.array(stays, pa.bool_()))
        if not len(left):
            break
        text = stage.judge(left).text
        if text is not None:
            left = left.set_column(left.schema.get_field_index("text"), "text", text)
        seen |= dict(zip(left["id"].to_pylist(), left["text"].to_pylist(), strict=True))
    return seen
