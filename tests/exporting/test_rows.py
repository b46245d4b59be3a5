"""From merged answers to rows: which record yields what, and why one yields nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.annotations import Annotation
from bridge.errors import ExportError
from bridge.exporting import REASONS, Row, RowsResult, training_rows
from bridge.exporting.row import Kind
from bridge.merging import Merged, merge
from bridge.questions import Bounds
from bridge.records import Record
from bridge.templates import SftSource, TaskTemplate, Training, load_template, template_names

QA = {"prompt": "2 + 2?", "response": "5"}
PAIR = {"prompt": "2 + 2?", "response_a": "4", "response_b": "5"}
TRIPLE = {"prompt": "2 + 2?", "response_1": "5", "response_2": "four", "response_3": "4"}
USER = [{"role": "user", "content": "2 + 2?"}]


def rows(
    kind: Kind, template: str | TaskTemplate, fields: dict[str, Any], *answers: dict[str, Any], quorum: int = 1
) -> RowsResult:
    """Rows of one record that ann, bo, cy... answered."""
    task = load_template(template) if isinstance(template, str) else template
    record = Record("r1", fields)
    people = [
        Annotation("r1", who, answers=given) for who, given in zip(("ann", "bo", "cy", "di"), answers, strict=False)
    ]
    return training_rows(kind, [record], merge(people, task, [record], quorum=quorum).kept, task)


def why(result: RowsResult) -> tuple[str, str]:
    """Reason and text of the one record that was dropped."""
    assert result.kept == []
    assert [case.record for case in result.dropped] == ["r1"]
    assert result.counts() == {result.dropped[0].reason: 1}
    return result.dropped[0].reason, result.dropped[0].text


# -- SFT from fields, under conditions


def test_an_approved_response_is_a_row_with_those_who_approved() -> None:
    result = rows("sft", "rating", QA, {"rating": 5}, {"rating": 4}, {"rating": 1})
    assert result.kept == [Row("r1", "sft", USER, completion="5", source="use: response", annotators=("ann", "bo"))]
    assert result.dropped == []


@pytest.mark.parametrize(
    ("ratings", "reason"),
    [
        ((3,), ("condition", "rating is not 4 or higher")),
        ((2, 3), ("condition", "rating is not 4 or higher")),
        ((3, 4), ("tie", "rating: tie (the middle grades are 3 and 4)")),
    ],
)
def test_a_response_that_people_do_not_approve_is_no_row(ratings: tuple[int, ...], reason: tuple[str, str]) -> None:
    assert why(rows("sft", "rating", QA, *({"rating": rating} for rating in ratings))) == reason


def test_a_condition_that_holds_for_both_middle_grades_holds() -> None:
    assert len(rows("sft", "rating", QA, {"rating": 4}, {"rating": 5}).kept) == 1


@pytest.mark.parametrize(
    ("bounds", "meaning"),
    [(Bounds(min=4), "4 or higher"), (Bounds(max=2), "2 or lower"), (Bounds(min=1, max=2), "from 1 to 2")],
)
def test_conditions_are_told_in_words(bounds: Bounds, meaning: str) -> None:
    training = Training(prompt=["prompt"], sft=[SftSource(use="response", when={"rating": bounds})])
    template = load_template("rating").model_copy(update={"training": training})
    assert why(rows("sft", template, QA, {"rating": 3})) == ("condition", f"rating is not {meaning}")


def test_a_label_tie_is_no_row_and_a_wrong_label_neither() -> None:
    assert why(rows("sft", "label", QA, {"label": "correct"}, {"label": "harmful"}))[0] == "tie"
    assert why(rows("sft", "label", QA, {"label": "harmful"})) == ("condition", "label is not correct")


def test_a_multi_label_condition_needs_one_of_its_labels() -> None:
    assert len(rows("sft", "multi_label", QA, {"labels": ["none"]}).kept) == 1
    assert why(rows("sft", "multi_label", QA, {"labels": ["style"]})) == ("condition", "labels is not none")


def test_a_response_without_marked_errors_is_a_row_unless_people_doubt_it() -> None:
    span = [{"start": 0, "end": 1, "label": "factual_error"}]
    assert len(rows("sft", "span_errors", QA, {"errors": []}).kept) == 1
    assert why(rows("sft", "span_errors", QA, {"errors": span}))[0] == "condition"
    assert why(rows("sft", "span_errors", QA, {"errors": span}, {"errors": []}))[0] == "tie"


def test_too_few_answers_are_no_row() -> None:
    assert why(rows("sft", "rating", QA, {"rating": 5}, quorum=2)) == ("no_quorum", "rating: 1 of 2 answers")


def test_a_response_is_stripped() -> None:
    fields = {"prompt": "  2 + 2?\n", "response": "\n4 "}
    assert rows("sft", "rating", fields, {"rating": 5}).kept[0].completion == "4"
    assert rows("sft", "rating", fields, {"rating": 5}).kept[0].prompt == USER


# -- rewrites

BAD = {"rating": 2, "label": "incorrect"}
FINE = {"rating": 5, "label": "correct"}


def test_each_changed_rewrite_is_a_row_of_its_own() -> None:
    given = [BAD | {"improved_response": text} for text in ("4", "four", "4\n", "5")]
    result = rows("sft", "review", QA, *given)
    assert [(row.completion, row.annotators, row.source) for row in result.kept] == [
        ("4", ("ann", "cy"), "use: improved_response"),
        ("four", ("bo",), "use: improved_response"),
    ]
    pairs = rows("dpo", "review", QA, *given).kept
    assert [(row.chosen, row.rejected, row.annotators) for row in pairs] == [
        ("4", "5", ("ann", "cy")),
        ("four", "5", ("bo",)),
    ]
    assert {row.source for row in pairs} == {"chosen: improved_response, rejected: response"}


def test_the_first_rule_that_yields_rows_is_used_for_sft() -> None:
    assert rows("sft", "review", QA, FINE).kept[0].source == "use: response"
    both = rows("sft", "review", QA, FINE | {"improved_response": "It is 5."}).kept
    assert [row.completion for row in both] == ["It is 5."]


@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_an_unchanged_rewrite_is_never_a_row(kind: Kind) -> None:
    reason, text = why(rows(kind, "review", QA, BAD | {"improved_response": " 5\n"}))
    assert (reason, text.split(";")[0]) == (
        "unchanged_rewrite",
        "improved_response: the text was left as it was, which approves it",
    )


def test_a_rewrite_is_compared_with_the_record_even_if_it_was_merged_without() -> None:
    template = load_template("rewrite")
    merged = merge([Annotation("r1", "ann", answers={"improved_response": "5"})], template).kept
    assert why(training_rows("dpo", [Record("r1", QA)], merged, template))[0] == "unchanged_rewrite"


def test_a_record_without_rewrite_yields_no_pair() -> None:
    assert why(rows("dpo", "review", QA, FINE)) == ("unanswered", "improved_response: nobody answered")


def test_all_rules_that_failed_are_told_and_the_record_is_counted_once() -> None:
    result = rows("sft", "review", QA, {"rating": 5, "label": "correct"}, {"rating": 5, "label": "harmful"})
    assert why(result) == (
        "tie",
        "improved_response: nobody answered; label: tie (1 for each of correct, harmful)",
    )


# -- preferences


def test_the_preferred_response_is_chosen() -> None:
    votes = [{"preference": label} for label in ("B", "B", "A", "B")]
    (row,) = rows("dpo", "preference", PAIR, *votes).kept
    assert (row.chosen, row.rejected, row.annotators, row.margin) == ("5", "4", ("ann", "bo", "di"), 0.5)
    (row,) = rows("sft", "preference", PAIR, *votes).kept
    assert (row.completion, row.annotators, row.source) == ("5", ("ann", "bo", "di"), "use: preference")


@pytest.mark.parametrize("kind", ["sft", "dpo"])
@pytest.mark.parametrize(
    ("votes", "reason"),
    [
        (("A", "B"), ("tie", "preference: tie (no majority: 1 for response_a, 1 for response_b)")),
        (("tie", "tie"), ("no_preference", "preference: people chose 'tie', which prefers no response")),
        (("both_bad",), ("no_preference", "preference: people chose 'both_bad', which prefers no response")),
    ],
)
def test_no_preference_is_no_row(kind: Kind, votes: tuple[str, ...], reason: tuple[str, str]) -> None:
    assert why(rows(kind, "preference", PAIR, *({"preference": vote} for vote in votes))) == reason


@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_labels_that_pick_the_same_response_count_together(kind: Kind) -> None:
    template = load_template("preference")
    data = template.model_dump()
    data["questions"][0]["options"].append({"value": "A_slightly", "title": "A, slightly", "picks": "response_a"})
    template = TaskTemplate.model_validate(data)
    votes = [{"preference": label} for label in ("B", "B", "A", "A_slightly")]
    assert why(rows(kind, template, PAIR, *votes)) == (
        "tie",
        "preference: tie (no majority: 2 for response_a, 2 for response_b)",
    )


def test_equal_responses_are_no_pair() -> None:
    fields = {"prompt": "2 + 2?", "response_a": "4 ", "response_b": "4"}
    assert why(rows("dpo", "preference", fields, {"preference": "A"}))[0] == "equal"


# -- rankings


def ranked(*ranks: int) -> dict[str, Any]:
    return {"ranking": {f"response_{n}": rank for n, rank in enumerate(ranks, 1)}}


def test_the_best_is_preferred_to_each_that_is_strictly_worse() -> None:
    result = rows("dpo", "ranking", TRIPLE, ranked(3, 2, 1), ranked(2, 3, 1), ranked(2, 1, 3))
    assert [(row.chosen, row.rejected, row.annotators, row.margin) for row in result.kept] == [
        ("4", "5", ("ann", "bo"), 1 / 3),
        ("4", "four", ("ann", "bo"), 1 / 3),
    ]
    (row,) = rows("sft", "ranking", TRIPLE, ranked(3, 2, 1)).kept
    assert (row.completion, row.annotators) == ("4", ("ann",))


def test_where_two_share_the_first_rank_each_is_preferred_to_the_rest_and_none_is_the_best() -> None:
    given = [ranked(3, 1, 2), ranked(3, 2, 1)]
    pairs = [(row.chosen, row.rejected) for row in rows("dpo", "ranking", TRIPLE, *given).kept]
    assert pairs == [("four", "5"), ("4", "5")]
    assert why(rows("sft", "ranking", TRIPLE, *given)) == ("tie", "ranking: several responses share rank 1")


def test_a_pair_that_nobody_compared_is_no_preference_of_anyone() -> None:
    given = [{"ranking": {"response_1": 1, "response_2": 2}}, {"ranking": {"response_2": 1, "response_3": 2}}]
    assert [(row.chosen, row.rejected) for row in rows("dpo", "ranking", TRIPLE, *given).kept] == [("5", "four")]


@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_a_ranking_without_a_best_is_no_row(kind: Kind) -> None:
    assert why(rows(kind, "ranking", TRIPLE, ranked(1, 1, 1)))[0] == "no_preference"
    assert why(rows(kind, "ranking", TRIPLE, ranked(1, 2, 3), ranked(3, 2, 1)))[0] == "tie"
    assert why(rows(kind, "ranking", TRIPLE, ranked(1, 2, 3), ranked(3, 1, 2), ranked(2, 3, 1)))[0] == "tie"


# -- prompts


def chat(*turns: str) -> dict[str, Any]:
    """Messages such as ``user: 2 + 2?``."""
    return {"messages": [dict(zip(("role", "content"), turn.split(": ", 1), strict=True)) for turn in turns]}


def test_a_chat_gives_the_turns_before_its_last_answer() -> None:
    fields = chat("system: Be brief.", "user: 2 + 2?", "assistant:  5 ", "user: Sure?", "assistant: Yes.")
    (row,) = rows("sft", "chat_review", fields, FINE).kept
    assert row.completion == "Yes."
    assert row.prompt == chat("system: Be brief.", "user: 2 + 2?", "assistant: 5", "user: Sure?")["messages"]


def test_a_chat_that_ends_with_the_user_takes_a_written_answer_only() -> None:
    fields = chat("user: 2 + 2?")
    assert rows("sft", "chat_review", fields, BAD | {"improved_response": "4"}).kept[0].prompt == fields["messages"]
    assert why(rows("sft", "chat_review", fields, FINE))[0] == "no_answer_turn"
    assert why(rows("dpo", "chat_review", fields, BAD | {"improved_response": "4"}))[0] == "no_answer_turn"


@pytest.mark.parametrize(
    ("turns", "reason", "text"),
    [
        (("human: 2?", "assistant: 4"), "role", "the role 'human' is none of system, user, assistant, tool"),
        (("assistant: 4",), "role", "no turn of the user stands before the answer"),
        (("user: 2?", "assistant: 5", "assistant: 4"), "role", "no turn of the user stands before the answer"),
        (("system: ", "user: 2?", "assistant: 4"), "blank", "a message is blank"),
        (("user: 2?", "assistant:  "), "no_answer_turn", "the conversation does not end with an answer"),
    ],
)
def test_a_chat_that_trainers_misread_is_no_row(turns: tuple[str, ...], reason: str, text: str) -> None:
    found, told = why(rows("sft", "chat_review", chat(*turns), FINE))
    assert (found, told.split("; ")[-1]) == (reason, f"messages: {text}")


def test_an_instruction_comes_first() -> None:
    template = load_template("chat_review")
    assert template.training
    training = template.training.model_copy(update={"instruction": "Be kind.\n"})
    template = template.model_copy(update={"training": training})
    (row,) = rows("sft", template, chat("user: 2 + 2?", "assistant: 4"), FINE).kept
    assert row.prompt == chat("system: Be kind.", "user: 2 + 2?")["messages"]
    (row,) = rows("sft", template, chat("system: Be brief.", "user: 2 + 2?", "assistant: 4"), FINE).kept
    assert row.prompt == chat("system: Be kind.\n\nBe brief.", "user: 2 + 2?")["messages"]


def test_a_transcript_and_a_question_are_one_message() -> None:
    talk = [{"role": "Ann", "content": "Shall we?"}, {"role": "Bo", "content": "Yes."}]
    fields = {"transcript": talk, "question": "Do they? ", "answer": "They do."}
    (row,) = rows("sft", "follow_up_qa", fields, {"rating": 5, "grounding": "supported"}).kept
    assert row.prompt == [
        {
            "role": "user",
            "content": "Answer the question about the following meeting.\n\nAnn: Shall we?\nBo: Yes.\n\nDo they?",
        }
    ]


# -- records and templates


def test_records_and_answers_that_miss_each_other_are_counted() -> None:
    template = load_template("rating")
    merged = merge([Annotation("r2", "ann", answers={"rating": 5})], template).kept
    result = training_rows("sft", [Record("r1", QA)], merged, template)
    assert [(case.record, case.reason) for case in result.dropped] == [("r1", "not_merged"), ("r2", "unknown_record")]
    assert result.counts() == {"not_merged": 1, "unknown_record": 1}


def test_a_record_that_everybody_skipped_is_counted_as_skipped() -> None:
    template = load_template("review")
    merged = merge([Annotation("r1", "ann", "discarded")], template).kept
    assert why(training_rows("sft", [Record("r1", QA)], merged, template))[0] == "skipped"


@pytest.mark.parametrize(
    ("template", "answer", "reason"),
    [
        ("preference", {"preference": {"outcome": "agreed", "value": "C"}}, "preference: 'C' is not one of its labels"),
        ("preference", {"preference": {"outcome": "agreed"}}, "preference: None is not one of its labels"),
        ("rewrite", {"improved_response": {"outcome": "agreed", "value": " "}}, "improved_response: the text is blank"),
    ],
)
def test_merged_answers_of_another_template_are_told(template: str, answer: dict[str, Any], reason: str) -> None:
    merged = Merged.from_dict({"record": "r1", "answers": answer})
    record = Record("r1", QA | PAIR)
    assert why(training_rows("sft", [record], [merged], load_template(template))) == ("invalid", reason)


@pytest.mark.parametrize(("end", "what"), [("\ud83d", "U+D83D, half of a surrogate pair"), ("\0", "NUL, so this is")])
@pytest.mark.parametrize("name", ["prompt", "response"])
def test_a_text_that_no_file_can_hold_is_no_row(name: str, end: str, what: str) -> None:
    """Records of a file have none; those of a program may."""
    reason, text = why(rows("sft", "rating", {**QA, name: f"{QA[name]}{end}"}, {"rating": 5}))
    assert (reason, f"{name}: character {len(QA[name]) + 1} is {what}" in text) == ("invalid", True)


def test_merged_answers_of_other_tools_need_no_more_than_outcome_and_value() -> None:
    def exported(kind: Kind, template: str, fields: dict[str, Any], question: str, value: Any) -> list[Row]:
        answers = {question: {"outcome": "agreed", "value": value}}
        merged = Merged.from_dict({"record": "r1", "answers": answers})
        return training_rows(kind, [Record("r1", fields)], [merged], load_template(template)).kept

    assert [row.chosen for row in exported("dpo", "preference", PAIR, "preference", "A")] == ["4"]
    assert [row.chosen for row in exported("dpo", "ranking", TRIPLE, "ranking", ranked(3, 2, 1)["ranking"])] == [
        "4",
        "4",
    ]
    assert [row.completion for row in exported("sft", "rewrite", QA, "improved_response", "4")] == ["4"]
    assert exported("sft", "rewrite", QA, "improved_response", "4")[0].annotators == ()


def test_a_text_tie_of_another_tool_is_a_tie() -> None:
    merged = Merged.from_dict({"record": "r1", "answers": {"improved_response": {"outcome": "tie"}}})
    assert why(training_rows("sft", [Record("r1", QA)], [merged], load_template("rewrite"))) == (
        "tie",
        "improved_response: tie",
    )


def test_a_template_without_rules_is_refused() -> None:
    with pytest.raises(ExportError, match="no rule for dpo rows") as caught:
        training_rows("dpo", [], [], load_template("label"))
    assert caught.value.remedy.endswith("or ask for sft")
    bare = load_template("label").model_copy(update={"training": None})
    with pytest.raises(ExportError, match="does not say how"):
        training_rows("sft", [], [], bare)


# -- what must not matter


@st.composite
def reviews(draw: st.DrawFn) -> list[Annotation]:
    answers = st.fixed_dictionaries(
        {"rating": st.integers(1, 5), "label": st.sampled_from(["correct", "incorrect"])},
        optional={"improved_response": st.sampled_from(["4", "4 ", "5", "four"])},
    )
    places = st.lists(st.tuples(st.sampled_from("123"), st.sampled_from("abc")), unique=True)
    return [Annotation(f"r{r}", who, answers=draw(answers)) for r, who in draw(places)]


@given(reviews(), st.sampled_from(["sft", "dpo"]))
def test_every_record_has_rows_or_one_reason(annotations: list[Annotation], kind: Kind) -> None:
    template = load_template("review")
    records = [Record(f"r{n}", QA) for n in (3, 1, 2)]
    result = training_rows(kind, records, merge(annotations, template, records).kept, template)
    kept = {row.record for row in result.kept}
    dropped = [case.record for case in result.dropped]
    assert sorted([*kept, *dropped]) == ["r1", "r2", "r3"]
    assert {case.reason for case in result.dropped} <= REASONS.keys()
    for row in result.kept:
        assert row.completion.strip() == row.completion
        assert (row.chosen == row.rejected) == (kind == "sft")
        assert row.annotators
    again = merge([replace(a, revision=2) for a in annotations[::-1]], template, records[::-1]).kept
    assert training_rows(kind, records[::-1], again[::-1], template) == result


# -- a prompt that was rewritten too


def both_rewritten() -> TaskTemplate:
    data = load_template("rewrite").model_dump()
    data["questions"].insert(
        0,
        {"type": "text", "name": "improved_prompt", "title": "Prompt", "required": False, "prefill": "prompt"},
    )
    return TaskTemplate.model_validate(data)


def test_a_rewrite_whose_author_also_changed_the_prompt_is_no_pair() -> None:
    answers = {"improved_prompt": "What is 2 + 2?", "improved_response": "It is 4."}
    result = rows("dpo", both_rewritten(), {"prompt": "2 + 2?", "response": "4"}, answers)
    assert why(result)[0] == "changed_prompt"


def test_it_is_trained_on_with_the_prompt_that_it_answers() -> None:
    theirs = {"improved_prompt": "What is 2 + 2?", "improved_response": "It is 4."}
    kept = {"improved_prompt": "2 + 2?", "improved_response": "It is 4."}
    result = rows("sft", both_rewritten(), {"prompt": "2 + 2?", "response": "4"}, theirs, kept)
    assert [(row.prompt[-1]["content"], row.completion, row.annotators) for row in result.kept] == [
        ("2 + 2?", "It is 4.", ("bo",)),
        ("What is 2 + 2?", "It is 4.", ("ann",)),
    ]


def test_with_the_medoid_one_rewrite_makes_a_row() -> None:
    record = Record("r1", {"prompt": "2 + 2?", "response": "4"})
    answers = [
        Annotation("r1", who, answers={"improved_response": text})
        for who, text in (("ann", "It is four"), ("bo", "It is 4, I think"), ("cy", "It is 4"))
    ]
    task = load_template("rewrite")
    merged = merge(answers, task, [record], rewrites="medoid").kept
    assert [(row.completion, row.annotators) for row in training_rows("sft", [record], merged, task).kept] == [
        ("It is 4", ("cy",))
    ]


# -- an unchanged rewrite that approves


def approving() -> TaskTemplate:
    data = load_template("rewrite").model_dump()
    data["training"]["sft"] = [{"use": "improved_response", "unchanged": "approve"}]
    return TaskTemplate.model_validate(data)


def test_where_a_rule_says_so_a_text_that_everybody_left_as_it_was_is_a_row() -> None:
    (row,) = rows("sft", approving(), QA, {"improved_response": " 5"}, {"improved_response": "5\n"}).kept
    assert (row.completion, row.annotators) == ("5", ("ann", "bo"))
    assert row.source == "use: improved_response, unchanged: approve"


def test_a_text_that_somebody_changed_is_not_approved_by_others() -> None:
    result = rows("sft", approving(), QA, {"improved_response": "5"}, {"improved_response": "4"})
    assert [(row.completion, row.annotators, row.source) for row in result.kept] == [
        ("4", ("bo",), "use: improved_response")
    ]


def test_a_text_that_nobody_answered_is_not_approved() -> None:
    merged = Merged.from_dict({"record": "r1", "answers": {"improved_response": {"outcome": "agreed", "value": None}}})
    result = training_rows("sft", [Record("r1", QA)], [merged], approving())
    assert why(result)[0] == "unchanged_rewrite"


def test_an_approval_is_no_pair() -> None:
    assert why(rows("dpo", approving(), QA, {"improved_response": "5"}))[0] == "unchanged_rewrite"


# -- margins


@pytest.mark.parametrize(
    ("texts", "margins"),
    [(("4",), [1.0]), (("4", "four"), [1.0, 1.0]), (("4", "5"), [0.0]), (("4", "5", "5"), [-1 / 3])],
)
def test_the_margin_of_a_rewrite_is_how_many_more_changed_the_text_than_left_it(
    texts: tuple[str, ...], margins: list[float]
) -> None:
    found = rows("dpo", "rewrite", QA, *({"improved_response": text} for text in texts)).kept
    assert [row.margin for row in found] == margins


@pytest.mark.parametrize(("least", "kept"), [(None, 1), (0.4, 1), (0.5, 1), (0.6, 0)])
@pytest.mark.parametrize("kind", ["dpo", "reward"])
def test_a_preference_needs_the_margin_of_its_rule(kind: Kind, least: float | None, kept: int) -> None:
    data = load_template("preference").model_dump()
    data["training"][kind] = [{"pairs": "preference", "min_margin": least}]
    template = TaskTemplate.model_validate(data)
    result = rows(kind, template, PAIR, *({"preference": label} for label in ("B", "B", "A", "B")))
    assert [(row.kind, row.margin) for row in result.kept] == [(kind, 0.5)] * kept
    assert result.counts() == ({} if kept else {"close": 1})


# -- who wrote what


def written(metadata: dict[str, Any], kind: Kind = "dpo", label: str = "B") -> str:
    template, record = load_template("preference"), Record("r1", PAIR, metadata=metadata)
    merged = merge([Annotation("r1", "ann", answers={"preference": label})], template, [record]).kept
    (row,) = training_rows(kind, [record], merged, template).kept
    return row.model


@pytest.mark.parametrize("kind", ["dpo", "reward", "sft"])
@pytest.mark.parametrize(
    "metadata",
    [
        {"model_names": ["m-7b", "m-70b"]},
        {"model_names": {"response_a": "m-7b", "response_b": "m-70b"}},
        {"generation_models": ["m-7b", "m-70b"]},
        {"response_b_model": "m-70b"},
        {"model_a": "m-7b", "model_b": "m-70b", "model": "both"},
        {"model": "m-70b"},
    ],
)
def test_the_model_is_the_one_that_wrote_the_chosen_response(metadata: dict[str, Any], kind: Kind) -> None:
    assert written(metadata, kind) == "m-70b"


@pytest.mark.parametrize("metadata", [{}, {"model_names": ["m-7b"]}, {"model_names": [None, None]}, {"model_names": 3}])
def test_an_unknown_model_stays_unknown(metadata: dict[str, Any]) -> None:
    assert written(metadata) == ""


def test_in_a_ranking_models_stand_in_the_order_of_the_responses() -> None:
    template = load_template("ranking")
    record = Record("r1", TRIPLE, metadata={"model_names": ["one", "two", "three"], "license": "MIT", "root_id": "r0"})
    merged = merge([Annotation("r1", "ann", answers=ranked(2, 1, 3))], template, [record]).kept
    found = training_rows("reward", [record], merged, template).kept
    assert {(row.model, row.licence, row.root, row.kind) for row in found} == {("two", "MIT", "r0", "reward")}


# -- conversations


def test_all_turns_of_a_chat_stay_and_a_tool_may_speak_before_the_answer() -> None:
    turns = ("system: Be brief.", "user: 2 + 2?", "assistant: I ask.", "tool: 4", "assistant: 4", "user: 3?", "tool: 3")
    (row,) = rows("sft", "chat_review", chat(*turns, "assistant: 3"), FINE).kept
    assert (row.prompt, row.completion) == (chat(*turns)["messages"], "3")


@pytest.mark.parametrize("keys", [("role", "content"), ("speaker", "text")])
@pytest.mark.parametrize(
    ("template", "answers", "rest", "before", "after"),
    [
        ("summary_review", {"rating": 5, "faithfulness": "faithful"}, {"summary": "S"}, "Summarise the following", ""),
        ("action_items", {"label": "correct"}, {"action_items": "S"}, "List the action items of the following", ""),
        (
            "follow_up_qa",
            {"rating": 5, "grounding": "supported"},
            {"question": "Who?", "answer": "S"},
            "Answer the question about the following",
            "\n\nWho?",
        ),
    ],
)
def test_a_transcript_is_one_prompt_with_a_line_for_each_turn(
    keys: tuple[str, str], template: str, answers: Any, rest: dict[str, str], before: str, after: str
) -> None:
    talk = [("Ann ", " Shall we?\nNow?\n"), ("user", "  "), ("Bo", "Yes.")]
    fields = {"transcript": [dict(zip(keys, turn, strict=True)) for turn in talk], **rest}
    checked = load_template(template).check_fields(fields)
    (row,) = rows("sft", template, checked, answers).kept
    ((role, content),) = ((message["role"], message["content"]) for message in row.prompt)
    assert (role, row.completion) == ("user", "S")
    assert content.startswith(before)
    assert content.endswith(f"\n\nAnn: Shall we?\nNow?\nBo: Yes.{after}")


def test_a_transcript_as_a_text_stands_in_the_prompt_as_it_is() -> None:
    data = load_template("summary_review").model_dump()
    data["fields"][0]["type"] = "text"
    template = TaskTemplate.model_validate(data)
    fields = {"transcript": "Ann: Shall we?\nBo: Yes.\n", "summary": "They shall."}
    (row,) = rows("sft", template, template.check_fields(fields), {"rating": 5, "faithfulness": "faithful"}).kept
    assert row.prompt[0]["content"] == "Summarise the following meeting.\n\nAnn: Shall we?\nBo: Yes."


# -- what the ready-made templates make of answers


TALK = [{"role": "Ann", "content": "Shall we?"}]
MESSAGES = [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "5"}]
MADE: dict[str, tuple[dict[str, Any], dict[str, Any], list[bool | None], list[float | None]]] = {
    "rating": (QA, {"rating": 1}, [False], [1.0]),
    "label": (QA, {"label": "correct"}, [True], []),
    "multi_label": (QA, {"labels": ["off_topic"]}, [False], []),
    "span_errors": (QA, {"errors": []}, [True], []),
    "review": (QA, {"rating": 1, "label": "incorrect", "improved_response": "4"}, [False, True], [1.0, None]),
    "chat_review": (
        {"messages": MESSAGES},
        {"rating": 1, "label": "incorrect", "improved_response": "4"},
        [False, True],
        [1.0, None],
    ),
    "summary_review": (
        {"transcript": TALK, "summary": "No."},
        {"rating": 2, "faithfulness": "unfaithful", "improved_summary": "Yes."},
        [False, True],
        [2.0, None],
    ),
    "follow_up_qa": (
        {"transcript": TALK, "question": "Who?", "answer": "Bo."},
        {"rating": 2, "grounding": "unsupported", "improved_answer": "Ann."},
        [False, True],
        [2.0, None],
    ),
    "action_items": (
        {"transcript": TALK, "action_items": "None."},
        {"label": "incorrect", "improved_action_items": "Ann: go"},
        [False, True],
        [None],
    ),
    "preference": (PAIR, {"preference": "B"}, [False, True], [None]),
    "ranking": (TRIPLE, {"ranking": {"response_1": 3, "response_2": 2, "response_3": 1}}, [], [None, None]),
    "rewrite": (QA, {"improved_response": "4"}, [], [None]),
}


def test_all_ready_made_templates_are_looked_at() -> None:
    assert {*MADE, "export_check"} == {*template_names()}, "which makes no rows"


@pytest.mark.parametrize("name", sorted(MADE))
def test_a_ready_made_template_makes_sets_for_kto_and_reward_as_far_as_its_answers_allow(name: str) -> None:
    fields, answers, labels, scores = MADE[name]
    template = load_template(name)
    checked = template.check_fields(fields)

    def made(kind: Kind) -> list[Row]:
        known = {rule for rule, _, _ in template.training.sources()} if template.training else set()
        return rows(kind, template, checked, answers).kept if kind in known else []

    assert [row.label for row in made("kto")] == labels
    assert [row.score for row in made("reward")] == scores
    assert [row.is_pair for row in made("reward")] == [score is None for score in scores]
