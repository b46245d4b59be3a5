"""YAML written by people: read safely, within limits, and with the line of whatever is wrong."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import ConfigError, TemplateError
from bridge.yamlfile import MAX_BYTES, MAX_DEPTH, parse_yaml, read_yaml


def problem(text: str) -> tuple[str, str]:
    with pytest.raises(TemplateError) as caught:
        parse_yaml(text, "t.yaml", TemplateError)
    return caught.value.reason, caught.value.remedy


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text("abc", min_size=1), PLAIN, max_size=4))
def test_what_was_written_is_read(data: dict[str, Any]) -> None:
    assert parse_yaml(yaml.safe_dump(data), "t.yaml", TemplateError).data == data


def test_every_value_knows_its_line() -> None:
    source = parse_yaml("a: 1\n\nb:\n  - x\n  - {c: 2,\n     d: 3}\n", "t.yaml", TemplateError)
    places: list[tuple[str | int, ...]] = [("a",), ("b",), ("b", 0), ("b", 1), ("b", 1, "c"), ("b", 1, "d")]
    assert [source.where(place) for place in places] == [f"t.yaml:{line}" for line in (1, 3, 4, 5, 5, 6)]


def test_a_place_that_is_not_there_has_the_line_of_what_is_around_it() -> None:
    source = parse_yaml("a: 1\nb:\n  c: 2\n", "t.yaml", TemplateError)
    assert source.where(("b", "missing", 3)) == "t.yaml:2"
    assert source.where(("missing",)) == "t.yaml:1"


# -- dangers


@pytest.mark.parametrize(
    "tag", ["python/object:os.system", "python/object/apply:os.system", "python/name:os.system", "python/tuple"]
)
def test_no_tag_makes_an_object(tag: str) -> None:
    reason, _ = problem(f"a: 1\nb: !!{tag} [echo]")
    assert reason.startswith("t.yaml:2: not valid YAML: could not determine a constructor")


def test_an_own_tag_is_refused() -> None:
    reason, _ = problem("a: !include /etc/passwd")
    assert reason.startswith("t.yaml:1: not valid YAML: could not determine a constructor")


def test_aliases_are_refused_with_their_line() -> None:
    assert problem("a: &x [1]\nb: *x") == (
        "t.yaml:2: YAML aliases (*name) are not allowed",
        "write the value out",
    )


def test_a_billion_laughs_is_refused_at_the_first() -> None:
    lines = ["a0: &a0 [lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]" for n in range(1, 30)]
    assert problem("\n".join(lines))[0] == "t.yaml:2: YAML aliases (*name) are not allowed"


def test_a_merge_of_an_alias_is_an_alias_too() -> None:
    assert "aliases" in problem("a: &x {b: 1}\nc: {<<: *x}")[0]


@pytest.mark.parametrize("brackets", ["[]", "{}"])
def test_nesting_has_a_limit(brackets: str) -> None:
    left, right = ("[", "]") if brackets == "[]" else ("{a: ", "}")
    inside = MAX_DEPTH - 1
    assert parse_yaml("a: " + left * inside + "1" + right * inside, "t.yaml", TemplateError).data
    reason, remedy = problem("a: 1\nb: " + left * MAX_DEPTH + "1" + right * MAX_DEPTH)
    assert (reason, remedy) == (f"t.yaml:2: nested more than {MAX_DEPTH} deep", "flatten it")


def test_a_hundred_thousand_brackets_are_no_crash() -> None:
    assert "nested more than" in problem("a: " + "[" * 100_000)[0]


@pytest.mark.parametrize(
    ("text", "line"), [("a: 1\nb: 2\na: 3", 3), ("a: {b: 1,\n b: 2}", 2), ("x:\n  - a: 1\n    a: 1", 3)]
)
def test_a_key_that_stands_twice_is_refused_with_its_line(text: str, line: int) -> None:
    reason, remedy = problem(text)
    assert reason.startswith(f"t.yaml:{line}: ")
    assert reason.endswith("stands twice")
    assert remedy == "keep one of them"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: 1\n? [a]\n: 1", "t.yaml:2: a list or mapping as a key"),
        ("a: 1\n{a: 1}: 3", "t.yaml:2: a list or mapping as a key"),
        ("a: 1\nb: {on: 1}", "t.yaml:2: 'on' is no key"),
        ("a: 1\n2026-01-02: 1", "t.yaml:2: '2026-01-02' is no key"),
        ("a: 1\n~: 1", "t.yaml:2: '~' is no key"),
        ("a: 1\n1.5: 1", "t.yaml:2: '1.5' is no key"),
        ("a: 1\n12345678901: 1", "t.yaml:2: '12345678901' is no key"),
        ("a: 1\n!!seq b: 1", "t.yaml:2: not valid YAML: expected a sequence node, but found scalar"),
    ],
)
def test_a_key_is_a_text_or_a_small_number(text: str, reason: str) -> None:
    assert problem(text)[0] == reason


def test_keys_that_mean_the_same_are_the_same() -> None:
    assert problem("a: {16: x,\n 0x10: y}")[0] == "t.yaml:2: 16 stands twice"
    assert parse_yaml("1: x\n'1': y", "t.yaml", TemplateError).data == {1: "x", "1": "y"}


# -- what is no YAML mapping


@pytest.mark.parametrize("text", ["", "# only a comment\n", "- a\n- b", "just text", "5", "null", "---\n..."])
def test_only_a_mapping_will_do(text: str) -> None:
    assert problem(text) == ("t.yaml: not a YAML mapping", "start with lines such as 'name: value'")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: [", 2),
        ("a: 1\n\tb: 2", 2),
        ("a: b: c", 1),
        ("a: 'open", 1),
        ("a: 1\n---\nb: 2", 2),
        ("a: 1\nb: }", 2),
        ("a: %", 1),
    ],
)
def test_broken_yaml_has_a_line_and_a_remedy(text: str, line: int) -> None:
    reason, remedy = problem(text)
    assert reason.startswith(f"t.yaml:{line}: not valid YAML: ")
    assert "\n" not in reason
    assert remedy


@pytest.mark.parametrize(
    "value",
    [
        "2026-13-45",
        "2026-01-01T25:00:00",
        "0x_",
        "1" * 5000,
        "!!bool foo",
        "!!int ''",
        "!!int x",
        "!!float ''",
        "!!timestamp foo",
        "!!binary é",
        "!!str {a: 1}",
        "!!omap [1]",
    ],
)
def test_a_value_that_yaml_cannot_convert_is_an_error_with_its_line(value: str) -> None:
    reason, remedy = problem(f"a: 1\nb: {value}")
    assert reason.startswith("t.yaml:2: not valid YAML: ")
    assert len(reason) < 200
    assert remedy


@pytest.mark.parametrize("text", ['a: "\\UFFFFFFFF"', 'a: "\\U00110000"', f"%YAML 1.{'1' * 5000}\n---\na: 1"])
def test_what_the_parser_cannot_convert_is_an_error_too(text: str) -> None:
    assert problem(text)[0].startswith("t.yaml: not valid YAML: ")


@pytest.mark.parametrize("character", ["\0", "\x07", "\x1b", "\x7f", "\ufffe"])
def test_control_characters_are_refused(character: str) -> None:
    assert "special characters are not allowed" in problem(f"a: {character}")[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", False),
        ("on", True),
        ("Yes", True),
        ("~", None),
        ("1:30", 90),
        ("0o17", "0o17"),
        ("017", 15),
        ("1_000", 1000),
        ("1e3", "1e3"),
        ("2026-01-02", dt.date(2026, 1, 2)),
        ("'no'", "no"),
    ],
)
def test_values_are_those_of_yaml_1_1_for_the_schema_to_judge(text: str, value: object) -> None:
    assert parse_yaml(f"a: {text}", "t.yaml", TemplateError).data == {"a": value}


# -- files


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert read_yaml(path, TemplateError).data == {"a": 1, "b": 2}


def test_another_encoding_is_named_with_line_and_byte(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_bytes("a: 1\nb: Zürich".encode("latin-1"))
    with pytest.raises(TemplateError) as caught:
        read_yaml(path, TemplateError)
    assert caught.value.reason == f"{path}:2: byte 9 is not UTF-8"
    assert caught.value.remedy == "save the file as UTF-8"


def test_a_file_over_the_limit_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text("a: 1\n" + "#" * MAX_BYTES)
    with pytest.raises(TemplateError, match="larger than 256 kB"):
        read_yaml(path, TemplateError)


def test_a_file_without_an_end_is_not_read_to_the_end() -> None:
    with pytest.raises(TemplateError, match="/dev/zero: larger than 256 kB"):
        read_yaml(Path("/dev/zero"), TemplateError)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_yaml(tmp_path / "c.yaml", ConfigError)
    assert caught.value.reason == f"{tmp_path / 'c.yaml'}: No such file or directory"
    assert caught.value.remedy


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="Is a directory"):
        read_yaml(tmp_path, TemplateError)
