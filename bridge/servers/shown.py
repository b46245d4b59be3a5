"""Texts as servers' pages show them right, whatever the server."""

from __future__ import annotations


def one_line_break(text: str) -> str:
    """A text whose carriage returns do not break the line once more.

    Each becomes one other character (before a line feed an invisible one), so that spans keep their offsets.

    >>> one_line_break("a\\r\\nb")
    'a\\u200b\\nb'
    """
    return text.replace("\r\n", _WINDOWS).replace("\r", "\n") if "\r" in text else text


def windows_line_breaks(text: str) -> str:
    """What :func:`one_line_break` was given, as far as that can be told.

    >>> windows_line_breaks(one_line_break("a\\r\\nb"))
    'a\\r\\nb'
    """
    return text.replace(_WINDOWS, "\r\n")


# A space of no width: a double click on the last word of a line does not take it along.
_WINDOWS = "\u200b\n"


def line_feeds(text: str) -> str:
    """A text as a browser's text box holds it, which knows only line feeds.

    >>> line_feeds("a\\r\\nb\\rc")
    'a\\nb\\nc'
    """
    return text.replace("\r\n", "\n").replace("\r", "\n")
