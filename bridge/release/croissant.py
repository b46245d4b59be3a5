"""``croissant.json``: what the files are and what their columns mean, for machines (MLCommons Croissant 1.0,
https://docs.mlcommons.org/croissant/docs/croissant-spec.html)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bridge.files import Reject, read_lines
from bridge.release.parts import Part

CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
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

_FORMATS = {"jsonl": "application/jsonlines", "parquet": "application/x-parquet"}


def croissant(folder: Path, parts: Sequence[Part], about: Mapping[str, str]) -> str:
    """The text of ``croissant.json``.

    Args:
        folder: of the release; of each file of rows the first lines are read, to learn what its columns hold.
        parts: the files of rows. All are listed; those of JSON Lines are described column by column.
        about: what stands at its head: ``name``, ``version``, ``description``, and ``license``, ``url``, ``citeAs``
            where they are known.
    """
    whole = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        **about,
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": part.path,
                "name": part.path,
                "contentUrl": part.path,
                "contentSize": f"{(folder / part.path).stat().st_size} B",
                "encodingFormat": _FORMATS[part.container],
                "sha256": part.sha256,
            }
            for part in parts
        ],
        "recordSet": [_record_set(folder, part) for part in parts if part.container == "jsonl"],
    }
    return json.dumps(whole, ensure_ascii=False, indent=2) + "\n"


def _record_set(folder: Path, part: Part) -> dict[str, Any]:
    name = f"{part.config}-{part.split}"
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": f"{part.rows} rows of the kind {part.kind} in the format {part.format}, split {part.split}",
        "field": [_field(name, part, column, value) for column, value in _columns(folder / part.path).items()],
    }


def _columns(path: Path) -> dict[tuple[str, str], Any]:
    """Column, and what lies in it, to a value that stands there; of all values the first that is something."""
    found: dict[tuple[str, str], Any] = {}
    for number, line in read_lines(path):
        if isinstance(line, Reject) or number > 100:
            break
        for column, value in line.items():
            for below, inner in _inside(value):
                if found.get((column, below)) is None:
                    found[column, below] = inner
    return found


def _inside(value: Any) -> Iterable[tuple[str, Any]]:
    """The JSON path of each plain value in a column, and the value; a list of objects has those of all of them."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield f"$.{name}", inner
    elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        for name in dict.fromkeys(name for item in value for name in item):
            yield f"[*].{name}", [item.get(name) for item in value]
    else:
        yield "", value


def _field(record_set: str, part: Part, column: tuple[str, str], value: Any) -> dict[str, Any]:
    name, below = column
    plain = value[0] if isinstance(value, list) and value else value
    types = {bool: "sc:Boolean", int: "sc:Integer", float: "sc:Float"}
    title = f"{name}.{below.rpartition('.')[2]}" if below else name
    source: dict[str, Any] = {"fileObject": {"@id": part.path}, "extract": {"column": name}}
    if below:
        source["transform"] = {"jsonPath": below}
    return {
        "@type": "cr:Field",
        "@id": f"{record_set}/{title}",
        "name": f"{record_set}/{title}",
        "dataType": types.get(type(plain), "sc:Text"),
        **({"repeated": True} if isinstance(value, list) else {}),
        "source": source,
    }
