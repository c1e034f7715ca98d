"""The server's door: the key, the size of a request, and a count of every answer."""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from gristmill.serve.metrics import Metrics

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN_ROUTE = "/health"
MAX_BODY_BYTES = 1 << 20
BODY_TIMEOUT_S = 30.0


def error_body(message: str, kind: str, code: str | None = None) -> dict[str, Any]:
    """An error in the form of the OpenAI API."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


class Guard:
    """ASGI middleware in front of all routes, those that do not exist included."""

    def __init__(self, app: App, api_key: str | None, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics
        self._key = None if api_key is None else api_key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def counted(event: Event) -> None:
            nonlocal status
            if event["type"] == "http.response.start":
                status = event["status"]
            await send(event)

        try:
            await self._admit(scope, receive, counted)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            seconds = time.perf_counter() - began
            self._metrics.request(_known_method(scope["method"]), route, status, seconds)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._has_key(scope):
            message = "give the server's key as `Authorization: Bearer KEY`"
            body = error_body(message, "invalid_request_error", "invalid_api_key")
            await _refuse(send, 401, body, [(b"www-authenticate", b"Bearer")])
            return
        try:
            body_bytes = await asyncio.wait_for(_read_body(receive), BODY_TIMEOUT_S)
        except TimeoutError:
            body = error_body("the request did not arrive in time", "invalid_request_error")
            await _refuse(send, 408, body)
            return
        if body_bytes is None:
            message = f"the request is larger than {MAX_BODY_BYTES} bytes"
            await _refuse(send, 413, error_body(message, "invalid_request_error"))
            return
        await self._app(scope, _replay(body_bytes, receive), send)

    def _has_key(self, scope: Scope) -> bool:
        if self._key is None or scope["path"] == OPEN_ROUTE:
            return True
        given = dict(scope["headers"]).get(b"authorization", b"")
        scheme, _, key = given.partition(b" ")
        return hmac.compare_digest(key.strip(), self._key) and scheme.lower() == b"bearer"


def _known_method(method: str) -> str:
    return method if method in ("GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE") else "other"


async def _read_body(receive: Receive) -> bytes | None:
    """The whole body, or None when it is too large."""
    body = bytearray()
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            return bytes(body)
        body += event.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            return None
        if not event.get("more_body"):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    events: list[Event] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Event:
        return events.pop() if events else await receive()

    return replayed


async def _refuse(
    send: Send, status: int, body: dict[str, Any], headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    data = json.dumps(body).encode()
    head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(data))]
    head += [*(headers or []), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": data})
