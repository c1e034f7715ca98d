"""The gibberish score equals a slow twin, and tells what no one wrote from prose and code."""

from __future__ import annotations

import base64
import inspect
import random
import statistics
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import naive_gibberish
from gristmill.filters.gibberish import Gibberish
from gristmill.filters.quality import quality_signals

LIMIT = Gibberish().max_score

PROSE = {
    "en": "The river had risen in the night, and with it came the mud that the farmers feared most.",
    "de": "Der Fluss war in der Nacht gestiegen, und mit ihm kam der Schlamm, den jeder fürchtete.",
    "fr": "La rivière était montée pendant la nuit, et avec elle la boue que craignaient les paysans.",
    "pl": "Rzeka wezbrała w nocy, a wraz z nią przyszło błoto, którego chłopi bali się najbardziej.",
    "ru": "Река поднялась за ночь, и с ней пришла грязь, которой крестьяне боялись больше всего.",
    "el": "Το ποτάμι είχε φουσκώσει τη νύχτα και μαζί του ήρθε η λάσπη που φοβόντουσαν όλοι.",
    "he": "הנהר עלה בלילה, ואיתו בא הבוץ שהאיכרים פחדו ממנו יותר מכול.",
    "ar": "ارتفع النهر في الليل، وجاء معه الطين الذي كان الفلاحون يخشونه أكثر من أي شيء.",
    "hi": "रात में नदी चढ़ गई थी और उसके साथ वह कीचड़ आया जिससे किसान सबसे ज़्यादा डरते थे।",
    "th": "แม่น้ำเอ่อล้นในตอนกลางคืน และพาโคลนที่ชาวนากลัวที่สุดมาด้วย",
    "zh": "河水在夜里涨了起来,随之而来的是农民们最害怕的泥浆。",
    "ko": "밤사이 강물이 불어났고 농부들이 가장 두려워하던 진흙이 함께 밀려왔다.",
}


def scores(texts: list[str]) -> list[float]:
    return quality_signals(texts)["gibberish_score"].to_pylist()


PIECES = [
    "river", "strength", "aeiouy", "qwert", "property", "fdsa", "x86", "4a6f", "aB3dE9", "GetUrlId",
    "wor|d", "a!b", "eeee", "Ã©", "Ð¿Ñ", "été", "à€", "Привет", "мгла", "नदी", "東京", "\ufffd",
    "\x01", "don't", "user_name", "e2", "…",
]  # fmt: skip


@settings(deadline=None)  # the first call compiles the rules
@given(
    st.lists(
        st.lists(st.sampled_from(PIECES) | st.text("aBcdeFt10y ;", max_size=8), max_size=5),
        max_size=6,
    )
)
def test_the_score_is_that_of_the_twin(parts: list[list[str]]) -> None:
    text = " ".join("".join(pieces) for pieces in parts)
    assert scores([text])[0] == pytest.approx(naive_gibberish.score(text), abs=1e-6), text


def test_prose_of_many_scripts_scores_low() -> None:
    for language, score in zip(PROSE, scores(list(PROSE.values())), strict=True):
        assert score < 0.2, language


def test_code_and_tables_score_low() -> None:
    made = random.Random(3)
    rows = ["\t".join(f"{made.uniform(0, 900):.2f}" for _ in range(6)) for _ in range(20)]
    code = [inspect.getsource(module) for module in (base64, inspect, random, statistics)]
    assert max(scores([*code, "\n".join(rows), Path(__file__).read_text()])) < LIMIT / 2


def gibberish(made: random.Random) -> dict[str, str]:
    """One text of each kind."""
    letters = "abcdefghijklmnopqrstuvwxyz"

    def words(alphabet: str) -> str:
        return " ".join("".join(made.choices(alphabet, k=made.randint(4, 10))) for _ in range(60))

    return {
        "letters": words(letters),
        "home row": words("asdfjkl;"),
        "base64": base64.b64encode(made.randbytes(300)).decode(),
        "hex": made.randbytes(200).hex(),
        "mojibake": PROSE["ru"].encode().decode("latin-1"),
        "keyboard": "asdfghjkl qwertyuiop zxcvbnm lkjhgfdsa poiuytrewq mnbvcxz",
    }


@pytest.mark.parametrize("kind", gibberish(random.Random(0)))
def test_gibberish_scores_above_the_threshold(kind: str) -> None:
    found = scores([gibberish(random.Random(seed))[kind] for seed in range(20)])
    assert statistics.median(found) > LIMIT


def test_shuffled_letters_score_above_the_words_they_were() -> None:
    made = random.Random(5)
    for language in ("en", "de", "fr", "pl", "ru", "el", "hi"):
        shuffled = " ".join("".join(made.sample(w, len(w))) for w in (PROSE[language] * 3).split())
        before, after = scores([PROSE[language] * 3, shuffled])
        assert after > before, language


@pytest.mark.parametrize("text", ["", "a", "4", "\ufffd", "é", "a" * 2_000_000, "é" * 1_000_000])
def test_any_size_has_a_score_from_0_to_1(text: str) -> None:
    assert 0 <= scores([text])[0] <= 1
