"""From many annotators to one answer per question, with every doubt under its own name."""

from bridge.merging.consensus import MergeResult, Unresolved, merge
from bridge.merging.doubt import Doubt
from bridge.merging.merged import Merged, MergedAnswer
from bridge.merging.rule import Rule
from bridge.merging.validate import Problem, check_answers

__all__ = ["Doubt", "MergeResult", "Merged", "MergedAnswer", "Problem", "Rule", "Unresolved", "check_answers", "merge"]
