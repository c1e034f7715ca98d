"""A finished corpus directory, opened to be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from gristmill.errors import FormatError, RecipeError

if TYPE_CHECKING:
    from gristmill.shards.stream import ShardStream
    from gristmill.tokenizer import Tokenizer
    from gristmill.trace import Index


class Corpus:
    """The documents, ledger, tokenizer, shards, index and card below one folder.

    Args:
        path: The folder.
        run: The content of its `run.json`.
    """

    def __init__(self, path: Path, run: dict[str, Any]) -> None:
        self.path = path
        self.run = run
        self._index: Index | None = None
        self._tokenizer: Tokenizer | None = None

    @classmethod
    def open(cls, path: str | Path) -> Corpus:
        """Open a corpus directory.

        Raises:
            RecipeError: There is no finished build in `path`.
            FormatError: Its `run.json` is damaged.
        """
        folder = Path(path)
        try:
            run = json.loads((folder / "run.json").read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            unfinished = (folder / ".work").is_dir()
            raise RecipeError(
                f"{folder}: the build is not finished; run the same `gristmill build` again"
                if unfinished
                else f"{folder}: not a corpus directory (it has no run.json)"
            ) from None
        except ValueError as error:
            raise FormatError(f"{folder / 'run.json'}: {error}; build again") from None
        return cls(folder, run)

    @staticmethod
    def fingerprint_of(path: Path) -> str | None:
        """The fingerprint of the finished build in `path`, or None."""
        try:
            return str(json.loads((path / "run.json").read_bytes())["fingerprint"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @property
    def name(self) -> str:
        """The recipe's name."""
        return str(self.run["name"])

    @property
    def fingerprint(self) -> str:
        """Hash of the recipe and its input."""
        return str(self.run["fingerprint"])

    def documents(self) -> pl.LazyFrame:
        """The kept documents; columns of `schema.DOCUMENT`."""
        return pl.scan_parquet(self.path / "documents" / "part-*.parquet")

    def ledger(self) -> pl.LazyFrame:
        """One row per input document; columns of `schema.LEDGER`."""
        return pl.scan_parquet(self.path / "ledger" / "part-*.parquet")

    def card(self) -> dict[str, Any]:
        """The measured figures of the datasheet."""
        path = self.path / "card" / "measured.json"
        if not path.is_file():
            raise RecipeError(f"{self.path}: has no card; run `gristmill card {self.path}`")
        measured: dict[str, Any] = json.loads(path.read_bytes())
        return measured

    def why(self, doc_id: str) -> dict[str, Any]:
        """What became of one input document, stage by stage; see `cards.why`."""
        from gristmill.cards import why

        return why(self.path, doc_id)

    def trace(self, text: str, min_tokens: int = 8) -> list[dict[str, Any]]:
        """The longest spans of `text` that occur verbatim in the corpus; see `trace.Index.trace`.

        Raises:
            RecipeError: The corpus has no index.
        """
        from gristmill.trace import Index, token_ranges, word_ranges

        if self._index is None:
            if not (self.path / "index").is_dir():
                raise RecipeError(f"{self.path}: has no index; add `index: {{}}` to its recipe")
            self._index = Index.open(self.path / "index")
        has_tokenizer = (self.path / "tokenizer" / "tokenizer.json").is_file()
        tokens = token_ranges(self.tokenizer()) if has_tokenizer else word_ranges
        return self._index.trace(text, min_tokens=min_tokens, tokens=tokens)

    def tokenizer(self) -> Tokenizer:
        """The corpus's tokenizer."""
        from gristmill.tokenizer import Tokenizer

        if self._tokenizer is None:
            self._tokenizer = Tokenizer.load(self.path / "tokenizer")
        return self._tokenizer

    def stream(self, split: str = "train", **options: Any) -> ShardStream:
        """A `ShardStream` over one split; `options` are its own."""
        from gristmill.shards.stream import ShardStream

        return ShardStream(self.path / "shards" / split, **options)

    def __repr__(self) -> str:
        return f"Corpus({str(self.path)!r}, fingerprint={self.fingerprint!r})"
