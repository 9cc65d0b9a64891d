"""Who may ask the dashboard for what?

It listens on loopback. A page of the web that a person has open can make their browser ask loopback
addresses, under names that it chose itself (DNS rebinding); so the name that is asked for has to be
one of ours, and a command has to come from a page of ours and bear a token that only these show.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from typing import Final

import msgspec

HEADERS: Final = (
    (
        "Content-Security-Policy",
        "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; "
        "object-src 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
"""Of every answer: scripts and styles are files of ours, and nobody frames or embeds it."""
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
BASIC: Final = ("WWW-Authenticate", 'Basic realm="crawler", charset="UTF-8"')
MAX_TARGET: Final = 8 * 1024
"""Bytes of a request's target."""
MAX_FIELDS: Final = 50
"""Of its query."""


class Refusal(msgspec.Struct, frozen=True):
    """Why something is not answered, with the status that says so."""

    status: str
    why: str
    headers: tuple[tuple[str, str], ...] = ()


class Guard(msgspec.Struct, frozen=True):
    """host, port: what is listened on. token: what commands bear. password: asked of everybody,
    where there is one."""

    host: str
    port: int
    token: str
    password: str = ""

    def refuse(self, environ: Mapping[str, str]) -> Refusal | None:
        """Why a request is not answered; None where it is."""
        if environ.get("REQUEST_METHOD") not in {"GET", "HEAD", "POST"}:
            return Refusal("405 Method Not Allowed", "only GET, HEAD and POST are answered")
        target = environ.get("PATH_INFO", "")
        if not target.startswith("/") or target.startswith("//"):
            return Refusal("404 Not Found", "this is no path")
        if len(target) + len(environ.get("QUERY_STRING", "")) > MAX_TARGET:
            return Refusal("414 URI Too Long", "the address is too long")
        if environ.get("QUERY_STRING", "").count("&") >= MAX_FIELDS:
            return Refusal("400 Bad Request", f"the address has more than {MAX_FIELDS} fields")
        if (refusal := self.refuse_stranger(environ)) is not None:
            return refusal
        if self.password and not self._knows(environ.get("HTTP_AUTHORIZATION", "")):
            return Refusal("401 Unauthorized", "a password is needed", (BASIC,))
        return None

    def refuse_stranger(self, environ: Mapping[str, str]) -> Refusal | None:
        """Why nothing is answered that somebody else's page may have asked. Of those a link may
        lead to a page of ours, whole and with nothing asked in its address: what is asked costs
        time and memory, whether or not they see the answer."""
        if not self._is_ours(environ.get("HTTP_HOST", "")):
            return Refusal("421 Misdirected Request", "no such host here")
        if self._is_foreign(environ) and not _is_visit(environ):
            return Refusal("403 Forbidden", "what is asked comes from pages of ours")
        return None

    @staticmethod
    def _is_foreign(environ: Mapping[str, str]) -> bool:
        """Did a page of somebody else's make the browser ask? (Fetch Metadata, Sec-Fetch-Site)"""
        return environ.get("HTTP_SEC_FETCH_SITE", "none") not in {"same-origin", "none"}

    def refuse_command(self, environ: Mapping[str, str], token: str) -> Refusal | None:
        """Why a command is not carried out. A browser names the origin of every POST (Fetch,
        "append a request Origin header"); what names none is no browser, and needs the token as
        well."""
        origin = environ.get("HTTP_ORIGIN")
        if origin is not None and origin != f"http://{environ.get('HTTP_HOST', '')}":
            return Refusal("403 Forbidden", "a command comes from the dashboard's own pages")
        if self._is_foreign(environ):
            return Refusal("403 Forbidden", "a command comes from the dashboard's own pages")
        if not hmac.compare_digest(token.encode("utf-8", "replace"), self.token.encode()):
            return Refusal("403 Forbidden", "a command bears the token of the dashboard's pages")
        return None

    def _is_ours(self, host: str) -> bool:
        name, port = _parted(host.lower())
        if port != self.port:
            return False
        if self.host in {"127.0.0.1", "::1", "localhost"}:
            return name in LOOPBACK
        # On other addresses the password keeps strangers out, whatever the name is.
        return True

    def _knows(self, header: str) -> bool:
        scheme, _, packed = header.partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            told = base64.b64decode(packed, validate=True)
        except ValueError:
            return False
        _, _, password = told.partition(b":")
        return hmac.compare_digest(password, self.password.encode("utf-8", "surrogateescape"))


def _is_visit(environ: Mapping[str, str]) -> bool:
    """Does a person go to a page? (Fetch Metadata, Sec-Fetch-Dest)"""
    is_page = environ.get("HTTP_SEC_FETCH_DEST") == "document"
    return is_page and environ.get("REQUEST_METHOD") == "GET" and not environ.get("QUERY_STRING")


def _parted(host: str) -> tuple[str, int]:
    name, colon, port = host.rpartition(":")
    if not colon or "]" in port:
        return host, 80
    return name, int(port) if port.isascii() and port.isdigit() and len(port) < 6 else 0
