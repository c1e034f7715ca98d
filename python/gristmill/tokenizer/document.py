"""What a ``tokenizer.json`` says: read with every fault named, and written in the standard shape.

The file is that of Hugging Face `tokenizers`. In a byte-level vocabulary each byte is spelled as
one printable character, in the alphabet that GPT-2 introduced.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from gristmill.errors import FormatError, RecipeError
from gristmill.tokenizer.patterns import PATTERNS, named

Merges: TypeAlias = list[tuple[int, int, int]]
"""Left and right token, and what they become; the place in the list is the rank."""

END_OF_TEXT = "<|endoftext|>"

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
    """The bytes of a spelled token; `UnicodeEncodeError` for a lone surrogate."""
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
        self.added = self._added_tokens(document.get("added_tokens"), vocab)
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
            raise self._refused(
                f"model type {_shown(model['type'])} is not supported; BPE, "
                "WordPiece and Unigram are"
            )
        for key in ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"):
            if model.get(key):
                raise self._refused(
                    f"{key} = {_shown(model[key])} is not supported; a byte-level BPE has none"
                )

    def _normalizer(self, normalizer: Any) -> bool:
        kinds = [step.get("type") for step in self._steps(normalizer, "normalizers")]
        if kinds in ([], ["NFC"]):
            return bool(kinds)
        raise self._refused(f"normalizer {_shown(kinds)} is not supported; only NFC or none is")

    def _pattern(self, pre_tokenizer: Any) -> str:
        steps = self._steps(pre_tokenizer, "pretokenizers")
        kinds = [step.get("type") for step in steps]
        if kinds not in (["ByteLevel"], ["Split", "ByteLevel"]):
            raise self._refused(
                f"pre-tokenizer {_shown(kinds)} is unknown; ['ByteLevel'] and "
                "['Split', 'ByteLevel'] are supported"
            )
        own_regex = steps[-1].get("use_regex", True)
        self.add_prefix_space = bool(steps[-1].get("add_prefix_space"))
        if kinds == ["ByteLevel"] and own_regex:
            return "gpt2"
        if kinds == ["Split", "ByteLevel"] and not own_regex and not self.add_prefix_space:
            return self._split_pattern(steps[0])
        raise self._refused(
            f"pre-tokenizer {_shown(steps)} is not supported in this combination; a Split with "
            "use_regex and add_prefix_space false, or use_regex true alone, is"
        )

    def _split_pattern(self, split: dict[str, Any]) -> str:
        regex = self._section(self._section(split, "pattern", dict), "Regex", str)
        name = named(regex)
        way = (split.get("behavior"), bool(split.get("invert")))
        # the published patterns leave no text between their matches
        if way == ("Isolated", False) or (way == ("Removed", True) and name in PATTERNS):
            return name
        raise self._refused(
            f"a Split on {_shown(regex)} with behavior {_shown(way[0])} and invert {way[1]} is not "
            "supported; Isolated without invert is"
        )

    def _steps(self, section: Any, key: str) -> list[dict[str, Any]]:
        """The steps of a normalizer or pre-tokenizer, whether it is a sequence or not."""
        if section is None:
            return []
        steps: list[Any] = [section]
        if isinstance(section, dict) and section.get("type") == "Sequence":
            steps = self._section(section, key, list)
        for step in steps:
            if not isinstance(step, dict):
                raise self._refused(f"a step of {key} is an object, not {_shown(step)}")
        return steps

    def _added_tokens(self, listed: Any, vocab: dict[str, Any]) -> list[dict[str, Any]]:
        if listed is not None and not isinstance(listed, list):
            raise self._refused(f"'added_tokens' is no list, but {_shown(listed)}")
        added: dict[str, dict[str, Any]] = {}
        for token in listed or []:
            checked = self._added(token, vocab)
            first = added.setdefault(checked["content"], checked)
            if first["id"] != checked["id"]:
                raise self._refused(
                    f"added token {checked['content']!r} is there twice, with the ids "
                    f"{first['id']} and {checked['id']}"
                )
        return list(added.values())

    def _added(self, token: Any, vocab: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(token, dict):
            raise self._refused(f"an added token is an object, not {_shown(token)}")
        content, token_id = token.get("content"), token.get("id")
        if not isinstance(content, str) or not self._is_id(token_id) or not content:
            raise self._refused(f"added token {_shown(token)} needs an id and a content")
        if vocab.get(content, token_id) != token_id:
            raise self._refused(
                f"added token {content!r} has id {token_id}, the vocabulary says "
                f"{_shown(vocab[content])}"
            )
        checked: dict[str, Any] = {**token, "special": bool(token.get("special"))}
        if is_stripping(checked) and not checked["special"]:
            raise self._refused(
                f"added token {content!r} has lstrip, rstrip or single_word, which is not supported"
            )
        return checked

    def _tokens(self, vocab: dict[str, int]) -> list[bytes | None]:
        added = {token["content"]: token["id"] for token in self.added}
        ids = [*vocab.values(), *added.values()]
        for token_id in ids:
            if not self._is_id(token_id):
                raise self._refused(
                    f"token id {_shown(token_id)} is not a number from 0 to 2^32 - 2"
                )
        size = max(ids, default=-1) + 1
        if size > 4 * len(ids) + 2**16:
            raise self._refused(f"the largest token id is {size - 1}, for {len(ids)} tokens")
        tokens: list[bytes | None] = [None] * size
        for token, token_id in vocab.items():
            if tokens[token_id] is not None:
                raise self._refused(
                    f"token id {token_id} is given twice, the second time to {token!r}"
                )
            tokens[token_id] = self._bytes(token, _unspell)
        for token, token_id in added.items():
            if token not in vocab and tokens[token_id] is not None:
                raise self._refused(
                    f"token id {token_id} is given twice, the second time to {token!r}"
                )
            tokens[token_id] = self._bytes(token, str.encode)
        return tokens

    def _bytes(self, token: str, spelled: Callable[[str], bytes]) -> bytes:
        try:
            return spelled(token)
        except UnicodeEncodeError:
            raise self._refused(f"token {_shown(token)} holds a lone surrogate") from None

    def _merges(self, merges: list[Any], vocab: dict[str, int]) -> Merges:
        found = []
        for rank, merge in enumerate(merges):
            try:
                left, right = _pair(merge)
                found.append((vocab[left], vocab[right], vocab[left + right]))
            except KeyError as error:
                raise self._refused(
                    f"merge {rank} ({_shown(merge)}) needs the token {_shown(error.args[0])}, "
                    "which the vocabulary does not have"
                ) from None
            except (TypeError, ValueError):
                raise self._refused(
                    f"merge {rank} ({_shown(merge)}) is not a pair of tokens"
                ) from None
        return found

    @staticmethod
    def _is_id(value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**32 - 1


def _shown(value: object) -> str:
    """A value of a file, in a message; cut, for it may be huge."""
    try:
        text = repr(value)
    except RecursionError:
        return "a deeply nested value"
    return text if len(text) <= 200 else f"{text[:200]}…"


def _pair(merge: Any) -> list[Any]:
    if isinstance(merge, str):
        return merge.split(" ")
    if isinstance(merge, list):
        return merge
    raise TypeError


def model_type(document: dict[str, Any]) -> object:
    """The model that a ``tokenizer.json`` names, if it names one."""
    model = document.get("model")
    return model.get("type") if isinstance(model, dict) else None


def is_stripping(token: dict[str, Any]) -> bool:
    """Whether an added token takes the text around it into account."""
    return any(token.get(flag) for flag in ("lstrip", "rstrip", "single_word"))


def end_token(config: dict[str, Any], special_tokens: dict[str, int]) -> str | None:
    """The token that ends a document: the one the configuration names, else a usual one."""
    chosen = config.get("eos_token")
    chosen = chosen.get("content") if isinstance(chosen, dict) else chosen
    first = [chosen] if isinstance(chosen, str) else []
    known = [token for token in (*first, *_END_TOKENS) if token in special_tokens]
    return known[0] if known else next(iter(special_tokens), None)


def document_of(
    tokens: Sequence[bytes | None],
    merges: Merges,
    special_tokens: Mapping[str, int],
    pattern: str,
    *,
    ignore_merges: bool = False,
) -> dict[str, Any]:
    """The ``tokenizer.json`` of a vocabulary, in the shape of GPT-2's or Llama 3's.

    `tokens` are by id, None where there is none; special tokens may be among them or not. In the
    vocabulary they always are, for `tokenizers` gives others the next free ids.
    """
    special_ids = {token_id: token for token, token_id in special_tokens.items()}
    spelled = {
        i: special_ids.get(i) or spell(token) for i, token in enumerate(tokens) if token is not None
    }
    byte_level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": pattern == "gpt2",
    }
    split = {
        "type": "Split",
        "pattern": {"Regex": PATTERNS.get(pattern, pattern)},
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
            for token, i in special_tokens.items()
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
            "ignore_merges": ignore_merges,
            "vocab": {**special_tokens, **{token: i for i, token in spelled.items()}},
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
    except OSError as error:
        raise RecipeError(
            f"there is no tokenizer at {file}: {error.strerror}; `gristmill tokenizer train` makes "
            "one"
        ) from None
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{file}: not JSON, or only a part of it: {error}") from None
    if not isinstance(content, dict):
        raise FormatError(f"{file}: expected a JSON object, got {type(content).__name__}")
    return content
