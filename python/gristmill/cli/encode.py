"""``gristmill tokenizer encode``: turn documents into packed shards."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from gristmill.cli.app import Json, report
from gristmill.cli.tokenizer import Inputs, Reading, Threads, commands


class Order(StrEnum):
    """In which order documents are packed."""

    shuffled = "shuffled"
    corpus = "corpus"


class Fit(StrEnum):
    """Which pieces share a row."""

    concatenate = "concatenate"
    best = "best"


@commands.command("encode")
def encode_command(
    inputs: Inputs,
    tokenizer: Annotated[Path, typer.Option(help="tokenizer.json, or its folder.")],
    out: Annotated[Path, typer.Option(help="Folder for the shards and their manifest.")],
    seq_len: Annotated[int, typer.Option(min=2, help="Tokens in a row.")] = 2048,
    validation: Annotated[
        float, typer.Option(min=0, max=1, help="Fraction of documents held out.")
    ] = 0.005,
    order: Annotated[
        Order, typer.Option(help="Documents in an order keyed by the seed, or as they are read.")
    ] = Order.shuffled,
    fit: Annotated[
        Fit, typer.Option(help="Lay documents end to end, or fill rows so that few are cut.")
    ] = Fit.concatenate,
    seed: Annotated[int, typer.Option(min=0, help="Which order.")] = 7,
    threads: Threads = 1,
    as_json: Json = False,
) -> None:
    """Tokenize documents and pack them into shards for training.

    **Example:** `gristmill tokenizer encode data/*.parquet --tokenizer tok --out shards`
    """
    from gristmill.shards.write import write_shards
    from gristmill.tokenizer import Tokenizer

    loaded, reading, start = Tokenizer.load(tokenizer), Reading(inputs), time.perf_counter()
    manifest = write_shards(
        reading.tables(),
        loaded,
        out,
        seq_len=seq_len,
        validation=validation,
        order=order.value,
        fit=fit.value,
        seed=seed,
        threads=threads,
    )
    seconds = time.perf_counter() - start
    splits = manifest["splits"]
    table = Table("split", "documents", "rows", "tokens", title=str(out))
    for name, counts in splits.items():
        table.add_row(name, *(f"{counts[key]:,}" for key in ("documents", "rows", "tokens")))
    tokens = sum(counts["tokens"] for counts in splits.values())
    result = {
        "path": str(out),
        "fingerprint": manifest["fingerprint"],
        "splits": splits,
        "documents": reading.docs,
        "bad_records": reading.bad,
        "bytes": reading.text_bytes,
        "seconds": round(seconds, 3),
        "tokens_per_s": round(tokens / seconds),
    }
    report(
        result, as_json, table, f"{tokens:,} tokens in {seconds:.1f} s ({tokens / seconds:,.0f}/s)"
    )
