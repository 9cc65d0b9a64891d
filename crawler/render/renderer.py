"""Which browser shows a page, and what becomes of the page if it cannot?

One browser a worker, started when a page first needs it and replaced after many pages. A page that
was in one that broke down is shown once more in a browser of its own, so that only the guilty is
blamed. Whatever goes wrong, the document as it was sent stands.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable
from typing import Final

import msgspec
from gevent.lock import BoundedSemaphore, RLock
from isal import isal_zlib

from crawler.config import Config
from crawler.model import Distinct, Document, Job, LinkColumns, Rendering, Reply
from crawler.policy import rendering
from crawler.policy.sites import Sites
from crawler.policy.urls import UrlRules, is_private_literal, resolve
from crawler.render.asking import Asking, Say
from crawler.render.both import adds_nothing, merged
from crawler.render.browser import Browser
from crawler.render.cache import Cache
from crawler.render.needs import Fetch, Needs, Where
from crawler.render.pipe import Gone
from crawler.render.tab import Shown, Tab

RENEWED_AFTER: Final = 1000
"""Pages that one browser shows: what it does not give back goes with it."""
LOST: Final = "render_lost"
_HTML: Final = ("Content-Type", "text/html; charset=utf-8")
_ISAL_LEVEL: Final = 1
_log = logging.getLogger(__name__)

FetchFor = Callable[[bool], tuple[Fetch, Where]]
"""What fetches the needs of one page, and says where their hosts are: told whether the page came
from a private address."""
Parse = Callable[[Job, Reply], Document]


class Renderer:
    """Shows the pages of one worker.

    fetch: what a page needs. say: how the conductor is asked; None where nobody can be.
    """

    def __init__(self, config: Config, fetch: FetchFor, say: Say | None) -> None:
        self._config = config
        self._sites = Sites(config)
        self._fetch = fetch
        self._asking = Asking(say) if say is not None else None
        self._cache = Cache()
        self._places = BoundedSemaphore(config.render.tabs)
        self._starting = RLock()
        self._browser: Browser | None = None
        self._users: dict[Browser, int] = {}
        self._told = False

    def __repr__(self) -> str:
        return f"<Renderer {self._browser!r}, {self._cache!r}>"

    def answered(self, answer: object) -> None:
        """The conductor answers."""
        if self._asking is not None:
            self._asking.answered(answer)  # type: ignore[arg-type]  # whoever decoded it knows

    def close(self) -> None:
        """End all browsers."""
        for browser in list(self._users):
            browser.close()

    def look(
        self, job: Job, reply: Reply, document: Document, parse: Parse
    ) -> tuple[Document, Rendering | None]:
        """What a browser shows of a page, and how that came about; the page as it is, and None,
        where nobody wants to know.

        document: of what was sent. parse: reads what was shown.
        """
        mode = self._sites.config(job.url).render.mode
        if not rendering.is_wanted(mode, job, reply, document):
            return document, None
        if self._asking is None:
            self._tell_refusal()
            return document, _bare(document, "render_refused")
        began = time.monotonic()
        with self._places:
            shown, needs = self._shown(job, reply)
        took_ms = (time.monotonic() - began) * 1000
        about = Rendering(
            _says(document),
            len(document.columns),
            error=shown.error,
            done_by=shown.done_by,
            cpu_ms=shown.cpu_ms,
            total_ms=took_ms,
            final_url=shown.url if shown.url not in ("", job.url) else None,
            needs=tuple(needs.rows),
            console=shown.console,
            picture=shown.picture,
        )
        if shown.html is None:
            return self._with_departure(document, shown, job), about
        return self._both(job, reply, document, shown, parse, about)

    def _both(
        self, job: Job, reply: Reply, document: Document, shown: Shown, parse: Parse,
        about: Rendering,
    ) -> tuple[Document, Rendering]:  # fmt: skip
        html = shown.html or b""
        headers = tuple(pair for pair in reply.headers if pair[0].lower() != "content-type")
        there = msgspec.structs.replace(job, url=shown.url)
        seen = parse(there, msgspec.structs.replace(reply, body=html, headers=(*headers, _HTML)))
        if seen.error or seen.content_type is None:  # it takes too long to read
            return document, msgspec.structs.replace(about, error="render_timeout")
        adds = not adds_nothing(document, seen, reply.body, html)
        about = msgspec.structs.replace(
            about,
            body_bytes=len(html),
            body_sha256=hashlib.sha256(html).digest() if adds else None,
            body=isal_zlib.compress(html, _ISAL_LEVEL)
            if adds and self._config.store.bodies
            else None,
        )
        both = merged(document, seen, self._config.parse.max_links)
        return msgspec.structs.replace(
            both,
            content_type=document.content_type,
            charset=document.charset,
            facts=both.facts if adds else document.facts,
        ), about

    def _with_departure(self, document: Document, shown: Shown, job: Job) -> Document:
        """Where a page's scripts left for is a link of it."""
        if shown.leads_to is None:
            return document
        target, fragment = resolve(shown.leads_to, job.url, rules=UrlRules.of(self._config))
        if target.refusal is not None or target.url == job.url:
            return document
        link = Document(
            targets=Distinct.of([target]),
            columns=LinkColumns([0], ["refresh"], fragments=[fragment] if fragment else []),
        )
        both = merged(link, document, self._config.parse.max_links + 1)
        columns = both.columns
        vias = ["rendered" if via == "source" else "source" for via in columns.vias]
        return msgspec.structs.replace(both, columns=msgspec.structs.replace(columns, vias=vias))

    # Browsers

    def _shown(self, job: Job, reply: Reply) -> tuple[Shown, Needs]:
        """What a page comes to; when the browser breaks down under it, once more by itself."""
        shown, needs = self._try(job, reply, alone=False)
        if shown.error == LOST:
            return self._try(job, reply, alone=True)
        return shown, needs

    def _try(self, job: Job, reply: Reply, *, alone: bool) -> tuple[Shown, Needs]:
        needs = self._needs(job, reply)
        try:
            browser = Browser(self._config.render) if alone else self._take()
        except (Gone, OSError) as failure:
            _log.warning("a browser does not start: %s", failure)
            return Shown(error=LOST), needs
        try:
            return Tab(browser, job, reply, needs, self._config.render).show(), needs
        finally:
            if alone:
                browser.close()
            else:
                self._give_back(browser)

    def _take(self) -> Browser:
        """The browser of this worker, a new one where it has shown enough."""
        with self._starting:
            browser = self._browser
            if browser is None or self._is_spent(browser):
                old, self._browser = browser, None
                if old is not None:
                    self._close_unused(old)
                browser = self._browser = Browser(self._config.render)
                self._users[browser] = 0
        self._users[browser] += 1
        return browser

    def _is_spent(self, browser: Browser) -> bool:
        return browser.is_gone or browser.is_worn or browser.pages >= RENEWED_AFTER

    def _give_back(self, browser: Browser) -> None:
        self._users[browser] -= 1
        if browser is not self._browser:
            self._close_unused(browser)

    def _close_unused(self, browser: Browser) -> None:
        if browser.is_gone or not self._users.get(browser):
            self._users.pop(browser, None)
            browser.close()

    def _needs(self, job: Job, reply: Reply) -> Needs:
        is_private = reply.ip is not None and is_private_literal(reply.ip)
        assert self._asking is not None
        fetch, where = self._fetch(is_private)
        return Needs(
            job,
            self._config,
            fetch,
            self._asking,
            self._cache,
            is_private=is_private,
            where=where,
        )

    def _tell_refusal(self) -> None:
        if not self._told:
            self._told = True
            _log.warning(
                "pages are not shown by workers that cannot ask what a page may ask for: they "
                "stand as they were sent"
            )


def _says(document: Document) -> Document:
    """What a document says of itself, without text and links."""
    return msgspec.structs.replace(
        document, text=None, targets=Distinct(), columns=LinkColumns(), entries=(), facts=None
    )


def _bare(document: Document, error: str) -> Rendering:
    return Rendering(_says(document), len(document.columns), error=error)
