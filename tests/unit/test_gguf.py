"""The GGUF writer, reader and quantizer against the `gguf` package and against broken files."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import save_file

from gristmill.errors import FormatError, NotBuiltYetError, RecipeError
from gristmill.export import export
from gristmill.export.gguf import GgufFile, Tensor, TensorType, write_gguf
from gristmill.export.llama import permute_rope
from gristmill.export.quantize import dequantize, quantize
from gristmill.export.vocabulary import vocabulary
from gristmill.tokenizer import PATTERNS
from tiny_llama import weights_of, write_llama

ORACLE = {
    TensorType.F32: gguf.GGMLQuantizationType.F32,
    TensorType.F16: gguf.GGMLQuantizationType.F16,
    TensorType.BF16: gguf.GGMLQuantizationType.BF16,
    TensorType.Q8_0: gguf.GGMLQuantizationType.Q8_0,
}


@pytest.fixture(scope="module")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Hugging Face directory of a Llama with random weights and a real tokenizer."""
    return write_llama(tmp_path_factory.mktemp("models") / "tiny")


floats = st.floats(-6e4, 6e4, width=32) | st.floats(-0.0625, 0.0625, width=32)
blocks = hnp.arrays(np.float32, st.tuples(st.integers(1, 5), st.just(64)), elements=floats)


@pytest.mark.parametrize("kind", TensorType)
@given(values=blocks)
@settings(max_examples=60, deadline=None)
def test_quantized_bytes_equal_those_of_the_gguf_package(
    kind: TensorType, values: np.ndarray
) -> None:
    values[np.abs(values) < 1e-30] = 0  # there 1 / scale overflows, and the package makes NaN
    expected = gguf.quants.quantize(values, ORACLE[kind]).view(np.uint8).reshape(-1)
    np.testing.assert_array_equal(quantize(values, kind), expected)


@pytest.mark.parametrize("kind", TensorType)
def test_many_normal_values_quantize_as_in_the_gguf_package_and_back(kind: TensorType) -> None:
    values = np.random.default_rng(1).standard_normal((40_000, 32)).astype(np.float32)
    data = quantize(values, kind)
    expected = gguf.quants.quantize(values, ORACLE[kind])
    np.testing.assert_array_equal(data, expected.view(np.uint8).reshape(-1))
    back = gguf.quants.dequantize(expected, ORACLE[kind]).reshape(values.shape)
    np.testing.assert_array_equal(dequantize(data, kind, values.shape), back)


def test_halves_round_away_from_zero_and_empty_blocks_are_zero() -> None:
    values = np.zeros((2, 32), np.float32)
    values[0, :4] = 127, 0.5, -0.5, 1.5
    data = quantize(values, TensorType.Q8_0)
    assert data.view(np.int8)[2:6].tolist() == [127, 1, -1, 2]
    assert not data[34:].any()
    assert not quantize(np.full((1, 32), 1e-43, np.float32), TensorType.Q8_0)[:2].any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", TensorType)
def test_weights_that_are_not_finite_are_refused(kind: TensorType, bad: float) -> None:
    values = np.zeros((1, 32), np.float32)
    values[0, 9] = bad
    with pytest.raises(FormatError, match="some_weight holds NaN or infinite"):
        quantize(values, kind, "some_weight")


@pytest.mark.parametrize(
    ("kind", "value"), [(TensorType.F16, 7e4), (TensorType.Q8_0, 1e7), (TensorType.BF16, 3.4e38)]
)
def test_weights_beyond_the_type_are_refused(kind: TensorType, value: float) -> None:
    with pytest.raises(FormatError, match=r"use (bf16 or )?f32"):
        quantize(np.full((1, 32), value, np.float32), kind)


def sample(path: Path) -> Path:
    values = np.arange(64, dtype=np.float32).reshape(2, 32)
    tensors = [
        Tensor(f"{kind.name}.weight", (2, 32), kind, lambda kind=kind: quantize(values, kind))
        for kind in TensorType
    ]
    tensors.append(
        Tensor("odd.bias", (3,), TensorType.F32, lambda: quantize(values[0, :3], TensorType.F32))
    )
    write_gguf(path, METADATA, tensors)
    return path


METADATA: dict[str, Any] = {
    "general.architecture": "llama",
    "a.text": "Größe 🌾",
    "a.count": 7,
    "a.large": 1 << 40,
    "a.ratio": 0.5,
    "a.yes": True,
    "a.strings": ["", "x", "ü"],
    "a.numbers": np.asarray([1, -2, 3], np.int32),
    "a.signed": np.int16(-5),
}


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    read = GgufFile(sample(tmp_path / "m.gguf"))
    assert {k: v for k, v in read.metadata.items() if k != "a.numbers"} == {
        k: v for k, v in METADATA.items() if k != "a.numbers"
    }
    assert read.metadata["a.numbers"].tolist() == [1, -2, 3]
    values = dequantize(read.raw("Q8_0.weight"), TensorType.Q8_0, (2, 32))
    assert np.abs(values - np.arange(64).reshape(2, 32)).max() < 0.3


def test_the_gguf_package_reads_the_same(tmp_path: Path) -> None:
    path = sample(tmp_path / "m.gguf")
    ours, theirs = GgufFile(path), gguf.GGUFReader(path)
    assert [t.name for t in theirs.tensors] == list(ours.tensors)
    for tensor in theirs.tensors:
        np.testing.assert_array_equal(
            np.ascontiguousarray(tensor.data).view(np.uint8).reshape(-1), ours.raw(tensor.name)
        )
        assert tuple(tensor.shape[::-1]) == ours.tensors[tensor.name].shape
    for key in METADATA:
        value = theirs.fields[key].contents()
        assert list(value) == list(METADATA[key]) if isinstance(value, list) else True
        if not isinstance(value, list):
            assert value == METADATA[key]


def test_a_reader_of_the_package_s_own_file_agrees(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "llama")
    writer.add_array("some.words", ["a", "b"])
    writer.add_float32("some.ratio", 0.25)
    writer.add_tensor("x", np.arange(6, dtype=np.float32).reshape(2, 3))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    read = GgufFile(tmp_path / "m.gguf")
    assert read.metadata["some.words"] == ["a", "b"]
    assert read.metadata["some.ratio"] == 0.25
    assert dequantize(read.raw("x"), TensorType.F32, (2, 3)).tolist() == [[0, 1, 2], [3, 4, 5]]


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    short = Tensor("x", (2, 32), TensorType.F32, lambda: np.zeros(8, np.uint8))
    with pytest.raises(FormatError, match="needs 256"):
        write_gguf(tmp_path / "m.gguf", {}, [short])
    assert list(tmp_path.iterdir()) == []


def test_a_49_byte_file_that_claims_2_to_the_63_entries_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "hostile.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 63) + b"\0" * 25)
    with pytest.raises(FormatError, match="9223372036854775808 metadata entries cannot fit"):
        GgufFile(path)


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    whole = sample(tmp_path / "m.gguf").read_bytes()
    last = GgufFile(tmp_path / "m.gguf").tensors["odd.bias"]
    for size in range(last.start + last.n_bytes):
        path = tmp_path / "cut.gguf"
        path.write_bytes(whole[:size])
        with pytest.raises(FormatError):
            GgufFile(path)


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_a_changed_byte_or_word_never_does_more_than_raise_format_error(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    whole = bytearray(sample(folder / "fuzz.gguf").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, 700))
        word = data.draw(st.binary(min_size=1, max_size=8) | st.just(b"\xff" * 8))
        whole[at : at + len(word)] = word
    (folder / "fuzzed.gguf").write_bytes(whole)
    try:
        read = GgufFile(folder / "fuzzed.gguf")
        for name in read.tensors:
            read.raw(name)
    except FormatError:
        pass


def test_overlapping_tensors_and_repeated_names_are_refused(tmp_path: Path) -> None:
    def entry(name: bytes, offset: int) -> bytes:
        head = struct.pack("<Q", len(name)) + name
        return head + struct.pack("<IQIQ", 1, 8, 0, offset)

    for second, why in ((entry(b"b", 0), "overlaps"), (entry(b"a", 32), "occurs twice")):
        path = tmp_path / "m.gguf"
        body = entry(b"a", 0) + second
        path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 2, 0) + body + b"\0" * 128)
        with pytest.raises(FormatError, match=why):
            GgufFile(path)


@given(heads=st.integers(1, 4), half=st.integers(1, 4))
def test_the_rope_permutation_makes_the_halves_neighbours(heads: int, half: int) -> None:
    rows = np.arange(heads * 2 * half)
    permuted = permute_rope(rows[:, None], heads)[:, 0]
    twin = [h * 2 * half + s * half + i for h in range(heads) for i in range(half) for s in (0, 1)]
    assert permuted.tolist() == twin


def test_an_export_holds_every_weight_and_the_tokenizer(tiny_llama: Path, tmp_path: Path) -> None:
    result = export(tiny_llama, "gguf:f32,gguf:q8_0", tmp_path)
    assert json.loads((tmp_path / "export.json").read_text()) == result
    read = GgufFile(tmp_path / result["files"]["gguf:f32"]["file"])
    weights = weights_of(tiny_llama)
    down = dequantize(read.raw("blk.1.ffn_down.weight"), TensorType.F32, (64, 96))
    np.testing.assert_array_equal(down, weights["model.layers.1.mlp.down_proj.weight"])
    assert "output.weight" not in read.tensors
    assert len(read.tensors) == len(weights)
    assert read.metadata["tokenizer.ggml.tokens"][0] == "<|endoftext|>"
    assert read.metadata["tokenizer.ggml.token_type"][:2].tolist() == [3, 1]
    assert read.metadata["tokenizer.ggml.pre"] == "gpt-2"
    assert read.metadata["tokenizer.ggml.add_bos_token"] is False
    small = GgufFile(tmp_path / result["files"]["gguf:q8_0"]["file"])
    assert small.tensors["token_embd.weight"].type is TensorType.Q8_0
    assert small.tensors["output_norm.weight"].type is TensorType.F32


def test_two_exports_have_the_same_bytes(tiny_llama: Path, tmp_path: Path) -> None:
    first = export(tiny_llama, ["gguf:q8_0"], tmp_path / "a")
    second = export(tiny_llama, ["gguf:q8_0"], tmp_path / "b")
    assert first["files"]["gguf:q8_0"]["sha256"] == second["files"]["gguf:q8_0"]["sha256"]


def test_rows_that_hold_no_whole_block_are_stored_as_f16(tmp_path: Path) -> None:
    model = write_llama(tmp_path / "odd", intermediate_size=80)
    result = export(model, ["gguf:q8_0"], tmp_path)
    read = GgufFile(tmp_path / result["files"]["gguf:q8_0"]["file"])
    assert read.tensors["blk.0.ffn_down.weight"].type is TensorType.F16
    assert read.tensors["blk.0.ffn_up.weight"].type is TensorType.Q8_0
    assert result["files"]["gguf:q8_0"]["tensors"] == {"Q8_0": 13, "F32": 5, "F16": 2}


def test_bfloat16_weights_are_exported_exactly(tiny_llama: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file
    from safetensors.torch import save_file as save_torch

    model = write_llama(tmp_path / "half")
    wide = load_file(model / "model.safetensors")
    half = {name: value.to(torch.bfloat16) for name, value in wide.items()}
    save_torch(half, model / "model.safetensors")
    export(model, ["gguf:bf16"], tmp_path)
    read = GgufFile(tmp_path / "half-BF16.gguf")
    up = dequantize(read.raw("blk.0.ffn_up.weight"), TensorType.BF16, (96, 64))
    expected = half["model.layers.0.mlp.up_proj.weight"].float().numpy()
    np.testing.assert_array_equal(up, expected)


def test_the_lineage_beside_the_model_goes_into_the_file(tmp_path: Path) -> None:
    model = write_llama(tmp_path / "run" / "model")
    lineage = {"data_fingerprint": "f00d", "license": "CC-BY-4.0", "licenses": {"MIT": 2}}
    (model / "gristmill.json").write_text(json.dumps(lineage))
    result = export(model, ["gguf:f16"], tmp_path)
    metadata = GgufFile(tmp_path / "run-F16.gguf").metadata
    assert metadata["gristmill.data_fingerprint"] == "f00d"
    assert metadata["gristmill.licenses"] == '{"MIT":2}'
    assert metadata["general.license"] == "CC-BY-4.0"
    assert result["gristmill"] == lineage


@pytest.mark.parametrize("target", ["int8", "onnx", "gguf:q4_k_m", "gguf"])
def test_targets_of_later_releases_are_named_as_such(
    tiny_llama: Path, tmp_path: Path, target: str
) -> None:
    with pytest.raises(NotBuiltYetError, match="gguf:f32, gguf:f16, gguf:q8_0, gguf:bf16"):
        export(tiny_llama, [target], tmp_path)


def test_weights_that_do_not_fit_the_configuration_are_refused(tmp_path: Path) -> None:
    model = write_llama(tmp_path / "m")
    config = json.loads((model / "config.json").read_text())

    def refused(change: dict[str, Any], why: str, error: type[Exception] = FormatError) -> None:
        (model / "config.json").write_text(json.dumps(config | change))
        with pytest.raises(error, match=why):
            export(model, ["gguf:f16"], tmp_path)

    refused({"intermediate_size": 128}, r"mlp.gate_proj.weight has shape \(96, 64\)")
    refused({"num_hidden_layers": 3}, r"the weights lack .* \(9 missing\)")
    refused({"num_hidden_layers": 1}, r"which config.json does not describe \(9 such")
    refused({"tie_word_embeddings": False}, "lack lm_head.weight")
    refused({"vocab_size": 100}, "beyond the model's vocabulary of 100")
    refused({"hidden_size": "64"}, "hidden_size is '64'")
    refused({"hidden_act": "gelu"}, "silu")
    refused({"model_type": "gpt_neox"}, "'gpt_neox' cannot be exported", NotBuiltYetError)
    refused({"rope_parameters": {"rope_type": "yarn"}}, "'yarn'", NotBuiltYetError)
    assert not list(tmp_path.glob("*.gguf"))


def test_nan_weights_and_broken_files_are_refused(tmp_path: Path) -> None:
    model = write_llama(tmp_path / "m")
    weights = weights_of(model)
    weights["model.layers.1.mlp.up_proj.weight"][3, 5] = np.nan
    save_file(weights, model / "model.safetensors")
    with pytest.raises(FormatError, match=r"layers\.1\.mlp\.up_proj\.weight holds NaN"):
        export(model, ["gguf:f16"], tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())
    (model / "model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(FormatError, match="not a readable safetensors file"):
        export(model, ["gguf:f16"], tmp_path / "out")
    (model / "model.safetensors").unlink()
    with pytest.raises(RecipeError, match=r"has no model\.safetensors"):
        export(model, ["gguf:f16"], tmp_path / "out")
    (model / "config.json").write_text("{")
    with pytest.raises(FormatError, match=r"config\.json is not JSON"):
        export(model, ["gguf:f16"], tmp_path / "out")


def test_tokenizers_that_llama_cpp_would_read_differently_are_refused(tmp_path: Path) -> None:
    model = write_llama(tmp_path / "m")
    tokenizer = json.loads((model / "tokenizer.json").read_text())
    split = {"type": "Split", "pattern": {"Regex": "x"}, "behavior": "Isolated", "invert": False}
    plain = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}
    sequence = {"type": "Sequence", "pretokenizers": [split, plain]}

    def pre(**changes: Any) -> str:
        (model / "tokenizer.json").write_text(json.dumps(tokenizer | changes))
        return str(vocabulary(model, 512)["tokenizer.ggml.pre"])

    with pytest.raises(FormatError, match="pattern 'x'"):
        pre(pre_tokenizer=sequence)
    with pytest.raises(FormatError, match="normalizer NFC"):
        pre(normalizer={"type": "NFC"})
    with pytest.raises(FormatError, match="add_prefix_space"):
        pre(pre_tokenizer={"type": "ByteLevel", "add_prefix_space": True})
    with pytest.raises(FormatError, match="Unigram"):
        pre(model={"type": "Unigram"})
    added = {"id": 500, "content": "<x>", "special": True, "lstrip": True}
    with pytest.raises(FormatError, match="does not strip around '<x>'"):
        pre(added_tokens=[*tokenizer["added_tokens"], added])
    names = {"gpt2": "gpt-2", "llama3": "smaug-bpe", "qwen2": "qwen2"}
    for pattern, name in names.items():
        split["pattern"] = {"Regex": PATTERNS[pattern]}
        assert pre(pre_tokenizer=sequence) == name
    split["pattern"] = {"Regex": PATTERNS["llama3"]}
    whole = tokenizer["model"] | {"ignore_merges": True}
    assert pre(model=whole, pre_tokenizer=sequence) == "llama-bpe"
    for pattern in ("cl100k", "o200k"):
        split["pattern"] = {"Regex": PATTERNS[pattern]}
        with pytest.raises(FormatError, match=f"has no pre-tokenizer for the pattern '{pattern}'"):
            pre(pre_tokenizer=sequence)
