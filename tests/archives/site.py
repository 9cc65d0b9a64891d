"""Which answers are hard to keep in an archive?"""

from __future__ import annotations

import gzip
import zlib

import brotli

from tests.sites.server import Answer, Request, html
from tests.sites.web import Web

PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c63f8cfc0f01f0005000201a2b3c4d50000000049454e44ae426082"
)
STYLE = "h1 { color: rgb(0, 128, 0) }"
LATIN = "<title>Gr\xfc\xdfe</title><p>\xc4pfel und \xd6l</p>".encode("latin-1")
SAME = html("Same", "<p>The very same bytes</p><a href='/again'>again</a>")
PACKED = html("Packed", "<p>" + "packed words " * 200 + "</p><a href='/deep'>deep</a>")
LONG = html("Long", "<p>" + "x" * 60_000 + "</p>")
MAX_BODY = 50_000
"""What a crawl of this site keeps of a body."""


def publish(web: Web) -> None:
    """A site whose answers were packed, in chunks, cut, moved, the same, not there, or no pages."""
    links = [
        *("/gzip", "/br", "/deflate", "/chunks", "/gzip-chunks", "/latin", "/same", "/again"),
        *("/moved", "/gone", "/long", "/empty", "/twice", "/picture.png", "/caf%C3%A9?b=2&a=1"),
        *("/private", "/broken", "/plain.txt", "/note"),
    ]
    web.page(
        "/",
        links=links,
        title="Front",
        head='<link rel="stylesheet" href="/style.css">',
        body='<img src="/picture.png" alt="A point">',
    )
    web.robots(f"User-agent: *\nDisallow: /private\nSitemap: {web.url('/sitemap.xml')}\n")
    web.raw("/sitemap.xml", headers={"Content-Type": "application/xml"}, body=_sitemap(web))
    _publish_codings(web)
    web.raw("/latin", headers={"Content-Type": "text/html; charset=iso-8859-1"}, body=LATIN)
    for path in ("/same", "/again"):
        web.raw(path, body=SAME)
    web.redirect("/moved", "/deep#part", status=301)
    web.page("/deep", title="Deep", body="<p id='part'>At the bottom</p>")
    web.raw("/gone", status=410, body=html("Gone", "<p>No more</p>"))
    web.raw("/long", body=LONG)
    web.raw("/empty", body=b"")
    web.answer("/twice", Answer(headers={"X-Twice": "one\r\nX-Twice: two"}, body=html("T", "t")))
    web.raw("/picture.png", headers={"Content-Type": "image/png"}, body=PICTURE)
    web.raw("/style.css", headers={"Content-Type": "text/css"}, body=STYLE)
    web.page("/caf%C3%A9?b=2&a=1", title="Caf\xe9")
    web.raw("/plain.txt", headers={"Content-Type": "text/plain"}, body="Plain words\n")
    web.decide("/note", _unless_known)


def _publish_codings(web: Web) -> None:
    web.raw("/gzip", headers={"Content-Encoding": "gzip"}, body=gzip.compress(PACKED))
    web.raw("/br", headers={"Content-Encoding": "br"}, body=brotli.compress(PACKED + b"<!--br-->"))
    flat = zlib.compress(PACKED + b"<!--deflate-->")
    web.raw("/deflate", headers={"Content-Encoding": "deflate"}, body=flat)
    web.raw("/chunks", headers=_chunked(), body=_in_chunks(html("Chunks", "<p>in chunks</p>")))
    web.raw(
        "/gzip-chunks",
        headers=_chunked() | {"Content-Encoding": "gzip"},
        body=_in_chunks(gzip.compress(PACKED + b"<!--both-->")),
    )
    web.raw("/broken", headers={"Content-Encoding": "gzip"}, body=b"this was never packed")


def _chunked() -> dict[str, str]:
    return {"Transfer-Encoding": "chunked", "Content-Type": "text/html"}


def _in_chunks(body: bytes) -> bytes:
    half = len(body) // 2
    parts = (body[:half], body[half:])
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def _sitemap(web: Web) -> str:
    entries = "".join(f"<url><loc>{web.url(path)}</loc></url>" for path in ("/", "/listed"))
    web.page("/listed", title="Listed")
    return f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</urlset>'


def _unless_known(request: Request) -> Answer:
    """A page that is not sent a second time."""
    if request.headers.get("if-none-match") == '"v1"':
        return Answer(304, {"ETag": '"v1"'})
    return Answer(headers={"ETag": '"v1"'}, body=html("Note", "<p>noted</p>"))
