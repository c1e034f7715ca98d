"""Training end to end on a tiny corpus: it learns, resumes exactly, and every engine agrees."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from gristmill.errors import IntegrityError, NotBuiltYetError, RecipeError
from gristmill.evaluate import evaluate, perplexity
from gristmill.shards.read import Shards
from gristmill.train import sitting, train
from gristmill.train.loop import Loop
from training_corpus import recipe, write_corpus

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Threads that wait for each other make a tiny model slow on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def whole(corpus, tmp_path_factory):
    """A run from start to end in one process."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    return train(recipe(corpus, out))


def rows(out, key="loss"):
    lines = (Path(out) / "metrics.jsonl").read_text().splitlines()
    return {row["step"]: row[key] for row in map(json.loads, lines) if key in row}


def weights(run):
    return (Path(run["model"]) / "model.safetensors").read_bytes()


def copy_of(run, out):
    """The run's folder under another name, as an interrupted run would have left it."""
    shutil.copytree(Path(run["model"]).parent, out)
    shutil.rmtree(out / "model")
    (out / "run.json").unlink()
    return out


def test_a_run_learns_and_leaves_what_the_interface_says(whole, corpus):
    out = Path(whole["model"]).parent
    assert whole["validation_loss_before"] == pytest.approx(math.log(300), abs=0.2)
    assert whole["validation_loss_after"] < whole["validation_loss_before"] - 1
    assert json.loads((out / "run.json").read_text()) == whole
    assert whole["data"]["fingerprint"] == Shards(corpus / "shards" / "train").fingerprint
    assert set(rows(out)) == set(range(1, 7))
    assert set(rows(out, "validation_loss")) == {0, 3, 6}
    names = {path.name for path in (out / "model").iterdir()}
    assert names >= {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "generation_config.json",
        "README.md",
    }
    card = (out / "model" / "README.md").read_text()
    assert whole["data"]["fingerprint"] in card
    assert "| MIT |" in card
    assert len(list((out / "checkpoints").iterdir())) == 3


def test_a_run_that_goes_on_from_a_checkpoint_ends_in_the_same_bits(whole, corpus, tmp_path):
    out = copy_of(whole, tmp_path / "resumed")
    shutil.rmtree(out / "checkpoints" / "step-00000006")
    shutil.rmtree(out / "checkpoints" / "step-00000004")
    again = train(recipe(corpus, out))
    assert again["engine"]["resumed_at_step"] == 2
    assert rows(out) == rows(Path(whole["model"]).parent)
    assert weights(again) == weights(whole)


def test_a_damaged_newest_checkpoint_is_said_and_the_older_one_used(
    whole, corpus, tmp_path, monkeypatch
):
    out = copy_of(whole, tmp_path / "damaged")
    bad = out / "checkpoints" / "step-00000006" / "model.safetensors"
    content = bytearray(bad.read_bytes())
    content[-1] ^= 1
    bad.write_bytes(content)
    said = []
    monkeypatch.setattr(sitting, "say", said.append)
    again = train(recipe(corpus, out))
    assert any("step-00000006 is refused" in line and bad.name in line for line in said)
    assert again["engine"]["resumed_at_step"] == 4
    assert weights(again) == weights(whole)


def test_a_finished_run_is_not_made_again(whole, corpus):
    model = Path(whole["model"]) / "model.safetensors"
    before = model.stat().st_mtime_ns
    assert train(recipe(corpus, model.parents[1])) == whole
    assert model.stat().st_mtime_ns == before


def test_another_recipe_or_other_data_in_the_same_folder_is_refused(whole, corpus, tmp_path):
    out = Path(whole["model"]).parent
    with pytest.raises(RecipeError, match=r"optimizer.lr = 0.5 \(there 0.01\)"):
        train(recipe(corpus, out), sets=["optimizer.lr=0.5"])
    other = write_corpus(tmp_path / "other", seed=2)
    with pytest.raises(RecipeError, match="other data"):
        train(recipe(other, out))


def test_accumulation_does_not_change_the_losses(whole, corpus, tmp_path):
    train(recipe(corpus, tmp_path / "run", batch={"rows": 8, "micro_rows": 8}))
    expected = rows(Path(whole["model"]).parent)
    assert rows(tmp_path / "run") == pytest.approx(expected, abs=1e-5)


def test_two_zero_1_processes_give_the_losses_of_one_and_resume_as_one(whole, corpus, tmp_path):
    options = recipe(corpus, tmp_path / "run", engine={"kind": "deepspeed", "zero": 1})
    run = train(options, nproc=2)
    expected = rows(Path(whole["model"]).parent)
    assert rows(tmp_path / "run") == pytest.approx(expected, abs=1e-5)
    assert run["validation_loss_after"] == pytest.approx(whole["validation_loss_after"], abs=1e-5)
    out = copy_of(run, tmp_path / "single")
    shutil.rmtree(out / "checkpoints" / "step-00000006")
    train(recipe(corpus, out))  # another engine, another number of processes
    assert rows(out) == pytest.approx(expected, abs=1e-5)


def test_a_bf16_run_of_gpt2_learns_too(corpus, tmp_path):
    model = {"family": "gpt2", "hidden_size": 32, "layers": 1, "heads": 2}
    run = train(recipe(corpus, tmp_path / "run", model=model, precision="bf16"))
    assert run["validation_loss_after"] < run["validation_loss_before"] - 0.5
    found = perplexity(run["model"], corpus)
    assert found["loss"] == pytest.approx(run["validation_loss_after"], rel=1e-6)


def test_training_goes_on_from_a_model_directory(whole, corpus, tmp_path):
    run = train(recipe(corpus, tmp_path / "run", model={"from": whole["model"]}))
    assert run["validation_loss_before"] == pytest.approx(whole["validation_loss_after"], rel=1e-6)


def test_sigterm_leaves_a_checkpoint_from_which_the_run_ends_in_the_same_bits(
    whole, corpus, tmp_path, monkeypatch
):
    from gristmill.errors import InterruptedRunError

    count = Loop._count
    monkeypatch.setattr(
        Loop, "_count", lambda self, *a: (count(self, *a), self.state.step == 3 and terminate())
    )
    with pytest.raises(InterruptedRunError, match="after step 3"):
        train(recipe(corpus, tmp_path / "run"))
    assert (tmp_path / "run" / "checkpoints" / "step-00000003").is_dir()
    monkeypatch.undo()
    assert weights(train(recipe(corpus, tmp_path / "run"))) == weights(whole)


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


def test_transformers_alone_gives_the_perplexity(whole, corpus):
    from transformers import AutoModelForCausalLM

    found = perplexity(whole["model"], corpus)
    assert found["loss"] == pytest.approx(whole["validation_loss_after"], rel=1e-6)
    model = AutoModelForCausalLM.from_pretrained(whole["model"], dtype=torch.float32).eval()
    shards = Shards(corpus / "shards" / "validation")
    nats = count = 0
    for row in range(len(shards)):
        ids, labels, _, _ = torch.from_numpy(shards.expand([row]))
        with torch.no_grad():
            loss = model(input_ids=ids, labels=labels).loss  # the mean over the row's labels
        n = int((labels[:, 1:] != -100).sum())
        if n:
            nats, count = nats + float(loss) * n, count + n
    assert count == found["tokens"]
    assert math.exp(nats / count) == pytest.approx(found["perplexity"], rel=1e-4)


def test_bits_per_byte_of_a_file_count_its_bytes(whole, tmp_path):
    text = "the old mill grinds grain — into flour 🌾"
    (tmp_path / "a.txt").write_text(text)
    (tmp_path / "a.jsonl").write_text(
        json.dumps({"text": text}) + "\n\n" + json.dumps({"text": text})
    )
    one = perplexity(whole["model"], tmp_path / "a.txt")
    first = 1 if one["bytes"] == len(text.encode()) - 1 else len("the")
    assert one["bytes"] == len(text.encode()) - first  # the first token is not predicted
    bits = one["loss"] * one["tokens"] / math.log(2) / one["bytes"]
    assert one["bits_per_byte"] == pytest.approx(bits)
    two = perplexity(whole["model"], tmp_path / "a.jsonl")
    assert two["tokens"] in (2 * one["tokens"], 2 * one["tokens"] - 1)  # a row may start in it


def test_the_standard_error_is_that_of_resampled_rows(whole, corpus):
    from gristmill.evaluate.perplexity import _ratio

    found = perplexity(whole["model"], corpus)
    rng = np.random.default_rng(1)
    nats, tokens = rng.normal(100, 20, 50), rng.integers(20, 32, 50)
    picks = rng.integers(0, 50, (4000, 50))
    resampled = nats[picks].sum(axis=1) / tokens[picks].sum(axis=1)
    assert _ratio(nats, tokens)[1] == pytest.approx(resampled.std(), rel=0.1)
    assert 0 < found["loss_stderr"] < found["loss"]


def test_what_cannot_be_measured_is_refused(whole, corpus, tmp_path):
    with pytest.raises(NotBuiltYetError, match="hellaswag"):
        evaluate(whole["model"], ["hellaswag"])
    with pytest.raises(RecipeError, match="--data"):
        evaluate(whole["model"], ["perplexity"])
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(RecipeError, match="no token to predict"):
        perplexity(whole["model"], tmp_path / "empty.txt")
    with pytest.raises(RecipeError, match="no model directory"):
        perplexity(corpus, corpus)


def test_a_changed_tokenizer_is_found_before_training(corpus, tmp_path):
    shutil.copytree(corpus, tmp_path / "corpus")
    file = tmp_path / "corpus" / "tokenizer" / "tokenizer.json"
    file.write_text(file.read_text().replace("the", "teh", 1))
    with pytest.raises(IntegrityError, match=r"tokenizer\.json"):
        train(recipe(tmp_path / "corpus", tmp_path / "run"))


def test_a_folder_that_is_no_corpus_is_refused(tmp_path):
    with pytest.raises(RecipeError, match="gristmill build"):
        train(recipe(tmp_path / "nothing", tmp_path / "run"))


def start(recipe_file, nproc):
    command = [sys.executable, "-m", "gristmill", "train", str(recipe_file), "--nproc", str(nproc)]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "python")}
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def wait_for_checkpoint(run, out):
    until = time.monotonic() + 120
    while not list((out / "checkpoints").glob("step-*")):
        assert run.poll() is None, run.stderr.read()
        assert time.monotonic() < until, "no checkpoint came"
        time.sleep(0.05)


def test_two_processes_stop_by_sigterm_with_a_checkpoint_and_survive_a_kill(corpus, tmp_path):
    out = tmp_path / "run"
    options = recipe(corpus, out, engine={"kind": "ddp"}, schedule={"steps": 100_000})
    options |= {"checkpoint": {"every": 20, "keep": 2}, "validate": {"every": 100_000}}
    file = tmp_path / "recipe.yaml"
    file.write_text(json.dumps(options))
    run = start(file, 2)
    wait_for_checkpoint(run, out)
    run.terminate()
    _, said = run.communicate(timeout=60)
    assert run.returncode == 4, said
    assert "SIGTERM" in said
    assert "Traceback" not in said
    stopped_at = max(int(path.name[5:]) for path in (out / "checkpoints").iterdir())
    run = start(file, 2)
    for line in run.stderr:
        if "going on from" in line:
            assert f"step-{stopped_at:08d}" in line
            break
    run.kill()
    run.communicate(timeout=60)
    with (out / ".lock").open() as lock:  # the workers left with their parent
        import fcntl

        until = time.monotonic() + 10
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                assert time.monotonic() < until, "workers outlive their parent"
                time.sleep(0.1)
