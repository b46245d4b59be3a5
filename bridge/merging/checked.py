"""What people found in a sample that was drawn by lot: how many are wrong, and how many of all may be."""

from __future__ import annotations

from typing import Any, Protocol

HEADINGS = ("drawn", "checked", "wrong", "share", "95 %, exact")
"""Of the columns of a table with :func:`cells`."""


class Checked(Protocol):
    """A sample that people check."""

    @property
    def drawn(self) -> int:
        """How many were drawn by lot."""

    @property
    def checked(self) -> int:
        """How many of these people have decided on."""

    @property
    def wrong(self) -> int:
        """How many of the checked ones are wrong."""

    @property
    def undecided(self) -> int:
        """On how many people contradict each other; they count neither way."""

    @property
    def share(self) -> float | None:
        """The share of wrong ones; None where none was checked."""

    @property
    def interval(self) -> tuple[float, float]:
        """What that share is among all from which the sample was drawn, with 95 % certainty."""


def figures(rate: Checked) -> dict[str, Any]:
    """Counts, share and interval, as ``--json`` and the manifest of a release have them."""
    low, high = rate.interval
    return {
        "drawn": rate.drawn,
        "checked": rate.checked,
        "wrong": rate.wrong,
        "undecided": rate.undecided,
        "share": rate.share,
        "low": low,
        "high": high,
    }


def cells(rate: Checked) -> list[str]:
    """The same as cells of a table under :data:`HEADINGS`."""
    low, high = rate.interval
    counts = [f"{count:,}" for count in (rate.drawn, rate.checked, rate.wrong)]
    return [*counts, "" if rate.share is None else f"{rate.share:.1%}", f"{low:.1%} to {high:.1%}"]
