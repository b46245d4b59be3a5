"""Transcripts as rows that ``annobridge push`` reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from bridge.records import Message
from bridge.transcripts.forms import Form
from bridge.transcripts.json_forms import Reference
from bridge.transcripts.packing import Pack
from bridge.transcripts.preparing import Said
from bridge.transcripts.reading import Transcript


class Origin(NamedTuple):
    """Where rows come from: the name of the file, its form, and the hash of its bytes, by which splits keep together
    what comes from one transcript."""

    name: str
    form: Form
    digest: str

    @classmethod
    def of(cls, transcript: Transcript, *, is_named: bool) -> Origin:
        """The origin of a transcript; where it is not to be named, a piece of the hash is its name."""
        source = transcript.source
        number = f":{transcript.number}" if transcript.number else ""
        name = f"{source.path.name}{number}" if is_named else f"{source.digest[:8]}{source.path.suffix}"
        return cls(name, transcript.form, source.digest)


def spoken(turns: Sequence[Said]) -> list[dict[str, str]]:
    """Turns as a field of type transcript takes them: ``{"speaker", "text"}``."""
    return [{"speaker": turn.speaker, "text": turn.text} for turn in turns]


def chat(turns: Sequence[Said], assistant: str) -> list[Message]:
    """Turns as a chat between user and assistant, who take turns and of whom the assistant speaks last.

    Turns behind each other are one message. Where several others speak, their messages begin with their names.

    Args:
        turns: whole turns.
        assistant: who of the speakers is the assistant; all others are the user.

    >>> talk = (("Ann", "Hi."), ("Bo", "Yes?"), ("Ann", "Hm."))
    >>> said = [Said(who, text, (1, 1), None, None, [], {}) for who, text in talk]
    >>> chat(said, "bo")
    [{'role': 'user', 'content': 'Hi.'}, {'role': 'assistant', 'content': 'Yes?'}]
    """
    others = {turn.speaker for turn in turns if turn.speaker.casefold() != assistant.casefold()}
    messages: list[Message] = []
    for turn in turns:
        is_assistant = turn.speaker not in others
        text = turn.text if is_assistant or len(others) == 1 else f"{turn.speaker}: {turn.text}"
        role = "assistant" if is_assistant else "user"
        if messages and messages[-1]["role"] == role:
            messages[-1]["content"] += f"\n{text}"
        else:
            messages.append({"role": role, "content": text})
    while messages and messages[-1]["role"] == "user":
        messages.pop()
    return messages


def pack_row(origin: Origin, pack: Pack, assistant: str | None = None) -> dict[str, Any]:
    """A pack as a row: its turns in the column ``transcript`` (or as a chat, ``messages``); all else is metadata."""
    turns = cast("Sequence[Said]", pack.turns)
    shown: dict[str, Any] = {"transcript": spoken(turns)} if assistant is None else {"messages": chat(turns, assistant)}
    return {
        **shown,
        **_of(origin),
        "part": pack.number,
        "overlap": pack.overlap,
        "tokens": pack.tokens,
        **_reach(turns),
        "speakers": list(dict.fromkeys(turn.speaker for turn in turns)),
        "turns": [turn.origin() for turn in turns],
    }


def turn_row(origin: Origin, turn: Said) -> dict[str, Any]:
    """One turn as a row."""
    return {**turn.to_dict(), **_of(origin)}


def reference_row(origin: Origin, reference: Reference, turns: Sequence[Said]) -> dict[str, Any] | None:
    """A question that people have answered, as a row for the template follow_up_qa; None if nothing bears on it.

    Args:
        origin: where it stands.
        reference: the question, and the numbers of the turns that bear on it.
        turns: of the whole transcript.
    """
    spans = reference.spans
    bearing = [t for t in turns if not spans or any(a <= t.lines[1] and t.lines[0] <= b for a, b in spans)]
    if not bearing:
        return None
    return {
        "transcript": spoken(bearing),
        "question": reference.question,
        "answer": reference.answer,
        **_of(origin),
        **_reach(bearing),
        "operation": "reference",
    }


def _of(origin: Origin) -> dict[str, Any]:
    return {"source": origin.name, "form": origin.form, "root_id": origin.digest}


def _reach(turns: Sequence[Said]) -> dict[str, Any]:
    """The lines and times from the first turn to the last."""
    ends = [turn.end if turn.end is not None else turn.start for turn in turns]
    return {
        "lines": [turns[0].lines[0], turns[-1].lines[1]],
        "start": next((turn.start for turn in turns if turn.start is not None), None),
        "end": next((end for end in reversed(ends) if end is not None), None),
    }
