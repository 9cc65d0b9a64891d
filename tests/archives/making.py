"""How does a test write an archive as others write them?"""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence

Headers = Mapping[str, str]


def record(
    kind: str,
    url: str,
    block: bytes,
    *,
    at: str = "2019-05-06T07:08:09Z",
    more: Headers | Sequence[tuple[str, str]] = (),
    number: int = 1,
    length: str | None = None,
    version: str = "1.0",
    content_type: str | None = None,
) -> bytes:
    """A record, not packed. number: of its id. length: what it says of its own."""
    named = {
        "WARC-Type": kind,
        "WARC-Record-ID": f"<urn:uuid:00000000-0000-4000-8000-{number:012d}>",
        "WARC-Date": at,
        "WARC-Target-URI": url,
        "Content-Type": content_type or f"application/http; msgtype={kind}",
    }
    pairs = [*named.items(), *(more.items() if isinstance(more, Mapping) else more)]
    pairs.append(("Content-Length", str(len(block)) if length is None else length))
    head = f"WARC/{version}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in pairs)
    return head.encode() + b"\r\n" + block + b"\r\n\r\n"


def answer(body: bytes = b"", *, status: str = "200 OK", headers: Headers | None = None) -> bytes:
    """An answer as it was sent; of HTML where nothing else is said."""
    said = {"Content-Type": "text/html", "Content-Length": str(len(body))} | dict(headers or {})
    lines = "".join(f"{name}: {value}\r\n" for name, value in said.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body


def question(method: str, path: str = "/") -> bytes:
    """A request as it was sent."""
    return f"{method} {path} HTTP/1.1\r\nHost: a.example\r\n\r\n".encode()


def page(title: str, body: str = "") -> bytes:
    """A page."""
    return f"<!doctype html><title>{title}</title><p>{title} {body}</p>".encode()


def response(url: str, title: str, **more: object) -> bytes:
    """A record of a page."""
    return record("response", url, answer(page(title)), **more)  # type: ignore[arg-type]


def packed(*records: bytes) -> bytes:
    """An archive whose records are gzip members, as they should be."""
    return b"".join(gzip.compress(one, mtime=0) for one in records)
