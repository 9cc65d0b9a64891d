"""What can the crawler be tried on without internet?

The Lantern Coast: about two hundred pages of a made-up tourist office, served on loopback by
gevent's own server. It has the faults that real sites have, so that every question a crawl can
answer has an answer here: broken links, redirect chains, a loop, duplicate titles, images without
alternative text, a slow page, a page that nothing links to, a folder that robots.txt forbids.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from http import HTTPStatus
from random import Random
from typing import TYPE_CHECKING

import gevent
import msgspec
from gevent.pywsgi import WSGIServer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

SEED = 1874
HARBOURS, KEEPERS, JOURNAL, SHOP = 60, 40, 70, 20
SLOW_S = 1.5
BASE = "http://base.invalid"
"""Stands for the site's own address, which is not known before it is served."""

MOVED = {
    "/harbour": "/harbours/",
    "/start": "/begin",
    "/begin": "/welcome",
    "/welcome": "/",
    "/ring/one": "/ring/two",
    "/ring/two": "/ring/one",
    "/tickets": "/shop/ferry-ticket",
}
"""Redirects: a plain one, a chain of three, a ring, and one that ends nowhere."""

BROKEN = (
    ("/", "/news", "News"),
    ("/harbours/", "/harbours/atlantis", "Atlantis"),
    ("/harbours/7", "/harbours/tide-table.pdf", "tide table"),
    ("/keepers/3", "/keepers/3/portrait", "a portrait"),
    ("/journal/5", "/journal/1873", "the year before"),
    ("/journal/41", "journal/40", "yesterday"),
    ("/shop/", "/shop/lamp-oil", "Lamp oil"),
    ("/about", "/tickets", "Buy a ticket"),
)
"""Links that lead nowhere: the page, the href as it stands there, its anchor."""

ROBOTS = f"""User-agent: *
Disallow: /private/
Sitemap: {BASE}/sitemap.xml
"""

FIRST = ("Amber", "Bell", "Cold", "Deep", "East", "Far", "Grey", "High", "Long", "North", "Old")
SECOND = ("anchor", "bay", "cove", "haven", "ness", "point", "quay", "reach", "sound", "strand")
WORDS = (
    *("the lamp", "the tide", "a keeper", "the boat", "the fog", "a gull", "the wind", "the pier"),
    *("was lit", "came late", "turned north", "kept the hours", "rose in the night", "went out"),
    *("before dawn", "in the third week", "with the herring", "as the log says", "without a sound"),
)


class Page(msgspec.Struct, frozen=True):
    """What stands at a path.

    path: with its query. body: text; `BASE` in it becomes the site's address. wait_s: silence
    before the answer. location: where a redirect leads.
    """

    path: str
    body: str = ""
    status: int = 200
    content_type: str = "text/html; charset=utf-8"
    wait_s: float = 0.0
    location: str | None = None


class Site(msgspec.Struct, frozen=True):
    """All pages by their path."""

    pages: Mapping[str, Page]

    def application(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer as a WSGI application."""
        query = environ["QUERY_STRING"]
        path = environ["PATH_INFO"] + (f"?{query}" if query else "")
        page = self.pages.get(path, NOT_FOUND)
        gevent.sleep(page.wait_s)
        body = page.body.replace(BASE, f"http://{environ['HTTP_HOST']}").encode()
        headers = [("Content-Type", page.content_type), ("Content-Length", str(len(body)))]
        headers += [("Location", page.location)] if page.location else []
        start_response(f"{page.status} {HTTPStatus(page.status).phrase}", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


@contextmanager
def serve(seed: int = SEED, *, port: int = 0) -> Iterator[str]:
    """Serve the site on a port of 127.0.0.1 (0: a free one) and give ``http://127.0.0.1:PORT/``.

    The server runs in this process: it answers whenever the caller yields to gevent's hub.
    """
    server = WSGIServer(("127.0.0.1", port), build(seed).application, log=None)
    server.start()
    # pywsgi sends head and body apart; without this each answer on a kept connection is 40 ms late
    server.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.stop(timeout=0)


def build(seed: int = SEED) -> Site:
    """The whole site; the same seed gives the same site."""
    chance = Random(seed)
    pages = [
        *_front(),
        *_harbours(chance),
        *_keepers(chance),
        *_journal(chance),
        *_shop(chance),
        *_oddities(chance),
        *(Page(path, status=301, location=target) for path, target in MOVED.items()),
    ]
    return Site({page.path: page for page in [*pages, _sitemap(pages)]})


def _front() -> list[Page]:
    sections = [
        ("/harbours/", "Harbours"),
        ("/keepers/", "Keepers"),
        ("/journal/", "Journal"),
        ("/shop/", "Shop"),
        ("/about", "About the coast"),
        ("/start", "Start here"),
        ("/harbour", "The harbour of the week"),
        ("/ring/one", "Round trip"),
        ("/map", "Map"),
        ("/archive/ledger", "The great ledger"),
        ("/private/accounts", "Accounts"),
        ("/press/kit", "Press kit"),
        ("https://www.example.org/", "Our sister coast"),
    ]
    feed = '<link rel="alternate" type="application/atom+xml" href="/journal/feed.xml">'
    about = _paragraphs(Random(1), 3) + _image("/pictures/office.svg", "The tourist office")
    return [
        _page("/", "The Lantern Coast", _list(sections), head=feed),
        _page("/about", "About the Lantern Coast", about),
    ]


def _harbours(chance: Random) -> list[Page]:
    names = [f"{first}{second}" for first in FIRST for second in SECOND]
    chance.shuffle(names)
    index = [(f"/harbours/{n}", names[n]) for n in range(HARBOURS)]
    pages = [_page("/harbours/", "Harbours", _list(index))]
    for n in range(HARBOURS):
        near = [index[chance.randrange(HARBOURS)] for _ in range(3)]
        alt = None if n % 6 == 0 else f"The pier of {names[n]}"
        keeper = [(f"/keepers/{n % KEEPERS}", "its keeper")]
        body = _image(f"/pictures/{n}.svg", alt) + _paragraphs(chance, 4) + _list(near + keeper)
        pages.append(_page(f"/harbours/{n}", names[n], body, described=n % 9 != 0))
    return pages


def _keepers(chance: Random) -> list[Page]:
    index = [(f"/keepers/{n}", f"Keeper {n}") for n in range(KEEPERS)]
    pages = [_page("/keepers/", "Keepers", _list(index))]
    for n in range(KEEPERS):
        links = [(f"/harbours/{n}", "the harbour"), (f"/keepers/{(n + 1) % KEEPERS}", "the next")]
        pages.append(_page(f"/keepers/{n}", f"Keeper {n}", _paragraphs(chance, 3) + _list(links)))
    return pages


def _journal(chance: Random) -> list[Page]:
    """A chain of entries, each with its neighbours; the index shows only the newest ten."""
    newest = [(f"/journal/{n}", f"Entry {n}") for n in range(JOURNAL - 1, JOURNAL - 11, -1)]
    entries = "".join(
        f"<entry><id>{BASE}{path}</id><title>{title}</title><updated>1874-03-01T00:00:00Z</updated>"
        f'<link href="{path}"/></entry>'
        for path, title in newest
    )
    feed = f'<feed xmlns="http://www.w3.org/2005/Atom"><title>Journal</title>{entries}</feed>'
    pages = [
        _page("/journal/", "Journal", _list(newest)),
        Page("/journal/feed.xml", feed, content_type="application/atom+xml"),
        Page("/journal/withdrawn", "<h1>Withdrawn</h1>", status=410),
    ]
    for n in range(JOURNAL):
        links = [(f"/journal/{n - 1}", "earlier")] if n else [("/journal/withdrawn", "withdrawn")]
        links += [(f"/journal/{n}?print=1", "to print")] if n % 10 == 0 else []
        links += [(f"/harbours/{chance.randrange(HARBOURS)}", "where it was seen")]
        canonical = f'<link rel="canonical" href="{BASE}/journal/{n}">'
        body = _paragraphs(chance, 5) + _list(links)
        page = _page(f"/journal/{n}", f"Journal, entry {n}", body, head=canonical)
        pages.append(page)
        if n % 10 == 0:
            # the older half of the copies forgot to say whose copies they are
            copy = page.body if n >= JOURNAL // 2 else page.body.replace(canonical, "")
            pages.append(Page(f"{page.path}?print=1", copy))
    return pages


def _shop(chance: Random) -> list[Page]:
    """Articles whose titles somebody forgot to write."""
    index = [(f"/shop/{n}", f"Article {n}") for n in range(SHOP)]
    pages = [_page("/shop/", "Shop", _list([*index, ("/shop/basket", "Your basket")]))]
    pages += [
        _page(path, "Shop", _paragraphs(chance, 1) + _list([("/shop/", "all articles")]))
        for path, _ in index
    ]
    noindex = '<meta name="robots" content="noindex">'
    return [*pages, _page("/shop/basket", "Your basket", "<p>It is empty.</p>", head=noindex)]


def _oddities(chance: Random) -> list[Page]:
    ledger = _page("/archive/ledger", "The great ledger", _paragraphs(chance, 40))
    plain = "text/plain; charset=utf-8"
    return [
        Page("/robots.txt", ROBOTS, content_type=plain),
        Page("/press/kit", "Lantern Coast, for the press: all is well.\n", content_type=plain),
        Page(ledger.path, ledger.body, wait_s=SLOW_S),
        _page("/private/accounts", "Accounts", "<p>Nobody should have come here.</p>"),
        _page("/keepers/forgotten", "The forgotten keeper", _paragraphs(chance, 2)),
        Page("/map", '<!doctype html><title>Map</title><div id="app"></div><script src="/map.js">'),
        Page("/map.js", "document.title = 'Map';\n", content_type="text/javascript"),
    ]


def _sitemap(pages: Sequence[Page]) -> Page:
    """Every page of HTML that is no copy, also the one that nothing links to."""
    listed = [
        page.path
        for page in pages
        if page.status == 200
        and page.content_type.startswith("text/html")
        and "?" not in page.path
        and not page.path.startswith("/private/")
    ]
    entries = "".join(f"<url><loc>{BASE}{path}</loc></url>\n" for path in listed)
    space = "http://www.sitemaps.org/schemas/sitemap/0.9"
    text = f'<?xml version="1.0"?>\n<urlset xmlns="{space}">\n{entries}</urlset>\n'
    return Page("/sitemap.xml", text, content_type="application/xml")


def _page(path: str, title: str, body: str, *, head: str = "", described: bool = True) -> Page:
    description = f'<meta name="description" content="{escape(title)} on the Lantern Coast">'
    broken = [(href, anchor) for source, href, anchor in BROKEN if source == path]
    return Page(
        path,
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}'
        f"</title>{description if described else ''}{head}</head>\n<body>"
        f'<nav><a href="/">Home</a></nav>\n<main><h1>{escape(title)}</h1>\n{body}{_list(broken)}'
        f"</main>\n<footer>The Lantern Coast tourist office</footer></body></html>\n",
    )


def _list(links: Sequence[tuple[str, str]]) -> str:
    items = "".join(f'<li><a href="{href}">{escape(text)}</a></li>\n' for href, text in links)
    return f"<ul>\n{items}</ul>\n" if items else ""


def _image(source: str, alt: str | None) -> str:
    described = "" if alt is None else f' alt="{escape(alt)}"'
    return f'<img src="{source}"{described}>\n'


def _paragraphs(chance: Random, count: int) -> str:
    return "".join(
        f"<p>{' '.join(_sentence(chance) for _ in range(4))}</p>\n" for _ in range(count)
    )


def _sentence(chance: Random) -> str:
    return " ".join(chance.choices(WORDS, k=6)).capitalize() + "."


NOT_FOUND = Page("", "<!doctype html><title>Not found</title><h1>Not found</h1>", status=404)
