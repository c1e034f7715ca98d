"""What a ``tokenizer.json`` says: read with every fault named, and written in the standard shape.

The file is that of Hugging Face `tokenizers`. In a byte-level vocabulary each byte is spelled as
one printable character, in the alphabet that GPT-2 introduced.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeAlias

from gristmill.errors import FormatError, RecipeError

Merges: TypeAlias = list[tuple[int, int, int]]
"""Left and right token, and what they become; the place in the list is the rank."""

END_OF_TEXT = "<|endoftext|>"

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
    # tiktoken writes `\p{N}{1,3}+` and `\s++$`; Oniguruma reads those as a repeated group and as
    # the end of a line, so the same language is spelled without them
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


def spell(token: bytes) -> str:
    """The characters that stand for a token's bytes."""
    return token.decode("latin-1").translate(_TO_CHARS)


def _unspell(token: str) -> bytes:
    try:
        return token.translate(_TO_BYTES).encode("latin-1")
    except UnicodeEncodeError:
        return token.encode()


class Parts:
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

    def _refused(self, problem: str) -> FormatError:
        return FormatError(f"{self.where}: {problem}")

    def _section(self, parent: dict[str, Any], key: str, kind: type) -> Any:
        found = parent.get(key)
        if not isinstance(found, kind):
            raise self._refused(f"{key!r} is missing or is no {kind.__name__}")
        return found

    def _check_model(self, model: dict[str, Any]) -> None:
        if model.get("type", "BPE") != "BPE":
            raise self._refused(f"model type {model['type']!r} is not supported; only BPE is")
        for key in ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"):
            if model.get(key):
                raise self._refused(
                    f"{key} = {model[key]!r} is not supported; a byte-level BPE has none"
                )

    def _normalizer(self, normalizer: dict[str, Any] | None) -> bool:
        kinds = [step.get("type") for step in _steps(normalizer, "normalizers")]
        if kinds in ([], ["NFC"]):
            return bool(kinds)
        raise self._refused(f"normalizer {kinds} is not supported; only NFC or none is")

    def _pattern(self, pre_tokenizer: dict[str, Any] | None) -> str:
        steps = _steps(pre_tokenizer, "pretokenizers")
        kinds = [step.get("type") for step in steps]
        if kinds not in (["ByteLevel"], ["Split", "ByteLevel"]):
            raise self._refused(
                f"pre-tokenizer {kinds} is unknown; ['ByteLevel'] and ['Split', 'ByteLevel'] are "
                "supported"
            )
        own_regex = steps[-1].get("use_regex", True)
        self.add_prefix_space = bool(steps[-1].get("add_prefix_space"))
        if kinds == ["ByteLevel"] and own_regex:
            return "gpt2"
        if kinds == ["Split", "ByteLevel"] and not own_regex and not self.add_prefix_space:
            return self._split_pattern(steps[0])
        raise self._refused(
            f"pre-tokenizer {json.dumps(steps)} is not supported in this combination"
        )

    def _split_pattern(self, split: dict[str, Any]) -> str:
        regex = split.get("pattern", {}).get("Regex")
        way = (split.get("behavior"), bool(split.get("invert")))
        if regex not in _SPELLINGS or way not in (("Isolated", False), ("Removed", True)):
            raise self._refused(
                f"pre-tokenizer pattern {regex!r} ({way[0]}) is unknown; known are the patterns of "
                + ", ".join(PATTERNS)
            )
        return _SPELLINGS[regex]

    def _added(self, token: dict[str, Any], vocab: dict[str, int]) -> dict[str, Any]:
        content, token_id = token.get("content"), token.get("id")
        if not isinstance(content, str) or not self._is_id(token_id) or not content:
            raise self._refused(f"added token {token!r} needs an id and a content")
        if vocab.get(content, token_id) != token_id:
            raise self._refused(
                f"added token {content!r} has id {token_id}, the vocabulary says {vocab[content]}"
            )
        token = {**token, "special": bool(token.get("special"))}
        if is_stripping(token) and not token["special"]:
            raise self._refused(
                f"added token {content!r} has lstrip, rstrip or single_word, which is not supported"
            )
        return token

    def _tokens(self, vocab: dict[str, int]) -> list[bytes | None]:
        added = {token["content"]: token["id"] for token in self.added}
        ids = [*vocab.values(), *added.values()]
        for token_id in ids:
            if not self._is_id(token_id):
                raise self._refused(f"token id {token_id!r} is not a number from 0 to 2^32 - 2")
        size = max(ids, default=-1) + 1
        if size > 4 * len(ids) + 2**16:
            raise self._refused(f"the largest token id is {size - 1}, for {len(ids)} tokens")
        tokens: list[bytes | None] = [None] * size
        for token, token_id in vocab.items():
            if tokens[token_id] is not None:
                raise self._refused(
                    f"token id {token_id} is given twice, the second time to {token!r}"
                )
            tokens[token_id] = _unspell(token)
        for token, token_id in added.items():
            if token not in vocab and tokens[token_id] is not None:
                raise self._refused(
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
                raise self._refused(
                    f"merge {rank} ({merge!r}) needs the token {error.args[0]!r}, which the "
                    "vocabulary does not have"
                ) from None
            except (TypeError, ValueError):
                raise self._refused(f"merge {rank} ({merge!r}) is not a pair of tokens") from None
        return found

    @staticmethod
    def _is_id(value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**32 - 1


def _steps(section: dict[str, Any] | None, key: str) -> list[dict[str, Any]]:
    """The steps of a normalizer or pre-tokenizer, whether it is a sequence or not."""
    if section is None:
        return []
    return list(section[key]) if section.get("type") == "Sequence" else [section]


def is_stripping(token: dict[str, Any]) -> bool:
    """Whether an added token takes the text around it into account."""
    return any(token.get(flag) for flag in ("lstrip", "rstrip", "single_word"))


def end_token(config: dict[str, Any], special_tokens: dict[str, int]) -> str | None:
    """The token that ends a document: the one the configuration names, else a usual one."""
    named = config.get("eos_token")
    named = named.get("content") if isinstance(named, dict) else named
    known = [token for token in (named, *_END_TOKENS) if token in special_tokens]
    return known[0] if known else next(iter(special_tokens), None)


def document_of(
    tokens: list[bytes], merges: Merges, special_tokens: list[str], pattern: str
) -> dict[str, Any]:
    """The ``tokenizer.json`` of a trained vocabulary, in the shape of GPT-2's or Llama 3's."""
    n_specials = len(special_tokens)
    spelled = [*special_tokens, *map(spell, tokens[n_specials:])]
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


def config_of(special_tokens: list[str]) -> dict[str, Any]:
    """The ``tokenizer_config.json`` of a trained vocabulary, for `transformers` 4 and 5."""
    end = end_token({}, {token: i for i, token in enumerate(special_tokens)})
    named = {"bos_token": end, "eos_token": end} if end else {}
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_input_names": ["input_ids", "attention_mask"],
        "clean_up_tokenization_spaces": False,
        "add_prefix_space": False,
        **named,
    }


def read_json(file: Path) -> dict[str, Any]:
    """Read a JSON object; a missing file is a `RecipeError`, a damaged one a `FormatError`."""
    try:
        content = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise RecipeError(
            f"there is no tokenizer at {file}; `gristmill tokenizer train` makes one"
        ) from None
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise FormatError(f"{file}: not JSON, or only a part of it: {error}") from None
    if not isinstance(content, dict):
        raise FormatError(f"{file}: expected a JSON object, got {type(content).__name__}")
    return content
