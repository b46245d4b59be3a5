"""The address of a PostgreSQL database, as a person writes it, and as Label Studio wants it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qsl, unquote, urlsplit

from bridge.errors import ConfigError
from bridge.keys import Secret

# What PostgreSQL's own library reads from the environment, under other names in an address.
_OPTIONS = {"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY"}


@dataclass(frozen=True)
class Postgres:
    """A database, and who logs in to it.

    >>> Postgres.parse("postgresql://me:p%40ss@localhost/labels")
    Postgres(host='localhost', port=5432, name='labels', user='me', password=Secret('***'), options=())
    """

    host: str
    port: int
    name: str
    user: str
    password: Secret
    options: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, address: str) -> Self:
        """Read ``postgresql://USER:PASSWORD@HOST:PORT/NAME``; the password may be in ``PGPASSWORD`` instead.

        Raises:
            ConfigError: it is no such address. It is not quoted, because it may hold a password.
        """
        wrong = ConfigError(
            "this is no address of a PostgreSQL database",
            remedy="write postgresql://USER@HOST:PORT/NAME, characters like @ and / in it as %40 and %2F, and put the "
            "password into the environment variable PGPASSWORD",
        )
        try:
            parts = urlsplit(address)
            port = parts.port or 5432
            options = parse_qsl(parts.query, strict_parsing=True) if parts.query else []
        except ValueError:
            raise wrong from None  # the message could quote the address
        name = unquote(parts.path.removeprefix("/"))
        if parts.scheme not in ("postgresql", "postgres") or not (parts.hostname and parts.username and name):
            raise wrong
        for option, _ in options:
            if option not in _OPTIONS:
                raise ConfigError(
                    f"the address of the PostgreSQL database has an option that is not known here: {option!r:.40}",
                    remedy=f"use one of {', '.join(_OPTIONS)}",
                )
        password = unquote(parts.password) if parts.password else os.environ.get("PGPASSWORD", "")
        return cls(unquote(parts.hostname), port, name, unquote(parts.username), Secret(password), tuple(options))

    def variables(self) -> dict[str, str]:
        """The environment that makes Label Studio use it; nothing of it is on a command line."""
        return {
            "POSTGRE_HOST": self.host,
            "POSTGRE_PORT": str(self.port),
            "POSTGRE_NAME": self.name,
            "POSTGRE_USER": self.user,
            "POSTGRE_PASSWORD": self.password.reveal(),
        } | {_OPTIONS[option]: value for option, value in self.options}
