"""How does one crawl look like one visitor, though its workers forget everything?

The conductor has the jar: a job takes along what its address is to be sent, and a visit brings what
was set. Only sites of which that was said have any. What is set by a site that lets a person in is
as good as the password, and is kept with no visit.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from crawler.config import Config
from crawler.model import Job, Visit
from crawler.policy.cookie_files import read_cookies
from crawler.policy.cookies import Cookie, Jar, without_value
from crawler.policy.sites import Sites, origin_of, sends_something

SET_COOKIE = "set-cookie"
Headers = tuple[tuple[str, str], ...]


class Visitor:
    """The cookies of a run.

    has_cookies: some are kept. has_secrets: something is sent to some site that nobody else
    may see. now: epoch seconds. Raises UsageError where a file of cookies cannot be read.
    """

    def __init__(self, config: Config, sites: Sites, now: float) -> None:
        self._sites = sites
        self.jar = Jar()
        self.has_cookies = any(site.cookies for site in config.site.values())
        self.has_secrets = any(map(sends_something, config.site.values()))
        for site in config.site.values():
            if site.cookies and site.cookies_from:
                for cookie in read_cookies(Path(site.cookies_from), now):
                    self.jar.put(msgspec.structs.replace(cookie, created=now), now)

    def __repr__(self) -> str:
        return f"<Visitor with {self.jar!r}>"

    def remember(self, cookies: Iterable[Cookie], now: float) -> None:
        """What earlier runs had."""
        for cookie in cookies:
            self.jar.put(cookie, now)

    def equip(self, job: Job, now: float) -> Job:
        """A job with what its address is to be sent."""
        header = self.jar.header(job.url, now) if self._keeps(job) else ""
        return msgspec.structs.replace(job, cookies=header) if header else job

    def takes(self, visit: Visit, now: float) -> tuple[Visit, bool]:
        """A visit whose cookies have been kept, and without their values, which nobody else needs;
        and whether there was anything new among them."""
        visit = self._without_cookies_of_needs(visit)
        job = visit.job
        headers = visit.reply.headers
        found = [value for name, value in headers if name.lower() == SET_COOKIE]
        is_kept = self._keeps(job)
        if not found or not (is_kept or self._is_let_in(job.url)):
            return visit, False
        is_new = is_kept and self._keep(job.url, found, now)
        job = msgspec.structs.replace(job, cookies="")
        reply = msgspec.structs.replace(visit.reply, headers=_bare(headers))
        return msgspec.structs.replace(visit, job=job, reply=reply), is_new

    def _keep(self, url: str, found: list[str], now: float) -> bool:
        """Keep what an address set; whether there was anything new."""
        before, self.jar.changed = self.jar.changed, False
        self.jar.take(url, found, now)
        is_new = self.jar.changed
        self.jar.changed |= before
        return is_new

    def _without_cookies_of_needs(self, visit: Visit) -> Visit:
        """The same where sites that let a person in set some for what the page asked for."""
        shown = visit.rendering
        if shown is None or not any(need.headers for need in shown.needs):
            return visit
        needs = tuple(
            msgspec.structs.replace(need, headers=_bare(need.headers))
            if need.headers and self._is_let_in(need.target.url)
            else need
            for need in shown.needs
        )
        return msgspec.structs.replace(visit, rendering=msgspec.structs.replace(shown, needs=needs))

    def _is_let_in(self, url: str) -> bool:
        """May what this address sets be for whom a password, a certificate or cookies let in?"""
        return self._sites.keeps_for_itself(origin_of(url))

    def _keeps(self, job: Job) -> bool:
        if job.login is not None:
            return True
        site = self._sites.of(job.url)
        return bool(site.said.cookies) and site.sends("cookies", job.url, named=job.named)


def _bare(headers: Headers) -> Headers:
    """Headers without the values of cookies."""
    return tuple(
        (name, without_value(value) if name.lower() == SET_COOKIE else value)
        for name, value in headers
    )
