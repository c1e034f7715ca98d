"""``gristmill classifier``: train, evaluate and ask fastText classifiers of documents."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import pyarrow as pa
import typer
from rich.markup import escape
from rich.table import Table

from gristmill.cli.app import Json, app, report
from gristmill.errors import RecipeError

if TYPE_CHECKING:
    from gristmill.classifier.evaluation import Evaluation, Group, Scorer
    from gristmill.classifier.tables import Layout

commands = typer.Typer(
    help="Train, evaluate and ask classifiers of documents.", no_args_is_help=True
)
app.add_typer(commands, name="classifier", rich_help_panel="Corpus")

TOXICITY = "toxicity"
"""The word that stands for the model that is shipped."""

GROUPS_SHOWN = 12

Threads = Annotated[int, typer.Option(min=1, help="The result is the same for any number.")]
Label = Annotated[
    str | None,
    typer.Option(help="The label whose probability is the score.", show_default="positive"),
]


@commands.command("train")
def train_command(
    positive: Annotated[
        str,
        typer.Argument(
            metavar="POS",
            help="Good examples: JSONL, Parquet, Arrow or text; a file, glob, folder or URL.",
            show_default=False,
        ),
    ],
    negative: Annotated[
        str, typer.Argument(metavar="NEG", help="The other examples.", show_default=False)
    ],
    out: Annotated[
        Path, typer.Option(help="The model: .bin, or .ftz for a quantised one.", show_default=False)
    ],
    dim: Annotated[int, typer.Option(help="Dimensions of a word's vector.")] = 16,
    epochs: Annotated[int, typer.Option(help="Passes over the documents.")] = 5,
    lr: Annotated[float, typer.Option(help="Learning rate at the start.")] = 0.1,
    word_ngrams: Annotated[int, typer.Option(help="Words in the longest n-gram.")] = 2,
    min_count: Annotated[int, typer.Option(help="Leave rarer words out.")] = 2,
    bucket: Annotated[int, typer.Option(help="Places that n-grams share.")] = 500_000,
    seed: Annotated[int, typer.Option(help="Of the vectors that training starts from.")] = 0,
    held_out: Annotated[
        float, typer.Option(help="Part of the documents to measure on, 0 to 0.5.")
    ] = 0.1,
    quantize: Annotated[
        bool, typer.Option("--quantize", help="Store vectors in an eighth of the room.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Learn to tell documents like POS from documents like NEG.

    Beside the model go its card (.md), its figures (.json) and a drawing of ROC curve and scores
    (.svg), of a part of the documents that is held out.

    **Example:** `gristmill classifier train good.jsonl web.jsonl --out quality.bin`
    """
    from gristmill.classifier.report import write_report
    from gristmill.classifier.training import Options, train_classifier

    options = Options(
        dim=dim,
        epochs=epochs,
        lr=lr,
        word_ngrams=word_ngrams,
        min_count=min_count,
        bucket=bucket,
        seed=seed,
        held_out=held_out,
        quantize=quantize,
    )
    trained = train_classifier([positive], [negative], out, options)
    files = write_report(trained)
    table = Table("class", "documents", "held out", title=escape(str(out)))
    for name, side in trained.classes.items():
        table.add_row(name, f"{side['documents']:,}", f"{side['held_out']:,}")
    measures = trained.measures
    said = "nothing was held out, so nothing was measured"
    if measures is not None:
        said = f"held out: AUC {measures.auc}, F1 {measures.f1}, accuracy {measures.accuracy}"
    data = {"path": str(out), **trained.as_dict(), "files": [str(path) for path in files]}
    report(data, as_json, table, escape(said), *(escape(f"wrote {path}") for path in files))


@commands.command("evaluate")
def evaluate_command(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help=f"A .bin or .ftz file, or `{TOXICITY}`.", show_default=False
        ),
    ],
    tables: Annotated[
        list[Path],
        typer.Argument(metavar="CSV...", help="Labelled texts, gzip or not.", show_default=False),
    ],
    text_column: Annotated[str | None, typer.Option(help="Column of the text.")] = None,
    label_column: Annotated[str | None, typer.Option(help="Column of the class.")] = None,
    positive: Annotated[
        list[str] | None, typer.Option(help="A class that is positive. Repeatable.")
    ] = None,
    term_column: Annotated[str | None, typer.Option(help="Column of the identity term.")] = None,
    test_column: Annotated[str | None, typer.Option(help="Column of the functional test.")] = None,
    term: Annotated[
        list[str] | None,
        typer.Option(help="An identity term to look for in the texts. Repeatable."),
    ] = None,
    label: Label = None,
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="Smallest score that is called positive.")
    ] = 0.5,
    threads: Threads = 1,
    as_json: Json = False,
) -> None:
    """Measure a classifier on labelled tables: F1, AUC, and false positives per term and test.

    The columns of Davidson's tweets, the Wikipedia set, the identity templates and HateCheck are
    known; name those of other tables. In brackets are 95 % intervals.

    **Example:** `gristmill classifier evaluate toxicity davidson.csv hatecheck.csv`
    """
    from gristmill.classifier.evaluation import evaluate_classifier
    from gristmill.classifier.tables import read_table

    layout = _layout(text_column, label_column, positive, term_column, test_column)
    scorer = _scorer(model, label, threads)
    found = [
        evaluate_classifier(scorer, read_table(path, layout, term or ()), threshold)
        for path in tables
    ]
    data = {"model": model, "tables": [one.as_dict() for one in found]}
    report(data, as_json, *(shown for one in found for shown in _shown(one)))


def _layout(
    text: str | None,
    label: str | None,
    positive: list[str] | None,
    term: str | None,
    test: str | None,
) -> Layout | None:
    from gristmill.classifier.tables import TRUE, Layout

    if text is None and label is None:
        if positive or term or test:
            raise RecipeError(
                "--positive, --term-column and --test-column go with --text-column and "
                "--label-column"
            )
        return None
    if text is None or label is None:
        raise RecipeError("--text-column and --label-column go together; give both or none")
    classes = frozenset(one.strip().lower() for one in positive) if positive else TRUE
    return Layout(text, label, classes, term=term, test=test)


def _scorer(model: str, label: str | None, threads: int) -> Scorer:
    if model == TOXICITY:
        from gristmill.filters.toxicity import toxicity

        return lambda texts: toxicity(texts).column("score")
    from gristmill.filters.fasttext import FastText

    try:
        loaded = FastText.load(model)
    except OSError as error:
        raise RecipeError(f"{model} cannot be read: {error.strerror}") from None
    wanted = loaded.label(label)
    return lambda texts: loaded.score(texts, wanted, threads)


def _shown(found: Evaluation) -> Iterator[Table | str]:
    measures = found.measures
    table = Table("measure", "value [95 %]", title=escape(found.table))
    table.add_row("texts", f"{measures.positives:,} positive, {measures.negatives:,} negative")
    for words, estimate in (
        ("AUC", measures.auc),
        ("F1", measures.f1),
        ("precision", measures.precision),
        ("recall", measures.recall),
        ("false-positive rate", measures.false_positive_rate),
    ):
        table.add_row(words, escape(str(estimate)))
    yield table
    if found.terms:
        yield _groups_table("identity term", found.terms[:GROUPS_SHOWN])
    if len(found.terms) > GROUPS_SHOWN:
        yield f"{len(found.terms) - GROUPS_SHOWN} more identity terms; --json has all"
    if found.gap:
        gap, high, low = found.gap
        yield escape(
            f"largest gap of false-positive rates between identity terms: {gap:.3f} ({high}, {low})"
        )
    if found.tests:
        yield _groups_table("functional test", found.tests)


def _groups_table(kind: str, groups: list[Group]) -> Table:
    table = Table(kind, "negatives", "false-positive rate", "positives", "recall")
    for group in groups:
        table.add_row(
            escape(group.name),
            f"{group.negatives:,}",
            escape(str(group.false_positive_rate)),
            f"{group.positives:,}",
            escape(str(group.recall)),
        )
    return table


@commands.command("score")
def score_command(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help=f"A .bin or .ftz file, or `{TOXICITY}`.", show_default=False
        ),
    ],
    path: Annotated[
        str,
        typer.Argument(
            metavar="INPUT", help="Documents: a file, glob, folder or URL.", show_default=False
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Write a Parquet file here.", show_default="JSON lines on stdout"),
    ] = None,
    label: Label = None,
    threads: Threads = 1,
) -> None:
    """Score documents: their ids and the probability of a label, null where nothing is known.

    **Example:** `gristmill classifier score quality.bin data.jsonl --out scores.parquet`
    """
    scored = _scored(_scorer(model, label, threads), path)
    if out is not None:
        _write_parquet(scored, out)
        return
    for table in scored:
        for row in table.to_pylist():
            sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")


def _scored(scorer: Scorer, path: str) -> Iterator[pa.Table]:
    from gristmill.sources import open_source

    source = open_source(name=Path(path).name or path, path=path)
    for split in source.splits():
        for batch in source.read(split):
            scores = scorer(batch.docs["text"])
            yield pa.Table.from_arrays([batch.docs["id"], scores], ["id", "score"])


def _write_parquet(tables: Iterator[pa.Table], out: Path) -> None:
    import pyarrow.parquet as pq

    from gristmill.files import atomic_write

    schema = pa.schema([pa.field("id", pa.string()), pa.field("score", pa.float32())])
    with atomic_write(out) as file, pq.ParquetWriter(file, schema) as writer:
        for table in tables:
            writer.write_table(table.cast(schema))
