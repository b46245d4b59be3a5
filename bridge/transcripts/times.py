"""Times as programs and people write them beside turns: clocks, times of the day, dates, and '3 minutes 5 seconds'."""

from __future__ import annotations

import re
from typing import NamedTuple

CLOCK = r"\d+(?::\d{1,2}){1,2}(?:[.,]\d{1,9})?"
"""A time of a recording or of the day, as a regular expression."""

_DATE = r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:,?\s+|T)"
_HALF = r"\s?[AaPp]\.?[Mm]\b\.?"
TIME = rf"(?:{_DATE})?{CLOCK}(?:{_HALF})?"
"""The same, also behind a date and before AM or PM."""

_SECONDS = re.compile(r"(?:(\d+):)?(\d{1,3}):(\d{1,2})(?:[.,](\d{1,9}))?", re.ASCII)
_MOMENT = re.compile(rf"({_DATE})?({CLOCK})({_HALF})?")
SPOKEN = rf"(?:\d{{1,5}}\s+[^\W\d_]{{1,12}}[\s,]*){{1,3}}(?:{CLOCK})?"
"""A time in words, with the same one in figures behind it or not, as a regular expression."""
_SPOKEN = re.compile(SPOKEN)
_SPOKEN_PART = re.compile(r"(\d{1,5})\s+([^\W\d_]{1,12})")
_SPOKEN_CLOCK = re.compile(rf"(?<![\d:]){CLOCK}\Z")
# The beginnings of hours, minutes and seconds in the languages that have one of these for them.
_UNITS = (
    (3600, ("hour", "stunde", "heure", "hora", "ora", "ore", "uur", "uren", "timm", "godz", "час")),
    (60, ("min", "мин", "хвил")),
    (1, ("sec", "sek", "seg", "сек")),
)


class Moment(NamedTuple):
    """A time, in seconds; and whether it is one of the day, and not one since the beginning."""

    seconds: float
    of_day: bool


def seconds(text: str) -> float | None:
    """A clock's time in seconds: ``[H:]MM:SS[.fff]``, any number of hours, point or comma.

    None if it is no time: over 59 seconds, or over 59 minutes where there are hours.

    >>> seconds("100:00:01,5"), seconds("01:02.250"), seconds("90:00"), seconds("00:61:00")
    (360001.5, 62.25, 5400.0, None)
    """
    match = _SECONDS.fullmatch(text)
    if not match or len(text) > 30:
        return None
    hours, minutes, whole, fraction = match.groups()
    if int(whole) > 59 or (hours is not None and int(minutes) > 59):
        return None
    thousandths = round(int(fraction) * 1000 / 10 ** len(fraction)) if fraction else 0
    return (((int(hours or 0) * 60 + int(minutes)) * 60 + int(whole)) * 1000 + thousandths) / 1000


def moment(text: str) -> Moment | None:
    """A time that may have a date before it, or AM or PM behind it; None if it is none.

    >>> moment("1:05"), moment("13:05 PM")
    (Moment(seconds=65.0, of_day=False), None)
    >>> moment("1:05 pm"), moment("2023-01-05 10:03:15").seconds
    (Moment(seconds=47100.0, of_day=True), 36195.0)
    """
    match = _MOMENT.fullmatch(text.strip())
    if not match or len(text) > 60:
        return None
    date, time, half = match.groups()
    if not date and not half:
        since = seconds(time)
        return None if since is None else Moment(since, of_day=False)
    # Of the day there are hours and minutes, and seconds on demand.
    at = seconds(time if time.count(":") == 2 else f"{time}:00")
    if at is None or at >= 86_400:
        return None
    if half:
        if not 1 <= at // 3600 < 13:
            return None
        at = at % 43_200 + (43_200 if half.strip()[0] in "Pp" else 0)
    return Moment(at, of_day=True)


def spoken(text: str) -> float | None:
    """A time in words, as Teams shows it; with figures behind it, in any language.

    >>> spoken("1 hour 2 minutes 3 seconds"), spoken("3 Minuten 1 Sekunde"), spoken("3 perc 1 mp3:01")
    (3723.0, 181.0, 181.0)
    >>> spoken("5 apples"), spoken("3 seconds 1 minute")
    (None, None)
    """
    text = text.strip()
    if len(text) > 80 or not text[:1].isdigit() or not _SPOKEN.fullmatch(text):
        return None
    figures = _SPOKEN_CLOCK.search(text)
    if figures:
        return seconds(figures[0])
    total, last = 0, 3601
    for number, word in _SPOKEN_PART.findall(text):
        unit = next((size for size, begins in _UNITS if word.lower().startswith(begins)), None)
        if unit is None or unit >= last:
            return None
        total, last = total + int(number) * unit, unit
    return float(total)
