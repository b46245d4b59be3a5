"""annobridge: carry model-written records to annotators and bring their judgement back as training data.

>>> import bridge
>>> bridge.Record(fields={"prompt": "2 + 2?", "response": "4"}).key
'ddd849862eb99b283dd1d2f2daf30638'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from bridge.adopting import adopt as adopt
    from bridge.annotations import Annotation as Annotation
    from bridge.campaign import Campaign as Campaign
    from bridge.errors import BridgeError as BridgeError
    from bridge.exporting import export as export
    from bridge.exporting.checking import check_rows as check_rows
    from bridge.merging import MergeResult as MergeResult
    from bridge.merging import merge as merge
    from bridge.merging.agreement import Agreement as Agreement
    from bridge.merging.agreement import agreement as agreement
    from bridge.reading import read_records as read_records
    from bridge.records import Record as Record
    from bridge.records import Suggestion as Suggestion
    from bridge.templates import TaskTemplate as TaskTemplate
    from bridge.templates import load_template as load_template

_HOME = {
    "Agreement": "merging.agreement",
    "Annotation": "annotations",
    "BridgeError": "errors",
    "Campaign": "campaign",
    "MergeResult": "merging",
    "Record": "records",
    "Suggestion": "records",
    "TaskTemplate": "templates",
    "adopt": "adopting",
    "agreement": "merging.agreement",
    "check_rows": "exporting.checking",
    "export": "exporting",
    "load_template": "templates",
    "merge": "merging",
    "read_records": "reading",
}

__all__ = sorted(_HOME)  # noqa: PLE0605 - tested against the list above


def __getattr__(name: str) -> Any:
    # Loaded when first used: `annobridge --help` must not wait for pydantic.
    if name in _HOME:
        return getattr(import_module(f"bridge.{_HOME[name]}"), name)
    raise AttributeError(f"module 'bridge' has no attribute {name!r}")
