"""Byte-level BPE tokenizers: train, encode, decode, and read and write ``tokenizer.json``.

Every text can be encoded and ``decode(encode(text)) == text``. Ids equal those of `tokenizers` and
`transformers` on the file that `save` writes; special tokens come first, then the 256 bytes, then
one token per merge, as `tokenizers`' trainer numbers them. Encoding adds no special tokens by
itself: packing puts the end token after each document.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from gristmill import _core
from gristmill.errors import CoreError, FormatError
from gristmill.files import write_json
from gristmill.text import Texts, as_table, from_kernel
from gristmill.tokenizer.document import (
    END_OF_TEXT,
    PATTERNS,
    Parts,
    config_of,
    document_of,
    end_token,
    is_stripping,
    read_json,
)

__all__ = ["END_OF_TEXT", "PATTERNS", "Specials", "Tokenizer"]

Specials: TypeAlias = Literal["text", "encode", "refuse"]
"""What a special token that is spelled out in a text becomes: text, its id, or an error."""

_COUNT_BYTES = 32 << 20


class Tokenizer:
    """A byte-level BPE vocabulary: texts to ids and back.

    Make one with `train` or `load`. It never changes, and threads may share it.

    >>> tok = Tokenizer.train(["low lower lowest"], vocab_size=262)
    >>> tok.decode(tok.encode("slower")), len(tok.encode("slower"))
    ('slower', 4)
    """

    def __init__(self, document: dict[str, Any], config: dict[str, Any], where: str) -> None:
        """Read a parsed ``tokenizer.json`` and ``tokenizer_config.json``; use `load` for files."""
        self._document, self._config = document, config
        parts = Parts(document, where)
        self._tokens, self._merges = parts.tokens, parts.merges
        self._nfc = parts.nfc
        self.pattern = parts.pattern
        """How texts are cut into words: a key of `PATTERNS`."""
        self.special_tokens = {t["content"]: t["id"] for t in parts.added if t["special"]}
        """The special tokens and their ids."""
        self._stripping = [t["content"] for t in parts.added if is_stripping(t)]
        self._end_token = end_token(config, self.special_tokens)
        try:
            self._encoder = _core.BpeEncoder(
                self._tokens,
                self._merges,
                [(t["content"], t["id"], t["special"]) for t in parts.added],
                self.pattern,
                ignore_merges=parts.ignore_merges,
                add_prefix_space=parts.add_prefix_space,
            )
        except CoreError as error:
            raise FormatError(f"{where}: {error}") from None

    @classmethod
    def train(
        cls,
        texts: Texts,
        vocab_size: int,
        pattern: str = "gpt2",
        special_tokens: Sequence[str] = (END_OF_TEXT,),
        threads: int = 1,
        *,
        min_frequency: int = 1,
        max_token_bytes: int | None = None,
    ) -> Tokenizer:
        """Learn a vocabulary from texts.

        The merges equal those of `tokenizers`' ``BpeTrainer``: the commonest pair first, of equally
        common ones the pair with the smallest ids. Two things differ: a pair whose bytes spell a
        special token is never merged, and ``max_token_length`` there excludes the length itself.

        Args:
            texts: The texts to learn from; Arrow data is not copied.
            vocab_size: Number of tokens, special tokens and the 256 bytes included. Fewer come back
                when the texts hold nothing more to merge.
            pattern: How texts are cut into words: a key of `PATTERNS`.
            special_tokens: They get the first ids, in this order.
            threads: The result is the same for any number.
            min_frequency: Pairs that occur less often are not merged.
            max_token_bytes: No token gets longer than this.

        Raises:
            ValueError: `vocab_size` has no room for the 256 bytes and the special tokens, a special
                token comes twice or has less than two bytes, or `pattern` is unknown.
        """
        return cls.train_batches(
            [texts],
            vocab_size,
            pattern,
            special_tokens,
            threads,
            min_frequency=min_frequency,
            max_token_bytes=max_token_bytes,
        )

    @classmethod
    def train_batches(
        cls,
        batches: Iterable[Texts],
        vocab_size: int,
        pattern: str = "gpt2",
        special_tokens: Sequence[str] = (END_OF_TEXT,),
        threads: int = 1,
        *,
        min_frequency: int = 1,
        max_token_bytes: int | None = None,
    ) -> Tokenizer:
        """Learn a vocabulary from batches of texts, of which only one is in memory at a time.

        The result is that of `train` on all the texts at once, in any order; see there.
        """
        if isinstance(special_tokens, str):
            raise TypeError("special_tokens is a list of tokens, got a single string")
        trainer = _core.BpeTrainer(
            pattern, vocab_size, list(special_tokens), min_frequency, max_token_bytes or 2**32
        )
        for batch in batches:
            for part in _portions(as_table(batch)):
                trainer.add(part, threads)
        tokens, merges = trainer.train()
        document = document_of(tokens, merges, list(special_tokens), pattern)
        return cls(document, config_of(list(special_tokens)), "trained vocabulary")

    @classmethod
    def load(cls, path: str | Path) -> Tokenizer:
        """Open a byte-level ``tokenizer.json``, or the folder that holds one.

        Ours, and any whose words are cut by one of `PATTERNS`: GPT-2, Llama 3, Qwen and their like.
        ``tokenizer_config.json`` beside it names the end token.

        Raises:
            RecipeError: There is no such file.
            FormatError: The file is damaged, or is not a byte-level BPE tokenizer of a known kind;
                the message names file and problem.
        """
        file = Path(path)
        if file.is_dir():
            file = file / "tokenizer.json"
        document = read_json(file)
        beside = file.with_name("tokenizer_config.json")
        config = read_json(beside) if file.name == "tokenizer.json" and beside.exists() else {}
        return cls(document, config, str(file))

    def save(self, path: str | Path) -> None:
        """Write ``tokenizer.json`` and ``tokenizer_config.json`` into the folder `path`.

        When `path` ends in ``.json``, write that one file. `tokenizers.Tokenizer.from_file` and
        `transformers.AutoTokenizer.from_pretrained` open the result and give the same ids; but
        beside a ``config.json`` of model type ``qwen2``, `transformers` 5 cuts words by Qwen's
        pattern whatever the file says.
        """
        target = Path(path)
        if target.suffix == ".json":
            write_json(target, self._document)
            return
        write_json(target / "tokenizer.json", self._document)
        write_json(target / "tokenizer_config.json", self._config)

    @property
    def normalizes(self) -> bool:
        """Whether texts are brought to Unicode NFC before they are encoded."""
        return self._nfc

    @property
    def vocab_size(self) -> int:
        """Number of ids: one more than the largest."""
        return len(self._tokens)

    @property
    def end_token_id(self) -> int:
        """The id that ends a document.

        Raises:
            FormatError: The tokenizer has no such token.
        """
        if self._end_token is None:
            raise FormatError(
                "the tokenizer has no end token; name one as eos_token in tokenizer_config.json"
            )
        return int(self.special_tokens[self._end_token])

    @property
    def merges(self) -> list[tuple[bytes, bytes]]:
        """The merges by rank, as the bytes of their two parts."""
        return [
            (self.token_bytes(left), self.token_bytes(right)) for left, right, _ in self._merges
        ]

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes of a token.

        Raises:
            KeyError: No token has this id.
        """
        token = self._tokens[token_id] if 0 <= token_id < len(self._tokens) else None
        if token is None:
            raise KeyError(f"no token has id {token_id}; there are {self.vocab_size} ids")
        return token

    def words(self, text: str) -> list[str]:
        """The words that `pattern` cuts a text into; merges never cross them."""
        return self._encoder.words(text)

    def encode(self, text: str, *, specials: Specials = "text") -> list[int]:
        """Encode one text; see `encode_batch`."""
        if self._nfc:
            text = pc.utf8_normalize(text, "NFC").as_py()
        return self._encoder.encode(text, self._policy(specials))

    def encode_batch(
        self, texts: Texts, threads: int = 1, *, specials: Specials = "text"
    ) -> pa.ListArray:
        """Encode texts, without adding special tokens.

        Args:
            texts: *n* texts; Arrow data is not copied, a null counts as an empty text.
            threads: The result is the same for any number.
            specials: What a special token spelled out in a text becomes: ``text`` (the default: a
                document cannot end itself), ``encode`` (its id) or ``refuse`` (an error). Added
                tokens that are not special are always matched, as `tokenizers` does.

        Returns:
            ``list<uint32>[n]``, without nulls; ``large_list<uint32>[n]`` from 2^31 ids on.

        Raises:
            CoreError: A text has 4 GiB or more, or holds a special token that is refused.
        """
        batches = self._encoder.encode_batch(self._table(texts), self._policy(specials), threads)
        return _single(pa.table(batches).column("ids"))

    def encode_into(
        self,
        packer: _core.Packer,
        texts: Texts,
        held_out: pa.Array | pa.ChunkedArray,
        threads: int = 1,
    ) -> pa.UInt32Array:
        """Encode texts straight into rows; no list of their ids is ever made.

        Args:
            packer: Takes the ids of each text in turn.
            texts: *n* texts; a special token that is spelled out in one is text.
            held_out: ``bool[n]``, which of them are for validation.
            threads: The result is the same for any number.

        Returns:
            ``uint32[n]``, how many ids each text has.
        """
        documents = self._table(texts).append_column("held_out", held_out)
        found = from_kernel(packer.encode(self._encoder, documents, threads))
        return _single(found.column("n_tokens"))

    def count(
        self, texts: Texts, threads: int = 1, *, specials: Specials = "text"
    ) -> pa.UInt64Array:
        """The number of tokens of each text, ``uint64[n]``, without keeping the ids."""
        batches = self._encoder.count_batch(self._table(texts), self._policy(specials), threads)
        return _single(pa.table(batches).column("n_tokens"))

    def decode(self, ids: Iterable[int], *, skip_special_tokens: bool = False) -> str:
        """The text of a sequence of ids (a list, an Arrow or numpy array, a tensor).

        Ids that end inside a character give U+FFFD there; `decode_bytes` gives the bytes.

        Raises:
            CoreError: No token has one of the ids.
        """
        return self.decode_bytes(ids, skip_special_tokens=skip_special_tokens).decode(
            errors="replace"
        )

    def decode_bytes(self, ids: Iterable[int], *, skip_special_tokens: bool = False) -> bytes:
        """The bytes of a sequence of ids; see `decode`."""
        as_list = getattr(ids, "tolist", None)
        plain = as_list() if as_list else [int(token_id) for token_id in ids]
        return self._encoder.decode(plain, skip_special_tokens)

    def __repr__(self) -> str:
        return f"Tokenizer(vocab_size={self.vocab_size}, pattern={self.pattern!r})"

    def _table(self, texts: Texts) -> pa.Table:
        table = as_table(texts)
        if not self._nfc:
            return table
        column = table.column(0).cast(pa.large_string())
        return pa.table({"text": pc.utf8_normalize(column, "NFC")})

    def _policy(self, specials: Specials) -> str:
        if specials == "encode" and self._stripping:
            raise ValueError(
                f"specials='encode' is not supported here: {self._stripping[0]!r} takes the space "
                "around it (lstrip, rstrip or single_word)"
            )
        return specials


def _portions(table: pa.Table) -> list[pa.Table]:
    """Slices of about `_COUNT_BYTES`, between which Ctrl-C is heard."""
    rows = max(1, table.num_rows * _COUNT_BYTES // max(table.nbytes, 1))
    return [table.slice(start, rows) for start in range(0, table.num_rows, rows)]


def _single(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
