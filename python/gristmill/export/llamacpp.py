"""Run a GGUF file in llama.cpp (the prebuilt `xllamacpp` wheel), the judge of our exports.

llama.cpp serves HTTP on a port of 127.0.0.1 that the system picks, behind a key made for the
process; this module is its only client. Everything that could make two runs differ is off: one
thread, float32 KV cache, no flash attention, no prompt cache.
"""

from __future__ import annotations

import http.client
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from gristmill.errors import FormatError, GristmillError
from gristmill.export.directory import CONFIG, TOKENIZER, need_json
from gristmill.export.gguf import GgufFile

MAX_CONTEXT = 4096
TIMEOUT_S = 300.0
GREEDY = {"temperature": 0.0, "top_k": 1, "seed": 1}


class Encoder(Protocol):
    """Anything that turns a text into token ids, or into something that has them as `ids`."""

    def encode(self, text: str, /) -> Any:
        """Encode one text."""
        ...


class LlamaCpp:
    """A model loaded in llama.cpp; a context manager that always stops the server.

    Attributes:
        header: Our own reading of the file.
        context: Tokens that prompt and continuation may have together.
    """

    def __init__(self, gguf: Path, context: int | None = None, threads: int = 1) -> None:
        """Load a file.

        Args:
            gguf: The file.
            context: Tokens of context; the model's own, up to 4096, when omitted.
            threads: Threads of the computation.

        Raises:
            FormatError: The file is not one that we write, or llama.cpp refuses it.
            GristmillError: `xllamacpp` is not installed.
        """
        self.header = GgufFile(gguf)
        trained = int(self.header.metadata.get("llama.context_length", MAX_CONTEXT))
        self.context = context or min(trained, MAX_CONTEXT)
        self.end_id = self.header.metadata.get("tokenizer.ggml.eos_token_id")
        self.vocab_size = len(self.header.metadata.get("tokenizer.ggml.tokens", ()))
        self._key = secrets.token_urlsafe(24)
        self._server: Any = _start(gguf, self.context, threads, self._key)
        self._client = self._connect()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the server and free the model; closing twice does nothing."""
        self._client.close()
        self._server = None

    def tokenize(
        self, text: str, parse_special: bool = False, add_special: bool = False
    ) -> list[int]:
        """Encode a text.

        Args:
            text: Any text.
            parse_special: Whether the text of a special token stands for that token.
            add_special: Whether to add the tokens that the model wants around every text.
        """
        body = {"content": text, "add_special": add_special, "parse_special": parse_special}
        ids: list[int] = self._ask("/tokenize", body)["tokens"]
        return ids

    def generate(self, prompt: Sequence[int], n_tokens: int) -> list[int]:
        """Continue a prompt greedily by up to `n_tokens` tokens; the end token, if met, is last."""
        answer = self._ask("/completion", _request(prompt, n_tokens, GREEDY))
        ids: list[int] = answer["tokens"]
        if answer["stop_type"] == "eos" and self.end_id is not None and ids[-1:] != [self.end_id]:
            ids.append(self.end_id)
        return ids

    def complete(
        self, prompt: Sequence[int], n_tokens: int, sampling: Mapping[str, Any] | None = None
    ) -> str:
        """The text of a continuation, without the end token; greedy unless `sampling` is given."""
        request = _request(prompt, n_tokens, GREEDY if sampling is None else sampling)
        return str(self._ask("/completion", request)["content"])

    def log_probabilities(self, prompt: Sequence[int]) -> npt.NDArray[np.float32]:
        """Log-probabilities of the token after a prompt, ``float32[vocab_size]``."""
        request = _request(prompt, 1, GREEDY | {"n_probs": self.vocab_size})
        top = self._ask("/completion", request)["completion_probabilities"][0]["top_logprobs"]
        found = np.full(self.vocab_size, -np.inf, np.float32)
        for entry in top:
            found[entry["id"]] = entry["logprob"]
        return found

    def stream(
        self, prompt: Sequence[int], n_tokens: int, sampling: Mapping[str, Any]
    ) -> Iterator[dict[str, Any]]:
        """Continue a prompt; yields llama.cpp's events, of which the last has ``stop`` true.

        Args:
            prompt: Token ids.
            n_tokens: The most tokens to add.
            sampling: llama.cpp's own keys: ``temperature``, ``top_p``, ``seed``, ``stop``, …
        """
        request = _request(prompt, n_tokens, sampling) | {"stream": True}
        with closing(self._connect()) as client:  # its own: it may be left in mid-answer
            for line in self._send("/completion", request, client):
                if line.startswith(b"data: {"):
                    yield json.loads(line.removeprefix(b"data: "))

    def _ask(self, route: str, body: Mapping[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._send(route, body, self._client).read())
        return answer

    def _connect(self) -> http.client.HTTPConnection:
        host, _, port = self._server.listening_address.removeprefix("http://").rpartition(":")
        return http.client.HTTPConnection(host, int(port), timeout=TIMEOUT_S)

    def _send(
        self, route: str, body: Mapping[str, Any], client: http.client.HTTPConnection
    ) -> http.client.HTTPResponse:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._key}"}
        client.request("POST", route, json.dumps(body), headers)
        response = client.getresponse()
        if response.status != 200:
            text = response.read().decode(errors="replace")
            raise GristmillError(f"llama.cpp refused {route}: {response.status} {text}")
        return response


def _request(prompt: Sequence[int], n_tokens: int, sampling: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "prompt": list(prompt),
        "n_predict": n_tokens,
        "return_tokens": True,
        "cache_prompt": False,
        **sampling,
    }


def _start(gguf: Path, context: int, threads: int, key: str) -> Any:
    try:
        import xllamacpp
    except ImportError:
        raise GristmillError(
            "llama.cpp is not installed; `pip install 'gristmill[export]'` brings it"
        ) from None
    params = xllamacpp.CommonParams()
    params.model.path = str(gguf)
    params.hostnames, params.port, params.api_keys = ["127.0.0.1"], 0, [key]
    params.n_threads_http, params.ui, params.verbosity = 2, False, -1
    params.n_ctx, params.n_parallel, params.n_gpu_layers = context, 1, 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.cache_prompt, params.cache_ram_mib, params.n_ctx_checkpoints = False, 0, 0
    params.fit_params, params.warmup = False, False
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise FormatError(f"llama.cpp does not load {gguf}: {error}") from None


def tokenizer_parity(
    gguf_path: str | Path,
    tokenizer: Encoder,
    strings: Iterable[str],
    parse_special: bool | None = None,
) -> dict[str, Any]:
    """Compare llama.cpp's token ids with a tokenizer's.

    Args:
        gguf_path: A file with the tokenizer inside.
        tokenizer: A `gristmill.tokenizer.Tokenizer`, a `tokenizers.Tokenizer`, or any `Encoder`.
        strings: Texts to encode with both.
        parse_special: Whether the text of a special token stands for that token; found out from
            what `tokenizer` does with the end token's text when omitted.

    Returns:
        ``strings`` and ``differences`` (counts), ``parse_special``, and ``examples``: up to five
        differing texts with both lists of ids.
    """
    n_strings, n_different = 0, 0
    examples: list[dict[str, Any]] = []
    with LlamaCpp(Path(gguf_path)) as llama:
        if parse_special is None:
            end = llama.header.metadata["tokenizer.ggml.tokens"][llama.end_id]
            parse_special = _ids(tokenizer, end) == [llama.end_id]
        for text in strings:
            ours, theirs = _ids(tokenizer, text), llama.tokenize(text, parse_special)
            n_strings += 1
            if ours != theirs:
                n_different += 1
                if len(examples) < 5:
                    examples.append({"text": text, "ours": ours, "llama_cpp": theirs})
    return {
        "strings": n_strings,
        "differences": n_different,
        "parse_special": parse_special,
        "examples": examples,
    }


def _ids(tokenizer: Encoder, text: str) -> list[int]:
    encoded = tokenizer.encode(text)
    return list(getattr(encoded, "ids", encoded))


def greedy_agreement(
    gguf_path: str | Path,
    model_dir: str | Path,
    prompts: Sequence[str],
    n_tokens: int = 32,
) -> dict[str, Any]:
    """Continue prompts greedily with llama.cpp and with transformers, and compare token by token.

    Both continue on their own, so after a first difference the rest of a continuation counts as
    different wherever it is. Either may end early with the end token, which counts as a token.

    Args:
        gguf_path: The exported file.
        model_dir: The Hugging Face directory it came from.
        prompts: Texts, each of at least one token; cut on the left when too long for the model.
        n_tokens: The most tokens to add to each.

    Returns:
        ``agreement`` (share of equal tokens), ``tokens``, ``equal``, ``prompts``, ``identical``
        (continuations without any difference), ``continuations`` (for each prompt the ids of both).
    """
    from tokenizers import Tokenizer

    directory = Path(model_dir)
    tokenizer = Tokenizer.from_file(str(directory / TOKENIZER))
    continuations, n_equal, n_compared = [], 0, 0
    with LlamaCpp(Path(gguf_path)) as llama:
        room = llama.context - n_tokens - 1
        starts = [tokenizer.encode(text, add_special_tokens=False).ids[-room:] for text in prompts]
        if not all(starts) or room < 1:
            raise GristmillError(f"each prompt needs at least one token and {n_tokens} of room")
        reference = _transformers_greedy(directory, starts, n_tokens)
        for start, expected in zip(starts, reference, strict=True):
            found = llama.generate(start, n_tokens)
            n_equal += sum(a == b for a, b in zip(found, expected, strict=False))
            n_compared += max(len(found), len(expected))
            continuations.append({"llama_cpp": found, "transformers": expected})
    return {
        "agreement": n_equal / n_compared if n_compared else 1.0,
        "tokens": n_compared,
        "equal": n_equal,
        "prompts": len(starts),
        "identical": sum(c["llama_cpp"] == c["transformers"] for c in continuations),
        "continuations": continuations,
    }


def continuations(
    gguf_path: str | Path,
    prompts: Sequence[str],
    n_tokens: int,
    sampling: Mapping[str, Any] | None = None,
) -> list[str]:
    """Continue prompts with llama.cpp; the texts come without their prompts.

    Args:
        gguf_path: The model.
        prompts: What to continue.
        n_tokens: The most tokens to add to each.
        sampling: llama.cpp's own keys, like ``temperature`` and ``seed``; greedy when omitted.
    """
    with LlamaCpp(Path(gguf_path)) as llama:
        return [llama.complete(llama.tokenize(prompt), n_tokens, sampling) for prompt in prompts]


def _transformers_greedy(
    model_dir: Path, starts: Sequence[list[int]], n_tokens: int
) -> list[list[int]]:
    """The most likely continuation of each start, in float32, up to the end token."""
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    end = need_json(model_dir, CONFIG).get("eos_token_id")
    ends = set(end if isinstance(end, list) else [end])
    model = AutoModelForCausalLM.from_pretrained(
        model_dir, dtype=torch.float32, use_safetensors=True, local_files_only=True
    ).eval()
    continuations = []
    for start in starts:
        ids: list[int] = []
        step, cache = torch.tensor([start]), None
        with torch.inference_mode():
            while len(ids) < n_tokens and not (ids and ids[-1] in ends):
                answer = model(input_ids=step, past_key_values=cache, use_cache=True)
                cache = answer.past_key_values
                step = answer.logits[:, -1:].argmax(-1)
                ids.append(int(step))
        continuations.append(ids)
    return continuations
