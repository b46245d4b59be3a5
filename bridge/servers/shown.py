"""Texts as servers' pages show them right, whatever the server."""

from __future__ import annotations


def one_line_break(text: str) -> str:
    """A text whose carriage returns do not break the line once more.

    Each becomes one other character (before a line feed an invisible one), so that spans keep their offsets.

    >>> one_line_break("a\\r\\nb")
    'a\\u2060\\nb'
    """
    return text.replace("\r\n", "\u2060\n").replace("\r", "\n") if "\r" in text else text
