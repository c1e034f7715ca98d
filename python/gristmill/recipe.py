"""The build recipe: what a YAML file may say, its defaults, and its fingerprint.

A stage that is absent does not run; an empty mapping runs it with its defaults. A recipe in which a
stage could have no effect is refused here, before any work.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, PrivateAttr, field_validator, model_validator

from gristmill.config import Bytes, Options, check, fingerprint, override, read_yaml, suggest
from gristmill.dedup.minhash import MinHash
from gristmill.errors import NotBuiltYetError, RecipeError
from gristmill.tokenizer.patterns import PATTERNS

Format = Literal[
    "jsonl",
    "parquet",
    "arrow",
    "text",
    "markdown",
    "code",
    "html",
    "warc",
    "wet",
    "installed",
    "given",
]


class SourceOptions(Options):
    """Where documents come from; every column that a document lacks takes the source's value."""

    name: str = Field(min_length=1, pattern=r"^[A-Za-z0-9._-]+$")
    path: str | list[str] | None = None
    """A path, a glob or several; relative to the recipe's folder. Not needed by `installed`."""
    format: Format | None = None
    """Guessed from the file names when absent; `given` is made in Python."""
    license: str | None = None
    """SPDX expression of documents that do not state their own; NOASSERTION when absent."""
    weight: float = Field(default=1.0, gt=0, le=1)
    """Share of its documents that stays, chosen by the hash of the id."""
    languages: list[str] | None = Field(default=None, min_length=1)
    """Languages that its documents are likely in, a hint for the stage language."""
    limit_bytes: Bytes | None = Field(default=None, gt=0)
    """Read a deterministic part of about so many bytes of text."""
    kinds: list[Literal["descriptions", "docs", "stdlib", "code"]] | None = Field(
        default=None, min_length=1
    )
    """For `installed`: which texts of the installed packages."""
    on_bad: Literal["refuse", "skip", "repair"] = "skip"
    """What to do with a record that cannot be read; a skipped one is counted in the ledger."""

    @model_validator(mode="after")
    def _path_fits_format(self) -> Self:
        if (self.path is None) != (self.format in ("installed", "given")):
            raise ValueError(
                f"source {self.name!r} needs a path (only format: installed reads without one, and "
                "a source given in Python)"
            )
        if self.kinds is not None and self.format != "installed":
            raise ValueError("kinds is an option of format: installed")
        return self


class ExtractOptions(Options):
    """How text is taken out of HTML."""

    mode: Literal["fast", "precise", "auto"] = "auto"


class NormalizeOptions(Options):
    """Repair of text: encodings, Unicode NFC, line ends, control characters."""

    quotes: Literal["keep", "straight"] = "keep"
    """Turn curly quotes and apostrophes into those of ASCII."""
    whitespace: Literal["keep", "collapse"] = "keep"
    """One space between words, one empty line between paragraphs; breaks the indentation of code."""
    lines: Literal["keep", "c4"] = "keep"
    """Keep only lines that read like sentences, by C4's line rules."""


class LanguageOptions(Options):
    """Which languages stay."""

    keep: list[str] = Field(min_length=1)
    min_score: float = Field(default=0.5, ge=0, le=1)
    sources: list[str] | None = None
    """Judge only these sources' documents; the others pass."""


class QualityOptions(Options):
    """Which published rule sets a document must pass."""

    rules: list[Literal["gopher", "c4", "fineweb"]] = Field(
        default=["gopher", "c4", "fineweb"], min_length=1
    )
    sources: list[str] | None = None
    """Judge only these sources' documents; the others pass."""


class ToxicityOptions(Options):
    """How toxic a document may be."""

    max_score: float = Field(default=0.95, gt=0, le=1)


class DocumentsOptions(Options):
    """Exact duplicates of whole documents."""


class NearOptions(Options):
    """Near-duplicates by MinHash-LSH, verified by exact Jaccard."""

    threshold: float = Field(default=0.8, gt=0, le=1)
    """Smallest Jaccard similarity of the sets of word n-grams."""
    num_perm: int = Field(default=128, ge=16, le=4096)
    """Values in a signature."""
    ngram: int = Field(default=5, ge=1, le=64)
    """Words in an n-gram; characters in scripts written without spaces."""
    method: Literal["one-permutation", "k-permutation"] = "one-permutation"
    """How signatures are made: by one hash of an n-gram, or by num_perm of them."""
    bands: int | None = Field(default=None, ge=1)
    """Bands of a signature, given together with rows; else both follow from the threshold."""
    rows: int | None = Field(default=None, ge=1)
    """Values in a band."""
    verify: bool = True
    """Let the exact similarity decide; else sharing a band is enough."""
    keep: Literal["first", "longest", "quality"] = "first"
    """Which document of a cluster stays; quality is the highest number under quality_key."""
    quality_key: str | None = Field(default=None, min_length=1)
    """A key of the documents' metadata: quality_score when absent."""
    against: list[str] | None = Field(default=None, min_length=1)
    """Corpus directories of earlier builds; what they hold already is dropped."""

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.quality_key is not None and self.keep != "quality":
            raise ValueError(
                f"quality_key = {self.quality_key!r} has no effect with keep: {self.keep}; "
                "say keep: quality, or remove it"
            )
        self.minhash()
        return self

    def minhash(self, seed: int = 0) -> MinHash:
        """What a near-duplicate is.

        Raises:
            ValueError: `bands`, `rows` and `num_perm` do not fit together.
        """
        others = {"keep", "quality_key", "against"}
        return MinHash(**self.model_dump(exclude=others), seed=seed)


class SubstringsOptions(Options):
    """Exact repeats of at least `min_bytes` bytes, or `min_tokens` tokens."""

    min_bytes: int | None = Field(default=None, ge=8)
    """Bytes of the shortest repeat that is cut: 100 unless tokens are counted."""
    min_tokens: int | None = Field(default=None, ge=8)
    """The same in tokens of `tokenizer`: 50 when only that is given."""
    tokenizer: str | None = None
    """Path of the `tokenizer.json` that counts tokens."""
    min_remaining: int = Field(default=50, ge=0)
    """Characters that must be left of a document after cutting, unless one piece is long enough."""
    joints: Literal["exclude", "include"] = "exclude"
    """Whether passages count that repeat only across the joints that cutting makes."""
    verify: bool = False
    """Scan what is left again, and fail when a passage repeats."""
    engine: Literal["winnowing", "suffix-array"] = "winnowing"

    @model_validator(mode="before")
    @classmethod
    def _one_threshold(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        tokens = [key for key in ("min_tokens", "tokenizer") if data.get(key) is not None]
        if not tokens:
            return {"min_bytes": 100} | data
        if data.get("min_bytes") is not None:
            raise ValueError(f"min_bytes and {tokens[0]} exclude each other; give one of them")
        if "tokenizer" not in tokens:
            raise ValueError("min_tokens needs a tokenizer; name the tokenizer.json that counts")
        return {"min_tokens": 50} | data


class DedupOptions(Options):
    """Three kinds of duplicates, removed in this order."""

    documents: DocumentsOptions | None = None
    near: NearOptions | None = None
    substrings: SubstringsOptions | None = None

    @model_validator(mode="after")
    def _has_a_kind(self) -> Self:
        if not (self.documents or self.near or self.substrings):
            raise ValueError("names no kind of duplicate; give documents, near or substrings")
        return self


class DecontaminateOptions(Options):
    """Benchmarks whose items must not be in the corpus."""

    against: list[str] = Field(min_length=1)
    ngram: int = Field(default=13, ge=1)


class PiiOptions(Options):
    """Which personal data is masked."""

    mask: list[str] = Field(
        default=["email", "phone", "card", "iban", "ip", "national_id", "secret"], min_length=1
    )


class LicensesOptions(Options):
    """Which licenses may stay."""

    allow: list[str] | None = None
    deny: list[str] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.allow and not self.deny:
            raise ValueError("allows and denies nothing; list SPDX ids under allow or deny")
        return self


class TokenizerOptions(Options):
    """A byte-level BPE tokenizer to train, or one to load."""

    vocab_size: int = Field(default=32_000, ge=257)
    pattern: str | None = None
    """gpt2, cl100k, o200k, llama3, qwen2 or a regular expression; gpt2, or that of `extend`."""
    special_tokens: list[str] | None = None
    """`<|endoftext|>` when absent, or none beside those of the vocabulary to extend."""
    sample_bytes: Bytes | None = Field(default=None, gt=0)
    """Learn from a sample of the documents of at most so many bytes."""
    extend: str | None = None
    """Path of a `tokenizer.json` whose ids and merges stay, and are added to."""
    load: str | None = None
    """Path of a `tokenizer.json`; the other options are then its own."""

    @field_validator("pattern")
    @classmethod
    def _pattern_is_known(cls, pattern: str | None) -> str | None:
        # whether an expression can be used is seen before any work too, when it is compiled
        if pattern is not None and pattern.isalnum() and pattern not in PATTERNS:
            raise ValueError(f"pattern {pattern!r} is unknown; {suggest(pattern, PATTERNS)}")
        return pattern

    @model_validator(mode="after")
    def _load_stands_alone(self) -> Self:
        for key in ("special_tokens", "sample_bytes", "extend"):
            if self.load is not None and getattr(self, key) is not None:
                raise ValueError(f"{key} has no effect on a tokenizer to load; remove it or load")
        return self


class PackOptions(Options):
    """How tokens become rows of training shards."""

    seq_len: int = Field(default=2048, ge=2)
    validation: float = Field(default=0.005, ge=0, lt=1)
    """Share of the documents that is held out, chosen by the hash of the id."""
    order: Literal["shuffled", "corpus"] = "shuffled"
    """Documents in an order keyed by the seed, or in that of the corpus."""
    fit: Literal["concatenate", "best"] = "concatenate"
    """Lay documents end to end, or fill rows so that few documents are cut."""


class IndexOptions(Options):
    """The exact-match index behind `gristmill trace`."""


class CardOptions(Options):
    """The datasheet; `answers` says what only a person can."""

    answers: str | None = None


class LimitsOptions(Options):
    """Bounds of the run; `memory` changes no byte of the result."""

    memory: Bytes = Field(default=8 * 2**30, gt=0)
    max_bad_fraction: float = Field(default=0.001, ge=0, le=1)


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
    toxicity: ToxicityOptions | None = None
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
        for stage in (self.language, self.quality):
            for name in (stage and stage.sources) or []:
                if name not in names:
                    raise ValueError(f"there is no source {name!r}; {suggest(name, names)}")
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
        """Whether the stage ``language`` or ``quality`` runs for the documents of a source."""
        options: LanguageOptions | QualityOptions | None = getattr(self, stage)
        return options is not None and (options.sources is None or source in options.sources)

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
        NotBuiltYetError: It asks for a stage of a later release.
    """
    if isinstance(recipe, dict):
        data, where, folder = recipe, "recipe", Path()
    else:
        path = Path(recipe)
        data, where, folder = read_yaml(path), str(path), path.resolve().parent
    checked = check(Recipe, override(_with_given(data, given), settings or []), where)
    checked._folder = folder
    _refuse_unbuilt(checked, where)
    return checked


def _with_given(data: dict[str, Any], given: Iterable[str]) -> dict[str, Any]:
    listed = data.get("sources") or []
    names = [one.get("name") for one in listed if isinstance(one, dict)]
    added = [{"name": name, "format": "given"} for name in given if name not in names]
    return {**data, "sources": [*listed, *added]} if added else data


def _refuse_unbuilt(recipe: Recipe, where: str) -> None:
    for stage in ("toxicity", "decontaminate"):
        if getattr(recipe, stage) is not None:
            raise NotBuiltYetError(f"{where}: the stage {stage!r} is not built yet; remove it")


__all__ = ["Recipe", "RecipeError", "SourceOptions", "load_recipe"]
