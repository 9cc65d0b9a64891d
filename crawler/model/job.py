"""What may be fetched now?"""

from __future__ import annotations

from typing import Literal

import msgspec

from crawler.model.logins import LoginStep

Kind = Literal["page", "robots", "sitemap", "feed", "check", "asset", "login"]
"""What a fetch is for."""


class Job(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A URL that may be fetched now: politeness has been kept before it came out.

    token: the lease, never the same in two runs; a visit that carries a stale one is dropped.
    url_id: ``urls.id``; 0 for a robots.txt. A visit to another URL than was leased is dropped.
    url: what is requested.
    kind: what the fetch is for.
    method: ``GET``, ``HEAD`` for the first try of a check, or ``POST`` for a form.
    attempt: 1 for the first try.
    private_ok: the host is one that the person named as their own (loopback or private).
    etag, last_modified: validators of the last good visit, for a conditional request.
    addresses: the only ones that may be connected to, because the caps of these have been kept;
        where the host is at others, the job comes back undone with them (`Reply.addresses`), as it
        does for an empty tuple. None for any.
    dns_ms: what finding these has taken.
    named: a seed has this origin, so that what is said of its host is meant for it.
    cookies: what the Cookie header says; empty for none.
    login: of a login, and of the robots.txt that it waits for, how far it is. Of anything else: it
        is taken as it is, though it looks as if nobody were logged in.
    by_stranger: a page of another origin asks for it, and is told what is answered: nothing of a
        person's own is sent along.
    """

    token: int
    url_id: int
    url: str
    kind: Kind = "page"
    method: str = "GET"
    attempt: int = 1
    private_ok: bool = False
    etag: str | None = None
    last_modified: str | None = None
    addresses: tuple[str, ...] | None = None
    dns_ms: float | None = None
    named: bool = False
    cookies: str = ""
    login: LoginStep | None = None
    by_stranger: bool = False
