"""For tests of campaigns, ours and yours: people who answer by program, and servers that fail on demand.

:class:`bridge.servers.memory.MemoryServer` is the server for tests that need none. :class:`LabelStudioPerson` and
:class:`ArgillaPerson` answer on real servers. :class:`FaultyServer` puts seeded faults and crashes before any server;
:class:`FaultProxy` stands between a real client and a real server, and breaks what goes through it.
:class:`ModelServer` is a local OpenAI-compatible server, and :class:`ScriptedAsker` a model without one.
"""

from bridge.testing.faults import FITS, Crash, FaultyServer, Injected, Kind, Verb
from bridge.testing.models import Asked, ModelFault, ModelServer
from bridge.testing.models_batches import BatchFaults
from bridge.testing.models_scripted import ScriptedAsker
from bridge.testing.people import ArgillaPerson, LabelStudioPerson
from bridge.testing.proxy import (
    Drop,
    Fault,
    FaultProxy,
    HalfSent,
    NotJson,
    ProxiedRequest,
    Redirect,
    Reply,
    Reset,
    Rule,
    Seen,
    Short,
    Stall,
    Truncated,
    in_turn,
)

__all__ = [
    "FITS",
    "ArgillaPerson",
    "Asked",
    "BatchFaults",
    "Crash",
    "Drop",
    "Fault",
    "FaultProxy",
    "FaultyServer",
    "HalfSent",
    "Injected",
    "Kind",
    "LabelStudioPerson",
    "ModelFault",
    "ModelServer",
    "NotJson",
    "ProxiedRequest",
    "Redirect",
    "Reply",
    "Reset",
    "Rule",
    "ScriptedAsker",
    "Seen",
    "Short",
    "Stall",
    "Truncated",
    "Verb",
    "in_turn",
]
