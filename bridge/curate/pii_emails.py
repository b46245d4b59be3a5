"""Addresses of mail, as they are written and as people spell them out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bridge.curate.pii_kinds import Hit, W

_LOCAL = re.compile(rf"(?:{W}|[+-])(?:{W}|[.+-]|(?<=\w)['’%](?=\w)){{0,63}}$|\"[^\"\s]{{1,62}}\"$")
_DOMAIN = re.compile(
    r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}(?:xn--[a-z0-9-]{2,59}|[^\W\d_\u2e80-\uffef]{2,24})(?![\da-z_-])",
    re.IGNORECASE,
)
_IMAGE = re.compile(r"\d+(?:\.\d+)?x(?:\.\w+)+", re.IGNORECASE)  # logo@2x.png
_FILES = frozenset(("png", "jpg", "jpeg", "gif", "svg", "webp", "js", "mjs", "css", "json", "yaml", "html", "exe"))
_OFFICES = frozenset(("info", "support", "help", "sales", "contact", "noreply", "no-reply", "admin", "office", "hello"))
_HIDDEN = re.compile(
    r"(?<![\w.+-])([\w+-][\w.+-]{0,63})\s{0,2}[\[({<]\s?(?:at|@|ät|arroba|arobase)\s?[\])}>]\s{0,2}"
    r"((?:[\w-]{1,63}\s{0,2}(?:[\[({<]\s?(?:dot|punkt|point|punto|\.)\s?[\])}>]|\.|\sdot\s)\s{0,2}){1,5}[^\W\d_]{2,24})\b"
    r"|(?<![\w.+-])([\w+-][\w.+-]{0,63}) at ((?:[\w-]{1,63} dot ){1,4}[^\W\d_]{2,24})\b",
    re.IGNORECASE,
)
_DOT = re.compile(r"\s*(?:[\[({<]\s?(?:dot|punkt|point|punto|\.)\s?[\])}>]|\sdot\s)\s*", re.IGNORECASE)


def emails(text: str) -> Iterator[Hit]:
    """Addresses of mail, also those that are spelled out for people: ``ann (at) example (dot) org``.

    >>> [(hit.value, hit.sure) for hit in emails("Ann.Lee@Example.org, bo [at] mail.example, logo@2x.png")]
    [('ann.lee@example.org', 0.98), ('bo@mail.example', 0.85)]
    """
    for sign in ("@", "%40"):
        position = text.find(sign)
        while position >= 0:
            hit = _email(text, position, position + len(sign))
            if hit is not None:
                yield hit
            position = text.find(sign, position + 1)
    lower = text.lower() if "at" in text or "AT" in text or "At" in text else ""
    if (" dot " in lower and " at " in lower) or _BRACKETED.search(lower):
        for match in _HIDDEN.finditer(text):
            spelled = match[1] is None
            local, domain = (match[3], match[4]) if spelled else (match[1], match[2])
            value = f"{local}@{_DOT.sub('.', domain)}".lower().replace(" ", "")
            yield Hit("email", match.start(), match.end(), 0.75 if spelled else 0.85, value, "spelled out")


_BRACKETED = re.compile(r"[\[({<] ?(?:at|@|ät|arroba|arobase) ?[\])}>]")


def _email(text: str, sign: int, after: int) -> Hit | None:
    local = _LOCAL.search(text, max(0, sign - 64), sign)
    domain = _DOMAIN.match(text, after)
    if local is None or domain is None or local[0][-1] == "." or ".." in local[0]:
        return None
    start, end = local.start(), domain.end()
    before = text[max(0, start - 2) : start]
    if before.endswith(("//", "@")):
        return None  # an address of a page with somebody's name in it, or a handle
    name = local[0].replace("’", "'")
    ending = domain[0].rpartition(".")[2].lower()
    if _IMAGE.fullmatch(domain[0]) or ending in _FILES:
        return None
    if name.lower() in ("git", "hg", "svn") and text[end : end + 1] in (":", "/"):
        return None
    value = f"{name}@{domain[0]}".lower()
    if name.lower() in _OFFICES:
        return Hit("email", start, end, 0.9, value, "an office, perhaps not a person")
    return Hit("email", start, end, 0.98, value)
