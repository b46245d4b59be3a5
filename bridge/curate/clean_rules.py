"""The rules of cleaning that change a text: one function each, from text to text.

Code stays as it is: blocks between fences and passages between backticks are put aside before a rule sees the text,
and back in their places afterwards (:func:`apart_from_code`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import cache
from html import unescape

from bridge.errors import UsageError

Rule = Callable[[str], str]

# -- code


_FENCE = re.compile(r"`{3,}|~{3,}")
_LANGUAGE = re.compile(r"[\w+#.-]*")
_INLINE = re.compile(r"(?<!`)(`+)(?!`)[^\n]{1,2000}?(?<!`)\1(?!`)")


def code_blocks(text: str) -> tuple[list[tuple[int, int]], bool]:
    """Where the fenced blocks of a text stand, fences included, and whether the last one is never closed.

    The rules are CommonMark's, a little wider, as models write: a fence may be indented by any amount, and a block may
    open behind other words of its line.

    >>> code_blocks("Run:\\n```sh\\nls\\n```\\nor ```py\\nx")
    ([(5, 17), (21, 28)], True)
    """
    blocks = []
    position = start = 0
    opened = ""
    leads = True
    for line in text.split("\n"):
        found = _FENCE.search(line)
        if found and not opened:
            leads = not line[: found.start()].strip()
            rest = line[found.end() :].strip()
            if leads if found[0][0] == "~" else "`" not in rest and (leads or _LANGUAGE.fullmatch(rest)):
                opened, start = found[0], position + found.start()
        elif found and found[0].startswith(opened):
            closing = line.strip()
            if closing.endswith(opened) and (not leads or closing == found[0]):
                blocks.append((start, position + len(line.rstrip())))
                opened = ""
        position += len(line) + 1
    if opened:
        blocks.append((start, len(text)))
    return blocks, bool(opened)


def code_places(text: str) -> list[tuple[int, int]]:
    """Where all code of a text stands: fenced blocks, and passages between backticks.

    >>> code_places("Use `x  y`, or\\n```\\na\\n```")
    [(4, 10), (15, 24)]
    """
    if "`" not in text and "~~~" not in text:
        return []
    blocks, _ = code_blocks(text)
    places, position = [], 0
    for start, end in [*blocks, (len(text), len(text))]:
        places += [match.span() for match in _INLINE.finditer(text, position, start)]
        if start < end:
            places.append((start, end))
        position = end
    return places


def apart_from_code(text: str) -> tuple[str, Callable[[str], str]]:
    """The text with one character of no meaning in the place of each piece of code, and what puts them back.

    >>> apart, back = apart_from_code("a  `b  c`")
    >>> back(apart.replace("  ", " "))
    'a `b  c`'
    """
    places = code_places(text)
    if not places:
        return text, lambda changed: changed
    stand_in = next(c for c in map(chr, range(0xF0000, 0xFFFFE)) if c not in text)
    kept, code, position = [], [], 0
    for start, end in places:
        kept.append(text[position:start])
        code.append(text[start:end])
        position = end
    kept.append(text[position:])

    def back(changed: str) -> str:
        around = changed.split(stand_in)
        assert len(around) == len(code) + 1, "rules leave characters for private use alone"
        return "".join(a + c for a, c in zip(around, [*code, ""], strict=True))

    return stand_in.join(kept), back


# -- entities


_ENTITY = re.compile(r"&(?:[A-Za-z][A-Za-z0-9]{1,31}|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});")
_MARKUP = re.compile(r"</?[A-Za-z][^<>\n]*>|\b(?:x?html5?|xml|svg|entit(?:y|ies))\b", re.IGNORECASE)


def has_entity(text: str) -> bool:
    """Whether a text holds what may be an HTML entity."""
    return "&" in text and _ENTITY.search(text) is not None


def speaks_of_markup(text: str) -> bool:
    """Whether a text holds tags or speaks of HTML, so that its entities are no accident.

    >>> speaks_of_markup("Write &amp;amp; in HTML."), speaks_of_markup("Tom &amp; Ann, 1 < 2")
    (True, False)
    """
    lower = text.lower()
    return ("<" in text or any(word in lower for word in _MARKUPS)) and _MARKUP.search(text) is not None


_MARKUPS = ("html", "xml", "svg", "entit")


def html(text: str) -> str:
    """Entities as the characters that they stand for.

    >>> html("Tom &amp; Ann&#39;s R&D, &copy 2026, &nosuch;")
    "Tom & Ann's R&D, &copy 2026, &nosuch;"
    """
    return _ENTITY.sub(lambda match: unescape(match[0]), text) if "&" in text else text


# -- encodings


def mojibake(text: str) -> str:
    """UTF-8 that somebody read as Latin-1, Windows-1252 or the like, read as what it is (ftfy), line by line.

    What cannot be read again whole is left: ftfy would put a replacement character there.

    >>> mojibake("the cafÃ© â€“ 20 â‚¬")
    'the café – 20 €'
    """
    if text.isascii():
        return text
    fix = _fix_encoding()
    lines = _UNTIL_CODE.split(text)
    return "".join(line if line.isascii() else fix(line) for line in lines)


# A line that holds a stand-in for code could not have been in another encoding as a whole; what is beside it can.
_UNTIL_CODE = re.compile("(\n|[\U000f0000-\U000ffffd])")


@cache
def _fix_encoding() -> Rule:
    try:
        from ftfy import TextFixerConfig, fix_encoding
    except ImportError:
        raise missing("ftfy", "mojibake") from None
    config = TextFixerConfig(replace_lossy_sequences=False)
    return lambda text: fix_encoding(text, config)


def missing(package: str, rule: str) -> UsageError:
    """The error for a rule whose package is not installed."""
    return UsageError(
        f"{rule}: this rule needs {package}, which is not installed",
        remedy=f"pip install 'annobridge[curate]', or switch it off: --off {rule}",
    )


# -- characters that nobody sees


_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\))?")
_BREAKS = str.maketrans({"\v": "\n", "\f": "\n", "\x85": "\n", "\u2028": "\n", "\u2029": "\n\n"})
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ufff9-\ufffb\ufdd0-\ufdef\ufffe\uffff]")
_HALF = re.compile("[\ud800-\udfff]")
_ODD = re.compile(  # any of these
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufff9-\ufffb\ufdd0-\ufdef\ufffe\uffff]"
)


def controls(text: str) -> str:
    """Control characters, escape sequences of terminals and non-characters go; rare line breaks become common ones.

    Half of a surrogate pair, which no server takes, becomes U+FFFD, so that it is seen that something is lost.

    >>> controls("\\x1b[31mred\\x1b[0m\\x07, next\\u2028line")
    'red, next\\nline'
    """
    if printable(text) or not _ODD.search(text):
        return text
    text = _CONTROL.sub("", _ESCAPE.sub("", text).translate(_BREAKS))
    return _HALF.sub("\ufffd", text)


def printable(text: str) -> bool:
    """Whether a text is ASCII without control characters, but for common white space: quickly found out."""
    return text.isascii() and text.replace("\n", "").replace("\t", "").replace("\r", "").isprintable()


def storable(text: str) -> str:
    """What no server and no file can hold, NUL and halves of surrogate pairs, goes from code too."""
    if "\0" in text:
        text = text.replace("\0", "")
    return text if text.isascii() else _HALF.sub("\ufffd", text)


# Scripts in which joiners shape letters or words have invisible bounds: Hebrew to Thaana and Arabic Extended,
# Devanagari to Khmer, Mongolian to Sundanese and Batak, and the forms of Arabic.
_SHAPED = re.compile(
    "[\u0590-\u08ff\u0900-\u109f\u1780-\u18af\u1900-\u1cff\ua840-\ua8ff\ua9e0-\uaaff\uabc0-\uabff\ufb1d-\ufdff"
    "\ufe70-\ufefc\U00010800-\U00011fff\U0001e900-\U0001eeff]"
)
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]")
_EMOJI = re.compile(
    "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u2460-\u24ff\u25a0-\u2bff\u3030\u303d\u3297\u3299"
    "\U0001f000-\U0001faff\ufe0f\U000e007f]"
)
_INVISIBLE = re.compile(
    "\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f"  # a flag of a region, such as that of Scotland: whole, or not
    "|[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
    "\U0001bca0-\U0001bca3\U000e0000-\U000e007f\U000e0100-\U000e01ef]"
)
_JOINERS = "\u200c\u200d"
_WORD_BOUNDS = "\u200b\u034f\u180e"
_DIRECTIONS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def zero_width(text: str) -> str:
    """Characters without width go, but for those that make a difference to what is seen.

    What stays: joiners in emoji and in scripts whose letters they shape (Arabic, Persian, Indic), marks of direction
    in texts with Hebrew or Arabic letters, word bounds in Thai and Khmer, variation selectors behind what they vary,
    and the flags of regions.

    >>> zero_width("\\ufeffzero\\u200bwidth so\\u00adft 👩\\u200d🚀 می\\u200cخواهم")
    'zerowidth soft 👩\\u200d🚀 می\\u200cخواهم'
    """
    if text.isascii() or not _INVISIBLE.search(text):
        return text
    while True:
        mixed = _RIGHT_TO_LEFT.search(text) is not None
        kept, position = [], 0
        before = ""  # the last character that stays
        for match in _INVISIBLE.finditer(text):
            kept.append(text[position : match.start()])
            before = kept[-1][-1:] or before
            if len(match[0]) > 1 or _seen(match[0], before, text[match.end() : match.end() + 1], mixed):
                kept.append(match[0])
                before = match[0][-1]
            position = match.end()
        kept.append(text[position:])
        shorter = "".join(kept)
        if shorter == text:
            return text
        text = shorter  # what stood between two characters may have kept one of them


def _seen(character: str, before: str, after: str, mixed: bool) -> bool:
    """Whether an invisible character between two others makes a difference to what is seen."""
    shaped = _SHAPED.match(before) is not None
    if character in _JOINERS:
        return (shaped and after not in _JOINERS) or (
            character == "\u200d" and _EMOJI.match(before) is not None and _EMOJI.match(after) is not None
        )
    if character in _WORD_BOUNDS:
        return shaped and _SHAPED.match(after) is not None
    if character in _DIRECTIONS:
        return mixed
    if "\ufe00" <= character <= "\ufe0f":
        keycap = character == "\ufe0f" and before != "" and before in "0123456789#*"
        return keycap or (before > "\x7f" and not before.isspace() and _INVISIBLE.match(before) is None)
    return character >= "\U000e0100" and _IDEOGRAPH.match(before) is not None


_IDEOGRAPH = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


# -- Unicode


def nfc(text: str) -> str:
    """Unicode's composed form, NFC: one character for a letter and its accent.

    >>> len(nfc("cafe\\u0301"))
    4
    """
    return text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)


# -- white space


_WIDE = re.compile("[\u1680\u2000-\u200a\u205f]")
# French sets one before and behind these, and many languages group digits with one.
_HARD = re.compile(r"(?<!«)(?:(?<!\d)[\u00a0\u202f]|[\u00a0\u202f](?!\d))(?![:;!?»%‰€$£°])")
_BLANK_LINES = re.compile(r"\n(?:[^\S\n]*\n){3,}")
_GAP = re.compile(r"(?<=[^\s|]) {2,}(?=[^\s|#/])")
_PROSE = re.compile(r"[^\W\d_]|[\"'“‘(¿¡]")


def whitespace(text: str) -> str:
    """White space as people type it.

    Line ends are line feeds, no line ends with blanks, three blank lines and more become one, the text neither starts
    nor ends with any, spaces of odd widths are spaces, and several between two words one. Indentation stays, and so do
    columns: several spaces in neighbouring lines, or in a line that does not start as prose does.

    >>> whitespace("So\\u00a0it   is. \\r\\n\\n\\n\\n\\nif x:\\n    y = 1\\nname   age\\nAnn     37\\n")
    'So it is.\\n\\nif x:\\n    y = 1\\nname   age\\nAnn     37'
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.isascii():
        text = _WIDE.sub(" ", text)
        if "\u00a0" in text or "\u202f" in text:
            text = _HARD.sub(" ", text)
    if " \n" in text or "\t\n" in text or not text.isascii():
        text = "\n".join([line.rstrip() for line in text.split("\n")])
    if "\n\n\n\n" in text:
        text = _BLANK_LINES.sub("\n\n", text)
    text = text.rstrip().lstrip("\n\v\f\r")
    if text[:1].isspace():
        text = _without_indentation(text)
    return _without_gaps(text) if "  " in text else text


def _without_indentation(text: str) -> str:
    """The text without the blanks that it starts with, unless they can mean something: code, or a line of a list."""
    first, _, rest = text.partition("\n")
    indentation = len(first) - len(first.lstrip())
    if indentation > 3 or "\t" in first[:indentation] or re.search(r"^[ \t]+\S", rest, re.MULTILINE):
        return text
    return text[indentation:]


def _without_gaps(text: str) -> str:
    lines = text.split("\n")
    gaps = [_GAP.search(line) is not None for line in lines]
    for number, line in enumerate(lines):
        alone = not any(gaps[max(0, number - 1) : number]) and not any(gaps[number + 1 : number + 2])
        if gaps[number] and alone and "\t" not in line and _PROSE.match(line):
            lines[number] = _GAP.sub(" ", line)
    return "\n".join(lines)


CHANGES: dict[str, Rule] = {
    "html": html,
    "mojibake": mojibake,
    "controls": controls,
    "zero_width": zero_width,
    "nfc": nfc,
    "whitespace": whitespace,
}
"""The rules that change texts, by name, in the order in which they are applied."""
