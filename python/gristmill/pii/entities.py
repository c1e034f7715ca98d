"""The kinds of personal data by name, and which of them a caller means."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

from gristmill.errors import RecipeError

PERSONAL = (
    "email",
    "phone",
    "card",
    "iban",
    "ip",
    "national_id",
    "url_credential",
    "secret",
    "crypto",
    "geo",
)
"""What is masked unless a caller says otherwise: it leads to a person, an account or a machine.

``ip`` is a public address; ``national_id`` a number of one of 17 countries with its check;
``url_credential`` the ``user:password`` of a URL; ``secret`` an API key, token, private-key block or
random value given to a password; ``crypto`` an address of a cryptocurrency; ``geo`` a pair of
coordinates."""

STRUCTURED = (*PERSONAL, "private_ip", "url")
"""What is found unless a caller says otherwise: all that has a form, a checksum or a plan.

``private_ip`` (RFC 1918, link-local, unique local) and ``url`` are nobody's own, and text loses by
their masking; who wants them masked names them."""

NAMES = ("person", "location", "organization")
"""What a language model of spaCy finds, for those who ask for it (``pip install 'gristmill[pii]'``);
``location`` holds postal addresses too."""

ENTITIES = (*STRUCTURED, *NAMES)
"""Everything that can be found."""


def checked(entities: Collection[str], where: str) -> list[str]:
    """The entities as a list, a single name as a list of one.

    Raises:
        RecipeError: An entity does not exist.
    """
    chosen = [entities] if isinstance(entities, str) else list(entities)
    for name in chosen:
        if name not in ENTITIES:
            near = get_close_matches(name, ENTITIES, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(ENTITIES)}"
            raise RecipeError(f"{where} has no entity {name!r}{hint}")
    return chosen
