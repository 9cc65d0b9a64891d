"""What does the network say to this job, within its limits?

The layer above the transport: the headers of a request, the cap of each kind, one deadline for
the whole URL, and the reading of redirects and Retry-After; what comes is gathered in an `Attempt`.
It works on any requests adapter, so the transport can be replaced by mounting another one on
`Fetcher.session`. Redirects are never followed here.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec
from requests import Response, Session
from requests.structures import CaseInsensitiveDict

from crawler.config import FetchConfig, Http2, RobotsConfig, SiteConfig
from crawler.config.secrets import authorization
from crawler.config.sections import SENT
from crawler.errors import UsageError
from crawler.fetch import decode, forms, tls
from crawler.fetch.connect import Uncounted
from crawler.fetch.deadlines import Deadline, Times
from crawler.fetch.dns import Ask, DnsStats, Names, asker
from crawler.fetch.failures import Failure, failure_of, untrace
from crawler.fetch.gate import Gate
from crawler.fetch.memory_budget import Budget, Share
from crawler.fetch.proxies import Choice
from crawler.fetch.reply import Attempt
from crawler.fetch.requests_internals import SlimRequest
from crawler.fetch.shortage import Shortage
from crawler.fetch.tls import Trust
from crawler.fetch.transport import Transport, TransportStats, header_block
from crawler.model import Job, LoginStep, Reply
from crawler.policy import logins, urls, words
from crawler.policy.agent import user_agent
from crawler.policy.sites import Sites
from crawler.policy.urls import UrlRules

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
"""https://fetch.spec.whatwg.org/#redirect-status"""

MAX_LOGIN_BYTES: Final = 1024 * 1024
"""Of a page on the way of a login."""
MAX_VALIDATOR: Final = 1024
"""Characters of an ETag, or a date, that are sent back."""
AHEAD_S: Final = 86_400.0
"""So far a server's clock may be ahead of ours."""
RETRY_AFTER_MAX_S: Final = 366 * 86_400.0
"""More than any setting lets a host ask for."""
NONE: Final[Mapping[str, str]] = {}
_HIGH_BYTE: Final = re.compile(rb"[\x80-\xff]")


class FetchStats(msgspec.Struct, frozen=True):
    """What a fetcher did. in_flight: jobs now; bytes: of bodies, as they came."""

    jobs: int
    in_flight: int
    errors: int
    bytes: int
    transport: TransportStats
    dns: DnsStats


Said = tuple[CaseInsensitiveDict[str | bytes], bytes]
"""Headers, and the same as they go out."""


class Manner(msgspec.Struct, frozen=True):
    """How sites are asked.

    times, first_times: limits, and those of a host's first robots.txt. caps: bytes by the kind of a
    job; max_body_bytes: of all others. of_page, of_part: what every request says, as a dictionary
    and as lines, and what one for a part of pages does. proxies: what they are asked through.
    trust: their policy of TLS, None for that of all others. http2: whether it is offered to them.
    """

    times: Times
    first_times: Times
    caps: dict[str, int]
    max_body_bytes: int
    of_page: Said
    of_part: Said
    proxies: Choice
    trust: Trust | None = None
    http2: Http2 = "never"

    @property
    def is_special(self) -> bool:
        """Does a way by TLS differ from that of all others?"""
        return self.trust is not None or self.http2 != "never"

    @classmethod
    def of(
        cls, config: FetchConfig, robots: RobotsConfig, own: Mapping[str, str] = NONE,
        trust: Trust | None = None,
    ) -> Manner:  # fmt: skip
        """What settings come to. Raises UsageError for what no header holds.

        own: headers of a person's own for these sites. trust: their policy of TLS.
        """
        times = Times(config.connect_s, config.read_s, config.total_s)
        lists = config.max_sitemap_bytes
        replaced = {name.lower() for name in own}
        ours = request_headers(config)
        headers = {name: ours[name] for name in ours if name.lower() not in replaced} | dict(own)
        return cls(
            times,
            times.within(robots.first_s),
            {
                **{"robots": robots.max_bytes, "sitemap": lists, "feed": lists},
                "login": min(config.max_body_bytes, MAX_LOGIN_BYTES),
            },
            config.max_body_bytes,
            _as_sent(headers),
            _as_sent(headers if "accept" in replaced else headers | {"Accept": "*/*"}),
            Choice([one.value.strip() for one in config.proxy]),
            trust,
            config.http2,
        )

    def saying(self, more: Mapping[str, str]) -> Manner:
        """The same for one request, which says more than others."""
        own = {name.lower() for name in more}
        kept = {
            name: str(value) for name, value in self.of_part[0].items() if name.lower() not in own
        }
        return msgspec.structs.replace(self, of_part=_as_sent({**kept, **more}))


class Fetcher:
    """Fetches for one policy of TLS; called from many greenlets at once.

    config, robots: limits. allow_private: hosts, addresses and blocks that may be on private
    addresses. verify: overrides ``config.verify_tls``; a path names a file of authorities.
    ask: resolves names, by default as configured. now: the wall clock, for Retry-After.
    budget: what bodies may hold together; by default as much as they like. urls: what is asked of
    the targets of redirects. sites: where a site is asked in another manner than all others.
    max_media_bytes: of audio and video that pages are made of.
    """

    def __init__(
        self,
        config: FetchConfig,
        *,
        robots: RobotsConfig | None = None,
        allow_private: tuple[str, ...] = (),
        verify: tls.Verify | None = None,
        ask: Ask | None = None,
        now: Callable[[], float] = time.time,
        budget: Budget | None = None,
        urls: UrlRules | None = None,
        sites: Sites | None = None,
        max_media_bytes: int | None = None,
    ) -> None:
        self._max_media = max_media_bytes
        self._budget = budget or Budget(sys.maxsize)
        self._now = now
        self._rules = urls or UrlRules(config.max_url_bytes)
        self._as_written = msgspec.structs.replace(self._rules, strip=None)
        self._ordinary = Manner.of(config, robots or RobotsConfig())
        self._sites = sites or None
        self._manners: dict[tuple[int, tuple[str, ...]], Manner] = {}
        if verify is None:
            verify = config.verify_tls and (config.ca_file or True)
        self._names = Names(ask or asker(config.resolver))
        self._transport = Transport(
            gate=Gate(allow_private),
            names=self._names,
            verify=verify,
            max_header_bytes=config.max_header_bytes,
        )
        self.session = _session(config, self._transport)
        self._jobs = self._in_flight = self._errors = self._bytes = 0

    def __repr__(self) -> str:
        return f"<Fetcher {self._in_flight} in flight of {self._jobs:,}, {self._transport!r}>"

    def stats(self) -> FetchStats:
        """A snapshot."""
        return FetchStats(
            jobs=self._jobs,
            in_flight=self._in_flight,
            errors=self._errors,
            bytes=self._bytes,
            transport=self._transport.stats(),
            dns=self._names.stats(),
        )

    def close(self) -> None:
        """Ends idle connections."""
        self.session.close()

    def share(self) -> Share:
        """A body's part of the budget, for `fetch`; closed by whoever is done with the body."""
        return self._budget.share()

    def fetch(self, job: Job, share: Share | None = None, more: Mapping[str, str] = NONE) -> Reply:
        """What came of a job; every failure is in the Reply. Raises only what is thrown into the
        greenlet by others.

        share: stands for the body as long as it is kept; without one it counts only while it comes.
        more: headers of this request alone, which come before those of all.
        """
        if share is None:
            with self.share() as passing:
                return self.fetch(job, passing, more)
        manner = self._manner(job)
        cap = manner.caps.get(job.kind, manner.max_body_bytes)
        attempt = Attempt(job, cap, share, self._max_media if job.kind == "asset" else None)
        self._jobs += 1
        self._in_flight += 1
        is_first = job.kind == "robots" and job.attempt == 1
        times = manner.first_times if is_first else manner.times
        deadline = Deadline(times.total_s)
        deadline.start()
        if more:
            manner = manner.saying(more)
        try:
            self._ask(job, attempt, manner, times)
        except Deadline as expired:
            if expired is not deadline:
                raise
            attempt.out_of_time(times)
            untrace(expired)
        except Uncounted as elsewhere:
            attempt.addresses = elsewhere.addresses
            untrace(elsewhere)
        except Exception as caught:
            attempt.fail(failure_of(caught))
            untrace(caught)
        finally:
            deadline.stop()
            attempt.close()
            self._in_flight -= 1
        reply = attempt.reply()
        self._bytes += reply.wire_bytes
        self._errors += reply.error is not None
        return reply

    def whereabouts(self, job: Job) -> tuple[str, ...] | None:
        """The addresses of a job's host to which packets may go, none where that cannot be had;
        None where a proxy alone knows."""
        manner = self._manner(job)
        try:
            request = self._request(job, manner)
            if manner.proxies.turns(request.route):
                return None
            return self._transport.whereabouts(request, manner.times.connect_s)
        except (Failure, Shortage):
            return ()  # fetching it will tell why

    def _manner(self, job: Job) -> Manner:
        """How this job is asked for."""
        if self._sites is None:
            return self._ordinary
        site = self._sites.of(job.url)  # the same one each time, so that it can be known by its id
        sent: tuple[str, ...] = ()
        if not job.by_stranger:
            sent = tuple(key for key in SENT if site.sends(key, job.url, named=job.named))
        manner = self._manners.get((id(site), sent))
        if manner is None:
            asks = site.config.fetch
            own = _own_headers(site.said, sent)
            manner = Manner.of(asks, site.config.robots, own, _trust(asks, site.said, sent))
            self._manners[id(site), sent] = manner
        return manner

    def _ask(self, job: Job, attempt: Attempt, manner: Manner, times: Times) -> None:
        request = self._request(job, manner)
        if request.route.port in urls.BLOCKED_PORTS:
            raise Failure("blocked_port", "nothing is fetched from this port")
        attempt.asked = request
        request.facts.dns_ms = job.dns_ms
        attempt.answered(self._send(request, manner, times))
        self._read_head(job, attempt)
        if attempt.wants_body:
            attempt.read_body()

    def _send(self, request: SlimRequest, manner: Manner, times: Times) -> Response:
        """The head of the answer, by way of a proxy where there is one: of several the next, and
        those behind it, as long as none lets through."""
        adapter = self.session.get_adapter(request.url or "")
        turns = manner.proxies.turns(request.route)
        for left in range(len(turns) - 1, -1, -1):
            proxy = turns.take()
            request.route = msgspec.structs.replace(request.route, via=proxy)
            try:
                return adapter.send(request, stream=True, timeout=times[:2], verify=True)
            except Failure as failure:
                if failure.word != "proxy_failed":
                    raise
                turns.rest(proxy)
                if not left:
                    raise
        return adapter.send(request, stream=True, timeout=times[:2], verify=True)

    def _request(self, job: Job, manner: Manner) -> SlimRequest:
        headers, block = manner.of_part if job.kind == "asset" else manner.of_page
        if job.etag or job.last_modified:
            conditions = _conditions(job, self._now())
            headers = headers.copy()
            headers.update(conditions)
            block += header_block(conditions)
        if job.cookies:
            headers = headers.copy()
            headers["Cookie"] = job.cookies
            block += header_block({"Cookie": job.cookies})
        body = None
        if job.login is not None and job.login.form is not None:
            more, body = forms.sent(job.login.form, self._values(job.login))
            replaced = {name.lower() for name in more}
            kept = {name: headers[name] for name in headers if name.lower() not in replaced}
            headers = CaseInsensitiveDict(kept | more)
            block = header_block(headers)
        request = SlimRequest(
            job.method,
            job.url,
            headers,
            block,
            private_ok=job.private_ok,
            anew=job.attempt > 1,
            among=job.addresses,
            body=body,
        )
        if manner.is_special and request.route.scheme == "https":
            request.route = msgspec.structs.replace(
                request.route, trust=manner.trust, http2=manner.http2
            )
        return request

    def _values(self, step: LoginStep) -> dict[str, str]:
        """What a person said of the fields of a login's form."""
        login = None if self._sites is None else logins.of_site(self._sites, step.site)
        return {} if login is None else {name: one.value for name, one in login.fields.items()}

    def _read_head(self, job: Job, attempt: Attempt) -> None:
        dates = attempt.values("date")
        waits = [retry_after(wait, dates, self._now()) for wait in attempt.values("retry-after")]
        attempt.retry_after_s = max((wait for wait in waits if wait is not None), default=None)
        if attempt.status in REDIRECTS:
            self._read_redirect(job, attempt)

    def _read_redirect(self, job: Job, attempt: Attempt) -> None:
        places = {place for place in attempt.values("location") if place}
        if not places:
            return
        attempt.wants_body = False
        if len(places) > 1:
            raise Failure("bad_redirect", f"{len(places)} different Location headers")
        href = href_of(places.pop())
        rules = self._as_written if job.kind == "login" else self._rules
        target, fragment = urls.resolve(href, job.url, rules=rules)
        if target.url == job.url:  # perhaps the site insists on an identifier of its visitors
            target, fragment = urls.resolve(href, job.url, rules=self._as_written)
        if target.refusal and words.of(target.refusal).fault == "page":
            raise Failure("bad_redirect", f"{target.refusal}: {target.url}")
        attempt.redirect, attempt.redirect_fragment = target, fragment


def _session(config: FetchConfig, transport: Transport) -> Session:
    session = Session()
    session.trust_env = False  # no proxies and no passwords from the environment
    session.max_redirects = 0
    session.headers.clear()
    session.headers.update(request_headers(config))
    session.mount("https://", transport)
    session.mount("http://", transport)
    return session


def _as_sent(headers: dict[str, str]) -> Said:
    return CaseInsensitiveDict(headers), header_block(headers)


def request_headers(config: FetchConfig) -> dict[str, str]:
    """What every request says, whatever it asks for. Raises UsageError for what no header holds."""
    for key in ("user_agent", "contact", "accept_language"):
        text = getattr(config, key)
        if not (text.isascii() and text.isprintable()):
            raise UsageError(f"fetch.{key}: must be one line of ASCII without control characters")
    asked = {
        "User-Agent": user_agent(config),
        "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "Accept-Encoding": decode.ACCEPTED,
        "Accept-Language": config.accept_language,
        "Connection": "keep-alive",
    }
    return {name: value for name, value in asked.items() if value}


def _own_headers(said: SiteConfig, sent: tuple[str, ...]) -> dict[str, str]:
    """What is sent to one site alone; sent: the keys that are said of the origin at hand."""
    headers = said.headers if "headers" in sent and said.headers else {}
    own = {name: value.value for name, value in headers.items()}
    if "basic" in sent or "bearer" in sent:
        way = authorization(said)
        own |= {} if way is None else {"Authorization": way}
    return own


def _trust(config: FetchConfig, said: SiteConfig, sent: tuple[str, ...]) -> Trust | None:
    """The policy of TLS for one site, where it has one of its own."""
    cert = said.client_cert if "client_cert" in sent and said.client_cert else ""
    if not cert and said.verify_tls is None and said.ca_file is None:
        return None
    verify = config.verify_tls and (config.ca_file or True)
    return Trust(verify, cert, (said.client_key or "") if cert else "")


def _conditions(job: Job, now: float) -> dict[str, str]:
    """The validators that can tell what is held from what is there by now.

    An ETag of ``*`` stands for anything, and nothing was modified since a date that is still to
    come. Servers refuse long headers.
    """
    etag = job.etag if job.etag != "*" else None
    date = job.last_modified
    if date and (_date(date[:MAX_VALIDATOR]) or 0.0) > now + AHEAD_S:
        date = None
    asked = {"If-None-Match": etag, "If-Modified-Since": date}
    return {
        name: value
        for name, value in asked.items()
        if value and len(value) <= MAX_VALIDATOR and value.isprintable()
    }


def href_of(location: str) -> str:
    """A Location (latin-1 decoded) as a reference: bytes that are not ASCII are percent-encoded."""
    data = location.encode("latin-1", "replace")
    return _HIGH_BYTE.sub(lambda byte: b"%%%02X" % byte[0][0], data).decode("ascii")


def retry_after(value: str, dates: Sequence[str], now: float) -> float | None:
    """Seconds, from either form of Retry-After (RFC 9110, section 10.2.3), within 0..1 h.

    A date is measured from the server's own Date, since its clock need not be ours.
    """
    try:
        wait = max(map(float, value.split(",")))  # several headers that somebody made one
    except ValueError:
        until = _date(value)
        if until is None:
            return None
        began = _date(dates[-1]) if dates else None
        wait = until - (now if began is None else began)
    return None if wait != wait else min(max(wait, 0.0), RETRY_AFTER_MAX_S)


def _date(text: str) -> float | None:
    """Any of the three forms (RFC 9110, section 5.6.7), of which one names no zone: it is UTC."""
    try:
        date = parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
