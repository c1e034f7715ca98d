"""Near-duplicates beside brute force over sets of word n-grams, made by `re` and `str.lower`."""

from __future__ import annotations

import ast
import random
import re
import sysconfig
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill import dedup
from surveys import memberships

Shingles = set[tuple[str, ...]]
METHODS = pytest.mark.parametrize("method", ["one-permutation", "k-permutation"])
N_ERRORS = 4
"""Standard errors that chance may be off; one run in 16,000 is beyond."""


# ---- The slow and obvious twin. ----


def shingles(text: str, n: int) -> Shingles:
    """N-grams of lower-cased words; a short text is one, a text without words its own characters."""
    words = re.findall(r"\w+", text.lower())
    if not words:
        return {("no word", text)}
    n = min(n, len(words))
    return {tuple(words[at : at + n]) for at in range(len(words) - n + 1)}


def jaccard(a: Shingles, b: Shingles) -> float:
    return len(a & b) / len(a | b)


def resembling(sets: Sequence[Shingles], least: float) -> dict[tuple[int, int], float]:
    """All pairs of at least this similarity, by their common n-grams."""
    holders: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, one in enumerate(sets):
        for shingle in one:
            holders[shingle].append(number)
    pairs = {pair for those in holders.values() for pair in combinations(those, 2)}
    similarity = {(i, j): jaccard(sets[i], sets[j]) for i, j in pairs}
    return {pair: s for pair, s in sorted(similarity.items()) if s >= least}


def components(n: int, pairs: Iterator[tuple[int, int]] | Sequence[tuple[int, int]]) -> list[int]:
    """The smallest member of what each connects to, by relabeling until nothing changes."""
    label = list(range(n))
    pairs, before = list(pairs), None
    while label != before:
        before = list(label)
        for i, j in pairs:
            label[i] = label[j] = min(label[i], label[j])
    return label


def test_the_twin_knows_the_textbook_cases() -> None:
    assert shingles("A rose is a rose is a rose.", 4) == {
        ("a", "rose", "is", "a"),
        ("rose", "is", "a", "rose"),
        ("is", "a", "rose", "is"),
    }
    assert jaccard({("a",), ("b",)}, {("b",), ("c",)}) == 1 / 3
    assert resembling([{("a",)}, {("b",)}, {("a",), ("c",)}], 0.5) == {(0, 2): 0.5}
    assert components(5, [(3, 4), (1, 3), (0, 2)]) == [0, 1, 0, 1, 1]


def check(texts: Sequence[str], threshold: float, ngram: int, **options: object) -> float:
    """Compare with the twin; gives the share of its pairs that ended up in one cluster."""
    sets = [shingles(text, ngram) for text in texts]
    truth = resembling(sets, threshold)
    allowed = components(len(texts), truth)
    rows = memberships(texts, threshold=threshold, ngram=ngram, **options).to_pylist()
    representative = [row["representative"] for row in rows]
    for number, row in enumerate(rows):
        exact = jaccard(sets[number], sets[row["twin"]])
        assert row["jaccard"] == pytest.approx(exact, abs=1e-12)
        assert exact >= threshold
        assert representative[row["twin"]] == row["representative"] <= number
        assert representative[row["representative"]] == row["representative"]
        assert (row["twin"] == number) == (row["representative"] == number)
        assert allowed[number] == allowed[row["representative"]]
    found = sum(representative[i] == representative[j] for i, j in truth)
    return found / len(truth) if truth else 1.0


# ---- Any text. ----

LETTERS = "aAbBzZéÉßŁłжЖωΩđ0٣²_"
characters = st.sampled_from(LETTERS + " \t\n.-'’,%€🦀\0\u00a0\u2028")
line = st.lists(characters, max_size=60).map("".join)


@st.composite
def edited_texts(draw: st.DrawFn) -> list[str]:
    """Texts from few words, with edited copies."""
    word = st.text(st.sampled_from(LETTERS), min_size=1, max_size=3)
    texts = draw(st.lists(st.lists(word, max_size=25), min_size=1, max_size=6))
    for base in list(texts):
        for _ in range(draw(st.integers(0, 3))):
            copy = list(base)
            copy.insert(draw(st.integers(0, len(copy))), draw(word))
            texts.append(copy)
    between = st.sampled_from([" ", "\n", ", ", " - ", "\0"])
    return [draw(between).join(text) for text in draw(st.permutations(texts))]


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(st.lists(line, max_size=8), edited_texts()),
    st.sampled_from([0.05, 0.3, 0.5, 0.8, 0.95, 1.0]),
    st.integers(1, 7),
    st.sampled_from([1, 2, 16, 128, 200]),
    st.integers(0, 2**63 - 1),
)
def test_every_link_is_a_pair_of_the_twin_with_its_similarity(
    texts: list[str], threshold: float, ngram: int, num_perm: int, seed: int
) -> None:
    check(texts, threshold, ngram, num_perm=num_perm, seed=seed)


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.lists(line, max_size=8), edited_texts()), st.integers(1, 5))
def test_at_threshold_one_exactly_equal_sets_are_together(texts: list[str], ngram: int) -> None:
    assert check(texts, 1.0, ngram) == 1.0


# ---- Real documents. ----


def docstrings() -> Iterator[str]:
    """What the standard library says of itself."""
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            kinds = ast.Module | ast.ClassDef | ast.FunctionDef
            found = ast.get_docstring(node) if isinstance(node, kinds) else None
            if found and len(found.split()) >= 30:
                yield found


@pytest.fixture(scope="module")
def documents() -> list[str]:
    """Real documents, and copies of them with one word in 20, 40, 80, 160 edited."""
    real = list(docstrings())
    chooser = random.Random(0)
    chooser.shuffle(real)
    assert len(real) >= 300
    texts = real[:250]
    for number, text in enumerate(texts[:150]):
        words = text.split()
        for _ in range(max(1, len(words) // (20, 40, 80, 160)[number % 4])):
            words[chooser.randrange(len(words))] = f"edit{chooser.getrandbits(40)}"
        texts.append(" ".join(words).upper())
    chooser.shuffle(texts)
    return texts


@pytest.mark.parametrize(
    ("ngram", "threshold", "least"),
    [(5, 0.5, 0.98), (5, 0.8, 0.98), (5, 0.95, 0.95), (1, 0.8, 0.98), (1, 0.95, 0.95)],
)
def test_real_documents_cluster_as_by_brute_force(
    documents: list[str], ngram: int, threshold: float, least: float
) -> None:
    assert check(documents, threshold, ngram) >= least


# ---- Chance, where it decides: without verification. ----


def pairs_of(
    similarities: Sequence[tuple[int, int]], n_pairs: int
) -> tuple[list[str], list[float]]:
    """Pairs of texts of words no other pair has; (kept, replaced) words of each kind of pair.

    Words are the shingles (``ngram=1``), in any order, so the similarity of a pair is
    ``kept / (kept + 2 * replaced)``.
    """
    texts, similarity = [], []
    for kept, replaced in similarities:
        for number in range(n_pairs):
            name = f"k{kept}r{replaced}n{number}x"
            both = [f"{name}{at}" for at in range(kept)]
            for side in "ab":
                texts.append(" ".join([*both, *(f"{name}{side}{at}" for at in range(replaced))]))
            similarity.append(kept / (kept + 2 * replaced))
    return texts, similarity


def joined(texts: Sequence[str], **options: object) -> np.ndarray:
    """Of each two texts, whether they are in one cluster."""
    found = dedup.near_duplicates(texts, ngram=1, verify=False, **options).to_numpy()
    return found[::2] == found[1::2]


def check_rate(found: np.ndarray, expected: np.ndarray) -> None:
    """Compare with independent events of these probabilities."""
    error = np.sqrt((expected * (1 - expected)).sum())
    off = found.sum() - expected.sum()
    assert abs(off) <= N_ERRORS * max(error, 0.5), (
        f"{found.mean():.4f}, expected {expected.mean():.4f} +- {error / len(found):.4f}"
    )


SIMILARITIES = [(1, 9), (1, 1), (2, 1), (8, 1), (10, 15), (30, 10), (90, 5), (200, 100), (600, 50)]
"""From 0.05 to 0.95, of 2 to 650 shingles a text: of few shingles, most bins are borrowed."""


@METHODS
@pytest.mark.parametrize("kind", SIMILARITIES)
def test_values_of_signatures_agree_as_often_as_sets_overlap(
    kind: tuple[int, int], method: str
) -> None:
    """With one band of one row a pair is joined exactly when its first values agree."""
    n_pairs = 250 if sum(kind) > 500 else 1_500
    texts, similarity = pairs_of([kind], n_pairs)
    options = {"num_perm": 16, "bands": 1, "rows": 1, "method": method}
    found = np.array([joined(texts, seed=seed, **options) for seed in range(4)])
    check_rate(found.ravel(), np.tile(similarity, 4))


@METHODS
@pytest.mark.parametrize(("bands", "rows"), [(16, 8), (25, 5), (1, 2), (60, 2)])
def test_pairs_are_found_as_often_as_the_curve_of_their_banding_says(
    bands: int, rows: int, method: str
) -> None:
    of_few, of_many = [(4, 1), (20, 5), (24, 2)], [(100, 100), (150, 50), (180, 30), (190, 15)]
    texts, similarity = pairs_of([*of_few, *of_many], 700)
    found = joined(texts, bands=bands, rows=rows, method=method)
    check_rate(found, 1 - (1 - np.array(similarity) ** rows) ** bands)


@METHODS
def test_seeds_give_independent_signatures(method: str) -> None:
    texts, _ = pairs_of([(50, 25)], 1_000)
    options = {"num_perm": 16, "bands": 1, "rows": 1, "method": method}
    one, two = (joined(texts, seed=seed, **options).astype(float) for seed in (1, 2))
    assert not np.array_equal(one, two)
    assert abs(np.corrcoef(one, two)[0, 1]) <= N_ERRORS / np.sqrt(len(one))


def test_the_check_of_rates_would_see_a_bias_of_a_fifth() -> None:
    found = np.random.default_rng(0).random(4_000) < 0.6
    check_rate(found, np.full(4_000, 0.6))
    with pytest.raises(AssertionError, match=r"expected 0\.5000"):
        check_rate(found, np.full(4_000, 0.5))
