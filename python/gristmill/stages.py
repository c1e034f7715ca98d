"""Which stages a recipe asks for, in their order, and what each depends on besides the documents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from gristmill.config import suggest
from gristmill.corpus import Corpus
from gristmill.decontaminate import Decontaminate
from gristmill.dedup import EarlierCorpus, ExactDocuments, ExactSubstrings, NearDuplicates
from gristmill.errors import FormatError, IntegrityError, RecipeError
from gristmill.extract import Extract
from gristmill.filters.bad_words import BadWords
from gristmill.filters.classifier import REASON as CLASSIFIER_REASON
from gristmill.filters.classifier import ClassifierFilter
from gristmill.filters.language import LanguageFilter
from gristmill.filters.language.filter import REASONS as LANGUAGE_REASONS
from gristmill.filters.quality import RULE_SETS, QualityFilter
from gristmill.filters.toxicity import REASON as TOXICITY_REASON
from gristmill.filters.toxicity import ToxicityFilter
from gristmill.licenses import LicenseGate
from gristmill.normalize import Normalize
from gristmill.pii import Scrub, read_key
from gristmill.recipe import Recipe
from gristmill.recipe.options import DedupOptions, NearOptions
from gristmill.sampling import Sample
from gristmill.sources import PAGE_FORMATS
from gristmill.stage import GlobalStage, Stage, Verdict, keep_all
from gristmill.units import digest


@dataclass(frozen=True, slots=True)
class Pass:
    """Stands for a stage that does not concern a source; counts its documents and keeps them."""

    name: str

    def judge(self, docs: pa.Table) -> Verdict:
        """Keep every document."""
        return Verdict(reason=keep_all(len(docs)))


STAGE_ORDER = (
    "read",
    "sample",
    "licenses",
    "extract",
    "normalize",
    "language",
    "quality",
    "classifier",
    "toxicity",
    "unique_ids",
    "exact_documents",
    "near_duplicates",
    "exact_substrings",
    "decontaminate",
    "pii",
    "ledger",
    "tokenizer",
    "pack",
    "index",
)
"""The order of all stages and products, whichever of them a recipe has."""

STREAMING = (
    "licenses", "extract", "normalize", "language", "quality", "classifier", "toxicity", "tag"
)  # fmt: skip
"""The keys of a recipe that say how documents are judged as they are read."""

RULES = [rule for rules in RULE_SETS.values() for rule in rules.rules()]

REASONS: dict[str, tuple[str, ...]] = {
    "language": LANGUAGE_REASONS,
    "quality": ("quality", *RULE_SETS, *(rule.signal for rule in RULES), BadWords.rule.signal),
    "classifier": (CLASSIFIER_REASON,),
    "toxicity": (TOXICITY_REASON,),
}
"""The filters, and the reasons that each can tag; for ``quality``, also those of a rule set or all."""


def check_stages(recipe: Recipe) -> None:
    """Construct every stage once, so that options a stage refuses stop the build before work."""
    for source in recipe.sources:
        streaming_stages(recipe, source.name, source.format or "")
    global_stages(recipe, threads=1)
    scrub(recipe)


def tags(recipe: Recipe) -> dict[str, list[str]]:
    """For each filter of a recipe, which of its reasons tag a document and do not drop it.

    Raises:
        RecipeError: `tag` has a word that is no reason of a filter of the recipe.
    """
    reasons = {name: REASONS[name] for name in REASONS if getattr(recipe, name) is not None}
    known = sorted(word for words in reasons.values() for word in words)
    for word in recipe.tag:
        if word not in known:
            raise RecipeError(
                f"tag: {word!r} is no reason of a filter of this recipe; {suggest(word, known)}"
            )
    return {name: [one for one in recipe.tag if one in words] for name, words in reasons.items()}


def file_digest(path: Path) -> str:
    """Hash of a file that a unit depends on."""
    return digest(path).xxh3


def filter_files(recipe: Recipe) -> Iterator[Path]:
    """The files that its filters read: models and lists of words."""
    named = (
        recipe.language and recipe.language.model,
        recipe.quality and recipe.quality.bad_words_file,
        recipe.classifier and recipe.classifier.model,
    )
    yield from (recipe.folder / path for path in named if path)


def streaming_stages(recipe: Recipe, source: str, format: str) -> list[Stage]:
    """The stages that judge a batch alone, for the documents of one source, in order.

    A stage that does not concern this source, but another one, is there too and keeps everything.
    """
    options, stages = recipe.source(source), list[Stage]()
    if any(one.weight < 1 for one in recipe.sources):
        stages.append(Sample(options.weight, recipe.seed))
    if recipe.licenses is not None:
        stages.append(LicenseGate(**recipe.licenses.model_dump()))
    if recipe.extract is not None:
        extract = Extract(**recipe.extract.model_dump())
        stages.append(extract if format in PAGE_FORMATS else Pass(extract.name))
    if recipe.normalize is not None:
        stages.append(Normalize(**recipe.normalize.model_dump()))
    return stages + _filters(recipe, source)


def _filters(recipe: Recipe, source: str) -> list[Stage]:
    def options(stage: str, file: str = "") -> dict[str, Any]:
        """The keys of the recipe, with the path of the file that the filter reads."""
        given: dict[str, Any] = getattr(recipe, stage).model_dump() | {"tag": tag[stage]}
        return given | {file: recipe.folder / given[file]} if given.get(file) else given

    stages, tag = list[Stage](), tags(recipe)
    if recipe.language is not None:
        hints = recipe.source(source).languages or ()
        stages.append(LanguageFilter(**options("language", "model"), hints=hints))
    if recipe.quality is not None:
        file = "bad_words" if recipe.quality.bad_words_file else ""
        stages.append(QualityFilter(**options("quality", file)))
    if recipe.classifier is not None:
        stages.append(ClassifierFilter(**options("classifier", "model")))
    if recipe.toxicity is not None:
        stages.append(ToxicityFilter(**options("toxicity")))
    return [one if recipe.judges(one.name, source) else Pass(one.name) for one in stages]


def global_stages(recipe: Recipe, threads: int) -> list[tuple[GlobalStage, dict[str, Any]]]:
    """The stages that need the whole set, in order, each with the options its key depends on."""
    dedup = recipe.dedup or DedupOptions.model_construct()
    stages: list[tuple[GlobalStage, dict[str, Any]]] = []
    if dedup.documents is not None:
        stages.append((ExactDocuments(), {}))
    if (near := dedup.near) is not None:
        stages.append(_near_duplicates(recipe, near, threads))
    if (substrings := dedup.substrings) is not None:
        options = substrings.model_dump(exclude_none=True)
        result = {key: value for key, value in options.items() if key != "engine"}
        if substrings.tokenizer is not None:
            options["tokenizer"] = recipe.folder / substrings.tokenizer
            result["tokenizer"] = file_digest(options["tokenizer"])
        stages.append((ExactSubstrings(**options, threads=threads), result))
    if (items := recipe.decontaminate) is not None:
        options = items.model_dump()
        stage = Decontaminate(**options, base=recipe.folder, threads=threads)
        stages.append((stage, {**options, "against": stage.benchmarks.fingerprint}))
    return stages


def scrub(recipe: Recipe) -> Scrub | None:
    """The stage that hides personal data, if the recipe has it.

    Raises:
        RecipeError: Its options do not fit, or the variable of its key is not set.
    """
    if (options := recipe.pii) is None:
        return None
    key = read_key(options.key_env) if options.key_env else None
    skipping = [one.name for one in recipe.sources if "names" in one.skip]
    actions = options.model_dump(exclude={"key_env"})
    return Scrub(**actions, key=key, no_names_in=skipping)


def _near_duplicates(
    recipe: Recipe, near: NearOptions, threads: int
) -> tuple[GlobalStage, dict[str, Any]]:
    against = earlier_corpora(recipe)
    choice = near.model_dump(include={"keep", "quality_key"}, exclude_none=True)
    minhash = near.minhash(recipe.seed)
    stage = NearDuplicates(minhash=minhash, against=against, threads=threads, **choice)
    return stage, {**asdict(minhash), **choice, "against": [corpus.key for corpus in against]}


def read_besides(recipe: Recipe) -> list[str]:
    """Digests of what decides of documents besides them and the recipe, models left out."""
    corpora = [corpus.key for corpus in earlier_corpora(recipe)]
    items = [
        one["against"] for stage, one in global_stages(recipe, 1) if stage.name == "decontaminate"
    ]
    stage = scrub(recipe)
    return [*corpora, *items, *([stage.key_fingerprint] if stage and stage.pseudonymise else [])]


def earlier_corpora(recipe: Recipe) -> tuple[EarlierCorpus, ...]:
    """The corpora that `dedup.near.against` names; where two have one name, the second is ``-2``.

    Raises:
        RecipeError: One is no finished corpus, has no documents, or is there twice.
        IntegrityError: One is damaged.
    """
    near = recipe.dedup and recipe.dedup.near
    found: dict[str, EarlierCorpus] = {}
    for given in (near and near.against) or []:
        path = (recipe.folder / given).resolve()
        if path in [corpus.path for corpus in found.values()]:
            raise RecipeError(f"dedup.near.against: {given} is there twice; remove one")
        name, number = path.name or "corpus", 1
        while name in found:
            number += 1
            name = f"{path.name}-{number}"
        try:
            found[name] = EarlierCorpus.of(path, Corpus.open(path).run, name)
        except (RecipeError, FormatError, IntegrityError) as error:
            raise type(error)(f"dedup.near.against takes finished corpora: {error}") from None
    return tuple(found.values())
