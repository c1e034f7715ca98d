"""Tokenizers: ids, merges and words against `tokenizers`, tiktoken and `regex`; damaged files."""

import json
import subprocess
import sys

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import regex
import tiktoken
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

from gristmill.errors import CoreError, FormatError, RecipeError
from gristmill.tokenizer import PATTERNS, Tokenizer

PUBLISHED = PATTERNS | {
    # as tiktoken 0.14 has it
    "cl100k": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+|"
    r" ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
}
TIKTOKEN_GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"

SAMPLE = [
    "The mill grinds slowly, but it grinds exceedingly fine. It's 1,234 sacks a year!\n",
    "def grind(corn: str, *, times=3) -> list[str]:\n    return [corn.lower()] * times\n\n",
    "\tWASSERMÜHLE an der Straße: geöffnet 09:00\u2009–\u200917:30 Uhr.\r\n  Eintritt 3 €.\r\n",
    "Мельница мелет муку; 水車が回る。방앗간 🙂👩🏽‍🌾 naïve façade e\u0301te\u0301",
    "I'LL say we'Ve THEY'RE don'T ſo'ſ HTTPServer XMLHttp2 ǅungla ʰa नमस्ते १२३४ Ⅷ ½",
    "   \n\n  leading\u00a0and trailing   \n \t ",
    "a/b//c/\n/usr/lib\n\n\n---===***... 'quoted' \"double\" <|endoftext|> ",
    "$%&\x00\x1c\x85\u2028end\n  ",
]

# what the patterns tell apart, with some of all that every Unicode version since 14 agrees about
# (U+0295 became another kind of letter in 16)
HARD = (
    "aAbzZsStTlLvVeErRdDmM'  \t\n\r/.,-_0129\x0b\x1c\x85\xa0\u2003\u3000"
    "ſKéÉßǅʰªあ한Ⅷ½²٣\u0301\u0308"
)
CHARACTERS = st.one_of(
    st.sampled_from(HARD), st.characters(exclude_categories=("Cs", "Cn"), exclude_characters="ʕ")
)
TEXTS = st.lists(
    st.one_of(CHARACTERS, st.sampled_from(["'ll", "'S", "'ſ", "\r\n", "ABC", "abc", "  "])),
    max_size=30,
).map("".join)


@pytest.fixture(scope="module", params=sorted(PATTERNS))
def trained(request, tmp_path_factory):
    """A tokenizer of each pattern, and the same file in `tokenizers`."""
    tok = Tokenizer.train(SAMPLE * 2, 420, request.param)
    folder = tmp_path_factory.mktemp(request.param)
    tok.save(folder)
    theirs = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    theirs.encode_special_tokens = True
    return tok, theirs


def test_words_are_the_matches_of_the_published_expression(trained):
    tok, _ = trained
    expression = regex.compile(PUBLISHED[tok.pattern])

    @settings(max_examples=400, deadline=None)
    @given(TEXTS)
    def check(text):
        # Python's `$` also stands before a last line break, tiktoken's does not
        words = regex.compile(expression.pattern.replace("$", r"\Z")).findall(text)
        assert tok.words(text) == words

    check()


def test_ids_are_those_of_tokenizers_and_tiktoken_and_decode_to_the_text(trained):
    tok, theirs = trained
    ranks = {tok.token_bytes(i): i - 1 for i in range(1, tok.vocab_size)}
    pattern = TIKTOKEN_GPT2 if tok.pattern == "gpt2" else PUBLISHED[tok.pattern]
    tik = tiktoken.Encoding(tok.pattern, pat_str=pattern, mergeable_ranks=ranks, special_tokens={})

    @settings(max_examples=300, deadline=None)
    @given(st.one_of(TEXTS, st.text(), st.lists(st.sampled_from(SAMPLE), max_size=3).map("".join)))
    def check(text):
        ids = tok.encode(text)
        assert ids == theirs.encode(text).ids
        assert [i - 1 for i in ids] == tik.encode_ordinary(text)
        assert tok.decode(ids) == text

    check()


def test_threads_and_the_way_texts_are_held_do_not_change_the_ids():
    tok = Tokenizer.train(SAMPLE, 400)
    texts = SAMPLE * 500
    ids = tok.encode_batch(texts)
    assert ids.type == pa.list_(pa.field("item", pa.uint32(), nullable=False))
    assert ids.to_pylist() == [tok.encode(text) for text in SAMPLE] * 500
    assert tok.encode_batch(texts, threads=2) == ids
    for held in (
        pa.array(texts, pa.large_string()),
        pa.chunked_array([texts[:9], texts[9:]]),
        pl.Series(texts),
    ):
        assert tok.encode_batch(held, threads=2) == ids
    assert tok.count(texts, threads=2).to_pylist() == [len(one) for one in ids.to_pylist()]
    assert tok.encode_batch([]).to_pylist() == []
    assert tok.encode_batch(pa.array(["a", None, ""]))[1].as_py() == []


def test_a_special_token_spelled_out_is_text_unless_asked_for():
    tok = Tokenizer.train(SAMPLE, 300, special_tokens=["<|endoftext|>", "<|end|>", "<|end"])
    text = "a<|end|>b<|end"
    assert tok.special_tokens == {"<|endoftext|>": 0, "<|end|>": 1, "<|end": 2}
    assert not {0, 1, 2} & set(tok.encode(text))
    ids = tok.encode(text, specials="encode")
    assert [i for i in ids if i < 3] == [1, 2]
    assert tok.decode(ids) == text
    assert tok.decode(ids, skip_special_tokens=True) == "ab"
    with pytest.raises(CoreError, match=r"text 1: .*'?<\|end\|>.* at byte 1"):
        tok.encode_batch(["fine", text], specials="refuse")
    with pytest.raises(ValueError, match='specials = "never" is not allowed: text, encode or'):
        tok.encode(text, specials="never")


def test_ids_of_every_container_decode():
    tok = Tokenizer.train(SAMPLE, 300)
    ids = tok.encode(SAMPLE[3])
    for held in (ids, tuple(ids), pa.array(ids), np.array(ids, np.uint16), iter(ids)):
        assert tok.decode(held) == SAMPLE[3]
    assert tok.decode(tok.encode("é")[:1]) in ("\ufffd", "é")
    assert tok.decode_bytes(tok.encode("é")) == "é".encode()
    with pytest.raises(CoreError, match="token 1: no token has id 300; there are 300 ids"):
        tok.decode([0, 300])


def test_what_exporters_need_is_there():
    tok = Tokenizer.train(["abab abab"], 258)
    assert tok.merges == [(b"a", b"b")]
    assert tok.token_bytes(257) == b"ab"
    assert sorted(tok.token_bytes(i) for i in range(1, 257)) == [bytes([b]) for b in range(256)]
    assert tok.end_token_id == 0
    assert tok.pattern == "gpt2"
    with pytest.raises(KeyError, match="no token has id 258"):
        tok.token_bytes(258)


def test_a_saved_tokenizer_loads_the_same_and_saves_the_same_bytes(tmp_path, trained):
    tok, _ = trained
    tok.save(tmp_path / "a")
    again = Tokenizer.load(tmp_path / "a")
    again.save(tmp_path / "b")
    again.save(tmp_path / "alone.json")
    written = (tmp_path / "a" / "tokenizer.json").read_bytes()
    assert (tmp_path / "b" / "tokenizer.json").read_bytes() == written
    assert (tmp_path / "alone.json").read_bytes() == written
    assert Tokenizer.load(tmp_path / "alone.json").encode_batch(SAMPLE) == tok.encode_batch(SAMPLE)
    assert again.end_token_id == tok.end_token_id
    assert repr(again) == f"Tokenizer(vocab_size=420, pattern={tok.pattern!r})"


@pytest.mark.parametrize("model_type", [None, "llama", "gpt2", "t5"])
def test_transformers_opens_the_folder_offline_with_the_same_ids(tmp_path, model_type, monkeypatch):
    tok = Tokenizer.train(SAMPLE, 400, "llama3" if model_type == "llama" else "gpt2")
    tok.save(tmp_path)
    if model_type:
        (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from transformers import AutoTokenizer

    theirs = AutoTokenizer.from_pretrained(tmp_path)
    assert theirs.eos_token_id == theirs.bos_token_id == tok.end_token_id == 0
    assert set(theirs("a")) == {"input_ids", "attention_mask"}
    assert len(theirs) == tok.vocab_size
    for text in SAMPLE:
        assert theirs(text, split_special_tokens=True)["input_ids"] == tok.encode(text)
        assert theirs(text)["input_ids"] == tok.encode(text, specials="encode")
        assert theirs.decode(tok.encode(text)) == text


def foreign(pre_tokenizer, normalizer=None, ignore_merges=False, add=(), first=256):
    """A tokenizer that `tokenizers` makes, with specials at the end as the big models have them."""
    made = tokenizers.Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizer
    made.decoder = decoders.ByteLevel()
    if normalizer:
        made.normalizer = normalizer
    trainer = trainers.BpeTrainer(
        vocab_size=first + 120,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(SAMPLE, trainer)
    made.add_special_tokens(["<|begin|>", "<|end_of_text|>"])
    made.add_tokens(list(add))
    document = json.loads(made.to_str())
    document["model"]["ignore_merges"] = ignore_merges
    if ignore_merges:  # tokens that only the whole word reaches
        document["model"]["merges"] = document["model"]["merges"][:-40]
    return document


def split(pattern, behavior="isolated", invert=False):
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(tokenizers.Regex(pattern), behavior, invert),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


FOREIGN = {
    "gpt2": lambda: foreign(pre_tokenizers.ByteLevel(add_prefix_space=False)),
    "gpt2_prefix_space": lambda: foreign(pre_tokenizers.ByteLevel(add_prefix_space=True)),
    "gpt2_split": lambda: foreign(split(PATTERNS["gpt2"], "removed", invert=True)),
    "llama3": lambda: foreign(split(PATTERNS["llama3"]), ignore_merges=True),
    "qwen2": lambda: foreign(
        split(PATTERNS["qwen2"]), normalizers.NFC(), add=["<tool_call>", "<tool"]
    ),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_files_load_and_give_their_own_ids(tmp_path, kind):
    document = FOREIGN[kind]()
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(document))
    theirs = tokenizers.Tokenizer.from_file(str(path))
    ours = Tokenizer.load(path)
    assert ours.end_token_id == theirs.token_to_id("<|end_of_text|>")

    @settings(max_examples=150, deadline=None)
    @given(
        st.one_of(TEXTS, st.lists(st.sampled_from([*SAMPLE, "<tool_call>", "<tool"])).map("".join))
    )
    def check(text):
        assert ours.encode(text, specials="encode") == theirs.encode(text).ids
        assert ours.encode_batch([text])[0].as_py() == ours.encode(text)

    check()
    assert ours.count(["e\u0301 <tool_call>"]).to_pylist() == [
        len(ours.encode("e\u0301 <tool_call>"))
    ]


def test_the_configuration_beside_the_file_names_the_end_token(tmp_path):
    tok = Tokenizer.train(SAMPLE, 300, special_tokens=["<s>", "</s>", "<end>"])
    assert tok.end_token_id == 1
    tok.save(tmp_path)
    config = {"eos_token": {"content": "<end>", "lstrip": False}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    assert Tokenizer.load(tmp_path).end_token_id == 2
    bare = Tokenizer.train(SAMPLE, 300, special_tokens=[])
    with pytest.raises(FormatError, match="no end token; name one as eos_token"):
        _ = bare.end_token_id


def damaged(change):
    """A good document after `change`."""
    document = json.loads(json.dumps(Tokenizer.train(["abab abc"], 259)._document))
    change(document)
    return document


DAMAGE = {
    "missing merge part": (lambda d: d["model"]["vocab"].pop("ab"), r"merge 0 \('a b'\).*'ab'"),
    "merge of nothing": (lambda d: d["model"]["merges"].insert(0, ["a", ""]), "merge 0 .*''"),
    "merge into itself": (
        lambda d: (d["model"]["vocab"].update({"": 259}), d["model"]["merges"].append(["a", ""])),
        "merge 2 joins",
    ),
    "merge of three": (lambda d: d["model"]["merges"].append("a b c"), "not a pair of tokens"),
    "merge of numbers": (lambda d: d["model"]["merges"].append([1, 2]), "merge 2"),
    "no byte": (lambda d: d["model"]["vocab"].pop("Z"), "byte 0x5a has no token"),
    "huge id": (
        lambda d: d["model"]["vocab"].update(Z=2**31),
        "the largest token id is 2147483648",
    ),
    "no id": (lambda d: d["model"]["vocab"].update(Z=-1), "token id -1 is not a number"),
    "id twice": (lambda d: d["model"]["vocab"].update(Z=7), "token id 7 is given twice"),
    "other model": (lambda d: d["model"].update(type="WordLevel"), "'WordLevel' is not supported"),
    "no model": (lambda d: d.pop("model"), "'model' is missing"),
    "no merges": (lambda d: d["model"].pop("merges"), "'merges' is missing"),
    "byte fallback": (lambda d: d["model"].update(byte_fallback=True), "byte_fallback = True"),
    "normalizer": (lambda d: d.update(normalizer={"type": "Lowercase"}), "'Lowercase'"),
    "no pre-tokenizer": (lambda d: d.update(pre_tokenizer=None), "pre-tokenizer .* is unknown"),
    "other pre-tokenizer": (
        lambda d: d.update(pre_tokenizer={"type": "Metaspace"}),
        "'Metaspace'.* is unknown",
    ),
    "other pattern": (
        lambda d: d.update(pre_tokenizer=json.loads(split(r"\w+").__getstate__())),
        r'pattern = "\\\\w" is not allowed: .*write \[',
    ),
    "added token's id": (lambda d: d["added_tokens"][0].update(id=9), "vocabulary says 0"),
    "empty added token": (lambda d: d["added_tokens"].append({"id": 300, "content": ""}), "needs"),
    "added token that strips": (
        lambda d: d["added_tokens"].append({"id": 259, "content": "<m>", "lstrip": True}),
        "'<m>' has lstrip",
    ),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_file_is_refused_by_name_and_fault(tmp_path, kind):
    change, fault = DAMAGE[kind]
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(damaged(change)))
    with pytest.raises(FormatError, match=fault) as error:
        Tokenizer.load(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    "content", [b"", b'{"model": {"vocab"', b"[]", b"\xff\xfe", b"[" * 100_000]
)
def test_a_truncated_file_is_refused(tmp_path, content):
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"tokenizer\.json: "):
        Tokenizer.load(tmp_path)


def test_a_missing_file_is_wrong_use(tmp_path):
    with pytest.raises(RecipeError, match="there is no tokenizer at"):
        Tokenizer.load(tmp_path)


def test_a_single_string_or_a_lone_surrogate_is_refused():
    with pytest.raises(TypeError, match="put it in a list"):
        Tokenizer.train("abc", 300)
    with pytest.raises(TypeError, match="single string"):
        Tokenizer.train(["abc"], 300, special_tokens="<a>")
    tok = Tokenizer.train(["abc"], 300)
    with pytest.raises(ValueError, match=r"text 1: lone surrogate U\+D800 at byte 2 is not"):
        tok.encode_batch(["", "é\ud800"])
    with pytest.raises(ValueError, match=r"lone surrogate U\+D800 at byte 0 is not Unicode"):
        tok.encode("\ud800")


def test_importing_the_tokenizer_imports_no_model_library():
    code = "import sys, gristmill.tokenizer; print({'torch', 'transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
