"""From what a project is to a template: its training rules where there can be no doubt, and its YAML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml
from pydantic import ValidationError

from bridge.adopting.names import folded
from bridge.adopting.parts import Found, Shape, title_of
from bridge.complaints import complaints
from bridge.errors import InputError, ValueRejected
from bridge.questions import numbered
from bridge.records import ROLES, FieldValue
from bridge.templates import TaskTemplate

PROMPTS = {"prompt", "question", "instruction", "input", "query", "problem", "user_prompt", "user_input"}
RESPONSES = {"response", "answer", "output", "completion", "reply", "generation", "model_output", "model_response"}
REWRITES = ("rewrite", "rewritten", "improve", "correct", "edit", "better", "fixed")


def fit_to_records(shape: Shape, found: Sequence[Found]) -> None:
    """Complete the fields by what the records have: which are always there, and which dialogues are chats.

    A dialogue whose speakers are all called user, assistant, system or tool is a chat.
    """
    for part in shape.fields:
        name = part["name"]
        if "repeat" in part:
            counts = [count_of(one.fields, name) for one in found]
            part.setdefault("required", all(counts))
            continue
        part.setdefault("required", all(name in one.fields for one in found))
        values = [one.fields[name] for one in found if name in one.fields]
        roles = {turn["role"] for value in values if not isinstance(value, str) for turn in value}
        if part["type"] == "transcript" and roles and roles <= set(ROLES):
            part["type"] = "chat"


def count_of(fields: Iterable[str], stem: str) -> int:
    """How many of a record's fields are numbered ones of that stem.

    >>> count_of(["prompt", "item_1", "item_2"], "item")
    2
    """
    return sum((numbered(name) or ("", 0))[0] == stem for name in fields)


def draft(shape: Shape, name: str, found: Sequence[Found]) -> TaskTemplate:
    """The template of a project, with training rules where there can be no doubt.

    Rules are left out again where they would make a record unusable, as a chat that does not end with an answer.

    Raises:
        InputError: it makes no template.
    """
    body: dict[str, Any] = {
        "version": 1,
        "name": name,
        "title": title_of(shape.title, name),
        "guidelines": shape.guidelines,
        "fields": shape.fields,
        "questions": shape.questions,
    }
    try:
        plain = TaskTemplate.model_validate(body)
    except ValidationError as error:
        raise InputError(
            f"the project makes no template: {next(complaints(error)).reason:.200}",
            remedy="this should not happen: please report it with the project's settings",
        ) from None
    rules = training_rules(shape)
    if not rules:
        return plain
    trained = TaskTemplate.model_validate({**body, "training": rules})
    return trained if _still_fit(trained, plain, [one.fields for one in found]) else plain


def _still_fit(trained: TaskTemplate, plain: TaskTemplate, records: Iterable[Mapping[str, FieldValue]]) -> bool:
    def fits(template: TaskTemplate, fields: Mapping[str, FieldValue]) -> bool:
        try:
            template.check_fields(fields)
        except ValueRejected:
            return False
        return True

    return all(fits(trained, fields) or not fits(plain, fields) for fields in records)


def training_rules(shape: Shape) -> dict[str, Any]:
    """Training rules that follow from the names of fields and the kinds of questions; empty where there is doubt.

    - The prompt is the one text called like a prompt; the response the one called like a response. Where a project
      shows just two texts and one is a response, the other is its prompt. A chat alone is both.
    - A text question that starts as the response, or is called like a rewrite, gives SFT rows and DPO pairs.
    - A label that picks between two fields, and a ranking of fields, give SFT rows and DPO pairs, with the prompt.

    A rating or label alone gives none: nobody but you knows from which answer on a response is good enough.
    """
    texts = [part for part in shape.fields if part["type"] == "text" and "repeat" not in part]
    chats = [part["name"] for part in shape.fields if part["type"] == "chat"]
    prompts = [part["name"] for part in texts if _called(part, PROMPTS)]
    responses = [part["name"] for part in texts if _called(part, RESPONSES)]
    if chats and len(shape.fields) == 1:
        prompts, responses = chats, chats
    elif len(texts) == len(shape.fields) == 2 and len(responses) == 1 and not prompts:
        prompts = [part["name"] for part in texts if part["name"] not in responses]
    if len(prompts) != 1:
        return {}
    sft: list[dict[str, Any]] = []
    dpo: list[dict[str, Any]] = []
    for question in shape.questions:
        name = question["name"]
        picks = [option["picks"] for option in question.get("options", ()) if "picks" in option]
        compares = len(picks) > 1 or question["type"] == "ranking"
        if compares and prompts[0] not in (*picks, *_listed(question)):
            sft.append({"use": name})
            dpo.append({"pairs": name})
        elif len(responses) == 1 and _rewrites(question, responses[0]):
            sft.append({"use": name})
            dpo.append({"chosen": name, "rejected": responses[0]})
    return {"prompt": prompts[0], "sft": sft, "dpo": dpo} if sft else {}


def _called(part: Mapping[str, Any], words: set[str]) -> bool:
    return bool({part["name"], folded(part["title"])} & words)


def _listed(question: Mapping[str, Any]) -> list[str]:
    items = question.get("items", [])
    return items if isinstance(items, list) else []


def _rewrites(question: Mapping[str, Any], response: str) -> bool:
    if question["type"] != "text":
        return False
    if "prefill" in question:
        return bool(question["prefill"] == response)
    return any(word in f"{question['name']} {question['title'].casefold()}" for word in REWRITES)


# -- the file


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def yaml_of(template: TaskTemplate, source: str, notes: Sequence[str]) -> str:
    """The template as a commented YAML file.

    Args:
        template: what :func:`draft` made.
        source: where it comes from, for the first line.
        notes: what is not quite as it was.
    """
    body = {"version": 1, **template.model_dump(exclude_defaults=True)}
    body["questions"] = [{"name": part.pop("name"), "type": part.pop("type"), **part} for part in body["questions"]]
    lines = [f"# Adopted from {source} by `annobridge adopt`. Edit it as you like: adopting again keeps your edits."]
    lines += [f"# - {note}" for note in notes]
    text = yaml.dump(body, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=110)
    if template.training is None:
        text += _no_training(template)
    return "\n".join("".join(c if c.isprintable() else " " for c in line) for line in lines) + f"\n{text}"


def _no_training(template: TaskTemplate) -> str:
    """A comment that shows how training rules could look for this template."""
    names = [spec.name for spec in template.fields if spec.repeat is None]
    texts = names if len(names) > 1 else [*names, *names]
    conditions = [
        f"{question.name}: {{min: {question.max - 1}}}" for question in template.questions if question.type == "rating"
    ] + [
        f"{question.name}: [{yaml_word(question.options[0].value)}]"
        for question in template.questions
        if question.type == "label"
    ]
    when = f"\n#       when: {{{conditions[0]}}}" if conditions else ""
    return (
        "\n# Nothing here says how answers become training rows, because there is more than one way. To export, add"
        "\n# a section such as this one (docs/templates.md says what it can hold):\n#\n"
        f"# training:\n#   prompt: {texts[0]}\n#   sft:\n#     - use: {texts[-1]}{when}\n"
    )


def yaml_word(text: str) -> str:
    """A text as it stands inside a YAML list.

    >>> yaml_word("no"), yaml_word("good")
    ("'no'", 'good')
    """
    return str(yaml.dump([text], Dumper=_Dumper, allow_unicode=True, default_flow_style=True, width=10_000))[1:-2]
