"""Adopting: a campaign from a project that somebody made by hand."""

from bridge.adopting.adopt import AdoptResult, adopt
from bridge.adopting.parts import NotAdopted

__all__ = ["AdoptResult", "NotAdopted", "adopt"]
