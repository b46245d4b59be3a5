"""Cleaning: only what is no word goes, and all of it can be undone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import ValueRejected
from bridge.transcripts.cleaning import Cleaner
from bridge.transcripts.edits import Draft, Edit, applied, undone


def cleaned(text: str, **options: object) -> str:
    return Cleaner(**options).clean(text).text  # type: ignore[arg-type]


class TestSounds:
    @pytest.mark.parametrize(
        ("said", "left"),
        [
            ("Um, I like the plan, uh, so do they.", "I like the plan, so do they."),
            ("So, um, I think", "So I think"),
            ("I, uh, don't know", "I don't know"),
            ("We have cats, um, dogs.", "We have cats, dogs."),
            ("I uh... think", "I... think"),
            ("Well, um. Yes", "Well. Yes"),
            ("Um. Yes.", "Yes."),
            ("um um, uh we go", "we go"),
            ("Ummm, ok, hmm", "Ok"),
            ("So um—I think", "So—I think"),
            ("Erm yes", "Yes"),
            ("the\n um\n plan", "the plan"),
            ("Well -- uh -- okay", "Well -- okay"),
            ("so—um—I think", "so—I think"),
            ("(um) yes, I [uh] do", "yes, I do"),
        ],
    )
    def test_go_with_the_commas_that_were_only_there_for_them(self, said: str, left: str) -> None:
        assert cleaned(said) == left

    @pytest.mark.parametrize(
        "said",
        [
            "I like the plan, so do they.",
            "You know what, you know it is right, so okay.",
            "Yes.",
            "Okay.",
            "uh-huh",
            "Uh-oh!",
            "The HMM decodes, and the ERM joined.",
            "Hmm?",
            'She said "um" twice',
            "visit um.edu or a.um now",
            "umbrella, thrum and Uhland",
            "They hummed.",
        ],
    )
    def test_words_stay(self, said: str) -> None:
        assert cleaned(said) == said

    @pytest.mark.parametrize(
        "said",
        [
            "Wir treffen uns um zehn.",
            "Äh, um neun Uhr treffen wir uns, äh, um zu reden.",
            "Um acht.",
            "Isso é um problema, não é?",
            "Eu tenho um carro e um gato.",
            "Um dia, um homem",
            "Há um problema",
            "Quero um café",
        ],
    )
    def test_um_stays_where_it_is_a_word(self, said: str) -> None:
        assert cleaned(said) == said

    def test_um_is_judged_by_the_turns_before_where_a_turn_does_not_tell(self) -> None:
        cleaner = Cleaner()
        cleaner.clean("Wir haben das noch nicht, und ich bin nicht dabei.")
        assert cleaner.clean("Um zehn?").text == "Um zehn?"
        assert Cleaner().clean("Um ten?").text == "Ten?"

    def test_other_languages_name_their_own(self) -> None:
        assert cleaned("Ähm, ja, äh, gut.", more=("ähm", "äh")) == "Ja, gut."

    def test_a_turn_of_nothing_else_becomes_empty(self) -> None:
        assert cleaned("Um, uh... hmm.") == ""

    def test_they_stay_on_demand(self) -> None:
        assert cleaned("Um,  yes.", sounds=False) == "Um, yes."


class TestAsides:
    @pytest.mark.parametrize(
        ("said", "left"),
        [
            ("It was, like, huge, so I like it.", "It was huge, so I like it."),
            ("It was, like, you know, huge", "It was huge"),
            ("I think, right, we go, so, now", "I think, we go, now"),
            ("I like it, so do they, okay", "I like it, so do they, okay"),
            ("So, we go, right?", "So, we go, right?"),
            ("apples, like, pears", "apples, pears"),
        ],
    )
    def test_go_between_commas_only(self, said: str, left: str) -> None:
        assert cleaned(said, asides=True) == left

    def test_stay_by_default(self) -> None:
        assert cleaned("It was, like, huge") == "It was, like, huge"


def test_lines_of_a_cue_become_one_without_a_space_where_none_is_written() -> None:
    assert cleaned("shall we\nlook") == "shall we look"
    assert cleaned("会議を\n始めましょう。") == "会議を始めましょう。"


WORDS = st.sampled_from(
    [
        "um",
        "Um",
        "uh",
        "UM",
        "erm",
        "hmm",
        "uh-huh",
        "like",
        "so",
        "you know",
        "okay",
        "I",
        "was",
        "plan",
        "10",
        "ähm",
        "中",
    ]
)
GAPS = st.sampled_from([" ", ", ", ",", ". ", "... ", "\n", "  ", "?", "! ", "—", "'", '"', "-", "; ", " ", ""])
SPEECH = st.lists(st.tuples(WORDS, GAPS), max_size=14).map(lambda parts: "".join(map("".join, parts)))


@settings(max_examples=150, deadline=None)
@given(st.one_of(SPEECH, st.text(max_size=60)), st.booleans())
def test_every_cleaning_can_be_undone(raw: str, asides: bool) -> None:
    result = Cleaner(asides=asides, more=("ähm",)).clean(raw)
    assert undone(result.text, result.edits) == raw
    assert applied(raw, result.edits) == result.text
    assert [Edit.from_list(edit.to_list()) for edit in result.edits] == result.edits


@settings(max_examples=60, deadline=None)
@given(SPEECH)
def test_a_word_of_the_content_never_goes(raw: str) -> None:
    assert cleaned(raw, asides=True).count("plan") == raw.count("plan")


@settings(max_examples=60, deadline=None)
@given(
    st.text(max_size=20), st.lists(st.tuples(st.integers(0, 20), st.integers(0, 5), st.text(max_size=3)), max_size=5)
)
def test_a_draft_remembers_every_change(raw: str, changes: list[tuple[int, int, str]]) -> None:
    draft = Draft(raw)
    for start, length, new in changes:
        start = min(start, len(draft.text))
        draft.replace([(start, min(start + length, len(draft.text)), new)])
    assert applied(raw, draft.edits()) == draft.text
    assert undone(draft.text, draft.edits()) == raw


def test_edits_of_another_text_are_refused() -> None:
    with pytest.raises(ValueRejected, match="does not fit"):
        undone("They go.", [Edit(0, "Um, w", "W")])
    with pytest.raises(ValueRejected, match="does not fit"):
        applied("They go.", [Edit(0, "Um, w", "W")])
