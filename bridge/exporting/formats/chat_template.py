"""Text through a chat template: the language-modelling rows of every trainer, in the words of one model.

A template is a Jinja file, or what a tokenizer's folder holds (``chat_template.jinja``, or ``chat_template`` in
``tokenizer_config.json``). It runs as in Hugging Face's transformers (``utils/chat_template_utils.py``): in Jinja's
immutable sandbox, with ``raise_exception``, ``tojson``, loop controls and the ``generation`` tag. Two things differ.
There is no clock, so that the same rows give the same bytes; templates that look for ``strftime_now`` first then fall
back on a date of their own. And a text that a template leaves out is an error, because a trainer would never say so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from bridge.errors import InputError, UsageError
from bridge.exporting.formats.shape import Format, Line, Metadata, Unfit, answer
from bridge.exporting.row import Row
from bridge.files import text_chunks

WITHOUT = "use the format 'messages', to which every trainer applies its own template"

_TOKENS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """A chat template that was compiled.

    Args:
        path: where it came from, for messages.
        source: its text.
        tokens: names such as ``eos_token`` to what the tokenizer has for them.
        render: ``render(messages=[...])`` gives the text.
    """

    path: str
    source: str
    tokens: Mapping[str, str]
    render: Any

    def text(self, messages: list[dict[str, str]]) -> str:
        """The conversation in the template's words, without the token that the trainer's tokenizer puts first itself.

        Raises:
            Unfit: the template refuses the conversation, asks for a clock, or leaves out a text.

        >>> render = compiled("{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}")
        >>> chat = [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}]
        >>> ChatTemplate("", "", {}, render).text(chat)
        '<user>2 + 2?<assistant>4'
        """
        from jinja2 import TemplateError

        try:
            text: str = self.render(
                messages=messages, tools=None, documents=None, add_generation_prompt=False, **self.tokens
            )
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
            # What a template does with our data is its own doing, so that any of these is the template's refusal.
            raise Unfit(f"the chat template refuses it: {error}", remedy=WITHOUT) from None
        for number, message in enumerate(messages, 1):
            # Some templates put a reasoning trace elsewhere, or leave out those of earlier turns, and mean to.
            if message["content"].rpartition("</think>")[2].strip() not in text:
                raise Unfit(
                    f"the chat template leaves out, or changes, message {number}, which is the {message['role']}'s",
                    remedy=WITHOUT,
                )
        return text.removeprefix(self.tokens.get("bos_token", ""))


def text(template: ChatTemplate) -> Format:
    """The format ``text``: what a chat template makes of the whole conversation.

    >>> render = compiled("{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}")
    >>> row = Row("r1", "sft", [{"role": "user", "content": "2 + 2?"}], completion="4")
    >>> text(ChatTemplate("", "", {}, render)).write(row, {"record": "r1"})
    {'text': '<user>2 + 2?<assistant>4', 'metadata': {'record': 'r1'}}
    """

    def write(row: Row, metadata: Metadata) -> Line:
        return {"text": template.text([*row.prompt, *answer(row.completion)]), "metadata": dict(metadata)}

    return Format(write, {"text": "text"})


def untold() -> NoReturn:
    """Say that the format ``text`` needs a template.

    Raises:
        UsageError: always.
    """
    raise UsageError(
        "the format 'text' needs a chat template",
        remedy=f"name a Jinja file or a tokenizer's folder with --chat-template, or {WITHOUT}",
    )


def without_template(row: Row, metadata: Metadata) -> NoReturn:
    """What the format ``text`` does as long as nobody has named a template: :func:`untold`.

    Raises:
        UsageError: always.
    """
    untold()


def load_chat_template(path: str | Path) -> ChatTemplate:
    """Read a Jinja file, or the template and the special tokens of a tokenizer's folder.

    Raises:
        UsageError: there is no template, it is no Jinja, or it needs tokens that a file alone does not have; or Jinja
            is not installed.
        InputError: a file cannot be read.
    """
    path = Path(path)
    source, tokens = _from_folder(path) if path.is_dir() else ("".join(text_chunks(path)), {})
    unknown = sorted(_used(source, path) & set(_TOKENS) - set(tokens))
    if unknown:
        raise UsageError(
            f"{path}: the template uses {' and '.join(unknown)}, and nothing says what that is",
            remedy=f"name the folder of a tokenizer, whose tokenizer_config.json has such tokens, or {WITHOUT}",
        )
    return ChatTemplate(str(path), source, tokens, compiled(source))


def _from_folder(folder: Path) -> tuple[str, dict[str, str]]:
    config = _json(folder / "tokenizer_config.json")
    known = _json(folder / "special_tokens_map.json") | config
    tokens = {name: token for name in _TOKENS if (token := _token(known.get(name)))}
    jinja = folder / "chat_template.jinja"
    if jinja.is_file():
        return "".join(text_chunks(jinja)), tokens
    found = config.get("chat_template")
    if isinstance(found, list):  # several, by name
        found = {entry.get("name"): entry.get("template") for entry in found if isinstance(entry, dict)}.get("default")
    if not isinstance(found, str):
        raise UsageError(f"{folder}: this tokenizer has no chat template", remedy=f"name a Jinja file, or {WITHOUT}")
    return found, tokens


def _token(value: object) -> str:
    """A token as text; older files have an object with the text under ``content``."""
    text = value.get("content") if isinstance(value, dict) else value
    return text if isinstance(text, str) else ""


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        value = json.loads("".join(text_chunks(path)))
    except ValueError:
        raise InputError(f"{path}: not valid JSON", remedy="take the file from the model's folder again") from None
    return value if isinstance(value, dict) else {}


def compiled(source: str) -> Any:
    """The function that renders a template.

    Raises:
        UsageError: Jinja is not installed.
    """
    return _environment().from_string(source).render


def _used(source: str, path: Path) -> set[str]:
    """Names that a template takes from outside; a template that is no Jinja is told here."""
    environment = _environment()
    from jinja2 import TemplateSyntaxError
    from jinja2.meta import find_undeclared_variables

    try:
        return find_undeclared_variables(environment.parse(source))
    except TemplateSyntaxError as error:
        raise UsageError(f"{path}:{error.lineno}: no chat template: {error.message}", remedy=WITHOUT) from None


def _environment() -> Any:
    try:
        from jinja2 import TemplateError, nodes
        from jinja2.ext import Extension, loopcontrols
        from jinja2.sandbox import ImmutableSandboxedEnvironment
    except ImportError:
        raise UsageError(
            "chat templates need Jinja2, which is not installed", remedy="pip install 'annobridge[chat-template]'"
        ) from None

    class Generation(Extension):
        """``{% generation %}...{% endgeneration %}``, which tells some trainers what to learn, is what it encloses."""

        tags = {"generation"}

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.Scope(body).set_lineno(line)

    def raise_exception(message: str) -> NoReturn:
        raise TemplateError(message)

    def tojson(value: Any, **settings: Any) -> str:
        # Jinja's own escapes what would be markup in HTML.
        return json.dumps(value, **{"ensure_ascii": False, **settings})

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    return environment
