"""``gristmill trace``: where the words of a text stand in a corpus."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from gristmill.cli.app import Json, app, report
from gristmill.errors import RecipeError

COLORS = ("green", "cyan", "yellow", "magenta", "blue")
MAX_SHOWN_CHARS = 4000
MAX_CELL_CHARS = 120


@app.command("trace", rich_help_panel="Corpus")
def trace_command(
    directory: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="A corpus built with an index.", show_default=False),
    ],
    text: Annotated[
        str | None, typer.Argument(metavar="TEXT", help="The text.", show_default=False)
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="Read the text from a file; - is the standard input.")
    ] = None,
    min_tokens: Annotated[
        int,
        typer.Option(
            min=1, help="Shortest span, in tokens of the corpus's tokenizer (words if it has none)."
        ),
    ] = 8,
    as_json: Json = False,
) -> None:
    """Find the longest spans of a text that occur verbatim in the corpus, and their documents.

    **Example:** `gristmill trace out/demo/corpus "the rights to use, copy, modify, merge"`
    """
    from gristmill.corpus import Corpus

    wanted = _text(text, file)
    spans = Corpus.open(directory).trace(wanted, min_tokens)
    data = {"path": str(directory), "min_tokens": min_tokens, "text": wanted, "spans": spans}
    if spans:
        report(data, as_json, *([] if as_json else (_colored(wanted, spans), _table(spans))))
    else:
        report(data, as_json, f"no span of {min_tokens} tokens or more occurs in {directory}")


def _text(text: str | None, file: Path | None) -> str:
    if (text is None) == (file is None):
        raise RecipeError("give either TEXT or --file, the text to trace")
    if text is not None:
        return text
    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else Path(str(file)).read_bytes()
        return data.decode()
    except UnicodeDecodeError as error:
        raise RecipeError(f"{file}: is not UTF-8 ({error})") from None
    except OSError as error:
        raise RecipeError(f"{file}: {error.strerror}") from None


def _colored(text: str, spans: list[dict[str, Any]]) -> Text:
    """The text with each span in the color of its row."""
    colored = Text(text)
    for number, span in reversed(list(enumerate(spans))):  # the longest is painted last
        colored.stylize(_color(number), span["start"], span["end"])
    if len(colored) > MAX_SHOWN_CHARS:
        colored.truncate(MAX_SHOWN_CHARS, overflow="ellipsis")
    colored.append("\n")
    return colored


def _table(spans: list[dict[str, Any]]) -> Table:
    table = Table("span", "count", "stands in", title=f"{len(spans):,} spans, longest first")
    table.columns[1].justify = "right"
    for number, span in enumerate(spans):
        shown = Text(_short(span["text"]), style=_color(number))
        where = Text("\n").join(_place(document) for document in span["documents"])
        table.add_row(shown, f"{span['count']:,}", where)
        table.add_section()
    return table


def _place(document: dict[str, Any]) -> Text:
    """Id and offset; below them source, license and URL."""
    place = Text.assemble((document["id"], "bold"), f" at {document['offset']:,}\n  ")
    origin = (document["source"], document["license"], document["url"])
    return place.append(" · ".join(filter(None, origin)), style="dim")


def _color(number: int) -> str:
    return f"bold {COLORS[number % len(COLORS)]}"


def _short(text: str) -> str:
    """The text on one line, its middle left out when it is long."""
    line = " ".join(text.split())
    half = MAX_CELL_CHARS // 2
    return line if len(line) <= MAX_CELL_CHARS else f"{line[:half]} … {line[-half:]}"
