"""What text may leave us, and how its characters are counted.

A lone surrogate makes a whole Label Studio project unreadable, and poisons an Argilla dataset behind a
reply that looks harmless (both measured on real servers), so such text is stopped here, before anything is sent.
"""

from __future__ import annotations

import re
import unicodedata

from bridge.errors import ValueRejected

MAX_TEXT = 1_000_000
"""Longest text of one field or message, in Unicode code points. A person cannot read more than that in one task."""

MAX_KEY = 200
"""Longest record key, in code points (Argilla's limit for an external id that stays searchable)."""


def check_text(text: str, name: str = "text", *, limit: int = MAX_TEXT) -> str:
    """Return ``text`` unchanged if it can be stored, shown and sent anywhere; otherwise say what is wrong.

    Raises:
        ValueRejected: over ``limit`` code points, a NUL character, or half of a surrogate pair.

    >>> check_text("tabs\\tand 😀 are fine")
    'tabs\\tand 😀 are fine'
    >>> check_text("\\ud83d", "prompt")
    Traceback (most recent call last):
    ...
    bridge.errors.ValueRejected: prompt: character 1 is U+D83D, half of a surrogate pair
      remedy: write the emoji or character whole (as UTF-8, or as both halves in JSON)
    """
    if len(text) > limit:
        raise ValueRejected(
            f"{name}: {len(text):,} characters, more than the {limit:,} that a person can be shown",
            remedy="split the text into several records",
        )
    if "\0" in text:
        raise ValueRejected(
            f"{name}: character {text.index(chr(0)) + 1} is NUL, so this is binary data and not text",
            remedy="decode it to text first",
        )
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueRejected(
                f"{name}: character {error.start + 1} is U+{ord(text[error.start]):04X}, half of a surrogate pair",
                remedy="write the emoji or character whole (as UTF-8, or as both halves in JSON)",
            ) from None
    return text


def reorders(text: str) -> bool:
    """Whether a text holds invisible characters that change the order in which others are shown.

    They belong into some Arabic and Hebrew texts; elsewhere they can make a person read what is not there
    (https://trojansource.codes), so records that have some are named.

    >>> reorders("return \\u202e;0"), reorders("שלום")
    (True, False)
    """
    return not text.isascii() and _REORDERING.search(text) is not None


_REORDERING = re.compile("[\\u202a-\\u202e\\u2066-\\u2069]")


def check_key(key: object) -> str:
    """Return a record key as text, or say why it cannot be one.

    A key is 1 to 200 visible characters; whole numbers become text, so that an id column can be used as it is.

    Raises:
        ValueRejected: empty, too long, of another type, or with control characters.

    >>> check_key(17)
    '17'
    """
    if type(key) is str and key.isascii() and key.isprintable() and key.strip() and len(key) <= MAX_KEY:
        return key  # as nearly all are; there may be millions
    if isinstance(key, int) and not isinstance(key, bool):
        # Python refuses to write out a number of thousands of digits.
        key = str(key) if abs(key) < 10**MAX_KEY else "9" * (MAX_KEY + 1)
    if not isinstance(key, str):
        raise ValueRejected(
            f"key: {type(key).__name__} cannot be a record's key", remedy="use text or a whole number as the id"
        )
    if len(key) > MAX_KEY:
        raise ValueRejected(
            f"key: more than {MAX_KEY} characters",
            remedy="use a column with shorter ids, or leave out --id: then a hash of the fields is the key",
        )
    check_text(key, "key")
    if not key.strip() or has_control(key):
        raise ValueRejected("key: empty, or with control characters", remedy="use 1 to 200 visible characters")
    return key


def shown(value: object, limit: int = 60) -> str:
    """A value as messages quote it: printable and at most ``limit`` characters, whatever it is.

    >>> shown("a\\nb"), shown("x" * 100, 10), shown(10**5000)
    ("'a\\\\nb'", "'xxxxxx...", 'int')
    """
    try:
        text = repr(value[: limit + 1] if isinstance(value, str | bytes) else value)
    except (ValueError, RecursionError):  # a number of thousands of digits, or a list in a list, a thousand times over
        text = type(value).__name__
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def has_control(text: str) -> bool:
    """Whether a text holds control characters (line breaks and tabs count).

    >>> has_control("a\\tb"), has_control("a b")
    (True, False)
    """
    return not text.isprintable() and any(unicodedata.category(c) == "Cc" for c in text)


def utf16_offset(text: str, offset: int) -> int:
    """Convert an offset in code points to one in UTF-16 units, the way browsers count.

    >>> utf16_offset("😀 ok", 2)
    3
    """
    return offset + sum(c > "\uffff" for c in text[:offset])


def code_point_offset(text: str, offset: int) -> int:
    """Convert an offset in UTF-16 units to one in code points; the inverse of :func:`utf16_offset`.

    Raises:
        ValueRejected: the offset falls inside a surrogate pair or behind the end of the text.

    >>> code_point_offset("😀 ok", 3)
    2
    """
    units = index = 0
    while units < offset and index < len(text):
        units += 2 if text[index] > "\uffff" else 1
        index += 1
    if units != offset:
        raise ValueRejected(
            f"offset {offset} is not the start of a character in a text of {len(text)} characters",
            remedy="count in UTF-16 units, both halves of an emoji included",
        )
    return index


def same_text(left: str, right: str) -> bool:
    """Whether two texts say the same once Unicode form (NFC) and white space are normalised.

    >>> same_text("caf\\u00e9  au lait\\n", "cafe\\u0301 au lait")
    True
    """
    if left.isascii() and right.isascii():  # then there is but one Unicode form
        return left == right or (left.split(None, 1)[:1] == right.split(None, 1)[:1] and left.split() == right.split())
    # Most texts differ in their first word already, which white space around it does not change.
    return left == right or (_first_word(left) == _first_word(right) and plain(left) == plain(right))


def _first_word(text: str) -> str:
    return plain("".join(text.split(None, 1)[:1]))


def plain(text: str) -> str:
    """A text in one Unicode form (NFC), with single spaces for all white space.

    >>> plain("cafe\\u0301\\n au lait ")
    'café au lait'
    """
    return " ".join(unicodedata.normalize("NFC", text).split())
