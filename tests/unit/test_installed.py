"""Installed packages as a source: a made environment, and the one the tests run in."""

from __future__ import annotations

import json
import sysconfig
from importlib.metadata import distributions

import pytest

from gristmill.errors import RecipeError
from gristmill.sources import open_source
from gristmill.sources.installed import LARGEST_FILE
from gristmill.spdx import expression

OSI = "Classifier: License :: OSI Approved :: "
BSD_2 = """Redistribution and use in source and binary forms, with or without modification,
are permitted provided that: redistributions in binary form must reproduce this notice.
THIS SOFTWARE IS PROVIDED BY US."""


def install(site, name, version="1.0", headers=(), body="", files=None):
    """Write a package as an installer does: files, METADATA and RECORD."""
    info = f"{name}-{version}.dist-info"
    metadata = [f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}", *headers, "", body]
    files = {f"{info}/METADATA": "\n".join(metadata)} | (files or {})
    for path, content in files.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_bytes(content if isinstance(content, bytes) else content.encode())
    (site / info / "RECORD").write_text("".join(f"{path},,\n" for path in files))


def opened(site, **keys):
    return open_source(name="here", format="installed", path=str(site), **keys)


def read(source):
    found = [batch for split in source.splits() for batch in source.read(split)]
    docs = [row for batch in found for row in batch.docs.to_pylist()]
    return docs, [row for batch in found for row in batch.bad.to_pylist()]


@pytest.fixture
def site(tmp_path):
    """An environment of three packages, one of them Gristmill."""
    install(
        tmp_path,
        "alpha",
        headers=["License-Expression: MIT OR Apache-2.0", "Home-page: https://alpha.example"],
        body="# Alpha\n\nDoes one thing.\n",
        files={
            "alpha/__init__.py": "x = 1\n",
            "alpha/empty.py": "",
            "alpha/data.bin": b"\x00\x01",
            "alpha/README.md": "Read me.\n",
            "alpha/tests/words.txt": "1 2 3\n",
            "alpha-1.0.dist-info/licenses/LICENSE": "Do as you like.\n",
            "alpha-1.0.dist-info/top_level.txt": "alpha\n",
            "../../bin/alpha": "#!python\n",
        },
    )
    install(
        tmp_path,
        "Beta_Tools",
        headers=["License: whatever", "Project-URL: Source, https://beta.example/src"],
        files={
            "beta/latin.py": "# coding: latin-1\nname = 'Müller'\n".encode("latin-1"),
            "beta/broken.py": "name = 'Müller'\n".encode("latin-1"),
            "beta/big.py": "#" * (LARGEST_FILE + 1),
        },
    )
    install(tmp_path, "gristmill", body="Ourselves.", files={"gristmill/x.py": "x = 1\n"})
    return tmp_path


def test_documents_carry_package_license_url_version_and_path(site):
    docs, _ = read(opened(site))
    by_path = {json.loads(doc["metadata"])["path"]: doc for doc in docs}
    assert by_path["alpha/__init__.py"] | {"id": "", "created": None} == {
        "id": "",
        "text": "x = 1\n",
        "source": "here",
        "license": "MIT OR Apache-2.0",
        "url": "https://alpha.example",
        "created": None,
        "metadata": '{"kind": "code", "package": "alpha", "path": "alpha/__init__.py", '
        '"version": "1.0"}',
    }
    assert by_path["alpha-1.0.dist-info/METADATA"]["text"] == "# Alpha\n\nDoes one thing."
    assert by_path["beta/latin.py"]["url"] == "https://beta.example/src"
    assert "Müller" in by_path["beta/latin.py"]["text"]
    declared = json.loads(by_path["beta/latin.py"]["metadata"])["declared_license"]
    assert (by_path["beta/latin.py"]["license"], declared) == ("NOASSERTION", "whatever")


def test_each_kind_has_its_files_and_ourselves_are_none(site):
    def paths(kind):
        return [json.loads(doc["metadata"])["path"] for doc in read(opened(site, kinds=[kind]))[0]]

    assert paths("descriptions") == ["alpha-1.0.dist-info/METADATA"]
    assert paths("docs") == ["alpha-1.0.dist-info/licenses/LICENSE", "alpha/README.md"]
    assert paths("code") == ["alpha/__init__.py", "beta/latin.py"]


def test_files_that_cannot_be_read_are_bad_records_with_their_license(site):
    _, bad = read(opened(site))
    assert [(row["reason"], row["detail"].split(":")[0]) for row in bad] == [
        ("too_large", "Beta_Tools/beta/big.py"),
        ("bad_utf8", "Beta_Tools/beta/broken.py"),
    ]
    assert {(row["license"], row["url"]) for row in bad} == {
        ("NOASSERTION", "https://beta.example/src")
    }
    assert bad[0]["bytes_in"] == LARGEST_FILE + 1


@pytest.mark.parametrize(
    ("headers", "files", "license"),
    [
        (["License-Expression: MIT AND ISC", "License: GPL-3.0-only"], {}, "MIT AND ISC"),
        (["License: Apache 2.0", OSI + "MIT License"], {}, "Apache-2.0"),
        (["License: UNKNOWN", OSI + "MIT License"], {}, "MIT"),
        (["Classifier: License :: OSI Approved", OSI + "ISC License (ISCL)"], {}, "ISC"),
        ([OSI + "MIT License", OSI + "Apache Software License"], {}, "Apache-2.0 AND MIT"),
        ([OSI + "MIT License", "Classifier: License :: Public Domain"], {}, "NOASSERTION"),
        (["License: BSD"], {}, "NOASSERTION"),
        (["License: BSD"], {"p-1.0.dist-info/LICENSE.txt": BSD_2}, "BSD-2-Clause"),
        ([], {"p-1.0.dist-info/LICENSE.txt": BSD_2}, "NOASSERTION"),
    ],
)
def test_the_license_is_the_first_that_the_package_declares(tmp_path, headers, files, license):
    install(tmp_path, "p", headers=headers, body="A package.", files=files)
    docs, _ = read(opened(tmp_path, kinds=["descriptions"]))
    assert [doc["license"] for doc in docs] == [license]


def test_documents_come_in_order_of_package_and_path_whatever_the_limit(site):
    def order(docs):
        return [
            (about["package"].lower(), f"{about['package']}/{about['path']}")
            for about in (json.loads(doc["metadata"]) for doc in docs)
        ]

    every = order(read(opened(site))[0])
    assert every == sorted(every)
    some = order(read(opened(site, limit_bytes=60))[0])
    assert some == sorted(some)
    assert 0 < len(some) < len(every)


def test_a_limit_takes_the_same_files_each_time_and_never_more_text(site):
    for limit in (20, 60, 100, 10**9):
        docs, _ = read(opened(site, limit_bytes=limit))
        again, _ = read(opened(site, limit_bytes=limit))
        assert docs == again
        assert sum(len(doc["text"].encode()) for doc in docs) <= limit
    assert len(docs) == len(read(opened(site))[0])


def test_the_key_is_that_of_version_and_files(site):
    (before,) = opened(site).splits()
    assert opened(site).splits()[0].key == before.key
    assert opened(site, kinds=["code"]).splits()[0].key != before.key
    (site / "alpha" / "README.md").unlink()
    assert opened(site).splits()[0].key != before.key


def test_a_file_of_two_packages_is_read_once(tmp_path):
    for name in ("one", "two"):
        install(tmp_path, name, body=name, files={"shared/x.py": "x = 1\n"})
    docs, _ = read(opened(tmp_path, kinds=["code"]))
    assert [json.loads(doc["metadata"])["package"] for doc in docs] == ["one"]


def test_descriptions_of_vendored_packages_and_broken_metadata_are_left_out(tmp_path):
    vendored = {"a/_vendor/b-2.dist-info/METADATA": "Name: b\n\nVendored."}
    install(tmp_path, "a", body="Real.", files=vendored)
    (tmp_path / "c-1.dist-info").mkdir()
    (tmp_path / "c-1.dist-info" / "METADATA").write_bytes(b"Name: \xff\n")
    (tmp_path / "d-1.dist-info").mkdir()
    docs, _ = read(opened(tmp_path, kinds=["descriptions"]))
    assert [doc["text"] for doc in docs] == ["Real."]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"kinds": ["doc"]}, "'doc' is unknown; did you mean 'docs'"),
        ({"kinds": []}, "must be a list"),
        ({"kinds": "docs"}, "must be a list"),
        ({"license": "MIT"}, "declare their own"),
        ({"limit_bytes": 1}, "fits into limit_bytes = 1"),
        ({"path": "nowhere"}, "no folder of installed packages"),
    ],
)
def test_what_cannot_be_used_is_refused(site, keys, message):
    with pytest.raises(RecipeError, match=message):
        open_source(**{"name": "here", "format": "installed", "path": str(site)} | keys)


# ---- the environment the tests run in ----


def test_the_standard_library_is_read_under_its_license():
    source = open_source(name="py", format="installed", kinds=["stdlib"], limit_bytes=300_000)
    docs, bad = read(source)
    assert bad == []
    assert len(docs) > 5
    assert {doc["license"] for doc in docs} == {"PSF-2.0"}
    assert all(doc["url"].startswith("https://github.com/python/cpython/blob/v") for doc in docs)
    assert not any("site-packages" in doc["metadata"] for doc in docs)


def test_installed_packages_keep_the_expression_they_declare():
    source = open_source(name="here", format="installed", kinds=["descriptions"])
    licenses = {item.package.name: item.package.license for item in source.items}
    declared = {
        found.metadata["Name"]: found.metadata["License-Expression"]
        for found in distributions(path=[sysconfig.get_path("purelib")])
        if found.metadata["Name"] in licenses and "License-Expression" in found.metadata
    }
    assert declared
    assert {name: licenses[name] for name in declared} == declared
    assert all(expression(license) for license in licenses.values())
