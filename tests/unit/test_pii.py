"""Findings lie where they say, masks replace exactly them, and look-alikes stay."""

from __future__ import annotations

import hmac
import json

import phonenumbers
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill import schema
from gristmill.errors import RecipeError
from gristmill.pii import (
    PERSONAL,
    STRUCTURED,
    Scrub,
    find_pii,
    key_fingerprint,
    read_key,
    scrub_pii,
)

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
    "private_ip": "192.168.7.20",
    "url": "https://www.example.org/a?b=c",
}
KEY = bytes(range(32))
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


def test_every_structured_entity_has_an_example() -> None:
    assert tuple(EXAMPLES) == STRUCTURED


@pytest.mark.parametrize("entity", STRUCTURED)
def test_an_entity_is_found_where_it_stands(entity: str) -> None:
    text = carrier(entity)
    [row] = find_pii(["", text], [entity]).to_pylist()
    assert (row["document"], row["entity"]) == (1, entity)
    assert text[row["start"] : row["end"]] == EXAMPLES[entity]
    assert 0.5 < row["score"] <= 1


@pytest.mark.parametrize("entity", STRUCTURED)
def test_an_entity_is_masked_alone_and_by_its_name(entity: str) -> None:
    text = carrier(entity)
    mask = f"<{entity.upper()}_1>"
    assert scrub_pii([text], [entity]).to_pylist() == [text.replace(EXAMPLES[entity], mask)]
    others = [name for name in STRUCTURED if name not in (entity, "url")]
    assert scrub_pii([text], others).to_pylist() == [text]


def test_the_table_has_the_columns_and_types_of_the_interface() -> None:
    types = [pa.uint32(), pa.uint64(), pa.uint64(), pa.string(), pa.float32()]
    table = find_pii([])
    assert table.column_names == ["document", "start", "end", "entity", "score"]
    assert table.schema.types == types
    assert scrub_pii([]).type == pa.large_string()


def test_python_source_keeps_its_decorators_operators_and_git_addresses() -> None:
    assert find_pii([CODE], PERSONAL).num_rows == 0
    assert scrub_pii([CODE]).to_pylist() == [CODE]


def test_addresses_of_nobody_stay() -> None:
    text = "127.0.0.1 ::1 2001:db8::1 198.51.100.4 0.0.0.0 224.0.0.251"
    assert find_pii([text]).num_rows == 0


def test_a_private_address_is_told_from_a_public_one_and_not_masked_by_default() -> None:
    text = "ip 10.0.0.7, 192.168.1.20, 172.31.0.21, 100.64.9.30, fe80::1, fd12:3456::1, 81.2.69.142"
    found = find_pii([text])["entity"].to_pylist()
    assert found == [*["private_ip"] * 6, "ip"]
    assert scrub_pii([text]).to_pylist() == [text.replace("81.2.69.142", "<IP_1>")]


def test_urls_are_found_whole_and_stay_unless_named() -> None:
    text = "see http://example.com/a_(b)?c=1, (www.example.org) https://example.de. HTTP://X.ORG"
    rows = find_pii([text], ["url"]).to_pylist()
    urls = ["http://example.com/a_(b)?c=1", "www.example.org", "https://example.de", "HTTP://X.ORG"]
    assert sorted(text[row["start"] : row["end"]] for row in rows) == sorted(urls)
    assert scrub_pii([text]).to_pylist() == [text]
    assert scrub_pii([text], ["url"])[0].as_py().count("<URL_") == 4


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
    scrubbed = scrub_pii(texts, STRUCTURED).to_pylist()
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


@pytest.mark.parametrize(
    "unit",
    [
        "1",
        "1 ",
        "@",
        "a@b.",
        ":",
        "a",
        "é",
        "password='",
        "eyJa.",
        "http://a.de/",
        "www.",
        "1.2.",
        "+1-",
    ],
)
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


def test_actions_that_cannot_be_done_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"pii\.mask is empty"):
        Scrub(mask=())
    with pytest.raises(RecipeError, match=r"'email' is in .* one action for each entity"):
        Scrub(mask=["email"], drop=["email"])
    with pytest.raises(RecipeError, match="'ip' is in entities and in pseudonymise"):
        scrub_pii(["a"], ["ip"], pseudonymise=["ip"], key=KEY)
    with pytest.raises(RecipeError, match="pseudonyms need a key"):
        Scrub(pseudonymise=["email"])
    with pytest.raises(RecipeError, match="has 3 bytes; give 16 or more"):
        scrub_pii(["a"], pseudonymise=["email"], key=b"abc")
    with pytest.raises(RecipeError, match="a key has no effect"):
        Scrub(key=KEY)


def test_a_pseudonym_is_the_keyed_hash_of_entity_and_value() -> None:
    for key in (KEY, KEY[:16], KEY * 9):
        digest = hmac.new(key, b"email\0ada@example.com", "sha256").hexdigest()[:16]
        [text] = scrub_pii(["to Ada@Example.com"], [], pseudonymise=["email"], key=key).to_pylist()
        assert text == f"to <EMAIL_{digest}>"


def test_a_long_value_has_the_same_keyed_hash() -> None:
    block = f"-----BEGIN PRIVATE KEY-----\n{'M' * 900}\n-----END PRIVATE KEY-----"
    digest = hmac.new(KEY, b"secret\0" + block.encode(), "sha256").hexdigest()[:16]
    assert scrub_pii([block], [], pseudonymise=["secret"], key=KEY)[0].as_py() == (
        f"<SECRET_{digest}>"
    )


def test_equal_values_share_a_pseudonym_in_all_texts_under_one_key_only() -> None:
    texts = ["a@x.org 81.2.69.142", "b@x.org", "A@x.org"]
    one, two, three = scrub_pii(texts, pseudonymise=["email"], key=KEY).to_pylist()
    assert one == f"{three} <IP_1>"
    assert len({one, two, *scrub_pii(texts, pseudonymise=["email"], key=KEY[:16]).to_pylist()}) == 5


def test_the_key_comes_from_the_environment_and_only_its_fingerprint_is_told(monkeypatch) -> None:
    monkeypatch.setenv("GRISTMILL_TEST_KEY", "0123456789abcdef")
    key = read_key("GRISTMILL_TEST_KEY")
    assert key == b"0123456789abcdef"
    assert len(key_fingerprint(key)) == 16
    assert key_fingerprint(key) != key_fingerprint(KEY)
    monkeypatch.delenv("GRISTMILL_TEST_KEY")
    with pytest.raises(RecipeError, match="'GRISTMILL_TEST_KEY' is not set"):
        read_key("GRISTMILL_TEST_KEY")


def test_each_entity_has_its_own_action() -> None:
    texts = ["a@x.org, 81.2.69.142", "ssh 81.2.69.142", "card 4111111111111111 of a@x.org", "x"]
    stage = Scrub(mask=["email"], tag=["ip"], drop=["card"])
    verdict = stage.judge(documents(texts))
    assert verdict.reason.to_pylist() == [None, None, "pii", None]
    assert verdict.detail.to_pylist() == ["email 1", None, "card 1", None]
    assert verdict.tags.to_pylist() == [["pii:ip"], ["pii:ip"], [], []]
    assert verdict.text.to_pylist()[:2] == ["<EMAIL_1>, 81.2.69.142", texts[1]]
    assert verdict.columns["pii_count"].to_pylist() == [2, 1, 2, 0]


def test_what_is_not_named_is_masked_where_no_mask_is_given() -> None:
    assert Scrub(tag=["email"]).mask == [name for name in PERSONAL if name != "email"]
    verdict = Scrub(pseudonymise=["email"], key=KEY).judge(documents(["a@x.org 81.2.69.142"]))
    assert verdict.text[0].as_py().endswith("> <IP_1>")


def test_telephone_numbers_of_every_plan_with_eight_digits_or_more_are_found() -> None:
    kinds = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE)
    forms = (phonenumbers.PhoneNumberFormat.INTERNATIONAL, phonenumbers.PhoneNumberFormat.E164)
    numbers = {
        phonenumbers.format_number(example, form)
        for region in phonenumbers.SUPPORTED_REGIONS
        for kind in kinds
        if (example := phonenumbers.example_number_for_type(region, kind))
        for form in forms
    }
    long = sorted(one for one in numbers if sum(map(str.isdigit, one)) >= 8)
    assert len(long) > 800
    assert len(numbers) - len(long) < 12
    rows = find_pii([f"at {number}." for number in long], ["phone"]).to_pylist()
    found = [(row["document"], row["start"], row["end"]) for row in rows]
    assert found == [(n, 3, 3 + len(number)) for n, number in enumerate(long)]


def test_telephone_numbers_that_no_plan_has_stay() -> None:
    lines = ["+12345678", "+1 555 2671", "+33 1 23 45 67", "+999 1234 5678", "+45 1234 567"]
    assert not any(phonenumbers.is_valid_number(_parsed(line)) for line in lines)
    assert find_pii(lines, ["phone"]).num_rows == 0


def _parsed(number: str) -> phonenumbers.PhoneNumber:
    try:
        return phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return phonenumbers.PhoneNumber()


@pytest.mark.parametrize(("unit", "times"), [("x", 50_000_000), ("x1", 5_000_000)])
def test_a_word_without_end_is_searched_soon(unit: str, times: int) -> None:
    assert find_pii([unit * times]).num_rows == 0
