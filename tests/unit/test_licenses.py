"""SPDX expressions: read out of what people write, and what the gate makes of them."""

from __future__ import annotations

import sysconfig
from collections import Counter
from importlib.metadata import distributions

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.licenses import canonicalize_license_expression

from gristmill.errors import RecipeError
from gristmill.licenses import LicenseGate, classifier_to_spdx, parse_license
from gristmill.sources import open_source
from gristmill.spdx import expression, suggestion

MIT_TEXT = """MIT License

Copyright (c) 2024 Somebody

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction.
"""
BSD_START = """Copyright (c) 2024 Somebody
Redistribution and use in source and binary forms, with or without modification,
are permitted provided that the following conditions are met:
* Redistributions of source code must retain the above copyright notice.
* Redistributions in binary form must reproduce the above copyright notice.
"""
BSD_THIRD = "* Neither the name may be used to endorse or promote products.\n"
BSD_END = 'THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS "AS IS".\n'

LEAVES = ["MIT", "Apache-2.0", "GPL-3.0-only", "LicenseRef-Mine", "BSD-3-Clause"]


@pytest.mark.parametrize(
    ("declared", "spdx"),
    [
        ("MIT", "MIT"),
        ("mit or apache-2.0", "MIT OR Apache-2.0"),
        ("Apache-2.0 WITH LLVM-exception AND BSD-2-Clause", None),
        ("LicenseRef-NVIDIA-Proprietary", None),
        ("GPL-2.0", None),  # deprecated, and what its author declared
        ("NOASSERTION", None),
    ],
)
def test_an_expression_keeps_what_was_declared_in_official_spelling(declared, spdx):
    assert parse_license(declared) == (spdx or declared)


@pytest.mark.parametrize(
    ("declared", "spdx"),
    [
        ("Apache 2.0", "Apache-2.0"),
        ("Apache2", "Apache-2.0"),
        ("Apache Software License 2.0", "Apache-2.0"),
        ("Apache License, Version 2.0", "Apache-2.0"),
        ("The MIT License", "MIT"),
        ("ISC License", "ISC"),
        ("3-clause BSD", "BSD-3-Clause"),
        ("MPL v2", "MPL-2.0"),
    ],
)
def test_usual_names_are_mapped(declared, spdx):
    assert parse_license(declared) == spdx


@pytest.mark.parametrize(
    "declared", ["", "UNKNOWN", "see LICENSE", "BSD", "MIT/", "MIT WITH", "LLVM-exception", "((("]
)
def test_what_names_no_single_license_is_not_guessed(declared):
    assert parse_license(declared) == "NOASSERTION"


@given(st.text(max_size=300))
@settings(deadline=None)
def test_any_text_gives_an_expression_that_parses(text):
    assert expression(parse_license(text)) is not None


def test_a_whole_license_text_is_recognized_when_it_is_only_one():
    assert parse_license(MIT_TEXT) == "MIT"
    assert parse_license(BSD_START + BSD_END) == "BSD-2-Clause"
    assert parse_license(MIT_TEXT + BSD_START + BSD_END) == "NOASSERTION"


def test_the_text_beside_a_declaration_decides_only_between_members_of_its_family():
    assert parse_license("BSD", [MIT_TEXT, BSD_START + BSD_END]) == "BSD-2-Clause"
    assert parse_license("BSD", [BSD_START + BSD_THIRD + BSD_END]) == "BSD-3-Clause"
    assert parse_license("BSD", [MIT_TEXT]) == "NOASSERTION"
    assert parse_license("see LICENSE", [MIT_TEXT]) == "NOASSERTION"


def test_classifiers_are_mapped():
    osi = "License :: OSI Approved :: "
    assert classifier_to_spdx(osi + "MIT License") == "MIT"
    assert classifier_to_spdx(osi + "Mozilla Public License 2.0 (MPL 2.0)") == "MPL-2.0"
    assert classifier_to_spdx(osi + "BSD License") == "NOASSERTION"
    assert classifier_to_spdx(osi + "BSD License", [BSD_START + BSD_END]) == "BSD-2-Clause"
    assert classifier_to_spdx("Topic :: MIT License") == "NOASSERTION"


def test_a_suggestion_names_the_nearest_license():
    assert "'Apache-2.0'" in suggestion("Apache2")
    assert "'MIT'" in suggestion("MITT")
    assert "BSD-2-Clause" in suggestion("BSD")
    assert "spdx.org" in suggestion("whatever one likes")


@pytest.mark.parametrize(
    ("license", "reason"),
    [
        ("MIT", None),
        ("mit", None),
        ("BSD-2-Clause", "license_not_allowed"),
        ("BSD-2-Clause OR MIT", None),
        ("BSD-2-Clause AND MIT", "license_not_allowed"),
        ("BSD-2-Clause OR (MIT AND Apache-2.0)", None),
        ("Apache-2.0 WITH LLVM-exception", None),
        ("GPL-3.0-only", "license_denied"),
        ("GPL-3.0-only OR MIT", None),
        ("GPL-3.0-only OR BSD-2-Clause", "license_not_allowed"),
        ("GPL-3.0-only AND MIT", "license_denied"),
        ("GPL-3.0-only WITH GCC-exception-3.1", "license_denied"),
        ("NOASSERTION", "license_not_allowed"),
        ("not an expression", "license_not_allowed"),
    ],
)
def test_the_gate_reads_expressions(license, reason):
    gate = LicenseGate(allow=["MIT", "Apache-2.0"], deny=["GPL-3.0-only"])
    assert gate.reason(license) == reason


def test_noassertion_passes_only_where_it_is_listed():
    assert LicenseGate().reason("NOASSERTION") is None
    assert LicenseGate(allow=["MIT", "NOASSERTION"]).reason("NOASSERTION") is None
    assert LicenseGate(deny=["NOASSERTION"]).reason("NOASSERTION") == "license_denied"


EXPRESSIONS = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.tuples(inner, st.sampled_from(["AND", "OR"]), inner).map(
        lambda parts: f"({' '.join(parts)})"
    ),
    max_leaves=6,
)


@given(EXPRESSIONS, st.sets(st.sampled_from(LEAVES), min_size=1))
@settings(deadline=None)
def test_the_gate_agrees_with_python_on_and_and_or(text, allowed):
    python = text.replace("AND", "and").replace("OR", "or")
    for index, leaf in enumerate(LEAVES):
        python = python.replace(leaf, f"leaf[{index}]")
    holds = eval(python, {"leaf": [leaf in allowed for leaf in LEAVES]})
    assert (LicenseGate(allow=sorted(allowed)).reason(text) is None) == holds


def test_the_verdict_names_the_license_of_each_dropped_document():
    docs = pa.table({"license": ["MIT", "ISC", "MIT"]})
    verdict = LicenseGate(allow=["MIT"]).judge(docs)
    assert verdict.reason.to_pylist() == [None, "license_not_allowed", None]
    assert verdict.detail.to_pylist() == [None, "ISC", None]
    chunked = pa.concat_tables([docs, docs.slice(1)])
    assert len(LicenseGate(allow=["MIT"]).judge(chunked).reason) == 5
    assert len(LicenseGate(allow=["MIT"]).judge(docs.slice(0, 0)).reason) == 0


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"allow": ["Apache2"]}, "licenses.allow: 'Apache2' .* did you mean 'Apache-2.0'"),
        ({"deny": ["GPL"]}, "licenses.deny: 'GPL' is no SPDX license"),
        ({"allow": ["MIT OR ISC"]}, "list each alone"),
        ({"allow": "MIT"}, "expected a list"),
        ({"allow": []}, "no license is left"),
        ({"allow": ["MIT"], "deny": ["mit"]}, "no license is left"),
    ],
)
def test_lists_that_cannot_be_meant_are_refused(keys, message):
    with pytest.raises(RecipeError, match=message):
        LicenseGate(**keys)


def declared_licenses():
    """License-Expression, License and license classifiers of what is installed, by package."""
    found = {}
    for distribution in distributions(path=[sysconfig.get_path("purelib")]):
        head = distribution.metadata
        classifiers = [one for one in head.get_all("Classifier") or [] if one[:7] == "License"]
        found[head["Name"]] = (head["License-Expression"], head["License"] or classifiers)
    return found


def test_99_percent_of_the_documents_whose_package_declares_a_license_have_it():
    items = open_source(name="here", format="installed", kinds=["descriptions", "docs", "code"])
    n_files = Counter(item.package.name for item in items.items)
    licenses = {item.package.name: item.package.license for item in items.items}
    n_declared = n_found = 0
    for name, (expressed, declared) in declared_licenses().items():
        if expressed and name in licenses:
            # packaging reads expressions with a table of its own
            assert canonicalize_license_expression(licenses[name]) == (
                canonicalize_license_expression(expressed)
            )
        if expressed or declared:
            n_declared += n_files[name]
            n_found += n_files[name] * (licenses.get(name) != "NOASSERTION")
    assert n_declared > 1000
    assert n_found / n_declared >= 0.99
