"""The data of a run: the packed shards of a corpus directory, and the tokenizer they were made with."""

from __future__ import annotations

import shutil
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from gristmill._core import xxh3_128_hex
from gristmill.errors import IntegrityError, RecipeError
from gristmill.shards.read import Shards

if TYPE_CHECKING:
    from gristmill.shards.stream import ShardStream

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")


class TrainingData:
    """A corpus directory as a trainer sees it.

    Raises:
        RecipeError: `corpus` has no shards, or not one row to train on.
        IntegrityError: The manifest is damaged.
    """

    def __init__(self, corpus: Path) -> None:
        self.corpus = corpus
        self.shards = corpus / "shards"
        if not (self.shards / "manifest.json").is_file():
            raise RecipeError(
                f"data: {corpus} is no finished corpus: it has no shards/manifest.json; "
                "build it first with `gristmill build`"
            )
        self.train = Shards(self.shards / "train")
        if not len(self.train):
            raise RecipeError(
                f"data: {corpus} has no packed row to train on; use a smaller pack.seq_len or more text"
            )
        self.validation = Shards(self.shards / "validation")
        manifest = self.train.manifest
        self.fingerprint = self.train.fingerprint
        self.seq_len = self.train.seq_len
        self.vocab_size = int(manifest["vocab_size"])
        self.end_token_id = int(manifest["end_token_id"])
        self.manifest = manifest
        self.check_tokenizer()

    def stream(self, micro_rows: int, seed: int, rank: int, world_size: int) -> ShardStream:
        """The training rows in the run's order, this process's share."""
        from gristmill.shards.stream import ShardStream

        return ShardStream(self.train.path, micro_rows, seed, rank, world_size)

    @cached_property
    def license_tokens(self) -> list[dict[str, Any]]:
        """Documents and tokens by license, most tokens first."""
        documents = pl.from_arrow(self.train.documents)
        assert isinstance(documents, pl.DataFrame)
        table = documents.group_by("license").agg(
            documents=pl.len(), tokens=pl.col("n_tokens").cast(pl.UInt64).sum()
        )
        return table.sort(["tokens", "license"], descending=[True, False]).to_dicts()

    def summary(self) -> dict[str, Any]:
        """What `run.json` says of the data."""
        return {
            "path": str(self.corpus),
            "fingerprint": self.fingerprint,
            "recipe_fingerprint": self.manifest["recipe_fingerprint"],
            "seq_len": self.seq_len,
            "vocab_size": self.vocab_size,
            "splits": self.manifest["splits"],
        }

    def copy_tokenizer(self, folder: Path) -> None:
        """Copy the tokenizer's files beside a model.

        Raises:
            IntegrityError: They are not the ones that the shards were made with.
        """
        for name in TOKENIZER_FILES:
            shutil.copyfile(self.corpus / "tokenizer" / name, folder / name)

    def check_tokenizer(self) -> None:
        """Hold the tokenizer against the digest in the manifest, before the run rather than after.

        Raises:
            IntegrityError: It is missing, or not the one that the shards were made with.
        """
        for name in TOKENIZER_FILES:
            if not (path := self.corpus / "tokenizer" / name).is_file():
                raise IntegrityError(f"{path} is missing; build the corpus again")
        path = self.corpus / "tokenizer" / TOKENIZER_FILES[0]
        found, expected = xxh3_128_hex(path.read_bytes()), self.manifest["tokenizer_xxh3"]
        if found != expected:
            raise IntegrityError(
                f"{path} is not the tokenizer that the shards were made with: xxh3 {found}, "
                f"expected {expected}; build the corpus again"
            )
