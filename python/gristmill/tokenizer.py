"""Byte-level BPE tokenizers: train, encode, decode, and read and write ``tokenizer.json``.

Every text can be encoded and ``decode(encode(text)) == text``. Ids equal those of `tokenizers` and
`transformers` on the file that `save` writes; special tokens come first, then the 256 bytes, then one
token per merge, as `tokenizers`' trainer numbers them. Encoding adds no special tokens by itself:
packing puts the end token after each document.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from gristmill import _core
from gristmill.errors import CoreError, FormatError, RecipeError
from gristmill.files import write_json
from gristmill.progress import progress
from gristmill.text import Texts, as_table

END_OF_TEXT = "<|endoftext|>"

Specials: TypeAlias = Literal["text", "encode", "refuse"]
"""What a special token that is spelled out in a text becomes: text, its id, or an error."""

Merges: TypeAlias = list[tuple[int, int, int]]
"""Left and right token, and what they become; the place in the list is the rank."""

_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_O200K = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
PATTERNS = {
    "gpt2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    # tiktoken writes `\p{N}{1,3}+` and `\s++$`; Oniguruma reads those as a repeated group and as the
    # end of a line, so the same language is spelled without them
    "cl100k": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++(?![\s\S])|\s*[\r\n]|\s+(?!\S)|\s",
    "o200k": _O200K,
    "llama3": _LLAMA3,
    "qwen2": _LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}"),
}
"""The regular expressions, in Oniguruma's syntax, that ``tokenizer.json`` carries."""

_SPELLINGS = {regex: name for name, regex in PATTERNS.items()} | {
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+": "gpt2",
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+": "llama3",
}

_END_TOKENS = (END_OF_TEXT, "<|end_of_text|>", "<|eot_id|>", "<|im_end|>", "</s>", "<eos>")
_COUNT_BYTES = 32 << 20


def _byte_alphabet() -> str:
    """The character that stands for each byte in a byte-level vocabulary, as GPT-2 chose them."""
    prints = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = {byte: chr(256 + i) for i, byte in enumerate(b for b in range(256) if b not in prints)}
    return "".join(others.get(byte, chr(byte)) for byte in range(256))


_ALPHABET = _byte_alphabet()
_TO_CHARS = dict(enumerate(_ALPHABET))
# a character that stands for no byte becomes one that latin-1 cannot hold
_TO_BYTES = dict.fromkeys(range(256), "\uffff") | {
    ord(char): chr(byte) for byte, char in enumerate(_ALPHABET)
}


def _spell(token: bytes) -> str:
    return token.decode("latin-1").translate(_TO_CHARS)


def _unspell(token: str) -> bytes:
    try:
        return token.translate(_TO_BYTES).encode("latin-1")
    except UnicodeEncodeError:
        return token.encode()


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
        parts = _Parts(document, where)
        self._tokens, self._merges = parts.tokens, parts.merges
        self._nfc = parts.nfc
        self.pattern = parts.pattern
        """How texts are cut into words: a key of `PATTERNS`."""
        self.special_tokens = {t["content"]: t["id"] for t in parts.added if t["special"]}
        """The special tokens and their ids."""
        self._stripping = [t["content"] for t in parts.added if _is_stripping(t)]
        self._end_token = _end_token(config, self.special_tokens)
        try:
            self._encoder = _core.Encoder(
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

        The merges equal those of `tokenizers`' ``BpeTrainer`` (its ``min_frequency`` of 0 is 1 here):
        the commonest pair first, of equally common ones the pair with the smallest ids. A pair whose
        bytes spell a special token is never merged, which ``BpeTrainer`` would.

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
        counts = _core.WordCounts(pattern)
        with progress("count words", unit="MB") as advance:
            for batch in batches:
                for part in _portions(as_table(batch)):
                    counts.add(part, threads)
                    advance(part.nbytes / 1e6)
        tokens, merges = counts.train(
            vocab_size, list(special_tokens), min_frequency, max_token_bytes or 2**32
        )
        document = _document(tokens, merges, list(special_tokens), pattern)
        return cls(document, _config(list(special_tokens)), "trained vocabulary")

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
        document = _read_json(file)
        beside = file.with_name("tokenizer_config.json")
        config = _read_json(beside) if file.name == "tokenizer.json" and beside.exists() else {}
        return cls(document, config, str(file))

    def save(self, path: str | Path) -> None:
        """Write ``tokenizer.json`` and ``tokenizer_config.json`` into the folder `path`.

        When `path` ends in ``.json``, write that one file. `tokenizers.Tokenizer.from_file` and
        `transformers.AutoTokenizer.from_pretrained` open the result and give the same ids.
        """
        target = Path(path)
        if target.suffix == ".json":
            write_json(target, self._document)
            return
        write_json(target / "tokenizer.json", self._document)
        write_json(target / "tokenizer_config.json", self._config)

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
        as_list: Callable[[], list[int]] | None = getattr(
            ids, "to_pylist" if isinstance(ids, pa.Array) else "tolist", None
        )
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


class _Parts:
    """What a ``tokenizer.json`` says, checked."""

    def __init__(self, document: dict[str, Any], where: str) -> None:
        self.where = where
        model = self._section(document, "model", dict)
        self._check_model(model)
        self.nfc = self._normalizer(document.get("normalizer"))
        self.add_prefix_space = False
        self.pattern = self._pattern(document.get("pre_tokenizer"))
        self.ignore_merges = bool(model.get("ignore_merges"))
        vocab = self._section(model, "vocab", dict)
        self.added = [self._added(t, vocab) for t in document.get("added_tokens") or []]
        self.tokens = self._tokens(vocab)
        self.merges = self._merges(self._section(model, "merges", list), vocab)

    def refuse(self, problem: str) -> FormatError:
        return FormatError(f"{self.where}: {problem}")

    def _section(self, parent: dict[str, Any], key: str, kind: type) -> Any:
        found = parent.get(key)
        if not isinstance(found, kind):
            raise self.refuse(f"{key!r} is missing or is no {kind.__name__}")
        return found

    def _check_model(self, model: dict[str, Any]) -> None:
        if model.get("type", "BPE") != "BPE":
            raise self.refuse(f"model type {model['type']!r} is not supported; only BPE is")
        for key in ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"):
            if model.get(key):
                raise self.refuse(
                    f"{key} = {model[key]!r} is not supported; a byte-level BPE has none"
                )

    def _normalizer(self, normalizer: dict[str, Any] | None) -> bool:
        kinds = [step.get("type") for step in _steps(normalizer, "normalizers")]
        if kinds in ([], ["NFC"]):
            return bool(kinds)
        raise self.refuse(f"normalizer {kinds} is not supported; only NFC or none is")

    def _pattern(self, pre_tokenizer: dict[str, Any] | None) -> str:
        steps = _steps(pre_tokenizer, "pretokenizers")
        kinds = [step.get("type") for step in steps]
        if kinds not in (["ByteLevel"], ["Split", "ByteLevel"]):
            raise self.refuse(
                f"pre-tokenizer {kinds} is unknown; ['ByteLevel'] and ['Split', 'ByteLevel'] are "
                "supported"
            )
        own_regex = steps[-1].get("use_regex", True)
        self.add_prefix_space = bool(steps[-1].get("add_prefix_space"))
        if kinds == ["ByteLevel"] and own_regex:
            return "gpt2"
        if kinds == ["Split", "ByteLevel"] and not own_regex and not self.add_prefix_space:
            return self._split_pattern(steps[0])
        raise self.refuse(f"pre-tokenizer {json.dumps(steps)} is not supported in this combination")

    def _split_pattern(self, split: dict[str, Any]) -> str:
        regex = split.get("pattern", {}).get("Regex")
        way = (split.get("behavior"), bool(split.get("invert")))
        if regex not in _SPELLINGS or way not in (("Isolated", False), ("Removed", True)):
            raise self.refuse(
                f"pre-tokenizer pattern {regex!r} ({way[0]}) is unknown; known are the patterns of "
                + ", ".join(PATTERNS)
            )
        return _SPELLINGS[regex]

    def _added(self, token: dict[str, Any], vocab: dict[str, int]) -> dict[str, Any]:
        content, token_id = token.get("content"), token.get("id")
        if not isinstance(content, str) or not self._is_id(token_id) or not content:
            raise self.refuse(f"added token {token!r} needs an id and a content")
        if vocab.get(content, token_id) != token_id:
            raise self.refuse(
                f"added token {content!r} has id {token_id}, the vocabulary says {vocab[content]}"
            )
        token = {**token, "special": bool(token.get("special"))}
        if _is_stripping(token) and not token["special"]:
            raise self.refuse(
                f"added token {content!r} has lstrip, rstrip or single_word, which is not supported"
            )
        return token

    def _tokens(self, vocab: dict[str, int]) -> list[bytes | None]:
        added = {token["content"]: token["id"] for token in self.added}
        ids = [*vocab.values(), *added.values()]
        for token_id in ids:
            if not self._is_id(token_id):
                raise self.refuse(f"token id {token_id!r} is not a number from 0 to 2^32 - 2")
        size = max(ids, default=-1) + 1
        if size > 4 * len(ids) + 2**16:
            raise self.refuse(f"the largest token id is {size - 1}, for {len(ids)} tokens")
        tokens: list[bytes | None] = [None] * size
        for token, token_id in vocab.items():
            if tokens[token_id] is not None:
                raise self.refuse(
                    f"token id {token_id} is given twice, the second time to {token!r}"
                )
            tokens[token_id] = _unspell(token)
        for token, token_id in added.items():
            if token not in vocab and tokens[token_id] is not None:
                raise self.refuse(
                    f"token id {token_id} is given twice, the second time to {token!r}"
                )
            tokens[token_id] = token.encode()
        return tokens

    def _merges(self, merges: list[Any], vocab: dict[str, int]) -> Merges:
        found = []
        for rank, merge in enumerate(merges):
            parts = merge.split(" ") if isinstance(merge, str) else merge
            try:
                left, right = parts
                found.append((vocab[left], vocab[right], vocab[left + right]))
            except KeyError as error:
                raise self.refuse(
                    f"merge {rank} ({merge!r}) needs the token {error.args[0]!r}, which the "
                    "vocabulary does not have"
                ) from None
            except (TypeError, ValueError):
                raise self.refuse(f"merge {rank} ({merge!r}) is not a pair of tokens") from None
        return found

    @staticmethod
    def _is_id(value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**32 - 1


def _steps(section: dict[str, Any] | None, key: str) -> list[dict[str, Any]]:
    """The steps of a normalizer or pre-tokenizer, whether it is a sequence or not."""
    if section is None:
        return []
    return list(section[key]) if section.get("type") == "Sequence" else [section]


def _is_stripping(token: dict[str, Any]) -> bool:
    return any(token.get(flag) for flag in ("lstrip", "rstrip", "single_word"))


def _end_token(config: dict[str, Any], special_tokens: dict[str, int]) -> str | None:
    named = config.get("eos_token")
    named = named.get("content") if isinstance(named, dict) else named
    known = [token for token in (named, *_END_TOKENS) if token in special_tokens]
    return known[0] if known else next(iter(special_tokens), None)


def _document(
    tokens: list[bytes], merges: Merges, special_tokens: list[str], pattern: str
) -> dict[str, Any]:
    """The ``tokenizer.json`` of a trained vocabulary, in the shape of GPT-2's or Llama 3's."""
    n_specials = len(special_tokens)
    spelled = [*special_tokens, *map(_spell, tokens[n_specials:])]
    byte_level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": pattern == "gpt2",
    }
    split = {
        "type": "Split",
        "pattern": {"Regex": PATTERNS[pattern]},
        "behavior": "Isolated",
        "invert": False,
    }
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": i, "content": token, **flags, "special": True}
            for i, token in enumerate(special_tokens)
        ],
        "normalizer": None,
        "pre_tokenizer": byte_level
        if pattern == "gpt2"
        else {"type": "Sequence", "pretokenizers": [split, byte_level]},
        "post_processor": {**byte_level, "trim_offsets": False},
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: i for i, token in enumerate(spelled)},
            "merges": [f"{spelled[left]} {spelled[right]}" for left, right, _ in merges],
        },
    }


def _config(special_tokens: list[str]) -> dict[str, Any]:
    """The ``tokenizer_config.json`` of a trained vocabulary, for `transformers` 4 and 5."""
    end = _end_token({}, {token: i for i, token in enumerate(special_tokens)})
    named = {"bos_token": end, "eos_token": end} if end else {}
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_input_names": ["input_ids", "attention_mask"],
        "clean_up_tokenization_spaces": False,
        "add_prefix_space": False,
        **named,
    }


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise RecipeError(f"there is no tokenizer at {file}; `gristmill tokenizer train` makes one")
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise FormatError(f"{file}: not JSON, or only a part of it: {error}") from None
    if not isinstance(content, dict):
        raise FormatError(f"{file}: expected a JSON object, got {type(content).__name__}")
    return content


def _portions(table: pa.Table) -> list[pa.Table]:
    """Slices of about `_COUNT_BYTES`, between which Ctrl-C is heard."""
    rows = max(1, table.num_rows * _COUNT_BYTES // max(table.nbytes, 1))
    return [table.slice(start, rows) for start in range(0, table.num_rows, rows)]


def _single(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
