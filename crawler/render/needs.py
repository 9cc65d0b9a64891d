"""What may a page ask for while it is shown, and what is it answered?

Whatever a browser wants of the network comes to us and is fetched by us, or refused: by the rules
here, by the robots.txt and the pace of whom it asks, which the conductor knows, and by the gate,
the limits and the TLS of every other fetch.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import gevent
import msgspec
from isal import isal_zlib

from crawler.config import Config
from crawler.model import Fetched, Grant, Job, Learnt, Need, Question, Reply, Target
from crawler.model.permits import PACE, ROBOTS
from crawler.policy import robots, urls, words
from crawler.policy.agent import robots_token, user_agent
from crawler.policy.urls import UrlRules, resolve
from crawler.render.cache import Cache
from crawler.store.clock import iso
from crawler.store.ruling import is_robots_txt

SPARE_ROWS: Final = 100
"""Refused requests of one page that are told beside those that may be made."""
ONE_S: Final = 6.0
"""What one request may take: a page that waits for an answer that does not come is shown without.
"""
MOST_FRAMES: Final = 20
"""Frames of a page that are filled: each costs the browser itself, which all pages share."""
ROBOTS_HOPS: Final = 5
"""RFC 9309, section 2.3.1.2."""
_NEVER: Final = frozenset(
    {
        *("Media", "Font", "EventSource", "WebSocket", "Ping", "Prefetch", "Manifest"),
        *("CSPViolationReport", "TextTrack", "SignedExchange", "Preflight", "FedCM"),
    }
)
"""Types that show nothing, or never end."""
_STREAM: Final = "text/event-stream"
_EVERYWHERE: Final = frozenset({"accept", "origin", "referer"})
"""Headers that any host may be sent."""
_OURS: Final = frozenset(
    {
        *("user-agent", "cookie", "host", "connection", "accept-encoding", "content-length"),
        *("upgrade-insecure-requests", "te", "transfer-encoding", "keep-alive", "expect"),
        *("upgrade", "range", "if-none-match", "if-modified-since", "accept-language", "date"),
    }
)
_MAX_HEADER: Final = 4096
_UNSENT: Final = frozenset(
    {
        *("content-encoding", "content-length", "transfer-encoding", "connection", "keep-alive"),
        *("alt-svc", "nel", "report-to", "reporting-endpoints", "content-disposition"),
        *("strict-transport-security", "public-key-pins", "expect-ct", "link", "refresh"),
        *("speculation-rules", "service-worker-allowed", "clear-site-data", "trailer"),
    }
)
"""Headers that are about the connection, or would have the browser ask for more by itself."""
STUB: Final = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,"
    b"\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x01D\x00;"
)
"""A picture of one pixel, for all that are not asked for."""
_ISAL_LEVEL: Final = 1


class Served(msgspec.Struct, frozen=True):
    """What the browser is told: an answer, or that there is none (status 0)."""

    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


NOTHING: Final = Served()


Fetch = Callable[[Job, Mapping[str, str]], Reply]
"""How a page's needs are fetched; given headers besides those that all requests have."""
Where = Callable[[Job], tuple[str, ...] | None]
"""At which addresses the host of a job is; None where a proxy alone knows."""


class Asking(Protocol):
    """Who knows what may be asked for."""

    def ask(self, token: int, url: str, kind: str, addresses: tuple[str, ...] = ()) -> object:
        """A `Grant` or a `Refusal`; waits until it may be asked for. addresses: where it goes."""

    def tell(self, question: Question) -> None:
        """What came of it."""


class Hurried(Exception):
    """There is no more time for an answer."""


class Needs:
    """What one page has asked for.

    agent: as whom all is asked for. rows: what is told of it afterwards. is_private: the page came
    from a private address, so that it may see what others must not. where: an address counts
    whatever name leads there.
    """

    def __init__(
        self, job: Job, config: Config, fetch: Fetch, asking: Asking, cache: Cache,
        *, is_private: bool = False, where: Where = lambda job: None,
    ) -> None:  # fmt: skip
        self._job = job
        self._where = where
        self._config = config
        self._fetch = fetch
        self._asking = asking
        self._cache = cache
        self._is_private = is_private
        # identifiers of sessions are left in: a script that was given one cannot do without
        self._rules = msgspec.structs.replace(UrlRules.of(config), strip=None)
        self._origin = _origin_of(job.url)
        self._domain = urls.registered_domain(urls.host_of(job.url))
        self._asked = 0
        self._bytes = 0
        self._refused = 0
        self._frames = 0
        self._strangers: set[str] = set()
        self._waiting: set[Any] = set()
        self.agent = user_agent(config.fetch)
        self.rows: list[Need] = []

    def __repr__(self) -> str:
        return f"<Needs {self._asked} of {self._job.url}, {self.in_flight} in flight>"

    def serve(self, request: Mapping[str, Any], kind: str, depth: int, frame: str = "") -> Served:
        """The answer to one request. kind: its type. frame: that asks for it, and depth: of that
        frame, 0 for the page itself."""
        target, _ = resolve(str(request["url"]), rules=self._rules)
        method = str(request["method"])
        at_home = self._is_at_home(target, kind, frame)
        reason = self._refusal(target, request, kind, depth)
        if reason is None and kind == "Image" and not self._config.render.screenshots:
            return Served(200, (("Content-Type", "image/gif"),), STUB)
        if reason is None:
            known = self._cache.find(target.url, self._whose(at_home), kind, time.monotonic())
            if known is not None:
                self.rows.append(_need(target, kind, method, known, cached=True))
                return _served(known)
            reason = self._most()
        if reason is not None:
            return self._refuse(target, kind, method, reason)
        self._asked += 1
        waiting = gevent.getcurrent()
        self._waiting.add(waiting)
        try:
            return self._get(target, request, kind, method, at_home=at_home)
        except Hurried:
            return self._refuse(target, kind, method, PACE)
        finally:
            self._waiting.discard(waiting)

    @property
    def in_flight(self) -> int:
        """Requests that wait for their answer."""
        return len(self._waiting)

    def hurry(self) -> None:
        """What waits gets no answer any more."""
        for waiting in list(self._waiting):
            waiting.kill(Hurried, block=False)

    def _is_at_home(self, target: Target, kind: str, frame: str) -> bool:
        """Does the page's own origin ask itself? A frame that was ever to show another is none of
        it: that one may still be there while the next is asked for."""
        if kind == "Document" and target.origin != self._origin:
            self._strangers.add(frame)
        return target.origin == self._origin and frame not in self._strangers

    def _whose(self, at_home: bool) -> str:
        """Who may see an answer. What was asked for with a person's secrets is for the origin that
        has them, and what is on a private address for pages that are on one."""
        return f"{'private' if self._is_private else ''} {self._origin if at_home else ''}"

    def _refusal(
        self, target: Target, request: Mapping[str, Any], kind: str, depth: int
    ) -> str | None:
        """Why this is not asked for, whoever would be asked."""
        if target.refusal is not None:
            return target.refusal
        if request["method"] not in ("GET", "HEAD") or request.get("hasPostData"):
            return "render_method"
        accepts = str(request.get("headers", {}).get("Accept", ""))
        if kind in _NEVER or _STREAM in accepts:
            return "render_kind"
        if kind == "Document" or depth > 1:
            same = urls.registered_domain(urls.host_of(target.url)) == self._domain
            self._frames += kind == "Document"
            if depth != 1 or not same or self._frames > MOST_FRAMES:
                return "render_frame"
        return None

    def _most(self) -> str | None:
        most = self._config.render
        is_over = self._asked >= most.max_requests or self._bytes >= most.max_bytes
        return "render_most" if is_over else None

    def _get(
        self, target: Target, request: Mapping[str, Any], kind: str, method: str, *, at_home: bool
    ) -> Served:
        began = _now()
        job = self._job_for(target, method, at_home=at_home)
        reason = self._ask(job, target.origin, kind)
        if reason is not None:
            self.rows.append(Need(target, kind, method, began, reason=reason))
            return NOTHING
        reply = self._fetch_in_time(job, self._headers(request, at_home=at_home))
        self._bytes += len(reply.body)
        self.rows.append(self._with_body(_need(target, kind, method, reply, began=began), reply))
        self._cache.keep(target.url, self._whose(at_home), kind, reply, time.monotonic())
        return NOTHING if reply.status is None or reply.error else _served(reply)

    def _fetch_in_time(self, job: Job, more: Mapping[str, str]) -> Reply:
        late = Reply(error="timeout_total", error_detail=f"not done after {ONE_S:g} s")
        reply = Reply()
        try:
            reply = gevent.with_timeout(ONE_S, self._fetch, job, more, timeout_value=late)
        finally:  # also where nobody waits for it any more: others may be asked in its place
            self._asking.tell(
                Fetched(job.token, job.url, reply.status, reply.retry_after_s, job.addresses or ())
            )
        if reply.addresses:
            return Reply(error=PACE, error_detail="its host is at other addresses by now")
        return reply

    def _job_for(self, target: Target, method: str = "GET", *, at_home: bool) -> Job:
        """What is private, secret or the person's own is for the page's own origin alone."""
        job = Job(
            self._job.token,
            0,
            target.url,
            kind="asset",
            method=method,
            private_ok=self._job.private_ok and at_home,
            named=self._job.named and at_home,
            cookies=self._job.cookies if at_home else "",
            by_stranger=not at_home,
        )
        found = gevent.with_timeout(ONE_S, self._where, job, timeout_value=())
        return msgspec.structs.replace(job, addresses=found)

    def _headers(self, request: Mapping[str, Any], *, at_home: bool) -> dict[str, str]:
        """Of what the browser would send, what a server may need; what scripts have set is for the
        page's own origin."""
        return {
            name: value
            for name, value in request.get("headers", {}).items()
            if (at_home or name.lower() in _EVERYWHERE)
            and name.lower() not in _OURS
            and not name.lower().startswith(("sec-", "proxy-"))
            and (name + value).isascii()
            and (name + value).isprintable()
            and len(value) < _MAX_HEADER
        }

    # Robots and pace

    def _ask(self, job: Job, origin: str, kind: str) -> str | None:
        """Why it may not be asked for; None when it may, now."""
        answer = self._answer(job, kind)
        if isinstance(answer, Grant) and answer.robots_first:
            learnt = self._learn(origin)
            self._asking.tell(learnt)
            if learnt.refusal == PACE:
                return PACE
            answer = self._answer(job, kind)
        if isinstance(answer, Grant):
            return "robots_unreachable" if answer.robots_first else None
        return str(getattr(answer, "reason", PACE))

    def _answer(self, job: Job, kind: str) -> object:
        return self._asking.ask(job.token, job.url, kind, job.addresses or ())

    def _learn(self, origin: str) -> Learnt:
        """What the robots.txt of an origin says; its redirects are followed."""
        token = self._job.token
        target, _ = resolve(f"{origin}/robots.txt", rules=urls.UNLIMITED)
        for _ in range(ROBOTS_HOPS + 1):
            began = _now()
            job = self._job_for(target, at_home=target.origin == self._origin)
            # No page is shown it, and what is sent to all others may say another thing.
            job = msgspec.structs.replace(job, kind="robots", by_stranger=False)
            if not isinstance(self._answer(job, ROBOTS), Grant):
                return Learnt(token, origin, refusal=PACE)
            reply = self._fetch_in_time(job, {})
            need = _need(target, ROBOTS, "GET", reply, began=began)
            self.rows.append(self._with_body(need, reply))
            onward = reply.redirect
            if onward is None or onward.refusal is not None or reply.error is not None:
                break
            if onward.origin != target.origin and not is_robots_txt(onward):
                break
            target = onward
        return _learnt(token, origin, reply, self._config)

    # What is told

    def _refuse(self, target: Target, kind: str, method: str, reason: str) -> Served:
        """Of what is refused without having been asked for only so many are told."""
        self._refused += 1
        if self._refused <= SPARE_ROWS:
            self.rows.append(Need(target, kind, method, _now(), reason=reason))
        return NOTHING

    def _with_body(self, need: Need, reply: Reply) -> Need:
        if not reply.body or not self._config.store.bodies:
            return msgspec.structs.replace(need, body_bytes=len(reply.body))
        return msgspec.structs.replace(
            need,
            body_bytes=len(reply.body),
            body_sha256=hashlib.sha256(reply.body).digest(),
            body=isal_zlib.compress(reply.body, _ISAL_LEVEL),
        )


def _learnt(token: int, origin: str, reply: Reply, config: Config) -> Learnt:
    """RFC 9309, section 2.3.1."""
    status = reply.status
    if reply.error == PACE or words.of(reply.error).skips:
        return Learnt(token, origin, refusal=reply.error)
    if status is None or status == 429 or status >= 500:
        return Learnt(token, origin, refusal="robots_unreachable")
    if not 200 <= status <= 299:
        return Learnt(token, origin)
    asked = robots.read(reply.body, robots_token(config.fetch), max_bytes=config.robots.max_bytes)
    return Learnt(token, origin, robots.packed(asked))


def _need(
    target: Target, kind: str, method: str, reply: Reply, *, began: str = "", cached: bool = False
) -> Need:
    kept = Reply() if cached else reply
    return Need(
        target,
        kind,
        method,
        began or _now(),
        status=reply.status,
        reason=reply.error,
        cached=cached,
        ip=kept.ip,
        http_version=kept.http_version,
        total_ms=kept.total_ms,
        wire_bytes=kept.wire_bytes,
        content_type=(reply.header("content-type") or "").partition(";")[0].strip().lower() or None,
        headers=kept.headers,
        body_bytes=len(reply.body),
    )


def _served(reply: Reply) -> Served:
    headers = tuple(pair for pair in reply.headers if pair[0].lower() not in _UNSENT)
    return Served(reply.status or 0, headers, reply.body)


def page(reply: Reply) -> Served:
    """The page itself, of which the answer is in hand."""
    return _served(reply)


def _origin_of(url: str) -> str:
    return resolve(url, rules=urls.UNLIMITED)[0].origin


def _now() -> str:
    return iso(time.time())
