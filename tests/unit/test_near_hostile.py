"""Near-duplicates of texts that break tools: none, huge, endless copies, scripts without spaces."""

from __future__ import annotations

import random
import subprocess
import sys
import unicodedata
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gristmill as gm
from gristmill import dedup
from surveys import memberships

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def clusters(texts: dedup.Texts, **options: object) -> list[int]:
    return gm.near_duplicates(texts, **options).to_pylist()


def words(n_words: int, seed: int) -> list[str]:
    """Words that no other seed gives."""
    chooser = random.Random(seed)
    return [f"{chooser.choice(LETTERS)}{seed}x{chooser.getrandbits(40):x}" for _ in range(n_words)]


def edited(tokens: list[str], *places: int) -> list[str]:
    return [f"edit{at}" if at in places else token for at, token in enumerate(tokens)]


# ---- Nothing to compare. ----


def test_texts_without_a_word_are_together_only_when_identical() -> None:
    blank = ["", " ", "  ", "\n", "\t", " \n", "\u3000", "\u200b", "...", "…", "?!", "🦀", "🦀🦀"]
    assert clusters(blank) == list(range(len(blank)))
    assert clusters(blank + blank) == [*range(len(blank)), *range(len(blank))]
    assert clusters(blank, verify=False) == list(range(len(blank)))
    assert clusters(["", "word", "", " word ", "word!"]) == [0, 1, 0, 1, 1]


def test_a_null_is_an_empty_text() -> None:
    assert clusters(pa.array([None, "a b c", None, "", " "])) == [0, 1, 0, 0, 4]
    assert clusters(pa.nulls(3)) == [0, 0, 0]
    assert clusters([]) == []
    assert clusters(pa.chunked_array([], pa.string_view())) == []


def test_a_text_shorter_than_the_ngram_is_one_ngram() -> None:
    texts = ["one two three", "one two four", "One, two; THREE", "one two", "one two three four"]
    assert clusters(texts, ngram=5) == [0, 1, 0, 3, 4]
    assert clusters(texts, ngram=1_000_000) == [0, 1, 0, 3, 4]
    assert clusters(texts, ngram=5, verify=False) == [0, 1, 0, 3, 4]
    found = memberships(texts, ngram=5)
    assert found["jaccard"].to_pylist()[2] == 1.0


# ---- Very much of it. ----


def test_one_document_of_twenty_megabytes_and_its_near_copy() -> None:
    numbers = np.random.default_rng(0).integers(0, 10**7, 2_500_000)
    text = " ".join(map(str, numbers.tolist()))
    assert len(text) > 19_000_000
    near = f"{text[:9_000_000]} edited {text[9_000_000:]}"
    half = text[: len(text) // 2]
    found = memberships([text, half, near, "short"])
    assert found["representative"].to_pylist() == [0, 1, 0, 3]
    assert 0.99999 < found["jaccard"].to_pylist()[2] < 1


def test_a_word_of_a_megabyte_is_one_word() -> None:
    word = "x" * 1_000_000
    assert clusters([word, word + "x", word.upper(), f" {word}.", word[:-1]]) == [0, 1, 0, 0, 4]
    tokens = words(60, 1)
    long = edited(tokens)
    long[30] = word
    assert clusters([" ".join(tokens), " ".join(long)], threshold=0.8) == [0, 0]


def test_two_hundred_thousand_identical_documents_are_one() -> None:
    text = "The same words, line for line, and nothing else in all of the two hundred thousand."
    copies = pa.array([text]).take(pa.array(np.zeros(200_000, np.int32)))
    found = memberships(copies)
    assert set(found["representative"].to_pylist()) == {0}
    assert set(found["twin"].to_pylist()) == {0}
    assert set(found["jaccard"].to_pylist()) == {1.0}


def test_two_hundred_thousand_empty_documents_are_one() -> None:
    assert set(clusters(pa.nulls(200_000))) == {0}


def test_two_hundred_thousand_nearly_identical_documents_are_one() -> None:
    common = " ".join(words(40, 2))
    texts = [f"{common} {number}" for number in range(200_000)]
    found = memberships(texts)
    assert set(found["representative"].to_pylist()) == {0}
    assert set(found["twin"].to_pylist()) == {0}
    assert found["jaccard"].to_numpy()[1:] == pytest.approx(36 / 38)


def test_fifty_thousand_documents_that_share_a_half_stay_apart() -> None:
    common = " ".join(words(40, 3))
    own = np.random.default_rng(3).integers(0, 10**9, (50_000, 22))
    texts = [f"{common} {' '.join(map(str, row))}" for row in own.tolist()]
    assert clusters(texts) == list(range(len(texts)))


# ---- Scripts written without spaces: n-grams of characters. ----

CHINESE = (
    "水磨坊位于河边的小村庄里已有三百多年的历史村民们每年秋天把小麦和玉米送到这里磨成面粉"
    "石磨由水轮带动日夜不停地转动声音传遍整个山谷现在磨坊已经变成博物馆游客可以亲手体验"
)
JAPANESE = (
    "川のほとりの小さな村にある水車小屋は三百年以上の歴史を持っています村人たちは毎年秋になると"
    "コムギやトウモロコシをここに運んで粉にしました今ではミュージアムになっていてだれでも見学できます"
)
THAI = (
    "โรงสีน้ำริมแม่น้ำในหมู่บ้านเล็กๆแห่งนี้มีประวัติยาวนานกว่าสามร้อยปีชาวบ้านนำข้าวสาลีและข้าวโพดมาโม่เป็นแป้ง"
    "ทุกฤดูใบไม้ร่วงหินโม่หมุนด้วยกังหันน้ำทั้งวันทั้งคืนปัจจุบันกลายเป็นพิพิธภัณฑ์"
)
LAO = "ໂຮງສີນ້ຳແຄມແມ່ນ້ຳໃນໝູ່ບ້ານນ້ອຍແຫ່ງນີ້ມີປະຫວັດຍາວນານກວ່າສາມຮ້ອຍປີຊາວບ້ານນຳເຂົ້າມາໂມ່ເປັນແປ້ງທຸກປີ"
KHMER = "រោងម៉ាស៊ីនកិនស្រូវដើរដោយទឹកនៅមាត់ទន្លេក្នុងភូមិតូចនេះមានប្រវត្តិជាងបីរយឆ្នាំអ្នកភូមិនាំស្រូវមកកិន"
BURMESE = "မြစ်ကမ်းနားရှိရွာငယ်လေးမှရေစက်သည်နှစ်ပေါင်းသုံးရာကျော်သမိုင်းရှိသည်ရွာသားများသည်ဂျုံကိုယူလာကြသည်"
HALFWIDTH = "ｶﾜﾉﾎﾄﾘﾉﾁｲｻﾅﾑﾗﾆｱﾙｽｲｼｬｺﾞﾔﾊｻﾝﾋﾞｬｸﾈﾝｲｼﾞｮｳﾉﾚｷｼｦﾓｯﾃｲﾏｽﾑﾗﾋﾞﾄﾀﾁﾊﾏｲﾄｼｱｷﾆﾅﾙﾄｺﾑｷﾞｦﾊｺﾝﾃﾞｺﾅﾆｼﾏｼﾀ"
UNSPACED = pytest.mark.parametrize(
    "text",
    [CHINESE, JAPANESE, THAI, LAO, KHMER, BURMESE, HALFWIDTH],
    ids=["chinese", "japanese", "thai", "lao", "khmer", "burmese", "halfwidth-katakana"],
)


def character_ngrams(text: str, n: int) -> set[str]:
    """N-grams of the letters, marks and digits of a text whose characters all are words."""
    kept = [one for one in text if unicodedata.category(one)[0] in "LMN"]
    return {"".join(kept[at : at + n]) for at in range(len(kept) - n + 1)}


@UNSPACED
def test_one_character_of_an_unspaced_text_changes_only_its_ngrams(text: str) -> None:
    at = len(text) // 2
    near = f"{text[:at]}{text[0]}{text[at + 1 :]}。"
    a, b = character_ngrams(text, 5), character_ngrams(near, 5)
    found = memberships([text, near, text[::-1]], threshold=0.7)
    assert found["representative"].to_pylist() == [0, 0, 2]
    assert found["jaccard"].to_pylist()[1] == pytest.approx(len(a & b) / len(a | b))


@UNSPACED
def test_an_unspaced_text_broken_into_lines_stays_the_same(text: str) -> None:
    kept = [one for one in text if unicodedata.category(one)[0] in "LMN"]
    lines = "\n".join("".join(kept[at : at + 20]) for at in range(0, len(kept), 20))
    assert clusters([text, lines], threshold=1.0) == [0, 0]


def test_rare_han_characters_count_one_by_one() -> None:
    planes = [0x3400, 0x20000, 0x2A700, 0x2B740, 0x2B820, 0x2CEB0, 0x30000, 0x31350]
    text = "".join(chr(plane + step) for plane in planes for step in range(12))
    assert clusters([text, text[:48] + "水" + text[49:]], threshold=0.8) == [0, 0]


def test_mixed_scripts_take_words_and_characters_each() -> None:
    text = "Gristmill 0.1をPython 3.11で使うと、大規模なコーパスのdeduplicationが速くなります。"
    spread = "gristmill 0 1 を python 3 11 で 使 う と 大 規 模 な コ ー パ ス の deduplication が 速 く な り ま す"
    assert clusters([text, spread], threshold=1.0) == [0, 0]
    other = text.replace("deduplication", "tokenization")
    found = memberships([text, other], threshold=0.5)
    # 28 words, 24 n-grams, five of which hold the word that differs
    assert len(spread.split()) == 28
    assert found["jaccard"].to_pylist() == [1.0, pytest.approx(19 / 29)]
    korean = "물레방아는 강가의 작은 마을에 있습니다 그리고 삼백 년의 역사를 가지고 있습니다"
    assert clusters([korean, korean.replace(" ", "")], threshold=0.1) == [0, 1]


# ---- Characters that trip programs up. ----


def test_nul_bytes_separate_words_and_end_nothing() -> None:
    text = " ".join(words(50, 5))
    assert clusters([text, text.replace(" ", "\0"), f"\0{text}\0\0"], threshold=1.0) == [0, 0, 0]
    assert clusters(["\0", "\0\0", "", "\0"]) == [0, 1, 2, 0]
    assert clusters([f"{text}\0{' '.join(words(50, 6))}", text], threshold=0.9) == [0, 1]


def test_combining_marks_belong_to_their_word() -> None:
    decomposed = "re\u0301sume\u0301 cafe\u0301 nai\u0308ve pin\u0303ata ga\u0302teau e\u0301clair"
    plain = "resume cafe naive pinata gateau eclair"
    split = "re sume cafe nai ve pin ata ga teau e clair"
    assert clusters([decomposed, plain, split], threshold=0.1, ngram=1) == [0, 1, 2]
    assert clusters([decomposed, decomposed.upper()], threshold=1.0, ngram=1) == [0, 0]
    # vowel signs: without them the words of Hindi and Tamil would fall to pieces
    hindi, tamil = "पनचक्की नदी के किनारे है", "நீராலை ஆற்றங்கரையில் உள்ளது"
    for text in (hindi, tamil):
        found = memberships([text, f"{text} नया"], ngram=1, threshold=0.5)
        n_words = len(text.split())
        assert found["jaccard"].to_pylist()[1] == pytest.approx(n_words / (n_words + 1))


def test_a_sigma_is_the_same_at_the_end_of_a_word() -> None:
    same = ["ΟΔΥΣΣΕΥΣ ΣΤΟΝ ΜΥΛΟ", "οδυσσευς στον μυλο"]
    assert same[0].lower() == same[1]
    assert clusters(same, threshold=1.0) == [0, 0]


def test_letters_fold_as_str_lower_folds_them() -> None:
    turkish = ["ISPARTA DEĞİRMENİ", "ISPARTA DEĞİRMENİ".lower(), "ısparta değirmeni"]
    assert turkish[1] != turkish[2]
    assert clusters(turkish, threshold=1.0) == [0, 0, 2]
    for upper in (
        "ÄÖÜ ÉÈ Ñ",
        "МЕЛЬНИЦА У РЕКИ",
        "ՋՐԱՂԱՑ",
        "ᎠᎹ",
        "𐐀𐐁",
        "ẞTRASSE",
        "Ǆ",
        "\u212a \u212b",
    ):
        assert clusters([upper, upper.lower()], threshold=1.0) == [0, 0], upper


def test_surrogates_are_refused_by_name() -> None:
    for broken in ("\ud800", "half an emoji \ud83d", "\udcff" * 100_000):
        with pytest.raises(TypeError, match="surrogates not allowed"):
            gm.near_duplicates(["whole", broken])
    assert clusters(["\U0001f980 crab", "\U0001f980\U0001f980 crab"]) == [0, 0]


BROKEN = [b"\x80\x80", b"abc \xf0", b"\xed\xa0\x80", b"\xff" * 1_000]
"""Continuation bytes alone, an end cut off, half of a surrogate pair, bytes UTF-8 never has."""


def test_arrow_text_that_is_no_utf8_is_refused() -> None:
    """In a process of its own, which must live on: Arrow does not look at what it is given."""
    script = f"""
import pyarrow as pa, gristmill as gm
for broken in {BROKEN!r}:
    for kind, held in ((pa.string(), pa.binary()), (pa.large_string(), pa.large_binary())):
        try:
            gm.near_duplicates(pa.array([b"whole", broken], held).view(kind))
        except (TypeError, ValueError) as error:
            print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]
    refused = done.stdout.splitlines()
    assert len(refused) == 2 * len(BROKEN)
    assert all("UTF" in line.upper() for line in refused)


# ---- Parameters. ----


@pytest.mark.parametrize("threshold", [0, -0.1, 1.0000001, 2, float("nan"), float("inf")])
def test_a_threshold_outside_its_range_is_refused_with_its_value(threshold: float) -> None:
    with pytest.raises(ValueError, match=rf"threshold = {threshold} .* above 0, at most 1"):
        memberships(["a"], threshold=threshold)


@pytest.mark.parametrize("threshold", [1e-300, 1e-9, 0.999999999, 1, 1.0])
def test_the_ends_of_the_threshold_are_allowed(threshold: float) -> None:
    text = " ".join(words(30, 8))
    assert clusters([text, "something else", text.upper()], threshold=threshold) == [0, 1, 0]


@pytest.mark.parametrize(
    ("bands", "rows"), [(16, 8), (30, 4), (128, 1), (1, 1), (1, 128), (42, 3), (9, 14)]
)
@pytest.mark.parametrize("method", ["one-permutation", "k-permutation"])
def test_bands_that_do_not_use_up_the_signature_are_right(
    bands: int, rows: int, method: str
) -> None:
    text = " ".join(words(60, 9))
    texts = [text, " ".join(words(60, 10)), text.upper()]
    assert clusters(texts, bands=bands, rows=rows, method=method) == [0, 1, 0]


@pytest.mark.parametrize(
    ("bands", "rows", "num_perm"),
    [(26, 5, 128), (129, 1, 128), (1, 129, 128), (10**9, 10**10, 128)],
)
def test_more_bands_and_rows_than_the_signature_holds_are_refused(
    bands: int, rows: int, num_perm: int
) -> None:
    with pytest.raises(ValueError, match=rf"(?s)bands.*{num_perm}"):
        memberships(["a"], num_perm=num_perm, bands=bands, rows=rows)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"bands": 16}, "rows"),
        ({"rows": 8}, "bands"),
        ({"bands": 0, "rows": 8}, "bands = 0"),
        ({"bands": 16, "rows": 0}, "rows = 0"),
        ({"bands": -16, "rows": -8}, "bands = -16"),
        ({"num_perm": 0}, "num_perm = 0"),
        ({"num_perm": -1}, "num_perm = -1"),
        ({"num_perm": 4_097}, "num_perm = 4097"),
        ({"ngram": 0}, "ngram = 0"),
        ({"threads": 0}, "threads = 0"),
        ({"method": "minwise"}, "method = '?minwise'?"),
    ],
)
def test_parameters_are_refused_with_their_value(options: dict[str, object], name: str) -> None:
    for function in (gm.near_duplicates, memberships):
        with pytest.raises(ValueError, match=name):
            function(["a b c"], **options)


@pytest.mark.parametrize("name", ["num_perm", "ngram", "threads", "bands", "rows"])
@pytest.mark.parametrize("value", [1.5, "8", True])
def test_what_is_no_whole_number_is_refused(name: str, value: object) -> None:
    options = {"bands": 4, "rows": 4, name: value}
    with pytest.raises(TypeError, match=f"{name} = {value!r} is not allowed: a whole number"):
        gm.near_duplicates(["a"], **options)


# ---- The same result however the input comes. ----


def family(seed: int, n_members: int) -> list[str]:
    """Texts that all resemble each other at 0.8 or more, and no other family's."""
    tokens = words(140, seed)
    return [" ".join(edited(tokens, at * 60)) for at in range(n_members)]


FAMILIES = [family(seed, 1 + seed % 3) for seed in range(20, 80)]
TEXTS = [text for texts in FAMILIES for text in [*texts, ""]]
random.Random(0).shuffle(TEXTS)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, len(TEXTS)), max_size=12).map(sorted),
    st.integers(1, 5),
    st.sampled_from([pa.string(), pa.large_string(), pa.string_view()]),
)
def test_clusters_depend_on_neither_chunks_nor_threads_nor_type(
    cuts: list[int], threads: int, kind: pa.DataType
) -> None:
    edges = [0, *cuts, len(TEXTS)]
    split = pa.chunked_array([TEXTS[a:b] for a, b in pairwise(edges)], kind)
    whole = pa.array(TEXTS, pa.large_string())
    for verify in (True, False):
        expected = memberships(whole, verify=verify)
        found = memberships(split, verify=verify, threads=threads)
        assert found["representative"].equals(expected["representative"])
        assert found["twin"].equals(expected["twin"])
        assert str(found["jaccard"].to_pylist()) == str(expected["jaccard"].to_pylist())


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_the_input_only_names_the_clusters(chooser: random.Random) -> None:
    order = list(range(len(TEXTS)))
    chooser.shuffle(order)
    parts = []
    for texts in (TEXTS, [TEXTS[at] for at in order]):
        members: dict[int, list[str]] = {}
        for text, representative in zip(texts, clusters(texts), strict=True):
            members.setdefault(representative, []).append(text)
        parts.append(sorted(sorted(one) for one in members.values()))
    assert parts[0] == parts[1]
    assert sum(len(one) > 1 for one in parts[0]) >= 40
