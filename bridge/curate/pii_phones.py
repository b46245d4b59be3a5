"""Phone numbers among all the digits that are none.

Google's tables (the package ``phonenumbers``) say whether digits can be a number of a country. That alone takes
every tenth order number for one, so that shape and the word before decide with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

from bridge.curate.pii_kinds import Finder, Hit, W, cue, missing
from bridge.errors import UsageError

if TYPE_CHECKING:
    from types import ModuleType

    from phonenumbers import PhoneNumber

_RUN = re.compile(
    rf"(?<!{W})(?<![@#%])(?<![\w][-/.:,])"
    r"(?:\(?\+\s?)?\(?\d(?:[ \t\u00a0\u202f().\-/\u2010-\u2013]{0,3}\d){6,24}"
    r"(?:\s?(?:x|ext\.?|extension|#)\s?\d{1,6})?"
    rf"(?!{W}|[-/:.,%]\w)",
    re.IGNORECASE,
)
_EXTENSION = re.compile(r"\s?(?:x|ext\.?|extension|#)\s?\d{1,6}$", re.IGNORECASE)
_DATE = re.compile(
    r"(?<!\d)(?:(?:19|20)\d\d[-/.](?:0?[1-9]|1[0-2])[-/.](?:0?[1-9]|[12]\d|3[01])"
    r"|(?:0?[1-9]|[12]\d|3[01])[-/.](?:0?[1-9]|[12]\d|3[01])[-/.](?:19|20)\d\d|(?:19|20)\d\d\s?[-–/]\s?(?:19|20)\d\d)(?!\d)"
)
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:[ \u00a0\u202f]\d{3})+")
_DECIMAL = re.compile(r"\d+\.\d+")
_DOTTED = re.compile(r"\d{1,3}(?:\.\d{1,5}){3,}")
_NORTH_AMERICA = re.compile(r"(?:1[ .-])?(?:\(\d{3}\)\s?|\d{3}[-. /])\d{3}[-. ]\d{4}")
_ONE_OF_SEVERAL = re.compile(
    r"(?<![\d-])(?:\+?1[ .-])?(?:\([2-9]\d\d\)\s?|[2-9]\d\d[-.])\d{3}[-.]\d{4}(?![\d-])"
    r"|\+\d{1,3}[ .-]?\d[\d .-]{6,13}\d(?!\d)"
)
_SAID_AFTER = re.compile(
    r",?\s(?:is|was)\s(?:the|my|his|her|our|their|your)\s(?:(?:new|old|direct|private|phone|mobile|cell|fax|office|home)\s)*"
    r"(?:number(?!\sof\s(?!the\b))|phone|mobile|cell|fax)\b",
    re.IGNORECASE,
)
_COUNTRIES = ["GB", "DE", "FR", "IT", "CH", "AT", "NL", "BE", "SE", "AU", "NZ", "JP", "IN", "ZA", "IE", "FI"]
"""Where national numbers start with 0: a number in groups that starts so is likely to be one of them."""


def phones_finder(regions: Sequence[str]) -> Finder:
    """A finder of phone numbers.

    Args:
        regions: countries (``US``, ``DE``) whose national numbers are known without their country's code.

    Raises:
        UsageError: a region is none, or phonenumbers is not installed.

    >>> find = phones_finder(["US"])
    >>> [(hit.value, hit.sure) for hit in find("+44 20 7946 0958, (212) 555-0134 or call 2125550134")]
    [('+442079460958', 0.98), ('+12125550134', 0.9), ('+12125550134', 0.95)]
    >>> [hit.sure for hit in find("Order 2125550134, ISBN 0-306-40615-2, on 2024-01-15 12:30, pi is 3.1415926535")]
    [0.3]
    """
    library = _library()
    for region in regions:
        if region not in library.SUPPORTED_REGIONS:
            raise UsageError(
                f"region {region!r:.20}: no such country", remedy="use codes such as US, GB, DE (ISO 3166)"
            )

    def find(text: str) -> Iterator[Hit]:
        for match in _RUN.finditer(text):
            yield from _judged(text, match.start(), match.end(), regions)

    return find


@cache
def _library() -> ModuleType:
    try:
        import phonenumbers
    except ImportError:
        raise missing("phonenumbers", "phone") from None
    return phonenumbers


def _judged(text: str, start: int, end: int, regions: Sequence[str]) -> Iterator[Hit]:
    raw = text[start:end]
    if raw.count("(") > raw.count(")"):
        raw = raw.rstrip("(")
    while raw.startswith("(") and raw.count("(") > raw.count(")"):
        start, raw = start + 1, raw[1:]
    end = start + len(raw)
    number = _EXTENSION.sub("", raw)
    digits = re.sub(r"\D", "", number)
    if len(digits) > 15 or _together(number):
        found = list(_ONE_OF_SEVERAL.finditer(raw))
        if len(found) > 1 or (found and len(digits) > 15):
            for match in found:
                yield from _judged(text, start + match.start(), start + match.end(), regions)
        return
    near = "phone" if _SAID_AFTER.match(text, end) else cue(text, start)
    abroad = number.lstrip("(").startswith("+")
    if not abroad and _is_something_else(number, digits, text[:start][-1:], text[end : end + 2]):
        return
    sure, value = _international(number, digits) if abroad or (digits.startswith("00") and near != "id") else (0.0, "")
    if not abroad and sure < 0.5:
        sure, value = _national(number, digits, near, regions)
    if sure:
        yield Hit("phone", start, end, sure, value)


def _together(number: str) -> bool:
    return len(_ONE_OF_SEVERAL.findall(number)) > 1


def _is_something_else(number: str, digits: str, before: str, after: str) -> bool:
    """A date, a decimal, a version, a book's number, money, a share: whatever phonenumbers would think of it."""
    return (
        _DATE.search(number) is not None
        or _DECIMAL.fullmatch(number) is not None
        or _DOTTED.fullmatch(number) is not None
        or (before != "" and before in "$€£¥§~^*")
        or after[:1] in ("%", "€", "$", "°")
        or _is_book(number, digits)
        or len(set(digits)) <= 1
    )


def _is_book(number: str, digits: str) -> bool:
    """Whether it is an ISBN: ten digits in four groups of which the last is one digit, or 13 from 978 or 979 on."""
    if len(digits) == 13:
        return digits.startswith(("978", "979"))
    groups = re.split(r"[ -]", number)
    return len(digits) == 10 and len(groups) == 4 and len(groups[-1]) == 1


def _parse(number: str, region: str | None) -> PhoneNumber | None:
    library = _library()
    try:
        return library.parse(number, region)  # type: ignore[no-any-return]
    except library.NumberParseException:
        return None


def _e164(number: PhoneNumber) -> str:
    library = _library()
    return str(library.format_number(number, library.PhoneNumberFormat.E164))


def _international(number: str, digits: str) -> tuple[float, str]:
    library = _library()
    plain = number.lstrip("(") if "+" in number else "+" + digits[2:]
    parsed = _parse(plain, None)
    if parsed is None:
        return (0.0, "") if "+" not in number else (0.4, "+" + digits)
    if library.is_valid_number(parsed):
        return (0.98 if "+" in number else 0.9), _e164(parsed)
    if library.is_possible_number(parsed):
        return (0.85 if "+" in number else 0.6), _e164(parsed)
    return (0.45 if "+" in number else 0.0), "+" + digits


def _national(number: str, digits: str, near: str, regions: Sequence[str]) -> tuple[float, str]:
    library = _library()
    valid = ""
    for region in regions:
        parsed = _parse(number, region)
        if parsed is not None and library.is_valid_number(parsed):
            valid = _e164(parsed)
            break
    value = valid or digits
    grouped = not number.isdigit()
    american = _NORTH_AMERICA.fullmatch(number) is not None and digits[-10] not in "01"
    if near in ("id", "card", "iban", "version", "ssn", "ip"):
        if american and "(" in number:
            return 0.6, value
        return (0.3 if valid or american else 0.0), value
    if near == "phone":
        if valid:
            return 0.95, value
        if len(digits) == 7 and not re.fullmatch(r"\d{3}[-. ]?\d{4}", number):
            return 0.4, value
        return 0.75, value
    if american:
        if "-" not in number and "(" not in number and "." not in number:
            return (0.6 if valid else 0.35), value
        return (0.9 if valid else 0.75), value
    if digits[0] == "0" and 9 <= len(digits) <= 12 and grouped:
        elsewhere = valid or next(filter(None, (_valid(number, region) for region in _COUNTRIES)), "")
        return (0.85 if valid else 0.65 if elsewhere else 0.35), elsewhere or digits
    if valid and _THOUSANDS.fullmatch(number):
        return 0.35, value
    if valid:
        separators = len(re.findall(r"\d\D+(?=\d)", number))
        if not grouped:
            return (0.55 if digits[0] == "0" else 0.35), value
        return (0.65 if separators >= 2 else 0.4), value
    if re.fullmatch(r"555[- .]?01\d\d", number):
        return 0.6, value
    return (0.3 if re.fullmatch(r"[2-9]\d\d-\d{4}", number) else 0.0), value


def _valid(number: str, region: str) -> str:
    parsed = _parse(number, region)
    return _e164(parsed) if parsed is not None and _library().is_valid_number(parsed) else ""
