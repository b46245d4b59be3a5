"""Records as other people's objects, and back: ``argilla.Record``, Label Studio's task dicts, distilabel's columns.

For those who stay with a server's own SDK, or come from a distilabel pipeline. Texts, keys and suggestions are what the
adapters send, so that records written by an SDK are found, and their answers pulled, by annobridge too. Every way back
gives a :class:`~bridge.reading.RecordReader`: the good records, and a reason for each of the others.
"""

from bridge.interop.argilla import argilla_settings, from_argilla_records, to_argilla_records
from bridge.interop.distilabel import from_distilabel
from bridge.interop.distilabel_rows import to_distilabel
from bridge.interop.distiset import read_distilabel
from bridge.interop.label_studio import from_label_studio_tasks, label_studio_config, to_label_studio_tasks

__all__ = [
    "argilla_settings",
    "from_argilla_records",
    "from_distilabel",
    "from_label_studio_tasks",
    "label_studio_config",
    "read_distilabel",
    "to_argilla_records",
    "to_distilabel",
    "to_label_studio_tasks",
]
