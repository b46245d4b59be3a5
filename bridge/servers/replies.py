"""Reading replies that may have any shape, for untrusted is what every server is."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from bridge.annotations import utc
from bridge.errors import BridgeError, UnexpectedReply, ValueRejected

_REMEDY = "check url and kind in campaign.yaml: Label Studio must be 1.20 or newer, Argilla 2.0 or newer"

P = ParamSpec("P")
R = TypeVar("R")


def reading(verb: Callable[P, R]) -> Callable[P, R]:
    """Say so in one error if a reply has another shape than the server's should have."""

    @wraps(verb)
    def read(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return verb(*args, **kwargs)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            if isinstance(error, BridgeError):
                raise
            raise UnexpectedReply(
                f"the server's reply has an unexpected shape ({type(error).__name__}: {error!s:.60})",
                remedy=_REMEDY,
            ) from error

    return read


def expect(reply: object, name: str, kind: type) -> Any:
    """A part of a reply, if it is of that type.

    Raises:
        UnexpectedReply: it is not there, or of another type.
    """
    value = reply.get(name) if isinstance(reply, dict) else None
    if not isinstance(value, kind):
        raise UnexpectedReply(
            f"the server's reply has no {name!r}: this is not the server that was expected",
            remedy=_REMEDY,
        )
    return value


def moment(text: object) -> str:
    """A server's time in one form; empty if it gave none.

    Raises:
        UnexpectedReply: it is no time.
    """
    try:
        return utc(str(text)) if text else ""
    except ValueRejected as error:
        raise UnexpectedReply(f"the server's reply has a {error.reason}", remedy=_REMEDY) from None
