"""Which site shows whether anything was lost?

Pages known in advance, and on the way between them what a crash could tear apart: chains of
redirects, things that robots.txt forbids, that are gone, and that fail until they are given up.
"""

from __future__ import annotations

from collections.abc import Mapping

import gevent

from tests.patience import PATIENT_S
from tests.sites.generated import GeneratedSite
from tests.sites.server import NOT_FOUND, Answer, Request, html
from tests.sites.web import Web

ROBOTS = b"User-agent: *\nDisallow: /forbidden/\n"
HOPS = 3
BESIDES: Mapping[int, str] = {
    20: "/chain/{}/0",
    25: "/forbidden/{}",
    30: "/gone/{}",
    90: "/sick/{}",
}
"""Every so manieth page links to this too."""


class Maze:
    """A generated site with ways besides, served in this process; it must yield to the hub."""

    def __init__(self, site: GeneratedSite) -> None:
        self.site = site
        self.web = Web()
        self.web.reply = self._answer  # type: ignore[method-assign]  # all paths, none told

    def __repr__(self) -> str:
        return f"<Maze {self.site.pages} pages at {self.web.url()}>"

    @property
    def seed(self) -> str:
        """Where to begin."""
        return self.web.url()

    @property
    def asked(self) -> int:
        """How many requests came so far."""
        return len(self.web.whole_log)

    @property
    def asked_by_the_dead(self) -> int:
        """How many requests came, when those that a killed crawl had in flight are counted too."""
        with gevent.Timeout(PATIENT_S, AssertionError("a crawl is still connected")):
            while self.web.conversations:
                gevent.sleep(0.005)
        return self.asked

    def urls_since(self, mark: int) -> list[str]:
        """The URLs that were asked for after so many requests."""
        return [self.web.url(hit.path) for hit in self.web.whole_log[mark:]]

    def close(self) -> None:
        """Stop answering."""
        self.web.close()

    def _answer(self, request: Request) -> Answer:
        path = request.target
        if path == "/robots.txt":
            return Answer(headers={"Content-Type": "text/plain"}, body=ROBOTS, wait_s=0.05)
        kind, _, rest = path.removeprefix("/").partition("/")
        if kind == "chain":
            return self._hop(rest)
        if kind == "after":
            return Answer(body=html(f"After {rest}", f'<a href="/">home {rest}</a>'))
        if kind == "sick":
            return Answer(status=500, body=html("Sick", "<h1>Not well</h1>"), wait_s=0.01)
        return self._page(path)

    def _hop(self, rest: str) -> Answer:
        number, _, hop = rest.partition("/")
        following = int(hop) + 1
        target = f"/chain/{number}/{following}" if following < HOPS else f"/after/{number}"
        return Answer(status=302, headers={"Location": target}, wait_s=0.02)

    def _page(self, path: str) -> Answer:
        number = self.site.number(path)
        if number is None:
            return NOT_FOUND
        more = "".join(
            f'<p><a href="{way.format(number)}">way {number}</a></p>'
            for every, way in BESIDES.items()
            if number % every == 0
        )
        body = self.site.body(number).replace(b"\n</body>", f"{more}\n</body>".encode(), 1)
        return Answer(body=body, wait_s=self.site.latency_s(number))
