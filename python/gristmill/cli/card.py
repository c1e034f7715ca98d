"""``gristmill card``: measure a corpus again and render its datasheet, or check what it lacks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from gristmill.cli.app import Json, app, report, stderr


@app.command("card", rich_help_panel="Corpus")
def card_command(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="A corpus directory.", show_default=False)
    ],
    answers: Annotated[
        Path | None,
        typer.Option(
            help="What only a person can say; without it, the answers of the card's last time."
        ),
    ] = None,
    terms: Annotated[
        Path | None,
        typer.Option(
            help="Term lists to count instead of Gristmill's; kept in DIR/card for later times."
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Write nothing; fail when a required question is not answered."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Measure a corpus and write its datasheet, dataset card and Croissant file into DIR/card.

    **Example:** `gristmill card out/demo/corpus --answers datacards/demo/answers.yaml`
    """
    from gristmill.cards.questions import NO_ANSWERS, load_answers
    from gristmill.cards.render import ANSWERS, render
    from gristmill.progress import progress

    saved = directory / "card" / ANSWERS
    given = answers or (saved if saved.is_file() else None)
    said = load_answers(given) if given else NO_ANSWERS
    if check:
        _check(directory, said, as_json)
        return
    from gristmill.cards.bias_terms import keep_terms
    from gristmill.cards.measure import measure, read_run

    if terms is not None:
        read_run(directory)  # before anything is written there
        keep_terms(directory, terms)
    with progress("measure and render", unit="cards") as advance:
        done = render(measure(directory), said, directory / "card")
        advance(1)
    report(done, as_json, _written(done), _standing(done))
    if not as_json and done["required_unanswered"]:
        stderr.print(f"next: gristmill card {directory} --check", soft_wrap=True)


def _check(directory: Path, said: Any, as_json: bool) -> None:
    """Say how complete the card is; exit 1 when a required answer is missing."""
    from gristmill.cards.measure import measure, read_run
    from gristmill.cards.render import completeness, read_measured

    read_run(directory)
    measured = read_measured(directory) or measure(directory, digests=False)
    found = completeness(measured, said)
    report(found, as_json, _standing(found), *_unanswered(found))
    if found["required_unanswered"]:
        if not as_json:
            stderr.print(
                "[bold red]error:[/] required questions are not answered: "
                f"{', '.join(found['required_unanswered'])}; answer them in a file like "
                "datacards/demo/answers.yaml and give it with --answers",
                soft_wrap=True,
            )
        raise typer.Exit(1)


def _standing(found: dict[str, Any]) -> str:
    return (
        f"{found['measured']} of {found['questions']} questions answered by measurement, "
        f"{found['by_a_person']} by a person, {len(found['unanswered'])} not answered"
    )


def _unanswered(found: dict[str, Any]) -> list[Table]:
    if not found["unanswered"]:
        return []
    from gristmill.cards.questions import sections

    asked = {question.name: question for section in sections() for question in section.questions}
    table = Table("key", "question", "required")
    for name in found["unanswered"]:
        table.add_row(name, asked[name].ask, "yes" if asked[name].required else "")
    return [table]


def _written(done: dict[str, Any]) -> Table:
    table = Table("file", "bytes", title=escape(done["card"]))
    table.columns[1].justify = "right"
    for name in done["files"]:
        table.add_row(name, f"{(Path(done['card']) / name).stat().st_size:,}")
    return table
