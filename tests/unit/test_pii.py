"""Findings lie where they say, masks replace exactly them, and look-alikes stay."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill import schema
from gristmill.errors import RecipeError
from gristmill.pii import ENTITIES, Scrub, find_pii, scrub_pii

EXAMPLES = {
    "email": "ada.lovelace+notes@example.co.uk",
    "phone": "+44 20 7946 0958",
    "card": "4111 1111 1111 1111",
    "iban": "GB82 WEST 1234 5698 7654 32",
    "ip": "81.2.69.142",
    "national_id": "219-09-9999",
    "url_credential": "joe:s3cret",
    "secret": "AKIAIOSFODNN7EXAMPLE",
    "crypto": "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
    "geo": "40.7128° N, 74.0060° W",
}
CODE = '''\
@app.route("/")
@functools.cache
def product(a, b):
    """git clone git@github.com:org/repo.git, see ssh://git@host.example.org/x"""
    y = a@b; z = a.weight @ b.T; q@self.weight
    assert version == "81.2.69.142.1" and sha == "da39a3ee5e6b4b0d3255bfef95601890afd80709"
    return requests.get("https://example.com/@user", token=os.environ["TOKEN"])
'''


def carrier(entity: str) -> str:
    """A text that holds the example of `entity`, behind characters of several bytes."""
    value = EXAMPLES[entity]
    return (
        f"naïve 日本語 https://{value}@db.example/ end"
        if entity == "url_credential"
        else (f"naïve 日本語: {value}, end")
    )


def documents(texts: list[str]) -> pa.Table:
    """`texts` with the columns of the contract."""
    rows = [
        {
            "id": str(number),
            "text": text,
            "source": "test",
            "license": "CC0-1.0",
            "metadata": json.dumps({}),
        }
        for number, text in enumerate(texts)
    ]
    return pa.Table.from_pylist(rows, schema=schema.DOCUMENT)


def test_every_entity_has_an_example() -> None:
    assert tuple(EXAMPLES) == ENTITIES


@pytest.mark.parametrize("entity", ENTITIES)
def test_an_entity_is_found_where_it_stands(entity: str) -> None:
    text = carrier(entity)
    [row] = find_pii(["", text]).to_pylist()
    assert (row["document"], row["entity"]) == (1, entity)
    assert text[row["start"] : row["end"]] == EXAMPLES[entity]
    assert 0.5 < row["score"] <= 1


@pytest.mark.parametrize("entity", ENTITIES)
def test_an_entity_is_masked_alone_and_by_its_name(entity: str) -> None:
    text = carrier(entity)
    mask = f"<{entity.upper()}_1>"
    assert scrub_pii([text], [entity]).to_pylist() == [text.replace(EXAMPLES[entity], mask)]
    others = [name for name in ENTITIES if name != entity]
    assert scrub_pii([text], others).to_pylist() == [text]


def test_the_table_has_the_columns_and_types_of_the_interface() -> None:
    types = [pa.uint32(), pa.uint64(), pa.uint64(), pa.string(), pa.float32()]
    table = find_pii([])
    assert table.column_names == ["document", "start", "end", "entity", "score"]
    assert table.schema.types == types
    assert scrub_pii([]).type == pa.large_string()


def test_python_source_keeps_its_decorators_operators_and_git_addresses() -> None:
    assert find_pii([CODE]).num_rows == 0
    assert scrub_pii([CODE]).to_pylist() == [CODE]


def test_addresses_of_nobody_stay() -> None:
    text = "127.0.0.1 ::1 10.0.0.7 192.168.1.20 172.31.0.1 fe80::1 2001:db8::1 198.51.100.4"
    assert find_pii([text]).num_rows == 0


def test_a_version_is_no_address_and_an_address_is_no_version() -> None:
    assert find_pii(["version 81.2.69.142", "1.2.3.4", "section 3.4.12.1"]).num_rows == 0
    assert find_pii(["connection from 81.2.69.142 closed", "dns 8.8.8.8"]).num_rows == 2


def test_equal_values_get_equal_masks_within_a_document_only() -> None:
    texts = ["a@x.org b@x.org A@x.org", "b@x.org"]
    assert scrub_pii(texts).to_pylist() == ["<EMAIL_1> <EMAIL_2> <EMAIL_1>", "<EMAIL_1>"]


PIECES = st.sampled_from(
    [*EXAMPLES.values(), *" .:@-+()/", "\n", "é", "日", "\x00", "tel ", "1", "45", "x", "a@b", "::"]
)


@settings(deadline=None)
@given(st.lists(st.lists(PIECES, max_size=20).map("".join), max_size=4))
def test_scrubbing_replaces_exactly_what_is_found(texts: list[str]) -> None:
    found = find_pii(texts, threads=2).to_pylist()
    scrubbed = scrub_pii(texts).to_pylist()
    for number, (text, masked) in enumerate(zip(texts, scrubbed, strict=True)):
        end, rest = 0, masked
        for row in (row for row in found if row["document"] == number):
            assert end <= row["start"] < row["end"] <= len(text)
            between = text[end : row["start"]]
            assert rest.startswith(f"{between}<{row['entity'].upper()}_")
            rest = rest[len(between) :].split(">", 1)[1]
            end = row["end"]
        assert rest == text[end:]


@settings(deadline=None)
@given(st.lists(st.text(), max_size=5))
def test_any_text_is_searched_alike_for_any_number_of_threads(texts: list[str]) -> None:
    assert find_pii(texts).equals(find_pii(texts, threads=3))
    assert scrub_pii(texts).equals(scrub_pii(texts, threads=3))


@pytest.mark.parametrize("unit", ["1", "1 ", "@", "a@b.", ":", "a", "password='", "eyJa."])
def test_a_hostile_line_is_searched_in_linear_time(unit: str) -> None:
    line = unit * (4_000_000 // len(unit))
    assert find_pii([line]).num_rows < len(line)


def test_the_stage_masks_and_counts_and_drops_nothing() -> None:
    texts = ["a@x.org, b@x.org, 81.2.69.142", "nothing", "tel 020 7946 0958"]
    verdict = Scrub(mask=["email", "ip"]).judge(documents(texts))
    assert verdict.reason.to_pylist() == [None] * 3
    assert verdict.detail.to_pylist() == ["email 2, ip 1", None, None]
    assert verdict.text.to_pylist() == ["<EMAIL_1>, <EMAIL_2>, <IP_1>", *texts[1:]]
    assert verdict.columns["pii_count"].to_pylist() == [3, 0, 0]
    assert verdict.columns["pii_count"].type == pa.uint32()
    assert verdict.text.type == pa.large_string()


def test_an_unknown_entity_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(RecipeError, match=r"pii\.mask has no entity 'emial'; did you mean 'email'"):
        Scrub(mask=["emial"])
    with pytest.raises(RecipeError, match="did you mean 'crypto'"):
        find_pii(["a"], ["cripto"])
    with pytest.raises(RecipeError, match="known: email"):
        scrub_pii(["a"], ["zzz"])


def test_a_mask_of_nothing_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"pii\.mask is empty"):
        Scrub(mask=())
