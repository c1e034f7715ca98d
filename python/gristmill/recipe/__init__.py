"""The build recipe: what a YAML file may say, its defaults, and its fingerprint.

A stage that is absent does not run; an empty mapping runs it with its defaults. A recipe in which a
stage could have no effect is refused here, before any work.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

from pydantic import Field, PrivateAttr, field_validator, model_validator

from gristmill.config import Options, check, fingerprint, override, read_yaml
from gristmill.recipe.options import (
    CardOptions,
    ClassifierOptions,
    DecontaminateOptions,
    DedupOptions,
    ExtractOptions,
    IndexOptions,
    LanguageOptions,
    LicensesOptions,
    LimitsOptions,
    NormalizeOptions,
    PackOptions,
    PiiOptions,
    QualityOptions,
    SourceOptions,
    TokenizerOptions,
    ToxicityOptions,
)

__all__ = ["Recipe", "SourceOptions", "TokenizerOptions", "load_recipe"]


class Recipe(Options):
    """A whole build, in the order in which its stages run."""

    name: str = Field(min_length=1, pattern=r"^[A-Za-z0-9._-]+$")
    seed: int = Field(default=7, ge=0)
    out: str | None = None
    sources: list[SourceOptions] = Field(min_length=1)
    extract: ExtractOptions | None = None
    normalize: NormalizeOptions | None = None
    language: LanguageOptions | None = None
    quality: QualityOptions | None = None
    classifier: ClassifierOptions | None = None
    toxicity: ToxicityOptions | None = None
    tag: list[str] = Field(default=[])
    """Rules and other reasons of filters that tag a document in the ledger and do not drop it."""
    dedup: DedupOptions | None = None
    decontaminate: DecontaminateOptions | None = None
    pii: PiiOptions | None = None
    licenses: LicensesOptions | None = None
    tokenizer: TokenizerOptions | None = None
    pack: PackOptions | None = None
    index: IndexOptions | None = None
    card: CardOptions | None = None
    limits: LimitsOptions = LimitsOptions()

    _folder: Path = PrivateAttr(default=Path())

    @property
    def folder(self) -> Path:
        """The folder that the recipe's relative paths start from."""
        return self._folder

    @field_validator("*", mode="before")
    @classmethod
    def _not_empty(cls, value: Any) -> Any:
        if value is None:
            raise ValueError("has no value; write {} to run it with its defaults, or remove it")
        return value

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        names = [source.name for source in self.sources]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two sources are called {sorted(twice)[0]!r}; names must differ")
        for stage in ("language", "quality", "classifier", "toxicity"):
            if getattr(self, stage) and not any(self.judges(stage, name) for name in names):
                raise ValueError(
                    f"every source skips {stage}, so it could have no effect; remove it, or skip less"
                )
        for source in self.sources:
            if source.languages is not None and not self.judges("language", source.name):
                raise ValueError(
                    f"languages of source {source.name!r} have no effect: the stage language does "
                    "not judge its documents; remove them or add language"
                )
        if self.pack is not None and self.tokenizer is None:
            raise ValueError("pack needs a tokenizer; add tokenizer: {} or remove pack")
        return self

    def source(self, name: str) -> SourceOptions:
        """The source of that name."""
        return next(one for one in self.sources if one.name == name)

    def judges(self, stage: str, source: str) -> bool:
        """Whether a filter runs for the documents of a source."""
        return getattr(self, stage) is not None and stage not in self.source(source).skip

    def canonical(self) -> dict[str, Any]:
        """All that can change a byte of the corpus, defaults filled in."""
        data = self.model_dump(mode="json", exclude={"out": True, "limits": {"memory"}})
        return {key: value for key, value in data.items() if value is not None}

    def fingerprint(self) -> str:
        """Hash of the canonical form: equal recipes have equal fingerprints."""
        return fingerprint(self.canonical())


def load_recipe(
    recipe: str | Path | dict[str, Any],
    settings: list[str] | None = None,
    given: Iterable[str] = (),
) -> Recipe:
    """Read and check a recipe.

    Args:
        recipe: Path of a YAML file, or the mapping itself (paths then start in the working folder).
        settings: ``a.b=value`` changes, applied before checking.
        given: Names of sources that are made in Python; those that the recipe does not list are
            added to it.

    Raises:
        RecipeError: The recipe cannot be used; the message names key and remedy.
    """
    if isinstance(recipe, dict):
        data, where, folder = recipe, "recipe", Path()
    else:
        path = Path(recipe)
        data, where, folder = read_yaml(path), str(path), path.resolve().parent
    checked = check(Recipe, override(_with_given(data, given), settings or []), where)
    checked._folder = folder
    return checked


def _with_given(data: dict[str, Any], given: Iterable[str]) -> dict[str, Any]:
    listed = data.get("sources") or []
    names = [one.get("name") for one in listed if isinstance(one, dict)]
    added = [{"name": name, "format": "given"} for name in given if name not in names]
    return {**data, "sources": [*listed, *added]} if added else data
