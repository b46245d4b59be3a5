"""Argilla: texts and fields as they must be stored, so that its page shows them character for character.

What a browser did with each kind of text was measured on Argilla 2.8.0.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

from bridge.errors import ValueRejected
from bridge.records import FieldValue
from bridge.servers.shown import one_line_break

MESSAGE_LENGTH = 20_000
"""Longest message of a chat, and the length that its role may have; the server's defaults."""
ROLE_LENGTH = 20
MESSAGES = 500
GUIDELINES_LENGTH = 10_000

_AGENT = re.compile(r"[^a-zA-Z0-9_:./\s-]")


def shown_text(text: str) -> str:
    """A text as it must be stored so that the page shows it character for character.

    Argilla puts plain text into its page as HTML: without this, ``<script>`` in a model's output runs with the
    annotator's login (measured), and images are fetched.

    >>> shown_text("a < b && <img src=x>")
    'a &lt; b &amp;&amp; &lt;img src=x&gt;'
    """
    return html.escape(one_line_break(text), quote=False)


def original_text(text: str) -> str:
    """What :func:`shown_text` was made of (but for carriage returns).

    >>> original_text(shown_text("a &lt; b"))
    'a &lt; b'
    """
    return html.unescape(text)


def shown_markdown(text: str) -> str:
    """A text as Markdown that shows it literally, line by line; for guidelines, which Argilla shows as Markdown.

    >>> shown_markdown("1. <b>Read</b>")
    '1\\\\. \\\\<b\\\\>Read\\\\</b\\\\>'
    """
    escaped = _MARKDOWN.sub(r"\\\g<0>", text).replace("$", "&#36;").replace("\t", "    ")
    # Two spaces at its end keep a line from running into the next; entities keep indentation from meaning code, and
    # empty lines from being thrown together.
    lines = (_INDENT.sub(lambda found: "&nbsp;" * len(found[0]), line) for line in escaped.split("\n"))
    return "  \n".join(line or "&nbsp;" for line in lines)


_MARKDOWN = re.compile(r"[\\`*_{}\[\]()<>#+=.!|~&:@^-]")
_INDENT = re.compile(r"^ +|(?<= ) +")


def shown_guidelines(text: str) -> str | None:
    """Guidelines as Argilla takes them: literal Markdown, as one block of code where that would be too long.

    >>> shown_guidelines("Rate *it*."), shown_guidelines("")
    ('Rate \\\\*it\\\\*\\\\.', None)
    """
    literal = shown_markdown(text)
    if len(literal) <= GUIDELINES_LENGTH:
        return literal if text else None
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def unrendered(text: str) -> str:
    """A text that Argilla shows as Markdown beside the box that it starts in, without what a browser would fetch.

    Once somebody has changed a suggested text, a tab shows the suggestion as Markdown, in which images, style sheets
    and embedded pages are fetched (measured). An invisible character behind ``<`` and ``!`` makes them text; it sticks
    to the character before it, so that both are deleted together. :func:`typed_text` takes it away again.

    >>> typed_text(unrendered("<img src=x> ![x](y) 1 < 2!\\n")) == "<img src=x> ![x](y) 1 < 2!\\n"
    True
    """
    text = _RENDERED.sub(rf"\g<0>{_VARIATION}", text)
    return f"{text}\n" if text.endswith("\n") else text


def typed_text(text: str) -> str:
    """What somebody left in a text box.

    The browser ends a text with a line break of its own as soon as somebody types at the end, so one is taken away;
    :func:`unrendered` gives one more to a text that has some.
    """
    return text.replace(f"<{_VARIATION}", "<").replace(f"!{_VARIATION}", "!").removesuffix("\n")


_VARIATION = "\ufe0e"
_RENDERED = re.compile(rf"<(?=[A-Za-z/!?{_VARIATION}])|!(?=[\[{_VARIATION}])")


def shown_field(value: FieldValue, kind: str, *, room: bool = False) -> Any:
    """A field's value as it is stored on the server.

    A chat becomes messages; a transcript becomes one text, because speakers' names may be longer than a role, and
    what they said may be longer than a message. With ``room`` a text is stored as long as its spans need: the page
    counts UTF-16 units, in which an emoji is two, and the server refuses offsets behind the last code point of what it
    stores, so each emoji is stored as an entity.

    Raises:
        ValueRejected: a message that Argilla cannot hold.
    """
    if kind == "chat" and not isinstance(value, str):
        return [_message(message, number) for number, message in enumerate(value, 1)]
    text = value if isinstance(value, str) else "\n\n".join(f"{m['role']}: {m['content']}" for m in value)
    stored = shown_text(text)
    return _ASTRAL.sub(lambda found: f"&#{ord(found[0])};", stored) if room else stored


# Not those that end a plane: they are no characters, and an entity cannot stand for them.
_ASTRAL = re.compile("[" + "".join(f"{chr(p << 16)}-{chr((p << 16) + 0xFFFD)}" for p in range(1, 17)) + "]")


def _message(message: Mapping[str, str], number: int) -> dict[str, str]:
    role, content = message["role"], shown_text(message["content"])
    if number > MESSAGES:
        raise ValueRejected(f"message {number}: Argilla shows {MESSAGES} at most", remedy="split the conversation")
    if len(role) > ROLE_LENGTH:
        raise ValueRejected(
            f"message {number}: the role has {len(role)} characters, Argilla takes {ROLE_LENGTH}",
            remedy="shorten it, or make the field a transcript",
        )
    if not content:
        raise ValueRejected(
            f"message {number}: it has no text, and Argilla takes no empty messages",
            remedy="leave the message out, or make the field a transcript",
        )
    if len(content) > MESSAGE_LENGTH:
        raise ValueRejected(
            f"message {number}: {len(content):,} characters as stored (& < > count more), Argilla takes "
            f"{MESSAGE_LENGTH:,}",
            remedy="shorten it, or make the field a transcript",
        )
    return {"role": role, "content": content}


def shown_agent(agent: str) -> str:
    """An agent's name with the characters that Argilla takes in it.

    >>> shown_agent("gpt-4o (mini)@v1")
    'gpt-4o _mini__v1'
    """
    return _AGENT.sub("_", agent)[:200]


def original_fields(fields: Mapping[str, Any]) -> dict[str, FieldValue]:
    """A record's fields as they were before they were made to be shown; only texts matter to answers."""
    return {name: original_text(value) if isinstance(value, str) else value for name, value in fields.items()}
