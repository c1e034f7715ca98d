"""The peers of `bpe.py`: train a vocabulary, and encode texts twice.

It runs in the peers' own Python. ``bpe_peers.py versions`` says who is installed there;
``bpe_peers.py encode|train SIDE FOLDER CORE`` measures one of them. Every peer gets the texts in
the form that it takes fastest, and gives ids in the cheapest form it has; what is turned into numpy
for the comparison of ids is not timed.
"""

from __future__ import annotations

import os

os.environ |= {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}

import hashlib
import json
import sys
from array import array
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import paired

Encode = Callable[[Any], Any]
CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
PUBLISHED = {
    "gpt2": r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s",
    "cl100k": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+|"
    r" ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    "o200k": r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    + CONTRACTION
    + r"?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    + CONTRACTION
    + r"?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "llama3": CONTRACTION + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "qwen2": CONTRACTION + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
}
"""As tiktoken 0.14, Llama 3 and Qwen 2 give them to tiktoken."""


def digest(ids: bytes) -> str:
    """Of the ids of all texts, little-endian uint32, one after the other."""
    return hashlib.blake2b(ids, digest_size=16).hexdigest()


def of_lists(lists: Sequence[Sequence[int]]) -> bytes:
    return b"".join(array("I", ids).tobytes() for ids in lists)


class Side:
    """One peer: how it encodes texts, and the bytes of what it gives."""

    def __init__(self, encode: Encode, ids: Encode) -> None:
        self.encode, self.ids = encode, ids


def gigatoken(folder: Path, pattern: str) -> Side:
    import awkward
    import numpy
    from gigatoken import Tokenizer

    tokenizer = Tokenizer.from_tiktoken(folder / "ranks.tiktoken", pattern, {})

    def ids(found: Any) -> bytes:
        return numpy.asarray(awkward.flatten(found), numpy.uint32).tobytes()

    return Side(lambda texts: tokenizer.encode_batch(texts, parallel=False), ids)


def fastokens(folder: Path, pattern: str) -> Side:
    from fastokens import Tokenizer

    if pattern == "gpt2":
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    else:
        ranks = str(folder / "ranks.tiktoken")
        tokenizer = Tokenizer.from_tiktoken(ranks, encoding=f"{pattern}_base")
    return Side(
        lambda texts: tokenizer.encode_batch_flat(texts, split_special_tokens=True),
        lambda found: found[0],
    )


def tokenizers(folder: Path, _pattern: str) -> Side:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    encode = getattr(tokenizer, "encode_batch_fast", None) or tokenizer.encode_batch
    return Side(encode, lambda found: of_lists([one.ids for one in found]))


def tiktoken(folder: Path, pattern: str) -> Side:
    from tiktoken import Encoding
    from tiktoken.load import load_tiktoken_bpe

    encoding = Encoding(
        "bench",
        pat_str=PUBLISHED[pattern],
        mergeable_ranks=load_tiktoken_bpe(str(folder / "ranks.tiktoken")),
        special_tokens={},
    )
    return Side(lambda t: encoding.encode_ordinary_batch(t, num_threads=1), of_lists)


ENCODE = {
    "gigatoken": gigatoken,
    "fastokens": fastokens,
    "tokenizers": tokenizers,
    "tiktoken": tiktoken,
}


def train_gigatoken(folder: Path, setting: dict[str, Any]) -> Callable[[], int]:
    from gigatoken import train_bpe

    text = (folder / "train.txt").read_bytes()
    return lambda: len(
        train_bpe(text, setting["vocab_size"], ["<|endoftext|>"], separator=b"\0")[1]
    )


def train_gigabpe(folder: Path, setting: dict[str, Any]) -> Callable[[], int]:
    from gigabpe import train_bpe

    files, size = [str(folder / "train.txt")], setting["vocab_size"]
    options = {"special_tokens": ["<|endoftext|>"], "pretokenizer": "bytelevel", "threads": 1}
    return lambda: len(train_bpe(files, size, **options)[1])


def train_rustbpe(folder: Path, setting: dict[str, Any]) -> Callable[[], int]:
    from rustbpe import Tokenizer

    texts = (folder / "train.txt").read_text().split("\0")

    def work() -> int:
        tokenizer = Tokenizer()
        tokenizer.train_from_iterator(iter(texts), setting["vocab_size"] - 1, pattern=GPT2_PLAIN)
        return tokenizer.vocab_size - 256

    return work


GPT2_PLAIN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def train_tokenizers(folder: Path, setting: dict[str, Any]) -> Callable[[], int]:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    texts = (folder / "train.txt").read_text().split("\0")

    def work() -> int:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer = trainers.BpeTrainer(
            vocab_size=setting["vocab_size"],
            special_tokens=["<|endoftext|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator(texts, trainer)
        return tokenizer.get_vocab_size() - 257

    return work


TRAIN = {
    "gigabpe": train_gigabpe,
    "gigatoken": train_gigatoken,
    "rustbpe": train_rustbpe,
    "tokenizers": train_tokenizers,
}


def versions() -> dict[str, str]:
    """The version of each peer that is installed."""
    found = {}
    for side in {**ENCODE, **TRAIN}:
        try:
            found[side] = version(side)
        except PackageNotFoundError:
            continue
    return found


def encode(side: str, folder: str, core: str) -> dict[str, Any]:
    """First pass and warm pass over the texts, on one core."""
    paired.pin(int(core))
    setting = json.loads((Path(folder) / "setting.json").read_text())
    with open(f"{folder}/texts.jsonl", encoding="utf-8") as file:
        texts = [json.loads(line) for line in file]
    one = ENCODE[side](Path(folder), setting["pattern"])
    return passes(one.encode, one.ids, texts)


def passes(encode: Encode, ids: Encode, given: Any) -> dict[str, Any]:
    """Figures of the first pass, of a second one, and the digest of the ids of both."""
    kept: list[Any] = []
    paired.forget_peak()
    first = paired.measure(lambda: kept.append(encode(given)))
    found = digest(ids(kept.pop()))
    warm = paired.measure(lambda: kept.append(encode(given)))
    assert digest(ids(kept.pop())) == found, "a second pass gives other ids"
    return {"first": first, "warm": warm, "ids": found}


def train(side: str, folder: str, core: str) -> dict[str, Any]:
    """Learn the vocabulary, on one core."""
    paired.pin(int(core))
    setting = json.loads((Path(folder) / "setting.json").read_text())
    work = TRAIN[side](Path(folder), setting)
    merges: list[int] = []
    paired.forget_peak()
    figures = paired.measure(lambda: merges.append(work()))
    return figures | {"merges": merges[0]}


if __name__ == "__main__":
    if sys.argv[1:] == ["versions"]:
        print(json.dumps(versions()))
    else:
        print(json.dumps({"encode": encode, "train": train}[sys.argv[1]](*sys.argv[2:])))
