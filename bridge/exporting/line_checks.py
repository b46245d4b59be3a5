"""What is wrong with the structure of one line of a training file, each defect with its place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bridge.exporting.conversation import order_fault, system_fault
from bridge.exporting.defects import Defect
from bridge.exporting.row import Kind
from bridge.exporting.shapes import FROM, Shape, closest, recognise, strangers
from bridge.records import ROLES
from bridge.text import shown

_RESERVED = re.compile(
    r"input_ids|labels|images?|videos?|audios?|pixel_values|tools|chat_template_kwargs|.*_ids|.*_masks?|seq_lengths"
)
_MAY_BE_BLANK = frozenset(("input", "system"))
_SURROGATE = re.compile("[\ud800-\udfff]")


def check_line(line: Mapping[str, Any], kind: Kind | None = None) -> tuple[Shape | None, list[Defect]]:
    """The format of a line, and all that is wrong with its structure.

    Args:
        line: an object of a training file.
        kind: what it is to train; by default its columns decide.

    >>> line = {"prompt": "2 + 2?", "completion": "4 ", "label": 1}
    >>> [(defect.code, defect.text) for defect in check_line(line)[1]]
    [('unstripped', 'completion: white space after it'), ('label', 'label: 1 is not true or false')]
    """
    found = list(_values(line))
    shape = recognise(line, kind)
    if shape is None:
        name, missing = closest(line)
        lacks = f"; for {name} it lacks {', '.join(missing)}" if name else ""
        found.append(Defect("format", f"the columns are {shown(', '.join(map(str, line)) or 'none', 100)}{lacks}"))
        return None, found
    if kind is not None and kind not in shape.kinds:
        found.append(Defect("other_kind", f"{shape.name} is for {' or '.join(shape.kinds)}, and not for {kind}"))
    others = strangers(line, shape)
    if others:
        found.append(Defect("two_formats", f"{', '.join(others)} beside {', '.join(sorted(shape.needs))}", others[0]))
    found += _reserved(line, shape)
    found += _content(line, shape)
    nulls = {defect.place for defect in found if defect.code == "null"}
    return shape, [defect for defect in found if defect.code in ("null", "margin") or defect.place not in nulls]


def walk(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """All values in a line with their places, from the outside to the inside.

    >>> list(walk({"metadata": {"n": 1}, "messages": [{"role": "user"}]}))[1:3]
    [('metadata', {'n': 1}), ('metadata.n', 1)]
    """
    todo = [(place, value)]
    while todo:
        place, value = todo.pop()
        yield place, value
        if isinstance(value, Mapping):
            todo += [(f"{place}.{key}" if place else str(key), one) for key, one in reversed([*value.items()])]
        elif isinstance(value, list):
            todo += [(f"{place}[{number}]", one) for number, one in reversed([*enumerate(value)])]


def _values(line: Mapping[str, Any]) -> Iterator[Defect]:
    """What no value may be, wherever it stands."""
    for place, value in walk(line):
        if value is None:
            yield Defect("null", f"{place}: null", place)
        elif isinstance(value, str):
            if not value.isascii() and (half := _SURROGATE.search(value)):
                yield Defect("surrogate", f"{place}: U+{ord(half[0]):04X}, half of a surrogate pair", place)
        elif isinstance(value, float):
            if value != value or value in (float("inf"), float("-inf")):
                yield Defect("not_a_number", f"{place}: {value}", place)
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            yield Defect("big_integer", f"{place}: a whole number over 64 bits", place)
        elif not isinstance(value, int | list | Mapping):
            yield Defect("type", f"{place}: a value that JSON does not have ({type(value).__name__})", place)


def _reserved(line: Mapping[str, Any], shape: Shape) -> Iterator[Defect]:
    for name in line:
        if name in shape.needs or not _RESERVED.fullmatch(str(name)):
            continue
        if name == "tools" and "tools" in shape.may and _are_tools(line["tools"]):
            continue
        if name == "chat_template_kwargs" and isinstance(line[name], dict):
            continue
        yield Defect("reserved", f"{shown(name)}: a column of that name", str(name))


def _are_tools(value: Any) -> bool:
    """Whether a value describes tools, as templates expect it: objects, or a JSON text of them."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return False
    return isinstance(value, list) and all(isinstance(tool, dict) for tool in value)


# -- the columns of a format


def _content(line: Mapping[str, Any], shape: Shape) -> Iterator[Defect]:
    if shape.whole:
        value, sharegpt = line[shape.whole], shape.whole == "conversations"
        yield from _conversation(value, shape.whole, before=(), answered=True, sharegpt=sharegpt)
    elif shape.name == "ranked completions":
        yield from _ranked(line)
    else:
        yield from _sides(line, shape)
    for name in _MAY_BE_BLANK & line.keys() & (shape.may | shape.needs):
        if name != shape.prompt and line[name] is not None:
            yield from _text(line[name], name, may_be_blank=True)
    if "history" in line and "history" in shape.may:
        yield from _history(line["history"])
    yield from _numbers(line, shape)


def _sides(line: Mapping[str, Any], shape: Shape) -> Iterator[Defect]:
    """A prompt and one or two answers; the prompt may be a part of the answers."""
    prompt = line[shape.prompt] if shape.prompt else None
    if shape.name == "openai preference":
        if not isinstance(prompt, dict) or "messages" not in prompt:
            yield Defect("type", 'input: not {"messages": [...]}', "input")
            return
        prompt = prompt["messages"]
    place = "input.messages" if shape.name == "openai preference" else shape.prompt
    roles: tuple[str, ...] = ()
    if isinstance(prompt, str) and shape.prompt not in ("messages", "conversations") and place != "input.messages":
        yield from _text(prompt, place, may_be_blank=False)
    elif isinstance(prompt, list):
        sharegpt = shape.prompt == "conversations"
        yield from _conversation(prompt, place, before=(), answered=False, sharegpt=sharegpt)
        roles = _roles(prompt)
    elif shape.prompt and prompt is not None:
        yield Defect("type", f"{place}: {_what(prompt)} where a text or messages are expected", place)
    for name in shape.answers:
        yield from _answer(line[name], name, prompt, roles, shape)
    if shape.is_pair and not shape.prompt:
        yield from _one_prompt(line[shape.answers[0]], line[shape.answers[1]])
    if shape.is_pair and isinstance(prompt, str) and prompt.strip():
        texts = [line[name] for name in shape.answers]
        if all(isinstance(text, str) and text.startswith(prompt) and text != prompt for text in texts):
            yield Defect("prompt_doubled", f"{' and '.join(shape.answers)} begin with the prompt", shape.answers[0])


def _answer(value: Any, name: str, prompt: Any, roles: tuple[str, ...], shape: Shape) -> Iterator[Defect]:
    as_messages = isinstance(prompt, list)
    if isinstance(value, str):
        if as_messages:
            yield Defect("mixed_prompt", f"{name}: a text, where {shape.prompt} is a list of messages", name)
        elif shape.name != "text":
            yield from _text(value, name, may_be_blank=False)
        elif not value.strip():
            yield Defect("empty", f"{name}: blank", name)
        if shape.prompt == "prompt" and not shape.is_pair and isinstance(prompt, str):
            yield from _doubled_text(value, prompt, name)
    elif isinstance(value, dict) and shape.prompt in ("messages", "conversations"):
        yield from _conversation(value, name, before=roles, answered=True, sharegpt=shape.prompt == "conversations")
    elif isinstance(value, list) and shape.prompt not in ("messages", "conversations"):
        if isinstance(prompt, str):
            yield Defect("mixed_prompt", f"{name}: a list, where {shape.prompt} is a text", name)
        elif as_messages and 0 < len(prompt) < len(value) and value[: len(prompt)] == prompt:
            yield Defect("prompt_doubled", f"{name}: it begins with the messages of the prompt", name)
        elif shape.is_pair and as_messages and len(value) > 1:
            yield Defect("several_messages", f"{name}: {len(value)} messages", name)
        else:
            yield from _conversation(value, name, before=roles, answered=True)
    elif value is not None:
        expected = "one message is" if shape.prompt in ("messages", "conversations") else "a text or messages are"
        yield Defect("type", f"{name}: {_what(value)} where {expected} expected", name)


def _doubled_text(answer: str, prompt: str, name: str) -> Iterator[Defect]:
    # An answer may well begin with the few words of a short question.
    if len(prompt) >= 20 and answer.startswith(prompt) and answer != prompt:
        yield Defect("prompt_doubled", f"{name}: it begins with the prompt", name)


def _one_prompt(chosen: Any, rejected: Any) -> Iterator[Defect]:
    """What is wrong with two whole conversations that are to begin alike."""
    if isinstance(chosen, list) and isinstance(rejected, list):
        if chosen and rejected and chosen[:-1] != rejected[:-1]:
            yield Defect("prompts_differ", "chosen and rejected: the messages before the last differ", "chosen")
    elif chosen is not None and rejected is not None and type(chosen) is not type(rejected):
        yield Defect("mixed_prompt", f"chosen is {_what(chosen)}, and rejected {_what(rejected)}", "chosen")


def _ranked(line: Mapping[str, Any]) -> Iterator[Defect]:
    context, entries = line["context"], line["completions"]
    yield from _conversation(context, "context", before=(), answered=False)
    if not isinstance(entries, list) or len(entries) < 2:
        yield Defect("type", "completions: not a list of two and more", "completions")
        return
    roles = _roles(context) if isinstance(context, list) else ()
    ranks = []
    for number, entry in enumerate(entries):
        place = f"completions[{number}]"
        if not isinstance(entry, dict) or not {"rank", "completion"} <= entry.keys():
            yield Defect("type", f'{place}: not {{"rank": ..., "completion": [...]}}', place)
            continue
        ranks.append(entry["rank"])
        if not _is_number(entry["rank"]):
            yield Defect("score", f"{place}.rank: {shown(entry['rank'])} is not a number", f"{place}.rank")
        yield from _conversation(entry["completion"], f"{place}.completion", before=roles, answered=True)
    if len(ranks) != len({str(rank) for rank in ranks}):
        yield Defect("equal", "completions: two have the same rank", "completions")


def _history(value: Any) -> Iterator[Defect]:
    if not isinstance(value, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in value):
        if value is not None:
            yield Defect("type", "history: not a list of pairs of texts", "history")
        return
    for number, pair in enumerate(value):
        for side, text in enumerate(pair):
            if text is not None:
                yield from _text(text, f"history[{number}][{side}]", may_be_blank=False)


def _numbers(line: Mapping[str, Any], shape: Shape) -> Iterator[Defect]:
    if shape.label and not isinstance(line[shape.label], bool) and line[shape.label] is not None:
        yield Defect("label", f"{shape.label}: {shown(line[shape.label])} is not true or false", shape.label)
    if "margin" in line and "margin" in shape.may and not _is_number(line["margin"]):
        what = "null" if line["margin"] is None else f"{shown(line['margin'])} is not a number"
        yield Defect("margin", f"margin: {what}", "margin")
    if shape.score and not _is_number(line[shape.score]) and line[shape.score] is not None:
        yield Defect("score", f"{shape.score}: {shown(line[shape.score])} is not a number", shape.score)


# -- texts and messages


def _text(value: Any, place: str, *, may_be_blank: bool) -> Iterator[Defect]:
    if not isinstance(value, str):
        yield Defect("type", f"{place}: {_what(value)} where a text is expected", place)
    elif not value.strip():
        if value or not may_be_blank:
            yield Defect("empty", f"{place}: blank", place)
    elif value.strip() != value:
        yield Defect("unstripped", f"{place}: white space {'before' if value[0].isspace() else 'after'} it", place)


def _conversation(
    value: Any, place: str, *, before: tuple[str, ...], answered: bool, sharegpt: bool = False
) -> Iterator[Defect]:
    """What is wrong with messages, which follow those of some roles; an object is the only one of them."""
    alone = isinstance(value, dict)
    messages = [value] if alone else value
    if not isinstance(messages, list):
        if value is not None:
            yield Defect("type", f"{place}: {_what(value)} where a list of messages is expected", place)
        return
    if not messages:
        yield Defect("empty", f"{place}: there are no messages", place)
        return
    known = True
    for number, message in enumerate(messages):
        for defect in _message(message, place if alone else f"{place}[{number}]", sharegpt=sharegpt):
            known = known and defect.code not in ("message_keys", "role", "type")
            yield defect
    whole = (*before, *_roles(messages))
    if not known or len(whole) != len(before) + len(messages):
        return  # in what order they stand cannot be told
    if late := system_fault(whole):
        yield Defect("system_first", f"{place}: {late}", place)
    if fault := order_fault(whole, answered=answered):
        yield Defect("role_order", f"{place}: {fault}", place)


def _message(message: Any, place: str, *, sharegpt: bool) -> Iterator[Defect]:
    if not isinstance(message, dict):
        yield Defect("type", f"{place}: {_what(message)} where a message is expected", place)
        return
    role_key, content_key = ("from", "value") if sharegpt and "role" not in message else ("role", "content")
    called = "tool_calls" in message or "function_call" in message
    if role_key not in message or (content_key not in message and not called):
        keys = ", ".join(map(str, message)) or "none"
        yield Defect("message_keys", f"{place}: no {role_key} or no {content_key}; its keys are {shown(keys)}", place)
        return
    role, content = message[role_key], message.get(content_key, "")
    known = FROM if role_key == "from" else dict.fromkeys(ROLES)
    if role is not None and (not isinstance(role, str) or role not in known):
        yield Defect("role", f"{place}.{role_key}: {shown(role)} is none of {', '.join(known)}", f"{place}.{role_key}")
    if isinstance(content, list):
        yield Defect("content_list", f"{place}.{content_key}: a list", f"{place}.{content_key}")
    elif content is not None and not (called and content == ""):
        yield from _text(content, f"{place}.{content_key}", may_be_blank=False)
    if "weight" in message and message["weight"] is not None and message["weight"] not in (0, 1):
        yield Defect("weight", f"{place}.weight: {shown(message['weight'])} is neither 0 nor 1", f"{place}.weight")


def _roles(messages: Sequence[Any]) -> tuple[str, ...]:
    found = []
    for message in messages:
        if isinstance(message, dict):
            role = message.get("role", message.get("from"))
            found.append(FROM.get(role, role) if isinstance(role, str) and "role" not in message else role)
    return tuple(role for role in found if isinstance(role, str))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _what(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    kinds = {str: "a text", dict: "an object", list: "a list", int: "a number", float: "a number", type(None): "null"}
    return kinds.get(type(value), type(value).__name__)
