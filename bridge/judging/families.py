"""Which models are relatives: a judge favours what its own family wrote."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bridge.merging import Doubt
from bridge.records import Record

_SAME = {
    **dict.fromkeys(("o", "chatgpt"), "gpt"),
    **dict.fromkeys(("mixtral", "ministral", "codestral", "magistral", "pixtral"), "mistral"),
    **dict.fromkeys(("codellama",), "llama"),
    **dict.fromkeys(("qwq", "qvq"), "qwen"),
    **dict.fromkeys(("gemma", "palm", "bard"), "gemini"),
    "command": "cohere",
}


def family(model: str) -> str:
    """The family of a model, by its name: what stands before its size and version.

    >>> [family(name) for name in ("openai/gpt-4o-mini", "o3-mini", "meta-llama/Llama-3.1-8B-Instruct", "Qwen2.5-7B")]
    ['gpt', 'gpt', 'llama', 'qwen']
    >>> family("mixtral:8x7b"), family("")
    ('mistral', '')
    """
    name = re.split(r"[/\\]", model.strip().lower())[-1]
    stem = re.match(r"(?:meta[.-])?([a-z]+)", name)
    found = stem[1] if stem else ""
    return _SAME.get(found, found)


def writers(record: Record) -> list[str]:
    """The models that wrote a record, as far as its metadata says (``model``, several of them separated by commas or
    in a list).

    >>> writers(Record("r1", {"prompt": "?"}, metadata={"model": "small, large", "response_model": "other"}))
    ['small', 'large', 'other']
    """
    told = [record.metadata.get(name) for name in _WRITERS]
    each = [one for value in told for one in (value if isinstance(value, list) else [value])]
    return [name for one in each if isinstance(one, str) for part in one.split(",") if (name := part.strip())]


_WRITERS = ("model", "models", "model_name", "model_names", "response_model", "generator")


def relatives(judges: Iterable[str], wrote: Iterable[str]) -> list[Doubt]:
    """A warning for each judge of a family that wrote what it judges.

    >>> relatives(["gpt-4o"], ["gpt-4o-mini", "mistral-large"])[0].means
    'the judge gpt-4o is of the family of gpt-4o-mini, which wrote what it judges'
    """
    families = {family(model): model for model in sorted(set(wrote), reverse=True)}
    found = []
    for judge in dict.fromkeys(judges):
        if family(judge) in families and family(judge):
            reason = f"the judge {judge} is of the family of {families[family(judge)]}, which wrote what it judges"
            found.append(Doubt("relatives", reason, "judges favour their own family: take one of another"))
    return found
