"""Moving a campaign to another server, with records, suggestions and people's answers."""

from bridge.migration.moved import moved
from bridge.migration.people import read_table
from bridge.migration.plan import Finding
from bridge.migration.run import MigrationResult, Side, migrate

__all__ = ["Finding", "MigrationResult", "Side", "migrate", "moved", "read_table"]
