"""Is the other side who its name says?

One context for each policy and process, made at the first connection that needs it: loading the
authorities costs 18 ms of CPU, a handshake with a loaded context 1.4 ms.
"""

from __future__ import annotations

import os
import ssl as stock
from functools import cache
from typing import Any, Final

import certifi
import msgspec
from gevent import socket, ssl

from crawler.config import AUTHORITIES, SYSTEM_STORE, Http2
from crawler.fetch.failures import Failure, of_talking

Verify = bool | str
"""True: the authorities of certifi, or of ``$SSL_CERT_FILE``; a path: those of a PEM file;
``system``: those of this machine; False: anybody is believed."""


class Trust(msgspec.Struct, frozen=True):
    """Who is believed, and who we are: connections under one policy serve no request under another.

    cert, key: PEM files of the certificate that is shown; empty for none, and for a key beside its
    certificate.
    """

    verify: Verify = True
    cert: str = ""
    key: str = ""


CIPHERS: Final = "DEFAULT:!DHE"
"""As old as browsers and curl speak: a crawler sends no secrets, so a site with RSA key exchange or
CBC is read, and that it is weak is noted. Finite-field DHE is left out, as browsers do: a server
that prefers it with a short prime would be refused although it has something better."""
_LEGACY_CONNECT: Final = 0x4
"""SSL_OP_LEGACY_SERVER_CONNECT: servers without RFC 5746 are talked to; we never renegotiate."""
_AUTHENTICATED: Final = ("GCM", "CCM", "POLY1305")
_EPHEMERAL: Final = ("TLS_", "ECDHE-", "DHE-")

_NAMES_SHOWN: Final = 5


class Security(msgspec.Struct, frozen=True):
    """What a handshake came to.

    version: ``TLSv1.2``. cipher: OpenSSL's name for it. weak: not what RFC 9325 recommends. until:
    the end of the certificate's time, in seconds of the epoch; None where it was not verified.
    """

    version: str
    cipher: str
    weak: bool
    until: int | None = None


def security(stream: ssl.SSLSocket) -> Security | None:
    """What a handshake came to; None before it is done."""
    version, cipher = stream.version(), stream.cipher()
    if version is None or cipher is None:
        return None
    return Security(version, cipher[0], is_weak(version, cipher[0]), _until(stream))


def _until(stream: ssl.SSLSocket) -> int | None:
    certificate = stream.getpeercert() or {}
    try:
        return stock.cert_time_to_seconds(str(certificate.get("notAfter")))
    except ValueError:
        return None


def is_weak(version: str, cipher: str) -> bool:
    """Whether a recording could be read later, or the cipher is one that has been attacked: before
    TLS 1.2, without forward secrecy, or not authenticated (RFC 9325, sections 3.1.1, 4.1 and 4.2).
    """
    return (
        version not in ("TLSv1.2", "TLSv1.3")
        or not cipher.startswith(_EPHEMERAL)
        or not any(kind in cipher for kind in _AUTHENTICATED)
    )


H2: Final = "h2"
_OFFERED: Final[dict[Http2, list[str]]] = {
    "never": ["http/1.1"],
    "auto": [H2, "http/1.1"],
    "always": [H2],
}
"""Names of protocols, by the wish for HTTP/2 (RFC 7301; RFC 9113, section 3.2)."""


@cache
def context(
    verify: Verify, cert: str = "", key: str = "", http2: Http2 = "never"
) -> ssl.SSLContext:
    """The one context of a policy: TLS 1.2 or newer. Raises OSError for a file that is not what it
    should be."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = stock.TLSVersion.TLSv1_2
    made.set_ciphers(CIPHERS)
    made.options |= _LEGACY_CONNECT
    made.set_alpn_protocols(_OFFERED[http2])
    if verify is False:
        made.check_hostname = False
        made.verify_mode = stock.CERT_NONE
    elif verify == SYSTEM_STORE:
        made.set_default_verify_paths()
    else:
        own = os.environ.get(AUTHORITIES) or certifi.where()
        made.load_verify_locations(cafile=own if verify is True else verify)
    if cert:
        # A key behind a password would have it asked for on the terminal.
        made.load_cert_chain(cert, key or None, password=lambda: b"")
    return made


def wrap(
    plain: socket.socket, host: str, policy: ssl.SSLContext, timeout_s: float
) -> ssl.SSLSocket:
    """A connection over which the host has proved its name; the plain socket is consumed.

    Raises Failure: ``tls_verify`` with the facts of the certificate, ``tls_proto`` when the other
    side does not speak TLS as we do, ``timeout``, ``conn_reset`` or ``conn_closed``.
    """
    plain.settimeout(timeout_s)
    name = host.removeprefix("[").removesuffix("]").removesuffix(".")
    secure = None
    try:
        secure = policy.wrap_socket(plain, server_hostname=name, do_handshake_on_connect=False)
        secure.do_handshake()
    except BaseException as caught:
        failure = _failure(caught, secure)
        (secure or plain).close()
        if failure is None:
            raise
        raise failure from caught
    return secure


def _failure(caught: BaseException, secure: ssl.SSLSocket | None) -> Failure | None:
    if isinstance(caught, stock.SSLCertVerificationError):
        reason = f"{caught.verify_message} (code {caught.verify_code})"
        return Failure("tls_verify", "; ".join((reason, *_facts(secure))))
    if isinstance(caught, TimeoutError):
        return Failure("timeout", "the TLS handshake stalled")
    if isinstance(caught, ssl.SSLError) and "no application protocol" in str(caught):
        return Failure("tls_proto", "it refuses this version of HTTP: see fetch.http2")
    if isinstance(caught, OSError):
        return of_talking(caught)
    if isinstance(caught, ValueError):  # a name that no certificate can hold
        return Failure("tls_proto", str(caught))
    return None


def _facts(secure: ssl.SSLSocket | None) -> list[str]:
    """Names, issuer and expiry of the certificate that was refused.

    Read from the handshake that failed; getpeercert() answers only for those that succeed.
    """
    raw: Any = getattr(secure, "_sslobj", None)
    chain = raw.get_unverified_chain() if hasattr(raw, "get_unverified_chain") else None
    if not chain:
        return []
    return describe(chain[0].get_info())


def describe(certificate: dict[str, Any]) -> list[str]:
    """What a person wants to know of a certificate, as phrases."""
    names = [value for _, value in certificate.get("subjectAltName", ())]
    shown = names[:_NAMES_SHOWN] + (["..."] if len(names) > _NAMES_SHOWN else [])
    issuer = [value for part in certificate.get("issuer", ()) for _, value in part]
    return [
        f"names: {', '.join(shown) or 'none'}",
        f"issuer: {', '.join(issuer) or 'none'}",
        f"valid until {certificate.get('notAfter', 'unknown')}",
    ]
