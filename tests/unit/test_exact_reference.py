"""Both engines against a suffix array that is not ours, and against answers known by construction.

Texts that are hard for hashing (periodic, self-similar, one change in a copy), for sorting (long
common prefixes) and for the cutting of characters, of both sizes: thousands of small ones, where
every edge is met, and a few large ones, which only something linear ends.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pytest

from gristmill.dedup import ENGINES, exact_duplicates
from gristmill.sources import open_source
from reference_substrings import repeats

Ranges = list[tuple[int, int, int]]
ALPHABETS = ("ab", "acgt", "ab\0\n", "aé€🦀", "éè©ã", "🦀🦁🐀🐁")
"""Two and four letters; characters of one to four bytes, of which some share bytes."""
SEED = 20_240_607


def expected(texts: list[str], min_bytes: int) -> Ranges:
    columns = repeats([text.encode() for text in texts], min_bytes)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def found(texts: list[str] | pa.Array, min_bytes: int, engine: str, threads: int = 1) -> Ranges:
    table = exact_duplicates(texts, min_bytes, engine, threads)
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def letters(rng: random.Random, alphabet: str, n: int) -> str:
    return "".join(rng.choices(alphabet, k=n))


def unrelated(rng: random.Random, alphabet: str, n: int) -> list[str]:
    return [letters(rng, alphabet, rng.randint(0, n)) for _ in range(rng.randint(0, 6))]


def periodic(rng: random.Random, alphabet: str, n: int) -> list[str]:
    periods = [letters(rng, alphabet, rng.randint(1, 9)) for _ in range(2)]
    return [(rng.choice(periods) * n)[rng.randint(0, 9) :][: rng.randint(0, n)] for _ in range(4)]


def fibonacci(rng: random.Random, alphabet: str, n: int) -> list[str]:
    short, long = rng.sample(alphabet, 2)
    while len(long) < n:
        short, long = long, long + short
    return [long[rng.randint(0, 9) :][: rng.randint(0, n)] for _ in range(rng.randint(1, 3))]


def thue_morse(rng: random.Random, alphabet: str, n: int) -> list[str]:
    pair = rng.sample(alphabet, 2)
    word = "".join(pair[i.bit_count() % 2] for i in range(n))
    return [word[rng.randint(0, 9) :][: rng.randint(0, n)] for _ in range(rng.randint(1, 3))]


def runs(rng: random.Random, alphabet: str, n: int) -> list[str]:
    """Runs of one letter each, of about the same lengths."""
    longest = rng.choice([3, n // 4 + 1, n])
    return [
        "".join(rng.choice(alphabet) * rng.randint(1, longest) for _ in range(rng.randint(0, 5)))
        for _ in range(rng.randint(1, 4))
    ]


def changed_copies(rng: random.Random, alphabet: str, n: int) -> list[str]:
    """One text again and again, each time with one letter put, taken or replaced."""
    text = letters(rng, alphabet, n)
    copies = [text]
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(n)
        copies.append(text[:at] + letters(rng, alphabet, rng.randint(0, 2)) + text[at + 1 :])
    return copies


def glued(rng: random.Random, alphabet: str, n: int) -> list[str]:
    """Texts made of the same few pieces in different orders."""
    pieces = [letters(rng, alphabet, rng.randint(1, n // 3 + 1)) for _ in range(rng.randint(1, 4))]
    return ["".join(rng.choices(pieces, k=rng.randint(0, 6))) for _ in range(rng.randint(1, 5))]


FAMILIES = (unrelated, periodic, fibonacci, thue_morse, runs, changed_copies, glued)


def cases(
    family: Callable[..., list[str]], n_cases: int, n_letters: int, least: int, most: int
) -> Iterator[tuple[list[str], int]]:
    rng = random.Random(f"{SEED} {family.__name__} {n_letters}")
    for _ in range(n_cases):
        texts = family(rng, rng.choice(ALPHABETS), rng.randint(2, n_letters))
        longest = max((len(text.encode()) for text in texts), default=0)
        edges = [longest, longest + 1, longest - 1, 2**62]
        yield texts, max(rng.choice(edges) if rng.random() < 0.05 else rng.randint(least, most), 1)


@pytest.mark.parametrize(
    ("texts", "min_bytes", "ranges"),
    [
        ([], 1, []),
        (["", ""], 1, []),
        (["abcd", "", "xxabcdyy"], 4, [(2, 2, 6)]),
        (["ab", "cd", "abcd"], 3, []),
        (["abcd", "abcd", "abcd"], 4, [(1, 0, 4), (2, 0, 4)]),
        (["abcdefgh", "efghxabcd"], 4, [(1, 0, 4), (1, 5, 9)]),
        (["abcd", "wxyz", "abcdwxyz"], 4, [(2, 0, 8)]),
        (["aaaaa"], 3, [(0, 1, 5)]),
        (["é", "©è"], 1, []),
        (["xéy", "zéy"], 2, [(1, 1, 4)]),
        (["🦀", "🦁🦀"], 3, [(1, 4, 8)]),
        (["abc", "abc"], 2**62, []),
    ],
)
def test_the_reference_gives_what_the_definition_says(
    texts: list[str], min_bytes: int, ranges: Ranges
) -> None:
    assert expected(texts, min_bytes) == ranges


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("n_cases", "n_letters", "least", "most"),
    [(300, 40, 1, 13), (80, 400, 8, 60), (16, 4_000, 40, 150)],
    ids=["small", "middling", "long"],
)
def test_engines_equal_the_reference_on_adversarial_texts(
    family: Callable[..., list[str]], n_cases: int, n_letters: int, least: int, most: int
) -> None:
    for case, (texts, min_bytes) in enumerate(cases(family, n_cases, n_letters, least, most)):
        wanted = expected(texts, min_bytes)
        for engine in ENGINES:
            threads = case % 3 + 1
            assert found(texts, min_bytes, engine, threads) == wanted, (
                f"{engine}, {threads} threads, min_bytes={min_bytes}: {texts!r}"
            )


@pytest.fixture(scope="module")
def real_texts() -> list[str]:
    """Up to 4 MB of what is installed here: its licenses, descriptions and documentation."""
    source = open_source(name="any", format="installed", kinds=["descriptions", "docs"])
    batches = (batch for split in source.splits() for batch in source.read(split))
    texts, n_bytes = [], 0
    for text in (text for batch in batches for text in batch.docs["text"].to_pylist()):
        n_bytes += len(text.encode())
        if n_bytes > 4_000_000:
            break
        texts.append(text)
    return texts


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("min_bytes", [20, 100])
def test_engines_equal_the_reference_on_real_text(
    real_texts: list[str], min_bytes: int, engine: str
) -> None:
    wanted = expected(real_texts, min_bytes)
    assert wanted
    assert found(real_texts, min_bytes, engine, threads=2) == wanted


@pytest.fixture(scope="module")
def big_among_small() -> tuple[list[str], Ranges]:
    """30 MB of letters that do not repeat, which hold copies of small texts and lend to others."""
    drawn = np.random.default_rng(SEED).integers(ord("0"), ord("0") + 64, 31_000_000, np.uint8)
    text = drawn.tobytes().decode("ascii")
    small = [text[30_000_000 + 300 * i :][: 100 + i] for i in range(150)]
    places = [200_000 * i + 17 for i in range(150)]
    ends = [0, *(place + len(one) for place, one in zip(places, small, strict=True))]
    between = [text[end:place] for end, place in zip(ends, places, strict=False)]
    big = "".join(itertools.chain(*zip(between, small, strict=True))) + text[ends[-1] : 30_000_000]
    borrowed = [f"{{{big[at : at + 120]}}}" for at in range(50_000, 30_000_000, 300_000)]
    cut = [(150, place, end) for place, end in zip(places, ends[1:], strict=True)]
    return [*small, big, *borrowed], cut + [(151 + i, 1, 121) for i in range(len(borrowed))]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_document_of_30_mb_among_small_ones(
    big_among_small: tuple[list[str], Ranges], engine: str
) -> None:
    texts, ranges = big_among_small
    assert len(ranges) == 250
    assert found(texts, 100, engine, threads=2) == ranges


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("letter", ["\0", "a", "é", "🦀"])
def test_one_letter_a_million_times_is_linear(letter: str, engine: str) -> None:
    width = len(letter.encode())
    n_bytes = 1_000_000 // width * width
    text = letter * (n_bytes // width)
    for min_bytes in (width, 100, 99_999 * width, n_bytes - width):
        assert found([text], min_bytes, engine) == [(0, width, n_bytes)]
    assert found([text, text], n_bytes, engine) == [(1, 0, n_bytes)]


@pytest.mark.parametrize("engine", ENGINES)
def test_all_copies_of_one_document_but_the_first_are_cut(engine: str) -> None:
    text = "Copyright © the authors. Redistribution and use, with or without changes, is permitted."
    copies = pa.array([text] * 100_000)
    n_bytes = len(text.encode())
    everything = [(document, 0, n_bytes) for document in range(1, 100_000)]
    for min_bytes in (n_bytes, 40):
        assert found(copies, min_bytes, engine, threads=2) == everything
    assert found(copies, n_bytes + 1, engine) == []


@pytest.mark.parametrize("engine", ENGINES)
def test_random_bytes_as_latin_1_repeat_only_what_was_planted(engine: str) -> None:
    text = np.random.default_rng(SEED).bytes(2_000_000).decode("latin-1")
    copied = text[777_777:778_777]
    wanted = [(1, 1, 1 + len(copied.encode()))]
    assert found([text, f"\0{copied}\0"], 100, engine, threads=2) == wanted


@pytest.mark.parametrize("engine", ENGINES)
def test_every_letter_in_every_document_is_linear(engine: str) -> None:
    """`min_bytes` 1 makes every place a window and 256 groups of millions."""
    text = np.random.default_rng(SEED).bytes(300_000).decode("latin-1")
    texts = [text[i : i + 1_000] for i in range(0, len(text), 1_000)]
    assert found(texts, 1, engine) == expected(texts, 1)
