"""What counts as personal: one finder for each kind, from a text to the passages that it takes for one.

A finder first asks something that costs next to nothing, such as whether there is an ``@``, and looks closer only
then. How sure it is depends on checksums, on shape, and on the nearest word before the passage that tells what it is
(:func:`cue`): digits after "order" are an order's, the same digits after "call" are a phone's.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from bridge.errors import UsageError

if TYPE_CHECKING:
    from types import ModuleType

SURE = 0.5
"""From this on a passage is taken for what it seems to be; below it, it only stands in the list for review."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage of a text that seems to be personal or secret.

    Args:
        kind: what it seems to be, such as ``email``.
        start, end: where it stands, in code points, end excluded.
        sure: how sure that is, 0 to 1.
        value: the same for all spellings of one address or number; never shown.
        note: what speaks for it or against it.
    """

    kind: str
    start: int
    end: int
    sure: float
    value: str = field(repr=False)
    note: str = ""


Finder = Callable[[str], Iterator[Hit]]

# Letters and digits, but not those of scripts without spaces, in which an address stands right behind a word.
W = r"[^\W\u2e80-\uffef]"


# -- the word before


_CUES = re.compile(
    r"\b(?:"
    r"(?P<phone>(?:tele)?phones?|telefon\w*|t[ée]l(?:[ée]phone)?|m[óo]vil|mobil\w*|cell(?:phone)?|portable|handy\w*"
    r"|rufnummer|fax|whats ?app|signal|sms|dial\w*|call(?:s|ed|ing)?|ring|reach|text (?:me|him|her|us|them)|contact\w*"
    r"|hotline|landline|digits"
    r"|(?:my|mi|mon|meine?|mio) (?:number|número|numéro|nummer|numero)"
    r"|(?:his|her|their|our|your) number|celular|anrufen|appele[rz]|llam\w+|numéro)"
    r"|(?P<card>cards?|visa|mastercard|amex|american express|discover|credit|debit|(?:kredit)?karte\w*|tarjeta|carte"
    r"|cc)"
    r"|(?P<ip>ips?|ipv[46]|ip[- ]address|address|hosts?|servers?|ping\w*|ssh|subnet|gateway|dns|log(?:in|ged)"
    r"|connect\w*|client|proxy|firewall|router|traceroute|node|endpoint|network)"
    r"|(?P<version>versions?|ver|v|release[ds]?|build|firmware|updat\w+|upgrad\w+|downgrad\w+|patch|sections?|chapters?"
    r"|clauses?|articles?|figures?|tables?|paragraph|appendix|kapitel|abschnitt|installed|driver|kernel|oid)"
    r"|(?P<ssn>ssn|social security(?: number| no)?|tax ?id|tin|itin)"
    r"|(?P<iban>iban|bic|swift|bank account|konto\w*|account)"
    r"|(?P<id>orders?|invoices?|cases?|tickets?|ref(?:erence|s)?|tracking|isbn|issn|ean|upc|gtin|serial|sku|parts?|model"
    r"|items?|products?|batch|patents?|doi|imei|customer|employee|member(?:ship)?|policy|claim|docket|files?|article"
    r"|bestell\w*|rechnung\w*|aktenzeichen|artikel\w*|vorgang\w*|commande|facture|pedido|factura|transaction|confirmation"
    r"|booking|reservation|shipment|parcel|package|job|issue|bug|commit|revision|id|identifier|pid|uid|epoch|timestamp"
    r"|unix time|population|coordinates|lat(?:itude)?|lon(?:gitude)?|arxiv|pmid|accession|catalog(?:ue)?|lot|sn|nr|no)"
    r")\b|(?P<phone_>電話|電话|电话|携帯|手机|手機|전화|휴대폰|телефон|тел\.)",
    re.IGNORECASE,
)
_WINDOW = 48


def cue(text: str, start: int) -> str:
    """What the nearest telling word before a place says that there is: ``phone``, ``card``, ``id``, or nothing.

    >>> cue("My phone, for order 5551234567", 20), cue("Call me: 5551234567", 9), cue("It is 5551234567", 6)
    ('id', 'phone', '')
    """
    window = text[max(0, start - _WINDOW) : start]
    above, _, line = window.rpartition("\n")
    if not line.strip() and above.rstrip().endswith(":"):
        line = above[above.rfind("\n") + 1 :]  # a heading, such as "Phone:"
    found = ""
    for match in _CUES.finditer(line):
        # "phone no", "card number: no." — a bare "no" or "nr" is part of what stands before it.
        if match.lastgroup and not (found and match[0].lower() in _PART_OF_IT):
            found = match.lastgroup.rstrip("_")
    return found


_PART_OF_IT = {"no", "nr", "id", "ref", "address", "reference", "account", "contact"}


# -- accounts and cards


def ibans(text: str) -> Iterator[Hit]:
    """Account numbers of the length that their country has, and with the right checksum (ISO 7064, mod 97-10).

    >>> [hit.value for hit in ibans("de89 3704 0044 0532 0130 00 and GB00WEST12345698765432")]
    ['DE89370400440532013000']
    """
    for match in _IBAN_DIGITS.finditer(text):
        start = match.start() - 2 - text.endswith((" ", "-"), 0, match.start())
        country = text[max(0, start) : start + 2].upper()
        if start < 0 or not (country.isascii() and country.isalpha()) or (start and text[start - 1].isalnum()):
            continue
        length = _iban_length(country)
        compact, end = _take(text, start, length)
        if len(compact) < length or not length or text[end : end + 1].isalnum():
            continue
        if _remainder(compact) == 1:
            yield Hit("iban", start, end, 0.98, compact)
        elif cue(text, start) == "iban" and text[start : start + 2].isupper():
            yield Hit("iban", start, end, 0.4, compact, "its checksum is wrong")


_IBAN_DIGITS = re.compile(r"\d\d(?=[ \u00a0-]?[0-9A-Za-z]{2})")


@cache
def _iban_length(country: str) -> int:
    found = _stdnum().get("iban").info(country)
    structure = found[0][1].get("bban", "") if found and found[0][1] else ""
    return 4 + sum(map(int, re.findall(r"(\d+)!", structure))) if structure else 0


@cache
def _stdnum() -> ModuleType:
    try:
        from stdnum import numdb
    except ImportError:
        raise missing("python-stdnum", "iban") from None
    return numdb


def _take(text: str, start: int, length: int) -> tuple[str, int]:
    """Letters and digits from a place on, single separators skipped, and where they end."""
    taken: list[str] = []
    position = start
    while len(taken) < length and position < len(text):
        character = text[position]
        if character.isascii() and character.isalnum():
            taken.append(character.upper())
        elif character not in " -\u00a0" or not text[position - 1].isalnum():
            break
        position += 1
    return "".join(taken), position


def _remainder(compact: str) -> int:
    from stdnum.iso7064 import mod_97_10

    return mod_97_10.checksum(compact[4:] + compact[:4])


_CARD = re.compile(
    rf"(?<!{W})(?<![.,])(?<!\d-)(?:"
    r"\d{4}([ -.\u00a0]?)\d{4}\1\d{4}\1\d{1,4}(?:\1\d{1,3})?"
    r"|3[47]\d\d([ -])\d{6}\2\d{5}|3[0689]\d\d([ -])\d{6}\3\d{4}|\d{12,19})"
    rf"(?!{W}|[-.,]\d)"
)
_ISSUERS = (
    ("Visa", re.compile(r"4(?:\d{12}|\d{15}|\d{18})")),
    ("Mastercard", re.compile(r"(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}")),
    ("American Express", re.compile(r"3[47]\d{13}")),
    ("Discover", re.compile(r"(?:6011|64[4-9]\d|65\d\d)\d{12,15}")),
    ("Diners Club", re.compile(r"(?:30[0-5]|3[689]\d)\d{11,13}")),
    ("JCB", re.compile(r"35\d{14,17}|(?:2131|1800)\d{11}")),
    ("UnionPay", re.compile(r"62\d{14,17}")),
    ("Maestro", re.compile(r"(?:50\d\d|5[678]\d\d|6[037]\d\d)\d{8,15}")),
)


def cards(text: str) -> Iterator[Hit]:
    """Numbers of payment cards: the first digits of an issuer, its length, and the right checksum (Luhn).

    >>> [(hit.note, hit.sure) for hit in cards("Visa 4111 1111 1111 1111, order 4111111111111111, 4111-1111-1111-1112")]
    [('Visa', 0.97), ('Visa', 0.35)]
    """
    position = 0
    while match := _CARD.search(text, position):
        hit = _judged_card(text, match)
        # Groups of four may belong to what stands before: the card may start a group later.
        position = match.start() + 1 if hit is None or hit.sure < SURE else match.end()
        if hit is not None:
            yield hit


def _judged_card(text: str, match: re.Match[str]) -> Hit | None:
    digits = re.sub(r"\D", "", match[0])
    issuer = next((name for name, shape in _ISSUERS if shape.fullmatch(digits)), "")
    near = "card" if _CARD_AFTER.match(text, match.end()) else cue(text, match.start())
    if not issuer and near != "card":
        return None
    right, solid = _luhn(digits), match[0].isdigit()
    if not right:
        return Hit("card", match.start(), match.end(), 0.4, digits, "its checksum is wrong") if near == "card" else None
    if near == "card":
        sure = 0.97 if issuer else 0.45
    elif near in ("id", "phone", "version") or len(digits) == 12:
        sure = 0.35 if solid else 0.7
    else:
        sure = 0.9 if solid else 0.97
    return Hit("card", match.start(), match.end(), sure, digits, issuer)


_CARD_AFTER = re.compile(r"[^.!?\n\d]{0,24}\bcard\b", re.IGNORECASE)


def _luhn(digits: str) -> bool:
    try:
        from stdnum import luhn
    except ImportError:
        raise missing("python-stdnum", "card") from None
    return luhn.is_valid(digits)


_SSN = re.compile(r"(?<![\w.+-])(?!000|666|9)\d{3}([- ]?)(?!00)\d\d\1(?!0000)\d{4}(?![\w]|[-.]\d)")


def ssns(text: str) -> Iterator[Hit]:
    """Social security numbers of the USA: three digits, two and four; without hyphens only where it is said.

    >>> [hit.sure for hit in ssns("219-09-9999 or 123456789; SSN 123456789")]
    [0.8, 0.95]
    """
    for match in _SSN.finditer(text):
        near = cue(text, match.start())
        if near == "ssn":
            yield Hit("ssn", match.start(), match.end(), 0.95, re.sub(r"\D", "", match[0]))
        elif match[1] == "-":
            sure = 0.4 if near in ("id", "version") else 0.8
            yield Hit("ssn", match.start(), match.end(), sure, re.sub(r"\D", "", match[0]))


# -- addresses of machines


_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IPV4 = re.compile(rf"(?<!{W})(?<![.-])(?:{_OCTET}\.){{3}}{_OCTET}(?!{W}|-|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}(?:[0-9A-Fa-f]{1,4}|(?:\d{1,3}\.){3}\d{1,3})?(?![\w:])")
# What an address cannot do without, and is quickly found: a pattern that starts with a plain character.
_DOTS, _COLONS = re.compile(r"\.\d{1,3}\.\d{1,3}\."), re.compile(r":[0-9A-Fa-f]{0,4}:")
_AFTERWARDS = re.compile(
    r"\W{0,3}(?:release|version|build|update|patch|firmware|driver|or (?:later|newer|higher))", re.IGNORECASE
)


def ips(text: str) -> Iterator[Hit]:
    """Addresses of machines, IPv4 and IPv6, but not those that stand for every machine, nor versions of software.

    >>> [(hit.value, hit.sure) for hit in ips("from 203.0.113.7 to 2001:DB8::1, version 10.0.3.1, 127.0.0.1, 12:30:45")]
    [('203.0.113.7', 0.8), ('10.0.3.1', 0.3), ('2001:db8::1', 0.95)]
    """
    if _DOTS.search(text):
        for match in _IPV4.finditer(text):
            sure, note = _sure_of_ipv4(text, match)
            if sure:
                yield Hit("ip", match.start(), match.end(), sure, match[0], note)
    if _COLONS.search(text):
        for match in _IPV6.finditer(text):
            groups = [group for group in match[0].split(":") if group]
            try:
                address = ipaddress.IPv6Address(match[0])
            except ValueError:
                continue
            if len(groups) >= 3 and any(c.isdigit() for c in match[0]) and not address.is_loopback:
                yield Hit("ip", match.start(), match.end(), 0.95, str(address))


def _sure_of_ipv4(text: str, match: re.Match[str]) -> tuple[float, str]:
    octets = [int(octet) for octet in match[0].split(".")]
    if octets[0] in (0, 127) or octets[0] >= 224:
        return 0.0, ""
    near = cue(text, match.start())
    before = text[max(0, match.start() - 2) : match.start()]
    if near == "version" or _AFTERWARDS.match(text, match.end()) or (before[-1:] == "/" and before[:1].isalnum()):
        return 0.3, "may be a version"
    if near == "ip":
        return 0.95, ""
    if max(octets) < 10 or octets[2:] == [0, 0] or near == "id":
        return 0.4, "may be a version"
    return 0.8, ""


# -- names


def names_finder(names: Iterable[str]) -> Finder:
    """A finder of known names, exactly as they are given, as whole words, also with other white space between them.

    >>> [hit.value for hit in names_finder(["Ann", "Ann Lee"])("Ann  Lee met Anna and Ann's dog; ann did not.")]
    ['Ann Lee', 'Ann']
    """
    given = {" ".join(name.split()) for name in names if name.strip()}
    # An accent can be a character of its own, and look the same.
    spelled = {unicodedata.normalize(form, name) for name in given for form in ("NFC", "NFD")}
    if not spelled:
        return lambda text: iter(())
    known = sorted(spelled, key=lambda name: (-len(name), name))
    shape = re.compile("|".join(map(_whole_words, known)))
    starts = {name.split(" ")[0] for name in known}

    def find(text: str) -> Iterator[Hit]:
        if any(start in text for start in starts):  # ten times quicker than the expression, which is mostly in vain
            for match in shape.finditer(text):
                yield Hit(
                    "name", match.start(), match.end(), 0.99, unicodedata.normalize("NFC", " ".join(match[0].split()))
                )

    return find


def _whole_words(name: str) -> str:
    parts = r"\s+".join(map(re.escape, name.split(" ")))
    # Chinese and Japanese have no spaces between words.
    left = r"(?<!\w)" if name[0] < "\u2e80" else ""
    right = r"(?!\w)" if name[-1] < "\u2e80" else ""
    return f"{left}{parts}{right}"


_INTRODUCING = (
    *("name is", "am called", "Name ist", "appelle", "llamo", "Mr", "Ms", "Miss", "Dr", "Prof", "Herr", "Frau", "Mme"),
    *("Sr", "egards", "incerely", "heers", "Best,", "best,", "Grüße"),
)
_INTRODUCED = re.compile(
    r"\b(?:(?:[Mm]y name is|[Ii] am called|[Mm]ein Name ist|[Jj]e m'appelle|[Mm]e llamo)\s+"
    r"|(?:Mr|Mrs|Ms|Miss|Dr|Prof|Herr|Frau|Mme|Sr|Sra)\.?\s"
    r"|(?:[Rr]egards|[Ss]incerely|[Cc]heers|[Bb]est|Grüßen?),\s*\n+)"
    r"([^\W\d_a-zà-ÿ][^\W\d_]+(?:[ -][^\W\d_a-zà-ÿ][^\W\d_]+){0,2})"
)


def introductions(text: str) -> Iterator[Hit]:
    """Names that somebody is introduced, addressed or signs with: too unsure to be masked, but to be looked at.

    >>> [(text[hit.start:hit.end], hit.sure) for text in ["Hi, my name is Ann Lee."] for hit in introductions(text)]
    [('Ann Lee', 0.4)]
    """
    if not any(map(text.__contains__, _INTRODUCING)):
        return
    for match in _INTRODUCED.finditer(text):
        yield Hit("person", match.start(1), match.end(1), 0.4, match[1], "introduced like a person")


def check_packages() -> None:
    """Say at once whether the packages for checksums are there.

    Raises:
        UsageError: python-stdnum is not installed.
    """
    _luhn("0")
    _iban_length("DE")


def missing(package: str, kind: str) -> UsageError:
    """The error for a kind whose package is not installed."""
    return UsageError(
        f"{kind}: finding these needs {package}, which is not installed",
        remedy=f"pip install 'annobridge[curate]', or leave the kind out: --off {kind}",
    )
