"""Where is the Redis or Valkey that a person named, and how is its address kept from everybody?

It is given as an option, in the environment, or in a file, and may hold a password. It is never a
part of a `Config`, which is kept in the file that people share.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from crawler.channels.redis import VARIABLE
from crawler.errors import UsageError

PORT: Final = 6379
EXPECTED: Final = (
    "expected redis://HOST:PORT, rediss://HOST:PORT, unix:///SOCKET, or a file that holds one"
)
_SCHEMES: Final = frozenset({"redis", "rediss", "unix"})
_FILES: Final = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"})
_MOST: Final = 4096


class Address(msgspec.Struct, frozen=True):
    """host: empty for a socket of this machine, whose path is `path`. tls: spoken over TLS.

    files: of TLS, in PEM form, by redis-py's names: ``ssl_ca_certs``, ``ssl_certfile``,
    ``ssl_keyfile``.
    """

    host: str
    port: int = PORT
    path: str = ""
    db: int = 0
    user: str = ""
    password: str = ""
    tls: bool = False
    files: dict[str, str] = {}

    def __str__(self) -> str:
        """As it may be shown to anybody."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"redis at {self.path or f'{host}:{self.port}'}"

    def __repr__(self) -> str:
        return f"<{self}>"


def address_of(given: str, environ: Mapping[str, str]) -> Address:
    """The address that is given, or that the environment's `VARIABLE` holds where nothing is.

    What has no scheme is a file, whose first line is the address. Raises UsageError, which never
    repeats what was written, for there may be a password in it.
    """
    where, written = ("--redis", given) if given else (VARIABLE, environ.get(VARIABLE, ""))
    if not written.strip():
        raise UsageError(f"--redis or {VARIABLE}: {EXPECTED}")
    if "://" not in written:
        where, written = _of_file(where, written.strip())
    try:
        return _parsed(written.strip())
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from None


def has_password(given: str) -> bool:
    """Does what is written on a command line tell others a password?"""
    return "://" in given and "@" in given


def _of_file(where: str, name: str) -> tuple[str, str]:
    try:
        with Path(name).open(encoding="utf-8") as file:
            return f"{where}: {name}", file.read(_MOST).partition("\n")[0]
    except FileNotFoundError:
        raise UsageError(f"{where}: {EXPECTED}") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "is no text"
        raise UsageError(f"{where}: {name}: {why}") from None


def _parsed(url: str) -> Address:
    """Raises ValueError, which does not repeat the address."""
    try:
        parts = urlsplit(url)
        port = parts.port or PORT
        query = parse_qs(parts.query, strict_parsing=bool(parts.query))
    except ValueError:
        raise ValueError(EXPECTED) from None
    if parts.scheme not in _SCHEMES or parts.fragment:
        raise ValueError(EXPECTED)
    is_socket = parts.scheme == "unix"
    if is_socket != (not parts.hostname) or (is_socket and len(parts.path) < 2):
        raise ValueError(EXPECTED)
    in_path = "" if is_socket else parts.path.strip("/")
    db = query.pop("db", [in_path or "0"])[-1]
    if not (db.isascii() and db.isdigit() and len(db) < 6):
        raise ValueError("the path of the address is the number of a database")
    if unknown := [name for name in query if name not in _FILES]:
        raise ValueError(f"{unknown[0][:40]!r} is not known; there are {', '.join(sorted(_FILES))}")
    return Address(
        host=unquote(parts.hostname or ""),
        port=port,
        path=unquote(parts.path) if is_socket else "",
        db=int(db),
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        tls=parts.scheme == "rediss",
        files={name: values[-1] for name, values in query.items()},
    )
