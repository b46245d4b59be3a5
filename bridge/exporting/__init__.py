"""From merged answers to training files, with a reason for every record that yields no row."""

from bridge.exporting.formats import FORMATS
from bridge.exporting.places import Container
from bridge.exporting.plan import Sieve, Sieved, Splitter
from bridge.exporting.reasons import REASONS, Dropped
from bridge.exporting.row import KINDS, Kind, Rejected, Row, RowsResult
from bridge.exporting.rows import training_rows
from bridge.exporting.settings import SplitsConfig
from bridge.exporting.split_memory import splitter
from bridge.exporting.splits import strata, undivided
from bridge.exporting.write import ExportedFile, ExportResult, export, export_all

__all__ = [
    "FORMATS",
    "KINDS",
    "REASONS",
    "Container",
    "Dropped",
    "ExportResult",
    "ExportedFile",
    "Kind",
    "Rejected",
    "Row",
    "RowsResult",
    "Sieve",
    "Sieved",
    "SplitsConfig",
    "Splitter",
    "export",
    "export_all",
    "splitter",
    "strata",
    "training_rows",
    "undivided",
]
