"""check_rows: rows of every format pass, and every defect of a bad row is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.json
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import InputError
from bridge.exporting import FORMATS, KINDS, Row
from bridge.exporting.checking import RowCheck, check_row_files, check_rows
from bridge.exporting.column_checks import _DATE
from bridge.exporting.defects import DEFECTS, PROBLEMS
from bridge.exporting.formats import metadata
from bridge.exporting.gates import GATES
from bridge.exporting.gates_settings import GatesConfig
from bridge.exporting.line_checks import check_line
from bridge.templates import load_template


def m(role: str, content: Any = None, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": f"Says the {role}." if content is None else content, **more}


def t(who: str, value: str = "Some words.") -> dict[str, Any]:
    return {"from": who, "value": value}


REVIEW = load_template("review")
U, A, S, TOOL = m("user"), m("assistant"), m("system"), m("tool")
NO: Any = None

GOOD: dict[str, list[dict[str, Any]]] = {
    "messages": [{"messages": [U, A]}, {"messages": [S, U, A]}, {"messages": [U, m("assistant", "Wait."), TOOL, A]}],
    "sharegpt": [
        {"conversations": [t("human"), t("gpt")]},
        {"conversations": [t("system"), t("human"), t("function_call"), t("observation"), t("gpt")]},
        {"conversations": [U, A, m("user", "And then?"), A]},
    ],
    "prompt-completion": [{"prompt": "Name a colour.", "completion": "Blue."}],
    "prompt-response": [{"prompt": "Name a colour.", "response": "Blue."}],
    "alpaca": [
        {"instruction": "Add.", "input": "2, 2", "output": "4"},
        {"instruction": "Add 2 and 3.", "input": "", "output": "5"},
    ],
    "text": [{"text": "<|im_start|>user\nHi<|im_end|>\n"}, {"text": "Once upon a time."}],
    "preference": [{"prompt": "Name a colour.", "chosen": "Blue.", "rejected": "Monday."}],
    "preference, implicit prompt": [{"chosen": [U, A], "rejected": [U, m("assistant", "No.")]}],
    "llama-factory pairs": [{"messages": [U], "chosen": A, "rejected": m("assistant", "No.")}],
    "llama-factory pairs, sharegpt": [
        {"conversations": [t("human")], "chosen": t("gpt", "Yes."), "rejected": t("gpt")}
    ],
    "llama-factory pairs, alpaca": [{"instruction": "Add.", "input": "2, 2", "chosen": "4", "rejected": "5"}],
    "axolotl pairs": [{"system": "", "input": "Name a colour.", "chosen": "Blue.", "rejected": "Monday."}],
    "openai preference": [
        {"input": {"messages": [S, U]}, "preferred_output": [A], "non_preferred_output": [m("assistant", "No.")]}
    ],
    "kto": [
        {"prompt": "Name a colour.", "completion": "Blue.", "label": True},
        {"prompt": "Name a day.", "completion": "Blue.", "label": False},
    ],
    "kto, kto_tag": [
        {"prompt": "Name a colour.", "response": "Blue.", "kto_tag": True},
        {"prompt": "Name a day.", "response": "Blue.", "kto_tag": False},
    ],
    "kto, messages": [{"messages": [U, A], "label": True}, {"messages": [S, U, A], "label": False}],
    "kto, sharegpt": [
        {"conversations": [t("human"), t("gpt")], "label": True},
        {"conversations": [t("human", "Why?"), t("gpt")], "label": False},
    ],
    "kto, completion": [{"completion": [U, A], "label": True}, {"completion": [S, U, A], "label": False}],
    "score": [
        {"prompt": "Name a colour.", "completion": "Blue.", "score": 4.5},
        {"prompt": "Name a day.", "completion": "Blue.", "score": 1.0},
    ],
    "score, messages": [{"messages": [U, A], "score": 4.5}],
    "ranked completions": [
        {
            "context": [U],
            "completions": [{"rank": 0, "completion": [A]}, {"rank": 1, "completion": [m("assistant", "No.")]}],
        }
    ],
}
MORE_GOOD = [
    [{"prompt": [U], "completion": [A]}, {"prompt": [S, U], "completion": [A]}],
    [{"prompt": [U], "chosen": [A], "rejected": [m("assistant", "No.")]}],
    [{"prompt": "Name a colour.", "chosen": "Blue.", "rejected": "Monday.", "margin": 0.5}],
    [{"prompt": [U], "completion": [A], "label": True}, {"prompt": [S, U], "completion": [A], "label": False}],
    [{"messages": [U, A], "tools": [{"type": "function", "function": {"name": "add"}}]}],
    [{"messages": [U, A], "metadata": {"record": "r1", "people": 2, "licence": ""}, "source": "ours"}],
    [{"messages": [m("user", "Hi.", weight=1), m("assistant", "Hello.", weight=0)]}],
    [{"instruction": "Add.", "input": "", "output": "4", "system": "", "history": [["Hi.", "Hello."]]}],
]

P, C, R = {"prompt": "Name a colour."}, {"completion": "Blue."}, {"chosen": "Blue.", "rejected": "Monday."}
PC, PAIR, K = P | C, P | R, P | C | {"label": True}
CONV = {"prompt": [U], "completion": [A]}
CONV_PAIR = {"prompt": [U], "chosen": [A], "rejected": [m("assistant", "No.")]}

BAD: list[tuple[str, str, dict[str, Any]]] = [
    # code, text, row
    ("null", "completion: null", PC | {"completion": NO}),
    ("null", "messages: null", {"messages": NO}),
    ("null", "messages[1].content: null", {"messages": [U, {"role": "assistant", "content": NO}]}),
    ("null", "messages[0].name: null", {"messages": [m("user", name=NO), A]}),
    ("null", "conversations[1].value: null", {"conversations": [t("human"), {"from": "gpt", "value": NO}]}),
    ("null", "label: null", K | {"label": NO}),
    ("null", "margin: null", PAIR | {"margin": NO}),
    ("null", "metadata.licence: null", PC | {"metadata": {"licence": NO}}),
    ("null", "tools: null", {"messages": [U, A], "tools": NO}),
    ("margin", "margin: null", PAIR | {"margin": NO}),
    ("margin", "margin: '0.5' is not a number", PAIR | {"margin": "0.5"}),
    ("margin", "margin: True is not a number", PAIR | {"margin": True}),
    ("label", "label: 1 is not true or false", K | {"label": 1}),
    ("label", "label: 0 is not true or false", K | {"label": 0}),
    ("label", "label: -1 is not true or false", K | {"label": -1}),
    ("label", "label: 0.8 is not true or false", K | {"label": 0.8}),
    ("label", "label: 'true' is not true or false", K | {"label": "true"}),
    ("label", "kto_tag: 1 is not true or false", P | {"response": "Blue.", "kto_tag": 1}),
    ("score", "score: 'five' is not a number", PC | {"score": "five"}),
    ("weight", "messages[1].weight: 2 is neither 0 nor 1", {"messages": [U, m("assistant", weight=2)]}),
    ("empty", "completion: blank", PC | {"completion": ""}),
    ("empty", "prompt: blank", PC | {"prompt": " "}),
    ("empty", "output: blank", {"instruction": "Add.", "input": "", "output": ""}),
    ("empty", "text: blank", {"text": "\n"}),
    ("empty", "messages: there are no messages", {"messages": []}),
    ("empty", "messages[1].content: blank", {"messages": [U, m("assistant", "")]}),
    ("empty", "prompt: there are no messages", CONV | {"prompt": []}),
    ("empty", "chosen: there are no messages", CONV_PAIR | {"chosen": []}),
    ("unstripped", "completion: white space before it", PC | {"completion": " Blue."}),
    ("unstripped", "prompt: white space after it", PC | {"prompt": "Name a colour. "}),
    ("unstripped", "messages[1].content: white space after it", {"messages": [U, m("assistant", "Blue.\n")]}),
    ("unstripped", "conversations[0].value: white space before it", {"conversations": [t("human", " Hi"), t("gpt")]}),
    ("unstripped", "chosen[0].content: white space after it", CONV_PAIR | {"chosen": [m("assistant", "Blue. ")]}),
    ("role", "messages[0].role: 'human' is none of system, user, assistant, tool", {"messages": [m("human"), A]}),
    (
        "role",
        "messages[0].role: 'developer' is none of system, user, assistant, tool",
        {"messages": [m("developer"), U, A]},
    ),
    (
        "role",
        "messages[1].role: 'Assistant' is none of system, user, assistant, tool",
        {"messages": [U, m("Assistant")]},
    ),
    (
        "role",
        "conversations[1].from: 'bot' is none of system, human, user, gpt, assistant, function_call, observation, tool",
        {"conversations": [t("human"), t("bot")]},
    ),
    ("role_order", "messages: the last message is the user's, and no answer", {"messages": [U, A, U]}),
    ("role_order", "messages: the last message is the user's, and no answer", {"messages": [U]}),
    ("role_order", "messages: the last message is the system's, and no answer", {"messages": [S]}),
    ("role_order", "messages: message 2: the user speaks after the user", {"messages": [U, U, A]}),
    ("role_order", "messages: message 3: the assistant speaks after the assistant", {"messages": [U, A, A]}),
    ("role_order", "messages: message 1: the assistant speaks first", {"messages": [A, U, A]}),
    ("role_order", "messages: message 2: the tool speaks after the user", {"messages": [U, TOOL, A]}),
    (
        "role_order",
        "conversations: message 1: the assistant speaks first",
        {"conversations": [t("gpt"), t("human"), t("gpt")]},
    ),
    ("role_order", "prompt: no turn of the user stands before the answer", CONV | {"prompt": [U, A]}),
    ("role_order", "completion: message 2: the user speaks after the user", CONV | {"completion": [U]}),
    ("role_order", "chosen: message 2: the user speaks after the user", CONV_PAIR | {"chosen": [U]}),
    (
        "role_order",
        "input.messages: no turn of the user stands before the answer",
        {"input": {"messages": [U, A]}, "preferred_output": [A], "non_preferred_output": [A]},
    ),
    ("system_first", "messages: message 3: the system speaks, and may only speak first", {"messages": [U, A, S, U, A]}),
    ("system_first", "messages: message 2: the system speaks, and may only speak first", {"messages": [S, S, U, A]}),
    ("reserved", "'input_ids': a column of that name", PC | {"input_ids": [1, 2]}),
    ("reserved", "'labels': a column of that name", PC | {"labels": "correct"}),
    ("reserved", "'image': a column of that name", PC | {"image": ""}),
    ("reserved", "'images': a column of that name", PC | {"images": []}),
    ("reserved", "'tools': a column of that name", {"messages": [U, A], "tools": "a hammer"}),
    ("reserved", "'chat_template_kwargs': a column of that name", {"messages": [U, A], "chat_template_kwargs": "x"}),
    ("reserved", "'chosen_ids': a column of that name", PAIR | {"chosen_ids": [1]}),
    ("reserved", "'completion_mask': a column of that name", PC | {"completion_mask": [1]}),
    ("reserved", "'assistant_masks': a column of that name", PC | {"assistant_masks": [1]}),
    ("two_formats", "messages beside completion, prompt", PC | {"messages": [U, A]}),
    ("two_formats", "text beside messages", {"messages": [U, A], "text": "Hi."}),
    ("prompt_doubled", "chosen: it begins with the messages of the prompt", CONV_PAIR | {"chosen": [U, A]}),
    ("prompt_doubled", "completion: it begins with the messages of the prompt", CONV | {"completion": [U, A]}),
    (
        "prompt_doubled",
        "chosen and rejected begin with the prompt",
        P | {"chosen": "Name a colour. Blue.", "rejected": "Name a colour. Monday."},
    ),
    (
        "prompt_doubled",
        "completion: it begins with the prompt",
        {"prompt": "Name a colour of the sky.", "completion": "Name a colour of the sky. Blue."},
    ),
    (
        "prompts_differ",
        "chosen and rejected: the messages before the last differ",
        {"chosen": [U, A], "rejected": [m("user", "Why?"), m("assistant", "No.")]},
    ),
    ("several_messages", "chosen: 3 messages", CONV_PAIR | {"chosen": [A, m("user", "Why?"), A]}),
    ("mixed_prompt", "completion: a list, where prompt is a text", P | {"completion": [A]}),
    ("mixed_prompt", "completion: a text, where prompt is a list of messages", {"prompt": [U], "completion": "Blue."}),
    ("mixed_prompt", "chosen: a list, where prompt is a text", PAIR | {"chosen": ["Blue.", "Green."]}),
    ("mixed_prompt", "chosen is a list, and rejected a text", {"chosen": [U, A], "rejected": "No."}),
    ("content_list", "messages[0].content: a list", {"messages": [m("user", [{"type": "text", "text": "Hi"}]), A]}),
    (
        "message_keys",
        "messages[0]: no role or no content; its keys are 'content'",
        {"messages": [{"content": "Hi"}, A]},
    ),
    (
        "message_keys",
        "messages[1]: no role or no content; its keys are 'role'",
        {"messages": [U, {"role": "assistant"}]},
    ),
    (
        "message_keys",
        "messages[0]: no role or no content; its keys are 'from, value'",
        {"messages": [t("human"), t("gpt")]},
    ),
    ("type", "completion: a number where a text or messages are expected", PC | {"completion": 4}),
    ("type", "completion: true or false where a text or messages are expected", PC | {"completion": True}),
    ("type", "chosen[0]: a text where a message is expected", CONV_PAIR | {"chosen": ["Blue."]}),
    ("type", "messages: a text where a list of messages is expected", {"messages": "Hi."}),
    ("type", "messages[0].content: a number where a text is expected", {"messages": [m("user", 4), A]}),
    ("type", "chosen: a list where one message is expected", {"messages": [U], "chosen": [A], "rejected": A}),
    ("type", 'input: not {"messages": [...]}', {"input": "Hi", "preferred_output": [A], "non_preferred_output": [A]}),
    ("type", "history: not a list of pairs of texts", {"instruction": "Add.", "output": "4", "history": ["Hi."]}),
    ("type", "completions: not a list of two and more", {"context": [U], "completions": []}),
    ("format", "the columns are 'prompt, chosen'; for preference it lacks rejected", P | {"chosen": "Blue."}),
    ("format", "the columns are 'question, answer'", {"question": "2 + 2?", "answer": "4"}),
    ("format", "the columns are 'prompt, label'; for kto it lacks completion", P | {"label": True}),
    ("format", "the columns are 'none'", {}),
    ("big_integer", "id: a whole number over 64 bits", PC | {"id": 2**63}),
    ("surrogate", "completion: U+D83D, half of a surrogate pair", PC | {"completion": "Blue \ud83d"}),
    ("not_a_number", "metadata.score: nan", PC | {"metadata": {"score": float("nan")}}),
    ("equal", "chosen and rejected are the same", PAIR | {"rejected": "Blue."}),
    ("equal", "chosen and rejected are the same", CONV_PAIR | {"rejected": [A]}),
    (
        "equal",
        "completions: two have the same rank",
        {
            "context": [U],
            "completions": [{"rank": 1, "completion": [A]}, {"rank": 1, "completion": [m("assistant", "No.")]}],
        },
    ),
    ("one_label", "all 1 rows have the label true, so there is nothing to compare with", K),
    ("test_only", "the metadata of 'line 1' say that a test double wrote it", PC | {"metadata": {"test_only": True}}),
    ("test_only", "the metadata of 'line 1' say that a test double wrote it", PC | {"metadata": {"model": "stub"}}),
]


def named(found: RowCheck) -> dict[int, list[tuple[str, str]]]:
    """Line to what is wrong with it."""
    return {case.line: [(defect.code, defect.text) for defect in case.defects] for case in found.rejected}


@pytest.mark.parametrize("name", GOOD)
def test_good_rows_of_each_format_pass(name: str) -> None:
    found = check_rows(GOOD[name])
    assert named(found) == {}
    assert (found.kept, found.formats, found.ok) == (GOOD[name], {name: len(GOOD[name])}, True)


@pytest.mark.parametrize("rows", MORE_GOOD, ids=lambda rows: ", ".join(rows[0]))
def test_good_rows_in_their_variants_pass(rows: list[dict[str, Any]]) -> None:
    config = GatesConfig(one_label=False)
    assert named(check_rows(rows, gates=config)) == {}


@pytest.mark.parametrize(("code", "text", "row"), BAD, ids=[f"{code}: {text}" for code, text, _ in BAD])
def test_a_bad_row_is_rejected_and_its_defect_named(code: str, text: str, row: dict[str, Any]) -> None:
    found = check_rows([row])
    assert (code, text) in named(found)[1]
    assert (found.kept, found.ok) == ([], False)


def test_a_bad_row_has_the_defects_that_it_has_and_no_others() -> None:
    row = {"messages": [S, m("user", " Hi"), m("user", ""), m("bot")], "labels": NO, "id": 2**64}
    assert named(check_rows([row])) == {
        1: [
            ("null", "labels: null"),
            ("big_integer", "id: a whole number over 64 bits"),
            ("unstripped", "messages[1].content: white space before it"),
            ("empty", "messages[2].content: blank"),
            ("role", "messages[3].role: 'bot' is none of system, user, assistant, tool"),
        ]
    }


class TestRowsBesideEachOther:
    def test_another_format_than_most(self) -> None:
        found = check_rows([CONV, {"messages": [U, A]}, CONV | {"prompt": [S, U]}])
        assert named(found) == {2: [("other_format", "messages, where most rows are prompt-completion")]}
        assert found.formats == {"prompt-completion": 2, "messages": 1}

    def test_missing_and_extra_keys(self) -> None:
        rows = [
            PC | {"id": "1"},
            {"prompt": "Why?", "completion": "So."},
            {"prompt": "How?", "completion": "So.", "id": "3", "x": 1},
        ]
        rows.append({"prompt": "Who?", "completion": "Me.", "id": "4"})
        assert named(check_rows(rows)) == {
            2: [("missing_key", "id: missing")],
            3: [("extra_key", "x: most rows have no such key")],
        }

    def test_keys_within_an_object(self) -> None:
        rows = [
            PC | {"metadata": {"a": "x", "b": "y"}},
            {"prompt": "Why?", "completion": "So.", "metadata": {"a": "z"}},
        ]
        assert named(check_rows(rows)) == {2: [("missing_key", "metadata.b: missing")]}

    def test_a_late_object_is_told_once_and_not_key_by_key(self) -> None:
        rows = [
            PC,
            {"prompt": "Why?", "completion": "So."},
            {"prompt": "Who?", "completion": "Me.", "metadata": {"a": 1}},
        ]
        assert named(check_rows(rows)) == {3: [("extra_key", "metadata: most rows have no such key")]}

    def test_types_that_differ(self) -> None:
        """As JSON they would be parsed again: '007' becomes 7."""
        rows = [PC | {"id": n} for n in ("007", "8", 9)]
        rows = [row | {"completion": f"It is {row['id']}."} for row in rows]
        assert named(check_rows(rows)) == {3: [("mixed_types", "id: a whole number, where most rows have a text")]}

    def test_a_prompt_as_text_in_one_row_and_messages_in_another(self) -> None:
        found = check_rows([CONV, PC])
        assert [code for code, _ in named(found)[2]] == ["mixed_types", "mixed_types"]

    def test_another_kind_of_training_than_asked_for(self) -> None:
        found = check_rows([PC], kind="dpo")
        assert named(found) == {1: [("other_kind", "prompt-completion is for sft, and not for dpo")]}

    def test_the_kind_decides_what_a_column_is(self) -> None:
        rows = [{"messages": [U, A], "label": "correct"}]
        assert named(check_rows(rows, kind="sft")) == {}
        assert named(check_rows(rows))[1] == [("label", "label: 'correct' is not true or false")]

    def test_duplicates(self) -> None:
        assert named(check_rows([PC, {"prompt": "Why?", "completion": "So."}, PC])) == {
            3: [("duplicates", "says what a row of 'line 1' says")]
        }

    def test_contradictions(self) -> None:
        rows = [PAIR, P | {"chosen": "Monday.", "rejected": "Blue."}]
        assert [code for defects in named(check_rows(rows)).values() for code, _ in defects] == ["contradictions"] * 2

    def test_a_gate_with_a_threshold(self) -> None:
        rows = [PAIR, PAIR | {"prompt": "Why?", "chosen": "Blue. " * 20 + "Blue."}]
        found = check_rows(rows, gates=GatesConfig.model_validate({"length_ratio": 4}))
        assert named(found) == {2: [("length_ratio", "chosen is 17.9 times as long as rejected")]}

    def test_what_a_line_is_that_is_no_object(self) -> None:
        assert named(check_rows([PC, "text", ["a"]])) == {
            2: [("not_an_object", "a value that is no object")],
            3: [("not_an_object", "a value that is no object")],
        }


class TestProblems:
    def codes(self, rows: list[dict[str, Any]]) -> list[str]:
        return [problem.code for problem in check_rows(rows).problems if problem.code != "few_rows"]

    def test_texts_that_all_look_like_dates(self) -> None:
        rows = [{"prompt": f"When is {n}?", "completion": f"2024-01-0{n}"} for n in range(1, 5)]
        (problem,) = check_rows(rows).problems
        assert (problem.code, problem.level) == ("date_like", "warning")
        assert problem.text == "completion: every text looks like a date"
        assert self.codes([*rows, PC]) == []

    @pytest.mark.parametrize(
        "text",
        [
            *("2024-01-01", "2024-01-01 10:00", "2024-01-01T10:00:00Z", "2024-01-01T10", "2024-01-01 10:00+02"),
            *("2024-01-01 10:00:00.5", "2024-01", "20240101", "10:00", "2024-13-01", "2024-01-01 24:00", "2024-01-01Z"),
        ],
    )
    def test_what_looks_like_a_date_is_what_the_reader_of_datasets_takes_for_one(self, text: str) -> None:
        read = pyarrow.json.read_json(pa.BufferReader(json.dumps({"a": text}).encode()))
        assert (_DATE.fullmatch(text) is not None) == pa.types.is_timestamp(read.schema.field("a").type)

    def test_whole_numbers_beside_others(self) -> None:
        assert self.codes([PAIR | {"margin": 1}, PAIR | {"prompt": "Why?", "margin": 0.5}]) == ["mixed_numbers"]

    def test_messages_with_other_keys(self) -> None:
        assert self.codes([{"messages": [m("user", name="ann"), A]}]) == ["message_keys_differ"]

    def test_kto_rows_of_one_prompt_side_by_side(self) -> None:
        def row(prompt: str, answer: str) -> dict[str, Any]:
            return {"prompt": prompt, "completion": answer, "label": answer == "a"}

        together = [row(prompt, answer) for prompt in ("1?", "2?", "3?") for answer in ("a", "b")]
        apart = [row(prompt, answer) for answer in ("a", "b") for prompt in ("1?", "2?", "3?")]
        assert (self.codes(together), self.codes(apart)) == (["same_prompt_together"], [])

    def test_pairs_of_texts_without_a_prompt(self) -> None:
        assert self.codes([{"chosen": "Why? It is blue.", "rejected": "Why? It is Monday."}]) == ["implicit_text"]

    def test_an_answer_that_stands_in_the_chat_template_too(self) -> None:
        assert self.codes([PAIR | {"chosen": "user"}]) == ["short_answer"]

    def test_too_few_rows(self) -> None:
        assert [problem.text for problem in check_rows([PC]).problems] == ["1 rows"]
        assert check_rows([{"prompt": f"{n}?", "completion": "So."} for n in range(4)]).problems == []


class TestFiles:
    def write(self, path: Path, *lines: str, start: str = "", end: str = "\n") -> Path:
        path.write_bytes((start + "".join(line + end for line in lines)).encode("utf-8", "surrogatepass"))
        return path

    def test_lines_that_are_no_json(self, tmp_path: Path) -> None:
        good = json.dumps(PC)
        path = self.write(tmp_path / "a.jsonl", good, good[:-1], "[1]", '{"text": "a", "text": "b"}', "null")
        assert [(case.line, case.defects[0].code) for case in check_row_files([path]).rejected] == [
            (2, "not_json"),
            (3, "not_an_object"),
            (4, "duplicate_key"),
            (5, "not_an_object"),
        ]

    def test_a_key_that_is_named_twice_within_a_message(self, tmp_path: Path) -> None:
        line = (
            '{"messages": [{"role": "user", "role": "system", "content": "Hi"}, {"role": "assistant", "content": "a"}]}'
        )
        (case,) = check_row_files([self.write(tmp_path / "a.jsonl", line)]).rejected
        assert case.defects[0].text == "'role': named twice"

    def test_escaped_halves_of_characters_and_what_is_no_number(self, tmp_path: Path) -> None:
        lines = ['{"prompt": "a", "completion": "\\ud83d"}', '{"prompt": "a", "completion": "b", "x": NaN}']
        codes = [case.defects[0].code for case in check_row_files([self.write(tmp_path / "a.jsonl", *lines)]).rejected]
        assert codes == ["surrogate", "not_a_number"]

    @pytest.mark.parametrize(
        ("start", "end", "codes"),
        [
            ("\ufeff", "\n", ["byte_order_mark"]),
            ("", "\n\n", ["blank_line"]),
            ("", "\r\n", ["line_ends"]),
            ("", "\n", []),
        ],
    )
    def test_how_a_file_is_written(self, tmp_path: Path, start: str, end: str, codes: list[str]) -> None:
        lines = [json.dumps({"prompt": f"{n}?", "completion": "So."}) for n in range(4)]
        found = check_row_files([self.write(tmp_path / "a.jsonl", *lines, start=start, end=end)])
        assert [problem.code for problem in found.problems] == codes
        assert (len(found.kept), found.ok) == (4, codes in ([], ["line_ends"]))

    def test_a_json_array_and_parquet(self, tmp_path: Path) -> None:
        rows = GOOD["alpaca"]
        (tmp_path / "a.json").write_text(json.dumps(rows), "utf-8")
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "b.parquet")
        for name in ("a.json", "b.parquet"):
            assert check_row_files([tmp_path / name]).kept == rows

    def test_parquet_with_features_of_datasets(self, tmp_path: Path) -> None:
        table = pa.Table.from_pylist(GOOD["alpaca"]).replace_schema_metadata({"huggingface": "{}"})
        pq.write_table(table, tmp_path / "a.parquet")
        assert "parquet_features" in [problem.code for problem in check_row_files([tmp_path / "a.parquet"]).problems]

    @pytest.mark.parametrize(("name", "found"), [("train", False), ("valid", False), ("eval", True), ("holdout", True)])
    def test_names_that_loaders_take_for_another_split(self, tmp_path: Path, name: str, found: bool) -> None:
        path = self.write(tmp_path / f"{name}.jsonl", json.dumps(PC))
        assert ("split_name" in [problem.code for problem in check_row_files([path]).problems]) == found

    def test_files_of_several_formats_in_one_folder(self, tmp_path: Path) -> None:
        paths = [self.write(tmp_path / "a.jsonl", json.dumps(PC)), self.write(tmp_path / "b.jsonl", json.dumps(PAIR))]
        assert "formats_in_folder" in [problem.code for problem in check_row_files(paths).problems]

    def test_files_are_one_training_set(self, tmp_path: Path) -> None:
        paths = [self.write(tmp_path / f"{name}.jsonl", json.dumps(PC)) for name in ("a", "b")]
        (case,) = check_row_files(paths).rejected
        assert (case.file, case.line, case.defects[0].text) == (
            str(paths[1]),
            1,
            f"says what a row of '{paths[0]}:1' says",
        )

    def test_a_file_that_cannot_be_read(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="no rows"):
            check_row_files([self.write(tmp_path / "a.jsonl")])

    def test_a_rejected_row_can_be_written_whatever_is_in_it(self) -> None:
        rows = [{"prompt": "\ud83d", "completion": "b", "x": [float("inf"), {"y": NO, "z": 2**70}]}]
        (case,) = check_rows(rows).rejected
        line = json.dumps(case.to_dict(), ensure_ascii=False, allow_nan=False).encode()
        assert json.loads(line)["row"] == {"prompt": "?", "completion": "b", "x": ["inf", {"y": None, "z": 2**70}]}


def test_every_defect_has_a_case() -> None:
    here = {code for code, _, _ in BAD}
    beside = {"not_json", "not_an_object", "duplicate_key", "other_format", "other_kind", "missing_key", "extra_key"}
    assert here & {*DEFECTS} | beside | {"mixed_types"} == set(DEFECTS)
    assert not set(DEFECTS) & set(GATES) - {"null", "empty", "unstripped", "role_order", "system_first", "reserved"}
    assert all(text and remedy for text, remedy in DEFECTS.values())
    assert all(level in ("error", "warning") and text and remedy for level, text, remedy in PROBLEMS.values())


# -- our own exports

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).map(str.strip)
TEXTS = WORDS.filter(bool)
PROMPTS = st.one_of(
    st.lists(TEXTS, min_size=1, max_size=1).map(lambda texts: [m("user", text) for text in texts]),
    st.tuples(TEXTS, TEXTS).map(lambda texts: [m("system", texts[0]), m("user", texts[1])]),
    st.tuples(TEXTS, TEXTS, TEXTS).map(lambda x: [m("user", x[0]), m("assistant", x[1]), m("user", x[2])]),
)


def training_row(kind: Any, prompt: Any, answers: tuple[str, str], label: bool, number: int) -> Row:
    if kind in ("dpo", "reward"):
        return Row(f"r{number}", kind, prompt, "", f"a {answers[0]}", f"b {answers[1]}", margin=0.5)
    return Row(f"r{number}", kind, prompt, answers[0], label=label if kind == "kto" else None)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=20)
@given(rows=st.lists(st.tuples(PROMPTS, st.tuples(TEXTS, TEXTS), st.booleans()), max_size=6))
def test_our_own_exports_pass(kind: Any, rows: list[Any]) -> None:
    made = [training_row(kind, *row, number) for number, row in enumerate(rows)]
    off: dict[str, Any] = dict.fromkeys(("duplicates", "contradictions", "one_label"), False)
    for name, shape in FORMATS[kind].items():
        if name == "text":
            continue
        lines = []
        for row in made:
            if shape.fits(row) and (name not in ("plain", "alpaca", "axolotl") or len(row.prompt) == 1):
                lines.append(shape.write(row, metadata(row, REVIEW)))
        found = check_rows(lines, kind=kind, gates=GatesConfig.model_validate(off))
        assert named(found) == {}, name
        assert all(shape.level == "warning" for shape in found.problems)


@settings(max_examples=30)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["role", "content", "from", "value", "x"]), inner, max_size=3)
        ),
        max_leaves=6,
    ),
    st.sampled_from(sorted({name for rows in GOOD.values() for row in rows for name in row})),
)
def test_whatever_stands_in_a_column_is_judged(value: Any, column: str) -> None:
    """No value makes the check fail, and what it keeps it keeps again."""
    rows = [rows[0] | {column: value} for rows in GOOD.values() if column in rows[0]]
    for row in rows:
        check_line(row)
    once = check_rows(rows).kept
    assert check_rows(once).kept == once
