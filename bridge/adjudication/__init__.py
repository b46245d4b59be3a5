"""Adjudication: a linked campaign of what people do not agree on, whose answers settle the merge."""

from bridge.adjudication.decided import decided, decided_records, settled
from bridge.adjudication.folder import FOLDER, Answers, title
from bridge.adjudication.prepare import prepare
from bridge.adjudication.result import AdjudicationResult

__all__ = ["FOLDER", "AdjudicationResult", "Answers", "decided", "decided_records", "prepare", "settled", "title"]
