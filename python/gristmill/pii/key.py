"""The key of the pseudonyms: from an environment variable, never written anywhere."""

from __future__ import annotations

import hashlib
import hmac
import os

from gristmill.errors import RecipeError

SHORTEST_KEY_BYTES = 16
"""A shorter key can be guessed, and with it every telephone number behind a pseudonym."""


def read_key(variable: str) -> bytes:
    """Read the key from the environment variable of that name.

    Raises:
        RecipeError: The variable is not set, or too short.
    """
    key = os.environ.get(variable, "").encode()
    if not key:
        raise RecipeError(
            f"pii.key_env: the environment variable {variable!r} is not set; set it to a secret of "
            f"{SHORTEST_KEY_BYTES} bytes or more, such as `openssl rand -hex 32` prints, and keep it"
        )
    check_key(key)
    return key


def check_key(key: bytes) -> None:
    """Refuse a key that could be guessed.

    Raises:
        RecipeError: The key is too short.
    """
    if len(key) < SHORTEST_KEY_BYTES:
        raise RecipeError(
            f"the key of the pseudonyms has {len(key)} bytes; give {SHORTEST_KEY_BYTES} or more, such "
            "as `openssl rand -hex 32` prints"
        )


def key_fingerprint(key: bytes) -> str:
    """16 hexadecimal digits that tell whether two runs had one key, and nothing else of it."""
    return hmac.new(key, b"gristmill pii key fingerprint", hashlib.sha256).hexdigest()[:16]
