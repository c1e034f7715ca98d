"""Ids equal to those of `tokenizers` and tiktoken, and decode(encode(x)) == x, on whole files.

    python benches/bpe_equal.py [--text FILE]... [--fuzz N] [--ranks cl100k=FILE]... [--workers N]

The texts are those of the files, random ones of all scripts, and every code point among others.
Each goes through every pattern with a vocabulary trained on a part of the texts; with one in which
any two bytes of a word merge, so that a word cut elsewhere gets other ids; and with the real one of a
tiktoken file where `--ranks` gives one. A difference is shown reduced to a short text that still has
it, and makes the exit code 1.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
import unicodedata
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import product
from pathlib import Path

import pyarrow as pa
import tiktoken
import tokenizers
from bpe_peers import PUBLISHED
from paired import texts as found_here

import gristmill as gm
from gristmill import progress
from gristmill.sources import open_source
from gristmill.tokenizer import PATTERNS
from gristmill.tokenizer.document import document_of

VOCAB_SIZE = 32_000
SAMPLE_BYTES = 5 << 20
"""Text of each file, and of the fuzz, that vocabularies are trained on."""

BATCH_CHARS = 1 << 20
WAITING = 8
SHOWN = 3
"""Differences of one file, pattern and peer that are shown."""


@dataclass
class Tally:
    """What comparing some texts found; `differing` has a reduced text for each peer's first."""

    texts: int = 0
    tokens: int = 0
    mismatches: int = 0
    differing: dict[str, list[str]] = field(default_factory=dict)

    def add(self, other: Tally) -> None:
        self.texts += other.texts
        self.tokens += other.tokens
        self.mismatches += other.mismatches
        for peer, shown in other.differing.items():
            self.differing[peer] = (self.differing.get(peer, []) + shown)[:SHOWN]


@cache
def encoders(folder: str) -> tuple[gm.Tokenizer, dict[str, Callable[[str], list[int]]]]:
    """Our tokenizer, and for each peer the ids of a text."""
    ours = gm.Tokenizer.load(folder)
    theirs = tokenizers.Tokenizer.from_file(f"{folder}/tokenizer.json")
    theirs.encode_special_tokens = True
    first = len(ours.special_tokens)
    tik = tiktoken.Encoding(
        folder,
        pat_str=PUBLISHED[ours.pattern],
        mergeable_ranks={ours.token_bytes(i): i - first for i in range(first, ours.vocab_size)},
        special_tokens={},
    )
    return ours, {
        "tokenizers": lambda text: theirs.encode(text, add_special_tokens=False).ids,
        "tiktoken": lambda text: [one + first for one in tik.encode_ordinary(text)],
    }


def check(folder: str, texts: list[str]) -> Tally:
    """Compare the ids and the decoded text of each of `texts`."""
    ours, peers = encoders(folder)
    tally = Tally(texts=len(texts))
    batch = ours.encode_batch(pa.array(texts, pa.large_string()))
    for text, ids in zip(texts, batch.to_pylist(), strict=True):
        tally.tokens += len(ids)
        wrong = [name for name, peer in peers.items() if peer(text) != ids]
        if ours.decode(ids) != text:
            wrong.append("decode")
        tally.mismatches += bool(wrong)
        for name in wrong:
            shown = tally.differing.setdefault(name, [])
            if len(shown) < SHOWN:
                shown.append(reduced(text, partial(differs, folder, name)))
    return tally


def differs(folder: str, name: str, text: str) -> bool:
    ours, peers = encoders(folder)
    ids = ours.encode(text)
    return ours.decode(ids) != text if name == "decode" else peers[name](text) != ids


def reduced(text: str, wrong: Callable[[str], bool]) -> str:
    """A short part of `text` that is still wrong: pieces are left out, ever smaller ones."""
    size = len(text) // 2
    while size:
        at = 0
        while at < len(text):
            shorter = text[:at] + text[at + size :]
            if wrong(shorter):
                text = shorter
            else:
                at += size
        size //= 2
    return text


def run(batches: Iterator[list[str]], folder: str, pool: ProcessPoolExecutor) -> Tally:
    """Check all batches in the processes of `pool`; few wait at a time."""
    tally, waiting = Tally(), deque[Future[Tally]]()
    with progress.progress(Path(folder).name, unit="texts") as advance:
        for batch in batches:
            waiting.append(pool.submit(check, folder, batch))
            if len(waiting) >= WAITING:
                tally.add(waiting.popleft().result())
            advance(len(batch))
        for one in waiting:
            tally.add(one.result())
    return tally


def in_batches(texts: Iterator[str]) -> Iterator[list[str]]:
    batch, size = list[str](), 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size >= BATCH_CHARS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def texts_of(path: str) -> Iterator[str]:
    source = open_source(name="text", path=path)
    for split in source.splits():
        for batch in source.read(split):
            yield from batch.docs["text"].to_pylist()


# ---- random texts ----

SPACES = (
    " \t\n\r\x0b\x0c\x1c\x1f\x85\xa0\u1680\u180e\u2003\u200b\u2028\u2029\u202f\u205f\u3000\ufeff"
)
CONTRACTIONS = [
    quote + end
    for quote in "'’"
    for end in ("s", "S", "ſ", "t", "re", "rE", "VE", "m", "ll", "Ll", "D", "z")
]
SNIPPETS = [
    "<|endoftext|>",
    "https://a.b/c?d=1",
    "\r\n",
    "\n\n",
    "//\n",
    "()",
    "...",
    "  ",
    "x = {}",
]
JOINER, SKINS, SELECTORS = "\u200d", "🏻🏼🏽🏾🏿", "\ufe0e\ufe0f\u20e3"


@cache
def by_category() -> dict[str, str]:
    """All code points but the surrogates, by their general category."""
    found: dict[str, list[str]] = {}
    for code in range(sys.maxunicode + 1):
        found.setdefault(unicodedata.category(chr(code)), []).append(chr(code))
    return {kind: "".join(chars) for kind, chars in found.items() if kind != "Cs"}


def some(rng: random.Random, characters: str, most: int) -> str:
    return "".join(rng.choices(characters, k=rng.randint(1, most)))


def word(rng: random.Random) -> str:
    """Letters of one script, near each other, in some case."""
    kinds = by_category()
    letters = kinds[rng.choice(("Lu", "Ll", "Ll", "Lo", "Lo", "Lt", "Lm"))]
    at = rng.randrange(len(letters))
    near = some(rng, letters[at : at + 30], 8)
    return rng.choice((str, str, str.upper, str.title, str.swapcase))(near)


def accented(rng: random.Random) -> str:
    marks = by_category()[rng.choice(("Mn", "Mn", "Mc", "Me"))]
    return "".join(char + some(rng, marks, 2) for char in word(rng))


def emoji(rng: random.Random) -> str:
    bases = [
        chr(rng.randint(0x1F300, 0x1FAFF)) + rng.choice(["", *SKINS, *SELECTORS]) for _ in "123"
    ]
    flag = "".join(chr(rng.randint(0x1F1E6, 0x1F1FF)) for _ in "12")
    return rng.choice((JOINER.join(bases), bases[0], flag, "1\ufe0f\u20e3"))


PIECES: list[Callable[[random.Random], str]] = [
    word,
    accented,
    emoji,
    lambda rng: some(rng, SPACES[:4], 5),
    lambda rng: some(rng, SPACES, 4),
    lambda rng: " ",
    lambda rng: rng.choice(CONTRACTIONS),
    lambda rng: rng.choice(SNIPPETS),
    lambda rng: some(rng, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", 9),
    lambda rng: some(rng, "0123456789", 7),
    lambda rng: some(rng, by_category()[rng.choice(("Nd", "Nl", "No"))], 5),
    lambda rng: some(rng, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", 4),
    lambda rng: some(rng, by_category()[rng.choice(sorted(by_category()))], 3),
]


def fuzzed(count: int, seed: int = 6) -> Iterator[str]:
    """Random texts of all scripts, the same for a seed."""
    rng = random.Random(seed)
    for _ in range(count):
        yield "".join(piece(rng) for piece in rng.choices(PIECES, k=rng.randrange(24)))


def every_code_point() -> Iterator[str]:
    """Each code point that has or may get a character, after and before a letter, a space, a digit."""
    codes = [*range(0xD800), *range(0xE000, 0x33480), *range(0xE0000, 0xE0200)]
    for code in codes:
        yield "a{0}B{0} {0}1{0}'S{0} \n{0}/\n".format(chr(code))


# ---- vocabularies ----


def sample_of(texts: Iterator[str]) -> Iterator[str]:
    size = 0
    for text in texts:
        size += len(text.encode())
        if size > SAMPLE_BYTES:
            return
        yield text


def every_pair(pattern: str) -> gm.Tokenizer:
    """A vocabulary in which every two bytes are a token."""
    pairs = list(product(range(256), repeat=2))
    tokens = [bytes([byte]) for byte in range(256)] + [bytes(pair) for pair in pairs]
    merges = [(*pair, 256 + at) for at, pair in enumerate(pairs)]
    return gm.Tokenizer(document_of(tokens, merges, {}, pattern), {}, "every pair")


def vocabularies(folder: Path, sample: list[str], ranks: list[str]) -> list[Path]:
    """Save the tokenizers to check, each in its own folder."""
    made = {
        folder / f"{pattern}, trained": gm.Tokenizer.train(sample, VOCAB_SIZE, pattern)
        for pattern in PATTERNS
    } | {folder / f"{pattern}, pairs": every_pair(pattern) for pattern in PATTERNS}
    for given in ranks:
        pattern, _, path = given.partition("=")
        loaded = gm.Tokenizer.load(path, pattern=pattern, special_tokens={})
        made[folder / f"{pattern}, {Path(path).stem}"] = loaded
    for place, tokenizer in made.items():
        tokenizer.save(place)
    return list(made)


def inputs(paths: list[str], fuzz: int) -> dict[str, Callable[[], Iterator[str]]]:
    found: dict[str, Callable[[], Iterator[str]]] = {
        path: partial(texts_of, path) for path in paths
    }
    if not paths:
        found["found here"] = lambda: iter(found_here(SAMPLE_BYTES))
    if fuzz:
        found[f"{fuzz:,} random texts"] = partial(fuzzed, fuzz)
    return found | {"every code point": every_code_point}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--text", action="append", default=[], help="documents; repeatable")
    parser.add_argument("--fuzz", type=int, default=100_000, help="random texts")
    parser.add_argument("--ranks", action="append", default=[], help="PATTERN=tiktoken file")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    progress.show()
    os.environ |= {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    every, total = inputs(options.text, options.fuzz), 0
    spawn = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(options.workers, mp_context=spawn) as pool,
        tempfile.TemporaryDirectory() as folder,
    ):
        sample = [text for texts in every.values() for text in sample_of(texts())]
        for tokenizer in vocabularies(Path(folder), sample, options.ranks):
            for name, texts in every.items():
                total += report(name, tokenizer, texts(), pool)
    return int(total > 0)


def report(name: str, tokenizer: Path, texts: Iterator[str], pool: ProcessPoolExecutor) -> int:
    start = time.perf_counter()
    tally = run(in_batches(texts), str(tokenizer), pool)
    print(
        f"{tokenizer.name}, {name}: {tally.texts:,} texts, {tally.tokens:,} tokens, "
        f"{tally.mismatches} mismatches, {time.perf_counter() - start:.0f} s",
        flush=True,
    )
    for peer, shown in tally.differing.items():
        for text in shown:
            print(f"  {peer}: {json.dumps(text)}", flush=True)
    return tally.mismatches


if __name__ == "__main__":
    sys.exit(main())
