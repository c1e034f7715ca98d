"""SPDX license expressions: parse them, and read one out of what a package declares.

Nothing is guessed: a declaration that fits several licenses ("BSD", without saying which) becomes
one of them only when the license text that comes with it says so, and `NOASSERTION` otherwise.
Expressions are parsed by `license-expression`, which knows the SPDX list; any ``LicenseRef-`` name
is valid too, as the SPDX specification 2.3, annex D, has it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from gristmill.schema import NO_ASSERTION

LONGEST_EXPRESSION = 2_000
"""Characters; longer strings are license texts, not expressions (torch's expression has 113)."""

_LICENSE_REF = re.compile(r"(DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+")

_NO_IDS = frozenset({"GPL", "BSD-2"})

_APACHE, _BSD_2, _BSD_3 = "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause"
_BSD_FAMILY = "BSD"

_ALIASES = {
    **dict.fromkeys(
        (
            "apache", "apache2", "apache 2", "apache 2.0", "apache2.0", "apache 2.0 license",
            "apache license", "apache license 2.0", "apache license version 2.0", "apache software",
            "apache license v2.0", "apache license v2", "apache license 2", "apache v2",
            "apache v2.0", "apache software license", "apache software license 2.0", "asl 2.0",
            "apache software license version 2.0", "apache 2 license", "al2",
        ),
        _APACHE,
    ),
    **dict.fromkeys(("mit license", "mit licence", "expat", "expat license", "mit mit"), "MIT"),
    **dict.fromkeys(
        (
            "new bsd", "new bsd license", "modified bsd", "modified bsd license", "bsd new",
            "3 clause bsd", "3 clause bsd license", "bsd 3 clause", "bsd 3 clause license",
            "bsd 3", "bsd3", "revised bsd", "revised bsd license", "bsd license 3 clause",
        ),
        _BSD_3,
    ),
    **dict.fromkeys(
        (
            "simplified bsd", "simplified bsd license", "2 clause bsd", "2 clause bsd license",
            "bsd 2 clause", "bsd 2 clause license", "bsd 2", "bsd2", "freebsd license",
        ),
        _BSD_2,
    ),
    **dict.fromkeys(("bsd", "bsd license", "bsd licence", "bsd style", "bsd like"), _BSD_FAMILY),
    **dict.fromkeys(("isc license", "isc license iscl", "isc licence", "iscl"), "ISC"),
    **dict.fromkeys(
        ("mpl 2", "mpl2", "mpl v2", "mpl2.0", "mozilla public license 2.0", "mpl 2.0 license",
         "mozilla public license 2.0 mpl 2.0", "mozilla public license version 2.0"),
        "MPL-2.0",
    ),
    **dict.fromkeys(
        ("psf", "psf license", "psfl", "python software foundation license",
         "python software foundation", "psf 2"),
        "PSF-2.0",
    ),
    **dict.fromkeys(("unlicense", "the unlicense unlicense", "unlicensed unlicense"), "Unlicense"),
    **dict.fromkeys(("zlib license", "zlib/libpng", "zlib libpng license"), "Zlib"),
    **dict.fromkeys(("cc0", "cc0 1.0 universal", "cc0 license"), "CC0-1.0"),
    **dict.fromkeys(("wtfpl license",), "WTFPL"),
    **dict.fromkeys(("boost software license 1.0", "boost software license"), "BSL-1.0"),
    **dict.fromkeys(("gplv2", "gpl v2", "gpl 2.0", "gpl 2", "gnu gpl v2"), "GPL-2.0-only"),
    **dict.fromkeys(("gplv2+", "gpl v2+", "gpl 2+"), "GPL-2.0-or-later"),
    **dict.fromkeys(("gplv3", "gpl v3", "gpl 3", "gnu gpl v3", "gnu gplv3"), "GPL-3.0-only"),
    **dict.fromkeys(("gplv3+", "gpl v3+", "gpl 3+"), "GPL-3.0-or-later"),
    **dict.fromkeys(("lgplv3", "lgpl v3", "lgpl 3"), "LGPL-3.0-only"),
    **dict.fromkeys(("lgplv3+", "lgpl v3+", "lgpl 3+"), "LGPL-3.0-or-later"),
    **dict.fromkeys(("agplv3", "agpl v3", "agpl 3"), "AGPL-3.0-only"),
    **dict.fromkeys(("agplv3+", "agpl v3+", "agpl 3+"), "AGPL-3.0-or-later"),
    "nvidia proprietary software": "LicenseRef-NVIDIA-Proprietary",
}  # fmt: skip
"""Short declarations as packages spell them, by `_spelling`; each names one license or a family."""

_CLASSIFIERS = {
    "Apache Software License": _APACHE,
    "BSD License": _BSD_FAMILY,
    "Blue Oak Model License (BlueOak-1.0.0)": "BlueOak-1.0.0",
    "Boost Software License 1.0 (BSL-1.0)": "BSL-1.0",
    "CC0 1.0 Universal (CC0 1.0) Public Domain Dedication": "CC0-1.0",
    "CeCILL-B Free Software License Agreement (CECILL-B)": "CECILL-B",
    "CeCILL-C Free Software License Agreement (CECILL-C)": "CECILL-C",
    "CEA CNRS Inria Logiciel Libre License, version 2.1 (CeCILL-2.1)": "CECILL-2.1",
    "Eclipse Public License 1.0 (EPL-1.0)": "EPL-1.0",
    "Eclipse Public License 2.0 (EPL-2.0)": "EPL-2.0",
    "European Union Public Licence 1.1 (EUPL 1.1)": "EUPL-1.1",
    "European Union Public Licence 1.2 (EUPL 1.2)": "EUPL-1.2",
    "GNU Affero General Public License v3": "AGPL-3.0-only",
    "GNU Affero General Public License v3 or later (AGPLv3+)": "AGPL-3.0-or-later",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU Lesser General Public License v2 (LGPLv2)": "LGPL-2.0-only",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "Historical Permission Notice and Disclaimer (HPND)": "HPND",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 1.0 (MPL)": "MPL-1.0",
    "Mozilla Public License 1.1 (MPL 1.1)": "MPL-1.1",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Mulan Permissive Software License v2 (MulanPSL-2.0)": "MulanPSL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "SIL Open Font License 1.1 (OFL-1.1)": "OFL-1.1",
    "The Unlicense (Unlicense)": "Unlicense",
    "Universal Permissive License (UPL)": "UPL-1.0",
    "University of Illinois/NCSA Open Source License": "NCSA",
    "Zero-Clause BSD (0BSD)": "0BSD",
    "zlib/libpng License": "Zlib",
}
"""Trove license classifiers by their last part; each names one license, its family, or the only
version in use. Those that name a wish ("OSI Approved") or no license are left out."""

_TEXTS: tuple[tuple[str, Callable[[str], str | None]], ...] = (
    ("permission is hereby granted, free of charge, to any person obtaining a copy of this "
     "software and associated documentation files", lambda text: "MIT"),
    ("redistribution and use in source and binary forms, with or without modification, are "
     "permitted", lambda text: _bsd_clauses(text)),
    ("apache license version 2.0, january 2004", lambda text: _APACHE),
    ("permission to use, copy, modify, and/or distribute this software for any purpose with or "
     "without fee is hereby granted", lambda text: "ISC"),
)  # fmt: skip
"""The sentence that a license text is known by."""


@lru_cache(maxsize=1)
def licensing() -> Any:
    """The parser of expressions, with the SPDX list and its deprecated ids (60 ms once).

    license-expression knows further aliases ("GPL", "GPL 2.0", a LicenseRef for another license);
    they are no SPDX ids and left out.
    """
    from license_expression import LicenseSymbol, Licensing, get_spdx_licensing

    return Licensing(
        LicenseSymbol(
            key,
            aliases=tuple(filter(_is_id, symbol.aliases)),
            is_exception=symbol.is_exception,
        )
        for key, symbol in get_spdx_licensing().known_symbols.items()
    )


def _is_id(alias: str) -> bool:
    return alias not in _NO_IDS and not alias.startswith("LicenseRef") and " " not in alias


@lru_cache(maxsize=4096)
def parse_expression(text: str) -> Any | None:
    """Parse an SPDX expression; None when it is not one.

    Returns:
        A tree of `licensing().OR`, `licensing().AND` and license symbols.
    """
    from license_expression import ExpressionError, ExpressionParseError

    if len(text) > LONGEST_EXPRESSION or not text.strip():
        return None
    try:
        parsed = licensing().parse(text)
    except (ExpressionError, ExpressionParseError):
        return None
    unknown = licensing().unknown_license_keys(parsed)
    if not all(_LICENSE_REF.fullmatch(key) for key in unknown):
        return None
    return parsed if _exceptions_fit(parsed) else None


def _exceptions_fit(parsed: Any) -> bool:
    """Whether no exception ("LLVM-exception") stands where a license should."""
    from license_expression import LicenseWithExceptionSymbol

    return not any(
        symbol.is_exception
        for symbol in licensing().license_symbols(parsed, decompose=False)
        if not isinstance(symbol, LicenseWithExceptionSymbol)
    )


def expression(text: str) -> str | None:
    """The SPDX expression in `text` in its official spelling; None when it is not one.

    >>> expression("mit or apache-2.0"), expression("BSD")
    ('MIT OR Apache-2.0', None)
    """
    if text.strip() == NO_ASSERTION:
        return NO_ASSERTION
    parsed = parse_expression(text)
    if parsed is None:
        return None
    rendered = str(parsed.render("{symbol.key}"))
    # A deprecated id ("GPL-2.0") is parsed as its successor; what the author named stays.
    return rendered if _names(rendered) == _names(text) else text.strip()


def _names(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9.+:-]+", text.casefold()))


def suggestion(text: str) -> str:
    """A hint for a license that is not SPDX: the nearest known one, or where to look."""
    near = _ALIASES.get(_spelling(text))
    if near == _BSD_FAMILY:
        return f"name which: {_BSD_2!r} or {_BSD_3!r}"
    if near is None:
        found = get_close_matches(text.casefold(), _official(), n=1)
        near = _official()[found[0]] if found else None
    return f"did you mean {near!r}?" if near else "see https://spdx.org/licenses for the names"


def parse_license(text: str, license_texts: Iterable[str] = ()) -> str:
    """Read a license out of what somebody wrote into a license field.

    Args:
        text: An SPDX expression, a usual name ("Apache 2.0"), or a whole license text.
        license_texts: License texts that came with it; read only when `text` names a family
            ("BSD") and no member of it.

    Returns:
        An SPDX expression, or ``NOASSERTION``.

    >>> parse_license("Apache Software License 2.0"), parse_license("BSD"), parse_license("n/a")
    ('Apache-2.0', 'NOASSERTION', 'NOASSERTION')
    """
    found = expression(text) or _ALIASES.get(_spelling(text))
    if found is None:
        found = _license_of_text(text)
    return _member(found, license_texts)


def classifier_to_spdx(classifier: str, license_texts: Iterable[str] = ()) -> str:
    """The SPDX expression of a trove classifier, or ``NOASSERTION``; see `parse_license`.

    >>> classifier_to_spdx("License :: OSI Approved :: MIT License")
    'MIT'
    """
    parts = classifier.split(" :: ")
    if parts[0] != "License":
        return NO_ASSERTION
    return _member(_CLASSIFIERS.get(parts[-1]), license_texts)


def license_of_url(url: str) -> str:
    """The SPDX id of the license that a web address names, or ``NOASSERTION``.

    Creative Commons deeds and legal codes in any language, those of a jurisdiction as that
    jurisdiction's id where SPDX has one; opensource.org, spdx.org and apache.org; gnu.org where the
    address names the version. The public domain mark is no license.

    >>> license_of_url("http://creativecommons.org/licenses/by-sa/4.0/deed.an")
    'CC-BY-SA-4.0'
    """
    match = _URL.match(url.strip())
    if match is None:
        return NO_ASSERTION
    host, path = match["host"].lower(), match["path"].lower().rstrip("/")
    read = _LICENSE_HOSTS.get(host)
    found = read(path) if read else None
    return _official().get(found.casefold(), NO_ASSERTION) if found else NO_ASSERTION


def _commons(path: str) -> str | None:
    if re.fullmatch(r"/publicdomain/zero/1\.0(/(deed|legalcode)[\w.-]*)?", path):
        return "CC0-1.0"
    match = _COMMONS_PATH.fullmatch(path)
    if match is None:
        return None
    port = f"-{match['port']}" if match["port"] else ""
    return f"CC-{match['kind']}-{match['version']}{port}"


def _last_part(path: str) -> str | None:
    match = re.fullmatch(r"/licenses?/([a-z0-9.+-]+?)(\.html|\.php|\.txt|\.json)?", path)
    return match[1] if match else None


def _apache(path: str) -> str | None:
    return "Apache-2.0" if re.fullmatch(r"/licenses/license-2\.0(\.txt|\.html)?", path) else None


def _gnu(path: str) -> str | None:
    """The address of a GNU license does not say "or later", so it is that version."""
    match = re.fullmatch(r"/licenses/(old-licenses/)?(a?gpl|lgpl|fdl)-(\d\.\d)[\w.-]*", path)
    if match is None:
        return None
    name = "GFDL" if match[2] == "fdl" else match[2]
    return f"{name}-{match[3]}-only"


@lru_cache(maxsize=1)
def _official() -> dict[str, str]:
    """The ids of the SPDX list in their official spelling, by their lower-case one."""
    return {key.casefold(): key for key in licensing().known_symbols if "Ref-" not in key}


_URL = re.compile(
    r"(https?:)?//(www\.)?(?P<host>[^/:?#\s]+)(:\d+)?(?P<path>/[^?#\s]*)", re.IGNORECASE
)
_COMMONS_PATH = re.compile(
    r"/licenses/(?P<kind>by(-(nc|nd|sa|nc-nd|nc-sa))?)/(?P<version>\d\.\d)(/(?P<port>[a-z]{2,3}))?"
    r"(/(deed|legalcode)[\w.-]*)?"
)
_LICENSE_HOSTS: dict[str, Callable[[str], str | None]] = {
    "creativecommons.org": _commons,
    "opensource.org": _last_part,
    "spdx.org": _last_part,
    "apache.org": _apache,
    "gnu.org": _gnu,
}


def _spelling(text: str) -> str:
    """`text` as `_ALIASES` spells it: lower case, letters, digits, dots and plus signs."""
    words = re.sub(r"[^a-z0-9.+/]+", " ", text[:200].casefold()).strip(" .")
    return words.removeprefix("the ").replace(" version ", " ") if words else ""


def _member(found: str | None, license_texts: Iterable[str]) -> str:
    if found != _BSD_FAMILY:
        return found or NO_ASSERTION
    members = (_first_bsd(text) for text in license_texts)
    return next(filter(None, members), NO_ASSERTION)


def _license_of_text(text: str) -> str | None:
    """The license that a whole license text is, when it is one and only one."""
    flat = _flatten(text)
    found = {name for mark, read in _TEXTS if mark in flat and (name := read(flat))}
    return found.pop() if len(found) == 1 else None


def _first_bsd(text: str) -> str | None:
    flat = _flatten(text)
    start = flat.find(_TEXTS[1][0])
    return _bsd_clauses(flat[start:]) if start >= 0 else None


def _bsd_clauses(flat: str) -> str | None:
    """Tell the BSD licenses apart by their clauses, up to the disclaimer of the first one."""
    clauses = flat.partition("this software is provided by")[0]
    if "advertising materials" in clauses:
        return "BSD-4-Clause"
    if "endorse or promote" in clauses:
        return _BSD_3
    return _BSD_2 if "binary form must reproduce" in clauses else None


def _flatten(text: str) -> str:
    return " ".join(_words(text.casefold()))


def _words(text: str) -> Iterator[str]:
    return (match.group() for match in re.finditer(r"[^\s#*>|]+", text))
