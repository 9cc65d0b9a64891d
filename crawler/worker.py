"""How does a job become a visit?

A worker is stateless: jobs in, visits out. It owns a bounded JoinableQueue and a fixed pool of
greenlets, each of which fetches, then parses.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import msgspec
from gevent.pool import Pool
from gevent.queue import JoinableQueue
from isal import isal_zlib

from crawler.config import Config
from crawler.fetch import Budget, Fetcher, Share
from crawler.model import Answer, Document, Job, LoginPage, Question, Reply, Visit
from crawler.parse import parse
from crawler.parse.isolated import IsolatedParser, is_long_style, is_risky
from crawler.policy import logins, rendering, robots
from crawler.policy.agent import robots_token
from crawler.policy.requisites import reads_styles
from crawler.policy.sites import Sites
from crawler.policy.urls import UrlRules
from crawler.store.clock import iso

if TYPE_CHECKING:
    from crawler.render import Renderer
    from crawler.render.needs import Fetch, Where

Read = TypeVar("Read")
Deliver = Callable[[Visit], None]
Parsing = Callable[[Job | None], None]
"""Told which job is being parsed, so that a stall can be laid at the right door."""
MayStart = Callable[[], bool]
"""Asked before each fetch: a lease that has ended is another's by now."""

ISAL_LEVEL = 1


class Worker:
    """A queue of jobs and a pool of greenlets that turn them into visits.

    deliver: takes each visit; may block, which slows fetching down.
    parsing: called with a job before it is parsed and with None afterwards.
    may_start: what it refuses is neither fetched nor delivered.
    fetcher: by default one that asks the network.
    say: asks the conductor what pages that are shown may ask for; without it none is shown.
    """

    def __init__(
        self,
        config: Config,
        deliver: Deliver,
        parsing: Parsing | None = None,
        *,
        fetcher: Fetcher | None = None,
        may_start: MayStart | None = None,
        say: Callable[[Question], None] | None = None,
    ) -> None:
        self._config = rendering.looking_for_shells(config)
        self._may_start = may_start or (lambda: True)
        self._deliver = deliver
        self._parsing = parsing or (lambda _: None)
        self._fetcher = fetcher or _fetcher(config, config.scope.allow_private)
        self._sites = Sites(config)
        self._has_logins = any(site.login for site in config.site.values())
        self._isolated = IsolatedParser(self._config)
        self._renderer = _renderer(config, self._fetcher, say)
        self._reads_styles = reads_styles(config)
        self._queue: JoinableQueue[Job] = JoinableQueue(maxsize=2 * config.run.concurrency)
        self._pool = Pool(config.run.concurrency)
        if not config.store.bodies:
            from crawler.parse.body_facts import prepare  # only where facts are read here

            prepare()
        for _ in range(config.run.concurrency):
            self._pool.spawn(self._work)

    def __repr__(self) -> str:
        return f"<Worker {self._queue.unfinished_tasks} jobs, {self._fetcher!r}>"

    def put(self, job: Job) -> None:
        """Take a job; blocks while the queue is full."""
        self._queue.put(job)

    def join(self, timeout_s: float | None = None) -> None:
        """Wait until all jobs that were put have been delivered."""
        self._queue.join(timeout=timeout_s)

    def answered(self, answer: Answer) -> None:
        """The conductor answers a question."""
        if self._renderer is not None:
            self._renderer.answered(answer)

    def close(self) -> None:
        """Stop at once; what is in flight is not delivered."""
        self._pool.kill(block=False)
        if self._renderer is not None:
            self._renderer.close()
        self._fetcher.close()

    def _work(self) -> None:
        while True:
            job = self._queue.get()
            try:
                if not self._may_start():
                    continue
                # What a visit holds counts until somebody has taken it over.
                with self._fetcher.share() as share:
                    self._deliver(self.visit(job, share))
            finally:
                self._queue.task_done()

    def visit(self, job: Job, share: Share) -> Visit:
        """Fetch and parse one job; whatever goes wrong is in the visit. share: of its body."""
        started_at = iso(time.time())
        reply = self._fetcher.fetch(job, share)
        if job.kind == "login":
            return self._of_login(job, reply, started_at)
        document = self._document(job, reply)
        if self._has_logins and job.login is None and self._is_refused(job, reply, document):
            out = msgspec.structs.replace(reply, error=logins.OVER, redirect=None, body=b"")
            return Visit(job, out, Document(), started_at)
        # A robots.txt is kept in any case, so that a later one can be compared with it.
        keep_body = self._config.store.bodies or job.kind == "robots"
        shown = None
        if self._renderer is not None:
            document, shown = self._renderer.look(job, reply, document, self._document)
        visit = _visit(job, reply, document, started_at, keep_body=keep_body)
        if shown is not None:
            visit = msgspec.structs.replace(visit, rendering=shown)
        return self._with_rules(visit) if visit.robots_body is not None else visit

    def _of_login(self, job: Job, reply: Reply, started_at: str) -> Visit:
        """A step of a login: nothing is kept of its answer but what the next step needs, and no
        header of it that has a password."""
        assert job.login is not None
        login = logins.of_site(self._sites, job.login.site)
        assert login is not None
        from crawler.parse.login import read as read_login  # for those who have one

        page = LoginPage(lacks="is empty")
        if reply.status is not None and reply.redirect is None:
            page = self._read(job, lambda: read_login(job, reply, login))
        return Visit(job, logins.bare(reply, login, job.login), Document(), started_at, login=page)

    def _is_refused(self, job: Job, reply: Reply, document: Document) -> bool:
        """Does an answer tell that the login of its site holds no longer?"""
        login = self._sites.of(job.url).said.login
        if login is None or reply.status is None or is_risky(reply.body):
            return False
        from crawler.parse.login import refuses  # as above

        return self._read(job, lambda: refuses(job, reply, document, login))

    def _read(self, job: Job, read: Callable[[], Read]) -> Read:
        self._parsing(job)
        try:
            return read()
        finally:
            self._parsing(None)

    def _with_rules(self, visit: Visit) -> Visit:
        """A robots.txt is read here, where it takes no time from others' hosts."""
        config = self._config
        asked = self._read(
            visit.job,
            lambda: robots.read(
                visit.robots_body or b"",
                robots_token(config.fetch),
                max_bytes=config.robots.max_bytes,
            ),
        )
        return msgspec.structs.replace(visit, robots_rules=robots.packed(asked))

    def _document(self, job: Job, reply: Reply) -> Document:
        if reply.status is None or job.kind == "robots":
            return Document()
        if is_risky(reply.body) or (self._reads_styles and is_long_style(reply)):
            return self._isolated.parse(job, reply)
        self._parsing(job)
        try:
            return parse(job, reply, self._config)
        finally:
            self._parsing(None)


def _visit(
    job: Job, reply: Reply, document: Document, started_at: str, *, keep_body: bool
) -> Visit:
    """All of an attempt; the body is hashed and packed, so that it need not travel whole."""
    body = reply.body
    bare = msgspec.structs.replace(reply, body=b"") if body else reply
    if not body or job.kind == "check":
        return Visit(job, bare, document, started_at)
    return Visit(
        job,
        bare,
        document,
        started_at,
        body_bytes=len(body),
        body_sha256=hashlib.sha256(body).digest(),
        body=isal_zlib.compress(body, ISAL_LEVEL) if keep_body else None,
        robots_body=body if job.kind == "robots" else None,
    )


def _fetcher(config: Config, allow_private: tuple[str, ...]) -> Fetcher:
    return Fetcher(
        config.fetch,
        robots=config.robots,
        allow_private=allow_private,
        urls=UrlRules.of(config),
        budget=Budget(config.run.bodies_in_flight_bytes),
        sites=Sites(config),
        max_media_bytes=config.assets.max_media_bytes,
    )


def _renderer(
    config: Config, fetcher: Fetcher, say: Callable[[Question], None] | None
) -> Renderer | None:
    """What shows pages, where any may be shown."""
    if not rendering.is_asked(config):
        return None
    from crawler.render import Renderer  # few crawls ask for it

    # What is permitted on private addresses is for pages that come from such; one of the public
    # web must not reach into a person's own network.
    outside = _fetcher(config, ()) if config.scope.allow_private else fetcher

    def fetch_for(is_private: bool) -> tuple[Fetch, Where]:
        # A budget of the page's own, of which nothing comes back before the page is done. Were it
        # to wait for room among the bodies of pages, it might wait for pages that wait for it.
        room = Budget(config.render.max_bytes)
        one = fetcher if is_private else outside
        return lambda job, more: one.fetch(job, room.share(), more), one.whereabouts

    return Renderer(config, fetch_for, say)
