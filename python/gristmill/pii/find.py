"""Finding and scrubbing texts outside a build."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pyarrow as pa

from gristmill import _core
from gristmill.errors import RecipeError
from gristmill.pii.entities import NAMES, PERSONAL, STRUCTURED, checked
from gristmill.pii.key import check_key
from gristmill.pii.names import Named, find_names
from gristmill.text import Texts, as_table, from_kernel


def find_pii(texts: Texts, entities: Sequence[str] | None = None, threads: int = 1) -> pa.Table:
    """Find the personal data of each text.

    Args:
        texts: Texts; a null counts as empty.
        entities: What to find, of `ENTITIES`; all of `STRUCTURED` when None. What is found of one
            structured entity does not depend on which others are asked for. Names (person,
            location, organization) need the extra ``gristmill[pii]`` and take a thousand times as
            long.
        threads: Threads to use; the result is the same for any number.

    Returns:
        Table with a row per finding, in order and without overlaps: ``document`` uint32, the index
        of the text; ``start`` and ``end`` uint64, in characters; ``entity`` string; ``score``
        float32, 0 to 1, higher with a checksum or a word nearby that says what it is.

    Raises:
        RecipeError: An entity does not exist, or names are asked for without the extra.

    >>> find_pii(["write to ada@example.com"]).select(["start", "end", "entity"]).to_pylist()
    [{'start': 9, 'end': 24, 'entity': 'email'}]
    """
    chosen = list(STRUCTURED) if entities is None else checked(entities, "entities")
    table = as_table(texts)
    return from_kernel(_core.find_pii(table, chosen, named(table, chosen), threads))


def scrub_pii(
    texts: Texts,
    entities: Sequence[str] | None = None,
    threads: int = 1,
    *,
    pseudonymise: Collection[str] = (),
    key: bytes | None = None,
) -> pa.Array:
    """Mask or pseudonymise the personal data of each text.

    Equal values of a text get equal masks, ``<EMAIL_1>``, ``<EMAIL_2>``. Equal values of all texts
    get equal pseudonyms under one key, such as ``<EMAIL_3fa9c2d1e8b70456>``: 64 bits of the
    HMAC-SHA-256 of entity and value. Letter case and the grouping of digits make no difference.

    Args:
        texts: Texts, length *n*; a null becomes an empty text.
        entities: What to mask, of `ENTITIES`; all of `PERSONAL` that is not pseudonymised when None.
        threads: Threads to use; the result is the same for any number.
        pseudonymise: What to pseudonymise, of `ENTITIES`.
        key: The key of the pseudonyms, 16 bytes or more.

    Returns:
        ``large_string[n]``: the texts, each finding replaced, all else untouched.

    Raises:
        RecipeError: An entity does not exist or is in both lists; pseudonyms have no key, or a short
            one; names are asked for without the extra.

    >>> scrub_pii(["ada@example.com, Ada@Example.com"]).to_pylist()
    ['<EMAIL_1>, <EMAIL_1>']
    """
    hashed = checked(pseudonymise, "pseudonymise")
    if entities is None:
        masked = [name for name in PERSONAL if name not in hashed]
    else:
        masked = checked(entities, "entities")
    check_actions({"entities": masked, "pseudonymise": hashed}, key)
    table = as_table(texts)
    names = named(table, [*masked, *hashed])
    return scrubbed(table, masked, hashed, [], key, names, threads)["text"].combine_chunks()


def scrubbed(
    texts: pa.Table,
    mask: list[str],
    pseudonymise: list[str],
    count: list[str],
    key: bytes | None,
    names: list[Named],
    threads: int,
) -> pa.Table:
    """The kernel's table: ``text`` large_string, and a uint32 column of counts per entity."""
    return from_kernel(
        _core.scrub_pii(texts, mask, pseudonymise, count, key or b"", names, threads)
    )


def named(texts: pa.Table, entities: Collection[str]) -> list[Named]:
    """What the model finds in the texts, if one of the entities is a name."""
    if not set(NAMES).intersection(entities):
        return []
    return find_names([text or "" for text in texts["text"].to_pylist()])


def check_actions(actions: dict[str, list[str]], key: bytes | None) -> None:
    """Refuse an entity with two actions, and pseudonyms without a key or a key without pseudonyms.

    Raises:
        RecipeError: The actions are one of these.
    """
    taken: dict[str, str] = {}
    for action, entities in actions.items():
        for name in entities:
            if (other := taken.setdefault(name, action)) != action:
                raise RecipeError(
                    f"{name!r} is in {other} and in {action}; one action for each entity"
                )
    if actions["pseudonymise"] and key is None:
        raise RecipeError(
            f"pseudonymise {', '.join(actions['pseudonymise'])}: pseudonyms need a key; give one of "
            "16 bytes or more (in a recipe: pii.key_env, the name of an environment variable)"
        )
    if key is not None:
        if not actions["pseudonymise"]:
            raise RecipeError("a key has no effect without entities to pseudonymise; leave it out")
        check_key(key)
