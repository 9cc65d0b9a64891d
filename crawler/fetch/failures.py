"""Which word of ``visits.error`` names a failure, and what is a person told about it?"""

from __future__ import annotations

import errno
import logging
import re
import socket
import ssl
from collections.abc import Callable
from typing import Final

from requests import exceptions as foreign

from crawler.fetch.shortage import Shortage
from crawler.model import Doubt

_log = logging.getLogger(__name__)

DETAIL_MAX: Final = 300
"""Characters of a detail that are kept."""

CHAIN: Final = 20
"""Errors behind an error that are looked at."""

_CONTROLS: Final = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))} | {
    0: "\ufffd",
    9: " ",
    0x2028: "\\u2028",
    0x2029: "\\u2029",
}


def printable(text: str) -> str:
    """A stranger's text without control characters: NUL is U+FFFD, a tab a space, others ``\\x1b``.

    Terminals obey escape sequences, and a reason phrase may carry them (curl test 1425).
    """
    return text if text.isprintable() else text.translate(_CONTROLS)


def shown(text: str) -> str:
    """One line for people, of at most `DETAIL_MAX` characters."""
    return printable(text)[:DETAIL_MAX]


class Failure(foreign.RequestException):
    """A request that came to nothing, or to less than a whole answer.

    word: of ``visits.error``.
    detail: one line for people, printable.
    doubt: why it may be our own network's; told before the detail, too.
    try_again: the resolver could not say whether there is such a name.
    """

    def __init__(
        self, word: str, detail: str, *, doubt: Doubt | None = None, try_again: bool = False
    ) -> None:
        self.word = word
        told = detail if doubt is None else f"{doubt}: {detail}"
        self.detail = shown(told)
        self.doubt = doubt
        self.try_again = try_again
        super().__init__(f"{word}: {self.detail}")


class Doubtful(Failure):
    """A host that could not be reached, or fell silent; it may be our own network's failure."""


class Unended(Failure):
    """A body whose end was not told, although nothing is missing of what had begun: it may be whole
    if what it says has an end of its own."""


class Unprocessed(Failure):
    """A server that has done nothing of what it was asked for, and says so: it may be asked again.

    plainly: by HTTP/1.1.
    """

    def __init__(self, word: str, detail: str, *, plainly: bool = False) -> None:
        super().__init__(word, detail)
        self.plainly = plainly


_NO_WAY: Final = frozenset(
    {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
)
_FAR: Final = _NO_WAY | {errno.ETIMEDOUT}
"""Errors that no host has sent."""

_WORD_OF_ERRNO: Final = {
    errno.ECONNREFUSED: "connect_refused",
    errno.EHOSTUNREACH: "connect_refused",
    errno.ENETUNREACH: "connect_refused",
    errno.EACCES: "connect_refused",
    errno.EPERM: "connect_refused",
    errno.ETIMEDOUT: "connect_timeout",
    errno.ECONNRESET: "conn_reset",
    errno.EPIPE: "conn_closed",
    errno.ECONNABORTED: "conn_reset",
}


def of_connecting(failure: OSError) -> Failure:
    """The failure of a connect()."""
    if isinstance(failure, TimeoutError) and failure.errno is None:
        return Doubtful("connect_timeout", "no answer to the attempt to connect")
    kind = Doubtful if failure.errno in _FAR else Failure
    return kind(_WORD_OF_ERRNO.get(failure.errno or 0, "connect_refused"), _says(failure))


def of_talking(failure: OSError) -> Failure:
    """The failure of a read or write on a connection that stood."""
    if isinstance(failure, Failure):  # like all exceptions of requests, an OSError too
        return failure
    if isinstance(failure, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return Failure("conn_closed", "the connection was closed without notice")
    if isinstance(failure, ssl.SSLError):
        return Failure("tls_proto", _says(failure))
    if isinstance(failure, TimeoutError):
        return Doubtful("timeout", "the server fell silent")
    kind = Doubtful if failure.errno in _FAR else Failure
    return kind(_WORD_OF_ERRNO.get(failure.errno or 0, "conn_reset"), _says(failure))


def _says(failure: OSError) -> str:
    return failure.strerror or str(failure) or type(failure).__name__


def _of_broken_tls(failure: BaseException) -> Failure:
    word = "tls_verify" if "CERTIFICATE_VERIFY_FAILED" in str(failure) else "tls_proto"
    return Failure(word, str(failure))


def _of_broken_connection(failure: BaseException) -> Failure:
    text = str(failure)
    return next(
        (Failure(word, text) for word, sign in _SIGNS if sign.search(text)),
        Failure("conn_closed", text),
    )


_SIGNS: Final = tuple(
    (word, re.compile(sign))
    for word, sign in (
        ("dns_fail", r"NameResolutionError|getaddrinfo|Failed to resolve"),
        ("connect_refused", r"refused|unreachable"),
        ("conn_reset", r"reset by peer"),
        ("proto_error", r"BadStatusLine|InvalidChunkLength|InvalidHeader|LineTooLong"),
    )
)


def _as(word: str) -> Callable[[BaseException], Failure]:
    return lambda failure: Failure(word, str(failure) or type(failure).__name__)


_FOREIGN: Final[tuple[tuple[type[BaseException], Callable[[BaseException], Failure]], ...]] = (
    # Children before parents: the first that fits is taken.
    (foreign.ConnectTimeout, _as("connect_timeout")),
    (foreign.ReadTimeout, _as("timeout")),
    (foreign.SSLError, _of_broken_tls),
    (foreign.ChunkedEncodingError, _of_broken_connection),
    (foreign.ContentDecodingError, _as("decode_error")),
    (foreign.ConnectionError, _of_broken_connection),
    (socket.gaierror, _as("dns_fail")),
    (Shortage, _as("cancelled")),
)


def failure_of(caught: Exception) -> Failure:
    """The failure that any exception of an adapter stands for, ours or another's."""
    if isinstance(caught, Failure):
        return caught
    for kind, make in _FOREIGN:
        if isinstance(caught, kind):
            return make(caught)
    if isinstance(caught, OSError) and not isinstance(caught, foreign.RequestException):
        return of_talking(caught)
    # Nobody foresaw this one: the crawl goes on, and whoever mends it finds where it came from.
    _log.warning("unexpected failure of a fetch", exc_info=caught)
    return Failure("proto_error", f"{type(caught).__name__}: {caught}")


def untrace(error: BaseException) -> None:
    """Drops the tracebacks of an error that has been told, and of those behind it.

    They hold the frames in which it came up, and with them the body that had come so far, in a
    circle that only the collector of cycles would find, some thousand pages later.
    """
    behind: BaseException | None = error
    for _ in range(CHAIN):
        if behind is None:
            return
        behind.__traceback__ = None
        behind = behind.__cause__ or behind.__context__
