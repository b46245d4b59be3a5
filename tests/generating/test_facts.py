"""Numbers and names that a variant lost or invented."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.generating.facts import Changes, capitals_tell, changes

SAME = [
    ("Name 3 rivers.", "Name three rivers."),
    ("Name twenty-five rivers.", "Name 25 rivers."),
    ("We sold 1,500 units.", "We sold 1500 units."),
    ("We sold 1.500 units.", "We sold 1500 units."),
    ("It takes 2,5 hours.", "It takes 2.50 hours."),
    ("It costs 1,234.50.", "It costs 1 234.5.".replace(" ", "\u202f")),
    ("Meet at 09:30.", "Meet at 9:30."),
    ("We sold two hundred and five chairs.", "We sold 205 chairs."),
    ("It cost 1.5 million.", "It cost 1,500,000."),
    ("It cost $5M and 20k more.", "It cost $5 million and 20,000 more."),
    ("It took five thousand two hundred days.", "It took 5,200 days."),
    ("Between one hundred and two hundred came.", "100 to 200 came."),
    ("In 2019 seven people came.", "Seven people came in 2019."),
    ("Take the twenty-first of three dozen.", "Take number 21 of 36."),
    ("They met on the 2nd.", "They met on the second."),
    ("Add ½ cup.", "Add 0.5 cup."),
    ("Ask José about it.", "About it, ask Jose\u0301."),
    ("Sum up ٣ points.", "Sum up 3 points."),
    ("Take one of them.", "Take any of them."),
    ("Ask Ann's sister.", "Ask the sister of Ann."),
    ("Write to Dr. Meyer today.", "Today, write to Dr. Meyer."),
    ("Explain what NASA does.", "NASA: explain what it does."),
    ("Explain NOT the first one but the rest.", "Explain the rest, but not the first one."),
    ("Sum this up.\nThen list what is open.", "List what is open.\nBefore that, give a summary."),
    ("I said I'm late.", "They said that I'm late, as I said."),
    ("Translate 'Guten Morgen' into English.", "Into English, translate 'Guten Morgen'."),
    ("WRITE A POEM ABOUT RAIN.", "WRITE VERSES ABOUT RAIN."),
]


@pytest.mark.parametrize(("before", "after"), SAME)
def test_the_same_numbers_and_names_in_other_words_are_no_change(before: str, after: str) -> None:
    assert changes(before, after) == Changes()
    assert changes(after, before) == Changes()


def told(lost: str, invented: str) -> str:
    return f"the number {lost} is lost, the number {invented} is invented"


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("Name 15 rivers.", "Name 50 rivers.", "the number 15 is lost, the number 50 is invented"),
        ("Name three rivers.", "Name rivers.", "the number three is lost"),
        ("Name rivers.", "Name five rivers.", "the number five is invented"),
        ("Version 10.3.2 is out.", "Version 10.3 is out.", "the number 10.3.2 is lost, the number 10.3 is invented"),
        ("We sold two hundred.", "We sold two thousand.", told("two hundred", "two thousand")),
        ("It cost 5 million.", "It cost 5 billion.", told("5 million", "5 billion")),
        ("Thousands of them came.", "Millions of them came.", told("Thousands", "Millions")),
        ("The third quarter.", "The fifth quarter.", told("third", "fifth")),
        ("Add ½ cup.", "Add ¾ cup.", told("½", "¾")),
        ("It is worth $5k.", "It is worth $5M.", told("5k", "5M")),
        ("Give 1.5 litres.", "Give 15 litres.", "the number 1.5 is lost, the number 15 is invented"),
        ("Due on 2026-11-23.", "Due on 23 November 2026.", "the number 11 is lost, the name November is invented"),
        ("Ask Maria Lopez about it.", "Ask Maria about it.", "the name Lopez is lost"),
        ("Ask her about it.", "Ask Maria Lopez about it.", "the names Maria, Lopez are invented"),
        (
            "The trip to Rome was long.",
            "The trip to Paris was long.",
            "the name Rome is lost, the name Paris is invented",
        ),
        ("Say what NASA does.", "Say what ESA does.", "the name NASA is lost, the name ESA is invented"),
        (
            "Напиши письмо Анне сегодня.",
            "Напиши письмо Ольге сегодня.",
            "the name Анне is lost, the name Ольге is invented",
        ),
    ],
)
def test_a_number_or_a_name_that_stands_in_one_text_only_is_told(before: str, after: str, reason: str) -> None:
    assert changes(before, after).reason() == reason


def test_what_may_be_lost_or_invented_is_no_reason() -> None:
    found = changes("Ask Ann on 3 May.", "Ask about 4 things in May.")
    assert found.reason(may_lose=True) == "the number 4 is invented"
    assert found.reason(may_invent=True) == "the number 3 is lost, the name Ann is lost"
    assert found.reason(may_lose=True, may_invent=True) == ""


def test_a_name_that_only_begins_sentences_is_seen_if_it_is_known() -> None:
    assert changes("Ann will send it.", "Somebody will send it.") == Changes()
    assert changes("Ann will send it.", "Somebody will send it.", names=["Ann Lee"]).lost_names == ("Ann",)


def test_without_capitals_only_known_names_count() -> None:
    before, after = "Schreibe Ann einen Brief.", "Schreibe Ann eine Nachricht."
    assert changes(before, after).lost_names == ("Brief",)
    assert changes(before, after, capitals=False) == Changes()
    assert changes(before, "Schreibe einen Brief.", names=["Ann"], capitals=False).lost_names == ("Ann",)


def test_an_answer_may_take_numbers_and_names_from_its_prompt() -> None:
    after = "On 3 May, as Ann said."
    assert changes("In spring.", after, beside="When? Ann said 3 May.") == Changes()
    assert changes("In spring.", after).invented_numbers == ("3",)


@pytest.mark.parametrize(
    ("before", "after"),
    [("给小明写信", "给小红写信"), ("小明은 왔다", "小红은 왔다"), ("اكتب لسلمى اليوم", "اكتب لليلى اليوم")],
)
def test_names_in_scripts_without_capitals_are_those_that_are_known(before: str, after: str) -> None:
    assert changes(before, after) == Changes()
    found = changes(before, after, names=["小明", "小红", "سلمى", "ليلى"])
    assert len(found.lost_names) == len(found.invented_names) == 1
    assert changes(before, before, names=["小明", "سلمى"]) == Changes()


def test_texts_that_write_nouns_with_capitals_are_noticed() -> None:
    assert not capitals_tell(["Nenne drei Gründe, warum der Kaffee am Morgen den meisten Leuten im Büro gut schmeckt."])
    assert capitals_tell(["Name three reasons why coffee tastes best in the morning, as Ann said on Friday evening."])
    assert capitals_tell(["Too short to tell: Ann, Bo."])


def test_a_number_of_thousands_of_digits_is_a_number_too() -> None:
    assert changes("9" * 5000, "0" + "9" * 5000) == Changes()
    assert changes("9" * 5000, "9" * 4999).lost_numbers == ("9" * 5000,)


@settings(max_examples=50)
@given(st.text(max_size=60))
def test_a_text_changes_nothing_of_itself(text: str) -> None:
    assert changes(text, text) == Changes()


@settings(max_examples=50)
@given(st.lists(st.integers(0, 10**9), max_size=5), st.lists(st.integers(0, 10**9), max_size=5))
def test_whole_numbers_are_lost_or_invented_as_sets_are_different(left: list[int], right: list[int]) -> None:
    found = changes(" and ".join(f"{n:,}" for n in left), " and ".join(map(str, right)))
    plain = {text.replace(",", "") for text in found.lost_numbers}
    assert plain == {str(n) for n in left if not {str(n), f"{n:,}"} & {str(m) for m in right} and n not in right}
    assert set(found.invented_numbers) == {str(n) for n in right if n not in left}
