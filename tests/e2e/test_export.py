"""Our GGUF files in llama.cpp: the same tokens and the same probabilities as in transformers."""

from __future__ import annotations

import random
from pathlib import Path
from unicodedata import ucd_3_2_0

import numpy as np
import pytest
import torch

from gristmill.errors import FormatError
from gristmill.export import export
from gristmill.export.llamacpp import LlamaCpp, continuations, greedy_agreement, tokenizer_parity
from gristmill.tokenizer import Tokenizer
from tiny_llama import write_llama

STORY = (
    "The miller takes the grain and the stone takes the miller's word. "
    "Every stone that turns is a stone that learns; every sack that is full came from a field. "
    "If the river is high the wheel is quick, and if the river is low the wheel is slow. "
    "Bread is made of flour, flour is made of grain, and grain is made of rain and sun. "
)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model that has learnt one short text, so that its choices are clear ones."""
    import tokenizers
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    torch.set_num_threads(1)
    folder = write_llama(tmp_path_factory.mktemp("trained") / "tiny", attention_bias=True)
    model = AutoModelForCausalLM.from_pretrained(folder)
    ids = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json")).encode(STORY * 3).ids
    stream = torch.tensor(ids)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(120):
        first = torch.arange(8) * 17 + step * 5
        rows = stream[(first[:, None] + torch.arange(64)) % len(stream)]
        loss = model(input_ids=rows, labels=rows).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert loss.item() < 1.5
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def files(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    out = tmp_path_factory.mktemp("export")
    result = export(trained, ["gguf:f32", "gguf:f16", "gguf:bf16", "gguf:q8_0"], out)
    return {target: out / entry["file"] for target, entry in result["files"].items()}


def test_greedy_continuations_of_20_prompts_agree(trained: Path, files: dict[str, Path]) -> None:
    words = STORY.split()
    prompts = [" ".join(words[start : start + 5]) for start in range(0, 60, 3)]
    found = greedy_agreement(files["gguf:f16"], trained, prompts, 48)
    assert found["prompts"] == 20
    assert found["tokens"] >= 20 * 40
    assert found["agreement"] >= 0.95, found["continuations"]


def test_generated_text_goes_on_with_what_was_learnt(files: dict[str, Path]) -> None:
    text = continuations(files["gguf:q8_0"], ["The miller takes the grain and"], 12)[0]
    assert text.strip()[:10] in STORY


@pytest.mark.parametrize(
    ("target", "tolerance"),
    [("gguf:f32", 2e-4), ("gguf:f16", 1e-2), ("gguf:bf16", 0.1), ("gguf:q8_0", 0.1)],
)
def test_log_probabilities_are_those_of_transformers(
    trained: Path, files: dict[str, Path], target: str, tolerance: float
) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(trained).eval()
    prompts = [[17], [40, 41, 42, 43, 44], list(range(60, 160))]
    with LlamaCpp(files[target]) as llama:
        for prompt in prompts:
            with torch.inference_mode():
                logits = model(input_ids=torch.tensor([prompt])).logits[0, -1]
            expected = torch.log_softmax(logits, -1).numpy()
            np.testing.assert_allclose(
                llama.log_probabilities(prompt), expected, atol=tolerance, rtol=tolerance
            )


def test_a_wrong_head_count_would_be_noticed(
    trained: Path, files: dict[str, Path], tmp_path: Path
) -> None:
    other = write_llama(tmp_path / "other")
    found = greedy_agreement(files["gguf:f16"], other, ["The miller", "Every stone"], 16)
    assert found["agreement"] < 0.5


def test_untied_wide_headed_linear_rope_models_run_too(tmp_path: Path) -> None:
    rope = {"rope_type": "linear", "factor": 4.0, "rope_theta": 5000.0}
    model = write_llama(
        tmp_path / "m", tie_word_embeddings=False, head_dim=32, rope_parameters=rope, mlp_bias=True
    )
    test_log_probabilities_are_those_of_transformers(
        model,
        {"f32": tmp_path / export(model, "gguf:f32", tmp_path)["files"]["gguf:f32"]["file"]},
        "f32",
        2e-4,
    )


def strings(seed: int, count: int) -> list[str]:
    """Texts that trip tokenizers: scripts, spaces, digits, contractions, controls, specials."""
    rng = random.Random(seed)
    pieces = [
        "don't", "I'll", "'S", "'ſ", "we've", "x'", " ", "  ", "   ", "\n", "\n\n\n", "\r\n", "\t",
        "\u00a0", "\u2009", "\u3000", "\u200b", "\u0085", "\u2028", "0", "1234567", "٣٤", "Ⅷ", "½",
        "²", "éé", "e\u0301", "naïve", "слово", "言葉です", "คำไทย", "हिन्दी", "🌾", "👩‍👩‍👧",
        "\U00020000", "def f(x):\n    return x\n", "if (a[i] != b) { c += 1; }", "#!/bin/sh",
        "<|endoftext|>", "<|endof", "text|>", "...", "--", "__init__", "\x00", "\x7f", "\ufeff",
        "ﬁ", "İ", "ß", "$€", "the", " the", "The miller", "=" * 9, "\u0300", "\U0001F1E9", "_",
        "`a`", "\ufffd", "\U0010FFFF",
    ]  # fmt: skip
    texts = ["", " ", "\n", " \n ", "a ", " a", "<|endoftext|>", " <|endoftext|> "]
    while len(texts) < count:
        if rng.random() < 0.2:
            texts.append("".join(_any_character(rng) for _ in range(rng.randint(1, 12))))
        else:
            texts.append("".join(rng.choices(pieces, k=rng.randint(1, 10))))
    return texts


def _any_character(rng: random.Random) -> str:
    """Any character of Unicode 3.2: llama.cpp's tables are not the newest."""
    while True:
        character = chr(rng.randrange(rng.choice([0x80, 0x800, 0x10000, 0x110000])))
        if ucd_3_2_0.category(character) not in ("Cn", "Cs"):
            return character


@pytest.mark.parametrize("parse_special", [True, False])
def test_llama_cpp_gives_the_tokenizer_s_ids_on_1000_strings(
    trained: Path, files: dict[str, Path], parse_special: bool
) -> None:
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(str(trained / "tokenizer.json"))
    tokenizer.encode_special_tokens = not parse_special
    found = tokenizer_parity(files["gguf:q8_0"], tokenizer, strings(7, 1000))
    assert found["parse_special"] == parse_special
    assert (found["strings"], found["differences"]) == (1000, 0), found["examples"]


@pytest.mark.parametrize("pattern", ["gpt2", "llama3", "qwen2"])
def test_llama_cpp_gives_our_tokenizer_s_ids_for_each_pattern(pattern: str, tmp_path: Path) -> None:
    texts = strings(9, 1000)
    tokenizer = Tokenizer.train(texts + texts, vocab_size=2000, pattern=pattern)
    model = write_llama(tmp_path / "m", vocab_size=2048)
    tokenizer.save(model)
    file = export(model, "gguf:q8_0", tmp_path)["files"]["gguf:q8_0"]["file"]
    found = tokenizer_parity(tmp_path / file, tokenizer, texts)
    assert found["parse_special"] is False
    assert (found["strings"], found["differences"]) == (1000, 0), found["examples"]


def test_another_tokenizer_shows_differences(files: dict[str, Path]) -> None:
    class Bytes:
        def encode(self, text: str, /) -> list[int]:
            return list(text.encode())

    found = tokenizer_parity(files["gguf:f16"], Bytes(), strings(8, 50))
    assert found["differences"] > 40
    assert len(found["examples"]) == 5


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    from gristmill.export.gguf import write_gguf

    write_gguf(tmp_path / "empty.gguf", {"general.architecture": "llama"}, [])
    with pytest.raises(FormatError, match=r"llama\.cpp does not load"):
        LlamaCpp(tmp_path / "empty.gguf")
