"""Templates from YAML files: the ready-made ones, one's own, and the JSON Schema of both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bridge.errors import TemplateError
from bridge.templates.task import TaskTemplate
from bridge.text import shown
from bridge.yamlfile import YamlFile, read_yaml


def template_folder() -> Path:
    """Where the ready-made templates lie: inside the installed package, or beside it in a checkout."""
    here = Path(__file__).resolve().parent.parent
    packaged = here / "task_templates"
    return packaged if packaged.is_dir() else here.parent / "task_templates"


def template_names() -> list[str]:
    """Names of the ready-made templates, sorted.

    >>> "review" in template_names()
    True
    """
    return sorted(path.stem for path in template_folder().glob("*.yaml"))


def load_template(name_or_path: str | Path) -> TaskTemplate:
    """Load a ready-made template by name, or one's own by path (anything with a slash or ending in ``.yaml``).

    Raises:
        TemplateError: there is none, or it is wrong; names file, line and remedy.

    >>> load_template("rating").title
    'Rate a response'
    """
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or "/" in text or "\\" in text or text.endswith((".yaml", ".yml")):
        path = Path(name_or_path)
    else:
        path = template_folder() / f"{text}.yaml"
        if text not in template_names():
            raise TemplateError(
                f"there is no ready-made template {shown(text)}",
                remedy=f"use one of {', '.join(template_names())}, or the path of your own, such as ./mine.yaml",
            )
    return parse_template(read_yaml(path, TemplateError))


def parse_template(source: YamlFile) -> TaskTemplate:
    """Check a template that was read from YAML.

    Raises:
        TemplateError: names file, line and remedy.
    """
    try:
        return TaskTemplate.model_validate(source.data)
    except ValidationError as error:
        remedy = "see docs/templates.md, or a ready-made one: annobridge templates show review"
        raise source.explain(error, TemplateError, remedy) from None


def template_schema() -> dict[str, Any]:
    """The template's JSON Schema, for editors and other tools."""
    schema: dict[str, Any] = _without_examples(TaskTemplate.model_json_schema())
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "annobridge task template",
    }


def _without_examples(schema: Any) -> Any:
    """A schema whose descriptions end before the examples that a docstring has for readers of Python."""
    if isinstance(schema, list):
        return [_without_examples(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: value.partition(">>>")[0].strip()
        if key == "description" and isinstance(value, str)
        else _without_examples(value)
        for key, value in schema.items()
    }
