"""From many annotators to one answer per question, with every doubt under its own name."""

from bridge.merge.consensus import MergeResult, Unresolved, merge
from bridge.merge.merged import Merged, MergedAnswer
from bridge.merge.validate import Problem, check_answers

__all__ = ["MergeResult", "Merged", "MergedAnswer", "Problem", "Unresolved", "check_answers", "merge"]
