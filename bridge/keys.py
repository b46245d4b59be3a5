"""API keys: where they are kept, to whom they may be sent, and how they stay out of everything we print.

A key belongs to one exact origin (``scheme://host:port``). It comes from an environment variable that the campaign
names, or from ``keys.json`` in the user's configuration folder, and travels through the program in a :class:`Secret`.
"""

from __future__ import annotations

import hmac
import json
import os
import re
import stat
import tempfile
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import platformdirs

from bridge.errors import ConfigError

_PORTS = {"http": 80, "https": 443}
_HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")


class Secret:
    """Text that is shown to nobody who does not ask for it by name.

    >>> token = Secret("abc")
    >>> print(token, f"{token:>20}", [token])
    Secret('***') Secret('***') [Secret('***')]
    >>> token.reveal(), token == Secret("abc")
    ('abc', True)
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text itself, for the one place that sends or stores it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        mine, theirs = (secret._value.encode("utf-8", "surrogatepass") for secret in (self, other))
        return hmac.compare_digest(mine, theirs)

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or deep-copied, because that would write it in the clear")


def origin(url: str) -> str:
    """The exact origin of an address, in lower case and with its port.

    Raises:
        ConfigError: not an http or https address, or one with a user name, a query or a fragment.

    >>> origin("https://Labels.example.org/project")
    'https://labels.example.org:443'
    """
    remedy = "write it like https://labels.example.org or http://127.0.0.1:8080"
    # urlsplit drops tabs and line breaks in silence, so the address that it reads may not be the one in the file.
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ConfigError("server address: spaces, control or non-ASCII characters or a backslash", remedy=remedy)
    try:
        parts = urlsplit(url)
        port = parts.port
        host = parts.hostname or ""
        if ":" in host and "%" not in host:
            host = f"[{IPv6Address(host)}]"
    except ValueError:
        raise ConfigError("server address: the host or the port cannot be read", remedy=remedy) from None
    if parts.scheme not in _PORTS:
        raise ConfigError("server address: it does not start with http:// or https://", remedy=remedy)
    if "@" in parts.netloc:
        raise ConfigError(
            "server address: it holds a user name or password",
            remedy="write the address without them; the key goes into a variable or the key file",
        )
    if "?" in url or "#" in url:
        raise ConfigError("server address: it has a query or a fragment", remedy="leave out everything from ? or # on")
    if not host.startswith("[") and not _HOST_NAME.fullmatch(host):
        raise ConfigError("server address: no host name that could exist", remedy=remedy)
    if port == 0:
        raise ConfigError("server address: port 0 is no port", remedy=remedy)
    return f"{parts.scheme}://{host}:{port or _PORTS[parts.scheme]}"


def check_transport(url: str, allow_http: bool = False) -> None:
    """Refuse to send a key unencrypted to another machine.

    Raises:
        ConfigError: plain http to a host that is not this machine, and ``allow_http`` is false.

    >>> check_transport("http://localhost:8080")
    """
    where = origin(url)
    host = urlsplit(where).hostname or ""
    if allow_http or where.startswith("https:") or host == "localhost":
        return
    try:
        if ip_address(host).is_loopback:
            return
    except ValueError:
        pass  # a name, and names other than localhost are resolved by others
    raise ConfigError(
        f"{where} is plain http: the key and all records could be read on the way",
        remedy="use https, or allow plain http explicitly if the network is your own",
    )


def key_file() -> Path:
    """``keys.json`` in the user's configuration folder, or in ``$ANNOBRIDGE_CONFIG_DIR``."""
    return Path(os.environ.get("ANNOBRIDGE_CONFIG_DIR") or platformdirs.user_config_dir("annobridge")) / "keys.json"


def save_key(url: str, secret: Secret) -> None:
    """Remember the key of one server, by its origin, in the key file, which only its owner can read.

    Raises:
        ConfigError: the address or the key cannot be right, or the key file is damaged, open to others or not writable.
    """
    path = key_file()
    _write(path, _read(path) | {origin(url): _usable(secret.reveal(), "the new key").reveal()})


def forget_key(url: str, secret: Secret) -> None:
    """Remove the key of a server that is no more from the key file, unless another has taken its place there.

    Raises:
        ConfigError: the key file is damaged, open to others or not writable.
    """
    path, where = key_file(), origin(url)
    keys = _read(path)
    if keys.get(where) == secret.reveal():
        _write(path, {other: key for other, key in keys.items() if other != where})


def _write(path: Path, keys: dict[str, str]) -> None:
    try:
        write_private(path, json.dumps(keys, indent=2, sort_keys=True) + "\n")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", remedy="make the folder writable for yourself") from None


def find_key(url: str, key_env: str | None = None) -> Secret:
    """The key for a server: from the environment variable ``key_env`` if it is set, else from the key file.

    Raises:
        ConfigError: there is none, it cannot be a key, or the key file is open to others.
    """
    where = origin(url)
    key = environment_key(key_env) if key_env else None
    key = key or saved_key(url)
    if key is None:
        unset = f", and the environment variable {key_env} is not set" if key_env else ""
        either = f"set the environment variable {key_env}, or " if key_env else ""
        raise ConfigError(
            f"{key_file()} has no key for {where}{unset}",
            remedy=f'{either}add "{where}": "YOUR KEY" to that file (mode 0600)',
        )
    return key


def environment_key(name: str) -> Secret | None:
    """The key in an environment variable; None if it is not set.

    Raises:
        ConfigError: it cannot be a key.
    """
    return _usable(os.environ[name], f"environment variable {name}") if name in os.environ else None


def saved_key(url: str) -> Secret | None:
    """The key of one server in the key file, by its origin; None if there is none.

    Raises:
        ConfigError: it cannot be a key, or the key file is damaged or open to others.
    """
    path, where = key_file(), origin(url)
    key = _read(path).get(where)
    return None if key is None else _usable(key, f'{path}, "{where}"')


def write_private(path: Path, text: str) -> None:
    """Replace a file, whole or not at all, so that nobody but its owner can read it at any moment."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mkstemp creates it with mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the new name, too, survives a power cut
        finally:
            os.close(folder)


def _read(path: Path) -> dict[str, str]:
    """The key file as a mapping, once it is certain that only its owner can read and replace it."""
    damaged = ConfigError(f"{path}: not a JSON object of origins and keys", remedy="mend it, or delete it")
    try:
        _check_private(path.parent, 0o022, "700")
        _check_private(path, 0o077, "600")
        keys = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", remedy="make it readable for yourself only") from None
    except ValueError:
        raise damaged from None  # the parser's message could quote a key
    if not isinstance(keys, dict) or not all(isinstance(key, str) for key in keys.values()):
        raise damaged
    return keys


def _check_private(path: Path, forbidden: int, mode: str) -> None:
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & forbidden:
        raise ConfigError(f"{path}: other users of this machine can get at it", remedy=f"chmod {mode} {path}")


def _usable(key: str, place: str) -> Secret:
    if not key or not all("!" <= char <= "~" for char in key):
        raise ConfigError(
            f"{place}: empty, or with spaces, line breaks, control or non-ASCII characters",
            remedy="copy the key again, without quotes or a line break",
        )
    return Secret(key)
