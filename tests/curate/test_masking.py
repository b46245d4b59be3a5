"""What becomes of what was found: reported, masked, pseudonymised or dropped, and nothing left behind."""

from __future__ import annotations

import hmac
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.curate.clean import clean, undo
from bridge.curate.masking import Privacy, pii
from bridge.curate.pii import Searcher
from bridge.errors import UsageError
from bridge.records import Record, Suggestion

KEY = b"sixteen bytes, or more"
TALK = [
    {"role": "Ann Lee", "content": "I am Ann Lee, ann@mail.example."},
    {"role": "assistant", "content": "Hello Ann Lee, I write to ANN@mail.example and bo@mail.example."},
]


def masked(record: Record, mode: Any = "mask", **settings: Any) -> Record:
    (kept,) = pii([record], mode, **settings).kept
    assert isinstance(kept, Record)
    return kept


def text(text: str, mode: Any = "mask", **settings: Any) -> str:
    return str(masked(Record("r", {"text": text}), mode, **settings).fields["text"])


# -- modes


def test_a_report_changes_nothing_and_counts_records() -> None:
    records = [Record("a", {"prompt": "a@mail.example b@mail.example 203.0.113.7"}), Record("b", {"prompt": "Hi"})]
    result = pii(records)
    assert result.kept == records
    assert (result.dropped, result.why) == ([], {"email": 1, "ip": 1})


def test_one_value_has_one_placeholder_in_all_texts_of_a_record() -> None:
    record = Record("r", {"talk": TALK, "summary": "Ann Lee (ann@mail.example) spoke."})
    assert masked(record).fields == {
        "talk": [
            {"role": "<NAME_1>", "content": "I am <NAME_1>, <EMAIL_1>."},
            {"role": "assistant", "content": "Hello <NAME_1>, I write to <EMAIL_1> and <EMAIL_2>."},
        ],
        "summary": "<NAME_1> (<EMAIL_1>) spoke.",
    }


def test_numbers_start_anew_in_every_record() -> None:
    records = [Record(key, {"prompt": f"{key}@mail.example"}) for key in "ab"]
    assert [record.fields for record in pii(records, "mask").kept] == [{"prompt": "<EMAIL_1>"}] * 2


def test_pseudonyms_are_the_same_in_all_records_and_depend_on_the_key() -> None:
    first = text("Write to ann@mail.example", "pseudonymise", key=KEY)
    assert text("ANN@mail.example wrote", "pseudonymise", key=KEY).split()[0] == first.split()[-1]
    assert text("Write to ann@mail.example", "pseudonymise", key=KEY + b"!") != first
    assert text("Write to bo@mail.example", "pseudonymise", key=KEY) != first
    digest = hmac.new(KEY, b"email\0ann@mail.example", "sha256").hexdigest()
    assert first == f"Write to <EMAIL_{digest[:12]}>"


def test_a_dropped_record_says_why_and_shows_nothing_in_full() -> None:
    record = Record("r", {"prompt": "Mail ann@mail.example or bo@mail.example, from 203.0.113.7"})
    result = pii([record], "drop")
    assert result.kept == []
    (case,) = result.dropped
    assert (case.key, case.step, case.rule, case.score) == ("r", "pii", "email", 0.98)
    assert case.detail == {"kinds": {"email": 2, "ip": 1}, "field": "prompt", "shown": "an…le"}
    assert "ann@mail" not in json.dumps(case.to_dict())


def test_a_record_without_any_is_the_very_same_in_every_mode() -> None:
    record = Record("r", {"prompt": "2 + 2?"})
    for mode in ("report", "mask", "pseudonymise", "drop"):
        assert masked(record, mode, key=KEY) is record


def test_how_sure_it_must_be_is_a_setting() -> None:
    order = "Order 2125550134"
    assert text(order) == order
    assert text(order, at_least=0.3) == "Order <PHONE_1>"
    assert text("ann@mail.example", at_least=0.99) == "ann@mail.example"


# -- what is masked


def test_nothing_that_was_found_is_left_anywhere_but_in_the_key() -> None:
    record = Record(
        "ann@mail.example",
        {"prompt": "ann@mail.example ", "talk": TALK},
        [Suggestion("improved", "I am ann@mail.example"), Suggestion("rating", 4)],
        {"from": {"mail": "ann@mail.example"}, "row": 7},
    )
    (cleaned,) = clean([record], off=["language"]).kept
    line = masked(cleaned).to_dict()
    assert line.pop("key") == "ann@mail.example"
    assert "mail.example" not in json.dumps(line)
    assert "Ann Lee" not in json.dumps(line)
    assert line["suggestions"][0]["value"] == "I am <EMAIL_1>"
    assert line["metadata"]["from"] == {"mail": "<EMAIL_1>"}
    assert line["metadata"]["history"][0]["before"] == "<EMAIL_1> "


def test_undoing_the_cleaning_of_a_masked_record_brings_nothing_back() -> None:
    record = Record("r", {"prompt": "Tom &amp; ann@mail.example  "})
    (cleaned,) = clean([record], off=["language"]).kept
    assert undo(masked(cleaned)).fields == {"prompt": "Tom &amp; <EMAIL_1>  "}


def test_a_passage_that_another_one_hides_is_masked_too() -> None:
    assert text("+44 20 7946 0958 4111 1111 1111 1111") == "<PHONE_1> <CARD_1>"


def test_places_that_are_spelled_alike_are_told_apart() -> None:
    record = Record(
        "r",
        {"x": "Hi"},
        [Suggestion("q", "a@b.example"), Suggestion("q", "2")],
        {"a": {"b": "c@d.example"}, "a.b": "no"},
    )
    kept = masked(record)
    assert [s.value for s in kept.suggestions] == ["<EMAIL_1>", "2"]
    assert kept.metadata == {"a": {"b": "<EMAIL_2>"}, "a.b": "no"}


def test_names_that_are_given_are_masked() -> None:
    assert text("Ann met Anna and ann.", names=["Ann"]) == "<NAME_1> met Anna and ann."


def test_texts_alone_are_masked_together_and_go_on_counting() -> None:
    answers = [("improved", "Ask bo@mail.example, not <EMAIL_1>."), ("why", "BO@mail.example knows."), ("x", "Hi")]
    assert Privacy("mask").texts(answers) == {
        "improved": "Ask <EMAIL_2>, not <EMAIL_1>.",
        "why": "<EMAIL_2> knows.",
    }


@pytest.mark.parametrize("mode", ["mask", "pseudonymise"])
@settings(max_examples=60)
@given(
    st.lists(
        st.sampled_from(
            [
                *(
                    "ann@mail.example",
                    "Ann@Mail.example",
                    "bo (at) mail (dot) example",
                    "+44 20 7946 0958",
                    "555-123-4567",
                ),
                *("4111 1111 1111 1111", "DE89370400440532013000", "203.0.113.7", "2001:db8::1:2", "219-09-9999"),
                *(
                    "password: hunter2!",
                    "AKIAIOSFODNN7EXAMPLE",
                    "Ann Lee",
                    "<EMAIL_1>",
                    "<PHONE_7>",
                    "<",
                    ">",
                    "🙂",
                    "é",
                ),
                *("order 17", "call", "\n", ". ", ", ", "key=", "<EMAIL_", "Zx8qL0vTr5Nw2KpYb7Hd3Js9"),
            ]
        ),
        max_size=8,
    ).map(" ".join)
)
def test_masking_what_is_masked_changes_nothing(mode: Any, text: str) -> None:
    record = Record("r", {"prompt": text, "talk": [{"role": "Bo", "content": text}]})
    once = masked(record, mode, key=KEY, names=["Ann Lee"])
    assert masked(once, mode, key=KEY, names=["Ann Lee"]) == once
    assert [f for f in Searcher(names=["Ann Lee"]).record(once) if f.sure >= 0.5] == []


# -- spans


def spans_of(record: Record) -> list[str]:
    (suggestion,) = record.suggestions
    response = str(record.fields["response"])
    assert isinstance(suggestion.value, list)
    return [response[span["start"] : span["end"]] for span in suggestion.value if isinstance(span, dict)]


def with_spans(response: str, *passages: str, prompt: str = "?") -> Record:
    spans = [{"start": response.index(p), "end": response.index(p) + len(p), "label": "wrong"} for p in passages]
    return Record("r", {"prompt": prompt, "response": response}, [Suggestion("errors", spans)])


def test_spans_stay_on_their_passages() -> None:
    record = with_spans(
        "ann@mail.example was born in 1820 🙂 and bo@mail.example later", "1820", "later", "born in 1820 🙂 and"
    )
    for known in ({"errors": "response"}, None):
        assert spans_of(masked(record, spans=known)) == ["1820", "later", "born in 1820 🙂 and"]


def test_a_span_over_a_masked_passage_covers_its_placeholder() -> None:
    record = with_spans("It is ann@mail.example.", "ann", "mail.example.", "is ann@mail.example")
    assert spans_of(masked(record)) == ["<EMAIL_1>", "<EMAIL_1>.", "is <EMAIL_1>"]


def test_spans_that_may_be_in_several_fields_are_dropped_with_their_reason() -> None:
    record = with_spans("bo@mail.example", "bo", prompt="ann@mail.example")
    kept = masked(record)
    assert kept.suggestions == ()
    (entry,) = kept.metadata["history"]
    assert (entry["field"], entry["rule"]) == (
        "suggestions.errors",
        "spans dropped: they may be in any of prompt, response",
    )
    assert spans_of(masked(record, spans={"errors": "response"})) == ["<EMAIL_2>"]


# -- settings


@pytest.mark.parametrize(
    ("given_", "complaint"),
    [
        (("hide", {}), "mode 'hide'"),
        (("pseudonymise", {}), "needs a secret key"),
        (("pseudonymise", {"key": b"short"}), "at least 16 bytes"),
        (("mask", {"off": ["address"]}), "'address' is no kind"),
    ],
)
def test_settings_that_cannot_be_right_are_refused(given_: tuple[Any, dict[str, Any]], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        Privacy(given_[0], **given_[1])


def test_an_empty_set_is_no_fault() -> None:
    assert pii([], "mask").kept == []
