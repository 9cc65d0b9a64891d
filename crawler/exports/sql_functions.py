"""What can SQL ask of addresses and bodies, in sqlite-utils and in Datasette?

    url_host('https://www.example.org:8443/a')    www.example.org
    registered_domain('www.example.co.uk')        example.co.uk, also of an address
    url_parts(url)                                JSON: scheme, host, port, path, query, fragment
    body_html(body)                               the markup of bodies.body, unpacked and decoded
    body_text(body)                               what a person reads there

Both ask this module when a database is opened (its entry points stand in pyproject.toml). A second
argument of the last two is the charset, as ``bodies.charset`` has it. What has no answer is NULL.
None of it is needed for any view of ours, and none of it is loaded before it is asked for.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from typing import Any, Final

from pluggy import HookimplMarker

MAX_BYTES: Final = 64 * 1024 * 1024
"""Of a body that is unpacked."""


@HookimplMarker("datasette")
@HookimplMarker("sqlite_utils")
def prepare_connection(conn: Any) -> None:
    """Add the functions to a connection of whichever library."""
    for name, function, counts in FUNCTIONS:
        for count in counts:
            conn.create_function(name, count, _answering(function), deterministic=True)


def url_host(url: str) -> str | None:
    """The host of an address, as browsers read it."""
    found = _parsed(url)
    return found.hostname if found is not None and found.hostname else None


def registered_domain(of: str) -> str | None:
    """The part of a host's name that can be bought; an address may be given, too."""
    from crawler.policy import urls

    host = url_host(of) if "://" in of else of.lower().rstrip(".")
    return urls.registered_domain(host) if host else None


def url_parts(url: str) -> str | None:
    """The parts of an address as JSON; the port is null where it is the scheme's own."""
    found = _parsed(url)
    if found is None:
        return None
    parts = {
        "scheme": found.protocol.rstrip(":"),
        "host": found.hostname,
        "port": int(found.port) if found.port else None,
        "path": found.pathname,
        "query": found.search.removeprefix("?"),
        "fragment": found.hash.removeprefix("#"),
    }
    return json.dumps(parts, ensure_ascii=False)


def body_html(body: bytes | str, charset: str | None = None) -> str | None:
    """A body as text, as browsers decode it; None of what is no text."""
    from crawler.parse.charset import decode
    from crawler.parse.sniff import HTML_TYPES, media_type

    if isinstance(body, str):
        return body
    plain = _unpacked(body)
    kind = media_type(None, plain) or ""
    if not (kind in HTML_TYPES or kind.startswith("text/") or kind.endswith(("xml", "json"))):
        return None
    return decode(plain, charset or None).data.decode("utf-8", "replace")


def body_text(body: bytes | str, charset: str | None = None) -> str | None:
    """What a person reads on a page, as ``texts.text`` has it of those that were crawled."""
    from crawler.config import Config
    from crawler.parse.headers import Declared
    from crawler.parse.html import read_html
    from crawler.policy.urls import UrlRules

    html = body_html(body, charset)
    if html is None:
        return None
    settings = Config()
    document = read_html(
        html.encode(),
        "http://localhost/",
        Declared(),
        content_type=None,
        charset=None,
        max_links=settings.parse.max_links,
        max_text_bytes=settings.store.text_max_bytes,
        rules=UrlRules.of(settings),
        robot="",
    )
    return document.text


FUNCTIONS: Final[tuple[tuple[str, Callable[..., Any], tuple[int, ...]], ...]] = (
    ("url_host", url_host, (1,)),
    ("registered_domain", registered_domain, (1,)),
    ("url_parts", url_parts, (1,)),
    ("body_html", body_html, (1, 2)),
    ("body_text", body_text, (1, 2)),
)
"""Names, what they do, and how many arguments they take."""


def _answering(function: Callable[..., Any]) -> Callable[..., Any]:
    """One row that has no answer must not end a query over all others."""

    def answer(given: Any, *more: Any) -> Any:
        try:
            return None if given is None else function(given, *more)
        except Exception:
            return None

    return answer


def _parsed(url: str) -> Any:
    import ada_url

    try:
        return ada_url.URL(url)
    except ValueError:
        return None


def _unpacked(body: bytes) -> bytes:
    """A body as it was sent; one that is not packed is that already."""
    try:
        return zlib.decompressobj().decompress(body, MAX_BYTES)
    except zlib.error:
        return body
