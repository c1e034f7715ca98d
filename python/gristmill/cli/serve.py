"""``gristmill serve``: a model behind an OpenAI-compatible HTTP interface."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Annotated

import typer

from gristmill.cli.app import Json, app, stderr
from gristmill.errors import InterruptedRunError, RecipeError

DRAIN_S = 30
LOCAL_HOSTS = ("127.0.0.1", "::1", "localhost")


@app.command("serve", rich_help_panel="Model")
def serve_command(
    model: Annotated[
        Path, typer.Argument(help="Hugging Face directory or .gguf file.", show_default=False)
    ],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.", min=0, max=65535)] = 8000,
    api_key_file: Annotated[
        Path | None, typer.Option(help="File with the key that clients must send.")
    ] = None,
    corpus: Annotated[
        Path | None, typer.Option(help="Corpus directory, for requests with `trace: true`.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Answer requests in the form of the OpenAI API until stopped.

    Routes: /v1/completions, /v1/chat/completions, /v1/models, /generate_text, /health, /metrics.
    With `--json` the address is printed as JSON once the server listens.

    **Example:** `gristmill serve runs/tiny/model --port 8000 --corpus out/my-corpus`
    """
    import uvicorn

    from gristmill.serve import app as make_app

    listener = _listen(host, port)
    with listener:
        key = _read_key(api_key_file)
        if key is None and host not in LOCAL_HOSTS:
            stderr.print(f"[yellow]warning:[/] {host} is served without a key (--api-key-file)")
        application = make_app(model, key, corpus)
        url = f"http://{host}:{listener.getsockname()[1]}"
        if as_json:
            print(json.dumps({"url": url, "model": str(model)}), flush=True)
        stderr.print(f"serving {model} on {url}; Ctrl-C stops it", soft_wrap=True)
        config = uvicorn.Config(
            application, log_level="warning", timeout_graceful_shutdown=DRAIN_S, lifespan="on"
        )
        try:
            uvicorn.Server(config).run([listener])
        except InterruptedRunError:
            stderr.print("stopped by SIGTERM; open requests were answered")


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        )
    except OSError as error:
        raise RecipeError(f"cannot listen on {host}:{port}: {error.strerror or error}") from None


def _read_key(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        key = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"--api-key-file {path}: {error}") from None
    if not key:
        raise RecipeError(f"--api-key-file {path} is empty")
    return key
