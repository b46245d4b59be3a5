"""What text may leave us, and how its characters are counted."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import ValueRejected
from bridge.text import (
    MAX_KEY,
    MAX_TEXT,
    check_key,
    check_text,
    code_point_offset,
    has_control,
    same_text,
    utf16_offset,
)

# Everything that a person can type or paste, which excludes halves of surrogate pairs and NUL.
SOUND = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


# -- what may leave us


@given(SOUND)
def test_sound_text_comes_back_unchanged(text: str) -> None:
    assert check_text(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "👩‍👩‍👧‍👦 family, 🇨🇭 flag, 👍🏽 skin tone",
        "e\u0301 combining, \u202eright to left override\u202c, \u200bzero width",
        "line\u2028separator, next\x85line, bell\x07, escape\x1b[31m",
        "noncharacters \ufffe \uffff \U0010ffff",
        "\ufeffbyte order mark",
        "",
    ],
)
def test_odd_but_sound_text_is_allowed(text: str) -> None:
    assert check_text(text) == text


@pytest.mark.parametrize(
    ("text", "position", "code"),
    [("\ud83d", 1, "U+D83D"), ("ok \udc00", 4, "U+DC00"), ("😀\udfff", 2, "U+DFFF"), ("\udcff", 1, "U+DCFF")],
)
def test_half_a_surrogate_pair_is_named_with_its_place(text: str, position: int, code: str) -> None:
    with pytest.raises(ValueRejected) as caught:
        check_text(text, "prompt")
    assert caught.value.reason == f"prompt: character {position} is {code}, half of a surrogate pair"
    assert caught.value.remedy


def test_the_message_about_a_surrogate_can_itself_be_printed() -> None:
    with pytest.raises(ValueRejected) as caught:
        check_text("a\ud800", "prompt")
    assert str(caught.value).encode()


def test_nul_is_binary_data() -> None:
    with pytest.raises(ValueRejected, match="prompt: character 3 is NUL"):
        check_text("ab\0", "prompt")


def test_the_limit_is_counted_in_code_points() -> None:
    assert check_text("😀" * 10, limit=10)
    with pytest.raises(ValueRejected, match="11 characters, more than the 10"):
        check_text("😀" * 11, limit=10)


def test_the_longest_text_is_a_million_characters() -> None:
    assert check_text("x" * MAX_TEXT)
    with pytest.raises(ValueRejected, match="1,000,001 characters"):
        check_text("x" * (MAX_TEXT + 1))


def test_a_message_never_repeats_a_huge_text() -> None:
    with pytest.raises(ValueRejected) as caught:
        check_text("secret" * MAX_TEXT)
    assert "secret" not in str(caught.value)


# -- keys


@pytest.mark.parametrize("key", ["row-17", "Zürich/17", "😀", "a b", "x" * MAX_KEY, "%25", "' OR 1=1"])
def test_a_key_is_any_visible_text(key: str) -> None:
    assert check_key(key) == key


@pytest.mark.parametrize(("key", "text"), [(0, "0"), (17, "17"), (-3, "-3"), (2**63, "9223372036854775808")])
def test_a_whole_number_becomes_text(key: int, text: str) -> None:
    assert check_key(key) == text


@pytest.mark.parametrize("key", [True, False, 1.5, None, ["a"], {"a": 1}, b"bytes"])
def test_other_types_are_no_keys(key: object) -> None:
    with pytest.raises(ValueRejected, match=f"key: {type(key).__name__} cannot be a record's key"):
        check_key(key)


@pytest.mark.parametrize("key", ["", " ", "\u2003", "a\nb", "a\tb", "\x7f", "\x1b[31m"])
def test_blank_keys_and_keys_with_controls_are_refused(key: str) -> None:
    with pytest.raises(ValueRejected, match="key: empty, or with control characters"):
        check_key(key)


@pytest.mark.parametrize("key", ["x" * 201, 10**200, -(10**5000)], ids=["text", "number", "huge"])
def test_a_key_that_is_too_long_says_what_to_do_instead(key: object) -> None:
    with pytest.raises(ValueRejected, match=r"^key: more than 200 characters") as caught:
        check_key(key)
    assert (
        caught.value.remedy == "use a column with shorter ids, or leave out --id: then a hash of the fields is the key"
    )


@pytest.mark.parametrize(("key", "reason"), [("a\0", "NUL"), ("\ud800", "surrogate")])
def test_keys_that_no_server_stores_are_refused(key: str, reason: str) -> None:
    with pytest.raises(ValueRejected, match=f"key: .*{reason}"):
        check_key(key)


# -- controls


@pytest.mark.parametrize(
    ("text", "expected"), [("a b", False), ("é😀\u200b\u2028", False), ("\r", True), ("\x85", True)]
)
def test_controls_are_found_and_nothing_else_is(text: str, expected: bool) -> None:
    assert has_control(text) is expected


@given(st.characters())
def test_a_control_is_what_unicode_calls_one(character: str) -> None:
    assert has_control(f"a{character}") == (unicodedata.category(character) == "Cc")


# -- offsets


@given(SOUND, st.data())
def test_offsets_survive_the_way_to_a_browser_and_back(text: str, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(text)))
    assert code_point_offset(text, utf16_offset(text, offset)) == offset


@given(SOUND, st.data())
def test_a_browser_counts_utf16_units(text: str, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(text)))
    assert utf16_offset(text, offset) == len(text[:offset].encode("utf-16-le")) // 2


@pytest.mark.parametrize(("text", "offset"), [("😀", 1), ("a😀b", 2), ("abc", 4), ("", 1), ("abc", -1)], ids=repr)
def test_offsets_that_are_no_character_are_refused(text: str, offset: int) -> None:
    with pytest.raises(ValueRejected, match=f"offset {offset} "):
        code_point_offset(text, offset)


# -- sameness


@pytest.mark.parametrize(
    ("left", "right"),
    [("a  b", "a b"), (" a\n", "a"), ("a\r\nb", "a b"), ("caf\u00e9", "cafe\u0301"), ("\u00a0a", "a"), ("", " \n")],
)
def test_white_space_and_unicode_form_make_no_difference(left: str, right: str) -> None:
    assert same_text(left, right)


@pytest.mark.parametrize(
    ("left", "right"), [("a", "b"), ("A", "a"), ("ab", "a b"), ("1.", "1"), ("ﬁ", "fi"), ("", "a")]
)
def test_other_differences_do(left: str, right: str) -> None:
    assert not same_text(left, right)


@given(SOUND, SOUND)
def test_sameness_does_not_depend_on_who_is_first(left: str, right: str) -> None:
    assert same_text(left, right) == same_text(right, left)
    assert same_text(left, f"  {left}\n")
