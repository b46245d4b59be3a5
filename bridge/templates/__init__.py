"""Task templates: what is shown, what is asked, and how answers become training rows."""

from bridge.templates.files import load_template, parse_template, template_folder, template_names, template_schema
from bridge.templates.task import TaskTemplate, condition_text
from bridge.templates.training import DpoSource, KtoSource, PairSource, RewardSource, SftSource, Source, Training

__all__ = [
    "DpoSource",
    "KtoSource",
    "PairSource",
    "RewardSource",
    "SftSource",
    "Source",
    "TaskTemplate",
    "Training",
    "condition_text",
    "load_template",
    "parse_template",
    "template_folder",
    "template_names",
    "template_schema",
]
