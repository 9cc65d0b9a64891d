"""What did the network say?"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from crawler.model.links import Target

Doubt = Literal["nothing else answers", "nothing has answered yet"]
"""Why a failure may be our own network's: what had answered before does not either, or nothing has
in this run so far."""
NOTHING_ELSE: Final[Doubt] = "nothing else answers"
NOTHING_YET: Final[Doubt] = "nothing has answered yet"


class Reply(msgspec.Struct, frozen=True, array_like=True):
    """What the network said, or why it did not.

    status: HTTP status 100..999, None when no answer came.
    error: a word of ``visits.error``, None for any HTTP answer that came whole.
    error_detail: one line for people, control characters escaped.
    ip: the address connected to.
    http_version: ``1.0``, ``1.1`` or ``2``.
    dns_ms, connect_ms, tls_ms, ttfb_ms, total_ms: durations; None when the phase did not happen
        (a kept-alive connection has no dns, connect and tls).
    wire_bytes: body bytes received, before decoding.
    truncated: ``length``, ``disconnect`` or ``time`` when the body is only a prefix.
    headers: names and values in order of arrival, latin-1 decoded, control characters replaced.
    redirect: where a 3xx with a usable Location points.
    redirect_fragment: the fragment of that Location.
    retry_after_s: seconds the server asks to wait (Retry-After in either form), a year at most.
    body: decoded body, at most the cap; never crosses a process border.
    doubt: why the failure may not be the host's, None where it is. try_again: the resolver asked
        for it: it could not say whether there is such a name.
    tls_version, tls_cipher: what the connection was secured with, a kept one, too; None without.
    tls_weak: that is less than RFC 9325 recommends; None without TLS.
    certificate_until: when the certificate ends that the connection was made with, in seconds of
        the epoch; None for a kept one, without TLS, and where nothing was verified.
    addresses: where the host is, though the job names others; nothing was sent, and the job is to
        be given out anew.
    note: one line for people of an answer that is none the worse for it; None for nothing.
    """

    status: int | None = None
    error: str | None = None
    error_detail: str | None = None
    ip: str | None = None
    http_version: str | None = None
    dns_ms: float | None = None
    connect_ms: float | None = None
    tls_ms: float | None = None
    ttfb_ms: float | None = None
    total_ms: float | None = None
    wire_bytes: int = 0
    truncated: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    redirect: Target | None = None
    redirect_fragment: str | None = None
    retry_after_s: float | None = None
    body: bytes = b""
    doubt: Doubt | None = None
    try_again: bool = False
    tls_version: str | None = None
    tls_cipher: str | None = None
    tls_weak: bool | None = None
    addresses: tuple[str, ...] = ()
    note: str | None = None
    certificate_until: int | None = None

    def header(self, name: str) -> str | None:
        """The last value of a header by its lower-case name, or None."""
        for key, value in reversed(self.headers):
            if key.lower() == name:
                return value
        return None
