"""The fields of a record, as a template specifies them: a text, a chat, or a transcript."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from bridge.errors import ValueRejected
from bridge.questions import Misplaced, Name, Part, Title
from bridge.records import FieldValue
from bridge.text import check_text

MAX_MESSAGES = 500


class Repeat(Part):
    """A field that stands several times: ``response`` becomes response_1, response_2 and so on."""

    min: int = Field(2, ge=1, le=20)
    max: int = Field(10, ge=1, le=20)

    @model_validator(mode="after")
    def _range(self) -> Repeat:
        if self.min > self.max:
            raise Misplaced(("min",), f"it is above 'max', which is {self.max}")
        return self


class FieldSpec(Part):
    """One field of a record: a text, a chat between user and assistant, or a transcript of people talking.

    ``half`` fields stand side by side where the screen is wide enough.
    """

    name: Name
    title: Title
    type: Literal["text", "chat", "transcript"] = "text"
    required: bool = True
    half: bool = False
    repeat: Repeat | None = None

    def check(self, name: str, value: object) -> FieldValue:
        """Return the field's value in its one form, or say why it cannot be shown.

        Chats and transcripts take ``{"role", "content"}`` or ``{"speaker", "text"}`` messages.

        Raises:
            ValueRejected: the wrong type, blank, too long, or text that no server survives.
        """
        if self.type != "text":
            return _check_messages(name, value)
        if not isinstance(value, str):
            raise ValueRejected(f"{name}: {_kind(value)} where a text is expected", remedy=f"give {name} as a text")
        check_text(value, name)
        if not value or value.isspace():
            raise ValueRejected(f"{name}: the text is blank", remedy=f"give {name} a text, or leave the record out")
        return value


def _check_messages(name: str, value: object) -> FieldValue:
    shape = f'give {name} as a list of {{"role": ..., "content": ...}} or {{"speaker": ..., "text": ...}} messages'
    if isinstance(value, str):
        shape += ", or use a template of your own in which it is of type text"
    if not isinstance(value, list) or not value:
        raise ValueRejected(f"{name}: {_kind(value)} where a list of messages is expected", remedy=shape)
    if len(value) > MAX_MESSAGES * 10:
        raise ValueRejected(f"{name}: {len(value):,} messages are too many", remedy="split the conversation")
    messages = []
    for number, message in enumerate(value, 1):
        pair = _role_and_content(message)
        if pair is None:
            raise ValueRejected(f"{name}: message {number} is not a message", remedy=shape)
        role, content = pair
        check_text(role, f"{name}: role of message {number}", limit=200)
        check_text(content, f"{name}: message {number}")
        if not role.strip():
            raise ValueRejected(f"{name}: message {number} has no role", remedy=shape)
        messages.append({"role": role, "content": content})
    if not any(message["content"].strip() for message in messages):
        raise ValueRejected(f"{name}: no message has a text", remedy="leave the record out")
    return messages


def _role_and_content(message: object) -> tuple[str, str] | None:
    if isinstance(message, dict):
        for keys in (("role", "content"), ("speaker", "text")):
            if set(message) == set(keys):
                role, content = (message[key] for key in keys)
                if isinstance(role, str) and isinstance(content, str):
                    return role, content
    return None


def _kind(value: object) -> str:
    names: dict[type, str] = {
        type(None): "nothing",
        bool: "true or false",
        dict: "an object",
        list: "a list",
        str: "a text",
    }
    return names.get(type(value), "a number" if isinstance(value, int | float) else type(value).__name__)
