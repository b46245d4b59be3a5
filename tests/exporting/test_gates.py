"""Gates: each stops what it is for, says why, is counted, and can be switched; a set that passed passes again."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tokenizers import Tokenizer, models, pre_tokenizers

from bridge.errors import InputError, UsageError
from bridge.exporting import Row
from bridge.exporting.defects import DEFECTS, PROBLEMS
from bridge.exporting.gates import GATES, Gates, gates_config
from bridge.exporting.gates_settings import GATE_NAMES, GatesConfig
from bridge.records import Record

SUMS = [{"role": "user", "content": "What is 2 + 2?"}]
OTHER = [{"role": "user", "content": "Name a colour of the sky."}]


def sft(record: str = "r1", answer: Any = "It is 4.", prompt: Any = None, **more: Any) -> Row:
    return Row(record, "sft", SUMS if prompt is None else prompt, answer, **more)


def dpo(record: str = "r1", chosen: Any = "It is 4.", rejected: Any = "It is 5.", prompt: Any = None) -> Row:
    return Row(record, "dpo", SUMS if prompt is None else prompt, "", chosen, rejected)


def kto(record: str = "r1", answer: Any = "It is 4.", label: Any = True, prompt: Any = None) -> Row:
    return Row(record, "kto", SUMS if prompt is None else prompt, answer, label=label)


def turn(role: str, content: Any = "Yes.") -> dict[str, Any]:
    return {"role": role, "content": content}


class Bad(NamedTuple):
    """Rows of which a gate, with its setting, stops some, and what it says of the first of these."""

    gate: str
    rows: list[Row]
    stopped: set[str]
    says: str
    setting: Any = True
    score: float | None = None


BAD = [
    Bad("null", [sft(answer=None)], {"r1"}, "completion is null"),
    Bad("null", [dpo(rejected=None)], {"r1"}, "rejected is null"),
    Bad("null", [sft(prompt=[turn("user", None)])], {"r1"}, "message 1 of the prompt: content is null"),
    Bad("null", [kto(label=None), kto("r2", label=False)], {"r1"}, "label is null"),
    Bad("empty", [sft(answer=" \n")], {"r1"}, "completion is blank"),
    Bad("empty", [sft(prompt=[])], {"r1"}, "there is no prompt"),
    Bad("empty", [dpo(prompt=[turn("system", ""), *SUMS])], {"r1"}, "message 1 of the prompt is blank"),
    Bad("unstripped", [sft(answer=" It is 4.")], {"r1"}, "completion has white space before it"),
    Bad(
        "unstripped", [sft(prompt=[turn("user", "Two?\n")])], {"r1"}, "message 1 of the prompt has white space after it"
    ),
    Bad("role_order", [sft(prompt=[*SUMS, *SUMS])], {"r1"}, "message 2: the user speaks after the user"),
    Bad("role_order", [sft(prompt=[turn("assistant"), *SUMS])], {"r1"}, "message 1: the assistant speaks first"),
    Bad("role_order", [sft(prompt=[*SUMS, turn("assistant")])], {"r1"}, "no turn of the user stands before the answer"),
    Bad("role_order", [sft(prompt=[turn("system")])], {"r1"}, "no turn of the user stands before the answer"),
    Bad("role_order", [sft(prompt=[*SUMS, turn("tool")])], {"r1"}, "message 2: the tool speaks after the user"),
    Bad(
        "role_order",
        [sft(prompt=[turn("human")])],
        {"r1"},
        "message 1: the role 'human' is none of system, user, assistant, tool",
    ),
    Bad(
        "system_first",
        [sft(prompt=[*SUMS, turn("assistant"), turn("system"), *SUMS])],
        {"r1"},
        "message 3: the system speaks, and may only speak first",
    ),
    Bad(
        "reserved",
        [sft(prompt=[{**SUMS[0], "tool_calls": "x"}])],
        {"r1"},
        "message 1 of the prompt has 'tool_calls' beside role and content",
    ),
    Bad("licence", [sft(), sft("r2", "Four.", licence="MIT")], {"r1"}, "the licence is not known"),
    Bad(
        "licence",
        [sft(licence="CC-BY-NC-4.0"), sft("r2", "Four.", licence="mit"), sft("r3", "4")],
        {"r1", "r3"},
        "the licence is 'CC-BY-NC-4.0'",
        setting=["MIT"],
    ),
    Bad("equal", [dpo(rejected="It is 4.")], {"r1"}, "chosen and rejected are the same"),
    Bad(
        "equal",
        [dpo(chosen="Caf\u00e9  au lait", rejected="Cafe\u0301 au\nlait")],
        {"r1"},
        "chosen and rejected are the same",
    ),
    Bad(
        "near_equal",
        [dpo(chosen="Canberra is the capital.", rejected="canberra is the capital!"), dpo("r2")],
        {"r1"},
        "chosen and rejected are alike by 95.8 %",
        setting=95,
        score=95.83,
    ),
    Bad(
        "equal_truncated",
        [dpo(chosen="a b c d e", rejected="a b c d f"), dpo("r2", "b", "a")],
        {"r1"},
        "chosen and rejected are the same up to token 10",
        setting=10,
        score=10.0,
    ),
    Bad(
        "equal_truncated",
        [dpo(prompt=[turn("user", "word " * 30 + "?")])],
        {"r1"},
        "the prompt alone has 20 tokens and more, so that no answer is read",
        setting=20,
        score=20.0,
    ),
    Bad(
        "length_ratio",
        [dpo(chosen="x", rejected="It is four."), dpo("r2")],
        {"r1"},
        "rejected is 11.0 times as long as chosen",
        setting=5,
        score=11.0,
    ),
    Bad("too_long", [sft(answer="a b c d"), sft("r2", "a")], {"r1"}, "prompt and answer have 10 tokens", 8, 10.0),
    Bad(
        "too_long_characters",
        [dpo(chosen="x" * 87), dpo("r2")],
        {"r1"},
        "prompt and answer have 101 characters",
        setting=100,
        score=101.0,
    ),
    Bad(
        "pii",
        [sft(answer="Write to ann.lee@mail.example, or bo@mail.example."), sft("r2", "Write to <EMAIL_1>.")],
        {"r1"},
        "email in completion (an…le), and 1 more",
        setting="refuse",
        score=0.98,
    ),
    Bad("duplicates", [sft("r1"), sft("r2", "It  is 4."), sft("r3", "4")], {"r2"}, "says what a row of 'r1' says"),
    Bad("duplicates", [kto("r1"), kto("r2"), kto("r3", "5", label=False)], {"r2"}, "says what a row of 'r1' says"),
    Bad(
        "near_duplicates",
        [sft("r1", "one two three four five six seven eight"), sft("r2", "One two three four five six seven eight!")],
        {"r2"},
        "is like a row of 'r1' (similarity 1.0)",
        setting=0.8,
        score=1.0,
    ),
    Bad(
        "contradictions",
        [dpo("r1"), dpo("r2", "It is 5.", "It is 4."), dpo("r3", "It is 5.", "It is 4.", OTHER)],
        {"r1", "r2"},
        "contradicts what a row of 'r2' says of the same prompt",
    ),
    Bad(
        "contradictions",
        [dpo("r1", "a", "b"), dpo("r2", "b", "c"), dpo("r3", "c", "a"), dpo("r4", "a", "d")],
        {"r1", "r2", "r3"},
        "contradicts what a row of 'r2' says of the same prompt",
    ),
    Bad(
        "contradictions",
        [dpo("r1", "a", "b"), dpo("r2", "b", "c"), dpo("r3", "e", "d")],
        {"r1", "r2"},
        "contradicts what a row of 'r2' says of the same prompt",
        setting="strict",
    ),
    Bad(
        "contradictions",
        [kto("r1"), kto("r2", label=False), kto("r3", "5", label=False)],
        {"r1", "r2"},
        "contradicts what a row of 'r2' says of the same prompt",
    ),
    Bad(
        "one_label",
        [kto("r1"), kto("r2", "Four.")],
        {"r1", "r2"},
        "all 2 rows have the label true, so there is nothing to compare with",
    ),
]


def only(gate: str, setting: Any = True) -> GatesConfig:
    """That gate alone."""
    off: dict[str, Any] = dict.fromkeys(GATE_NAMES, False)
    return gates_config(off | {gate: setting})


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: f"{bad.gate}: {bad.says}")
def test_a_gate_stops_what_it_is_for(bad: Bad) -> None:
    done = Gates(only(bad.gate, bad.setting))(bad.rows)
    assert {case.row.record for case in done.rejected} == bad.stopped
    first = done.rejected[0]
    assert (first.reason, first.rule, first.text, first.score) == ("gated", bad.gate, bad.says, bad.score)
    assert done.told["gates"][bad.gate]["rejected"] == len(bad.stopped)


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: f"{bad.gate}: {bad.says}")
def test_a_gate_that_is_off_stops_nothing(bad: Bad) -> None:
    done = Gates(gates_config(dict.fromkeys(GATE_NAMES, False)))(bad.rows)
    assert (done.kept, done.rejected, done.told) == (bad.rows, [], {"gates": {}})


def test_every_gate_has_a_case() -> None:
    elsewhere = {"tool_turns", "test_only", "contamination"}
    assert {bad.gate for bad in BAD} | elsewhere == set(GATES)
    assert tuple(GATES) == GATE_NAMES


def test_what_only_a_test_double_wrote_is_stopped_unless_it_is_asked_for() -> None:
    records = [Record("r1", {"prompt": "?"}, metadata={"test_only": True}), Record("r2", {"prompt": "?"})]
    rows = [sft("r1"), sft("r2", "Four."), sft("r3", "4", others=("r1",))]
    done = Gates(records=records)(rows)
    assert [row.record for row in done.kept] == ["r2"]
    assert {(case.rule, case.text) for case in done.rejected} == {
        ("test_only", "the metadata of 'r1' say that a test double wrote it")
    }
    assert Gates(gates_config({"test_only": False}), records)(rows).rejected == []


def test_a_model_of_the_test_server_is_a_test_double() -> None:
    metadata = [{"model": "stub"}, {"calls": [{"model": "stub-large"}]}, {"model": "large"}, {"note": "stub"}]
    records = [Record(f"r{n}", {"prompt": "?"}, metadata=about) for n, about in enumerate(metadata)]
    done = Gates(records=records)([sft(f"r{n}", f"Answer {n}.") for n in range(4)])
    assert [row.record for row in done.kept] == ["r2", "r3"]
    assert done.told["gates"]["test_only"] == {"checked": 4, "rejected": 2}


def test_contamination_names_the_item_and_its_set(tmp_path: Path) -> None:
    (tmp_path / "quiz.jsonl").write_text('{"id": "q7", "question": "Who wrote the novel Emma, and when?"}\n')
    prompt = [turn("user", "Say: who wrote the novel Emma, and when?")]
    config = gates_config({"contamination": "quiz.jsonl"})
    done = Gates(config, folder=tmp_path)([sft("r1", prompt=prompt), sft("r2")])
    (case,) = done.rejected
    assert (case.row.record, case.rule, case.score) == ("r1", "contamination", 1.0)
    assert case.text == "holds 'q7' of 'quiz': 'who wrote the novel Emma, and when'"


def test_evaluation_files_are_read_when_the_gates_are_set_up(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no_such"):
        Gates(gates_config({"contamination": "no_such.jsonl"}), folder=tmp_path)


class TestToolTurns:
    """LLaMA-Factory's converter takes turns by their number, and drops a conversation with two tools together."""

    def asked(self, *tools: str) -> Row:
        said = [{"role": "tool", "content": text} for text in tools]
        call = {"role": "assistant", "content": "Let me see."}
        return Row("r1", "sft", [{"role": "user", "content": "2 + 2?"}, call, *said], completion="It is 4.")

    def test_they_are_counted_where_nobody_says_anything_of_them(self) -> None:
        rows = [self.asked("4", "5"), self.asked("4")]
        done = Gates()(rows)
        assert list(done.kept) == rows
        assert done.told["gates"]["tool_turns"] == {"checked": 2, "rejected": 0, "found": 1, "setting": "report"}

    def test_they_are_stopped_for_who_asks_for_it(self) -> None:
        done = Gates(gates_config({"tool_turns": True}))([self.asked("4", "5"), self.asked("4")])
        assert [row.prompt[-1]["content"] for row in done.kept] == ["4"]
        (case,) = done.rejected
        assert (case.rule, case.text) == ("tool_turns", "message 4 of the prompt: a tool answers after another one")

    def test_of_rows_without_tools_nothing_is_told(self) -> None:
        assert "tool_turns" not in Gates()([sft()]).told["gates"]


def test_personal_data_can_be_counted_and_not_stopped() -> None:
    rows = [sft(answer="Write to ann.lee@mail.example.")]
    done = Gates(gates_config({"pii": "report"}))(rows)
    assert done.kept == rows
    assert done.told["gates"]["pii"] == {"checked": 1, "rejected": 0, "found": 1, "setting": "report"}


class TestTokens:
    @pytest.fixture
    def tokenizer(self, tmp_path: Path) -> Path:
        """A tokenizer for which each word is a token, however long."""
        made = Tokenizer(models.WordLevel({"[UNK]": 0, "It": 1, "is": 2}, unk_token="[UNK]"))
        made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        made.save(str(tmp_path / "tokenizer.json"))
        return tmp_path

    def test_a_given_tokenizer_counts(self, tokenizer: Path) -> None:
        rows = [sft("r1", "incomprehensibilities " * 4 + "end"), sft("r2", "incomprehensibilities " * 3 + "end")]
        config = gates_config({"too_long": 9, "tokenizer": "tokenizer.json"})
        done = Gates(config, folder=tokenizer)(rows)
        assert [(case.row.record, case.text) for case in done.rejected] == [("r1", "prompt and answer have 10 tokens")]
        assert done.told["gates"]["too_long"] == {
            "checked": 2,
            "rejected": 1,
            "setting": 9,
            "tokens": "by the tokenizer",
        }

    def test_the_folder_of_a_model_will_do(self, tokenizer: Path) -> None:
        assert Gates(gates_config({"too_long": 5, "tokenizer": "."}), folder=tokenizer)([sft()]).rejected != []

    def test_what_is_no_tokenizer_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "tokenizer.json").write_text("{}")
        with pytest.raises(InputError, match="no tokenizer") as caught:
            Gates(gates_config({"too_long": 5, "tokenizer": "tokenizer.json"}), folder=tmp_path)
        assert "tokenizer.json of the model" in caught.value.remedy


class TestSettings:
    def test_true_stands_for_the_usual_threshold(self) -> None:
        config = GatesConfig.model_validate({"near_equal": True, "too_long": True, "pii": True, "licence": True})
        assert (config.near_equal, config.too_long, config.pii, config.licence) == (95.0, 1024, "refuse", [])

    def test_a_wrong_name_lists_all_gates(self) -> None:
        with pytest.raises(UsageError, match="'near' is no gate") as caught:
            gates_config({"near": True})
        assert all(name in caught.value.remedy for name in GATES)

    @pytest.mark.parametrize(
        ("name", "value"),
        [("near_equal", 20), ("length_ratio", 1), ("too_long", 0), ("contamination", True), ("equal", "yes")],
    )
    def test_a_wrong_value_is_an_error(self, name: str, value: object) -> None:
        with pytest.raises(UsageError, match=name):
            gates_config({name: value})
        with pytest.raises(ValidationError):
            GatesConfig.model_validate({name: value})


def test_each_gate_counts_the_rows_that_it_saw() -> None:
    rows = [dpo("r1"), dpo("r2", "4", "4"), dpo("r3"), dpo("r4", " 4", "5")]
    told = Gates()(rows).told["gates"]
    assert told["unstripped"] == {"checked": 4, "rejected": 1}
    assert told["equal"] == {"checked": 3, "rejected": 1}
    assert told["duplicates"] == {"checked": 2, "rejected": 1}
    assert told["contradictions"] == {"checked": 1, "rejected": 0, "setting": "cycles"}
    assert "one_label" not in told, "it looks at KTO sets only"


def test_rejected_rows_keep_the_order_of_the_set() -> None:
    done = Gates()([dpo("r1", "4", "4"), sft("r2", ""), dpo("r3", "5", "5")])
    assert [(case.row.record, case.rule) for case in done.rejected] == [
        ("r1", "equal"),
        ("r2", "empty"),
        ("r3", "equal"),
    ]


def test_no_rows_pass() -> None:
    assert Gates()([]).rejected == []


class TestDocumentation:
    def rows(self, title: str, columns: int) -> list[list[str]]:
        page = (Path(__file__).parents[2] / "docs" / "gates.md").read_text("utf-8")
        part = page.partition(f"| {title} |")[2].partition("\n\n")[0]
        found = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in part.splitlines()[2:]]
        assert {len(row) for row in found} == {columns}
        return found

    def test_every_gate_stands_there_with_its_default(self) -> None:
        rows = {row[0].strip("`"): row[1] for row in self.rows("gate", 4)}
        assert list(rows) == list(GATES)
        for name, said in rows.items():
            assert said.startswith("on") == bool(getattr(GatesConfig(), name)), name
            usual = getattr(gates_config({name: True}), name) if name != "contamination" else None
            if usual not in (True, None, []):
                assert said.partition("; ")[2].strip("`") in (
                    f"{usual:g}" if isinstance(usual, float) else str(usual),
                    "",
                )

    def test_every_defect_and_problem_stands_there(self) -> None:
        assert [tuple(row) for row in self.rows("defect", 3)] == [(f"`{n}`", *told) for n, told in DEFECTS.items()]
        assert [tuple(row) for row in self.rows("problem", 4)] == [(f"`{n}`", *told) for n, told in PROBLEMS.items()]


# -- properties

TEXTS = st.sampled_from(["4", "5", "4 ", "", "It is four.", "It is  four.", "Caf\u00e9", "Cafe\u0301", "x" * 40])
PROMPTS = st.lists(st.builds(turn, st.sampled_from(["system", "user", "assistant", "tool"]), TEXTS), max_size=3)
ROWS = st.lists(
    st.one_of(
        st.builds(lambda p, c: Row("", "sft", p, c), PROMPTS, TEXTS),
        st.builds(lambda p, c, r: Row("", "dpo", p, "", c, r), PROMPTS | st.just(SUMS), TEXTS, TEXTS),
        st.builds(lambda p, c, b: Row("", "kto", p, c, label=b), PROMPTS | st.just(SUMS), TEXTS, st.booleans()),
        st.builds(lambda p, c, n: Row("", "reward", p, c, score=n), PROMPTS | st.just(SUMS), TEXTS, st.floats(1, 5)),
    ),
    max_size=12,
).map(lambda rows: [Row(**{**_fields(row), "record": f"r{n}"}) for n, row in enumerate(rows)])
STRICT = gates_config(
    {"near_equal": 90, "length_ratio": 5, "too_long": 30, "equal_truncated": 12, "near_duplicates": 0.8}
)


def _fields(row: Row) -> dict[str, Any]:
    return {name: getattr(row, name) for name in Row.__slots__}


@given(ROWS)
def test_gates_only_remove(rows: list[Row]) -> None:
    done = Gates(STRICT)(rows)
    kept = iter(rows)
    assert all(any(row is one for one in kept) for row in done.kept), "those that pass are as they were, in their order"
    assert sorted([id(row) for row in done.kept] + [id(case.row) for case in done.rejected]) == sorted(map(id, rows))


@given(ROWS)
def test_a_set_that_passed_passes_again(rows: list[Row]) -> None:
    once = Gates(STRICT)(rows).kept
    assert Gates(STRICT)(once).kept == once


@given(ROWS, st.randoms(use_true_random=False))
def test_what_is_stopped_does_not_depend_on_the_order(rows: list[Row], chance: random.Random) -> None:
    """Of duplicates the first stays, so that only their number is the same; all else is judged alike."""
    config = gates_config({"duplicates": False})
    shuffled = chance.sample(rows, len(rows))
    stopped = [{(c.row.record, c.rule) for c in Gates(config)(given).rejected} for given in (rows, shuffled)]
    assert stopped[0] == stopped[1]
    with_duplicates = [Gates()(given).told["gates"].get("duplicates") for given in (rows, shuffled)]
    assert with_duplicates[0] == with_duplicates[1]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=10))
def test_contradictions_are_the_pairs_on_a_circle(edges: list[tuple[int, int]]) -> None:
    """Compared with a search through all paths."""
    edges = [(one, other) for one, other in dict.fromkeys(edges) if one != other]
    rows = [dpo(f"r{n}", str(one), str(other)) for n, (one, other) in enumerate(edges)]
    reached = {node: {node} for node in range(5)}
    for _ in range(5):
        for (one, other), node in itertools.product(edges, range(5)):
            if one in reached[node]:
                reached[node].add(other)
    wrong = {f"r{n}" for n, (one, other) in enumerate(edges) if one in reached[other]}
    assert {case.row.record for case in Gates(only("contradictions"))(rows).rejected} == wrong
