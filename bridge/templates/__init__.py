"""Task templates: what is shown, what is asked, and how answers become training rows."""

from bridge.templates.files import load_template, parse_template, template_folder, template_names, template_schema
from bridge.templates.task import DpoSource, SftSource, TaskTemplate, Training, condition_text

__all__ = [
    "DpoSource",
    "SftSource",
    "TaskTemplate",
    "Training",
    "condition_text",
    "load_template",
    "parse_template",
    "template_folder",
    "template_names",
    "template_schema",
]
