"""The stage ``near_duplicates``: who stays, what is said of those that go, and earlier corpora."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill import dedup
from gristmill.dedup import EarlierCorpus, MinHash, NearDuplicates
from gristmill.dedup.members import best_of, members_of
from gristmill.errors import IntegrityError, RecipeError
from gristmill.files import write_json
from gristmill.schema import DOCUMENT
from gristmill.tables import write_parquet
from gristmill.units import digest
from surveys import Outcome, documents, outcome

NGRAM = 2
EARLIER = "near_duplicate_of_earlier"


def passage(start: int, stop: int) -> str:
    """Words of one endless text, so that passages overlap as their ranges do."""
    return " ".join(f"n{number}" for number in range(start, stop))


def jaccard(one: str, other: str) -> float:
    sets = []
    for text in (one, other):
        words = text.split()
        sets.append({tuple(words[at : at + NGRAM]) for at in range(len(words) - NGRAM + 1)})
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def write_corpus(folder: Path, texts: Sequence[str], ids: Sequence[str] | None = None) -> Path:
    """A corpus directory with little more than its documents, three in a file."""
    (folder / "documents").mkdir(parents=True)
    docs = documents(texts, ids or [f"e{number}" for number in range(len(texts))])
    files: dict[str, Any] = {}
    for part in range(-(-len(texts) // 3)):
        path = folder / f"documents/part-{part:05}.parquet"
        write_parquet(path, [docs.slice(3 * part, 3)], DOCUMENT)
        files[f"documents/{path.name}"] = {"xxh3": digest(path).xxh3}
    write_json(folder / "run.json", {"fingerprint": f"of {folder.name}", "files": files})
    return folder


def opened(folder: Path) -> EarlierCorpus:
    return EarlierCorpus.of(folder, json.loads((folder / "run.json").read_bytes()))


def expected_stays(
    texts: Sequence[str], n_earlier: int, ranks: Sequence[float], minhash: MinHash
) -> dict[int, set[int]]:
    """For each new document the rows that may stand for it: itself, or who its cluster leaves."""
    first = dedup.find_clusters(texts, minhash)["representative"].to_pylist()
    stays = {}
    for row in range(n_earlier, len(texts)):
        cluster = [other for other in range(len(texts)) if first[other] == first[row]]
        known = {other for other in cluster if other < n_earlier}
        best = max(cluster, key=lambda other: (ranks[other], -other))
        stays[row - n_earlier] = known or {best}
    return stays


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.integers(8, 30), st.sampled_from([None, 1, 2.5, 2.5])),
        max_size=14,
    ),
    st.integers(0, 6),
    st.sampled_from(dedup.members.KEEP),
    st.sampled_from([0.4, 0.7]),
)
def test_one_of_each_cluster_stays_and_the_others_name_it_and_their_similarity(
    drawn: list[tuple[int, int, float | None]], n_earlier: int, keep: Any, threshold: float
) -> None:
    texts = [passage(start, start + length) for start, length, _ in drawn]
    texts, earlier = texts[n_earlier:], texts[:n_earlier]
    scores = [score for _, _, score in drawn][n_earlier:]
    if keep == "quality" and not any(scores):
        keep = "first"
    minhash = MinHash(threshold=threshold, ngram=NGRAM)
    with tempfile.TemporaryDirectory() as folder:
        against = (opened(write_corpus(Path(folder) / "old", earlier)),) if earlier else ()
        stage = NearDuplicates(minhash=minhash, keep=keep, quality_key="q", against=against)
        found = outcome(stage, *texts, metadata=[json.dumps({"q": score}) for score in scores])
    ranks = {
        "first": [0] * len(texts),
        "longest": [len(text) for text in texts],
        "quality": [-math.inf if score is None else score for score in scores],
    }[keep]
    both = [*earlier, *texts]
    stays = expected_stays(both, len(earlier), [*([0] * len(earlier)), *ranks], minhash)
    names = [f"e{number}" for number in range(len(earlier))]
    names += [f"d{number}" for number in range(len(texts))]
    for row, may_stay in stays.items():
        if may_stay == {row + len(earlier)}:
            assert found.reason[row] is None
            continue
        assert found.duplicate_of[row] in {names[other] for other in may_stay}
        of_earlier = min(may_stay) < len(earlier)
        assert found.reason[row] == (EARLIER if of_earlier else "near_duplicate")
        similar = jaccard(texts[row], both[names.index(found.duplicate_of[row])])
        assert_says(found.detail[row], similar, threshold, of_earlier)
    assert list(found.kept) == [
        f"d{row}" for row, may in stays.items() if row + len(earlier) in may
    ]


def assert_says(detail: str, similar: float, threshold: float, of_earlier: bool) -> None:
    shown = similar if similar >= threshold else math.floor(similar * 1000) / 1000
    assert detail.startswith(f"jaccard {shown:.3f}, threshold {threshold:g}")
    assert ("joined through" in detail) == (similar < threshold)
    if similar < threshold:
        assert float(detail.split(" at ")[1].split(",")[0]) >= threshold - 0.0005
    assert detail.endswith("earlier corpus old") == of_earlier


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=30))
def test_the_best_of_a_cluster_is_the_highest_and_of_equals_the_first(
    drawn: list[tuple[int, int]],
) -> None:
    cluster = [name for name, _ in drawn]
    first = np.array([cluster.index(name) for name in cluster], np.uint32)
    members = members_of(first)
    assert members.tolist() == [at for at, name in enumerate(cluster) if cluster.count(name) > 1]
    rank = np.array([rank for _, rank in drawn], np.int64)
    best = best_of(first, members, rank[members]).tolist()
    for at, name in enumerate(cluster):
        mates = [other for other, its in enumerate(cluster) if its == name]
        assert best[at] == max(mates, key=lambda other: (rank[other], -other))


CHAIN = [passage(20, 120), passage(0, 100), passage(10, 110), passage(0, 119)]
"""The last is the longest; the first and the second are similar only through the third."""


def test_the_longest_stays_and_every_other_one_gives_its_similarity_with_it() -> None:
    stage = NearDuplicates(minhash=MinHash(ngram=NGRAM), keep="longest")
    found = outcome(stage, *CHAIN)
    assert list(found.kept) == ["d3"]
    assert found.duplicate_of == ["d3"] * 3 + [None]
    assert found.detail[1] == f"jaccard {jaccard(CHAIN[1], CHAIN[3]):.3f}, threshold 0.8"


def test_a_first_member_that_goes_names_another_one_through_which_it_is_connected() -> None:
    texts = [passage(0, 100), passage(10, 110), passage(20, 121)]
    found = outcome(NearDuplicates(minhash=MinHash(ngram=NGRAM), keep="longest"), *texts)
    similar, joined = jaccard(texts[0], texts[2]), jaccard(texts[0], texts[1])
    assert similar < 0.8 <= joined
    shown = f"{math.floor(similar * 1000) / 1000:.3f}"
    assert found.duplicate_of == ["d2", "d2", None]
    assert found.detail[0] == f"jaccard {shown}, threshold 0.8, joined through d1 at {joined:.3f}"


def test_similarities_do_not_depend_on_how_many_pairs_are_measured_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts = [passage(start, start + 100 + start % 7) for start in range(0, 60, 2)]
    stage = NearDuplicates(minhash=MinHash(ngram=NGRAM), keep="longest")
    at_once = outcome(stage, *texts)
    monkeypatch.setattr(dedup.pairs, "PAIR_BYTES", 700)
    assert outcome(stage, *texts) == at_once
    assert outcome(stage, *texts, judged_at_once=100) == at_once


@pytest.mark.parametrize("keep", ["first", "longest"])
def test_without_verification_no_similarity_is_claimed(keep: Any) -> None:
    stage = NearDuplicates(minhash=MinHash(verify=False), keep=keep)
    found = outcome(stage, "a b c d e f", "a b c d e f", "else")
    said = "same band of the signature, similarity not verified"
    assert found.detail == [None, said, None]


def quality(metadata: Sequence[Any], key: str = "quality_score") -> Outcome:
    texts = ["the very same text"] * len(metadata)
    stage = NearDuplicates(keep="quality", quality_key=key)
    said = [json.dumps(one, ensure_ascii=False) for one in metadata]
    return outcome(stage, *texts, metadata=said)


@pytest.mark.parametrize(
    ("values", "stays"),
    [
        ([0.1, 0.9, 0.9], "d1"),
        ([None, -3, None], "d1"),
        (["0.9", True, -1e300], "d2"),
        ([float("nan"), 0, [1]], "d1"),
        ([10**400, 1e308], "d0"),
        ([1, -(10**400)], "d0"),
    ],
)
def test_the_highest_number_stays_and_what_is_no_number_ranks_last(
    values: list[Any], stays: str
) -> None:
    assert list(quality([{"quality_score": value} for value in values]).kept) == [stays]


def test_the_key_may_hold_any_character() -> None:
    assert list(quality([{'é"\\': 1}, {'é"\\': 2}], 'é"\\').kept) == ["d1"]


@pytest.mark.parametrize("metadata", [{}, {"quality_score": "high"}, {"other": {"quality": 1}}])
def test_a_score_that_no_document_has_is_refused_with_its_key(metadata: Any) -> None:
    with pytest.raises(
        RecipeError, match="quality_key = 'quality_score': no document has"
    ) as found:
        quality([metadata] * 3)
    assert found.value.exit_code == 2


def test_no_document_at_all_needs_no_score() -> None:
    assert quality([]).reason == []


def test_an_unknown_choice_is_refused() -> None:
    with pytest.raises(ValueError, match="keep = 'last' is not allowed: one of first, longest"):
        NearDuplicates(keep="last")  # type: ignore[arg-type]


def test_what_an_earlier_corpus_holds_goes_and_both_ids_are_kept(tmp_path: Path) -> None:
    text, other = passage(0, 100), passage(200, 300)
    one = opened(write_corpus(tmp_path / "one", ["unrelated", text], ["a", "d0"]))
    two = opened(write_corpus(tmp_path / "two", [other]))
    edited = text.replace("n99", "edited")
    found = outcome(NearDuplicates(against=(one, two)), text, edited, other, "new", "new")
    assert found.reason == [EARLIER, EARLIER, EARLIER, None, "near_duplicate"]
    assert found.duplicate_of == ["d0", "d0", "e0", None, "d3"]  # d0 is an id here and there
    assert found.detail[:3] == [
        "jaccard 1.000, threshold 0.8, earlier corpus one",
        "jaccard 0.979, threshold 0.8, earlier corpus one",
        "jaccard 1.000, threshold 0.8, earlier corpus two",
    ]
    assert [(a["name"], a["documents"], a["dropped"]) for a in found.noted["against"]] == [
        ("one", 2, 2),
        ("two", 1, 1),
    ]


def test_a_whole_cluster_goes_when_one_of_it_is_known_whatever_else_would_stay(
    tmp_path: Path,
) -> None:
    old = opened(write_corpus(tmp_path / "old", [passage(20, 120)]))
    texts = [passage(0, 105), passage(10, 110)]
    minhash = MinHash(ngram=NGRAM, threshold=0.75)
    found = outcome(NearDuplicates(minhash=minhash, against=(old,), keep="longest"), *texts)
    assert found.kept == {}
    assert found.duplicate_of == ["e0", "e0"]
    through = f"joined through d1 at {jaccard(*texts):.3f}, earlier corpus old"
    assert found.detail[0].endswith(through)


def test_an_earlier_corpus_without_documents_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="holds no documents, so nothing is removed"):
        opened(write_corpus(tmp_path / "old", []))


def test_an_earlier_corpus_that_changed_is_not_taken_for_what_it_was(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "old", ["a", "b", "c", "d"])
    corpus, first = opened(folder), folder / "documents/part-00000.parquet"
    write_parquet(first, [documents(["e", "b", "c"])], DOCUMENT)
    with pytest.raises(IntegrityError, match=r"xxh3 of documents/part-00000\.parquet is"):
        outcome(NearDuplicates(against=(corpus,)), "a")
    first.write_bytes(b"PAR1 nothing")
    with pytest.raises(IntegrityError, match="gristmill verify"):
        opened(folder)
    first.unlink()
    with pytest.raises(IntegrityError, match=r"other files than run\.json lists"):
        opened(folder)
    write_json(folder / "run.json", {"files": []})
    with pytest.raises(IntegrityError, match="no digests"):
        EarlierCorpus.of(folder, {"files": {"documents/part-00000.parquet": 1}})
