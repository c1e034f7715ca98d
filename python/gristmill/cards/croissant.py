"""The card as Croissant JSON-LD (1.1, with the responsible-AI fields).

Written as plain data, without a library: the vocabulary is small and fixed. mlcroissant validates
it and iterates its records in the tests.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePosixPath
from typing import Any

from gristmill.cards.evidence import measured_answer
from gristmill.cards.facts import Row, rows, value
from gristmill.cards.groups import NOT_JUDGED
from gristmill.cards.limits import known_limits
from gristmill.cards.questions import Answers
from gristmill.cards.wording import bytes_, count, one_line, percent, words

CONFORMS_TO = ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]
FORMATS = {
    ".parquet": "application/x-parquet",
    ".arrow": "application/vnd.apache.arrow.stream",
    ".json": "application/json",
}
COLUMNS = (
    ("id", "sc:Text", "Identifier of the document"),
    ("text", "sc:Text", "The document's text"),
    ("source", "sc:Text", "Name of the source it came from"),
    ("license", "sc:Text", "SPDX expression, or NOASSERTION"),
    ("url", "sc:URL", "Where it was published, when known"),
    ("created", "sc:DateTime", "When it was written, when known"),
    ("metadata", "sc:Text", "A JSON object with what else the source said"),
)
REPOSITORY = "corpus"
SPDX_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")
MOST_LICENSES = 100


def croissant(m: dict[str, Any], answers: Answers) -> dict[str, Any]:
    """The JSON-LD document that lies at ``card/croissant.json``; paths are relative to it."""
    said = answers.dataset
    document: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": said.get("pretty_name") or m["corpus"]["name"],
        "description": said.get("summary") or _summary(m),
        "license": _licenses(m, said),
        "url": said.get("url"),
        "version": said.get("version"),
        "datePublished": said.get("date_published"),
        "citeAs": said.get("citation"),
        "creator": [
            {"@type": "sc:Organization", "name": name} for name in said.get("creators", [])
        ],
        "keywords": [*said.get("keywords", []), "text corpus", "datasheet"],
        "inLanguage": [
            row["language"]
            for row in rows(m, "languages")
            if row["documents"] and row["language"] != NOT_JUDGED
        ],
        "identifier": m["corpus"]["fingerprint"],
        "isLiveDataset": False,
        "distribution": _distribution(m),
        "recordSet": [_documents(), *_source_licenses(m)],
        **_responsible_ai(m, answers),
    }
    return {key: given for key, given in document.items() if given not in (None, [], "")}


def _summary(m: dict[str, Any]) -> str:
    return (
        f"{count(value(m, 'sizes', 'documents'))} documents, {bytes_(value(m, 'sizes', 'bytes'))} "
        f"of text, from {count(value(m, 'sizes', 'sources'))} sources."
    )


def _licenses(m: dict[str, Any], said: dict[str, Any]) -> list[str]:
    if said.get("license"):
        return [_license_url(said["license"])]
    names = [row["license"] for row in rows(m, "licenses") if row["documents"]]
    return [_license_url(name) for name in names[:MOST_LICENSES]]


def _license_url(expression: str) -> str:
    """The SPDX page of a single license; an expression stays as it is."""
    single = SPDX_ID.fullmatch(expression) and expression != "NOASSERTION"
    if not single or expression.startswith("LicenseRef"):
        return expression
    return f"https://spdx.org/licenses/{expression}.html"


def _distribution(m: dict[str, Any]) -> list[Row]:
    """The corpus directory as a repository, its files with their digests, and two sets of them.

    A set of files in a repository is the one form whose many Parquet files mlcroissant reads as one
    table (it is what the Hugging Face hub writes); a repository at a relative path is not cloned.
    """
    listed = rows(m, "files")
    if not listed:
        return []
    names = "".join(f"{row['sha256']}  {row['path']}\n" for row in listed)
    repository = {
        "@type": "cr:FileObject",
        "@id": REPOSITORY,
        "name": REPOSITORY,
        "description": "The corpus directory; its digest is that of the list of its files.",
        "contentUrl": "..",
        "encodingFormat": "git+https",
        "sha256": hashlib.sha256(names.encode()).hexdigest(),
    }
    files = [
        {
            "@type": "cr:FileObject",
            "@id": row["path"],
            "name": row["path"],
            "containedIn": {"@id": REPOSITORY},
            "contentUrl": row["path"],
            "contentSize": f"{row['bytes']} B",
            "encodingFormat": FORMATS.get(PurePosixPath(row["path"]).suffix, "text/plain"),
            "sha256": row["sha256"],
        }
        for row in listed
    ]
    sets = [
        {
            "@type": "cr:FileSet",
            "@id": f"{folder}-files",
            "name": f"{folder}-files",
            "containedIn": {"@id": REPOSITORY},
            "encodingFormat": FORMATS[".parquet"],
            "includes": f"{folder}/part-*.parquet",
        }
        for folder in ("documents", "ledger")
    ]
    return [repository, *files, *sets]


def _documents() -> Row:
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"documents/{name}",
            "name": name,
            "description": text,
            "dataType": kind,
            "source": {"fileSet": {"@id": "documents-files"}, "extract": {"column": name}},
        }
        for name, kind, text in COLUMNS
    ]
    return {
        "@type": "cr:RecordSet",
        "@id": "documents",
        "name": "documents",
        "description": "One record per kept document.",
        "key": {"@id": "documents/id"},
        "field": fields,
    }


def _source_licenses(m: dict[str, Any]) -> list[Row]:
    """A record per source and license: what each source is under, and how many documents."""
    data = [
        {
            "source_licenses/source": row["source"],
            "source_licenses/license": pair["license"],
            "source_licenses/documents": pair["documents"],
        }
        for row in rows(m, "sources")
        for pair in row["licenses"]
    ]
    if not data:
        return []
    kinds = (("source", "sc:Text"), ("license", "sc:Text"), ("documents", "sc:Integer"))
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"source_licenses/{name}",
            "name": name,
            "description": name,
            "dataType": kind,
        }
        for name, kind in kinds
    ]
    record_set = {
        "@type": "cr:RecordSet",
        "@id": "source_licenses",
        "name": "source_licenses",
        "description": "The licenses of each source, with their documents (the 20 most frequent).",
        "field": fields,
        "data": data,
    }
    return [record_set]


def _responsible_ai(m: dict[str, Any], answers: Answers) -> Row:
    def told(*names: str) -> str | None:
        texts = []
        for name in names:
            evidence = measured_answer(name, m)
            texts += [evidence.text] if evidence else []
            texts += [answers.by_question[name]] if name in answers.by_question else []
        return one_line(" ".join(texts)) or None

    dates = m["created"]
    return {
        "rai:dataCollection": told("collection.acquisition", "collection.mechanisms"),
        "rai:dataCollectionType": ["Secondary Data Analysis"],
        "rai:dataCollectionMissingData": told("composition.missing"),
        "rai:dataCollectionRawData": told("preprocessing.raw_data"),
        "rai:dataCollectionTimeframe": [day for day in (dates["earliest"], dates["latest"]) if day],
        "rai:dataPreprocessingProtocol": [
            f"{words(row['stage'])}: {count(row['docs_in'])} documents in, "
            f"{count(row['docs_kept'])} kept"
            for row in rows(m, "flow")
        ],
        "rai:machineAnnotationTools": ["Gristmill: language identification and quality signals"],
        "rai:dataBiases": [
            f"{row['source']}: {percent(row['share_bytes'])} of the text"
            for row in rows(m, "sources")[:20]
            if row["documents"]
        ],
        "rai:dataLimitations": [one_line(limit.text) for limit in known_limits(m)],
        "rai:dataUseCases": _list(told("motivation.purpose", "uses.other_uses")),
        "rai:dataSocialImpact": told("collection.impact"),
        "rai:personalSensitiveInformation": _list(
            told("composition.identifiable", "composition.sensitive")
        ),
        "rai:dataReleaseMaintenancePlan": told("maintenance.updates", "maintenance.versions"),
    }


def _list(text: str | None) -> list[str]:
    return [text] if text else []


CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""Croissant's own context (mlcroissant 1.1 writes the same)."""
