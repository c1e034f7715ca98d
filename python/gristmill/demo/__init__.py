"""The whole way on text found on this machine: `run_demo` is the flow, one step a line.

Every step can be interrupted: the same call goes on where it stopped. Each leaves its figures in the
summary that the table at the end is made of.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gristmill.build import build
from gristmill.corpus import Corpus
from gristmill.demo.server import ask_server
from gristmill.engines.local import cores
from gristmill.files import write_json
from gristmill.progress import say

HERE = Path(__file__).parent
TARGETS = ("gguf:f16", "gguf:q8_0")
N_PROMPTS = 20
N_TOKENS = 32
SAMPLING = {"temperature": 0.5, "top_k": 20, "seed": 7}
MIN_TOKENS = {"generated": 4, "quoted": 8}
"""The shortest span to trace: a model of three minutes seldom quotes more than a few words."""

N_STRINGS = 1000

PROMPTS = (
    "This package provides",
    "def main(args):\n    parser = argparse.ArgumentParser(",
    "The following example shows how to",
)


@dataclass
class Demo:
    """One demo under way.

    Attributes:
        out: Its folder: ``corpus/``, ``run/``, ``export/`` and ``summary.json``.
        workers: Processes and threads to use.
        build_settings: Changes to the build recipe.
        train_settings: Changes to the training recipe.
        summary: What every step measured.
    """

    out: Path
    workers: int
    build_settings: list[str] = field(default_factory=list)
    train_settings: list[str] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=lambda: {"seconds": {}})

    def step(self, name: str, work: Callable[[Demo], Any]) -> None:
        """Do one step, time it and keep what it returns."""
        say(f"[bold]{name}[/]")
        started = time.monotonic()
        self.summary[name] = work(self)
        self.summary["seconds"][name] = round(time.monotonic() - started, 1)

    @property
    def corpus(self) -> Corpus:
        """The corpus that the first step builds."""
        return Corpus.open(self.out / "corpus")

    @property
    def model(self) -> Path:
        """The trained model's Hugging Face directory."""
        return self.out / "run" / "model"

    def gguf(self, kind: str) -> Path:
        """The exported file of one kind."""
        return self.out / "export" / str(self.summary["export"]["files"][f"gguf:{kind}"]["file"])


def run_demo(
    out: Path,
    workers: int | None = None,
    *,
    build_settings: Sequence[str] = (),
    train_settings: Sequence[str] = (),
) -> dict[str, Any]:
    """Build, train, evaluate, export, generate, trace and serve; return what was measured.

    Args:
        out: The folder to work in; what an interrupted demo left there is used.
        workers: Processes and threads; the number of cores when omitted.
        build_settings: ``a.b=value`` changes to the build recipe.
        train_settings: The same for the training recipe.
    """
    demo = Demo(out.absolute(), workers or cores(), list(build_settings), list(train_settings))
    demo.step("build", build_corpus)
    demo.step("train", train_model)
    demo.step("evaluate", evaluate_model)
    demo.step("export", export_model)
    demo.step("generate", generate_with_llamacpp)
    demo.step("trace", trace_sentences)
    demo.step("serve", serve_one_request)
    demo.summary["seconds"]["total"] = round(sum(demo.summary["seconds"].values()), 1)
    write_json(demo.out / "summary.json", demo.summary)
    return demo.summary


def build_corpus(demo: Demo) -> dict[str, Any]:
    """Text of the installed packages -> documents, ledger, tokenizer, shards, index, card."""
    corpus = build(
        HERE / "build.yaml",
        demo.out / "corpus",
        workers=demo.workers,
        settings=demo.build_settings,
    )
    manifest = json.loads((corpus.path / "shards" / "manifest.json").read_bytes())
    stages = corpus.run["stages"]
    return {
        "path": str(corpus.path),
        "fingerprint": corpus.fingerprint,
        "documents_in": stages[0]["docs_in"],
        "bytes_in": stages[0]["bytes_in"],
        "documents_kept": sum(one["documents"] for one in manifest["splits"].values()),
        "splits": manifest["splits"],
        "stages": stages,
        "card": str(corpus.path / "card" / "datasheet.html"),
    }


def train_model(demo: Demo) -> dict[str, Any]:
    """Shards -> a small Llama-like model, by DeepSpeed ZeRO-1 on the cores of this machine."""
    from gristmill.train import train

    sets = [f"data={json.dumps(str(demo.corpus.path))}", f"out={json.dumps(str(demo.out / 'run'))}"]
    sets += demo.train_settings
    return train(HERE / "train.yaml", nproc=min(2, demo.workers), sets=sets)


def evaluate_model(demo: Demo) -> dict[str, Any]:
    """Perplexity and bits per byte on the held-out documents, before and after training."""
    from gristmill.evaluate import perplexity

    after = perplexity(demo.model, demo.corpus.path)
    untrained = demo.summary["train"]["validation_loss_before"]
    return {"before": _from_loss(untrained, after), "after": after}


def _from_loss(loss: float, like: dict[str, Any]) -> dict[str, float]:
    """The figures of a model of another loss on the same text."""
    scale = loss / like["loss"]
    return {
        "loss": loss,
        "perplexity": like["perplexity"] ** scale,
        "bits_per_byte": like["bits_per_byte"] * scale,
    }


def export_model(demo: Demo) -> dict[str, Any]:
    """The model -> GGUF files, tokenizer inside."""
    from gristmill.export import export

    return export(demo.model, to=list(TARGETS), out=demo.out / "export")


def generate_with_llamacpp(demo: Demo) -> dict[str, Any]:
    """llama.cpp loads the files, generates, and is compared with ours token by token."""
    from gristmill.export.llamacpp import continuations, greedy_agreement, tokenizer_parity

    tokenizer = demo.corpus.tokenizer()
    prompts = [*PROMPTS, *_sentences(demo.corpus, N_PROMPTS - len(PROMPTS))]
    strings = _sentences(demo.corpus, N_STRINGS)
    texts = continuations(demo.gguf("q8_0"), PROMPTS, N_TOKENS, SAMPLING)
    return {
        "tokenizer": tokenizer_parity(demo.gguf("f16"), tokenizer, strings),
        "greedy": greedy_agreement(demo.gguf("f16"), demo.model, prompts, N_TOKENS),
        "texts": dict(zip(PROMPTS, texts, strict=True)),
    }


def trace_sentences(demo: Demo) -> dict[str, Any]:
    """Three generated texts and three sentences of documents -> the documents behind them."""
    generated = list(demo.summary["generate"]["texts"].values())
    quoted = _sentences(demo.corpus, 3, smallest=80)
    return {
        kind: [
            {"text": text, "spans": demo.corpus.trace(text, min_tokens=MIN_TOKENS[kind])}
            for text in texts
        ]
        for kind, texts in (("generated", generated), ("quoted", quoted))
    }


def serve_one_request(demo: Demo) -> dict[str, Any]:
    """A real server answers one request, with the sources of its answer."""
    return ask_server(demo.model, demo.corpus.path, PROMPTS[0])


def _sentences(corpus: Corpus, n_sentences: int, smallest: int = 20) -> list[str]:
    """Pieces of kept documents, the same ones every time."""
    texts = corpus.documents().select("text").collect()["text"]
    chooser = random.Random(corpus.run["recipe"]["seed"])
    found: list[str] = []
    while len(found) < n_sentences:
        lines = re.split(r"\n\s*\n", texts[chooser.randrange(len(texts))])
        piece = chooser.choice(lines).strip()[:200]
        if len(piece) >= smallest:
            found.append(piece)
    return found
