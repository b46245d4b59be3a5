"""From merged answers to training files, with a reason for every record that yields no row."""

from bridge.export.formats import FORMATS
from bridge.export.reasons import REASONS, Dropped
from bridge.export.rows import Row, RowsResult, training_rows
from bridge.export.write import ExportedFile, ExportResult, export

__all__ = [
    "FORMATS",
    "REASONS",
    "Dropped",
    "ExportResult",
    "ExportedFile",
    "Row",
    "RowsResult",
    "export",
    "training_rows",
]
