"""Text through a chat template: as transformers renders it, the same every time, and never without a text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import InputError, UsageError
from bridge.exporting.formats import Unfit
from bridge.exporting.formats.chat_template import ChatTemplate, load_chat_template

CHAT = [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}]
EACH = "{% for m in messages %}{{ m['content'] }}{% endfor %}"


def file(folder: Path, source: str) -> Path:
    path = folder / "template.jinja"
    path.write_text(source)
    return path


def tokenizer(folder: Path, **config: Any) -> Path:
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


def test_a_jinja_file(tmp_path: Path) -> None:
    source = (
        "{%- for m in messages %}\n    {% if m.role == 'user' %}\n<{{ m.content }}>\n    {%- endif %}\n{%- endfor %}"
    )
    template = load_chat_template(file(tmp_path, source + EACH))
    # Blocks take the white space before them and the line feed after them along, as in transformers.
    assert template.text(CHAT) == "<2 + 2?>2 + 2?4"


def test_a_tokenizers_folder_brings_its_tokens(tmp_path: Path) -> None:
    folder = tokenizer(tmp_path, chat_template=EACH + "{{ eos_token }}", eos_token={"content": "</s>"}, pad_token=None)
    assert load_chat_template(folder).text(CHAT) == "2 + 2?4</s>"


def test_the_token_that_a_tokenizer_puts_first_itself_is_not_there_twice(tmp_path: Path) -> None:
    folder = tokenizer(tmp_path, chat_template="{{ bos_token }}" + EACH, bos_token="<s>")
    assert load_chat_template(folder).text(CHAT) == "2 + 2?4"


def test_a_template_file_wins_over_the_one_in_the_settings(tmp_path: Path) -> None:
    (tmp_path / "chat_template.jinja").write_text("new " + EACH)
    assert load_chat_template(tokenizer(tmp_path, chat_template=EACH)).text(CHAT) == "new 2 + 2?4"


def test_of_several_templates_the_default_one_is_used(tmp_path: Path) -> None:
    several = [{"name": "tool_use", "template": "no"}, {"name": "default", "template": EACH}]
    assert load_chat_template(tokenizer(tmp_path, chat_template=several)).text(CHAT) == "2 + 2?4"


def test_a_tokenizer_without_a_template_is_told_a_format_that_works(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no chat template") as caught:
        load_chat_template(tokenizer(tmp_path, eos_token="</s>"))
    assert "'messages'" in caught.value.remedy


def test_a_file_alone_has_no_tokens(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="uses eos_token, and nothing says what that is"):
        load_chat_template(file(tmp_path, EACH + "{{ eos_token }}"))


@pytest.mark.parametrize("source", ["{% for m in messages %}", "{{ messages | nothing }}", "{% import %}"])
def test_what_is_no_template_is_told_with_its_line(tmp_path: Path, source: str) -> None:
    with pytest.raises(UsageError, match=r"template\.jinja(:1)?: no chat template"):
        load_chat_template(file(tmp_path, source))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        load_chat_template(tmp_path / "nothing.jinja")


def test_settings_that_are_no_json(tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_text("{")
    with pytest.raises(InputError, match="not valid JSON"):
        load_chat_template(tmp_path)


def rendered(folder: Path, source: str) -> str:
    return load_chat_template(file(folder, source)).text(CHAT)


def test_a_template_that_refuses_the_conversation_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(Unfit, match="refuses it: System role not supported"):
        rendered(tmp_path, "{{ raise_exception('System role not supported') }}")


def test_a_template_that_leaves_a_text_out_is_not_believed(tmp_path: Path) -> None:
    with pytest.raises(Unfit, match="leaves out, or changes, message 1, which is the user's"):
        rendered(tmp_path, "{{ messages[1].content }}")


def test_there_is_no_clock_and_templates_that_look_first_do_without(tmp_path: Path) -> None:
    source = "{% if strftime_now is defined %}{{ strftime_now('%d') }}{% else %}26 Jul 2024{% endif %} " + EACH
    assert rendered(tmp_path, source) == "26 Jul 2024 2 + 2?4"
    with pytest.raises(Unfit, match="'strftime_now' is undefined"):
        rendered(tmp_path, "{{ strftime_now('%d') }}" + EACH)


def test_a_reasoning_trace_may_be_put_elsewhere(tmp_path: Path) -> None:
    template = load_chat_template(
        file(tmp_path, "{% for m in messages %}{{ m.content.split('</think>')[-1] }}{% endfor %}")
    )
    chat = [CHAT[0], {"role": "assistant", "content": "<think>hm</think>4"}]
    assert template.text(chat) == "2 + 2?4"


def test_tags_and_filters_of_transformers(tmp_path: Path) -> None:
    source = (
        "{% for m in messages %}{% if loop.index > 2 %}{% break %}{% endif %}"
        "{% generation %}{{ m.content | tojson }}{% endgeneration %}{% endfor %}"
    )
    assert rendered(tmp_path, source) == '"2 + 2?""4"'


@pytest.mark.parametrize(
    "source",
    [
        "{{ messages.__class__.__mro__ }}",
        "{{ messages.append(1) }}",
        "{{ ''.__class__.__base__.__subclasses__() }}",
        "{% for n in range(10000000) %}{% endfor %}",
        "{% include '/etc/passwd' %}",
        "{{ cycler.__init__.__globals__.os.system('true') }}",
    ],
)
def test_a_template_cannot_reach_out_of_its_sandbox(tmp_path: Path, source: str) -> None:
    with pytest.raises(Unfit, match="refuses it"):
        rendered(tmp_path, source + EACH)


def test_the_name_of_the_template_is_kept(tmp_path: Path) -> None:
    assert isinstance(template := load_chat_template(file(tmp_path, EACH)), ChatTemplate)
    assert (template.path, template.source) == (str(tmp_path / "template.jinja"), EACH)
