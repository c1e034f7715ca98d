"""Files that are no fastText models, or say more than they hold; texts made to take long."""

import itertools
import random
import resource
import struct
import time

import fasttext
import pytest

from gristmill.errors import FormatError
from gristmill.filters.fasttext import FastText

SUPERVISED, SOFTMAX = 3, 3


def head(
    dim=4, word_ngrams=1, loss=SOFTMAX, model=SUPERVISED, bucket=0, minn=0, maxn=0, version=12
):
    args = (dim, 5, 5, 1, 5, word_ngrams, loss, model, bucket, minn, maxn, 100)
    return struct.pack("<ii12id", 793712314, version, *args, 1e-4)


def dictionary(words=(b"</s>",), labels=(b"__label__a", b"__label__b"), pruned=-1, counts=None):
    entries = [(word, 0) for word in words] + [(label, 1) for label in labels]
    counts = counts or (len(entries), len(words), len(labels))
    body = b"".join(word + b"\0" + struct.pack("<qb", 3, kind) for word, kind in entries)
    return struct.pack("<iiiqq", *counts, 9, pruned) + body


def dense(rows, columns=4, value=0.5):
    return struct.pack("<qq", rows, columns) + struct.pack("<f", value) * (rows * columns)


def load(tmp_path, data: bytes) -> FastText:
    path = tmp_path / "model.bin"
    path.write_bytes(data)
    return FastText.load(path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A small quantised, pruned model of subwords, as bytes."""
    folder = tmp_path_factory.mktemp("trained")
    choose = random.Random(1)
    words = ["".join(choose.choices("abcdef", k=6)) for _ in range(300)]
    lines = [f"__label__{n % 2} {' '.join(choose.choices(words, k=8))}\n" for n in range(300)]
    (folder / "lines").write_text("".join(lines))
    model = fasttext.train_supervised(
        str(folder / "lines"), dim=4, minn=2, maxn=3, wordNgrams=2, bucket=400, thread=1, verbose=0
    )
    model.quantize(cutoff=400, qnorm=True)
    model.save_model(str(folder / "model.ftz"))
    return (folder / "model.ftz").read_bytes()


def test_a_file_made_by_hand_is_read(tmp_path):
    data = head() + dictionary() + b"\0" + dense(1) + b"\0" + dense(2)
    assert load(tmp_path, data).predict(["x"]).to_pylist()[0]["score"] == pytest.approx(0.50001)


def test_every_cut_is_told_by_its_byte(tmp_path, trained):
    cuts = [*range(200), *range(200, len(trained), 97), len(trained) - 1]
    for cut in cuts:
        with pytest.raises(FormatError, match=f"truncated at byte {cut}: .*download"):
            load(tmp_path, trained[:cut])


def test_changed_bytes_give_an_error_or_a_model_that_answers(tmp_path, trained):
    choose = random.Random(5)
    n_refused = 0
    for _ in range(400):
        data = bytearray(trained)
        for _ in range(choose.choice([1, 1, 4])):
            within = choose.choice([120, 8000, len(data)])
            data[choose.randrange(min(within, len(data)))] = choose.choice([0, 255, 127, 128, 1])
        try:
            model = load(tmp_path, bytes(data))
        except FormatError:
            n_refused += 1
            continue
        assert len(model.predict(["abc def", "", "xyz " * 50, "ü漢"])) == 4
    assert n_refused > 20


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "truncated at byte 0"),
        (b"PK\3\4 a zip file, not a model", "not a fastText model"),
        (head(version=99), "version 99"),
        (head(model=1), "unsupervised model"),
        (head(dim=0), "dim = 0"),
        (head(dim=-4), "dim = -4"),
        (head(word_ngrams=10**9) + dictionary(), "wordNgrams = 1000000000"),
        (head(maxn=10**9, bucket=5) + dictionary(), "maxn = 1000000000"),
        (head(maxn=3) + dictionary(), "bucket = 0"),
        (head() + dictionary(counts=(2**31 - 1, 2**31 - 3, 2)), "2147483645 words come first"),
        (head() + dictionary(counts=(-5, 1, 2)), "-5"),
        (head() + dictionary(counts=(7, 1, 2)), "7 entries for 1 words and 2 labels"),
        (head() + dictionary(labels=()), "0 labels"),
        (head() + dictionary(labels=(b"__label__\xff", b"__label__b")), "not UTF-8"),
        (head() + dictionary(pruned=2**60), "truncated"),
        (head() + dictionary() + b"\7", "is 7"),
        (head() + dictionary() + b"\0" + struct.pack("<qq", 2**40, 4), "truncated"),
        (head() + dictionary() + b"\0" + struct.pack("<qq", 2**62, 4), "truncated"),
        (head() + dictionary() + b"\0" + struct.pack("<qq", -1, 4), "-1 x 4"),
        (head() + dictionary() + b"\0" + struct.pack("<qq", 1, 5), "1 x 5"),
        (head() + dictionary() + b"\0" + dense(0) + b"\0" + dense(2), "has 0 rows of 1"),
        (head() + dictionary() + b"\0" + dense(1) + b"\0" + dense(3), "3 output rows for 2 labels"),
        (head(loss=9) + dictionary() + b"\0" + dense(1) + b"\0" + dense(2), "loss 9"),
        (
            head(bucket=2**31 - 1, word_ngrams=2) + dictionary() + b"\0" + dense(1) + b"\0" + dense(2),
            "has 1 rows of 2147483648",
        ),
        (head(bucket=2**31 - 1, word_ngrams=2) + dictionary(pruned=0), "buckets would need"),
        (
            head() + dictionary() + b"\0" + dense(1, value=float("nan")) + b"\0" + dense(2),
            "NaN or an infinite number",
        ),
    ],
)  # fmt: skip
def test_files_that_contradict_themselves_are_refused(tmp_path, data, said):
    started = time.perf_counter()
    with pytest.raises(FormatError, match=said):
        load(tmp_path, data)
    assert time.perf_counter() - started < 2


PAIRS = """
    prquvcex liokioxu arlsskbv musaxgeb vergdycw zgzqmdyg loxywrer hclrbert icqrwgln webobbbb
    muqeaypw wbstoqal gifjnlmm pgmotedv tmphglby xofdzqyn xpggdztl wgftffhd hgxehiwj bzwtvbpq
""".split()
"""Two by two, words that take the hash from one state to one other: found by trying."""


def test_words_made_to_share_a_hash_are_refused_in_time(tmp_path):
    words = [
        "".join(choice).encode()
        for choice in itertools.product(*zip(PAIRS[::2], PAIRS[1::2], strict=True))
    ]
    data = head() + dictionary(words) + b"\0" + dense(len(words)) + b"\0" + dense(2)
    with pytest.raises(FormatError, match="share one hash"):
        load(tmp_path, data)


def test_words_of_50_mb_and_texts_without_words_take_bounded_time_and_memory(tmp_path, trained):
    model = load(tmp_path, trained)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    long = ["a" * 50_000_000, "漢" * 10_000_000, " " * 50_000_000, "\u202e</s" * 2_000_000]
    for text in long:
        assert len(model.predict([text])) == 1
    assert time.process_time() - started < 20
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert (after - before) / 1024 < 900
