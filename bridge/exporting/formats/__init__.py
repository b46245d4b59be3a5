"""Formats: pure functions from a :class:`~bridge.exporting.row.Row` to a line of a training file.

Every line of a file has the same keys, with values of the same types, none of them null; and beside the text exactly
one more column, ``metadata``: trainers read other names (``labels``, ``images``, ``tools``) as data of their own. To
add a format, write its function in the module of its kind, add it to the ``FORMATS`` there, and give it a golden file
in ``tests/golden``; if a trainer reads it, say how in :mod:`bridge.exporting.trainers`.

A format that has no place for a row raises :class:`~bridge.exporting.formats.shape.Unfit`, with the format that has
one as its remedy.
"""

from collections.abc import Mapping

from bridge.exporting.formats import dpo, kto, reward, sft
from bridge.exporting.formats.chat_template import without_template
from bridge.exporting.formats.shape import METADATA, Column, Format, Line, Metadata, Unfit, metadata
from bridge.exporting.row import Kind

FORMATS: Mapping[Kind, Mapping[str, Format]] = {
    "sft": sft.FORMATS | {"text": Format(without_template, {"text": "text"})},
    "dpo": dpo.FORMATS,
    "kto": kto.FORMATS,
    "reward": reward.FORMATS,
}
"""Kind of training set to format name to format."""

__all__ = ["FORMATS", "METADATA", "Column", "Format", "Line", "Metadata", "Unfit", "metadata"]
