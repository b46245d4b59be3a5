"""Augmentation: variants of rows from rare strata, with the numbers and names of their parents."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bridge.errors import UsageError
from bridge.exporting.origins import origin
from bridge.exporting.row import Row
from bridge.exporting.settings import SplitsConfig
from bridge.exporting.splits import split_rows
from bridge.models.requests import ChatRequest
from bridge.records import Record
from tests.generating.bench import Bench, between, last

ROWS = [
    *(
        {"id": f"s{n}", "prompt": f"Add {n} and {n + 1}.", "response": f"{n + n + 1}", "topic": "sums"}
        for n in range(9)
    ),
    {"id": "g1", "prompt": "Tell me which river flows through Rome.", "response": "The Tiber.", "topic": "maps"},
    {"id": "g2", "prompt": "List the 3 largest lakes of Italy.", "response": "Garda, Maggiore, Como.", "topic": "maps"},
]
SAID = {
    "Tell me which river flows through Rome.": "Rome lies on a river: give its name.",
    "List the 3 largest lakes of Italy.": "Of all lakes in Italy, what are the three biggest?",
}
AUGMENT: dict[str, Any] = {
    "make": "augment",
    "rows__path": "rows.jsonl",
    "rows__id": "id",
    "augment__by": "topic",
    "augment__below": 4,
}


@pytest.fixture(autouse=True)
def rows(bench: Bench) -> None:
    bench.write("rows.jsonl", ROWS)


def paraphrase(request: ChatRequest) -> str:
    return SAID[between(last(request), "instruction")]


def test_only_rare_strata_get_variants_and_only_as_many_as_they_lack(bench: Bench) -> None:
    done = bench.run(paraphrase, recipes=["paraphrase"], **AUGMENT)
    records = bench.records()
    assert {record.fields["prompt"] for record in records} == {*SAID.values()}
    assert {record.metadata["topic"] for record in records} == {"maps"}
    assert (done.missing, done.partial) == ({}, False)


def test_a_paraphrase_keeps_its_answer_and_says_where_it_comes_from(bench: Bench) -> None:
    bench.write("rows.jsonl", [{**ROWS[-1], "model": "m-70b", "licence": "MIT", "price": 3}])
    bench.run(paraphrase, recipes=["paraphrase"], augment__per_row=1, **{**AUGMENT, "augment__below": 2})
    (record,) = bench.records()
    assert record.fields["response"] == "Garda, Maggiore, Como."
    made = record.metadata
    assert (made["operation"], made["root_id"], made["parent_id"]) == ("paraphrase", "g2", "g2")
    assert (made["model"], made["response_model"]) == ("m-7b", "m-70b")
    assert (made["licence"], made["topic"]) == ("MIT", "maps")
    assert "price" not in made
    assert "prompt_by" not in made


def test_the_root_of_a_variant_of_a_variant_is_the_first_record(bench: Bench) -> None:
    bench.write("rows.jsonl", [{**ROWS[-1], "root_id": "r0"}])
    bench.run(paraphrase, recipes=["paraphrase"], augment__per_row=1, **{**AUGMENT, "augment__below": 2})
    (record,) = bench.records()
    assert (record.metadata["root_id"], record.metadata["parent_id"]) == ("r0", "g2")


def test_a_harder_variant_is_answered_anew(bench: Bench) -> None:
    def model(request: ChatRequest) -> str:
        text = between(last(request), "instruction")
        return f"<instruction>\n{text[:-1]}, and say why.\n</instruction>" if text else f"For a reason: {last(request)}"

    bench.run(model, recipes=["harder"], augment__per_row=1, **AUGMENT)
    found = {record.fields["prompt"]: record for record in bench.records()}
    record = found["List the 3 largest lakes of Italy, and say why."]
    assert record.fields["response"] == "For a reason: List the 3 largest lakes of Italy, and say why."
    assert record.metadata["operation"] == "harder"
    assert record.metadata["prompt_by"]["request"] != record.metadata["request"]


@pytest.mark.parametrize(
    ("said", "step", "reason"),
    [
        (
            "What are the five biggest lakes in all of Italy?",
            "facts",
            "the number 3 is lost, the number five is invented",
        ),
        ("In this country, what are the three biggest lakes?", "facts", "the name Italy is lost"),
        ("What are the three biggest lakes that Italy and France have?", "facts", "the name France is invented"),
        ("list the 3 largest lakes of italy", "same", "no other text than one that is there"),
        ("List the 3 very largest lakes of Italy.", "novelty", "not new: ROUGE-L 0.93 with g2"),
        ("", "reply", "an empty answer"),
        ("three\0lakes in Italy", "text", "NUL"),
    ],
)
def test_a_variant_that_must_not_be_is_dropped_with_its_reason(bench: Bench, said: str, step: str, reason: str) -> None:
    bench.write("rows.jsonl", [ROWS[-1]])
    done = bench.run(lambda _: said, recipes=["paraphrase"], augment__per_row=1, **AUGMENT)
    assert (done.made, done.missing) == (0, {"maps": 3})
    (line,) = bench.rejected
    assert (line["step"], line["key"], line["line"]) == (step, "g2", 1)
    assert reason in line["reason"]


def test_names_that_only_begin_sentences_can_be_listed(bench: Bench) -> None:
    bench.write("rows.jsonl", [{"id": "a", "prompt": "Ann wants to know why.", "response": "So.", "topic": "x"}])
    asked = {"recipes": ["paraphrase"], "augment__per_row": 1, **AUGMENT}
    assert bench.run(lambda _: "Somebody would like a reason.", **asked).refused == {}
    assert bench.run(lambda _: "Somebody would like a reason.", names=["Ann"], **asked).refused == {"facts": 1}


def test_where_nouns_have_capitals_only_listed_names_are_checked_and_that_is_said(bench: Bench) -> None:
    prompt = "Bitte nenne dem Gast drei Gründe für den Kaffee am Morgen und den Tee am Abend in Wien."
    said = "Warum soll der Besuch in der Frühe Kaffee und spät Tee trinken? Gib drei Argumente."
    bench.write("rows.jsonl", [{"id": "a", "prompt": prompt, "response": "Weil.", "topic": "x"}])
    asked = {"recipes": ["paraphrase"], "augment__per_row": 1, **AUGMENT}
    done = bench.run(lambda _: said, **asked)
    assert done.made == 1
    assert "as in German" in done.cautions[0].means
    assert bench.run(lambda _: said, names=["Wien"], **asked).refused == {"facts": 1}


def test_a_dropped_variant_is_replaced_by_another_try(bench: Bench) -> None:
    bench.write("rows.jsonl", [ROWS[-1]])
    said = iter(["Of lakes, name 4.", "What are the three biggest lakes there, in Italy?"])
    done = bench.run(lambda _: next(said), recipes=["paraphrase"], **{**AUGMENT, "augment__below": 2})
    assert (done.made, dict(done.refused), done.partial) == (1, {"facts": 1}, False)


def test_recipes_take_turns_and_no_row_has_more_variants_than_allowed(bench: Bench) -> None:
    asked: list[str] = []

    def model(request: ChatRequest) -> str:
        text = between(last(request), "instruction")
        asked.append(("harder" if "harder" in last(request) else "paraphrase") + f": {text}")
        return "no such thing, 77"

    bench.run(model, augment__per_row=2, **{**AUGMENT, "augment__below": 9, "augment__only": ["maps"]})
    assert sorted(asked) == sorted(f"{recipe}: {text}" for recipe in ("harder", "paraphrase") for text in SAID)


MEETING = [
    {"role": "Ann", "content": "Who writes to Paris?"},
    {"role": "Bo", "content": "I will, on the 3rd."},
]


def transcript(bench: Bench, said: str, recipe: str) -> Any:
    bench.write("rows.jsonl", [{"id": "t1", "transcript": MEETING, "action_items": "Bo writes.", "kind": "calls"}])

    def model(request: ChatRequest) -> str:
        return said if "<text>" in last(request) else "There is nothing to do."

    settings = {**AUGMENT, "augment__by": "kind", "augment__below": 2, "augment__per_row": 1}
    return bench.run(model, template="action_items", recipes=[recipe], **settings)


def test_a_meeting_without_anything_to_do_may_lose_names_and_numbers(bench: Bench) -> None:
    transcript(bench, "Ann: Did somebody write to Paris?\nBo: Yes, long ago.\nAll is done.", "nothing_to_do")
    (record,) = bench.records("action_items")
    assert record.fields["transcript"] == [
        {"role": "Ann", "content": "Did somebody write to Paris?"},
        {"role": "Bo", "content": "Yes, long ago.\nAll is done."},
    ]
    assert record.fields["action_items"] == "There is nothing to do."
    assert record.metadata["operation"] == "nothing_to_do"


@pytest.mark.parametrize(
    ("said", "step", "reason"),
    [
        ("Ann: Did somebody write to London?\nBo: Yes.", "facts", "the name London is invented"),
        ("Here is the transcript you wanted.", "text", "not a transcript"),
    ],
)
def test_a_meeting_that_became_another_one_is_dropped(bench: Bench, said: str, step: str, reason: str) -> None:
    transcript(bench, said, "nothing_to_do")
    assert bench.rejected[0]["step"] == step
    assert reason in bench.rejected[0]["reason"]


def test_a_contradiction_keeps_all_names_and_numbers(bench: Bench) -> None:
    said = "Ann: Who writes to Paris?\nBo: I will, on the 3rd.\nBo: I will not write."
    assert transcript(bench, said, "contradiction").made == 1
    assert transcript(bench, said.replace(", on the 3rd", ""), "contradiction").refused == {"facts": 1}


def test_a_recipe_of_ones_own(bench: Bench) -> None:
    text = "version: 1\nname: polite\nabout: The same, but polite.\nanswered: keep\nuser: 'Politely: {{text}}'\n"
    (bench.folder / "polite.yaml").write_text(text)
    bench.write("rows.jsonl", [ROWS[-1]])
    bench.run(lambda r: last(r).replace("Politely: List", "Please, list"), recipes=["./polite.yaml"], **AUGMENT)
    assert bench.records()[0].fields["prompt"] == "Please, list the 3 largest lakes of Italy."
    assert bench.records()[0].metadata["operation"] == "polite"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"augment__by": "colour"}, "no row says colour"),
        ({"recipes": ["rewrite"]}, "recipe rewrite: it is not one for augment"),
        ({"recipes": ["nicer"]}, "recipe 'nicer': there is none"),
    ],
)
def test_what_cannot_be_augmented_is_refused(bench: Bench, wrong: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        bench.run(paraphrase, **{**AUGMENT, **wrong})


def test_a_stratum_that_was_named_and_has_no_rows_is_missing(bench: Bench) -> None:
    done = bench.run(paraphrase, recipes=["paraphrase"], augment__only=["history", "sums"], **AUGMENT)
    assert done.missing == {"history": 4}


FREE = "version: 1\nname: free\nabout: Whatever comes.\nfacts: any\nuser: '{{text}}'\n"


def test_twins_never_stand_on_two_sides_of_a_split(bench: Bench) -> None:
    """Variants share no word with their root or with each other: only the lineage holds them together."""
    (bench.folder / "free.yaml").write_text(FREE)
    rows = [{"id": f"r{n}", "prompt": f"alpha{n}", "response": "So.", "topic": f"t{n}"} for n in range(40)]
    bench.write("rows.jsonl", rows)
    words = iter(range(1000))

    def model(request: ChatRequest) -> str:
        return f"omega{next(words)}" if "alpha" in last(request) else "An answer."

    bench.run(model, recipes=["./free.yaml"], **AUGMENT)
    variants = bench.records()
    assert len(variants) == 40 * 3
    originals = [Record(row["id"], {"prompt": row["prompt"], "response": "So."}) for row in rows]
    sides = split_of([*originals, *variants])
    assert len({*sides.values()}) == 3
    assert all(sides[record.key] == sides[record.metadata["root_id"]] for record in variants)
    without = split_of([replace(record, metadata={}) for record in [*originals, *variants]])
    assert any(without[record.key] != without[record.metadata["root_id"]] for record in variants)


def split_of(records: list[Record]) -> dict[str, str]:
    """Record to its side, as an export gives it."""
    rows = [
        Row(r.key, "sft", [{"role": "user", "content": str(r.fields["prompt"])}], completion="x", root=origin(r).root)
        for r in records
    ]
    done = split_rows({"sft": rows}, SplitsConfig(valid=0.2, test=0.3))
    assert len(done.sieved["sft"].kept) == len(rows)
    return {row.record: row.split for row in done.sieved["sft"].kept}
