"""Load a model, and continue token ids one piece of text at a time: transformers or llama.cpp."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from gristmill.errors import FormatError, RecipeError
from gristmill.export.directory import CONFIG, TOKENIZER, TOKENIZER_CONFIG, need_json, read_json
from gristmill.export.llamacpp import LlamaCpp
from gristmill.export.vocabulary import chat_template

DEFAULT_CONTEXT = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How the next token is chosen.

    Attributes:
        max_tokens: The most tokens to add.
        temperature: 0 takes the likeliest token; 1 samples the model's own distribution.
        top_p: Sample among the likeliest tokens that together have this probability.
        seed: The same seed gives the same text.
    """

    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int = 0


class Piece(NamedTuple):
    """Text that one or more tokens added; `end` when the model ended its text by itself."""

    text: str
    n_tokens: int
    end: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A chat template (Jinja) and the special tokens that it may use."""

    source: str
    begin: str
    end: str
    special: tuple[str, ...]


class Engine(Protocol):
    """A loaded model."""

    name: str
    context: int
    """Tokens that prompt and continuation may have together."""
    vocab_size: int
    template: Template | None

    def encode(self, text: str, parse_special: bool = False) -> list[int]:
        """Token ids of a text; special tokens in it count only with `parse_special`."""
        ...

    def stream(self, prompt: Sequence[int], sampling: Sampling) -> Iterator[Piece]:
        """Continue a prompt; closing the iterator stops the work."""
        ...

    def close(self) -> None:
        """Free the model."""
        ...


def open_engine(model: Path) -> Engine:
    """Load a Hugging Face directory (with transformers) or a ``.gguf`` file (with llama.cpp).

    Raises:
        RecipeError: It is neither.
    """
    if model.is_dir():
        return TransformersEngine(model)
    if model.suffix == ".gguf" and model.is_file():
        return LlamaCppEngine(model)
    raise RecipeError(f"{model} is neither a Hugging Face model directory nor a .gguf file")


class TransformersEngine:
    """A Hugging Face directory, on the CPU or, when torch sees one, the GPU."""

    def __init__(self, model_dir: Path) -> None:
        import torch
        from tokenizers import Tokenizer
        from transformers import AutoModelForCausalLM
        from transformers.utils import logging

        logging.disable_progress_bar()
        config = need_json(model_dir, CONFIG)
        need_json(model_dir, TOKENIZER)
        resolved = model_dir.resolve()
        self.name = resolved.parent.name if resolved.name == "model" else resolved.name
        self.context = int(config.get("max_position_embeddings") or DEFAULT_CONTEXT)
        self.vocab_size = int(config["vocab_size"])
        try:
            self._tokenizer = Tokenizer.from_file(str(model_dir / TOKENIZER))
            self._model: Any = AutoModelForCausalLM.from_pretrained(
                model_dir, dtype="auto", use_safetensors=True, local_files_only=True
            ).eval()
        except (OSError, ValueError) as error:
            raise FormatError(f"{model_dir} cannot be loaded: {error}") from None
        self._model.to("cuda" if torch.cuda.is_available() else "cpu")
        self._ends = _end_ids(model_dir)
        self.template = self._template(model_dir)

    def _template(self, model_dir: Path) -> Template | None:
        source = chat_template(model_dir)
        if source is None:
            return None
        named = read_json(model_dir / TOKENIZER_CONFIG)
        begin, end = (_text(named.get(f"{which}_token")) for which in ("bos", "eos"))
        added = self._tokenizer.get_added_tokens_decoder().values()
        special = tuple(token.content for token in added if token.special)
        return Template(source=source, begin=begin, end=end, special=special)

    def encode(self, text: str, parse_special: bool = False) -> list[int]:
        """See `Engine`."""
        self._tokenizer.encode_special_tokens = not parse_special
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=not parse_special).ids
        return ids

    def stream(self, prompt: Sequence[int], sampling: Sampling) -> Iterator[Piece]:
        """See `Engine`."""
        from tokenizers.decoders import DecodeStream

        decoder = DecodeStream(skip_special_tokens=True)
        unsaid = 0
        for token in self._tokens(prompt, sampling):
            unsaid += 1
            if token in self._ends:
                yield Piece("", unsaid, end=True)
                return
            text = decoder.step(self._tokenizer, token)
            if text:
                yield Piece(text, unsaid)
                unsaid = 0
        if unsaid:
            yield Piece("", unsaid)

    def _tokens(self, prompt: Sequence[int], sampling: Sampling) -> Iterator[int]:
        import torch

        chooser = torch.Generator().manual_seed(sampling.seed)
        step, cache = torch.tensor([list(prompt)], device=self._model.device), None
        for _ in range(sampling.max_tokens):
            with torch.inference_mode():
                answer = self._model(input_ids=step, past_key_values=cache, use_cache=True)
            cache = answer.past_key_values
            token = _choose(answer.logits[0, -1].float().cpu(), sampling, chooser)
            yield token
            step = torch.tensor([[token]], device=self._model.device)

    def close(self) -> None:
        """See `Engine`."""
        self._model = None


def _choose(logits: Any, sampling: Sampling, chooser: Any) -> int:
    """Sample a token from ``float32[vocab_size]`` logits."""
    import torch

    if sampling.temperature == 0:
        return int(logits.argmax())
    probabilities = torch.softmax(logits / sampling.temperature, -1)
    if sampling.top_p < 1:
        ordered, order = probabilities.sort(descending=True)
        before = ordered.cumsum(-1) - ordered
        ordered[before >= sampling.top_p] = 0
        return int(order[torch.multinomial(ordered, 1, generator=chooser)])
    return int(torch.multinomial(probabilities, 1, generator=chooser))


def _end_ids(model_dir: Path) -> set[int]:
    generation = read_json(model_dir / "generation_config.json")
    ends = generation.get("eos_token_id", read_json(model_dir / CONFIG).get("eos_token_id"))
    return set(ends if isinstance(ends, list) else [ends]) - {None}


def _text(token: Any) -> str:
    return str(token.get("content", "") if isinstance(token, dict) else token or "")


class LlamaCppEngine:
    """A GGUF file in llama.cpp."""

    def __init__(self, gguf: Path) -> None:
        self._llama = LlamaCpp(gguf)
        metadata = self._llama.header.metadata
        self.name = str(metadata.get("general.name") or gguf.stem)
        self.context = self._llama.context
        self.vocab_size = self._llama.vocab_size
        self.template = self._template(metadata)

    def _template(self, metadata: dict[str, Any]) -> Template | None:
        source = metadata.get("tokenizer.chat_template")
        if not source:
            return None
        tokens, types = metadata["tokenizer.ggml.tokens"], metadata["tokenizer.ggml.token_type"]
        begin, end = (metadata.get(f"tokenizer.ggml.{which}_token_id") for which in ("bos", "eos"))
        return Template(
            source=source,
            begin=tokens[begin] if begin is not None else "",
            end=tokens[end] if end is not None else "",
            special=tuple(text for text, kind in zip(tokens, types, strict=True) if kind == 3),
        )

    def encode(self, text: str, parse_special: bool = False) -> list[int]:
        """See `Engine`."""
        return self._llama.tokenize(text, parse_special, add_special=not parse_special)

    def stream(self, prompt: Sequence[int], sampling: Sampling) -> Iterator[Piece]:
        """See `Engine`."""
        options = {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": sampling.seed % 2**32,
            "top_k": 1 if sampling.temperature == 0 else 0,
            "min_p": 0.0,
        }
        said = 0
        for event in self._llama.stream(prompt, sampling.max_tokens, options):
            done = int(event.get("tokens_predicted", said))
            yield Piece(event.get("content", ""), done - said, event.get("stop_type") == "eos")
            said = done

    def close(self) -> None:
        """See `Engine`."""
        self._llama.close()
