"""The toxicity score: what it must find, what it must not, and what it does with hostile input."""

import json
import statistics
import time

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gristmill as gm
from gristmill.errors import FormatError, IntegrityError, RecipeError
from gristmill.filters.toxicity import MODEL, TOXIC, ToxicityFilter, ToxicityModel

TERMS = """african arab asian bisexual black blind brazilian buddhist christian deaf disabled elderly
female french gay heterosexual hindu jewish kenyan latino lesbian male mexican muslim nonbinary old
queer roma sikh trans transgender white young""".split()

HARMLESS = [
    "My daughter's {} teacher lent her a book about comets.",
    "I am a {} man and I live near the harbor.",
    "We interviewed twelve {} women about their working hours.",
    "{} musicians played at the town hall last night.",
]

ABUSIVE = [
    "You are a fucking idiot and everybody knows it.",
    "Shut up, you stupid bitch.",
    "I hate all immigrants, they are vermin and should be shot.",
    "Muslims are filthy animals, get them out of our country.",
    "kill yourself you worthless piece of shit",
    "Y0u are a st*pid b1tch",
    "f u c k you, a s s h o l e",
]

PROSE = [
    "The function returns the number of bytes that were read, or zero at the end of the file.",
    "Cripple, n. One who has lost the use of a limb; a lame person. See also: halt, maim.",
    "The kernel sends a signal that kills the child process when its parent dies.",
    "Mix the flour with butter, add two eggs and let the dough rest for an hour.",
    "The master branch was merged after the tests of the slave node had passed.",
]


def scores(texts):
    return gm.toxicity(texts).column("score").to_pylist()


def documents(texts):
    return pa.table({"text": pa.array(texts, pa.large_string())})


def test_naming_a_group_is_no_offence():
    for template in HARMLESS:
        assert max(scores([template.format(term) for term in TERMS])) < TOXIC, template


def test_the_terms_carry_hardly_any_weight():
    means = [statistics.mean(scores([one.format(term) for one in HARMLESS])) for term in TERMS]
    assert max(means) - min(means) < 0.3


def test_abuse_is_found():
    found = dict(zip(ABUSIVE, scores(ABUSIVE), strict=True))
    assert all(score >= TOXIC for score in found.values()), found


def test_technical_prose_and_definitions_are_harmless():
    found = dict(zip(PROSE, scores(PROSE), strict=True))
    assert all(score < TOXIC for score in found.values()), found


def test_the_label_follows_the_score():
    texts = [*ABUSIVE, *PROSE, ""]
    table = gm.toxicity(texts)
    for score, label in zip(table["score"].to_pylist(), table["label"].to_pylist(), strict=True):
        assert (label == "none") == (score < TOXIC)
    assert gm.toxicity([ABUSIVE[3]])["label"].to_pylist() == ["hateful"]


def test_an_abusive_paragraph_is_found_in_a_long_document():
    page = "\n".join(PROSE * 20)
    abuse = (
        "I hate all immigrants, they are vermin and should be shot. Every one of those filthy "
        "animals deserves to die, and you fucking idiots who let them in are worthless traitors. "
        "Kill them all, burn their stinking houses down and piss on the ashes."
    )
    assert scores([page])[0] < TOXIC <= scores([f"{page}\n{abuse}\n{page}"])[0]


def test_disguises_and_case_change_little():
    assert (
        scores(["You are a BITCH"]) == scores(["you are a b1tch"]) == scores(["you are a biiiitch"])
    )


def test_the_result_is_the_same_for_any_batches_and_threads():
    texts = [*ABUSIVE, *PROSE, "", "?"] * 50
    whole = gm.toxicity(texts)
    assert whole.equals(gm.toxicity(texts, threads=2))
    assert whole.column("score").to_pylist() == [
        score for text in texts for score in scores([text])
    ]


def test_texts_without_words_score_zero():
    assert scores(["", "?!", "12 34", "@somebody https://a.example", None]) == [0.0] * 5
    assert gm.toxicity([]).schema == pa.schema([("score", pa.float32()), ("label", pa.string())])
    assert gm.toxicity(pa.chunked_array([], pa.string())).num_rows == 0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=80), max_size=8))
def test_any_text_has_a_probability(texts):
    assert all(0 <= score <= 1 for score in scores(texts))


def test_hostile_texts_take_bounded_time():
    hostile = ["a" * 50_000_000, "a!" * 5_000_000, "f u " * 2_500_000, "&@*" * 3_000_000, "a" * 5]
    started = time.process_time()
    assert all(0 <= score <= 1 for score in scores(hostile))
    assert time.process_time() - started < 10


def test_scripts_are_read_side_by_side():
    texts = ["שלום עולם, مرحبا بالعالم", "你好 world здравствуй мир", "\u202eyou idiot\u202c"]
    assert len(scores(texts)) == 3


def test_the_filter_drops_what_is_nearly_certain_and_tags_the_rest():
    texts = [*ABUSIVE, *PROSE]
    found = scores(texts)
    middle = sorted(found[: len(ABUSIVE)])[1]
    verdict = ToxicityFilter(max_score=middle).judge(documents(texts))
    for score, reason, detail, tags in zip(
        found, *(c.to_pylist() for c in (verdict.reason, verdict.detail, verdict.tags)), strict=True
    ):
        assert (reason == "toxicity") == (score > middle)
        assert (detail is not None) == (score > middle)
        assert tags == (["toxicity"] if TOXIC <= score <= middle else [])
    assert verdict.columns["toxicity_score"].to_pylist() == found


def test_the_filter_can_only_tag():
    verdict = ToxicityFilter(max_score=0.5, tag=["toxicity"]).judge(documents(ABUSIVE))
    assert verdict.reason.null_count == len(ABUSIVE)
    assert verdict.tags.to_pylist() == [["toxicity"]] * len(ABUSIVE)


def test_no_documents_are_judged_too():
    assert len(ToxicityFilter().judge(documents([])).reason) == 0


@pytest.mark.parametrize("value", [-0.1, 0.49, 1.0, 1.5, float("nan")])
def test_a_threshold_that_makes_no_sense_is_refused(value):
    with pytest.raises(RecipeError, match=r"toxicity\.max_score = "):
        ToxicityFilter(max_score=value)


def test_an_unknown_reason_to_tag_is_refused():
    with pytest.raises(RecipeError, match="no reason 'toxic'; known: toxicity"):
        ToxicityFilter(tag=["toxic"])


def test_no_threads_are_refused():
    with pytest.raises(ValueError, match="threads"):
        gm.toxicity(["a"], threads=0)


def test_the_model_is_small():
    assert MODEL.stat().st_size <= 2_000_000


def test_a_model_that_its_sidecar_does_not_know_is_refused(tmp_path):
    path = tmp_path / "toxicity.ftz"
    data = bytearray(MODEL.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    path.with_suffix(".json").write_text(MODEL.with_suffix(".json").read_text())
    with pytest.raises(IntegrityError, match=r"toxicity\.ftz has the digest"):
        ToxicityModel(path)


def test_a_truncated_model_is_refused(tmp_path):
    from gristmill._core import xxh3_128_hex

    path = tmp_path / "toxicity.ftz"
    path.write_bytes(MODEL.read_bytes()[:1000])
    sidecar = json.loads(MODEL.with_suffix(".json").read_text())
    sidecar["xxh3"] = xxh3_128_hex(path.read_bytes())
    path.with_suffix(".json").write_text(json.dumps(sidecar))
    with pytest.raises(FormatError):
        ToxicityModel(path)
