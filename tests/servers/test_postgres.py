"""The address of a PostgreSQL database, and that nothing of it is shown."""

from __future__ import annotations

import pytest

from bridge.errors import ConfigError
from bridge.servers.local_label_studio import LocalLabelStudio
from bridge.servers.postgres import Postgres


def test_everything_in_it_becomes_a_variable() -> None:
    address = "postgres://me:p%40ss%2Fword@db.example.org:6432/my%20labels?sslmode=verify-full&sslrootcert=/etc/ca.pem"
    assert Postgres.parse(address).variables() == {
        "POSTGRE_HOST": "db.example.org",
        "POSTGRE_PORT": "6432",
        "POSTGRE_NAME": "my labels",
        "POSTGRE_USER": "me",
        "POSTGRE_PASSWORD": "p@ss/word",
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": "/etc/ca.pem",
    }


def test_the_password_may_be_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    variables = Postgres.parse("postgresql://me@[::1]/labels").variables()
    assert (variables["POSTGRE_HOST"], variables["POSTGRE_PASSWORD"]) == ("::1", "hunter2")
    assert Postgres.parse("postgresql://me:mine@host/labels").password.reveal() == "mine"


@pytest.mark.parametrize(
    "address",
    [
        "hunter2",
        "mysql://me:hunter2@host/labels",
        "postgresql://:hunter2@host/labels",
        "postgresql://me:hunter2@host",
        "postgresql://me:hunter2@/labels",
        "postgresql://me:hunter2@host:port/labels",
        "postgresql://me:hunt/er2@host/labels",
        "postgresql://me:hunter2@host/labels?sslmode",
        "postgresql://me:hunter2@[host/labels",
        "postgresql://me:hunter2@host/labels?password=hunter2",
    ],
)
def test_what_is_no_address_is_refused_without_being_quoted(address: str) -> None:
    with pytest.raises(ConfigError, match="PostgreSQL database") as caught:
        LocalLabelStudio(postgres=address)
    assert "hunt" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
