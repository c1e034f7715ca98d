"""What a tokenizer can be: any expression, rank files, offsets, WordPiece and Unigram."""

import base64
import itertools
import json
import re
import sys

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import regex
import tiktoken
import tokenizers
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tokenizers import pre_tokenizers

from gristmill import _core
from gristmill.errors import CoreError, FormatError, RecipeError
from gristmill.shards.write import write_shards
from gristmill.tokenizer import PATTERNS, Tokenizer

SAMPLE = [
    "The mill grinds slowly, but it grinds exceedingly fine. It's 1,234 sacks a year!\n",
    "\tWASSERMÜHLE an der Straße: geöffnet 09:00\u2009–\u200917:30 Uhr.\r\n  Eintritt 3 €.\r\n",
    "Мельница мелет муку; 水車が回る。방앗간 🙂👩🏽‍🌾 naïve façade e\u0301te\u0301",
    "   \n\n  leading\u00a0and trailing   \n \t ",
]
BYTES = [bytes([byte]) for byte in range(256)]

CHARACTERS = "aAbzsStTlvVeErRdm'  \t\n\r/.,-_019\x0b\x1c\x85\xa0\u2003ſKéÉßǅʰªあ水Ⅷ½²٣\u0301\u200d"
# Python's `regex` may know a later Unicode than the others; U+0295 changed its kind in 16
KNOWN = st.characters(exclude_categories=("Cs", "Cn"), exclude_characters="ʕ")
TEXTS = st.one_of(st.text(CHARACTERS, max_size=25), st.text(KNOWN, max_size=10))

PARTS = [
    r" ?\p{L}+",
    r" ?\p{L}++",
    r"[^\r\n\p{L}\p{N}]?+\p{L}++",
    r"\p{N}{1,3}",
    r"\d+?",
    r"(?i:'s|'ll|'ve)",
    r"[\p{Lu}\p{L}&&[^\p{Han}]]+",
    r" ?[^\s\p{L}\p{N}]++[\r\n]*+",
    r"\s*[\r\n]+",
    r"\s+(?!\S)",
    r"\s++(?!\S)",
    r"\s+",
    r"\s++(?![\s\S])",
    r"[a-z]+(?![\s\S])",
    r"(?:a|b|ab)+?[e-t]",
    r"\Aa| ?[^(\s|[.,])]+",
]


def words_of(pattern):
    """The words of a pattern through the compiled engine alone."""
    return _core.BpeEncoder(BYTES, [], [], pattern).words


@settings(max_examples=250, deadline=None)
@given(st.lists(st.sampled_from(PARTS), min_size=1, max_size=5, unique=True), st.lists(TEXTS))
def test_any_expression_cuts_as_tokenizers_and_regex_do(parts, texts):
    pattern = "|".join(parts)
    assume(pattern not in PATTERNS.values())
    words = words_of(pattern)
    split = pre_tokenizers.Split(tokenizers.Regex(pattern), "isolated")
    python = regex.compile(f"(?V1){pattern}")
    for text in texts:
        assert words(text) == [text[start:end] for _, (start, end) in split.pre_tokenize_str(text)]
        spans = [place for match in python.finditer(text) for place in match.span()]
        borders = sorted({0, *spans, len(text)})
        assert words(text) == [text[a:b] for a, b in itertools.pairwise(borders)]


@pytest.mark.parametrize("name", PATTERNS)
def test_the_engine_for_any_expression_agrees_with_the_published_machines(name):
    twin = words_of(f"(?:never-\x00){{9}}|{PATTERNS[name]}")

    @settings(max_examples=200, deadline=None)
    @given(TEXTS)
    def check(text):
        assert twin(text) == words_of(name)(text)

    check()


REFUSED = {
    "gpt5": "gpt2, cl100k, o200k, llama3 or qwen2, or a regular",
    "a*": "matches at least one",
    "|a": "matches at least one",
    "a$": r"write \\A or \\z",
    r"\ba": r"only \\A and \\z",
    r"\w+": r"write \[",
    r"[\W]": r"write \[",
    "(?=a)b": "look-around",
    r"a\s+(?!\S)": "look-around",
    r"(a)\1": "backreferences",
    "(?>a)": "atomic",
    "(?i)a": r"as \(\?i:x\)",
    "(?s:.)": r"\(x\), \(\?:x\)",
    "(?<name>a)": r"\(x\), \(\?:x\)",
    "(?i:ss)": "inside",
    "(?i:é)": "inside",
    "a++a": "write it without its last",
    "(ab)++": "write it without its last",
    "(?:a++)b": "write it without its last",
    "a{2}+": "write it without its last",
    "a{2}?": "means two things",
    "[[:alpha:]]": "Unicode class",
    "[a--b]": "only && is allowed",
    r"\p{Nonsense}": "property not found",
    "a)": "needs its",
    "(a": "unclosed",
    r"\p{L}{9999}": "10 MiB",
    "(" * 9999 + "a" + ")" * 9999: "not allowed",
    "a+" * 2**15 + "b": "64 KiB",
}


@pytest.mark.parametrize("pattern", REFUSED, ids=lambda pattern: pattern[:20])
def test_an_expression_that_engines_read_differently_is_refused(pattern):
    with pytest.raises(ValueError, match=r"^pattern = .* is not allowed: ") as error:
        Tokenizer.train(["a"], 300, pattern)
    assert re.search(REFUSED[pattern], str(error.value))


def test_a_vocabulary_of_any_expression_trains_saves_and_opens_in_tokenizers(tmp_path):
    pattern = r"[\p{Han}]+|\p{N}| ?\p{L}+|\s+(?!\S)"
    tok = Tokenizer.train(SAMPLE * 2, 330, pattern)
    assert tok.pattern == pattern
    assert tok.words("ab 12水!? ") == ["ab", " ", "1", "2", "水", "!?", " "]
    tok.save(tmp_path)
    again = Tokenizer.load(tmp_path)
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    theirs.encode_special_tokens = True
    for text in SAMPLE:
        assert tok.encode(text) == again.encode(text) == theirs.encode(text).ids
        assert tok.decode(tok.encode(text)) == text


def test_an_escaped_parenthesis_is_no_look_ahead():
    assert words_of(r"(\(?!\S)")("(!a b!c") == ["(!a", " b", "!c"]
    assert words_of(r"[(?!)|]+|b")("(|b)a") == ["(|", "b", ")", "a"]


def test_a_published_expression_in_another_spelling_takes_the_fast_path():
    spelled = (
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+|"
        r" ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
    )
    assert Tokenizer.train(["a"], 300, spelled).pattern == "cl100k"
    assert Tokenizer.train(["a"], 300, PATTERNS["qwen2"]).pattern == "qwen2"


# ---- rank files ----


def write_ranks(path, ranks):
    path.write_bytes(b"".join(b"%s %d\n" % (base64.b64encode(t), r) for t, r in ranks.items()))
    return path


def tiktoken_of(ranks, pattern=r"[\s\S]+"):
    return tiktoken.Encoding("test", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})


@settings(max_examples=150, deadline=None)
@given(
    tokens=st.lists(st.text("abc", min_size=2, max_size=6), max_size=14, unique=True),
    early=st.lists(st.text("ab", min_size=2, max_size=5), max_size=4, unique=True),
    texts=st.lists(st.text("abc", max_size=30), max_size=12),
)
def test_ids_of_any_rank_file_are_those_of_tiktoken(tmp_path_factory, tokens, early, texts):
    # few of these tokens are made by merges of lower rank, and some come before their bytes
    order = [t.encode() for t in early] + BYTES + [t.encode() for t in tokens if t not in early]
    ranks = {token: rank for rank, token in enumerate(order)}
    path = write_ranks(tmp_path_factory.getbasetemp() / "any.tiktoken", ranks)
    ours, theirs = Tokenizer.load(path, pattern=r"[\s\S]+"), tiktoken_of(ranks)
    for text in texts:
        assert ours.encode(text) == theirs.encode_ordinary(text)
    again = path.with_name("again.tiktoken")
    ours.save(again)
    assert again.read_bytes() == path.read_bytes()


def test_a_token_made_by_overlapping_pairs_merges_the_leftmost_and_is_not_saved_as_json(tmp_path):
    ranks = {token: i for i, token in enumerate([*BYTES, b"aaa", b"aa", b"ba", b"xaa"])}
    tok = Tokenizer.load(write_ranks(tmp_path / "a.tiktoken", ranks), pattern=r"[\s\S]+")
    theirs = tiktoken_of(ranks)
    for n in range(1, 12):
        for text in ("a" * n, "x" + "a" * n, "b" + "a" * n + "y"):
            assert tok.encode(text) == theirs.encode_ordinary(text)
    with pytest.raises(FormatError, match=r"b'aaa' is made by overlapping.*save a \.tiktoken"):
        tok.save(tmp_path / "folder")


def test_a_trained_vocabulary_as_ranks_gives_tiktoken_the_same_ids(tmp_path):
    tok = Tokenizer.train(SAMPLE * 2, 400, special_tokens=["<|endoftext|>", "<|pad|>"])
    tok.save(tmp_path / "trained.tiktoken")
    lines = (tmp_path / "trained.tiktoken").read_bytes().split(b"\n")[:-1]
    ranks = {base64.b64decode(token): int(rank) for token, rank in map(bytes.split, lines)}
    theirs = tiktoken_of(ranks, PATTERNS["gpt2"])
    again = Tokenizer.load(
        tmp_path / "trained.tiktoken", pattern="gpt2", special_tokens={"<e>": 900}
    )
    assert again.end_token_id == 900
    for text in SAMPLE:
        assert theirs.encode_ordinary(text) == again.encode(text)
        assert [i + 2 for i in again.encode(text)] == tok.encode(text)


@pytest.mark.parametrize(
    ("name", "pattern", "end"),
    [
        ("gpt2", "gpt2", 50256),
        ("r50k_base", "gpt2", 50256),
        ("p50k_base", "gpt2", 50256),
        ("cl100k_base", "cl100k", 100257),
        ("o200k_base", "o200k", 199999),
    ],
)
def test_the_name_of_a_published_rank_file_says_the_rest(tmp_path, name, pattern, end):
    pairs = itertools.islice(itertools.product(range(256), repeat=2), 34_000)
    ranks = {token: rank for rank, token in enumerate([*BYTES, *map(bytes, pairs)])}
    tok = Tokenizer.load(write_ranks(tmp_path / f"{name}.tiktoken", ranks))
    assert (tok.pattern, tok.end_token_id, tok.encode("ab")) == (pattern, end, [ranks[b"ab"]])
    tok.save(tmp_path)
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert theirs.encode("ab<|endoftext|>").ids == [ranks[b"ab"], end]


def test_ids_out_of_the_order_of_merges_are_not_written_as_ranks(tmp_path):
    tok = Tokenizer.train(["abc abc ab"], 260)
    document = json.loads(json.dumps(tok._document))
    vocab = document["model"]["vocab"]
    vocab["ab"], vocab["abc"] = vocab["abc"], vocab["ab"]
    (tmp_path / "tokenizer.json").write_text(json.dumps(document))
    with pytest.raises(FormatError, match=r"not in the order of its merges; save tokenizer\.json"):
        Tokenizer.load(tmp_path).save(tmp_path / "out.tiktoken")
    assert not (tmp_path / "out.tiktoken").exists()


# ---- offsets ----


@pytest.mark.parametrize("pattern", ["gpt2", "llama3"])
def test_offsets_are_those_of_tokenizers_also_inside_a_character(tmp_path, pattern):
    tok = Tokenizer.train(SAMPLE[:2], 330, pattern)
    tok.save(tmp_path)
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))

    @settings(max_examples=150, deadline=None)
    @given(st.lists(st.one_of(TEXTS, st.sampled_from([*SAMPLE, "a<|endoftext|>é水"])), max_size=4))
    def check(texts):
        table = tok.encode_batch_with_offsets(texts, specials="encode")
        for text, row in zip(texts, table.to_pylist(), strict=True):
            expected = theirs.encode(text)
            pairs = list(zip(row["starts"], row["ends"], strict=True))
            assert (row["ids"], pairs) == (expected.ids, expected.offsets)
            assert tok.encode_with_offsets(text, specials="encode") == (row["ids"], pairs)

    check()
    assert tok.encode_batch_with_offsets(pa.array([None, "a"]))["ends"].to_pylist() == [[], [1]]


def test_offsets_that_the_text_does_not_have_are_refused(tmp_path):
    document = json.loads(json.dumps(Tokenizer.train(["a"], 300)._document))
    (tmp_path / "nfc.json").write_text(json.dumps(document | {"normalizer": {"type": "NFC"}}))
    nfc = Tokenizer.load(tmp_path / "nfc.json")
    assert nfc.encode_with_offsets("\u00e9a")[1] == [(0, 1), (0, 1), (1, 2)]
    with pytest.raises(FormatError, match="not in Unicode NFC"):
        nfc.encode_with_offsets("e\u0301a")
    document["pre_tokenizer"]["add_prefix_space"] = True
    (tmp_path / "space.json").write_text(json.dumps(document))
    with pytest.raises(FormatError, match="add_prefix_space"):
        Tokenizer.load(tmp_path / "space.json").encode_with_offsets("a")


def test_batches_of_ids_decode():
    tok = Tokenizer.train(SAMPLE, 300)
    ids = tok.encode_batch(SAMPLE)
    assert tok.decode_batch(ids) == tok.decode_batch(ids.to_pylist()) == SAMPLE
    assert tok.decode_batch([[0, *ids[0].as_py()]], skip_special_tokens=True) == SAMPLE[:1]


# ---- bytes ----


def test_bytes_are_texts_and_what_is_not_unicode_is_named_or_replaced():
    tok = Tokenizer.train(SAMPLE, 300)
    expected = tok.encode_batch(SAMPLE)
    held = [text.encode() for text in SAMPLE]
    for form in (held, pa.array(held), pa.array(held, pa.large_binary()), pl.Series(held)):
        assert tok.encode_batch(form) == expected
    assert tok.encode(held[0]) == tok.encode(SAMPLE[0])
    bad = ["é".encode() + b"\xff", b"ok"]
    for form in (bad, pa.array(bad), pa.chunked_array([bad]), pl.Series(bad)):
        with pytest.raises(ValueError, match=r"text 0: byte 0xff at byte 2 is not UTF-8; decode"):
            tok.encode_batch(form)
        assert tok.encode_batch(form, errors="replace") == tok.encode_batch(["é\ufffd", "ok"])
    hidden = pa.Array.from_buffers(pa.string(), 2, pa.array(bad).buffers())
    with pytest.raises(ValueError, match="text 0: byte 0xff at byte 2"):
        tok.count(hidden)
    assert tok.encode("\ud83d\ude00\ud800", errors="replace") == tok.encode("😀\ufffd")
    for wrong in ([1], ["a", 2.5], pa.array([1])):
        with pytest.raises(TypeError, match="expected texts"):
            tok.encode_batch(wrong)
    with pytest.raises(ValueError, match="errors = 'ignore' is not allowed: strict or replace"):
        tok.encode_batch(bad, errors="ignore")


# ---- WordPiece and Unigram ----


@pytest.fixture(scope="module", params=["wordpiece", "unigram"])
def wrapped(request, tmp_path_factory):
    tok = Tokenizer.train(SAMPLE * 3, 150, model=request.param)
    folder = tmp_path_factory.mktemp(request.param)
    tok.save(folder)
    return tok, folder


def test_other_models_train_save_load_and_encode_as_tokenizers_does(wrapped):
    tok, folder = wrapped
    theirs = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    again = Tokenizer.load(folder)
    assert repr(again) == repr(tok)
    assert again.vocab_size == theirs.get_vocab_size() <= 150
    assert again.end_token_id == 0
    ids = tok.encode_batch(SAMPLE)
    assert ids.type == Tokenizer.train(["a"], 300).encode_batch(["a"]).type
    assert again.encode_batch(SAMPLE, threads=2) == ids
    for text, one in zip(SAMPLE, ids.to_pylist(), strict=True):
        expected = theirs.encode(text, add_special_tokens=False)
        assert one == tok.encode(text) == expected.ids
        assert tok.encode_with_offsets(text) == (expected.ids, expected.offsets)
        assert tok.decode(np.array(one)) == theirs.decode(one)
    assert tok.count(SAMPLE).to_pylist() == [len(one) for one in ids.to_pylist()]
    assert tok.decode_batch(ids) == [tok.decode(one) for one in ids.to_pylist()]
    assert tok.words("a b")[0].endswith("a")


def test_other_models_treat_special_tokens_by_the_same_policies(wrapped):
    tok, _ = wrapped
    text = "mill<|endoftext|>"
    assert 0 not in tok.encode(text)
    assert tok.encode(text, specials="encode")[-1] == 0
    assert tok.decode([0], skip_special_tokens=True) == ""
    with pytest.raises(CoreError, match=r"text 1: .*<\|endoftext\|>.* at byte 4"):
        tok.encode_batch(["fine", text], specials="refuse")
    with pytest.raises(CoreError, match="token 1: no token has id 9999"):
        tok.decode([0, 9999])
    with pytest.raises(KeyError, match="no token has id 9999"):
        tok.token_bytes(9999)
    with pytest.raises(FormatError, match="has no merges"):
        _ = tok.merges
    with pytest.raises(ValueError, match="threads = 0"):
        tok.encode_batch([text], threads=0)
    with pytest.raises(FormatError, match=r"only BPE has ranks"):
        tok.save("ranks.tiktoken")


def test_shards_are_written_with_other_models(wrapped, tmp_path):
    tok, _ = wrapped
    documents = pa.table(
        {
            "id": ["a", "b", "c", "d"],
            "text": SAMPLE,
            "source": ["s"] * 4,
            "license": ["CC0-1.0"] * 4,
            "url": [None] * 4,
        }
    )
    manifest = write_shards([documents], tok, tmp_path, seq_len=16)
    assert manifest["vocab_size"] == tok.vocab_size


@pytest.mark.parametrize("model", [{"type": "Unigram"}, {"type": "WordPiece", "vocab": {"a": -1}}])
def test_a_damaged_file_of_another_model_is_refused(tmp_path, model):
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": model}))
    with pytest.raises(FormatError, match=r"tokenizer\.json: tokenizers refuses it"):
        Tokenizer.load(tmp_path)


def test_a_missing_library_is_named_with_the_extra_that_brings_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(RecipeError, match=r"pip install 'gristmill\[tokenizers\]'` brings it"):
        Tokenizer.train(["abc"], 300, model="unigram")
    Tokenizer.train(["abc"], 300)


def test_a_pattern_for_a_file_that_has_its_own_is_refused(tmp_path):
    Tokenizer.train(["a"], 300).save(tmp_path)
    with pytest.raises(RecipeError, match=r"only for \.tiktoken files"):
        Tokenizer.load(tmp_path, pattern="gpt2")
