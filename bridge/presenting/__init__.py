"""What people are shown instead of a record as it is, and the way back: blind order, hidden suggestions, controls."""

from bridge.presenting.anchoring import Hiding
from bridge.presenting.blind import Blind
from bridge.presenting.controls import Controls, Mixed, read_controls
from bridge.presenting.evidence import Evidence
from bridge.presenting.presentation import Presentation, Shown, Undone

__all__ = ["Blind", "Controls", "Evidence", "Hiding", "Mixed", "Presentation", "Shown", "Undone", "read_controls"]
