"""Label Studio: from a key to the headers of a request."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from bridge.errors import AuthError, UnexpectedReply
from bridge.servers.http import Client
from bridge.servers.replies import expect

if TYPE_CHECKING:
    from bridge.keys import Secret

ACCESS_LIFETIME_S = 240.0
"""Access tokens live 300 s; a new one is fetched a minute before."""


class Login:
    """Turns a key into the headers of one request.

    A personal access token is a refresh token: it buys access tokens that live five minutes. A legacy token is sent
    as it is.
    """

    def __init__(self, http: Client, key: Secret, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._http = http
        self._key = key
        self._personal = key.reveal().count(".") == 2
        self._clock = clock
        self._access = ""
        self._until = 0.0

    def headers(self) -> dict[str, str]:
        """The authorisation header; fetches a new access token where the last one is about to end.

        Raises:
            AuthError: the key is not taken.
        """
        if not self._personal:
            return {"Authorization": f"Token {self._key.reveal()}"}
        if self._clock() >= self._until:
            try:
                reply = self._http.request(
                    "POST",
                    "/api/token/refresh/",
                    body={"refresh": self._key.reveal()},
                    what="log in",
                    authorized=False,
                    reads=True,  # fetching a token changes nothing, so it may be tried again
                )
            except UnexpectedReply as error:
                raise UnexpectedReply(error.reason, remedy="is this the address of a Label Studio server?") from None
            except AuthError as error:
                raise AuthError(
                    error.reason,
                    remedy="make a new personal access token in Label Studio (Account & Settings) and set it again",
                ) from None
            self._access = str(expect(reply, "access", str))
            self._until = self._clock() + ACCESS_LIFETIME_S
        return {"Authorization": f"Bearer {self._access}"}
