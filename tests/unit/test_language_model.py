"""The shipped language model: what its card says that can be checked without the data sets."""

from __future__ import annotations

import time
from pathlib import Path

import fasttext
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill import _core
from gristmill.errors import CoreError, FormatError, RecipeError
from gristmill.filters.language import LanguageFilter, identify_language
from gristmill.filters.language.filter import REASONS
from gristmill.filters.language.identify import MODEL

WEATHER = {
    "af": "Dit was koud, daarom het ons by die huis gebly en boeke gelees.",
    "ca": "Feia fred i ens vam quedar a casa llegint llibres tot el dia.",
    "cs": "Byla zima, a tak jsme zůstali doma a četli jsme knihy.",
    "cy": "Roedd hi'n oer, felly arhoson ni gartref yn darllen llyfrau.",
    "da": "Det var koldt, så vi blev hjemme og læste bøger hele dagen.",
    "de": "Es war kalt, deshalb blieben wir zu Hause und lasen Bücher.",
    "en": "It was cold, so we stayed at home and read books all day.",
    "eo": "Estis malvarme, do ni restis hejme kaj legis librojn.",
    "es": "Hacía frío, así que nos quedamos en casa leyendo libros.",
    "et": "Oli külm, nii et me jäime koju ja lugesime raamatuid.",
    "eu": "Hotz egiten zuen, eta etxean geratu ginen liburuak irakurtzen.",
    "fi": "Oli kylmä, joten jäimme kotiin lukemaan kirjoja.",
    "fr": "Il faisait froid, alors nous sommes restés à la maison à lire des livres.",
    "ga": "Bhí sé fuar, mar sin d'fhanamar sa bhaile ag léamh leabhar.",
    "hu": "Hideg volt, ezért otthon maradtunk és könyveket olvastunk.",
    "id": "Cuacanya dingin, jadi kami tinggal di rumah karena ingin membaca buku.",
    "is": "Það var kalt, svo við vorum heima og lásum bækur.",
    "it": "Faceva freddo, quindi siamo rimasti a casa a leggere dei libri.",
    "la": "Frigus erat, itaque domi mansimus et libros legebamus.",
    "lt": "Buvo šalta, todėl likome namuose ir skaitėme knygas.",
    "lv": "Bija auksti, tāpēc mēs palikām mājās un lasījām grāmatas.",
    "nl": "Het was koud, dus bleven we thuis en lazen we boeken.",
    "nn": "Det var kaldt, så vi vart verande heime og las bøker, me ville ikkje gå ut.",
    "pl": "Było zimno, więc zostaliśmy w domu i czytaliśmy książki.",
    "pt": "Estava frio, por isso ficamos em casa a ler livros.",
    "ro": "Era frig, așa că am rămas acasă și am citit cărți.",
    "sk": "Bola zima, a tak sme zostali doma a čítali sme knihy.",
    "sl": "Bilo je mrzlo, zato smo ostali doma in brali knjige.",
    "sq": "Bënte ftohtë, prandaj qëndruam në shtëpi dhe lexuam libra.",
    "sv": "Det var kallt, så vi stannade hemma och läste böcker.",
    "sw": "Kulikuwa na baridi, kwa hiyo tulikaa nyumbani na kusoma vitabu.",
    "tr": "Hava soğuktu, bu yüzden evde kaldık ve kitap okuduk.",
    "vi": "Trời lạnh nên chúng tôi ở nhà đọc sách cả ngày.",
    "be": "Было холадна, таму мы засталіся дома і чыталі кнігі.",
    "bg": "Беше студено, затова останахме вкъщи и четохме книги.",
    "mk": "Беше студено, па затоа останавме дома и читавме книги.",
    "sr": "Било је хладно, па смо остали код куће и читали књиге.",
    "uk": "Було холодно, тому ми залишилися вдома і читали книжки.",
    "ar": "كان الجو باردا، لذلك بقينا في البيت نقرأ الكتب.",
    "fa": "هوا سرد بود، برای همین در خانه ماندیم و کتاب خواندیم.",
    "ur": "موسم سرد تھا، اس لیے ہم گھر پر رہے اور کتابیں پڑھیں۔",
    "hi": "मौसम ठंडा था, इसलिए हम घर पर रहे और किताबें पढ़ीं।",
    "mr": "हवा थंड होती, म्हणून आम्ही घरी राहिलो आणि पुस्तके वाचली.",
}  # fmt: skip

ONE_LANGUAGE = {
    "el": "Έκανε κρύο, γι' αυτό μείναμε σπίτι.",
    "he": "היה קר ולכן נשארנו בבית",
    "yi": "עס איז געװען קאַלט, זײַנען מיר געבליבן אין דער הײם",
    "hy": "Ցուրտ էր, և մենք մնացինք տանը։",
    "ka": "ციოდა, ამიტომ სახლში დავრჩით.",
    "ta": "குளிராக இருந்தது, அதனால் வீட்டில் இருந்தோம்.",
    "te": "చలిగా ఉంది, అందుకే ఇంట్లో ఉన్నాము.",
    "th": "อากาศหนาวเราจึงอยู่บ้าน",
    "ko": "날씨가 추워서 우리는 집에 있었다.",
    "ja": "寒かったので、家で本を読みました。",
    "zh": "天气很冷，所以我们待在家里看书。",
    "bn": "ঠান্ডা ছিল, তাই আমরা বাড়িতে ছিলাম।",
}


def documents(texts: list[str]) -> pa.Table:
    return pa.Table.from_arrays([pa.array(texts, pa.large_string())], ["text"])


def codes(texts: list[str], **options: object) -> list[str]:
    return identify_language(texts, **options).column("language").to_pylist()


def test_the_shipped_model_is_small() -> None:
    assert MODEL.stat().st_size <= 1_500_000


def test_sentences_of_everyday_speech_are_named_in_forty_languages() -> None:
    found = dict(zip(WEATHER, codes(list(WEATHER.values())), strict=True))
    wrong = {code: answer for code, answer in found.items() if code != answer}
    assert len(wrong) <= len(WEATHER) // 20, wrong


@pytest.mark.parametrize("code", ONE_LANGUAGE)
def test_a_script_of_one_language_decides_alone(code: str) -> None:
    [row] = identify_language([ONE_LANGUAGE[code]]).to_pylist()
    assert row["language"] == code
    assert row["score"] == pytest.approx(0.99)


def test_latin_names_do_not_hide_another_script() -> None:
    assert codes(["Γράφτηκε από τους Paul Eggert, David Hayes και Len Tower."]) == ["el"]


def test_a_boilerplate_head_does_not_decide() -> None:
    assert codes(["Accept all cookies to continue reading. " * 30 + WEATHER["fi"] * 80]) == ["fi"]


def test_a_long_text_in_one_language_scores_high_and_a_mixed_one_its_share() -> None:
    long, half = WEATHER["de"] * 100, WEATHER["de"] * 60 + WEATHER["uk"] * 20
    scores = identify_language([long, half]).column("score").to_pylist()
    assert scores[0] > 0.95
    assert 0.3 < scores[1] < 0.9


def test_answers_depend_neither_on_neighbours_nor_on_the_run() -> None:
    texts = [*WEATHER.values(), *ONE_LANGUAGE.values()]
    together = identify_language(texts)
    assert together == identify_language(texts)
    assert codes(texts) == [code for text in texts for code in codes([text])]


def test_a_hint_decides_what_is_written_alike() -> None:
    text = "Vi har en stor hund og to katter"
    assert codes([text], hints=["nb"]) == ["nb"]
    assert codes([text], hints=["da"]) == ["da"]


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=3000), st.integers(1, 3))
def test_any_text_has_an_answer_and_a_share(text: str, times: int) -> None:
    [row] = identify_language([text * times]).to_pylist()
    assert 0 <= row["score"] <= 1
    assert (row["score"] == 0) == (row["language"] == "und")


@pytest.mark.parametrize(
    "unit", ["x", "é", "я", "中", "\u05d0", "\u202e", "<", "a b ", "\U0001f600"]
)
def test_fifty_megabytes_take_no_longer_than_their_check(unit: str) -> None:
    text = unit * (50_000_000 // len(unit.encode()))
    started = time.process_time()
    identify_language([text])
    assert time.process_time() - started < 2


def test_right_to_left_and_mixed_scripts_are_answered() -> None:
    assert codes([f"{WEATHER['ar']} {WEATHER['ar']} iPhone 12 \u202e"]) == ["ar"]


@pytest.mark.parametrize("cut", [0, 5, 9, 40, 5000, -1])
def test_a_model_that_is_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(CoreError, match="language model"):
        _core.LanguageModel(MODEL.read_bytes()[:cut])


def test_a_model_with_bytes_too_many_is_refused() -> None:
    with pytest.raises(CoreError, match="1 bytes too many"):
        _core.LanguageModel(MODEL.read_bytes() + b"\0")


@pytest.fixture(scope="module")
def users_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fastText model of two languages, one of them with a code of its own."""
    folder = tmp_path_factory.mktemp("model")
    lines = [f"__label__en {WEATHER['en']}", f"__label__qx {WEATHER['de']}"] * 20
    (folder / "lines.txt").write_text("\n".join(lines))
    trained = fasttext.train_supervised(
        str(folder / "lines.txt"), epoch=20, lr=1.0, dim=8, thread=1, verbose=0
    )
    trained.save_model(str(folder / "model.bin"))
    return folder / "model.bin"


def test_a_users_model_answers_instead(users_model: Path) -> None:
    found = identify_language([WEATHER["en"], WEATHER["de"], ""], model=users_model)
    assert found.column("language").to_pylist()[:2] == ["en", "qx"]
    verdict = LanguageFilter(keep=["qx"], model=users_model).judge(documents([WEATHER["de"]]))
    assert verdict.reason.to_pylist() == [None]


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.bin").write_bytes(b"not a model")
    with pytest.raises(FormatError):
        identify_language(["x"], model=tmp_path / "no.bin")


def test_a_reason_can_be_tagged_instead_of_dropping() -> None:
    stage = LanguageFilter(keep=["en"], tag=["language"])
    verdict = stage.judge(documents([WEATHER["en"], WEATHER["fr"]]))
    assert verdict.reason.to_pylist() == [None, None]
    assert verdict.tags.to_pylist() == [[], ["language"]]
    assert verdict.detail.to_pylist()[1].startswith("fr ")


def test_an_unknown_reason_to_tag_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"language\.tag has 'langage'"):
        LanguageFilter(keep=["en"], tag=["langage"])
    assert REASONS == ("language", "language_score")
