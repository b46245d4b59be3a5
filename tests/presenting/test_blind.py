"""Blind order: fields change places, answers are brought back, and what depends on a place is refused."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.annotations import Annotation
from bridge.errors import ValueRejected
from bridge.merging.audits import Won
from bridge.presenting.blind import Blind, winners
from bridge.presenting.choices import choices
from bridge.records import Record
from bridge.templates import TaskTemplate, load_template

PREFERENCE, RANKING = load_template("preference"), load_template("ranking")

FIELDS: list[dict[str, Any]] = [
    {"name": "prompt", "title": "Prompt"},
    {"name": "response_a", "title": "Response A"},
    {"name": "response_b", "title": "Response B"},
]


def template(*questions: dict[str, Any], fields: list[dict[str, Any]] = FIELDS, **training: Any) -> TaskTemplate:
    more = {"training": {"prompt": "prompt", **training}} if training else {}
    body = {"version": 1, "name": "mine", "title": "Mine", "fields": fields, "questions": [*questions], **more}
    return TaskTemplate.model_validate(body)


def ask(kind: str, name: str, title: str = "What of it?", **more: Any) -> dict[str, Any]:
    return {"type": kind, "name": name, "title": title, **more}


def prefer(name: str, *options: str | dict[str, Any]) -> dict[str, Any]:
    """A preference; an option is VALUE:FIELD, and one without a field picks none."""
    listed = []
    for option in options:
        value, _, field = option.partition(":") if isinstance(option, str) else (option, "", "")
        listed.append({"value": value, "picks": f"response_{field}"} if field else value)
    return ask("label", name, "Which is better?", options=listed)


def degrees(*options: str) -> TaskTemplate:
    return template(prefer("better", *options))


AB = prefer("better", "A:a", "B:b", "tie")


def two(key: str = "", **fields: str) -> Record:
    return Record(key, {"prompt": "Why?", "response_a": "Because.", "response_b": "No idea.", **fields})


def many(count: int) -> Record:
    return Record("", {"prompt": "Why?", **{f"response_{n}": f"text {n}" for n in range(1, count + 1)}})


def swapped(template: TaskTemplate, record: Record) -> Blind:
    """A blind order that does change the places of a record's two responses."""
    orders = (Blind.of(template, seed) for seed in range(100))
    return next(blind for blind in orders if blind.order(record)[0] == "response_b")


# -- what is shown


def test_a_field_shows_the_text_that_stands_in_its_place() -> None:
    blind = swapped(PREFERENCE, two())
    assert blind.order(two()) == ("response_b", "response_a")
    assert blind.fields(two()) == {"prompt": "Why?", "response_a": "No idea.", "response_b": "Because."}


def test_the_order_is_that_of_the_seed_and_the_text_whatever_the_key() -> None:
    blind = Blind.of(RANKING, 7)
    assert blind.order(many(6)) == Blind.of(RANKING, 7).order(Record("mine", many(6).fields))
    assert len({Blind.of(RANKING, seed).order(many(6)) for seed in range(20)}) > 15


def test_every_order_is_equally_likely() -> None:
    blind = Blind.of(RANKING, 3)
    orders = Counter(blind.order(Record("", {**many(3).fields, "prompt": f"{n}?"})) for n in range(3000))
    assert len(orders) == 6
    assert all(400 < count < 600 for count in orders.values()), orders


def test_a_response_that_a_record_does_not_have_changes_no_place() -> None:
    fields = [*FIELDS[:2], {**FIELDS[2], "required": False}, {"name": "response_c", "title": "Response C"}]
    mine = template(ask("ranking", "best", items=["response_c", "response_b", "response_a"]), fields=fields)
    record = Record("", {"prompt": "Why?", "response_a": "1", "response_c": "3"})
    for seed in range(20):
        assert Blind.of(mine, seed).fields(record).keys() == record.fields.keys()
        assert sorted(Blind.of(mine, seed).order(record)) == ["response_a", "response_c"]


def test_two_groups_of_fields_change_places_each_among_themselves() -> None:
    fields = [*FIELDS, {"name": "title_a", "title": "One"}, {"name": "title_b", "title": "Two"}]
    heads = [{"value": "A", "picks": "title_a"}, {"value": "B", "picks": "title_b"}]
    mine = template(AB, ask("label", "head", options=heads), fields=fields)
    record = two(title_a="x", title_b="y")
    orders = {Blind.of(mine, seed).order(record) for seed in range(40)}
    assert {(order[0][-1], order[2][-1]) for order in orders} == {("a", "a"), ("a", "b"), ("b", "a"), ("b", "b")}
    assert all(order[0].startswith("response") and order[2].startswith("title") for order in orders)


# -- the way back


def test_the_answer_to_what_stood_first_is_one_to_the_response_that_it_was() -> None:
    blind = swapped(PREFERENCE, two())
    assert blind.undone(two(), {"preference": "A"}) == {"preference": "B"}
    assert blind.undone(two(), {"preference": "tie"}) == {"preference": "tie"}


def test_ranks_go_with_their_responses() -> None:
    blind, record = Blind.of(RANKING, 5), many(4)
    first = blind.order(record)[0]
    assert blind.undone(record, {"ranking": {"response_1": 2}}) == {"ranking": {first: 2}}


@given(
    st.integers(0, 2**63 - 1),
    st.integers(2, 10).flatmap(
        lambda count: st.tuples(
            st.just(count),
            st.dictionaries(st.sampled_from([f"response_{n}" for n in range(1, count + 1)]), st.integers()),
        )
    ),
    st.text(),
)
def test_a_ranking_comes_back_as_it_was(seed: int, given_: tuple[int, dict[str, int]], prompt: str) -> None:
    count, ranks = given_
    blind = Blind.of(RANKING, seed)
    record = Record("", {**many(count).fields, "prompt": prompt.encode(errors="replace").decode()})
    assert blind.undone(record, blind.done(record, {"ranking": ranks})) == {"ranking": ranks}
    texts = blind.fields(record)
    assert {record.fields[item]: rank for item, rank in ranks.items()} == {
        texts[item]: rank for item, rank in blind.done(record, {"ranking": ranks})["ranking"].items()
    }


MIRRORED = degrees("A>>B:a", "A>B:a", "tie", "B>A:b", "B>>A:b")
STRAIGHT = degrees("a_much:a", "a_little:a", "b_much:b", "b_little:b", "neither")


@given(st.sampled_from([PREFERENCE, MIRRORED, STRAIGHT]), st.integers(0, 2**63 - 1), st.text(), st.data())
def test_a_preference_comes_back_as_it_was(task: TaskTemplate, seed: int, prompt: str, data: st.DataObject) -> None:
    (question,) = task.questions
    value = data.draw(st.sampled_from(question.values))  # type: ignore[union-attr]
    blind, record = Blind.of(task, seed), two(prompt=prompt.encode(errors="replace").decode())
    there = blind.done(record, {question.name: value})
    assert blind.undone(record, there) == {question.name: value}
    picks = {option.value: option.picks for option in question.options}  # type: ignore[union-attr]
    if picks[value]:
        assert blind.fields(record)[picks[there[question.name]]] == record.fields[picks[value]]


@given(
    st.integers(0, 99),
    st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)),
)
def test_what_is_no_answer_is_left_for_validation_to_name(seed: int, value: Any) -> None:
    blind = Blind.of(PREFERENCE, seed)
    if value not in ("A", "B"):
        assert blind.undone(two(), {"preference": value, "other": value}) == {"preference": value, "other": value}
    ranks = Blind.of(RANKING, seed).undone(many(3), {"ranking": value})["ranking"]
    assert type(ranks) is type(value)


@pytest.mark.parametrize(
    ("task", "pairs"),
    [
        (MIRRORED, {"A>>B": "B>>A", "A>B": "B>A"}),
        (STRAIGHT, {"a_much": "b_much", "a_little": "b_little"}),
        (degrees("1:a", "2:a", "3:b", "4:b"), {"1": "4", "2": "3"}),
        (degrees("A2:a", "A1:a", "B1:b", "B2:b"), {"A2": "B2", "A1": "B1"}),
        (degrees("A1:a", "A2:a", "B1:b", "B2:b"), {"A2": "B2", "A1": "B1"}),
        (degrees("left", "best_b:b", "fine_b:b", "best_a:a", "fine_a:a"), {"best_a": "best_b", "fine_a": "fine_b"}),
    ],
    ids=["mirrored", "straight", "a scale", "numbered from both ends", "numbered alike", "named behind"],
)
def test_degrees_go_to_the_degree_that_says_the_same(task: TaskTemplate, pairs: dict[str, str]) -> None:
    blind = swapped(task, two())
    for one, other in pairs.items():
        assert blind.undone(two(), {"better": one}) == {"better": other}
        assert blind.undone(two(), {"better": other}) == {"better": one}


# -- what servers are told


def test_the_hash_that_servers_keep_tells_nothing_of_the_order() -> None:
    blind = Blind.of(PREFERENCE, 1)
    for text in "abcdefgh":
        record = two(prompt=text)
        shown = Record("", blind.fields(record))
        assert blind.keyed(record.content) not in (record.content, shown.content)
        assert len(blind.keyed(record.content)) == len(record.content)
    assert blind.keyed(two().content) != Blind.of(PREFERENCE, 2).keyed(two().content)


# -- who won


def won(task: TaskTemplate, answers: dict[str, Any], order: str, **more: Any) -> list[Won]:
    return [*winners([Annotation("r", "ann", answers=answers, source={"order": order}, **more)], task)]


def test_the_place_of_the_winner_is_counted_as_it_was_shown() -> None:
    assert won(PREFERENCE, {"preference": "B"}, "response_b response_a") == [Won("preference", "r", 1, 2)]
    ranks = {"response_1": 3, "response_2": 1, "response_3": 2}
    assert won(RANKING, {"ranking": ranks}, "response_3 response_1 response_2") == [Won("ranking", "r", 3, 3)]


@pytest.mark.parametrize(
    ("task", "answers", "order"),
    [
        (PREFERENCE, {"preference": "tie"}, "response_b response_a"),
        (PREFERENCE, {"preference": "A"}, ""),
        (PREFERENCE, {"preference": "nonsense"}, "response_b response_a"),
        (RANKING, {"ranking": {"response_1": 1, "response_2": 1}}, "response_2 response_1"),
        (RANKING, {"ranking": {"response_1": 1}}, "response_2 response_1"),
    ],
    ids=["a tie", "an order that nobody knows", "no answer", "a shared first place", "nothing to win against"],
)
def test_without_a_winner_or_an_order_there_is_no_place(
    task: TaskTemplate, answers: dict[str, Any], order: str
) -> None:
    assert won(task, answers, order) == []


def test_skips_and_withdrawn_answers_have_no_winner() -> None:
    order = "response_b response_a"
    assert won(PREFERENCE, {"preference": "B"}, order, status="discarded") == []
    assert won(PREFERENCE, {"preference": "B"}, order, deleted=True) == []


# -- templates that are refused

BAD = {"value": "bad", "title": "Only Response A is bad"}
RULE = {"use": "response_a", "when": {"stars": {"min": 4}}}


@pytest.mark.parametrize(
    ("questions", "training", "reason"),
    [
        ([ask("rating", "good")], {}, "no question that compares fields"),
        ([prefer("good", "y:a", "n")], {}, "no question that compares fields"),
        (
            [AB, prefer("good", "y:a", "n")],
            {},
            "question 'better' compares response_a, response_b, and 'good' response_a",
        ),
        (
            [AB, ask("span", "slips", field="response_b", options=["s"])],
            {},
            "question 'slips' marks passages of response_b",
        ),
        ([AB, ask("text", "mended", prefill="response_a")], {}, "question 'mended' starts as response_a"),
        (
            [AB, ask("text", "why", required=False, required_when={"better": ["A"]})],
            {},
            "question 'why' is required where better is 'A', and not where it is 'B'",
        ),
        ([AB, ask("rating", "good", "How good is response A?")], {}, "question 'good' speaks of 'Response A'"),
        (
            [AB, ask("multi_label", "rude", options=[{"value": "r", "title": "Response B is rude"}])],
            {},
            "option 'r' of question 'rude' speaks of 'Response B'",
        ),
        ([prefer("better", "A:a", "B:b", BAD)], {}, "option 'bad' of question 'better' speaks of 'Response A'"),
        (
            [AB, ask("rating", "stars_a"), ask("rating", "stars_b")],
            {},
            "questions 'stars_a' and 'stars_b' seem to ask about one of response_a, response_b each",
        ),
        (
            [AB, ask("rating", "stars")],
            {"sft": [RULE]},
            "a training rule uses response_a, which changes its place, by the answers to 'stars'",
        ),
        (
            [AB, ask("text", "mine")],
            {"dpo": [{"chosen": "mine", "rejected": "response_b"}]},
            "a training rule uses response_b, which changes its place, by the answers to 'mine'",
        ),
    ],
)
def test_what_depends_on_the_place_of_a_field_is_refused(
    questions: list[dict[str, Any]], training: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValueRejected, match=reason) as caught:
        choices(template(*questions, **training))
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("x:a", "y:a", "z:b"), "has 2 options that pick response_a, and 1 that pick response_b"),
        (("x:a", "y:b", "z:a", "w:b"), "nobody can tell which of the options"),
    ],
)
def test_degrees_that_do_not_pair_off_are_refused(options: tuple[str, ...], reason: str) -> None:
    with pytest.raises(ValueRejected, match=reason):
        choices(degrees(*options))


def test_fields_of_different_types_are_refused() -> None:
    with pytest.raises(ValueRejected, match="not all of one type"):
        choices(template(AB, fields=[*FIELDS[:2], {**FIELDS[2], "type": "chat"}]))


def test_what_does_not_depend_on_a_place_is_let_through() -> None:
    everything = template(
        AB,
        prefer("truer", "l:a", "r:b"),
        ask("rating", "hard", "How hard is the prompt?"),
        ask("text", "why", required=False, required_when={"better": ["A", "B"], "hard": {"min": 4}}),
        ask("span", "slips", field="prompt", options=["s"]),
        sft=[{"use": "better", "when": {"hard": {"min": 2}}}, {"use": "response_a", "when": {"better": ["A"]}}],
        dpo=[{"pairs": "better"}, {"chosen": "response_a", "rejected": "response_b", "when": {"better": ["A"]}}],
    )
    assert choices(everything).questions == {"better", "truer"}


@pytest.mark.parametrize("name", ["preference", "ranking"])
def test_the_ready_made_comparisons_can_be_blind(name: str) -> None:
    assert choices(load_template(name)).groups
