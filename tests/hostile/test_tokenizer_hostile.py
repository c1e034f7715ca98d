"""Tokenizer files and texts that somebody made to break things: an error of ours, or right ids."""

import base64
import contextlib
import copy
import json
import time

import pyarrow as pa
import pytest
import tokenizers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gristmill.errors import CoreError, FormatError, GristmillError, RecipeError
from gristmill.tokenizer import Tokenizer

BYTES = [bytes([byte]) for byte in range(256)]
TEXT = "abab abc <|endoftext|> é\n"


def documents():
    """A file of each kind, small, so that a change at random hits what matters."""
    trained = Tokenizer.train(["abab abc"], 260, "llama3")._document
    for document in (
        trained,
        Tokenizer.train(["abab"] * 3, 40, model="wordpiece")._document,
        Tokenizer.train(["abab abc"] * 3, 40, model="unigram")._document,
    ):
        yield json.loads(json.dumps(document))


DOCUMENTS = list(documents())
VALUES = st.one_of(
    st.sampled_from([None, True, -1, 0, 7, 2**31, 2**32, 2**64, 10**400, 0.5, 1e300, float("nan")]),
    st.sampled_from(
        ["", "a", "\ud800", "\x00", "BPE", "Sequence", "Split", "NFC", "a b", "(", "a*"]
    ),
    st.sampled_from([[], {}, [[]], {"": {}}, ["a"], [["a", "b"]], {"a": "b"}, [None], [[1, 2]]]),
)


def places(value, path=()):
    """Every place in a document."""
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


def mutated(document, path, action, value):
    """`document` with one place deleted, replaced or given another name."""
    document = copy.deepcopy(document)
    if not path:
        return value
    parent = document
    for key in path[:-1]:
        parent = parent[key]
    if action == "delete":
        del parent[path[-1]]
    elif action == "rename" and isinstance(parent, dict):
        parent[str(value)] = parent.pop(path[-1])
    else:
        parent[path[-1]] = value
    return document


def opened(file, **options):
    """The tokenizer, or None when it is refused in a short message that names the file."""
    try:
        return Tokenizer.load(file, **options)
    except GristmillError as error:
        message = str(error)
    assert str(file) in message
    assert len(message) < 2000
    return None


PLACES = [
    [path for path in places(document) if len(path) < 3] * 20 + list(places(document))
    for document in DOCUMENTS
]


@settings(max_examples=700, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), st.sampled_from([0, 0, 0, 1, 2]))
def test_a_file_changed_at_random_loads_or_is_refused_by_name(tmp_path_factory, data, kind):
    folder = tmp_path_factory.getbasetemp()
    path = data.draw(st.sampled_from(PLACES[kind]))
    action = data.draw(st.sampled_from(["delete", "replace", "rename"]))
    document = mutated(DOCUMENTS[kind], path, action, data.draw(VALUES))
    file = folder / "tokenizer.json"
    file.write_text(json.dumps(document))
    tok = opened(file)
    if tok is None:
        return
    if kind == 0:  # what is opened gives the ids of `tokenizers`, where that opens it too
        ids = tok.encode(TEXT, specials="encode" if not tok._stripping else "text")
        assert tok.normalizes or tok.decode(ids) == TEXT
        try:
            theirs = tokenizers.Tokenizer.from_file(str(file))
        except Exception:  # it raises Exception itself
            return
        # an added token that is not in the vocabulary gets the next free id there, whatever its own
        renumbered = any(theirs.token_to_id(t) != i for t, i in tok.special_tokens.items())
        if not (tok._stripping or renumbered or document.get("truncation")):
            assert ids == theirs.encode(TEXT, add_special_tokens=False).ids
    else:
        with contextlib.suppress(CoreError):
            tok.encode_batch([TEXT, ""])


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_file_cut_or_changed_in_its_bytes_loads_or_is_refused(tmp_path_factory, data):
    content = bytearray(json.dumps(DOCUMENTS[0]).encode())
    at = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        del content[at:]
    else:
        content[at] = data.draw(st.integers(0, 255))
    file = tmp_path_factory.getbasetemp() / "bytes.json"
    file.write_bytes(content)
    tok = opened(file)
    assert tok is None or tok.vocab_size > 256


@pytest.mark.parametrize(
    "inner", ['{"a":' * 100_000, "[" * 100_000, '{"model":' + "[" * 100_000 + "]" * 100_000 + "}"]
)
def test_deep_nesting_is_refused(tmp_path, inner):
    file = tmp_path / "tokenizer.json"
    file.write_text(inner)
    with pytest.raises(FormatError, match="not JSON, or only a part of it"):
        Tokenizer.load(file)


def test_what_is_not_a_file_is_wrong_use(tmp_path):
    (tmp_path / "tokenizer.json").mkdir()
    for path in (tmp_path, tmp_path / "none.tiktoken", tmp_path / "tokenizer.json" / "x"):
        with pytest.raises(RecipeError, match="there is no tokenizer at"):
            Tokenizer.load(path, pattern="gpt2" if path.suffix == ".tiktoken" else None)


def test_a_special_token_twice_with_two_ids_is_refused(tmp_path):
    document = copy.deepcopy(DOCUMENTS[0])
    twice = {**document["added_tokens"][0], "content": "<two>"}
    document["added_tokens"] += [{**twice, "id": 260}, {**twice, "id": 261}]
    (tmp_path / "tokenizer.json").write_text(json.dumps(document))
    with pytest.raises(FormatError, match="'<two>' is there twice, with the ids 260 and 261"):
        Tokenizer.load(tmp_path)


# ---- rank files ----


def lines(tokens):
    return [b"%s %d" % (base64.b64encode(token), rank) for rank, token in enumerate(tokens)]


RANK_FAULTS = {
    "no rank": (b"YQ==", r"t\.tiktoken:258: expected a token in base64 and its rank"),
    "three parts": (b"YQ== 1 2", ":258: expected a token"),
    "no number": (b"YWI= one", ":258: expected a token"),
    "negative": (b"YWI= -1", ":258: expected a token"),
    "huge rank": (b"YWI= 9999999999", ":258: rank 9999999999 is not allowed: at most"),
    "huger rank": (b"YWI= " + b"9" * 5000, ":258: expected a token"),
    "no base64": (b"Y*Q= 257", r":258: the token b'Y\*Q=' is no base64"),
    "half base64": (b"YWI 257", ":258: the token b'YWI' is no base64"),
    "rank twice": (b"YWI= 5", ":258: rank 5 is given twice"),
    "token twice": (b"YQ== 300", r'rank 300: is "a"; so is that of 97'),
    "empty token": (b" 300", ":258: expected a token"),
    "long token": (base64.b64encode(b"a" * 2000) + b" 300", "has 2000 bytes; 1 to 1024"),
    "not text": (b"\xff\xfe 300", "is no base64"),
}


@pytest.mark.parametrize("kind", RANK_FAULTS)
def test_a_damaged_rank_file_is_refused_by_line_and_fault(tmp_path, kind):
    line, fault = RANK_FAULTS[kind]
    file = tmp_path / "t.tiktoken"
    file.write_bytes(b"\n".join([*lines(BYTES), b"", line]))
    with pytest.raises(FormatError, match=fault):
        Tokenizer.load(file, pattern="gpt2")


def test_a_rank_file_without_a_byte_a_pattern_or_room_for_a_special_token_is_refused(tmp_path):
    file = tmp_path / "t.tiktoken"
    file.write_bytes(b"\n".join(lines(BYTES[:200])))
    with pytest.raises(FormatError, match="byte 0xc8 has no token"):
        Tokenizer.load(file, pattern="gpt2")
    file.write_bytes(b"\n".join(lines([*BYTES, b"<e>"])))
    with pytest.raises(RecipeError, match="does not say how texts are cut; give pattern="):
        Tokenizer.load(file)
    with pytest.raises(FormatError, match=r"pattern = .* is not allowed"):
        Tokenizer.load(file, pattern="a*")
    with pytest.raises(RecipeError, match="'<x>' has the id of a rank, 3"):
        Tokenizer.load(file, pattern="gpt2", special_tokens={"<x>": 3})
    with pytest.raises(FormatError, match="added token '<e>' has id 300, the vocabulary says 256"):
        Tokenizer.load(file, pattern="gpt2", special_tokens={"<e>": 300})


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 3000))
def test_any_bytes_in_a_rank_file_load_or_are_refused(tmp_path_factory, noise, at):
    content = b"\n".join(lines([*BYTES, b"ab", b"abc"]))
    file = tmp_path_factory.getbasetemp() / "noise.tiktoken"
    file.write_bytes(content[:at] + noise + content[at + 1 :])
    tok = opened(file, pattern="gpt2")
    assert tok is None or tok.decode(tok.encode(TEXT)) == TEXT


# ---- texts ----


def test_a_long_word_and_many_short_texts_take_time_in_proportion():
    tok = Tokenizer.train(["aaaa abab" * 9], 270)

    def seconds(n):
        start = time.process_time()
        assert tok.decode(tok.encode("ab" * n)) == "ab" * n
        return time.process_time() - start

    seconds(1000)
    assert seconds(400_000) < 40 * max(seconds(40_000), 0.005)
    ids = tok.encode_batch(pa.array(["a"]).take(pa.array([0] * 200_000)))
    assert len(ids) == len(ids.values) == 200_000
