"""Names are found by the model, addresses by their form, and both only where somebody asks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from gristmill.errors import RecipeError
from gristmill.pii import Scrub, find_pii, names, scrub_pii
from gristmill.pii.addresses import addresses

TEXT = "Barack Obama flew from Berlin to Paris for Microsoft; write to ada@example.com."


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    names.load_engine.cache_clear()
    monkeypatch.setitem(sys.modules, names.MODEL, None)
    yield
    names.load_engine.cache_clear()


def documents(texts: list[str]) -> pa.Table:
    sources = [f"s{number}" for number in range(len(texts))]
    columns = [pa.array(texts, pa.large_string()), pa.array(sources, pa.string())]
    return pa.Table.from_arrays(columns, ["text", "source"])


def found(text: str, entities: list[str]) -> list[tuple[str, str]]:
    rows = find_pii(["", text], entities).to_pylist()
    assert {row["document"] for row in rows} <= {1}
    return [(row["entity"], text[row["start"] : row["end"]]) for row in rows]


def test_names_are_found_beside_what_has_a_form() -> None:
    everything = ["email", "person", "location", "organization"]
    assert found(f"é日本 {TEXT}", everything) == [
        ("person", "Barack Obama"),
        ("location", "Berlin"),
        ("location", "Paris"),
        ("organization", "Microsoft"),
        ("email", "ada@example.com"),
    ]
    assert found(TEXT, ["location"]) == [("location", "Berlin"), ("location", "Paris")]


def test_names_agree_with_the_whole_pipeline_of_the_model() -> None:
    import importlib

    nlp = importlib.import_module(names.MODEL).load()
    whole = [(one.text, names.LABELS[one.label_]) for one in nlp(TEXT).ents]
    kinds = ["person", "location", "organization"]
    assert [(text, kind) for kind, text in found(TEXT, kinds)] == whole


def test_names_are_sought_only_for_those_who_ask(no_model: None) -> None:
    assert found(TEXT, ["email"]) == [("email", "ada@example.com")]
    assert Scrub().judge(documents([TEXT])).columns["pii_count"].to_pylist() == [1]
    code = "import sys, gristmill; gristmill.find_pii(['a']); print('spacy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_missing_model_is_refused_with_the_remedy(no_model: None) -> None:
    with pytest.raises(RecipeError, match=r"names need .* pip install 'gristmill\[pii\]'"):
        find_pii([TEXT], ["person"])
    with pytest.raises(RecipeError, match=r"pip install 'gristmill\[pii\]'"):
        Scrub(mask=["person"])


def test_a_name_is_masked_alike_in_a_document_and_hashed_alike_in_all() -> None:
    text = "Barack Obama met Angela Merkel. Then Barack Obama left."
    masked = scrub_pii([text], ["person"])[0].as_py()
    assert masked == "<PERSON_1> met <PERSON_2>. Then <PERSON_1> left."
    key = bytes(16)
    one, two = scrub_pii([text, TEXT], [], pseudonymise=["person"], key=key).to_pylist()
    assert one.split()[0] == two.split()[0] != text.split()[0]


@pytest.mark.parametrize(
    ("skipped", "expected"),
    [
        ([], [2, 1, 0]),
        (["s0"], [1, 1, 0]),
    ],
)
def test_names_are_not_sought_in_sources_that_skip_them(
    skipped: list[str], expected: list[int]
) -> None:
    texts = ["Barack Obama: ada@example.com", "Barack Obama", "nothing here"]
    verdict = Scrub(mask=["email", "person"], no_names_in=skipped).judge(documents(texts))
    assert verdict.columns["pii_count"].to_pylist() == expected


def test_a_long_text_is_cut_into_pieces_without_loss() -> None:
    text = f"{'word ' * 2_500}{TEXT}\n" * 2
    people = [value for kind, value in found(text, ["person"]) if value == "Barack Obama"]
    assert len(people) == 2
    pieces = list(names._pieces(text))
    assert "".join(piece for _, piece in pieces) == text
    assert all(text[at : at + len(piece)] == piece for at, piece in pieces)
    assert max(len(piece) for _, piece in pieces) <= names.PIECE_CHARS


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("Send it to 12 Long Lane, Suite 4, by noon", "12 Long Lane, Suite 4"),
        (
            "Ann\n10 Downing Street\nApt. 3\nLondon\n12345\n",
            "10 Downing Street\nApt. 3\nLondon\n12345",
        ),
        ("wohnt Hauptstraße 12 dort", "Hauptstraße 12"),
        ("au 5 rue de la Paix 12 hier", "5 rue de la Paix 12"),
        ("PSC 1234, Box 567\nAPO AE 09012", "PSC 1234, Box 567\nAPO AE 09012"),
        ("My zip code is 90210.", "90210"),
    ],
)
def test_an_address_is_found_whole(text: str, address: str) -> None:
    [(start, end)] = addresses(text)
    assert text[start:end] == address


@pytest.mark.parametrize(
    "text",
    ["", "a", "version 3 of 4", "In 1984 the 2 of us", "step 12: unit tests", "0x12 and 34 bytes"],
)
def test_what_has_only_numbers_is_no_address(text: str) -> None:
    assert addresses(text) == []


@pytest.mark.parametrize(
    "unit", ["1", "1 ", "a 1 ", "Apt. 1\n", "rue a ", "12 a ", "unit 1 ", "\n", "str 1"]
)
def test_addresses_of_a_hostile_text_take_linear_time(unit: str) -> None:
    spans: list[Any] = addresses(unit * (50_000 // len(unit)))
    assert all(start < end for start, end in spans)


@pytest.mark.parametrize("text", ["x" * 5_000_000, "1:@" * 1_000_000, " " * 5_000_000])
def test_words_of_no_language_do_not_reach_the_model(text: str) -> None:
    assert list(names._pieces(text)) == []
