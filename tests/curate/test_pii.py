"""What is taken for personal or secret, what is not, and what a person should look at."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.curate.pii import KINDS, Finding, Searcher, count_pii, places_of, review, shortened
from bridge.curate.pii_kinds import SURE, cue
from bridge.errors import UsageError
from bridge.records import Record, Suggestion, record_key

NAMES = ["Ann Lee", "Will", "María José", "李小龙"]
SEARCHER = Searcher(names=NAMES)
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA7bq0\nabc+/9==\n-----END RSA PRIVATE KEY-----"


def sure(text: str, searcher: Searcher = SEARCHER) -> list[tuple[str, str]]:
    return [(hit.kind, text[hit.start : hit.end]) for hit in searcher.text(text) if hit.sure >= SURE]


# -- each kind


@pytest.mark.parametrize(
    ("kind", "text", "passage"),
    [
        ("email", "Write to Ann.Lee+list@mail.example.org.", "Ann.Lee+list@mail.example.org"),
        ("email", "o'brien@example.org, please", "o'brien@example.org"),
        ("email", "zoë@uni-köln.example", "zoë@uni-köln.example"),
        ("email", "ann (at) example (dot) org", "ann (at) example (dot) org"),
        ("email", "ann[at]example.org", "ann[at]example.org"),
        ("email", "It is ann at example dot org.", "ann at example dot org"),
        ("email", "https://x.example/?to=ann%40mail.example&x=1", "ann%40mail.example"),
        ("email", "mailto:ann@mail.example", "ann@mail.example"),
        ("email", "メールはann@mail.jpまで", "ann@mail.jp"),
        ("phone", "Call (212) 555-0134 now", "(212) 555-0134"),
        ("phone", "555-123-4567", "555-123-4567"),
        ("phone", "212.555.0134 ext. 22", "212.555.0134 ext. 22"),
        ("phone", "+49 (0)30 1234567", "+49 (0)30 1234567"),
        ("phone", "0044 20 7946 0958", "0044 20 7946 0958"),
        ("phone", "My number is 2125550134.", "2125550134"),
        ("phone", "Mobil: 0171 2345678", "0171 2345678"),
        ("phone", "06 12 34 56 78", "06 12 34 56 78"),
        ("phone", "601 502 202 is my number", "601 502 202"),
        ("phone", "電話は03-1234-5678です", "03-1234-5678"),
        ("iban", "IBAN DE89 3704 0044 0532 0130 00 and", "DE89 3704 0044 0532 0130 00"),
        ("iban", "be71 0961 2345 6769", "be71 0961 2345 6769"),
        ("iban", "GB82WEST12345698765432.", "GB82WEST12345698765432"),
        ("card", "4111 1111 1111 1111", "4111 1111 1111 1111"),
        ("card", "amex 378282246310005, please", "378282246310005"),
        ("card", "5105-1051-0510-5100 exp 12/27", "5105-1051-0510-5100"),
        ("ssn", "SSN 078051120", "078051120"),
        ("ssn", "219-09-9999", "219-09-9999"),
        ("ip", "from 203.0.113.7:8080", "203.0.113.7"),
        ("ip", "10.20.30.0/24", "10.20.30.0"),
        ("ip", "2001:db8:85a3::8a2e:370:7334", "2001:db8:85a3::8a2e:370:7334"),
        ("secret", "sk-proj-abc123def456ghi789jkl_012", "sk-proj-abc123def456ghi789jkl_012"),
        ("secret", "id AKIAIOSFODNN7EXAMPLE.", "AKIAIOSFODNN7EXAMPLE"),
        ("secret", "token=ghp_16C7e42F292c6912E7710c838347Ae178B4a", "ghp_16C7e42F292c6912E7710c838347Ae178B4a"),
        ("secret", "xoxb-123456789012-abcdefghijkl", "xoxb-123456789012-abcdefghijkl"),
        ("secret", '"AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY"', "AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY"),
        ("secret", "sk_test_4eC39HqLyjWDarjtT1zdp7dc", "sk_test_4eC39HqLyjWDarjtT1zdp7dc"),
        (
            "secret",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3",
        ),
        ("secret", f"Here:\n{PEM}\nThanks", PEM),
        ("secret", "the password is Tr0ub4dor&3.", "Tr0ub4dor&3"),
        ("secret", "DB_PASSWORD=hunter2hunter2", "hunter2hunter2"),
        ("secret", "postgresql://me:hunter2@db.example/x", "me:hunter2"),
        ("secret", "I got Zx8qL0vTr5Nw2KpYb7Hd3Js9 from it", "Zx8qL0vTr5Nw2KpYb7Hd3Js9"),
        ("name", "Ann  Lee's idea", "Ann  Lee"),
        ("name", "我见过李小龙吗", "李小龙"),
        ("name", "Mari\u0301a Jose\u0301 said", "Mari\u0301a Jose\u0301"),
    ],
)
def test_it_is_found_as_it_stands(kind: str, text: str, passage: str) -> None:
    assert sure(text) == [(kind, passage)]


@pytest.mark.parametrize(
    "text",
    [
        "Version 10.0.19.3, v1.2.3.4, Chrome/120.0.0.0, 2.0.0.1 is a release, see section 3.1.4.2",
        "ISBN 978-3-16-148410-0, ISBN 0-306-40615-2, the book 9783161484100",
        "Order 2125550134, order number 112-4567890-1234567, Order ID: 4111111111111111",
        "Case number 415-555-2671, Case No. 3:24-cv-01234, case 2024-03-15-001, Aktenzeichen 12 C 345/26",
        "employee number 4155552671, ticket #123456789, invoice 20240115-0042, serial 123456789012",
        "2024-11-22 23:00:00, 12.03.2024 - 15.03.2024, 1939-1945, 1700000000, 2024-01-15T10:30:00.123456Z",
        "pi is 3.141592653589793, (52.520008, 13.404954), 6.02214076e23, $1,234,567.89, 1 000 000 000",
        "colour #A1B2C3, rgb(12, 34, 56), 00:1A:2B:3C:4D:5E, 12:34:56, a::b::c, 127.0.0.1, 255.255.255.0",
        "550e8400-e29b-41d4-a716-446655440000, d41d8cd98f00b204e9800998ecf8427e, 0xDEADBEEFDEADBEEF0123",
        "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU= data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAUA",
        "SGVsbG8sIHdvcmxkISBIb3cgYXJlIHlvdT8=, ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7Zx",
        "getUserAccountByIdV2AsyncForTenant3, MyVeryLongClassNameFactoryBean2Impl3, test_login_with_2fa_v3",
        "https://docs.example.org/d/1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms/edit?page=2",
        "pip install foo@1.2.3, @scope/pkg@10.0.1, icon@3x.png, git@github.com:owner/repo.git, @ann, user@localhost",
        "the token is invalid, password: <your password>, API_KEY=your_api_key, max_tokens: 128000",
        'secret = get_secret("name"); api_key = os.environ["KEY"]; password: str = Field(); "password": password}).x',
        "http://user:password@host, postgresql://me:${PASSWORD}@host",
        "DE12345678, GB00WEST12345698765432, 4111 1111 1111 1112, 0000 0000 0000 0000",
        "He will ask. Willow and Annabel Leeward did.",
        "<EMAIL_1> and <PHONE_3f9a2c1b04de> and <SECRET_2>",
        "",
        "🙂" * 20,
        "为什么天空是蓝色的？",
    ],
)
def test_what_only_looks_so_is_not_taken_for_it(text: str) -> None:
    assert sure(text) == []


def test_the_nearest_word_before_decides() -> None:
    assert cue("Call about order 2125550134", 17) == "id"
    assert cue("The order is late, call 2125550134", 24) == "phone"
    assert cue("Phone no. 2125550134", 10) == "phone"
    assert cue("Order 17 is late.\n2125550134", 18) == ""


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("(212) 555-0134 or +1 212 555 0134 or call 212.555.0134", "+12125550134"),
        ("ANN@mail.example, ann@Mail.Example, ann (at) mail (dot) example", "ann@mail.example"),
        ("DE89370400440532013000, de89 3704 0044 0532 0130 00", "DE89370400440532013000"),
        ("4111111111111111 and 4111-1111-1111-1111", "4111111111111111"),
        ("2001:db8::1:2 and 2001:0DB8:0:0:0:0:1:2", "2001:db8::1:2"),
    ],
)
def test_all_spellings_of_one_thing_have_one_value(text: str, value: str) -> None:
    found = SEARCHER.text(text)
    assert len(found) >= 2
    assert {hit.value for hit in found} == {value}


def test_national_numbers_are_those_of_the_regions() -> None:
    text = "It was 020 7946 0018 on the slip, or 612 34 56 78."
    assert sure(text, Searcher(regions=["ES", "GB"])) == [("phone", "020 7946 0018"), ("phone", "612 34 56 78")]
    assert sure("612 34 56 78", Searcher(regions=["US"])) == []


def test_where_passages_overlap_the_surer_kind_wins() -> None:
    assert sure("Will@mail.example is Will") == [("email", "Will@mail.example"), ("name", "Will")]
    assert sure("postgresql://ann@mail.example:hunter2@host/x")[0][0] == "secret"


@given(st.text(max_size=200))
def test_passages_lie_in_the_text_in_order_and_apart(text: str) -> None:
    hits = SEARCHER.text(f"{text} ann@mail.example {text} 555-123-4567 {text}")
    places = [place for hit in hits for place in (hit.start, hit.end)]
    assert places == sorted(places)
    assert all(hit.kind in KINDS and 0 < hit.sure <= 1 and hit.start < hit.end for hit in hits)


def test_the_length_of_a_text_does_not_matter_to_what_is_in_it() -> None:
    rng = random.Random(1)
    noise = " ".join("".join(rng.choices(string.ascii_lowercase, k=6)) for _ in range(30_000))
    assert sure(f"{noise} ann@mail.example {noise}") == [("email", "ann@mail.example")]
    for endless in (
        "a" * 100_000,
        "1 " * 100_000,
        "a.b@" * 30_000,
        "-" * 100_000,
        "password: " * 20_000,
        "::1" * 30_000,
    ):
        assert all(hit.kind != "name" for hit in SEARCHER.text(endless))


# -- records


def test_a_record_is_searched_wherever_it_has_texts() -> None:
    record = Record(
        "ann@key.example",
        {
            "prompt": "a@one.example",
            "talk": [{"role": "Bo Ek", "content": "It is Bo Ek."}, {"role": "user", "content": "b@two.example"}],
        },
        [Suggestion("improved", "c@three.example"), Suggestion("rating", 4)],
        {"contact": {"mails": ["d@four.example"]}, "history": [{"before": "e@five.example"}]},
    )
    assert [(f.field, f.kind) for f in Searcher().record(record)] == [
        ("prompt", "email"),
        ("talk[0].role", "name"),
        ("talk[0]", "name"),
        ("talk[1]", "email"),
        ("suggestions.improved", "email"),
        ("metadata.contact.mails[0]", "email"),
        ("metadata.history[0].before", "email"),
        ("key", "email"),
    ]
    without = [f.field for f in Searcher(metadata=False).record(record)]
    assert "metadata.contact.mails[0]" not in without
    assert "metadata.history[0].before" in without


def test_roles_are_no_names_and_speakers_are_a_setting() -> None:
    talk = [{"role": role, "content": f"{role} asked."} for role in ("user", "Speaker 1", "customer", "Ann")]
    record = Record("r", {"talk": talk})
    assert {f.shown for f in Searcher().record(record)} == {"…"}
    assert [f.field for f in Searcher().record(record)] == ["talk[3].role", "talk[3]"]
    assert Searcher(speakers=False).record(record) == []


def test_identifiers_in_metadata_may_look_random() -> None:
    record = Record("r", {"prompt": "Hi"}, metadata={"id": "Zx8qL0vTr5Nw2KpYb7Hd3Js9"})
    assert Searcher().record(record) == []


def test_a_finding_is_never_shown_in_full() -> None:
    record = Record("r", {"prompt": f"ann.lee@mail.example {PEM} 4111 1111 1111 1111"})
    for finding in Searcher().record(record):
        assert finding.value
        assert finding.value not in repr(finding)
        assert finding.value not in str(finding.to_dict())
        assert finding.shown in str(finding.to_dict())


def test_a_key_that_is_personal_is_not_shown_in_full_either() -> None:
    (finding,) = Searcher().record(Record("ann.lee@mail.example", {"prompt": "Hi"}))
    assert finding.to_dict()["key"] == "an…le"


@given(st.text(max_size=40))
def test_what_is_shown_is_at_most_a_third(text: str) -> None:
    assert len(shortened(text)) - 1 <= len(text) / 3
    assert len(shortened(text)) <= 5


def test_places_of_a_record_without_anything_are_its_key() -> None:
    assert list(places_of(Record("r", {}))) == [("key", "r")]


def test_counts_are_of_records() -> None:
    mails = Record("a", {"prompt": "a@mail.example b@mail.example", "response": "Order 2125550134"})
    assert count_pii([mails, Record("b", {"prompt": "2 + 2?"})]) == {"email": 1}
    assert count_pii([]) == {}


# -- review


def test_the_review_lists_the_closest_calls_first_and_nothing_that_is_clear() -> None:
    texts = {
        "sure": "ann@mail.example",
        "none": "2 + 2?",
        "masked": "I got Zx8qL0vTr5Nw2KpYb7Hd3Js9",
        "left": "Order 2125550134",
        "typo": "My IBAN DE88 3704 0044 0532 0130 00",
        "name": "My name is Bo Ek.",
    }
    found = [f for key, text in texts.items() for f in Searcher().record(Record(key, {"prompt": text}))]
    assert [f.key for f in review(found)] == ["masked", "name", "typo", "left"]
    assert all(isinstance(f, Finding) and f.note for f in review(found) if f.key != "left")


# -- settings


def test_kinds_can_be_left_out_or_chosen() -> None:
    text = "ann@mail.example, 203.0.113.7"
    assert sure(text, Searcher(off=["email"])) == [("ip", "203.0.113.7")]
    assert sure(text, Searcher(only=["email"])) == [("email", "ann@mail.example")]


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"off": ["address"]}, "'address' is no kind"),
        ({"regions": ["XX"]}, "region 'XX'"),
        ({"only": ["person"]}, "nothing is set up that finds names"),
    ],
)
def test_settings_that_cannot_be_right_are_refused(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        Searcher(**settings)


def test_names_that_a_model_finds_are_persons() -> None:
    def model(text: str) -> list[tuple[int, int, float]]:
        return [(text.index("Bo"), text.index("Bo") + 5, 0.85)] if "Bo" in text else []

    searcher = Searcher(find_names=model, names=["Ann"])
    assert sure("Ann met Bo Ek.", searcher) == [("name", "Ann"), ("person", "Bo Ek")]


@pytest.mark.parametrize(("package", "kind"), [("phonenumbers", "phone"), ("stdnum", "iban")])
def test_a_missing_package_is_named_with_the_extra_that_brings_it(
    package: str, kind: str, without: Callable[..., None]
) -> None:
    from bridge.curate import pii_kinds, pii_phones

    pii_phones._library.cache_clear()
    pii_kinds._stdnum.cache_clear()
    pii_kinds._iban_length.cache_clear()
    without(package)
    with pytest.raises(UsageError, match="not installed") as caught:
        Searcher(only=[kind])
    assert "annobridge[curate]" in caught.value.remedy
    assert sure("ann@mail.example", Searcher(only=["email"])) == [("email", "ann@mail.example")]


def test_presidio_is_asked_for_only_when_it_is_wanted(without: Callable[..., None]) -> None:
    from bridge.curate.ner import presidio_names

    without("presidio_analyzer", "spacy")
    with pytest.raises(UsageError, match="needs Presidio") as caught:
        presidio_names()
    assert "annobridge[ner]" in caught.value.remedy


def test_a_key_that_is_only_a_hash_of_the_record_is_not_searched() -> None:
    assert list(places_of(Record(record_key({"prompt": "Hi"}), {"prompt": "Hi"}))) == [("prompt", "Hi")]
