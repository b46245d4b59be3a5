"""Everything that annobridge raises on purpose.

::

    BridgeError                 something a person can act on; exit code 1
    ├── UsageError              what was asked for cannot be right; exit code 2
    │   ├── ConfigError         campaign.yaml or the key file
    │   └── TemplateError       a task template
    ├── InputError              a data file that cannot be read at all
    ├── ValueRejected           one value that its question does not allow (also a ValueError)
    ├── StoreError              the campaign's own folder: unreadable, full, damaged
    │   ├── Held                somebody else is working in it
    │   └── LedgerError         the ledger is damaged, or newer than this version
    │       └── OtherProject    the project it speaks of is another one than the server's
    ├── ExportError             a training set that cannot be made from this template or data
    ├── SetupError              an embedded server that cannot be installed or started
    ├── EndpointError           an endpoint of models: no answer, no key, no such model, not compatible
    ├── BudgetSpent             what was allowed for models is used up; what was finished is kept
    └── ServerError             an annotation server
        ├── Unreachable         no connection; nothing was sent
        ├── AuthError           the key is missing, wrong or may not do this
        ├── NotFound            the project is not there
        ├── Conflict            a project is there, but it is not this campaign's
        ├── Refused             the server said no; nothing was written
        │   └── TooLarge        the request was too large; a smaller one may do
        ├── Busy                the server asks to wait; nothing was written
        ├── UnexpectedReply     an answer that no Label Studio or Argilla would give
        └── UnknownOutcome      a write that may or may not have happened

Each error names the thing, the reason and the remedy, and never holds a key or a server's raw reply.
"""

from __future__ import annotations


class BridgeError(Exception):
    """An error with a reason and a remedy, both fit to be shown to a person.

    >>> error = BridgeError("records.jsonl is empty", remedy="write one JSON object a line")
    >>> print(error)
    records.jsonl is empty
      remedy: write one JSON object a line
    """

    exit_code = 1

    def __init__(self, reason: str, *, remedy: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.reason}\n  remedy: {self.remedy}" if self.remedy else self.reason

    def to_dict(self) -> dict[str, str]:
        """The error as ``--json`` prints it: ``{"type", "reason", "remedy"}``."""
        return {"type": type(self).__name__, "reason": self.reason, "remedy": self.remedy}


class UsageError(BridgeError):
    """A command, flag or argument that cannot be right."""

    exit_code = 2


class ConfigError(UsageError):
    """``campaign.yaml`` or the key file is wrong; the reason starts with file and line."""


class TemplateError(UsageError):
    """A task template is wrong; the reason starts with file and line."""


class InputError(BridgeError):
    """A data file cannot be read: missing, another format, another encoding."""


class NoRows(InputError):
    """A file without rows."""


class ValueRejected(BridgeError, ValueError):
    """A value that its question or field does not allow."""


class StoreError(BridgeError):
    """The campaign's own files cannot be read or written."""


class Held(StoreError):
    """Somebody else is pushing or pulling in the campaign's folder."""


class LedgerError(StoreError):
    """The ledger cannot be used: it is damaged, or newer than this version. It can be made anew."""


class OtherProject(LedgerError):
    """Another project than the one that was pushed to has its id now: the server was set up anew, or is another one."""


class ExportError(BridgeError):
    """A training set cannot be made from this template or this data."""


class SetupError(BridgeError):
    """An embedded server cannot be installed or started."""


class EndpointError(BridgeError):
    """An endpoint of models answers nobody, or not like an OpenAI-compatible one; nothing finished is lost."""


class BudgetSpent(BridgeError):
    """The next request to a model might cost more than is left; what was finished is kept."""


class ServerError(BridgeError):
    """An annotation server did not do what was asked."""


class Unreachable(ServerError):
    """No connection could be made, so nothing was sent."""


class AuthError(ServerError):
    """The key is missing, wrong, expired, or may not do this."""


class NotFound(ServerError):
    """The project, or the address, is not on this server."""


class Conflict(ServerError):
    """A project of that name exists, but it does not belong to this campaign as it is now."""


class Refused(ServerError):
    """The server refused the request; nothing was written."""


class TooLarge(Refused):
    """The request was larger than the server, or something before it, takes; nothing was written."""


class Busy(ServerError):
    """The server asks to wait (429); nothing was written. ``wait_s`` is how long, 0 where it did not say."""

    def __init__(self, reason: str, *, remedy: str = "", wait_s: float = 0.0) -> None:
        super().__init__(reason, remedy=remedy)
        self.wait_s = wait_s


class UnexpectedReply(ServerError):
    """The server answered with something that its documentation and our measurements rule out."""


class UnknownOutcome(ServerError):
    """A write was sent and its result is not known: look it up before sending it again.

    ``wait_s`` is how long the server asks to wait (503), 0 where it did not say.
    """

    def __init__(self, reason: str, *, remedy: str = "", wait_s: float = 0.0) -> None:
        super().__init__(reason, remedy=remedy)
        self.wait_s = wait_s
