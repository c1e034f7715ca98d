"""``gristmill tokenizer compare``: what several tokenizers make of the same documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import typer
from rich.markup import escape
from rich.table import Table

from gristmill.cards.wording import bytes_
from gristmill.cli.app import Json, report
from gristmill.cli.tokenizer import commands, refuse_bad
from gristmill.errors import RecipeError
from gristmill.progress import progress
from gristmill.sources.base import Batch, Source, Split
from gristmill.sources.paths import suffix
from gristmill.tokenizer import Tokenizer
from gristmill.tokenizer.comparison import SMALL_BYTES, Comparison

LANGUAGE_KEYS = ("language", "lang")
"""Keys of a document's metadata that name its language."""

DOCUMENT_SUFFIXES = frozenset({".jsonl", ".ndjson", ".parquet", ".arrow", ".txt", ".md"})
FIGURES = ("bytes_per_token", "characters_per_token", "tokens_per_word", "continued_words",
           "never_used")  # fmt: skip
HEADS = ("bytes/\ntoken", "chars/\ntoken", "tokens/\nword", "split\nwords", "never\nused")


@commands.command("compare")
def compare_command(
    tokenizers: Annotated[
        list[str],
        typer.Argument(
            metavar="TOKENIZER...", help="tokenizer.json, or its folder.", show_default=False
        ),
    ],
    on: Annotated[
        list[str],
        typer.Option(
            metavar="INPUT",
            help="A file, folder, URL or quoted glob of JSONL, Parquet, Arrow or text; plain, gzip "
            "or zstd. Repeatable.",
            show_default=False,
        ),
    ],
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Compare on so many documents, taken evenly from all."),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw bytes per token into this file, an .svg.", metavar="FILE"),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="The result is the same for any number.")] = 1,
    as_json: Json = False,
) -> None:
    """Compare tokenizers on your documents: in total, by language and by source.

    Tokens per word (fertility) are counted over words between spaces. The language is what a
    document's `language` or `lang` says, or else what its text looks like.

    **Example:** `gristmill tokenizer compare tok-16k tok-32k --on 'data/*.jsonl.zst' --plot tok.svg`
    """
    if plot is not None and plot.suffix != ".svg":
        raise RecipeError(f"--plot {plot}: figures are written as .svg, which browsers show")
    loaded = _load(tokenizers)
    comparison = Comparison({name: tokenizer for name, tokenizer, _ in loaded}, threads)
    counts = _add(comparison, _sources(on), limit)
    found = comparison.table()
    if plot is not None:
        _draw(found, plot)
    described = [
        {"name": name, "path": path, "vocab_size": one.vocab_size, "pattern": one.pattern}
        for name, one, path in loaded
    ]
    few = f"few: less than {bytes_(SMALL_BYTES)} of text"
    report(
        {**counts, "tokenizers": described, "groups": found.to_pylist(), "plot": plot},
        as_json,
        *(_group_table(kind, found) for kind in pc.unique(found["group"]).to_pylist()),
        *([few] if pc.any(found["small"]).as_py() else []),
        *([] if plot is None else [escape(f"wrote {plot}")]),
    )


def _load(paths: Sequence[str]) -> list[tuple[str, Tokenizer, str]]:
    """Name, tokenizer and path of each."""
    for path in paths:
        if suffix(path) in DOCUMENT_SUFFIXES:
            raise RecipeError(
                f"{path} holds documents, not a tokenizer; name each input with its own --on, or "
                "put a glob in quotes"
            )
    repeated = [path for path, times in Counter(paths).items() if times > 1]
    if repeated:
        raise RecipeError(f"tokenizer {repeated[0]} is given twice; name each one once")
    names = _distinct([_tokenizer_name(path) for path in paths], paths)
    return [(name, Tokenizer.load(path), path) for name, path in zip(names, paths, strict=True)]


def _tokenizer_name(path: str) -> str:
    """The name of the folder that holds a tokenizer.json, or of another file."""
    full = Path(path).absolute()
    return full.parent.name if full.name == "tokenizer.json" else full.name


def _distinct(names: Sequence[str], paths: Sequence[str]) -> list[str]:
    """The names; the path in place of one that several have."""
    times = Counter(names)
    return [name if name and times[name] == 1 else path
            for name, path in zip(names, paths, strict=True)]  # fmt: skip


@dataclass(frozen=True, slots=True)
class _File:
    """One file of a source, or one group of files; documents that name no source carry its name."""

    name: str
    source: Source
    split: Split

    @property
    def format(self) -> str:
        return self.source.format

    def for_reading(self) -> _File:
        return self

    def splits(self) -> list[Split]:
        return [self.split]

    def read(self, split: Split) -> Iterator[Batch]:
        for batch in self.source.read(split):
            declared = batch.docs["source"]
            own = pc.if_else(pc.equal(declared, self.source.name), self.name, declared)
            at = batch.docs.schema.get_field_index("source")
            docs = batch.docs.set_column(at, batch.docs.schema.field(at), own)
            yield replace(batch, docs=docs)


def _sources(inputs: Sequence[str]) -> list[_File]:
    from gristmill.sources import open_source

    opened = [open_source(name=path, path=path) for path in inputs]
    files = [(source, split) for source in opened for split in source.splits()]
    paths = [split.name if len(split.items) == 1 else source.name for source, split in files]
    unique = list(dict.fromkeys(paths))
    ends = [Path(path).name for path in unique]
    names = dict(zip(unique, _distinct(ends, unique), strict=True))
    return [_File(names[path], *file) for path, file in zip(paths, files, strict=True)]


def _add(comparison: Comparison, sources: Sequence[_File], limit: int | None) -> dict[str, int]:
    """Count the documents, or `limit` of them; gives how many there are."""
    if limit is None:
        documents, bad = _add_all(comparison, sources)
    else:
        from gristmill.sources.sample import sample_texts

        taken = sample_texts(sources, limit)
        documents, bad = taken.documents, taken.bad
        _add_table(comparison, taken.rows)
    refuse_bad(bad, documents)
    return {"documents_read": documents, "bad_records": bad}


def _add_all(comparison: Comparison, sources: Sequence[_File]) -> tuple[int, int]:
    documents = bad = 0
    with progress("compare", unit="MB") as advance:
        for source in sources:
            for batch in source.read(source.split):
                _add_table(comparison, batch.docs)
                documents, bad = documents + len(batch.docs), bad + len(batch.bad)
                advance(batch.docs["text"].nbytes / 1e6)
    return documents, bad


def _add_table(comparison: Comparison, docs: pa.Table) -> None:
    if len(docs):
        comparison.add(docs["text"], _declared_languages(docs["metadata"]), docs["source"])


def _declared_languages(metadata: pa.ChunkedArray) -> list[str | None]:
    json = pl.Series(pl.from_arrow(metadata))
    given = [json.str.json_path_match(f"$.{key}") for key in LANGUAGE_KEYS]
    return pl.select(pl.coalesce(given)).to_series().to_list()


def _draw(found: pa.Table, plot: Path) -> None:
    from gristmill.cards.tokenizers import comparison_figure
    from gristmill.files import atomic_write

    with atomic_write(plot) as file:
        file.write(comparison_figure(found).file().encode())


def _group_table(kind: str, found: pa.Table) -> Table:
    """A row for each tokenizer in each group of a kind; the most bytes per token stand out."""
    rows = found.filter(pc.equal(found["group"], kind)).to_pylist()
    whole = kind == "all"
    table = Table(title="all documents" if whole else f"by {kind}")
    for head in ("tokenizer", "vocabulary", "pattern") if whole else (kind, "tokenizer"):
        table.add_column(head, justify="right" if head == "vocabulary" else "left")
    for head in ("documents", "text", *HEADS):
        table.add_column(head, justify="right", no_wrap=True)
    for _, group in groupby(rows, key=lambda row: row["name"]):
        several = list(group)
        best = max(row["bytes_per_token"] or 0 for row in several)
        for at, row in enumerate(several):
            label = _label(row) if at == 0 else ""
            first = [row["tokenizer"], f"{row['vocab_size']:,}", row["pattern"]]
            table.add_row(
                *map(escape, first if whole else [label, row["tokenizer"]]),
                *([f"{row['documents']:,}", bytes_(row["bytes"])] if at == 0 else ["", ""]),
                *_figures(row, len(several) > 1 and row["bytes_per_token"] == best),
                style="dim" if row["small"] else None,
                end_section=not whole and at == len(several) - 1 and len(several) > 1,
            )
    return table


def _label(row: dict[str, Any]) -> str:
    return f"{row['name']} (few)" if row["small"] else str(row["name"])


def _figures(row: dict[str, Any], best: bool) -> list[str]:
    formats = (".3f", ".3f", ".3f", ".1%", ".1%")
    shown = ["-" if row[name] is None else format(row[name], form)
             for name, form in zip(FIGURES, formats, strict=True)]  # fmt: skip
    return [f"[bold green]{shown[0]}[/]" if best else shown[0], *shown[1:]]
