"""The text of a cue: markup taken off, and whoever speaks in it."""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterator, Sequence

from bridge.transcripts.forms import Cue, named
from bridge.transcripts.turns import Turn

_VOICE = re.compile(r"<v(?:\.[^\s<>]{0,200})?(?:[ \t]([^<>]{0,200}))?>", re.IGNORECASE)
_WHOLE = re.compile(r"<v ([^<>]*)>([^<]*)</v>")
_TAGS = re.compile(
    r"</?(?:c|i|b|u|s|em|strong|ruby|rt|lang|v|font|span|p|div)(?:[.\s][^<>]*)?/?>"
    r"|<\d+(?::\d\d){1,2}[.,]\d{1,3}>|\{\\an?\d{1,2}\}",
    re.IGNORECASE,
)
_BREAK = re.compile(r"<br\s?/?>", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,31});")
_TIME_INSIDE = re.compile(r"<\d+(?::\d\d){1,2}[.,]\d{1,3}>")


def cue_turns(
    times: Cue, mark: int, texts: Sequence[tuple[int, str]], names: Collection[str] | None, voice: str = ""
) -> Iterator[Turn]:
    """The turns of one cue: one, or one for each voice in it.

    Args:
        times: of the cue.
        mark: the line of its times.
        texts: the lines below, with their numbers.
        names: who may stand as ``Name: text``; the first line of a cue may bring a new name. None if nobody does.
        voice: who speaks where the text does not say it.

    >>> times = Cue(1.0, 2.0, False)
    >>> lines = [(2, "<v Ann>2 &lt; 3, <i>no</i>?")]
    >>> [(turn.speaker, turn.text) for turn in cue_turns(times, 1, lines, None)]
    [('Ann', '2 < 3, no?')]
    >>> lines = [(2, "Ann: I would"), (3, "say: yes."), (4, "Bo: Me too.")]
    >>> [(turn.speaker, turn.text, turn.lines) for turn in cue_turns(times, 1, lines, {"Ann", "Bo"})]
    [('Ann', 'I would\\nsay: yes.', (1, 3)), ('Bo', 'Me too.', (4, 4))]
    """
    parts: list[tuple[str, int, int, list[str]]] = []  # speaker, first and last line, text
    for place, (number, line) in enumerate(texts):
        for speaker, said in _voices(line, voice):
            voice = speaker
            text = _plain(said)
            begun = named(text) if names is not None and not speaker else None
            if begun and (place == 0 or begun.speaker in (names or ())):
                parts.append((begun.speaker, number, number, [begun.text]))
            elif parts and (parts[-1][0] == speaker or not speaker):
                parts[-1] = (*parts[-1][:2], number, [*parts[-1][3], text])
            else:
                parts.append((speaker, number, number, [text]))
    first = mark
    for speaker, _, last, said_lines in parts:
        text = "\n".join(said_lines).strip()
        if text:
            yield Turn(speaker, text, (min(first, last), last), times.start, times.end)
            first = last + 1


def has_time_inside(line: str) -> bool:
    """Whether words of a line have times of their own.

    >>> has_time_inside("so<00:01.640><c> today</c>"), has_time_inside("<v Ann>so")
    (True, False)
    """
    return "<" in line and _TIME_INSIDE.search(line) is not None


def without_repeats(before: Sequence[str], texts: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    """The lines of a cue without those at its beginning with which the one before ended.

    >>> without_repeats(["so", "today"], [(7, "today"), (8, "we<00:02.000><c> go</c>")])
    [(8, 'we<00:02.000><c> go</c>')]
    """
    plain = shown_lines(texts)
    most = min(len(before), len(plain))
    count = next((count for count in range(most, 0, -1) if plain[:count] == list(before[-count:])), 0)
    return list(texts[count:])


def shown_lines(texts: Sequence[tuple[int, str]]) -> list[str]:
    """The lines of a WebVTT cue as they are shown."""
    return [" ".join(_plain(line).split()) for _, line in texts]


def _voices(line: str, voice: str) -> Iterator[tuple[str, str]]:
    """The line in parts, each with who says it; a voice goes on until it is closed or another begins."""
    if "<" not in line:
        yield voice, line
        return
    whole = _WHOLE.fullmatch(line)
    if whole:
        yield _plain(whole[1]).strip(), whole[2]
        return
    end = 0
    for match in _VOICE.finditer(line):
        if line[end : match.start()].strip():
            yield voice, line[end : match.start()]
        voice, end = _plain(match[1] or "").strip(), match.end()
    yield voice, line[end:]


def _plain(text: str) -> str:
    if "<" in text or "{" in text:
        text = _TAGS.sub("", _BREAK.sub("\n", text))
    return _ENTITY.sub(lambda match: html.unescape(match[0]), text) if "&" in text else text
