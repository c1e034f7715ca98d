"""Calibration of near-duplicates, held against brute force over plain Python sets."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pytest

import gristmill as gm
from gristmill import _core
from gristmill.cards.calibration import calibration_figure
from gristmill.cli.app import app, run
from gristmill.dedup.calibrate import default_bandings
from gristmill.dedup.curves import AtThreshold, Banding, Share
from gristmill.dedup.minhash import METHODS
from gristmill.dedup.planted import edit, rate_for
from gristmill.sources import open_source
from gristmill.sources.sample import sample_texts
from gristmill.tables import ArrowFiles, write_arrow

VOCABULARY = [f"w{number}" for number in range(4_000)]
NGRAM = 3


def shingles(text: str) -> frozenset[tuple[str, ...]]:
    words = text.split()
    return frozenset(zip(*(words[at:] for at in range(NGRAM)), strict=False))


def jaccard(a: str, b: str) -> float:
    one, other = shingles(a), shingles(b)
    return len(one & other) / len(one | other)


def corpus(n_families: int = 40, seed: int = 0) -> list[str]:
    """Families of documents that differ in some words, and one equal document each."""
    rng, texts = random.Random(seed), []
    for family in range(n_families):
        words = rng.choices(VOCABULARY, k=120)
        for member in range(5):
            rate = rng.uniform(0, 0.12)
            texts.append(edit(" ".join(words), rate if member else 0, VOCABULARY, rng))
        if family % 10 == 0:
            texts.append(texts[-5])
    return texts


def naive_pairs(texts: list[str]) -> dict[tuple[int, int], float]:
    """All pairs among the documents of distinct sets, with similarity above 0."""
    sets = [shingles(text) for text in texts]
    firsts = [at for at, one in enumerate(sets) if sets.index(one) == at]
    pairs = itertools.combinations(firsts, 2)
    return {pair: found for pair in pairs if (found := jaccard(*(texts[at] for at in pair)))}


def naive_candidates(texts: list[str], banding: tuple[int, int]) -> set[tuple[int, int]]:
    table = pa.table({"text": pa.array(texts, pa.large_string())})
    signed = pa.table(_core.minhash_signatures(table, 32, NGRAM, 0, METHODS[0], 1))[
        "signature"
    ].to_pylist()
    bands, rows = banding
    cut = [[tuple(one[at * rows : (at + 1) * rows]) for at in range(bands)] for one in signed]
    sets = [shingles(text) for text in texts]
    firsts = [at for at, one in enumerate(sets) if sets.index(one) == at]
    return {
        (left, right)
        for left, right in itertools.combinations(firsts, 2)
        if any(a == b for a, b in zip(cut[left], cut[right], strict=True))
    }


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return corpus()


@pytest.fixture(scope="module")
def calibration(texts: list[str]) -> gm.dedup.Calibration:
    return gm.calibrate_near_duplicates(
        texts, 0.6, num_perm=32, ngram=NGRAM, bandings=[(8, 4), (16, 2), (4, 8)], planted=300
    )


@pytest.fixture(scope="module")
def true(texts: list[str]) -> dict[tuple[int, int], float]:
    return naive_pairs(texts)


@pytest.mark.parametrize("banding", [(8, 4), (16, 2), (4, 8)])
def test_every_count_is_that_of_brute_force(
    texts: list[str],
    true: dict[tuple[int, int], float],
    calibration: gm.dedup.Calibration,
    banding: tuple[int, int],
) -> None:
    candidates = naive_candidates(texts, banding)
    curve = next(one for one in calibration.curves if one.banding == Banding(*banding))
    assert curve.candidates == len(candidates) > 0
    for one in curve.thresholds:
        wanted = {pair for pair, similarity in true.items() if similarity >= one.threshold}
        assert (one.true.pairs, one.true.found) == (len(wanted), len(wanted & candidates))
        assert one.precision == len(wanted & candidates) / len(candidates)
    for one in curve.natural:
        inside = {pair for pair, similarity in true.items() if one.low <= similarity < one.high}
        assert (one.share.pairs, one.share.found) == (len(inside), len(inside & candidates))
        if inside:
            mean = sum(true[pair] for pair in inside) / len(inside)
            assert one.similarity == pytest.approx(mean)


def test_pairs_below_the_plotted_floor_count_as_false_candidates(
    texts: list[str], calibration: gm.dedup.Calibration
) -> None:
    curve = next(one for one in calibration.curves if one.banding.rows == 2)
    assert curve.candidates > curve.thresholds[0].true.found


def test_equal_documents_are_counted_and_take_no_part(
    texts: list[str], calibration: gm.dedup.Calibration
) -> None:
    assert calibration.identical == len(texts) - len({shingles(text) for text in texts}) > 0


def test_planted_copies_follow_the_theory(texts: list[str]) -> None:
    found = gm.calibrate_near_duplicates(texts, 0.8, ngram=NGRAM, planted=4_000)
    assert found.planted > 3_500
    for curve in found.curves:
        for one in curve.planted:
            if one.share.pairs:
                assert one.share.recall == pytest.approx(one.share.theory, abs=0.12)
        assert curve.planted_true.recall == pytest.approx(curve.planted_true.theory, abs=0.02)


def test_the_theory_is_that_of_the_textbook() -> None:
    assert Banding(16, 8).probability(0.8) == pytest.approx(1 - (1 - 0.8**8) ** 16)
    assert Banding(1, 1).probability(np.array([0.0, 0.25, 1.0])).tolist() == [0, 0.25, 1]


@pytest.mark.parametrize(
    ("found", "pairs", "interval"),
    # as statsmodels 0.14 gives it: proportion_confint(found, pairs, method="wilson")
    [(0, 10, (0.0, 0.2775)), (9, 10, (0.5958, 0.9821)), (4755, 4780, (0.9923, 0.9965))],
)
def test_the_interval_is_wilsons(found: int, pairs: int, interval: tuple[float, float]) -> None:
    assert Share(pairs, found, None).interval == pytest.approx(interval, abs=1e-4)


def test_the_cheapest_banding_that_reaches_the_recall_is_recommended(
    texts: list[str], calibration: gm.dedup.Calibration
) -> None:
    for recall in (0.2, 0.6, 0.9):
        found = gm.calibrate_near_duplicates(
            texts, 0.6, num_perm=32, ngram=NGRAM, bandings=[(8, 4), (16, 2), (4, 8)],
            recall=recall, planted=0,
        )  # fmt: skip
        assert found.basis == "natural"
        shares = {curve.candidates: curve.at(0.6).true for curve in found.curves}
        enough = [cost for cost, share in shares.items()
                  if min(share.recall or 0, share.theory or 0) >= recall]  # fmt: skip
        best = next(one for one in found.curves if one.banding == found.recommended)
        assert found.reached
        assert best.candidates == min(enough)


def test_the_result_does_not_depend_on_threads_or_the_run(texts: list[str]) -> None:
    one, two, again = (
        gm.calibrate_near_duplicates(texts, ngram=NGRAM, planted=200, threads=threads)
        for threads in (1, 3, 1)
    )
    assert one == two == again


def test_what_no_banding_reaches_is_said(texts: list[str]) -> None:
    found = gm.calibrate_near_duplicates(
        texts, 0.6, num_perm=8, ngram=NGRAM, bandings=[(1, 8), (2, 4)], planted=0
    )
    assert not found.reached
    assert found.recommended == Banding(2, 4)
    assert "Raise num_perm" in found.reason


def test_too_few_pairs_leave_it_to_edited_copies() -> None:
    rng = random.Random(1)
    unlike = [" ".join(rng.choices(VOCABULARY, k=150)) for _ in range(50)]
    found = gm.calibrate_near_duplicates(unlike, planted=500)
    assert (found.basis, found.pairs) == ("planted", 0)
    assert any("too few to measure" in note for note in found.notes)
    assert found.reached
    assert found.curves[0].at(0.8).true.recall is None


def test_without_documents_to_edit_the_theory_decides() -> None:
    found = gm.calibrate_near_duplicates(["a b c", "", "d", "  "])
    assert found.basis == "theory"
    assert found.reached
    assert found.curves[0].candidates == 0
    json.dumps(found.as_dict(), allow_nan=False)


@pytest.mark.parametrize("num_perm", [1, 2, 16, 100, 4_096])
@pytest.mark.parametrize("threshold", [0.01, 0.5, 1.0])
def test_default_bandings_fit_the_signature(threshold: float, num_perm: int) -> None:
    bandings = default_bandings(threshold, num_perm)
    assert bandings
    assert all(one.bands * one.rows <= num_perm for one in bandings)


def test_a_threshold_at_either_end_works(texts: list[str]) -> None:
    for threshold in (0.02, 1.0):
        found = gm.calibrate_near_duplicates(texts, threshold, num_perm=16, planted=50)
        calibration_figure(found)
        json.dumps(found.as_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 0}, "threshold = 0"),
        ({"threshold": 1.5}, "threshold = 1.5"),
        ({"threshold": float("nan")}, "threshold = nan"),
        ({"recall": 0}, "recall = 0"),
        ({"num_perm": 0}, "num_perm = 0"),
        ({"num_perm": 5_000}, "num_perm = 5000"),
        ({"ngram": 0}, "ngram = 0"),
        ({"threads": 0}, "threads = 0"),
        ({"planted": -1}, "planted = -1"),
        ({"bandings": []}, "at least one"),
        ({"bandings": [(0, 3)]}, "bands = 0"),
        ({"bandings": [(3, 0)]}, "rows = 0"),
        ({"bandings": [(16, 9)]}, "16x9 is not allowed: .* 144 values .* num_perm = 128"),
    ],
)
def test_parameters_outside_their_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gm.calibrate_near_duplicates(["a", "b"], **options)


@pytest.mark.parametrize("texts", [[], ["only one"]])
def test_fewer_than_two_documents_are_refused(texts: list[str]) -> None:
    with pytest.raises(ValueError, match="at least 2"):
        gm.calibrate_near_duplicates(texts)


def test_too_many_candidates_of_a_banding_are_refused_with_the_remedy() -> None:
    same = " ".join(VOCABULARY[:40])
    texts = [f"{same} {' '.join(f'{at}v{k}' for k in range(60))}" for at in range(9_000)]
    with pytest.raises(ValueError, match="smaller sample"):
        gm.calibrate_near_duplicates(texts, 0.9, 64, 1, bandings=[(64, 1)], planted=0)


@pytest.mark.parametrize("similarity", [0.4, 0.7, 0.9])
def test_edits_at_a_rate_give_the_similarity_wanted(similarity: float) -> None:
    rng = random.Random(2)
    found = []
    for _ in range(60):
        text = " ".join(rng.choices(VOCABULARY, k=400))
        found.append(jaccard(text, edit(text, rate_for(similarity, NGRAM), VOCABULARY, rng)))
    assert np.mean(found) == pytest.approx(similarity, abs=0.03)


def test_edits_replace_single_characters_where_no_spaces_are_written() -> None:
    text = "磨坊把玉米磨成粉" * 20
    edited = edit(text, 0.1, ["水"], random.Random(0))
    assert 0.8 < sum(edited.count(one) for one in "磨坊把玉米成粉") / len(text) < 1


def test_similarities_read_from_files_are_those_from_memory(
    texts: list[str], true: dict[tuple[int, int], float], tmp_path: Path
) -> None:
    table = pa.table({"text": pa.array(texts, pa.large_string())})
    paths = [tmp_path / "a.arrow", tmp_path / "b.arrow"]
    for path, part in zip(paths, (table.slice(0, 100), table.slice(100)), strict=True):
        write_arrow(path, [part], part.schema)
    pairs = list(true.items())[:500]
    ends = np.array([pair for pair, _ in pairs], np.uint32)
    left, right = (pa.table({"at": np.ascontiguousarray(column)}) for column in ends.T)
    expected = [similarity for _, similarity in pairs]
    files = ArrowFiles(paths, table.schema).places("text")
    for found in (
        _core.similarities(table, left, right, NGRAM, 2),
        _core.similarities_in_files(files, left, right, NGRAM, 2),
    ):
        assert pa.table(found)["jaccard"].to_pylist() == expected
    with pytest.raises(ValueError, match="pair"):
        _core.similarities_in_files(files, pa.table({"at": pa.array([9_999], pa.uint32())}),
                                    left.slice(0, 1), NGRAM, 1)  # fmt: skip
    with pytest.raises(ValueError, match="right ends"):
        _core.similarities(table, left, right.slice(1), NGRAM, 1)
    with pytest.raises(TypeError, match="expected uint32"):
        _core.similarities(table, table, table, NGRAM, 1)


def test_a_sample_depends_on_ids_and_seed_only(tmp_path: Path) -> None:
    records = [json.dumps({"id": f"d{at}", "text": f"text {at}"}) + "\n" for at in range(900)]
    (tmp_path / "whole.jsonl").write_text("".join(records))
    (tmp_path / "late.jsonl").write_text("".join(reversed(records[300:])))
    (tmp_path / "early.jsonl").write_text("".join(records[:300]))
    whole = open_source(name="whole", path=str(tmp_path / "whole.jsonl"))
    parts = [
        open_source(name=one, path=str(tmp_path / f"{one}.jsonl")) for one in ("late", "early")
    ]
    taken = sample_texts([whole], 200)
    assert taken.documents == 900
    assert len(set(taken.texts.to_pylist())) == 200
    assert taken.texts.to_pylist() == sample_texts(parts, 200).texts.to_pylist()
    assert taken.texts.to_pylist() != sample_texts([whole], 200, seed=1).texts.to_pylist()
    assert taken.texts.to_pylist() == sample_texts([whole], 900).texts.to_pylist()[:200]
    numbers = [int(text.split()[1]) for text in taken.texts.to_pylist()]
    assert 380 < np.mean(numbers) < 520


@pytest.fixture
def source(texts: list[str], tmp_path: Path) -> Path:
    path = tmp_path / "docs.jsonl"
    lines = [json.dumps({"id": str(at), "text": text}) for at, text in enumerate(texts)]
    path.write_text("\n".join([*lines, "no json"]) + "\n")
    return path


def invoke(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = run(lambda: app([str(argument) for argument in arguments]))
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_the_command_prints_a_recommendation_to_paste(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    code, printed, error = invoke(
        capsys, "dedup", "calibrate", source, "--ngram", 3, "--out", out, "--plot",
        tmp_path / "curves.svg",
    )  # fmt: skip
    assert code == 0, error
    best = json.loads((out / "calibration.json").read_text())["recommended"]
    assert f"gristmill dedup near {source} --out DIR" in printed
    assert f"--bands {best['bands']} --rows {best['rows']}" in printed
    assert f"bands: {best['bands']}, rows: {best['rows']}}}" in printed
    assert "sample documents" in error
    assert (out / "calibration.svg").read_bytes() == (tmp_path / "curves.svg").read_bytes()


def test_the_recommendation_names_a_method_that_is_not_the_default(
    source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, printed, error = invoke(
        capsys, "dedup", "calibrate", source, "--ngram", 3, "--sample", 150, "--json", "--method",
        "k-permutation",
    )  # fmt: skip
    assert code == 0, error
    found = json.loads(printed)
    assert found["method"] == "k-permutation"
    assert found["command"].endswith(" --method k-permutation")


def test_the_figure_says_in_words_what_it_shows(calibration: gm.dedup.Calibration) -> None:
    svg = ElementTree.fromstring(calibration_figure(calibration).file())
    description = svg.findtext("{http://www.w3.org/2000/svg}desc") or ""
    assert f"Recommended: {calibration.recommended}" in description
    assert len(svg.findall(".//*[@class='theory']")) >= len(calibration.curves)
    points = [one for curve in calibration.curves for one in curve.natural if one.share.pairs]
    assert len(svg.findall(".//*[@class='kept'][@r]")) == len(points) + 1  # one in the legend


def test_json_is_one_object_that_repeats(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("dedup", "calibrate", source, "--sample", 150, "--json", "--banding", "8x8",
                 "--banding", "16x4", "--threshold", 0.6, "--ngram", 3)  # fmt: skip
    code, printed, _ = invoke(capsys, *arguments)
    found = json.loads(printed)
    assert code == 0
    assert (found["documents_read"], found["bad_records"], found["documents"]) == (204, 1, 150)
    assert {(one["bands"], one["rows"]) for one in found["curves"]} == {(8, 8), (16, 4)}
    assert found["files"] == []
    assert invoke(capsys, *arguments)[1] == printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--threshold", "1.2"], "threshold = 1.2"),
        (["--banding", "16x9"], "num_perm = 128"),
        (["--banding", "16"], "such as 16x8"),
        (["--plot", "curves.png"], "written as .svg"),
        (["--num-perm", "0"], "num_perm = 0"),
    ],
)
def test_wrong_use_ends_with_2_and_names_the_value(
    source: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    code, printed, error = invoke(capsys, "dedup", "calibrate", source, *arguments)
    assert (code, printed) == (2, "")
    assert message in error


def test_an_empty_input_and_a_single_document_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "docs.jsonl"
    path.write_text("")
    code, _, error = invoke(capsys, "dedup", "calibrate", path)
    assert (code, "no document" in error) == (2, True)
    path.write_text('{"text": "one"}\n')
    code, _, error = invoke(capsys, "dedup", "calibrate", path)
    assert (code, "at least 2" in error) == (2, True)


def test_the_entry_of_a_threshold_knows_its_precision() -> None:
    assert AtThreshold(0.8, Share(10, 9, 0.9), 18).precision == 0.5
    assert AtThreshold(0.8, Share(0, 0, None), 0).precision is None
