"""Curation: data that is clean, private, unique, uncontaminated and well chosen.

Every step is a function from records to a :class:`~bridge.curate.result.Result`: what it kept, what it dropped, and
why. The steps know no server and no campaign.
"""

from bridge.curate.result import Dropped, Result

__all__ = ["Dropped", "Result"]
