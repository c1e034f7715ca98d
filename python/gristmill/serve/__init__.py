"""Serve a model over HTTP in the form of the OpenAI API, with the sources of each answer.

`app` makes the ASGI application; `gristmill serve` runs it. One generation runs at a time, a
bounded number wait, and everything a client sends is bounded before it is looked at.
"""

from gristmill.serve.routes import app

__all__ = ["app"]
