"""Who is who on the two servers."""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from bridge.errors import InputError, Refused, ServerError, StoreError, UsageError
from bridge.files import Reject
from bridge.keys import Secret, write_private
from bridge.rows import read_rows
from bridge.servers.protocol import Server

PASSWORDS = "new-annotators.json"


def read_table(path: str | Path) -> dict[str, str]:
    """Names on the old server to names on the new one, from a file with the columns ``from`` and ``to``.

    Raises:
        InputError: the file cannot be read, or a row has not both.
        UsageError: a name stands there twice.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "people.csv")
    >>> _ = path.write_text("from,to\\nann@example.org,ann\\n")
    >>> read_table(path)
    {'ann@example.org': 'ann'}
    """
    table: dict[str, str] = {}
    for line, row in read_rows(path):
        if isinstance(row, Reject):
            raise InputError(f"{path}:{line}: {row.reason}", remedy=row.remedy)
        old, new = (row.get(column) for column in ("from", "to"))
        if not (isinstance(old, str) and isinstance(new, str) and old.strip() and new.strip()):
            raise InputError(
                f"{path}:{line}: it has not both a name under 'from' and one under 'to'",
                remedy="write a table with these two columns, one person a row",
            )
        if old.strip() in table:
            raise UsageError(f"{path}:{line}: {old!r:.60} stands there twice", remedy="give each person one row")
        table[old.strip()] = new.strip()
    return table


def new_names(names: Iterable[str], table: Mapping[str, str]) -> dict[str, str]:
    """What each of these people is called on the new server: as the table says, or else the same.

    Raises:
        UsageError: two people would become one.

    >>> new_names(["ann@example.org", "bo"], {"ann@example.org": "ann"})
    {'ann@example.org': 'ann', 'bo': 'bo'}
    """
    mapped = {name: table.get(name, name) for name in sorted(names)}
    by_new: dict[str, list[str]] = {}
    for old, new in mapped.items():
        by_new.setdefault(new, []).append(old)
    for new, old_names in by_new.items():
        if len(old_names) > 1:
            raise UsageError(
                f"{' and '.join(old_names)} would both be {new!r:.60} on the new server",
                remedy="give each of them a name of their own in the table (--annotators)",
            )
    return mapped


def check_table(table: Mapping[str, str], known: Collection[str]) -> None:
    """A name that is mistyped in the table must not pass for somebody who keeps the old name.

    Raises:
        UsageError: the table has names that nobody on the old server has.
    """
    strangers = [name for name in table if name not in known]
    if strangers:
        raise UsageError(
            f"the table of annotators names people whom the old server does not know: {', '.join(strangers[:20])}",
            remedy="write under 'from' the names of the server where the campaign is now: `annobridge status` has them",
        )


def check_known(names: Collection[str], server: Server) -> list[str]:
    """Those of these names that the new server does not know."""
    known = set(server.people())
    return sorted(name for name in names if name not in known)


def unknown(names: Collection[str]) -> UsageError:
    """The error that lists the names that nobody on the new server has."""
    listed = ", ".join(sorted(names)[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    return UsageError(
        f"the new server has no users with these names: {listed}",
        remedy="say who they are there in a table with the columns from and to (--annotators FILE), or make accounts "
        "for them (--create-annotators)",
    )


def make_accounts(names: Collection[str], server: Server, folder: Path, origin: str) -> Path:
    """Make an account for each name. Passwords are generated, and on the disk before they are used.

    Returns the file that holds them; only its owner can read it.

    Raises:
        ServerError: the server refuses; the names of those who still have no account are in the reason.
    """
    path = folder / PASSWORDS
    left = sorted(names)
    while left:
        password = _remembered(path, origin, left[0])
        try:
            server.add_person(left[0], password)
        except ServerError as error:
            if isinstance(error, Refused):
                _forget(path, origin, left[0])
            reason = f"{error.reason}; without an account: {', '.join(left)}"
            raise type(error)(reason, remedy=error.remedy) from error
        left.pop(0)
    return path


def _remembered(path: Path, origin: str, name: str) -> Secret:
    """The password of a new account: a run that broke off may have made it, with the one in the file."""
    passwords = _read(path)
    mine = passwords.setdefault(origin, {})
    if name not in mine:
        mine[name] = secrets.token_urlsafe(12)
        _write(path, passwords)
    return Secret(mine[name])


def _forget(path: Path, origin: str, name: str) -> None:
    passwords = _read(path)
    del passwords[origin][name]
    kept = {where: names for where, names in passwords.items() if names}
    if kept:
        _write(path, kept)
    else:
        path.unlink()


def _read(path: Path) -> dict[str, dict[str, str]]:
    try:
        passwords = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (OSError, ValueError):
        passwords = None
    if not isinstance(passwords, dict) or not all(isinstance(names, dict) for names in passwords.values()):
        raise StoreError(f"{path}: cannot be read", remedy="move it away, and keep it: it holds passwords")
    return passwords


def _write(path: Path, passwords: Mapping[str, Mapping[str, str]]) -> None:
    try:
        write_private(path, json.dumps(passwords, indent=2, ensure_ascii=False) + "\n")
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}", remedy="make the folder writable") from None
