"""What README and docs/ say is true: their commands run, their Python runs, their tables are complete."""

from __future__ import annotations

import doctest
import io
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple, get_args

import click
import pytest
from pydantic import BaseModel

import bridge
from bridge.annotations import Annotation
from bridge.cli import main
from bridge.cli.campaign import campaign_options
from bridge.config import CampaignConfig, load_config
from bridge.exporting import KINDS
from bridge.exporting.formats import FORMATS, metadata
from bridge.exporting.formats.chat_template import ChatTemplate, compiled, text
from bridge.exporting.reasons import REASONS
from bridge.exporting.row import Row
from bridge.files import Reject
from bridge.generating.settings import load_settings
from bridge.keys import save_key
from bridge.merging import Merged, Problem, check_answers
from bridge.questions import Part
from bridge.servers.local_label_studio import LocalLabelStudio
from bridge.servers.protocol import Project
from bridge.templates import load_template, template_names
from bridge.testing import LabelStudioPerson

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PAGES = [README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
ADDRESS = "http://127.0.0.1:8080"


class Block(NamedTuple):
    """A fenced block: where it stands, its language, the word behind that, and its text."""

    page: Path
    line: int
    language: str
    word: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = []
    for match in re.finditer(r"^```(\w+) ?([^\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(page, line, match[1], match[2].strip(), match[3]))
    return found


def all_blocks(*languages: str) -> list[Any]:
    return [pytest.param(b, id=str(b)) for page in PAGES for b in blocks(page) if b.language in languages]


def same_output(expected: str, got: str) -> bool:
    """Lines agree; of the expected ones, ``...`` stands for anything and a run of dots after ``a-`` for a pseudonym."""
    pattern = re.escape(expected.strip()).replace(re.escape("..."), ".*")
    pattern = re.sub(r"a\\-(\.\*)+", "a-[0-9a-f]{12}", pattern)
    pattern = re.sub(r"/projects/1/", r"/projects/\\d+/", pattern)  # other tests made projects before
    return re.fullmatch(pattern, got.strip()) is not None


def test_the_comparison_sees_differences() -> None:
    assert same_output("a-............  x {...}", "a-0123456789ab  x {1}")
    assert not same_output("a-............  x", "a-0123456789  x")
    assert not same_output("3 sent", "4 sent")
    assert not same_output("3 sent", "3 sent\nmore")


# -- the quickstart


@pytest.mark.live
def test_the_quickstart(label_studio: LocalLabelStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every block in order, in one folder; `serve` is the fixture's server, and what is done by hand is scripted."""
    monkeypatch.setenv("ANNOBRIDGE_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.delenv("LABEL_STUDIO_API_KEY", raising=False)
    save_key(label_studio.url, label_studio.token)
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "annobridge").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m bridge "$@"\n')
    (commands / "annobridge").chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    folder = tmp_path / "campaign"
    folder.mkdir()
    monkeypatch.chdir(folder)

    start, end = (README.read_text(encoding="utf-8").split("\n").index(h) for h in ("## Quickstart", "## Templates"))
    steps = [block for block in blocks(README) if start < block.line < end]
    assert {step.language for step in steps} == {"sh", "python", "text"}
    assert any(step.text == "annobridge serve label-studio\n" for step in steps)
    said, ran = "", []
    for step in steps:
        if step.language == "text":
            assert same_output(step.text.replace(ADDRESS, label_studio.url), said), f"{step} is not what came:\n{said}"
        elif step.language == "python":
            said = printed(step, {})
        elif step.text != "annobridge serve label-studio\n":
            if "annobridge pull" in step.text:
                label_by_hand(label_studio)
            done = subprocess.run(
                ["sh", "-ec", step.text.replace(ADDRESS, label_studio.url)],
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
            )
            assert done.returncode == 0, f"{step}\n{done.stdout}\n{done.stderr}"
            said = done.stdout
            ran += re.findall(r"^annobridge (\w+)", step.text, re.MULTILINE)
    assert ran == ["init", "check", "push", "push", "pull", "status", "merge", "export"]
    assert "keep the suggested rating of 2" in README.read_text(encoding="utf-8"), "see label_by_hand"


def label_by_hand(server: LocalLabelStudio) -> None:
    """What step 5 of the quickstart asks the reader to do."""
    campaign = bridge.Campaign(".")
    person = LabelStudioPerson(server.url, server.token)
    person.ensure(Project(campaign.config.project, campaign.template), create=False)
    first, second, third = campaign.records()
    text = "Canberra is the capital of Australia."
    person.annotate(first.key, {"rating": 2, "label": "incorrect", "improved_response": text})
    same = second.fields["response"]
    person.annotate(second.key, {"rating": 5, "label": "correct", "improved_response": same})
    person.annotate(third.key, {}, status="discarded")
    person.close()


# -- Python


def printed(block: Block, names: dict[str, Any]) -> str:
    """What a block prints; the names that it defines stay in ``names``."""
    if ">>>" in block.text:
        test = doctest.DocTestParser().get_doctest(block.text, names, str(block), str(block.page), block.line)
        report = io.StringIO()
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
        assert runner.run(test, out=report.write, clear_globs=False).failed == 0, report.getvalue()
        names.update(test.globs)
        return ""
    # Padded, so that a traceback names the line of the page.
    code = compile("\n" * block.line + block.text, str(block.page), "exec")
    with redirect_stdout(io.StringIO()) as said:
        exec(code, names)  # noqa: S102 - our own documentation
    return said.getvalue()


@pytest.mark.parametrize("page", [page for page in PAGES if page != README], ids=lambda page: page.name)
def test_python_blocks_run_in_order(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    said = None
    for block in blocks(page):
        if block.language == "python" and block.word == "no-run":
            compile(block.text, str(block), "exec")
        elif block.language == "python":
            said = printed(block, names)
        elif block.language == "text":
            assert said is not None, f"{block} follows no Python block"
            assert same_output(block.text, said), f"{block} is not what came:\n{said}"


def test_only_blocks_that_would_wait_are_not_run() -> None:
    assert [str(b.page.name) for page in PAGES for b in blocks(page) if b.word == "no-run"] == ["servers.md"] * 2


# -- commands


def commands_of(command: click.Command = main, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    yield " ".join(path), command
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from commands_of(below, (*path, name))


COMMANDS = dict(commands_of())


def flags(command: click.Command) -> set[str]:
    return {flag for p in command.params if isinstance(p, click.Option) for flag in (*p.opts, *p.secondary_opts)}


def sections(page: Path) -> dict[str, str]:
    parts = re.split(r"^## (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def has_flag(text: str, flag: str) -> bool:
    return re.search(rf"{re.escape(flag)}(?![\w-])", text) is not None


def test_every_command_and_flag_is_documented() -> None:
    there = sections(ROOT / "docs" / "commands.md")
    shared = there["Flags of a campaign"]
    common = flags(click.command()(campaign_options(lambda: None)))
    assert {flag for flag in common if not has_flag(shared, flag)} == set()
    for name, command in COMMANDS.items():
        if not name:
            continue
        assert name in there, f"docs/commands.md has no section {name!r}"
        mine = flags(command)
        own = mine - common if common <= mine else mine
        assert {flag for flag in own if not has_flag(there[name], flag)} == set(), name
        if common <= mine:
            assert f"`{name}`" in shared, name
        if isinstance(command, click.Group) and not command.invoke_without_command:
            continue
        assert f"annobridge {name}" in there[name], f"{name} has no example"


def test_no_command_or_flag_is_documented_that_does_not_exist() -> None:
    page = ROOT / "docs" / "commands.md"
    every = {flag for command in COMMANDS.values() for flag in flags(command)} | {"--help", "-h", "--version"}
    text = page.read_text(encoding="utf-8")
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)) <= every
    assert set(sections(page)) - set(COMMANDS) == {"Flags of a campaign"}


@pytest.mark.parametrize("block", all_blocks("sh"))
def test_every_command_line_is_understood(block: Block) -> None:
    """Every `annobridge` line of every page is parsed by the program, and not run."""
    for line in re.findall(r"^annobridge .*$", block.text, re.MULTILINE):
        words = shlex.split(line.partition(">")[0])[1:]
        command, name = main, "annobridge"
        while isinstance(command, click.Group) and words and words[0] in command.commands:
            name = words.pop(0)
            command = command.commands[name]
        # Each command keeps the first help option that it was asked for.
        with command.make_context(name, list(words), **main.context_settings):
            pass


# -- tables


def test_the_readme_lists_every_template_with_its_fields_and_questions() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \| .* \|$", sections(README)["Templates"], re.MULTILINE)
    assert sorted(name for name, _, _ in rows) == template_names()
    for name, fields, questions in rows:
        template = load_template(name)
        assert re.findall(r"`(\w+)`", fields) == template.field_names(), name
        assert re.findall(r"`(\w+)`", questions) == [question.name for question in template.questions], name


def test_the_readme_says_which_templates_make_what() -> None:
    rows = re.findall(r"^\| `(\w+)` \|.*\| ([\w, ]+) \|$", sections(README)["Templates"], re.MULTILINE)
    made = {name: load_template(name).training for name in template_names()}
    assert {name: [] if sets == "none" else sets.lower().split(", ") for name, sets in rows} == {
        name: [kind for kind in KINDS if training and getattr(training, kind)] for name, training in made.items()
    }


def config_keys(model: type[BaseModel] = CampaignConfig, prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        kinds = [field.annotation, *get_args(field.annotation)]
        below = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Part)]
        for kind in below:
            yield from config_keys(kind, f"{prefix}{name}.")
        if not below:
            yield prefix + name


def test_every_key_of_campaign_yaml_is_documented() -> None:
    page = ROOT / "docs" / "campaign.md"
    rows = re.findall(r"^\| `([\w.]+)` \|([^|]*)\|", sections(page)["Keys"], re.MULTILINE)
    assert [key for key, _ in rows if key != "records"] == list(config_keys())
    every = {flag for command in COMMANDS.values() for flag in flags(command)}
    for key, flag in rows:
        assert set(re.findall(r"--[a-z-]+", flag)) <= every, key


def yaml_blocks() -> list[Any]:
    return all_blocks("yaml")


@pytest.mark.parametrize("block", yaml_blocks())
def test_yaml_blocks_are_campaigns_or_templates(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "block.yaml"
    path.write_text(block.text, encoding="utf-8")
    if block.page.name == "templates.md":
        load_template(path)
    elif block.page.name == "generation.md":
        load_settings(path, {})
    else:
        load_config(path)


def test_every_reason_is_documented() -> None:
    page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", page.partition("### What yields no row")[2], re.MULTILINE))
    assert {reason: rows.get(reason) for reason in REASONS} == REASONS


# -- formats


def lines_of(word: str) -> list[dict[str, Any]]:
    (block,) = [b for b in blocks(ROOT / "docs" / "formats.md") if b.word == word]
    return [json.loads(line) for line in block.text.splitlines()]


def subset(line: Mapping[str, Any], whole: Mapping[str, Any]) -> bool:
    return all(whole.get(key) == value for key, value in line.items())


class TestFormats:
    def test_json_blocks_are_all_named(self) -> None:
        shapes = {f"{kind}.{name}" for kind, formats in FORMATS.items() for name in formats}
        files = {"records.jsonl", "annotations.jsonl", "merged.jsonl", "rejects.jsonl", "problems.jsonl"}
        assert {block.values[0].word for block in all_blocks("json", "jsonl")} == files | shapes

    def test_records(self, tmp_path: Path) -> None:
        path = tmp_path / "records.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines_of("records.jsonl")))
        reader = bridge.read_records(path, load_template("review"))
        records = list(reader)
        assert reader.rejects == []
        for line, record in zip(lines_of("records.jsonl"), records, strict=True):
            assert subset(line, record.to_dict())

    def test_annotations(self) -> None:
        for line in lines_of("annotations.jsonl"):
            assert subset(line, Annotation.from_dict(line).to_dict())

    def test_merged(self) -> None:
        full, short = lines_of("merged.jsonl")
        assert Merged.from_dict(full).to_dict() == full
        assert Merged.from_dict(short).answers["label"].value == "correct"
        answers = [Annotation.from_dict(line) for line in lines_of("annotations.jsonl")]
        record = bridge.Record("geo-1", {"prompt": "p", "response": "Sydney."})
        (merged,) = bridge.merge(answers, load_template("review"), [record]).kept
        assert merged.to_dict() == full

    def test_rejects(self) -> None:
        for line in lines_of("rejects.jsonl"):
            assert Reject(**line).to_dict() == line

    def test_problems(self) -> None:
        (line,) = lines_of("problems.jsonl")
        assert Problem(**line).to_dict() == line
        annotation = Annotation("geo-1", "ann", answers={"rating": 9})
        (problem,) = check_answers(annotation, load_template("rating"))[1]
        assert problem.to_dict() == line

    @pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in sorted(FORMATS) for name in FORMATS[kind]])
    def test_training_rows(self, kind: Any, name: str) -> None:
        (line,) = lines_of(f"{kind}.{name}")
        shape = FORMATS[kind][name]
        if name == "text":
            template = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
            shape = text(ChatTemplate("", template, {}, compiled(template)))
        row = Row(
            "geo-1",
            kind,
            [{"role": "user", "content": "What is the capital of Australia?"}],
            completion="Canberra.",
            chosen="Canberra.",
            rejected="Sydney.",
            source=line.get("metadata", {}).get("source", ""),
            annotators=("a-06fad7435e78",),
            label=True,
            score=4.5 if name == "scalar" else None,
            margin=1.0,
        )
        written = shape.write(row, metadata(row, load_template("review")))
        if shape.hosted:
            del written["metadata"]  # it stands in a file of its own
        assert written == line

    def test_every_format_is_in_the_table(self) -> None:
        table = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8").partition("| format | kinds |")[2]
        rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", table.partition("###")[0], re.MULTILINE)
        there = {
            name: {kind for kind in FORMATS if name in FORMATS[kind]} for kind in FORMATS for name in FORMATS[kind]
        }
        told = {name: set(FORMATS) if kinds == "all" else set(kinds.split(", ")) for name, kinds in rows}
        assert told == there


# -- links


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_resolve(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        there = (page.parent / name).resolve() if name else page
        assert there.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(there), f"{page.name}: {target}"


def test_every_page_is_linked_from_the_readme() -> None:
    text = README.read_text(encoding="utf-8")
    assert [page.name for page in PAGES[2:] if f"docs/{page.name}" not in text] == []


ASKED_ABOUT = [
    "argilla",
    "datasets",
    "datasketch",
    "distilabel",
    "label-studio-sdk",
    "openai",
    "pytest",
    "rapidfuzz",
    "responses",
]


def test_every_dependency_is_explained() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    extras = project["optional-dependencies"]
    needed = [*project["dependencies"], *(entry for entries in extras.values() for entry in entries)]
    developed = re.findall(r"^([A-Za-z][\w-]*)", (ROOT / "requirements-dev.in").read_text(), re.MULTILINE)
    for name in {re.split(r"[<>=~\[ ]", entry)[0] for entry in [*needed, *developed]} | set(extras):
        assert f"`{name}`" in page, name
    for name in ASKED_ABOUT:
        assert re.search(rf"^\| {name} \| .+ \|$", page, re.MULTILINE), name
