"""What each stage of a build may be told: the keys of a recipe, their defaults and their remarks."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from gristmill.config import Bytes, Options, suggest
from gristmill.dedup.minhash import MinHash
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
    skip: list[Literal["language", "quality", "classifier", "toxicity", "names"]] = Field(
        default=[]
    )
    """Filters that do not judge its documents, which pass; `names` are those of `pii`."""

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
    model: str | None = None
    """Path of a fastText model that names languages, such as lid.176.ftz; ours when absent."""


class QualityOptions(Options):
    """Which published rule sets a document must pass."""

    rules: list[Literal["gopher", "c4", "fineweb", "gibberish"]] = Field(
        default=["gopher", "c4", "fineweb"], min_length=1
    )
    thresholds: dict[str, float | tuple[float, float]] = Field(default={})
    """Thresholds by signal, for example {gopher_word_count: [30, 100000]}; else the papers'."""
    bad_words: str | None = None
    """Path of a list of words, one a line, of which a document may have none; or c4, for C4's."""

    @property
    def bad_words_file(self) -> str | None:
        """The list of words, when it is a file."""
        return None if self.bad_words == "c4" else self.bad_words


class ClassifierOptions(Options):
    """A fastText classifier of yours, as `gristmill classifier train` makes one."""

    model: str
    """Path of a fastText model, `.bin` or `.ftz`."""
    label: str | None = None
    """The label that a document should have; that of the positive part when absent."""
    min_score: float = Field(default=0.5, gt=0, le=1)
    """Smallest probability of that label."""


class ToxicityOptions(Options):
    """How toxic a document may be; from 0.5 on it is tagged."""

    max_score: float = Field(default=0.95, ge=0.5, lt=1)


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
    ngram: int = Field(default=13, ge=4, le=1000)
    action: Literal["drop", "cut", "report"] = "drop"
    """Drop the document, cut the item out of it, or only report and tag it."""


class PiiOptions(Options):
    """What is done about each kind of personal data; what no list names is left alone."""

    mask: list[str] = Field(
        default=["email", "phone", "card", "iban", "ip", "national_id", "secret"]
    )
    """Replaced by <EMAIL_1>, with one number per value in a document."""
    pseudonymise: list[str] = Field(default=[])
    """Replaced by a keyed hash, <EMAIL_3fa9c2...>, the same in the whole corpus."""
    key_env: str | None = None
    """The environment variable that holds the key of `pseudonymise`; it is written nowhere."""
    tag: list[str] = Field(default=[])
    """Left in the text, and tagged in the ledger."""
    drop: list[str] = Field(default=[])
    """A document that has any is dropped."""

    @model_validator(mode="before")
    @classmethod
    def _one_action_each(cls, data: Any) -> Any:
        """An entity with another action leaves the default mask; given twice it is refused."""
        if not isinstance(data, dict):
            return data
        lists = {key: data.get(key) or [] for key in ("mask", "pseudonymise", "tag", "drop")}
        named = [one for entities in lists.values() for one in entities]
        if twice := sorted({str(one) for one in named if named.count(one) > 1}):
            raise ValueError(f"{twice[0]} has two actions; name it in one list only")
        if "mask" in data or not named:
            return data
        default = cls.model_fields["mask"].get_default()
        return {"mask": [one for one in default if one not in named], **data}

    @model_validator(mode="after")
    def _has_an_effect(self) -> Self:
        if not (self.mask or self.pseudonymise or self.tag or self.drop):
            raise ValueError("names no entity, so it could have no effect; name some or remove it")
        if bool(self.pseudonymise) != (self.key_env is not None):
            raise ValueError("pseudonymise and key_env belong together; give both or none")
        return self


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
