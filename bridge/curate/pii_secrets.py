"""Keys, tokens and passwords: by the prefixes that their issuers give them, by what stands before, or by looks.

The prefixes are those that the issuers document. What only looks random is guarded against what else does: hashes,
UUIDs, images in base64, public keys, names in code, addresses of pages.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import re
from collections import Counter
from collections.abc import Iterator
from math import log2

from bridge.curate.pii_kinds import Hit

_ISSUED = {
    "Anthropic": r"sk-ant-[\w-]{16,}",
    "OpenRouter": r"sk-or-v1-[0-9a-f]{16,}",
    "OpenAI": r"sk-(?:proj|svcacct|admin|None)-[\w-]{16,}|sk-[A-Za-z0-9]{20,}",
    "AWS": r"(?:AKIA|ASIA|AGPA|AIDA|AROA|AIPA|ANPA|ANVA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])",
    "GitHub": r"gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{20,}",
    "GitLab": r"gl(?:pat|oas|dt|rt|cbt|ptt|ft|soat|agent)-[\w-]{16,}",
    "Slack": r"xox[abeoprs](?:\.xox[bp])?-[\w-]{10,}|xapp-\d-[\w-]{10,}"
    r"|https://hooks\.slack\.com/(?:services|workflows)/[\w/]{16,}",
    "Discord": r"https://(?:\w+\.)?discord(?:app)?\.com/api/webhooks/\d+/[\w-]+"
    r"|[MNO][A-Za-z\d]{23,27}\.[\w-]{6}\.[\w-]{27,}",
    "Google": r"AIza[\w-]{30,}|ya29\.[\w-]{20,}|GOCSPX-[\w-]{20,}|1//0[\w-]{30,}",
    "Stripe": r"[srp]k_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/=]{16,}",
    "Hugging Face": r"(?:hf|api_org)_[A-Za-z0-9]{20,}",
    "npm": r"npm_[A-Za-z0-9]{30,}",
    "PyPI": r"pypi-[\w-]{30,}",
    "SendGrid": r"SG\.[\w-]{16,}\.[\w-]{16,}",
    "Twilio": r"(?:SK|AC)[0-9a-f]{32}(?![A-Za-z0-9])",
    "Mailgun": r"key-[0-9a-f]{32}",
    "Mailchimp": r"[0-9a-f]{32}-us\d{1,2}(?!\w)",
    "DigitalOcean": r"do[opr]_v1_[0-9a-f]{32,}",
    "Telegram": r"\d{8,10}:AA[\w-]{30,}",
    "Square": r"sq0(?:atp|csp|idp)-[\w-]{20,}|EAAA[\w-]{50,}",
    "Shopify": r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{24,}",
    "Databricks": r"dapi[0-9a-f]{32}",
    "Groq": r"gsk_[A-Za-z0-9]{20,}",
    "Replicate": r"r8_[A-Za-z0-9]{30,}",
    "xAI": r"xai-[A-Za-z0-9]{30,}",
    "Perplexity": r"pplx-[A-Za-z0-9]{30,}",
    "Notion": r"(?:secret|ntn)_[A-Za-z0-9]{40,}",
    "Airtable": r"pat[A-Za-z0-9]{14}\.[0-9a-f]{40,}",
    "Atlassian": r"ATATT3[\w=-]{30,}|ATCTT3[\w=-]{30,}",
    "HashiCorp": r"hv[sbr]\.[\w-]{20,}",
    "Grafana": r"gl(?:sa|c)_[\w=+/-]{20,}",
    "New Relic": r"NRAK-[A-Z0-9]{20,}",
    "Supabase": r"sb[ps]_[A-Za-z0-9]{20,}",
    "Linear": r"lin_(?:api|oauth)_[A-Za-z0-9]{20,}",
    "Figma": r"fig[do]_[\w-]{20,}",
    "Doppler": r"dp\.(?:pt|st|ct)\.[\w.-]{20,}",
    "Sentry": r"sntry[su]_[\w=+/-]{20,}",
    "Azure": r"AccountKey=[A-Za-z0-9+/=]{40,}|[A-Za-z0-9]{3}8Q~[\w.~-]{30,}",
    "age": r"AGE-SECRET-KEY-1[A-Z0-9]{40,}",
    "a JSON web token": r"eyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?",
}
_NAMES = dict(enumerate(_ISSUED))
_ISSUER = re.compile("|".join(f"(?P<i{n}>(?<![A-Za-z0-9])(?:{shape}))" for n, shape in enumerate(_ISSUED.values())))
_LONG = re.compile(r"[\w+/=.~:-]{16,}")
_SHORTEST = 16

_PEM = re.compile(
    r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?:[^-]|-(?!----)){0,20000}-----END (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"
    r"|(?:(?:\s|\\n)*[A-Za-z0-9+/=]{16,})*)"
)
_IN_ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://([^\s:/\"'<>]{1,100}:[^\s/@\"'<>]{1,100})@", re.IGNORECASE)
_EXAMPLES = re.compile(r"(?:user(?:name)?|login|name|admin)?:(?:pass(?:word|wd)?|pw|secret|\*+|x+|\.+)", re.IGNORECASE)

_WORDS = (
    "passw",
    "passphrase",
    "passcode",
    "pwd",
    "secret",
    "token",
    "api",
    "access",
    "auth",
    "private",
    "bearer",
    "kennwort",
    "contrase",
    "mot de passe",
    "парол",
    "credential",
    "wachtwoord",
    "senha",
)
_SAID = re.compile(
    r"(?P<pass>passw(?:or)?[dt]s?|passphrase|passcode|pwd|kennwort|contraseña|mot de passe|парол[ья]|wachtwoord|senha)"
    r"|secret(?:[_ -]?(?:access[_ -]?)?key)?|token"
    r"|(?:api|access|auth|private|encryption|signing|master)[_ -]?(?:key|secret)"
    r"|bearer|credentials?",
    re.IGNORECASE,
)
_VALUE = re.compile(
    r"[A-Za-z0-9_]{0,20}[\"'`\])*]{0,3}(?P<says>\s{0,3}(?::=|=>|[:=])\s{0,3}|\s(?:is|was|ist|lautet|es|est)(?:\s?:)?\s"
    r"|\s(?=[A-Za-z0-9+/_.=~-]{20}))[\"'`*]{0,3}(?:(?:Bearer|Basic|Token)\s)?(?P<value>[^\s\"'`,;<>]{6,200})",
)
_PLACEHOLDER = re.compile(
    r"(?:your|my|the|an?|some|example|sample|dummy|placeholder|change|insert|enter|replace|todo|none|null|nil|true|false"
    r"|undefined|required|optional|redacted|hidden|string|bytes)(?:[\W_]|$)|[*.xX#_-]{3,}|\$|\{|%\w|os\.|env\b|process\."
    r"|config|settings|self\.|get|input|http|/|\.\.|<|\w+\.\w+\.|\w+\[",
    re.IGNORECASE,
)


def secrets(text: str) -> Iterator[Hit]:
    """Keys, tokens and passwords.

    >>> [(hit.note, hit.sure) for hit in secrets("AKIAIOSFODNN7EXAMPLE, password: hunter22!")]
    [('AWS', 0.99), ('said to be one', 0.85)]
    >>> list(secrets("MD5 6f1ed002ab5595859014ebf0951522d9, the password is wrong"))
    []
    """
    found = []
    if "-----BEGIN" in text:
        found += [Hit("secret", m.start(), m.end(), 0.99, m[0], "a private key") for m in _PEM.finditer(text)]
    if "://" in text and "@" in text:
        for match in _IN_ADDRESS.finditer(text):
            sure = 0.4 if _EXAMPLES.fullmatch(match[1]) or _PLACEHOLDER.match(match[1].partition(":")[2]) else 0.9
            found.append(Hit("secret", match.start(1), match.end(1), sure, match[1], "a password in an address"))
    lower = text.lower()
    if any(map(lower.__contains__, _WORDS)):
        found += _said(text)
    if max(map(len, text.split()), default=0) >= _SHORTEST:
        for match in _LONG.finditer(text):
            found += _long(text, match)
    yield from sorted(found, key=lambda hit: hit.start)


def _said(text: str) -> Iterator[Hit]:
    """What stands after a word such as "password", where it looks like one."""
    for said in _SAID.finditer(text):
        match = _VALUE.match(text, said.end())
        if match is None:
            continue
        # Passwords do end with exclamation marks, and sentences about them rarely.
        value = match["value"].rstrip(".)]}:*" if said["pass"] else ".)]}!?:*")
        if len(value) < 6 or _PLACEHOLDER.match(value) or _CODE.search(value) or _SAID.fullmatch(value):
            continue
        sure, note = _sure_of_said(value, said["pass"] is not None, match["says"].strip())
        if sure:
            start = match.start("value")
            yield Hit("secret", start, start + len(value), sure, value, note)


def _sure_of_said(value: str, password: bool, says: str) -> tuple[float, str]:
    letters, digits = any(map(str.isalpha, value)), any(map(str.isdigit, value))
    other = not all(c.isalnum() or c in "_-." for c in value)
    note = "said to be one"
    if password:
        if (letters and digits) or (other and letters):
            return 0.85, note
        if digits:
            return (0.6, note) if says in (":", "=", ":=", "=>") else (0.4, note)
        return (0.4, "perhaps said to be one") if says in (":", "=") else (0.0, "")
    if letters and digits and len(value) >= 10 and not _NAME_IN_CODE.fullmatch(value):
        return 0.85, note
    return 0.0, ""


_CODE = re.compile(r"\(|[)\]}]+[.;,)\]]")
_NAME_IN_CODE = re.compile(
    r"[a-z]+(?:[_-][a-z]+)*_?\d{0,2}|[A-Z][A-Z_]+\d?|(?:[a-z]+|[A-Z][a-z]+)(?:[A-Z][a-z]+)*\d{0,2}"
)


def _long(text: str, match: re.Match[str]) -> Iterator[Hit]:
    issued = list(_ISSUER.finditer(match[0]))
    for found in issued:
        end = match.start() + found.start() + len(found[0].rstrip(".:"))
        yield Hit(
            "secret", match.start() + found.start(), end, 0.99, found[0], _NAMES[int((found.lastgroup or "i0")[1:])]
        )
    if not issued and len(match[0]) >= 20:
        yield from _random(text, match)


_PLAIN = re.compile(r"[A-Za-z0-9_-]{20,}")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{28,}={0,2}(?![A-Za-z0-9+/=])")
_HASH = re.compile(r"(?:0x)?[0-9a-fA-F]+|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9-]+")
_BITCOIN = re.compile(r"(?:bc1[a-z0-9]{25,59}|[13][a-km-zA-HJ-NP-Z1-9]{25,34})")
_PUBLIC = re.compile(
    r"(?:sha\d+[-:]|base64,|ssh-\w+ |ecdsa-[\w-]+ |integrity=\S?|digest:? ?|checksum:? ?|hash:? ?)$", re.IGNORECASE
)
_PARAMETER = re.compile(r"(?:key|token|sig|signature|secret|auth|code|password|credential)=$", re.IGNORECASE)
_MOST = 200


def _random(text: str, match: re.Match[str]) -> Iterator[Hit]:
    """Parts of a long word that look as if they were drawn at random."""
    word = match[0]
    address = "://" in word or word.startswith(("/", "./", "../", "www."))
    shape = _BASE64 if ("+" in word or "/" in word) and not address and "." not in word else _PLAIN
    for part in shape.finditer(word):
        start = match.start() + part.start()
        before = text[max(0, start - 24) : start]
        value = part[0]
        if len(value) > _MOST or _PUBLIC.search(before) or not _looks_random(value):
            continue
        if (address or _in_address(text, start)) and not _PARAMETER.search(before):
            continue
        said = _SAID.search(text[max(0, start - 40) : start]) is not None
        yield Hit("secret", start, start + len(value), 0.8 if said else 0.6, value, "looks random")


def _in_address(text: str, start: int) -> bool:
    word = text[max(0, start - 200) : start]
    return "://" in word[max(map(word.rfind, (" ", "\n", "\t", '"', "'"))) + 1 :]


def _looks_random(value: str) -> bool:
    """Whether letters of both cases and digits are mixed as neither words nor hashes mix them."""
    if _HASH.fullmatch(value) or _BITCOIN.fullmatch(value) or value.startswith("AAAA"):
        return False
    plain = value.strip("=").replace("-", "").replace("_", "")
    kinds = ["d" if c.isdigit() else "u" if c.isupper() else "l" for c in plain if c.isalnum()]
    counts = Counter(kinds)
    if len(kinds) < 18 or min(counts["u"], counts["l"]) < 2 or counts["d"] < (2 if len(kinds) < 32 else 1):
        return False
    changes = sum(a != b for a, b in itertools.pairwise(kinds)) / len(kinds)
    # Of what is drawn at random, a sixth stands in runs of three small letters and more; of names of things, most.
    words = sum(map(len, re.findall(r"[a-z]{3,}", plain))) / len(kinds)
    return changes >= 0.35 and words < 0.45 and _entropy(plain) >= 3.6 and not _is_text(value)


def _entropy(value: str) -> float:
    """Shannon's entropy of the characters, in bits."""
    return -sum(n / len(value) * log2(n / len(value)) for n in Counter(value).values())


def _is_text(value: str) -> bool:
    """Whether base64 of plain text stands there, as in many an exercise."""
    body = value.rstrip("=")
    try:
        decoded = base64.b64decode(body + "=" * (-len(body) % 4), altchars=None, validate=True)
    except (binascii.Error, ValueError):
        return False
    return decoded.isascii() and decoded.decode().replace("\n", "").isprintable()
