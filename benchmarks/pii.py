"""How many of the personal passages are found, and how much is taken for one that is none; and how quickly.

::

    python benchmarks/pii.py                    # tables
    python benchmarks/pii.py --json             # one JSON object
    python benchmarks/pii.py --megabytes 50     # more text for the speeds
    python benchmarks/pii.py --misses           # what was missed or wrongly found, a few of each

The labelled set is made from seeds: sentences with a passage of one kind each, some hundred of every kind, in the
spellings that people use, and sentences with what only looks like one (versions, ISBNs, order and case numbers, dates,
decimals, coordinates, hashes, colours, names in code, addresses of pages). They are by the authors of the finders, who
know what they look for: on other people's texts expect less. A second set, where Faker is installed, has values of
its making in eight countries. ``precision`` is the share of what was found that is
labelled so, ``recall`` the share of labelled passages of which at least half was found.
"""

from __future__ import annotations

import argparse
import json
import random
import string
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from bridge.curate.masking import Privacy
from bridge.curate.pii import KINDS, Searcher
from bridge.curate.pii_kinds import SURE
from bridge.records import Record

SEEDS = (11, 12, 13)
EACH = 150
SPEAKERS = ["Ann Lee", "Björn Åkesson", "María José Pérez", "Will", "李小龙", "O'Connor"]
LOCAL = ["ann", "bo.lindgren", "j_doe", "m.o'neil", "kim+list", "li99", "a.b.c", "Zoë", "x", "first.last-name"]
DOMAINS = ["mail.example", "example.org", "uni-köln.example", "dept.corp.example.co.uk", "example.museum", "gmail.com"]
LETTERS = string.ascii_letters + string.digits


class Labelled(NamedTuple):
    """A text, and where in it a passage of a kind is; no kind for a text that only looks so."""

    text: str
    kind: str
    start: int = 0
    end: int = 0


def digits(rng: random.Random, count: int) -> str:
    return "".join(rng.choices(string.digits, k=count))


def luhn(body: str) -> str:
    """The digits with their check digit."""
    total = 0
    for number, digit in enumerate(reversed(body)):
        value = int(digit) * (2 if number % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return body + str(-total % 10)


def spaced(text: str, *groups: int, by: str = " ") -> str:
    parts, position = [], 0
    for size in groups:
        parts.append(text[position : position + size])
        position += size
    return by.join([*parts, text[position:]]).strip(by)


def email(rng: random.Random) -> str:
    local, domain = rng.choice(LOCAL), rng.choice(DOMAINS)
    if rng.random() < 0.15:
        at, dot = rng.choice([(" (at) ", " (dot) "), (" [at] ", "."), (" at ", " dot "), ("(at)", "(dot)")])
        return f"{local.replace(chr(39), '')}{at}{rng.choice(['example.org', 'mail.example.com']).replace('.', dot)}"
    return f"{local}@{domain}" if rng.random() < 0.8 else f"{local}@{domain}".upper()


def phone(rng: random.Random) -> str:
    area, exchange, line = rng.choice(["212", "415", "646", "305"]), str(rng.randint(200, 999)), digits(rng, 4)
    america = [
        f"({area}) {exchange}-{line}",
        f"{area}-{exchange}-{line}",
        f"+1 {area} {exchange} {line}",
        f"{area}.{exchange}.{line}",
    ]
    others = [
        f"+44 20 7946 {digits(rng, 4)}",
        f"+49 30 {digits(rng, 7)}",
        f"+49 (0)89 {digits(rng, 6)}",
        f"0049 171 {digits(rng, 7)}",
        f"+33 6 {digits(rng, 2)} {digits(rng, 2)} {digits(rng, 2)} {digits(rng, 2)}",
        f"+81 3-{rng.randint(3000, 6999)}-{digits(rng, 4)}",
        f"+919{digits(rng, 9)}",
        f"020 7946 0{digits(rng, 3)}",
        f"06 {rng.randint(10, 99)} {digits(rng, 2)} {digits(rng, 2)} {digits(rng, 2)}",
        f"030/{rng.randint(2, 9)}{digits(rng, 6)}",
        f"{area}-555-01{digits(rng, 2)} ext. {rng.randint(10, 999)}",
    ]
    return rng.choice(america + others)


def iban(rng: random.Random) -> str:
    country, body = rng.choice(
        [
            ("DE", digits(rng, 18)),
            ("GB", "WEST" + digits(rng, 14)),
            ("FR", digits(rng, 23)),
            ("NL", "ABNA" + digits(rng, 10)),
            ("BE", digits(rng, 12)),
            ("NO", digits(rng, 11)),
            ("MT", "MALT" + digits(rng, 5) + "MTLCAST001S" + digits(rng, 7)),
        ]
    )
    number = int("".join(str(int(c, 36)) for c in f"{body}{country}00"))
    whole = f"{country}{98 - number % 97:02}{body}"
    shape = rng.random()
    return (
        whole.lower()
        if shape < 0.1
        else whole
        if shape < 0.4
        else " ".join(whole[i : i + 4] for i in range(0, len(whole), 4))
    )


def card(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.2:
        whole = luhn("3" + rng.choice("47") + digits(rng, 12))
        return rng.choice([whole, spaced(whole, 4, 6), spaced(whole, 4, 6, by="-")])
    start = rng.choice(["4", "51", "55", "2221", "6011", "3530", "62"])
    whole = luhn(start + digits(rng, 15 - len(start)))
    return rng.choice([whole, spaced(whole, 4, 4, 4), spaced(whole, 4, 4, 4, by="-")])


def ip(rng: random.Random) -> str:
    if rng.random() < 0.3:
        groups = [f"{rng.randint(0x100, 0xFFFF):x}" for _ in range(rng.choice([3, 8]))]
        return ":".join(groups) if len(groups) == 8 else f"2001:db8::{':'.join(groups)}"
    first = rng.choice([10, 172, 192, 203, 198, 81, 145])
    return f"{first}.{rng.randint(16, 250)}.{rng.randint(1, 254)}.{rng.randint(2, 254)}"


def secret(rng: random.Random) -> str:
    def some(count: int, letters: str = LETTERS) -> str:
        return "".join(rng.choices(letters, k=count))

    lower = string.hexdigits[:16]
    return rng.choice(
        [
            f"sk-{some(48)}",
            f"sk-proj-{some(40)}_{some(20)}",
            f"sk-ant-api03-{some(60)}-{some(20)}",
            f"AKIA{some(16, string.ascii_uppercase + string.digits)}",
            f"ghp_{some(36)}",
            f"github_pat_{some(22)}_{some(59)}",
            f"xoxb-{digits(rng, 12)}-{digits(rng, 12)}-{some(24)}",
            f"AIza{some(35)}",
            f"sk_live_{some(24)}",
            f"hf_{some(34)}",
            f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOi{some(20)}.{some(43)}",
            f"glpat-{some(20)}",
            f"SG.{some(22)}.{some(43)}",
            f"{digits(rng, 9)}:AAH{some(32)}",
            f"npm_{some(36)}",
            f"{some(40)}",
            "-----BEGIN RSA PRIVATE KEY-----\n"
            + "\n".join(some(64) for _ in range(4))
            + "\n-----END RSA PRIVATE KEY-----",
            f"dapi{some(32, lower)}",
        ]
    )


def ssn(rng: random.Random) -> str:
    return f"{rng.randint(100, 665)}-{rng.randint(10, 99)}-{rng.randint(1000, 9999)}"


POSITIVE: dict[str, tuple[Callable[[random.Random], str], list[str]]] = {
    "email": (
        email,
        ["Write to {}.", "{}", "From: Ann <{}>", "My address: {}, in case.", "cc {} and the others", "mailto:{}"],
    ),
    "phone": (
        phone,
        [
            "Ring me on {}.",
            "{}",
            "My number is {}, after six.",
            "Tel. {}",
            "Mobile: {}; fax on request",
            "You get him at {} or at home.",
        ],
    ),
    "iban": (
        iban,
        ["Please pay to {}.", "IBAN: {}", "{} is where the money went", "The account {} is closed, says the bank."],
    ),
    "card": (card, ["I paid with {}.", "Card: {} exp 12/27", "{}", "Charge it to my Visa {}, please."]),
    "ip": (
        ip,
        [
            "It came from {} last night.",
            "{}",
            "ping {} does not answer",
            "Failed login for root from {} port 22",
            "The printer is {}.",
        ],
    ),
    "secret": (
        secret,
        ["The key is {}", "export API_KEY={}", "{}", "curl -H 'Authorization: Bearer {}'", "I pasted {} by accident."],
    ),
    "ssn": (ssn, ["My social is {}.", "SSN: {}", "{}"]),
    "name": (
        lambda rng: rng.choice(SPEAKERS),
        ["{} said so.", "Ask {}!", "That was {}'s idea.", "({})", "I met {} today."],
    ),
}


def negative(rng: random.Random) -> str:
    def pick(*options: str) -> str:
        return rng.choice(options)

    hexa = "".join(rng.choices("0123456789abcdef", k=64))
    book = "978" + digits(rng, 9)
    return pick(
        f"Version {rng.randint(1, 20)}.{rng.randint(0, 99)}.{rng.randint(0, 99)}.{rng.randint(0, 99)} is out.",
        f"We upgraded to v{rng.randint(1, 9)}.{rng.randint(0, 9)}.{rng.randint(0, 9)}.{rng.randint(0, 9)} yesterday.",
        f"Mozilla/5.0 Chrome/{rng.randint(90, 130)}.0.{rng.randint(1000, 6000)}.{rng.randint(10, 200)} Safari/537.36",
        f"See section {rng.randint(1, 9)}.{rng.randint(1, 9)}.{rng.randint(1, 9)}.{rng.randint(1, 9)}.",
        f"ISBN {book[:3]}-{book[3]}-{book[4:7]}-{book[7:12]}-{rng.randint(0, 9)}",
        f"ISBN 0-{digits(rng, 3)}-{digits(rng, 5)}-{rng.choice('0123456789X')} is the older edition.",
        f"The book {book}{rng.randint(0, 9)} is sold out.",
        f"Order {digits(rng, 10)} has shipped.",
        f"Your order number is {digits(rng, 3)}-{digits(rng, 7)}-{digits(rng, 7)}.",
        f"Invoice no. {digits(rng, 8)} is due.",
        f"Case No. {rng.randint(1, 9)}:{rng.randint(10, 26)}-cv-{digits(rng, 5)}",
        f"Aktenzeichen 12 C {digits(rng, 3)}/{rng.randint(10, 26)}",
        f"Ticket #{digits(rng, 9)} closed 2024-0{rng.randint(1, 9)}-15 12:{rng.randint(10, 59)}:07.",
        f"On {rng.randint(10, 28)}.0{rng.randint(1, 9)}.20{rng.randint(10, 26)} at 14:30 we met.",
        f"2024-01-{rng.randint(10, 30)}T{rng.randint(10, 23)}:15:30.123456Z started",
        f"Pi is about 3.{digits(rng, 12)}.",
        f"It lies at {rng.randint(10, 80)}.{digits(rng, 6)}, -{rng.randint(10, 170)}.{digits(rng, 6)}.",
        f"The colour #{hexa[:6]} on #{hexa[6:12]}",
        f"commit {hexa[:40]}",
        f"sha256:{hexa}",
        f"id {hexa[:8]}-{hexa[8:12]}-4{hexa[12:15]}-a{hexa[15:18]}-{hexa[18:30]}",
        f"Turnover was ${rng.randint(1, 9)},{digits(rng, 3)},{digits(rng, 3)},{digits(rng, 3)}.",
        f"There are {rng.randint(1, 9)} {digits(rng, 3)} {digits(rng, 3)} {digits(rng, 3)} of them.",
        f"timestamp {rng.randint(1_600_000_000, 1_800_000_000)}",
        f"Employee {digits(rng, 10)} has left.",
        f"Tracking number 1Z{digits(rng, 16)}",
        f"IMEI 35{digits(rng, 13)}",
        f"getUserAccountByIdV{rng.randint(2, 9)}AsyncForTenant()",
        f"self.assertEqualWithTolerance2(actual_value_{rng.randint(1, 99)}, EXPECTED_VALUE_{rng.randint(1, 99)})",
        f"See https://example.org/articles/{rng.randint(1, 999)}/how-to-write-2-tests?page={rng.randint(1, 99)}",
        f"https://docs.example.org/d/1{''.join(rng.choices(LETTERS, k=43))}/edit",
        f"![](data:image/png;base64,iVBORw0KGgo{''.join(rng.choices(LETTERS + '+/', k=80))})",
        f"integrity='sha512-{''.join(rng.choices(LETTERS + '+/', k=86))}=='",
        "Use @app.route and user@localhost, logo@2x.png, lodash@4.17.21, git@github.com:owner/repo.git",
        "The password is wrong. password: str = Field(...); token = tokenizer.next_token()",
        f"max_tokens: {rng.randint(1000, 200000)}, token_count={rng.randint(1000, 9999)}",
        "Set API_KEY=your_api_key_here and PASSWORD=${DB_PASSWORD} in .env",
        "He will ask, and anna willed it; a pilot's will.",
        f"The years {rng.randint(1900, 1950)}-{rng.randint(1951, 1999)} and 2001-2010, scores 3-2, 10-12, 100-98.",
        f"127.0.0.1, 0.0.0.0 and 255.255.255.0; it took 12:{rng.randint(10, 59)}:{rng.randint(10, 59)}",
        f"doi:10.1{digits(rng, 3)}/s{digits(rng, 5)}-019-{digits(rng, 4)}-6, arXiv:2{digits(rng, 3)}.{digits(rng, 5)}",
        f"GB{digits(rng, 2)} is a code, part {digits(rng, 4)}-{digits(rng, 4)}-{digits(rng, 2)}",
        f"[{', '.join(str(rng.randint(100, 999)) for _ in range(12))}]",
        f"{rng.randint(100, 199)} {digits(rng, 3)} {digits(rng, 3)} {digits(rng, 3)} {digits(rng, 3)} 17",
        f"std::vector<int> v; a::b::c; 0xDEADBEEF{hexa[:8]}; 1e-{rng.randint(10, 99)}",
        f"Card game no. {rng.randint(1, 99)}, Luhn-like 4{digits(rng, 14)}",
        f"Model XJ-{digits(rng, 3)}-{digits(rng, 4)}, serial {digits(rng, 12)}",
        f"Bus 42 leaves at {rng.randint(6, 22)}.{rng.randint(10, 59)}, platform 3, seats 12-14.",
    )


def labelled(seed: int) -> Iterator[Labelled]:
    """The labelled set of one seed: positives of each kind, and as many negatives as all of them."""
    rng = random.Random(seed)
    for kind, (make, sentences) in POSITIVE.items():
        for _ in range(EACH):
            value, sentence = make(rng), rng.choice(sentences)
            start = sentence.index("{}")
            yield Labelled(sentence.format(value), kind, start, start + len(value))
    for _ in range(EACH * len(POSITIVE)):
        yield Labelled(negative(rng), "")


def quality(searcher: Searcher, misses: list[str]) -> dict[str, dict[str, float]]:
    """Precision and recall by kind."""
    right, found, wanted = Counter[str](), Counter[str](), Counter[str]()
    for seed in SEEDS:
        for case in labelled(seed):
            hits = [hit for hit in searcher.text(case.text) if hit.sure >= SURE]
            wanted[case.kind] += 1
            caught = False
            for hit in hits:
                found[hit.kind] += 1
                overlap = min(hit.end, case.end) - max(hit.start, case.start)
                if hit.kind == case.kind and 2 * overlap >= case.end - case.start:
                    right[hit.kind] += not caught
                    caught = True
                else:
                    misses.append(f"found {hit.kind:7} {case.text[hit.start : hit.end]!r} in {case.text!r:.140}")
            if case.kind and not caught:
                misses.append(f"missed {case.kind:7} {case.text!r:.140}")
    return {
        kind: {
            "labelled": wanted[kind],
            "precision": round(right[kind] / found[kind], 3) if found[kind] else 0.0,
            "recall": round(right[kind] / wanted[kind], 3),
        }
        for kind in KINDS
        if wanted[kind]
    }


def faked(searcher: Searcher) -> dict[str, float]:
    """Recall by kind on values that Faker makes up for eight countries, in the same sentences."""
    try:
        from faker import Faker
    except ImportError:
        return {}
    Faker.seed(3)
    rng = random.Random(3)
    right, wanted = Counter[str](), Counter[str]()
    for country in ("en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "pl_PL"):
        fake = Faker(country)
        makers = {"phone": fake.phone_number, "email": fake.email, "iban": fake.iban, "card": fake.credit_card_number}
        for kind, make in (makers | {"ip": fake.ipv4_public}).items():
            for _ in range(100):
                value, sentence = str(make()), rng.choice(POSITIVE[kind][1])
                start = sentence.index("{}")
                hits = [h for h in searcher.text(sentence.format(value)) if h.sure >= SURE and h.kind == kind]
                wanted[kind] += 1
                right[kind] += any(min(h.end, start + len(value)) - max(h.start, start) >= len(value) - 2 for h in hits)
    return {kind: round(right[kind] / wanted[kind], 3) for kind in wanted}


def speed(megabytes: float) -> dict[str, float]:
    """Megabytes of text a second, by mode, on records of 1.5 kB of which every tenth holds something personal."""
    rng = random.Random(7)
    words = ["".join(rng.choices(string.ascii_lowercase, k=rng.randint(2, 10))) for _ in range(5000)]
    records, size = [], 0
    while size < megabytes * 1e6:
        text = " ".join(rng.choices(words, k=220)) + f". In {rng.randint(1900, 2026)}, {rng.randint(10, 99)} of them."
        if rng.random() < 0.1:
            make, sentences = POSITIVE[rng.choice([*POSITIVE])]
            text = f"{text[:700]} {rng.choice(sentences).format(make(rng))} {text[700:]}"
        records.append(Record(f"r{len(records)}", {"prompt": text[:300], "response": text[300:]}))
        size += len(text.encode())
    speeds = {}
    for mode in ("report", "mask", "pseudonymise", "drop"):
        privacy = Privacy(mode, key=b"0123456789abcdef", names=SPEAKERS)  # type: ignore[arg-type]
        start = time.process_time()
        for record in records:
            privacy.record(record)
        speeds[mode] = round(size / 1e6 / (time.process_time() - start), 2)
    return speeds


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--megabytes", type=float, default=10.0, help="text for the speeds")
    parser.add_argument("--misses", action="store_true", help="print a few of what was missed or wrongly found")
    arguments = parser.parse_args()
    misses: list[str] = []
    kinds = quality(Searcher(regions=["US"], names=SPEAKERS), misses)
    others = faked(Searcher(regions=["US"]))
    speeds = speed(arguments.megabytes)
    negatives = EACH * len(POSITIVE) * len(SEEDS)
    if arguments.json:
        print(json.dumps({"kinds": kinds, "faker_recall": others, "speeds": speeds, "negatives": negatives}))
        return
    if arguments.misses:
        for line in random.Random(1).sample(misses, min(60, len(misses))):
            print(line, file=sys.stderr)
    print(f"{'kind':8} labelled  precision  recall")
    for kind, row in kinds.items():
        print(f"{kind:8} {row['labelled']:8.0f}  {row['precision']:9.3f}  {row['recall']:6.3f}")
    print(f"beside {negatives} texts without any; recall of Faker's values: {others or 'Faker is not installed'}")
    print("MB of text a CPU second: " + ", ".join(f"{mode} {value}" for mode, value in speeds.items()))


if __name__ == "__main__":
    main()
