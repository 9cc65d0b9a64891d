"""Which faults does a site have, and which things only look like faults?

A site of pages without any fault, of which each may be told one: ``planted`` names the checks that
must find it, ``spared`` those that must not though it looks like theirs (a decoy). A group of
checks tells its pages in a file of `tests/analyse/planted`, on a host of its own.

    site.page("/untitled", title=None, planted=["title_missing"])
    site.page("/hidden", title=None, robots="noindex", spared=["title_missing"])
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from tests.sites.server import Answer
from tests.sites.web import Host, Web

Planted = str | tuple[str, str]
"""A check, or one with the item that it must name."""

_WORDS = (
    *("harbour", "light", "keeper", "tide", "anchor", "signal", "lantern", "vessel", "pilot"),
    *("channel", "beacon", "chart", "compass", "storm", "mooring", "jetty"),
)

_PLAIN = (
    *("sea", "light", "tide", "storm", "chart", "ship", "rope", "sail", "wind", "deck", "mast"),
    *("coast", "bay", "port", "sand", "rock"),
)


class Site:
    """One host and what its checks must say of it.

    found: check, path and item of every finding that is to be. spared: check and path of every
    decoy. front: what is told of the front page. headers: of every page that names no others; with
    ``Content-Encoding: gzip`` it is sent so. web: where other hosts are. called: the origin under
    which the file is to know it, since nothing but http and loopback addresses is crawled by a
    test.
    """

    def __init__(self, host: Host, web: Web | None = None) -> None:
        self.host = host
        self.web = web
        self.headers: dict[str, str] = {}
        self.called: str | None = None
        self.found: set[tuple[str, str, str]] = set()
        self.spared: set[tuple[str, str]] = set()
        self.front: dict[str, Any] = {}
        self._numbers = 200 * int(host.address.rpartition(".")[2])  # no two hosts say the same
        self._linked: list[str] = []

    def url(self, path: str = "/") -> str:
        """The absolute URL of a path."""
        return self.host.url(path)

    def page(
        self,
        path: str,
        *,
        title: str | None = "",
        description: str | None = "",
        h1: str | None = "",
        h2: str | None = "",
        robots: str | None = None,
        canonical: str | None = "",
        head: str = "",
        body: str = "",
        html: str | None = None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        linked: bool = True,
        planted: Iterable[Planted] = (),
        spared: Iterable[str] = (),
    ) -> None:
        """A page without a fault but for what is told of it.

        Where a text is empty it gets one that is good and its own; with None the element is not
        there. head, body: more of both. html: instead of all. linked: from the front page.
        """
        self._numbers += 1
        good = _Good(self._numbers, self.host.url(path))
        content = html if html is not None else good.html(
            title, description, h1, h2, robots, canonical, head, body
        )  # fmt: skip
        sent = {**self.headers, **(headers or {})}
        packed = sent.get("Content-Encoding") == "gzip"
        self.answer(
            path,
            Answer(status, sent, gzip.compress(content.encode()) if packed else content.encode()),
            linked=linked,
            planted=planted,
            spared=spared,
        )

    def answer(
        self,
        path: str,
        answer: Answer,
        *,
        linked: bool = True,
        planted: Iterable[Planted] = (),
        spared: Iterable[str] = (),
    ) -> None:
        """Exactly this answer."""
        self.host.answer(path, answer)
        if linked:
            self._linked.append(path)
        for one in planted:
            check, item = (one, "") if isinstance(one, str) else one
            self.found.add((check, path, item))
        self.spared |= {(check, path) for check in spared}

    def finish(self) -> None:
        """The front page, which leads to all that are linked."""
        links = "".join(
            f'<p><a href="{escape(path)}">Chapter of {path.strip("/")}</a></p>'
            for path in self._linked
        )
        linked, self._linked = self._linked, []
        self.page("/", **{"body": links, **self.front})
        self._linked = linked


class _Good:
    """Texts of a page that no check finds fault with, different for each number."""

    def __init__(self, number: int, url: str) -> None:
        first, second = divmod(number, len(_WORDS))
        self._name = f"{_WORDS[first % len(_WORDS)]} and {_WORDS[second]}"
        self._number = number
        self._url = url

    def html(
        self,
        title: str | None,
        description: str | None,
        h1: str | None,
        h2: str | None,
        robots: str | None,
        canonical: str | None,
        head: str,
        body: str,
    ) -> str:
        said = {
            "title": title or f"Notes on the {self._name}, part {self._number:03}",
            "description": description
            or f"What is known of the {self._name} of old, told in part {self._number:03} of a "
            "long account of lights and those who kept them.",
            "h1": h1 or f"The {self._name}, {self._number:03}",
            "h2": h2 or f"Of the {self._name} in year {1700 + self._number}",
        }
        shown = {
            "title": None if title is None else f"<title>{said['title']}</title>",
            "description": None
            if description is None
            else f'<meta name="description" content="{said["description"]}">',
            "robots": robots and f'<meta name="robots" content="{robots}">',
            "canonical": None
            if canonical is None
            else f'<link rel="canonical" href="{canonical or self._url}">',
            "h1": None if h1 is None else f"<h1>{said['h1']}</h1>",
            "h2": None if h2 is None else f"<h2>{said['h2']}</h2>",
        }
        parts = {name: text or "" for name, text in shown.items()}
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"{parts['title']}{parts['description']}{parts['robots']}{parts['canonical']}{head}"
            f"</head>\n<body><header></header><main>{parts['h1']}{parts['h2']}\n{body}"
            f"<p>{self._text()}</p></main></body></html>\n"
        )

    def _text(self) -> str:
        """250 words that no other page has in this order."""
        state = self._number
        words = []
        for at in range(250):
            state = (state * 1103515245 + 12345) % 2**31
            words.append(f"{_PLAIN[state >> 16 & 15]}{'.' if at % 12 == 11 else ''}")
        return " ".join(words)
