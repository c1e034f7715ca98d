"""The demo on less text and with fewer steps: every part is real, and each is held against another program."""

import json

import numpy as np
import polars as pl
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from gristmill.cards import measure
from gristmill.corpus import Corpus
from gristmill.demo import PROMPTS, run_demo
from gristmill.shards.stream import ShardStream
from gristmill.verify import verify_corpus, verify_model

LESS_TEXT = [
    "sources.0.limit_bytes=600KB",
    "sources.1.limit_bytes=600KB",
    "sources.2.limit_bytes=2MB",
    "sources.3.limit_bytes=2MB",
    "tokenizer.vocab_size=2048",
    "pack.seq_len=128",
    "pack.validation=0.02",
    "limits.max_bad_fraction=0.05",
]
FEWER_STEPS = [
    "model={family: llama, hidden_size: 64, layers: 2, heads: 4}",
    "batch={rows: 8, micro_rows: 4}",
    "schedule={kind: cosine, warmup_steps: 5, steps: 200}",
    "optimizer.lr=5.0e-3",
]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    return out, run_demo(out, 2, build_settings=LESS_TEXT, train_settings=FEWER_STEPS)


def test_all_four_results_are_there(demo):
    out, summary = demo
    assert json.loads((out / "summary.json").read_bytes()) == json.loads(json.dumps(summary))
    for path in ("corpus/card/datasheet.html", "run/model/model.safetensors"):
        assert (out / path).stat().st_size > 1000
    assert set(summary["export"]["files"]) == {"gguf:f16", "gguf:q8_0"}


def test_the_installed_packages_keep_their_licenses(demo):
    out, _ = demo
    documents = Corpus.open(out / "corpus").documents().collect()
    licenses = dict(documents.group_by("source").agg(pl.col("license")).iter_rows())
    assert "MIT" in licenses["descriptions"]
    assert set(licenses["stdlib"]) == {"PSF-2.0"} or "Python-2.0" in set(licenses["stdlib"])


def test_corpus_and_model_verify(demo):
    out, _ = demo
    assert verify_corpus(out / "corpus", deep=True) == []
    assert verify_model(out / "run" / "model") == []
    assert measure(out / "corpus") == Corpus.open(out / "corpus").card()


def test_training_helps_and_transformers_alone_measures_the_same(demo):
    out, summary = demo
    before, after = summary["evaluate"]["before"], summary["evaluate"]["after"]
    assert after["perplexity"] < before["perplexity"] / 3
    model = AutoModelForCausalLM.from_pretrained(out / "run" / "model", dtype=torch.float32)
    nats, n_tokens = 0.0, 0
    stream = ShardStream(out / "corpus/shards/validation", batch_size=8, shuffle=False)
    for batch in stream:
        labels = torch.as_tensor(np.asarray(batch["labels"]))
        with torch.no_grad():
            logits = model(input_ids=torch.as_tensor(np.asarray(batch["input_ids"]))).logits
        losses = torch.nn.functional.cross_entropy(
            logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), reduction="sum"
        )
        nats += losses.item()
        n_tokens += int((labels[:, 1:] != -100).sum())
    assert n_tokens == after["tokens"]
    assert np.exp(nats / n_tokens) == pytest.approx(after["perplexity"], rel=1e-3)


def test_llamacpp_reads_the_same_tokens_and_writes_the_same_ones(demo):
    _, summary = demo
    parity, greedy = summary["generate"]["tokenizer"], summary["generate"]["greedy"]
    assert (parity["strings"], parity["differences"]) == (1000, 0)
    assert greedy["prompts"] == 20
    assert greedy["agreement"] >= 0.95


def test_transformers_opens_the_tokenizer_with_our_ids(demo):
    out, _ = demo
    theirs = AutoTokenizer.from_pretrained(out / "run" / "model")
    ours = Corpus.open(out / "corpus").tokenizer()
    for prompt in PROMPTS:
        assert theirs(prompt)["input_ids"] == ours.encode(prompt)


def test_quoted_sentences_are_traced_to_the_documents_they_come_from(demo):
    out, summary = demo
    documents = Corpus.open(out / "corpus").documents().collect()
    texts = dict(zip(documents["id"], documents["text"], strict=True))
    assert len(summary["trace"]["quoted"]) == 3
    for one in summary["trace"]["quoted"]:
        best = one["spans"][0]
        assert best["end"] - best["start"] == len(one["text"])
        for document in best["documents"]:
            assert best["text"] in texts[document["id"]]
            assert document["license"]


def test_the_server_answered(demo):
    _, summary = demo
    assert summary["serve"]["text"]


def test_the_same_command_again_makes_nothing_anew(demo):
    out, summary = demo
    weights = (out / "run/model/model.safetensors").stat().st_mtime_ns
    again = run_demo(out, 2, build_settings=LESS_TEXT, train_settings=FEWER_STEPS)
    assert (out / "run/model/model.safetensors").stat().st_mtime_ns == weights
    assert again["build"]["fingerprint"] == summary["build"]["fingerprint"]
    assert again["generate"]["texts"] == summary["generate"]["texts"]
