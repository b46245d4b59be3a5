"""Prompts: what stands before the answer of a training row, from the fields of a record."""

from __future__ import annotations

from bridge.exporting.reasons import NoRow
from bridge.records import ROLES, FieldValue, Message, Record
from bridge.templates import TaskTemplate, Training


def prompt_messages(record: Record, template: TaskTemplate, training: Training) -> list[Message]:
    """The messages before the answer.

    A single chat gives its own messages, all of them, without the last one if that is the assistant's; an instruction
    goes to the front of its system message. Other fields are put after the instruction, with blank lines between them,
    as one message of the user; a transcript or chat among them has a line for each turn, with its speaker.

    Raises:
        NoRow: a text is blank, or the chat is none that trainers read.
    """
    instruction = training.instruction.strip()
    first = record.fields.get(training.prompt[0])
    if len(training.prompt) == 1 and isinstance(first, str):  # as in most tasks
        text = first.strip()
        if not text:
            raise NoRow("blank", training.prompt[0])
        return [{"role": "user", "content": f"{instruction}\n\n{text}" if instruction else text}]
    shown = {name: record.fields[name] for name in training.prompt if record.fields.get(name)}
    for name, value in shown.items():
        spec = template.field_for(name)
        if spec and spec.type == "chat" and isinstance(value, list) and value[-1]["role"] == "assistant":
            shown[name] = value[:-1]
    chat = next(iter(shown.values()), None)
    spec = template.field_for(training.prompt[0])
    if not (len(training.prompt) == 1 and spec and spec.type == "chat" and isinstance(chat, list)):
        texts = [instruction, *map(spoken, shown.values())]
        if not any(texts[1:]):
            raise NoRow("blank", " and ".join(training.prompt))
        return [{"role": "user", "content": "\n\n".join(filter(None, texts))}]
    messages = [{"role": message["role"], "content": message["content"].strip()} for message in chat]
    strangers = sorted({message["role"] for message in messages} - set(ROLES))
    if strangers:
        raise NoRow("role", training.prompt[0], f"the role {strangers[0]!r:.60} is none of {', '.join(ROLES)}")
    if not messages or messages[-1]["role"] not in ("user", "tool"):
        raise NoRow("role", training.prompt[0], "no turn of the user stands before the answer")
    if not all(message["content"] for message in messages):
        raise NoRow("blank", training.prompt[0], "a message is blank")
    if instruction:
        system = messages.pop(0)["content"] if messages[0]["role"] == "system" else ""
        messages.insert(0, {"role": "system", "content": f"{instruction}\n\n{system}".strip()})
    return messages


def spoken(value: FieldValue) -> str:
    """A field as text; of a conversation, one ``Speaker: text`` line for each turn that says something.

    >>> spoken([{"role": "Ann", "content": "Shall we?"}, {"role": "Bo ", "content": " Yes.\\n"}])
    'Ann: Shall we?\\nBo: Yes.'
    """
    if isinstance(value, str):
        return value.strip()
    turns = ((turn["role"].strip(), turn["content"].strip()) for turn in value)
    return "\n".join(f"{speaker}: {text}" for speaker, text in turns if text)
