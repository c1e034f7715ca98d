"""Training: merges against `tokenizers`' trainer, sampling, extension, and what is refused."""

import json
import tempfile

import pyarrow as pa
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

from gristmill.build import prepare
from gristmill.cli.app import app, run
from gristmill.errors import RecipeError
from gristmill.tokenizer import PATTERNS, Tokenizer

SAMPLE = [
    "The mill grinds slowly, but it grinds exceedingly fine. It's 1,234 sacks a year!\n",
    "def grind(corn: str, *, times=3) -> list[str]:\n    return [corn.lower()] * times\n\n",
    "\tWASSERMÜHLE an der Straße: geöffnet 09:00\u2009–\u200917:30 Uhr.\r\n  Eintritt 3 €.\r\n",
    "Мельница мелет муку; 水車が回る。방앗간 🙂👩🏽‍🌾 naïve façade e\u0301te\u0301",
    "I'LL say we'Ve THEY're don'T ſo'ſ HTTPServer XMLHttp2 ǅungla ʰa नमस्ते १२३४ Ⅷ ½",
]


@pytest.mark.parametrize("pattern", sorted(PATTERNS))
def test_merges_are_those_of_the_reference_trainer(pattern, tmp_path):
    Tokenizer.train(SAMPLE * 2, 420, pattern).save(tmp_path)
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    reference = tokenizers.Tokenizer(models.BPE())
    reference.pre_tokenizer = theirs.pre_tokenizer
    reference.train_from_iterator(
        SAMPLE * 2,
        trainers.BpeTrainer(
            vocab_size=420,
            special_tokens=["<|endoftext|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    assert reference.get_vocab() == theirs.get_vocab()
    assert json.loads(reference.to_str())["model"]["merges"] == [
        list(merge) for merge in json.loads(theirs.to_str())["model"]["merges"]
    ]


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(st.text("abc é|<>-", max_size=60), max_size=8),
    vocab_size=st.integers(257, 300),
    min_frequency=st.integers(1, 4),
    longest=st.one_of(st.none(), st.integers(2, 9)),
)
def test_merges_equal_the_reference_trainer_under_every_option(
    texts, vocab_size, min_frequency, longest
):
    ours = Tokenizer.train(texts, vocab_size, min_frequency=min_frequency, max_token_bytes=longest)
    reference = tokenizers.Tokenizer(models.BPE())
    reference.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    limit = {} if longest is None else {"max_token_length": longest + 1}
    reference.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocab_size,
            min_frequency=min_frequency,
            special_tokens=["<|endoftext|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
            **limit,
        ),
    )
    with tempfile.TemporaryDirectory() as folder:
        ours.save(folder)
        written = tokenizers.Tokenizer.from_file(f"{folder}/tokenizer.json")
    assert json.loads(written.to_str())["model"] == json.loads(reference.to_str())["model"]


def test_a_special_token_is_never_merged_unlike_in_the_reference_trainer():
    texts, specials = ["ab ab ab abc"], ["ab"]
    ours = Tokenizer.train(texts, 262, special_tokens=specials)
    reference = tokenizers.Tokenizer(models.BPE())
    reference.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=262,
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    reference.train_from_iterator(texts, trainer)
    assert ["a", "b"] in json.loads(reference.to_str())["model"]["merges"]
    assert (b"a", b"b") not in ours.merges
    assert 0 not in ours.encode("ab ab", specials="text")
    assert reference.get_vocab()["ab"] == 0


def test_threads_portions_and_order_do_not_change_the_vocabulary():
    texts = [f"{text} {i}" for i in range(300) for text in SAMPLE]
    one = Tokenizer.train(texts, 600)
    assert one.vocab_size == 600
    assert Tokenizer.train(texts, 600, threads=2).merges == one.merges
    batches = [pa.array(texts[1000:]), texts[:1000]]
    assert Tokenizer.train_batches(batches, 600, threads=3).merges == one.merges


def test_a_sample_is_the_same_in_any_order_and_portions_and_fits_the_budget():
    texts = [f"{text} {i}" for i in range(300) for text in SAMPLE]
    size = sum(len(text.encode()) for text in texts)
    budget = size // 3
    one = Tokenizer.train(texts, 400, sample_bytes=budget)
    assert one.merges != Tokenizer.train(texts, 400).merges
    batches = [pa.array(texts[1000:]), [], texts[:1000][::-1]]
    again = Tokenizer.train_batches(batches, 400, threads=3, sample_bytes=budget)
    assert again.merges == one.merges
    assert (
        Tokenizer.train(texts, 400, sample_bytes=size).merges == Tokenizer.train(texts, 400).merges
    )


def a_qwen_like_tokenizer():
    """Made by `tokenizers`: NFC, special tokens at the end, a token that is matched but not special."""
    made = tokenizers.Tokenizer(models.BPE())
    made.normalizer = normalizers.NFC()
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(tokenizers.Regex(PATTERNS["qwen2"]), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(SAMPLE, trainer)
    made.add_special_tokens(["<|im_end|>"])
    made.add_tokens(["<tool>"])
    return made


def test_an_extended_vocabulary_keeps_its_ids_and_opens_in_tokenizers(tmp_path):
    path = tmp_path / "base.json"
    a_qwen_like_tokenizer().save(str(path))
    base = Tokenizer.load(path)
    texts = [*SAMPLE, "the mill stone, the mill wheel<tool>the mill pond <|new|> e\u0301te\u0301"]
    ours = Tokenizer.train(texts * 2, 340, special_tokens=["<|new|>"], extend=path)
    assert ours.vocab_size == 340
    assert ours.pattern == "qwen2"
    assert ours.normalizes
    assert ours.end_token_id == base.end_token_id == 300
    assert ours.special_tokens == {"<|im_end|>": 300, "<|new|>": 302}
    assert [ours.token_bytes(i) for i in range(302)] == [base.token_bytes(i) for i in range(302)]
    assert ours.merges[: len(base.merges)] == base.merges
    assert len(ours.merges) >= len(base.merges) + 37
    ours.save(tmp_path / "extended")
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "extended" / "tokenizer.json"))
    for text in texts:
        assert theirs.encode(text).ids == ours.encode(text, specials="encode")
    assert sum(map(len, map(ours.encode, texts))) < sum(map(len, map(base.encode, texts)))
    assert Tokenizer.train(texts * 2, 340, "qwen2", ["<|new|>"], extend=base).merges == ours.merges


def test_extending_our_own_goes_on_where_training_stopped():
    base = Tokenizer.train(SAMPLE, 300)
    whole = Tokenizer.train(SAMPLE, 350)
    extended = Tokenizer.train(SAMPLE, 350, extend=base)
    assert extended.merges == whole.merges
    assert extended.special_tokens == whole.special_tokens
    assert base.vocab_size == 300


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"vocab_size": 299}, "vocab_size = 299 for a vocabulary of 300 ids is not allowed"),
        ({"vocab_size": 300, "special_tokens": ["<a>"]}, "300 for a vocabulary of 300 ids"),
        ({"vocab_size": 350, "pattern": "o200k"}, "the vocabulary to extend cuts words by 'gpt2'"),
        ({"vocab_size": 350, "special_tokens": ["th"]}, "no ordinary ones of the vocabulary"),
    ],
)
def test_a_vocabulary_that_cannot_be_extended_so_is_refused(options, fault):
    base = Tokenizer.train(["the then this"] * 3 + SAMPLE, 300)
    assert (b"t", b"h") in base.merges
    with pytest.raises(ValueError, match=fault):
        Tokenizer.train(SAMPLE, **options, extend=base)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (
            {"vocab_size": 256},
            "vocab_size = 256 is not allowed: at least 256 bytes and the special",
        ),
        ({"vocab_size": 300, "special_tokens": ["<a>", "<a>"]}, "each of them once"),
        ({"vocab_size": 300, "special_tokens": [""]}, "two bytes or more"),
        ({"vocab_size": 300, "pattern": "gpt5"}, "gpt2, cl100k, o200k, llama3 or qwen2"),
        ({"vocab_size": 300, "threads": 0}, "threads = 0"),
        ({"vocab_size": 300, "min_frequency": 0}, "min_frequency = 0 is not allowed: at least 1"),
        ({"vocab_size": 300, "max_token_bytes": 0}, "max_token_bytes = 0"),
        ({"vocab_size": 300, "sample_bytes": -1}, "sample_bytes = -1"),
        ({"vocab_size": 300, "sample_bytes": 2}, "sample_bytes = 2 .* enough for some of the docu"),
    ],
)
def test_training_refuses_impossible_options(options, fault):
    with pytest.raises(ValueError, match=fault):
        Tokenizer.train(["abc"], **options)


def test_too_little_text_gives_a_smaller_vocabulary():
    assert Tokenizer.train(["ab"], 1000).vocab_size == 258
    assert Tokenizer.train([], 1000).vocab_size == 257


def test_many_short_texts_and_a_long_word_train():
    assert Tokenizer.train(pa.array(["a", "b"] * 200_000), 300).vocab_size == 257
    assert Tokenizer.train(["ab" * 500_000], 270).vocab_size == 270


def test_the_command_line_samples_and_extends(tmp_path, capsys):
    (tmp_path / "docs.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in SAMPLE))
    base = Tokenizer.train(SAMPLE, 300, "llama3")
    base.save(tmp_path / "base")

    def call(*arguments):
        words = ["tokenizer", "train", str(tmp_path / "docs.jsonl"), "--out", str(tmp_path / "out")]
        code = run(lambda: app([*words, *arguments], standalone_mode=False))
        return code, " ".join(capsys.readouterr().err.split())

    extend = ("--extend", str(tmp_path / "base"))
    options = ("--special", "<|new|>", "--max-token-bytes", "4", "--sample-bytes", "1MB")
    assert call("--vocab-size", "340", *extend, *options)[0] == 0
    made = Tokenizer.load(tmp_path / "out")
    assert made.pattern == "llama3"
    assert set(made.special_tokens) == {"<|endoftext|>", "<|new|>"}
    assert max(len(made.token_bytes(i)) for i in range(301, made.vocab_size)) <= 4
    code, said = call("--vocab-size", "290", *extend)
    assert code == 2
    assert "290 for a vocabulary of 300 ids" in said
    code, said = call("--vocab-size", "340", "--sample-bytes", "much")
    assert code == 2
    assert "'much' is not a size" in said


def test_a_recipe_refuses_what_cannot_be_trained_before_any_work(tmp_path):
    (tmp_path / "docs.jsonl").write_text('{"text": "the mill"}\n')
    Tokenizer.train(SAMPLE, 300).save(tmp_path / "base")
    base = str(tmp_path / "base" / "tokenizer.json")

    def prepared(**options):
        source = {"name": "docs", "path": str(tmp_path / "docs.jsonl")}
        recipe = {"name": "r", "sources": [source], "tokenizer": options}
        return prepare(recipe, tmp_path / "out")

    assert prepared(vocab_size=320, extend=base, sample_bytes="1MB", special_tokens=["<a>"])
    for options, fault in (
        ({"vocab_size": 299, "extend": base}, "tokenizer: vocab_size = 299 for a vocabulary of"),
        ({"extend": base, "pattern": "o200k"}, "cuts words by 'gpt2'"),
        ({"extend": str(tmp_path / "none.json")}, "none.json: no such file"),
        ({"special_tokens": ["<a>", "<a>"]}, "each of them once"),
        ({"load": base, "sample_bytes": 9}, "sample_bytes has no effect on a tokenizer to load"),
    ):
        with pytest.raises(RecipeError, match=fault):
            prepared(**options)
    assert not (tmp_path / "out").exists()
