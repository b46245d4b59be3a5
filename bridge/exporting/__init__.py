"""From merged answers to training files, with a reason for every record that yields no row."""

from bridge.exporting.formats import FORMATS
from bridge.exporting.reasons import REASONS, Dropped
from bridge.exporting.rows import Row, RowsResult, training_rows
from bridge.exporting.write import ExportedFile, ExportResult, Sieve, Sieved, export, export_all

__all__ = [
    "FORMATS",
    "REASONS",
    "Dropped",
    "ExportResult",
    "ExportedFile",
    "Row",
    "RowsResult",
    "Sieve",
    "Sieved",
    "export",
    "export_all",
    "training_rows",
]
