"""Is everything there that settings name, before anything is fetched?"""

from __future__ import annotations

import os
import ssl
from importlib.util import find_spec

from crawler.config import AUTHORITIES, SYSTEM_STORE, Config
from crawler.errors import UsageError


def check_what_is_named(config: Config) -> None:
    """Files of certificates, and what speaks HTTP/2. Raises UsageError, one line."""
    if config.fetch.verify_tls and (authorities := os.environ.get(AUTHORITIES)):
        _check_authorities(authorities)
    check_certificates(config)
    check_http2(config)


def check_certificates(config: Config) -> None:
    """Load once what settings name, of all sites and of some."""
    files = [("fetch.ca_file", config.fetch.ca_file)]
    for name, site in config.site.items():
        where = f'site."{name}"'
        files.append((f"{where}.ca_file", site.ca_file or ""))
        if site.client_cert:
            _check(f"{where}.client_cert", True, site.client_cert, site.client_key or "")
    for where, path in files:
        if path and path != SYSTEM_STORE:
            _check(where, path)


def check_http2(config: Config) -> None:
    """Is there what speaks it, where somebody asks for it?"""
    wishes = {"fetch.http2": config.fetch.http2}
    wishes |= {f'site."{name}".http2': site.http2 or "never" for name, site in config.site.items()}
    for where, wish in wishes.items():
        if wish != "never" and find_spec("hpack") is None:
            raise UsageError(f"{where}: {wish} needs more: pip install 'crawler[http2]'")


def _check(where: str, verify: bool | str, cert: str = "", key: str = "") -> None:
    from crawler.fetch import tls  # and requests, which a conductor has no use for

    try:
        tls.context(verify, cert, key)
    except ssl.SSLError:
        what = "a certificate with its key" if cert else "certificates"
        raise UsageError(f"{where}: {cert or verify}: not {what} in PEM form") from None
    except OSError as error:
        raise UsageError(f"{where}: {cert or verify}: {error.strerror}") from None


def _check_authorities(path: str) -> None:
    """Load them once: a wrong file should be known before anything is fetched."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except ssl.SSLError:
        raise UsageError(f"{AUTHORITIES}: {path}: no certificates in PEM form") from None
    except OSError as error:
        raise UsageError(f"{AUTHORITIES}: {path}: {error.strerror}") from None
