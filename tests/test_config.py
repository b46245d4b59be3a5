"""campaign.yaml: errors name file, line and remedy; flags win; what `init` writes can be read again."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.config import CampaignConfig, load_config, starter
from bridge.errors import ConfigError
from bridge.yamlfile import parse_yaml

BASE = """\
project: Sums
server:
  kind: memory
records: records.jsonl
template: rating
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "campaign.yaml"
    path.write_text(BASE)
    return path


def problem(path: Path, text: str, flags: dict[str, Any] | None = None) -> str:
    """The reason why this text is no campaign, without the folder."""
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(path, flags)
    assert caught.value.exit_code == 2
    assert caught.value.remedy
    return caught.value.reason.replace(f"{path.parent}/", "")


def test_the_shortest_campaign_has_four_keys(path: Path) -> None:
    config = load_config(path)
    assert (config.project, config.server.kind, config.template) == ("Sums", "memory", "rating")
    assert (config.records.path, config.records.id, config.records.map) == ("records.jsonl", None, {})
    assert (config.annotators_per_record, config.merge.quorum, config.exports.to) == (1, 1, ["sft"])


def test_everything_can_be_said(path: Path) -> None:
    path.write_text(
        "version: 1\nproject: Sums\n"
        "server: {kind: label-studio, url: 'http://127.0.0.1:8080', key_env: KEY, workspace: w, allow_http: true}\n"
        "records: {path: a.csv, id: row, map: {prompt: instruction}}\n"
        "template: ./mine.yaml\nannotators_per_record: 3\nmerge: {quorum: 2}\n"
        "exports: {to: [sft, dpo], formats: [plain]}\n"
    )
    config = load_config(path)
    assert config.server.model_dump() == {
        "kind": "label-studio",
        "url": "http://127.0.0.1:8080",
        "key_env": "KEY",
        "workspace": "w",
        "allow_http": True,
    }
    assert config.records.model_dump() == {"path": "a.csv", "id": "row", "map": {"prompt": "instruction"}}
    assert (config.annotators_per_record, config.merge.quorum) == (3, 2)
    assert (config.exports.to, config.exports.formats) == (["sft", "dpo"], ["plain"])


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("project: Sums\n", "", "campaign.yaml:1: project: it is missing"),
        ("project: Sums", "project: no", "campaign.yaml:1: project: true or false where a text is expected"),
        ("project: Sums", "project: 2026-01-02", "campaign.yaml:1: project: a date or time where a text is expected"),
        ("project: Sums", "project: 12", "campaign.yaml:1: project: a number where a text is expected"),
        ("project: Sums", "project: ''", "campaign.yaml:1: project: the text is empty"),
        ("project: Sums", 'project: "a\\nb"', "campaign.yaml:1: project: write one line"),
        (
            "project: Sums",
            "projekt: Sums",
            "campaign.yaml:1: project: it is missing\n  campaign.yaml:1: projekt: this key is unknown",
        ),
        ("kind: memory", "kind: memory\n  key: SECRET", "campaign.yaml:4: server.key: this key is unknown"),
        (
            "kind: memory",
            "kind: memory\n  allow_http: 1",
            "campaign.yaml:4: server.allow_http: a number where true or false is expected",
        ),
        ("kind: memory", "kind: on", "campaign.yaml:3: server.kind: true or false where a text is expected"),
        ("\n  kind: memory", " memory", "campaign.yaml:2: server: a text where keys with values are expected"),
        (
            "records: records.jsonl",
            "records: [a, b]",
            "campaign.yaml:4: records: a list where keys with values are expected",
        ),
        ("records: records.jsonl", "records: {id: x}", "campaign.yaml:4: records.path: it is missing"),
        (
            "records: records.jsonl",
            "records:\n  path: a\n  map:\n    prompt: 3",
            "campaign.yaml:7: records.map.prompt: a number where a text is expected",
        ),
        ("template: rating\n", "", "campaign.yaml:1: template: it is missing"),
        (
            "template: rating",
            "template: rating\nversion: 2",
            "campaign.yaml:6: version: the only version is the number 1",
        ),
        (
            "template: rating",
            "template: rating\nversion: yes",
            "campaign.yaml:6: version: the only version is the number 1",
        ),
        (
            "template: rating",
            "template: rating\nversion: 1.0",
            "campaign.yaml:6: version: the only version is the number 1",
        ),
        ("template: rating", "template: rating\nanotators: 2", "campaign.yaml:6: anotators: this key is unknown"),
        (
            "template: rating",
            "template: rating\nannotators_per_record: 0",
            "campaign.yaml:6: annotators_per_record: 0 is below 1, the least that it can be",
        ),
        (
            "template: rating",
            "template: rating\nannotators_per_record: '2'",
            "campaign.yaml:6: annotators_per_record: a text where a whole number is expected",
        ),
        (
            "template: rating",
            "template: rating\nmerge:\n  quorum: yes",
            "campaign.yaml:7: merge.quorum: true or false where a whole number is expected",
        ),
        (
            "template: rating",
            "template: rating\nexports:\n  to:\n    - sft\n    - rlhf",
            "campaign.yaml:9: exports.to.1: 'rlhf' is not 'sft', 'dpo', 'kto' or 'reward'",
        ),
        ("template: rating", "template: rating\nproject: Twice", "campaign.yaml:6: 'project' stands twice"),
        ("template: rating", "template: &t rating\nproject: *t", "campaign.yaml:6: YAML aliases"),
        ("template: rating", "template: !!python/name:os.system", "campaign.yaml:5: not valid YAML"),
        ("template: rating", "template: [", "campaign.yaml:6: not valid YAML"),
    ],
)
def test_an_error_names_file_line_and_key(path: Path, old: str, new: str, reason: str) -> None:
    assert old in BASE
    assert problem(path, BASE.replace(old, new, 1)).startswith(reason)


@pytest.mark.parametrize("text", ["", "- a", "just text", "# nothing\n"])
def test_a_file_without_keys_is_no_campaign(path: Path, text: str) -> None:
    assert problem(path, text) == "campaign.yaml: not a YAML mapping"


def test_a_key_in_the_file_is_refused_without_repeating_it(path: Path) -> None:
    # It would end up in a repository. The key's name is told, its value is not.
    reason = problem(path, BASE.replace("kind: memory", "kind: memory\n  key: hunter2"))
    assert "hunter2" not in reason


PYDANTIC = re.compile(r"Input should|valid |should have|Field required|instance of|Extra inputs")


@pytest.mark.parametrize(
    "value", [None, True, -1, 101, 1.5, "''", "' '", "x" * 1001, "[]", "[a]", "{}", "{a: 1}", "2026-01-02"]
)
@pytest.mark.parametrize(
    "line",
    [
        "version: {}",
        "project: {}",
        "server: {}",
        *(
            f"server: {{{{kind: memory, {key}: {{}}}}}}"
            for key in ("kind", "url", "key_env", "workspace", "allow_http")
        ),
        "records: {}",
        *(f"records: {{{{path: x, {key}: {{}}}}}}" for key in ("path", "id", "map")),
        "records: {{path: x, map: {{prompt: {}}}}}",
        "template: {}",
        "annotators_per_record: {}",
        "merge: {}",
        "merge: {{quorum: {}}}",
        "exports: {}",
        "exports: {{to: {}}}",
        "exports: {{formats: [{}]}}",
    ],
)
def test_whatever_stands_in_a_key_is_right_or_an_error_in_our_words(path: Path, line: str, value: object) -> None:
    written = "" if value is None else str(value).lower() if value is True else value
    path.write_text(re.sub(rf"(?m)^{line.partition(':')[0]}:.*\n(  .*\n)*", "", BASE) + line.format(written) + "\n")
    found = ConfigError("campaign.yaml: right", remedy="none")
    try:
        load_config(path)
    except ConfigError as error:
        found = error
    assert "campaign.yaml:" in found.reason
    assert not PYDANTIC.search(found.reason)
    assert found.remedy


def test_all_problems_of_the_file_are_told(path: Path) -> None:
    reason = problem(path, BASE.replace("Sums", "''").replace("memory", "no") + "mergs: 1\nexports: {to: rlhf}\n")
    assert reason.split("\n  ") == [
        "campaign.yaml:1: project: the text is empty",
        "campaign.yaml:3: server.kind: true or false where a text is expected",
        "campaign.yaml:6: mergs: this key is unknown",
        "campaign.yaml:7: exports.to: a text where a list is expected",
    ]


# -- flags


@pytest.mark.parametrize(
    ("flags", "place", "value"),
    [
        ({"project": "Other"}, "project", "Other"),
        ({"template": "review"}, "template", "review"),
        ({"annotators_per_record": 3}, "annotators_per_record", 3),
        ({"server": {"kind": "label-studio"}}, "server.kind", "label-studio"),
        ({"server": {"url": "http://127.0.0.1:1"}}, "server.url", "http://127.0.0.1:1"),
        ({"records": {"path": "other.csv"}}, "records.path", "other.csv"),
        ({"records": {"map": {"prompt": "q"}}}, "records.map", {"prompt": "q"}),
        ({"merge": {"quorum": 2}}, "merge.quorum", 2),
    ],
)
def test_a_flag_wins_over_the_file(path: Path, flags: dict[str, Any], place: str, value: object) -> None:
    found: Any = load_config(path, flags)
    for name in place.split("."):
        found = getattr(found, name)
    assert found == value


@pytest.mark.parametrize("flags", [{"project": "Other"}, {"server": {"url": "http://x"}}, {"records": {"id": "row"}}])
def test_a_flag_changes_nothing_else(path: Path, flags: dict[str, Any]) -> None:
    def without(config: CampaignConfig) -> dict[str, Any]:
        data = config.model_dump()
        for name, value in flags.items():
            if isinstance(value, dict):
                for inner in value:
                    del data[name][inner]
            else:
                del data[name]
        return data

    assert without(load_config(path, flags)) == without(load_config(path))


def test_a_flag_can_give_what_the_file_lacks(path: Path) -> None:
    path.write_text("server: {kind: memory}\nrecords: a.jsonl\ntemplate: rating\n")
    assert load_config(path, {"project": "Sums"}).project == "Sums"


def test_a_flag_mends_a_wrong_value_in_the_file(path: Path) -> None:
    path.write_text(BASE.replace("Sums", "12"))
    assert load_config(path, {"project": "Sums"}).project == "Sums"


@pytest.mark.parametrize(
    ("flags", "flag"),
    [
        ({"annotators_per_record": 0}, "--annotators-per-record"),
        ({"merge": {"quorum": 0}}, "--quorum"),
        ({"project": "a\nb"}, "--project"),
        ({"server": {"kind": ""}}, "--server"),
        ({"server": {"key_env": ""}}, "--key-env"),
        ({"records": {"path": ""}}, "--records"),
        ({"records": {"map": {"prompt": "a\tb"}}}, "--map"),
        ({"nonsense": 1}, "--nonsense"),
    ],
)
def test_a_wrong_flag_is_named_and_not_a_line_of_the_file(path: Path, flags: dict[str, Any], flag: str) -> None:
    assert problem(path, BASE, flags).startswith(f"{flag}: ")


def test_the_file_is_named_where_the_flag_is_right(path: Path) -> None:
    flags = {"records": {"id": "row"}, "project": "Sums"}
    reason = problem(path, BASE.replace("records: records.jsonl", "records:\n  map: {a: 1}\n  path: x"), flags)
    assert reason.startswith("campaign.yaml:5: records.map.a: a number where a text is expected")


# -- what init writes

NAMES = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="\ufffe\uffff"),
    min_size=1,
    max_size=200,
).filter(str.strip)


def written(path: Path, project: str = "Demo", **more: Any) -> CampaignConfig:
    settings = {"kind": "memory", "url": None, "annotators": 1, "exports": ["sft"], **more}
    path.write_text(starter(project, "review", "records.jsonl", **settings), encoding="utf-8")
    return load_config(path)


@given(NAMES)
def test_any_project_name_survives(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    path = tmp_path_factory.mktemp("starter") / "campaign.yaml"
    assert written(path, name).project == name


@pytest.mark.parametrize(
    "name",
    [
        "a: b",
        "x # y",
        '"quoted"',
        "'",
        "no",
        "2026-01-02",
        "{project}",
        "{{x}} %s",
        "back\\slash \\n",
        "- list",
        "*alias",
        "&anchor",
        "!tag",
        "<b>&amp;</b>",
        "\u202eright to left",
        "Zürich 😀",
        " outer space ",
        "a\x85b\x9f",
        "a\u2028b",
    ],
)
def test_a_name_that_looks_like_yaml_is_a_name(path: Path, name: str) -> None:
    assert written(path, name).project == name


@pytest.mark.parametrize("name", ["a\tb", "a\x7fb", "a\ufffeb", "a\udcffb", "a\0b", " "])
def test_a_name_that_no_page_can_hold_is_written_but_not_read(path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"campaign\.yaml:5: project: "):
        written(path, name)


@pytest.mark.parametrize("kind", ["a: b", "a #b", "a\nb: c", "no"])
def test_a_kind_of_server_can_change_nothing_else(path: Path, kind: str) -> None:
    text = starter("D", "review", "r", kind=kind, url=None, annotators=1, exports=["sft"])
    assert parse_yaml(text, "c.yaml", ConfigError).data["server"]["kind"] == kind


@pytest.mark.parametrize("records", ["my data.csv", "a: b.jsonl", "C:\\data\\x.csv", "../up.jsonl", "#.jsonl"])
def test_any_path_of_records_survives(path: Path, records: str) -> None:
    path.write_text(starter("D", "review", records, kind="memory", url=None, annotators=1, exports=["sft"]))
    assert load_config(path).records.path == records


@pytest.mark.parametrize("template", ["review", "./mine.yaml", "no.yaml", "a: b.yaml", "./on"])
def test_a_path_of_a_template_survives(path: Path, template: str) -> None:
    path.write_text(starter("D", template, "r", kind="memory", url=None, annotators=1, exports=["sft"]))
    assert load_config(path).template == template


def test_the_answers_to_inits_questions_are_in_the_file(path: Path) -> None:
    config = written(path, kind="label-studio", url="http://[::1]:8080", annotators=3, exports=["sft", "dpo"])
    assert (config.server.kind, config.server.url) == ("label-studio", "http://[::1]:8080")
    assert config.server.key_env == "LABEL_STUDIO_API_KEY"
    assert (config.annotators_per_record, config.exports.to) == (3, ["sft", "dpo"])


def test_the_memory_server_needs_no_address(path: Path) -> None:
    config = written(path)
    assert (config.server.kind, config.server.url, config.server.key_env) == ("memory", None, None)


def test_the_file_explains_itself() -> None:
    text = starter("D", "review", "r", kind="label-studio", url=None, annotators=1, exports=["sft"])
    assert all(
        any(line.startswith("#") for line in block.splitlines()) or block.startswith("server:")
        for block in text.strip().split("\n\n")
    )
