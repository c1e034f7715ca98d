"""``gristmill tokenizer``: train a byte-level BPE; `encode` has a module of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.compute as pc
import typer
from rich.table import Table

from gristmill.cli.app import Json, app, report
from gristmill.config import parse_bytes
from gristmill.errors import DataRefusedError, RecipeError
from gristmill.progress import progress

MAX_BAD_FRACTION = 0.001
SAMPLE_BYTES = 2 << 20

commands = typer.Typer(no_args_is_help=True, help="Train and compare tokenizers; encode documents.")
app.add_typer(commands, name="tokenizer", rich_help_panel="Corpus")


Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT...",
        help="Files, globs, folders or URLs of JSONL, Parquet, Arrow or text; plain, gzip or zstd.",
        show_default=False,
    ),
]
Threads = Annotated[int, typer.Option(min=1, help="The result is the same for any number.")]


def refuse_bad(bad: int, docs: int) -> None:
    """Raise when too many records were no documents.

    Raises:
        DataRefusedError: More than `MAX_BAD_FRACTION` of them.
    """
    if bad > MAX_BAD_FRACTION * (docs + bad):
        raise DataRefusedError(
            f"{bad} of {docs + bad} records are no documents with a text; at most "
            f"{MAX_BAD_FRACTION:.1%} may be bad"
        )


@dataclass
class Reading:
    """Documents of several inputs in order, counted as they pass."""

    inputs: list[str]
    docs: int = 0
    bad: int = 0
    text_bytes: int = 0
    sample: list[pa.Array] = field(default_factory=list)

    def tables(self) -> Iterator[pa.Table]:
        """Read all inputs.

        Raises:
            DataRefusedError: Too many records were no documents.
        """
        from gristmill.sources import open_source

        sources = [open_source(name=Path(path).name or path, path=path) for path in self.inputs]
        with progress("read", unit="MB") as advance:
            for source in sources:
                for split in source.splits():
                    for batch in source.read(split):
                        advance(self._count(batch.docs, len(batch.bad)) / 1e6)
                        yield batch.docs
        refuse_bad(self.bad, self.docs)
        if not self.docs:
            raise RecipeError(f"there are no documents in {', '.join(self.inputs)}")

    def _count(self, docs: pa.Table, bad: int) -> int:
        n_bytes = int(pc.sum(pc.binary_length(docs["text"])).as_py() or 0)
        if self.text_bytes < SAMPLE_BYTES and docs.num_rows:
            rows = max(1, docs.num_rows * SAMPLE_BYTES // max(n_bytes, 1))
            self.sample.append(docs["text"].slice(0, rows).combine_chunks())
        self.docs += docs.num_rows
        self.bad += bad
        self.text_bytes += n_bytes
        return n_bytes

    def bytes_per_token(self, tokenizer: Any) -> float:
        """Mean length of a token on the first megabytes read."""
        sample = pa.chunked_array(self.sample)
        n_bytes = pc.sum(pc.binary_length(sample)).as_py()
        return float(n_bytes / max(1, pc.sum(tokenizer.count(sample)).as_py()))


@commands.command("train")
def train_command(
    inputs: Inputs,
    vocab_size: Annotated[
        int, typer.Option(help="Tokens, with the 256 bytes and the special ones.", min=256)
    ],
    out: Annotated[Path, typer.Option(help="Folder for tokenizer.json.")],
    pattern: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|REGEX",
            help="How texts are cut into words: gpt2, cl100k, o200k, llama3, qwen2, or a regular "
            "expression.",
            show_default="gpt2, or that of --extend",
        ),
    ] = None,
    threads: Threads = 1,
    min_frequency: Annotated[
        int, typer.Option(min=1, help="Merge only pairs that occur at least so often.")
    ] = 1,
    max_token_bytes: Annotated[
        int | None, typer.Option(min=1, help="Bytes of the longest token.", show_default="any")
    ] = None,
    sample_bytes: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Learn from a sample of the documents of at most this size, like 1GB.",
            show_default="all",
        ),
    ] = None,
    extend: Annotated[
        Path | None,
        typer.Option(help="A tokenizer.json, or its folder, whose ids stay and are added to."),
    ] = None,
    special: Annotated[
        list[str] | None,
        typer.Option(
            help="A special token, `<|endoftext|>` when none is given. Repeatable. "
            "With --extend, one to add."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Learn a byte-level BPE vocabulary that `tokenizers` and `transformers` open.

    **Example:** `gristmill tokenizer train data/*.jsonl.zst --vocab-size 32000 --out tok`
    """
    from gristmill.tokenizer import Tokenizer

    reading, start = Reading(inputs), time.perf_counter()
    try:
        tokenizer = Tokenizer.train_batches(
            (docs["text"] for docs in reading.tables()),
            vocab_size,
            pattern,
            special,
            threads,
            min_frequency=min_frequency,
            max_token_bytes=max_token_bytes,
            sample_bytes=None if sample_bytes is None else parse_bytes(sample_bytes),
            extend=extend,
        )
    except ValueError as error:
        raise RecipeError(str(error)) from None
    seconds = time.perf_counter() - start
    tokenizer.save(out)
    _report_training(out, tokenizer, reading, seconds, as_json)


def _report_training(
    out: Path, tokenizer: Any, reading: Reading, seconds: float, as_json: bool
) -> None:
    result = {
        "path": str(out / "tokenizer.json"),
        "vocab_size": tokenizer.vocab_size,
        "pattern": tokenizer.pattern,
        "documents": reading.docs,
        "bad_records": reading.bad,
        "bytes": reading.text_bytes,
        "seconds": round(seconds, 3),
        "mb_per_s": round(reading.text_bytes / 1e6 / seconds, 2),
        "bytes_per_token": round(reading.bytes_per_token(tokenizer), 4),
    }
    table = Table("vocabulary", "MB of text", "seconds", "MB/s", "bytes per token", title=str(out))
    table.add_row(
        f"{result['vocab_size']:,}",
        f"{reading.text_bytes / 1e6:,.1f}",
        f"{seconds:.1f}",
        f"{result['mb_per_s']:,.1f}",
        f"{result['bytes_per_token']:.2f}",
    )
    report(result, as_json, table)
