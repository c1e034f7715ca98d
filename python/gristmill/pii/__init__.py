"""Finds and hides personal data: what has a form, a checksum or a plan, and names on request.

One linear scan in the core proposes places and validators decide: top-level domains that exist,
Luhn and issuer ranges, IBAN country lengths and MOD 97-10, address ranges, numbering plans, the
checks of national numbers, base-58, bech32 and EIP-55 checksums, the words nearby. Loopback and
documentation addresses are nobody's and stay; so do versions and sections that look like addresses,
decorators, ``git@host:`` and what is no e-mail address for want of a top-level domain. Names are
found by a model (`names`), only for those who ask.
"""

from __future__ import annotations

from gristmill.pii.entities import ENTITIES, NAMES, PERSONAL, STRUCTURED
from gristmill.pii.find import find_pii, scrub_pii
from gristmill.pii.key import key_fingerprint, read_key
from gristmill.pii.stage import Scrub

__all__ = [
    "ENTITIES",
    "NAMES",
    "PERSONAL",
    "STRUCTURED",
    "Scrub",
    "find_pii",
    "key_fingerprint",
    "read_key",
    "scrub_pii",
]
