"""The application: its routes, what they ask of the model, and how failures are answered."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from gristmill.errors import GristmillError, RecipeError
from gristmill.serve import wire
from gristmill.serve.answers import Form, event, usage
from gristmill.serve.chat import chat_prompt
from gristmill.serve.completion import Completion
from gristmill.serve.engines import Engine, Sampling, open_engine
from gristmill.serve.guard import Guard, Receive, Scope, Send, error_body
from gristmill.serve.metrics import CONTENT_TYPE, Metrics
from gristmill.serve.turns import BusyError, Turn, Turns

Tracer = Callable[[str], list[dict[str, Any]]]
"""Finds where spans of a text come from; the form is that of ``corpus.trace``."""

MAX_WAITING = 16
RETRY_AFTER_S = 5
LOOK_EVERY_PIECES = 8
"""How often a request that does not stream looks whether its client is still there."""


def app(
    model: str | Path | Engine,
    api_key: str | None = None,
    corpus: str | Path | Tracer | None = None,
    max_waiting: int = MAX_WAITING,
) -> FastAPI:
    """Make the ASGI application.

    Args:
        model: A Hugging Face directory, a ``.gguf`` file, or a loaded engine.
        api_key: What clients must send as bearer key on every route but ``/health``.
        corpus: The corpus directory whose index finds the sources of an answer.
        max_waiting: Requests that may wait while one is answered; the next gets status 429.

    Raises:
        RecipeError: `model` is no model, `corpus` no corpus, or the key is empty.
    """
    if api_key is not None and not api_key.strip():
        raise RecipeError("the API key is empty")
    engine = open_engine(Path(model)) if isinstance(model, str | Path) else model
    tracer = _tracer(Path(corpus)) if isinstance(corpus, str | Path) else corpus
    server = Server(engine, tracer, max_waiting)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        server.turns.shut_down(engine.close)

    api = FastAPI(title="Gristmill", docs_url=None, redoc_url=None, lifespan=lifespan)
    api.add_middleware(Guard, api_key=api_key, metrics=server.metrics)
    _add_routes(api, server)
    _add_errors(api)
    return api


def _tracer(corpus: Path) -> Tracer:
    from gristmill.corpus import Corpus

    opened = Corpus.open(corpus)
    opened.trace("a")  # a corpus without an index is refused now, not at the first request
    return lambda text: opened.trace(text)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request made ready: what to continue, how, and how the answer is written."""

    prompt: list[int]
    sampling: Sampling
    stops: tuple[str, ...]
    trace: bool


class Server:
    """A model, its turns and its figures."""

    def __init__(self, engine: Engine, tracer: Tracer | None, max_waiting: int) -> None:
        self.engine, self.tracer = engine, tracer
        self.metrics = Metrics()
        self.turns = Turns(max_waiting, self.metrics)
        self.started = int(time.time())

    def ready(
        self,
        request: wire.Request,
        prompt: list[int],
        stops: tuple[str, ...],
        max_tokens: int | None = None,
    ) -> Asked:
        """Check a request against the model's limits.

        Raises:
            HTTPException: The prompt is empty or too long, or the answer would be; or sources are
                asked for and there is no corpus.
        """
        room = self.engine.context - len(prompt)
        wanted = max_tokens or request.max_tokens
        if not prompt or room < 1 or (wanted or 0) > room:
            raise HTTPException(400, self._does_not_fit(len(prompt), wanted))
        if max(prompt) >= self.engine.vocab_size:
            raise HTTPException(
                400, f"token id {max(prompt)} is beyond the vocabulary of {self.engine.vocab_size}"
            )
        if request.trace and self.tracer is None:
            raise HTTPException(400, "trace: this server has no corpus; start it with --corpus DIR")
        sampling = Sampling(
            max_tokens=wanted or min(room, wire.DEFAULT_MAX_TOKENS),
            temperature=request.temperature,
            top_p=request.top_p,
            seed=secrets.randbits(32) if request.seed is None else request.seed,
        )
        return Asked(prompt, sampling, (*request.stops, *stops), request.trace)

    def _does_not_fit(self, n_prompt: int, wanted: int | None) -> str:
        if n_prompt == 0:
            return "the prompt is empty; the model needs at least one token to go on from"
        answer = f" and an answer of {wanted}" if wanted else ""
        return (
            f"a prompt of {n_prompt} tokens{answer} does not fit into this model's context of "
            f"{self.engine.context} tokens"
        )

    async def sources(self, text: str) -> list[dict[str, Any]]:
        """Where spans of an answer come from."""
        tracer = self.tracer
        assert tracer is not None
        return await self.turns.run(lambda: tracer(text))

    async def whole(
        self, prepare: Callable[[], Asked], client: Request
    ) -> tuple[Completion, dict[str, Any]]:
        """Answer at once: the completion, and ``{"sources": …}`` when they were asked for."""
        turn = await self.turns.take()
        try:
            asked = await self.turns.run(prepare)
            completion = self._begin(asked)
            async with _counted(self.metrics, completion):
                n_pieces = 0
                async for _ in self.turns.each(completion.pieces()):
                    n_pieces += 1
                    if n_pieces % LOOK_EVERY_PIECES == 0 and await client.is_disconnected():
                        break
            extra = {"sources": await self.sources(completion.text)} if asked.trace else {}
            return completion, extra
        finally:
            turn.end()

    async def stream(
        self, prepare: Callable[[], Asked], form: Form, request: wire.OpenAiRequest
    ) -> EventStream:
        """Answer bit by bit, as server-sent events."""
        turn = await self.turns.take()
        try:
            asked = await self.turns.run(prepare)
            return EventStream(self._events(asked, form, request), turn)
        except BaseException:
            turn.end()
            raise

    async def _events(
        self, asked: Asked, form: Form, request: wire.OpenAiRequest
    ) -> AsyncIterator[str]:
        completion = self._begin(asked)
        try:
            async with _counted(self.metrics, completion):
                if form.opening is not None:
                    yield event(form.chunk(form.opening))
                async for text in self.turns.each(completion.pieces()):
                    yield event(form.chunk(form.delta(text)))
            extra = {"sources": await self.sources(completion.text)} if asked.trace else {}
            yield event(form.chunk(form.delta(None), completion.finish) | extra)
            if request.wants_usage:
                yield event(form.chunk(None) | {"usage": usage(completion)})
        except GristmillError as error:
            yield event(error_body(str(error), "server_error"))
        yield "data: [DONE]\n\n"

    def _begin(self, asked: Asked) -> Completion:
        return Completion(self.engine, asked.prompt, asked.sampling, asked.stops)


@asynccontextmanager
async def _counted(metrics: Metrics, completion: Completion) -> AsyncIterator[None]:
    began = time.perf_counter()
    try:
        yield
    finally:
        seconds = time.perf_counter() - began
        metrics.completion(completion.n_prompt, completion.n_tokens, seconds)


class EventStream(StreamingResponse):
    """A stream of events that gives its turn back however it ends."""

    def __init__(self, events: AsyncIterator[str], turn: Turn) -> None:
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        super().__init__(events, media_type="text/event-stream", headers=headers)
        self._turn = turn

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._turn.end()


def _add_routes(api: FastAPI, server: Server) -> None:
    engine = server.engine

    @api.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @api.get("/metrics")
    async def metrics() -> Response:
        return PlainTextResponse(server.metrics.render(), media_type=CONTENT_TYPE)

    @api.get("/v1/models")
    async def models() -> dict[str, Any]:
        entry = {
            "id": engine.name,
            "object": "model",
            "created": server.started,
            "owned_by": "gristmill",
            "context_length": engine.context,
        }
        return {"object": "list", "data": [entry]}

    @api.post("/generate_text")
    async def generate_text(request: wire.TextRequest, client: Request) -> Response:
        def prepare() -> Asked:
            return server.ready(request, engine.encode(request.prompt), ())

        completion, extra = await server.whole(prepare, client)
        answer = {"text": completion.text, "finish_reason": completion.finish}
        return JSONResponse(_plain(answer | usage(completion) | extra))

    @api.post("/v1/completions")
    async def completions(request: wire.CompletionRequest, client: Request) -> Response:
        text = request.text

        def prepare() -> Asked:
            prompt = request.ids if text is None else engine.encode(text)
            return server.ready(request, prompt, ())

        if request.echo and (request.stream or text is None):
            raise HTTPException(400, "echo needs a prompt of text and no stream")
        form = Form(engine, chat=False)
        if request.stream:
            return await server.stream(prepare, form, request)
        completion, extra = await server.whole(prepare, client)
        before = text if request.echo and text is not None else ""
        return JSONResponse(_plain(form.whole(completion, before) | extra))

    @api.post("/v1/chat/completions")
    async def chat_completions(request: wire.ChatRequest, client: Request) -> Response:
        def prepare() -> Asked:
            prompt = chat_prompt(engine, [turn.message for turn in request.messages])
            return server.ready(request, prompt.ids, prompt.stops, request.max_completion_tokens)

        form = Form(engine, chat=True)
        if request.stream:
            return await server.stream(prepare, form, request)
        completion, extra = await server.whole(prepare, client)
        return JSONResponse(_plain(form.whole(completion) | extra))


def _plain(answer: dict[str, Any]) -> Any:
    """The answer with dates and the like as text."""
    return json.loads(json.dumps(answer, default=str))


def _add_errors(api: FastAPI) -> None:
    def answer(status: int, message: str, kind: str, code: str | None = None) -> JSONResponse:
        headers = {"Retry-After": str(RETRY_AFTER_S)} if status == 429 else None
        return JSONResponse(error_body(message, kind, code), status, headers)

    @api.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        if "json" not in request.headers.get("content-type", ""):
            message = "send the request as JSON, with Content-Type: application/json"
            return answer(400, message, "invalid_request_error")
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part != "body")
        return answer(400, f"{where or 'body'}: {first['msg']}", "invalid_request_error")

    @api.exception_handler(StarletteHTTPException)
    async def refused(_: Request, error: StarletteHTTPException) -> JSONResponse:
        return answer(error.status_code, str(error.detail), "invalid_request_error")

    @api.exception_handler(RecipeError)
    async def unusable(_: Request, error: RecipeError) -> JSONResponse:
        return answer(400, str(error), "invalid_request_error")

    @api.exception_handler(BusyError)
    async def busy(_: Request, error: BusyError) -> JSONResponse:
        return answer(429, str(error), "rate_limit_error", "server_busy")

    @api.exception_handler(Exception)
    async def failed(_: Request, error: Exception) -> JSONResponse:
        del error  # uvicorn logs it; its text may hold what is no client's business
        return answer(500, "the server failed; its log says how", "server_error")
