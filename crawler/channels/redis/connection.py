"""How is a Redis or Valkey spoken with, so that nothing secret or huge is ever told of it?

Of redis-py one connection each is used, for its framing, its TLS and its handshake. Not its client:
that reconnects and tries again behind one's back, and the errors of its pipelines hold whole
commands. What goes wrong is one of two things: the engine cannot be reached (`Away`), or it has
refused a command (`Refused`). Both texts are our own and name the place without its password.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from crawler.channels.redis.address import Address
from crawler.errors import UsageError

CONNECT_S: Final = 5.0
ANSWER_S: Final = 5.0
"""How long an answer may take, besides the time that a command waits by its own word."""
RESP: Final = 2
LEAST_MAJOR: Final = 7
"""Of Redis and Valkey: what is granted to workers needs ACL selectors."""
ROOM_BYTES: Final = 64 * 1024 * 1024
"""Less of ``maxmemory`` cannot hold what is on its way to and from a few machines."""
Words = str | bytes | int
Command = Sequence[Words]
_WORD: Final = re.compile("[A-Z]{2,20}")
_PASSING: Final = frozenset({"BUSY", "MASTERDOWN", "TRYAGAIN", "READONLY", "MISCONF"})


class Away(Exception):
    """The engine cannot be reached now: what was asked may have been done, or not.

    why: the same without the place.
    """

    def __init__(self, place: str, why: str) -> None:
        super().__init__(f"{place}: {why}")
        self.why = why


class Refused(Exception):
    """The engine has answered with an error. code: its first word, such as ``OOM``."""

    def __init__(self, place: str, code: str) -> None:
        super().__init__(f"{place} answers {code}")
        self.code = code


class Link:
    """One connection, made when something is asked, and again after it was lost.

    Who asks must be alone with it. place: where it leads, as it may be shown. Raises UsageError
    where the library is not installed.
    """

    def __init__(self, address: Address) -> None:
        self.place = str(address)
        self._redis = _library()
        self._connection = self._made(address)

    def __repr__(self) -> str:
        return f"<Link to {self.place}>"

    def ask(self, *command: Words, wait_s: float = 0.0) -> Any:
        """The answer to one command, texts as bytes. wait_s: how long the command itself may block.

        Raises Away and Refused.
        """
        [answer] = self.ask_all([command], wait_s=wait_s)
        if isinstance(answer, Refused):
            raise answer
        return answer

    def ask_all(self, commands: Sequence[Command], *, wait_s: float = 0.0) -> list[Any]:
        """The answers to several, sent at once; a `Refused` stands in the place of its answer.

        Raises Away.
        """
        connection = self._connection
        errors = self._redis.exceptions
        try:
            connection.send_packed_command(connection.pack_commands(commands), check_health=False)
            return [self._read(wait_s) for _ in commands]
        except errors.RedisError as error:
            connection.disconnect()
            raise Away(self.place, _why(error)) from None
        except BaseException:  # an answer may be half read
            connection.disconnect()
            raise

    def together(self, *commands: Command) -> list[Any]:
        """The answers to several that are done all at once, or not at all.

        Raises Away, and Refused when none was done.
        """
        answers = self.ask_all([("MULTI",), *commands, ("EXEC",)])
        for answer in answers:
            if isinstance(answer, Refused):
                raise answer
        done: list[Any] = [self._said(answer) for answer in answers[-1]]
        for answer in done:
            if isinstance(answer, Refused):
                raise answer
        return done

    def close(self) -> None:
        """Let the connection go; the next question makes a new one."""
        self._connection.disconnect()

    def _read(self, wait_s: float) -> Any:
        try:
            answer = self._connection.read_response(timeout=ANSWER_S + wait_s)
        except self._redis.exceptions.ResponseError as error:
            return self._said(error)
        return answer

    def _said(self, answer: Any) -> Any:
        if isinstance(answer, Exception):
            return Refused(self.place, _code(answer))
        return answer

    def _made(self, address: Address) -> Any:
        common: dict[str, Any] = {
            "db": address.db,
            "username": address.user or None,
            "password": address.password or None,
            "protocol": RESP,
            "socket_timeout": ANSWER_S,
            "socket_connect_timeout": CONNECT_S,
            "driver_info": None,  # CLIENT SETINFO is in no ACL of Redis 7.0
        }
        kinds = self._redis.connection
        if address.path:
            return kinds.UnixDomainSocketConnection(path=address.path, **common)
        common |= {"host": address.host, "port": address.port, "socket_keepalive": True}
        if address.tls:
            return kinds.SSLConnection(**common, **address.files)
        return kinds.Connection(**common)


class Engine(msgspec.Struct, frozen=True):
    """kind: ``redis`` or ``valkey``. version: its own. limit_bytes: of its memory, 0 for none."""

    kind: str
    version: str
    limit_bytes: int = 0


def look_at(link: Link) -> Engine:
    """What is at the other end. Raises UsageError, one line, when it cannot be had or used."""
    try:
        about = _pairs(link.ask("INFO", "server"))
        limits = _pairs(link.ask("INFO", "memory"))
    except (Away, Refused) as error:
        raise UsageError(advised(error)) from None
    version = about.get("valkey_version") or about.get("redis_version", "0")
    kind = "valkey" if "valkey_version" in about else "redis"
    place = link.place
    if int(version.partition(".")[0] or 0) < LEAST_MAJOR:
        raise UsageError(f"{place}: is version {version[:20]}; {LEAST_MAJOR} or newer is needed")
    limit = int(limits.get("maxmemory", "0"))
    policy = limits.get("maxmemory_policy", "noeviction")
    if limit and policy != "noeviction":
        raise UsageError(
            f"{place}: maxmemory-policy is {policy[:40]}, by which it throws away what is on its "
            "way; set it to noeviction"
        )
    if 0 < limit < ROOM_BYTES:
        least = ROOM_BYTES // 2**20
        raise UsageError(f"{place}: maxmemory is too small; set it to {least}mb or more")
    return Engine(kind, version, limit)


def _library() -> Any:
    """redis-py, which takes 80 ms to load; only who asks for an engine needs it."""
    try:
        import redis
        import redis.connection
        import redis.exceptions
    except ImportError:
        raise UsageError("--redis: needs more: pip install 'crawler[redis]'") from None
    return redis


def advised(error: Exception) -> str:
    """One line with what to do."""
    if isinstance(error, Refused) and error.code == "NOPERM":
        return f"{error}: its user may not do that; crawler redis-acl prints what it needs"
    return str(error)


def is_passing(error: Refused) -> bool:
    """Does the engine refuse everything for now, as one that has just started?"""
    return error.code in _PASSING


def _code(error: BaseException) -> str:
    """The first word of an error's answer, which redis-py may have taken off; never more of it."""
    word = _CODES.get(type(error).__name__) or str(error).partition(" ")[0]
    return (
        word if word.isascii() and word.isalpha() and word.isupper() and len(word) < 20 else "ERR"
    )


_CODES: Final = {
    "NoPermissionError": "NOPERM",
    "ReadOnlyError": "READONLY",
    "OutOfMemoryError": "OOM",
    "ExecAbortError": "EXECABORT",
    "MasterDownError": "MASTERDOWN",
    "TryAgainError": "TRYAGAIN",
}
"""Words that redis-py takes off what it raises."""
_SAID: Final = {
    "TimeoutError": "gives no answer",
    "AuthenticationError": "wrong user or password, or none where it asks for one",
    "BusyLoadingError": "is still loading its data",
    "MaxConnectionsError": "has too many clients",
}


def _why(error: BaseException) -> str:
    """What the system or TLS said, below what the library made of it; never the library's text."""
    if type(error).__name__ in _SAID:
        return _SAID[type(error).__name__]
    for below in _causes(error):
        if isinstance(below, ssl.SSLCertVerificationError):
            why = below.verify_message.rstrip(".")[:80]
            return f"its certificate is not accepted ({why}); write ?ssl_ca_certs=FILE"
        if isinstance(below, ssl.SSLError):
            return "TLS cannot be spoken with it"
        if isinstance(below, OSError) and below.strerror:
            return f"cannot be reached: {below.strerror}"
    return "cannot be reached"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _pairs(text: bytes) -> dict[str, str]:
    """What INFO tells."""
    lines = text.decode("utf-8", "replace").splitlines()
    return {name: value for name, mark, value in (line.partition(":") for line in lines) if mark}
