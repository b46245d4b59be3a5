"""Audits: a sample of a training set goes back to people, who say of each row whether it is right."""

from bridge.auditing.draw import draw
from bridge.auditing.folder import FOLDER, begin, rates
from bridge.auditing.rate import AuditRate

__all__ = ["FOLDER", "AuditRate", "begin", "draw", "rates"]
