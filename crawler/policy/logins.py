"""How does a login go on, and what would end it?

A login is a chain of requests: the page with the form, the form, and where redirects lead. Each is
a job of its own. It has succeeded when what comes after the form shows what the person named.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from contextlib import suppress
from html import unescape
from typing import Final, Literal
from urllib.parse import unquote_to_bytes

import msgspec

from crawler.config import Config, LoginConfig
from crawler.model import Job, LoginPage, LoginStep, Reply, Target
from crawler.policy import pace, words
from crawler.policy.sites import Sites

FAILED: Final = "login_failed"
OVER: Final = "logged_out"
OUT_TRIES: Final = 3
"""Runs in which a page may end a session before it is the page that is taken to be at fault."""
UNSENT: Final = frozenset(
    {"dns_fail", "dns_timeout", "connect_refused", "connect_timeout", "proxy_failed", "cancelled"}
)
"""How a request ends of which nothing has reached the site: only such a form is sent again."""
AGAIN: Final = frozenset({307, 308})
"""Redirects that ask for the same once more (RFC 9110, sections 15.4.8 and 15.4.9)."""
GUARDED: Final = frozenset({"page", "sitemap", "feed", "asset"})
"""Jobs whose answers may tell that nobody is logged in."""
SHORT: Final = 3
"""A secret of fewer characters is in many texts by chance."""
HIDDEN: Final = "***"
WITHIN: Final = 5
"""So often an address may stand in another, each written as a part of the next."""


class Turn(msgspec.Struct, frozen=True):
    """What comes next.

    state: ``in``, ``failed`` for `why` (a sentence), ``more`` at `target` by `step`, or ``again``
    after `rest_s`.
    """

    state: Literal["in", "failed", "more", "again"]
    why: str = ""
    target: Target | None = None
    step: LoginStep | None = None
    rest_s: float = 0.0


IN: Final = Turn("in")


def of_site(sites: Sites, origin: str) -> LoginConfig | None:
    """The login of an origin."""
    return sites.of(f"{origin}/").said.login


def turn(
    login: LoginConfig, job: Job, reply: Reply, page: LoginPage, *, steps: int, config: Config,
    chance: float = 0.5,
) -> Turn:  # fmt: skip
    """What follows from an answer. steps: requests before this one. config: as it holds there."""
    step = job.login
    assert step is not None
    broken = _broken(job, reply, config, chance)
    if broken is not None and not (page.form and not step.sent and reply.error is None):
        return broken
    sent = step.sent or step.form is not None
    if reply.redirect is not None:
        again = step.form if reply.status in AGAIN else None
        there = msgspec.structs.replace(step, form=again, sent=sent)
        return _on(login, job, reply.redirect, there, steps, config)
    if not sent and page.form is not None:
        form = page.form
        step = LoginStep(step.site, form, secret=form.hidden)
        return _on(login, job, form.action, step, steps, config)
    if page.proves and not page.refutes:
        return IN
    return Turn("failed", _unproven(login, job, page) if sent else f"{job.url} {page.lacks}")


def _broken(job: Job, reply: Reply, config: Config, chance: float) -> Turn | None:
    """What follows from an answer that is none, or none that one could go on from."""
    reason = pace.failure(reply.status, reply.error)
    if reason is None:
        refused = reply.redirect is None and not 200 <= (reply.status or 0) <= 299
        return Turn("failed", f"{job.url} answered {reply.status}") if refused else None
    form = job.login.form if job.login else None
    fate = pace.fate(
        reply.status, reply.error, job.attempt, config.pace, retry_after_s=reply.retry_after_s,
        try_again=reply.try_again, chance=chance,
    )  # fmt: skip
    if fate.state == "queued" and (form is None or reason in UNSENT):
        return Turn("again", rest_s=fate.retry_in_s or 0.0)
    told = reply.error_detail if reason == "bad_redirect" else words.of(reason).meaning
    return Turn("failed", f"{job.url}: {reason}, {told}")


def _on(
    login: LoginConfig, job: Job, target: Target, step: LoginStep, steps: int, config: Config
) -> Turn:
    """The next request, where it may lead there."""
    if steps >= config.fetch.max_redirects + 1:
        return Turn("failed", f"{job.url} leads on and on: more than {steps} requests")
    if target.refusal is not None:
        return Turn("failed", f"{job.url} leads to {target.url}, which is no place to send it to")
    if target.origin not in (step.site, *login.origins):
        return Turn(
            "failed",
            f"{job.url} leads to {target.origin}, another origin; where that is meant, say "
            f'origins = ["{target.origin}"] beside its url',
        )
    return Turn("more", target=target, step=step)


def _unproven(login: LoginConfig, job: Job, page: LoginPage) -> str:
    if page.refutes and login.logged_out is not None:
        return f"what {job.url} answered to the form shows {login.logged_out}"
    return f"what {job.url} answered to the form does not show {login.success}"


def refuted(login: LoginConfig, job: Job, reply: Reply) -> bool:
    """Does a page lead to the login, as it does for who is not logged in?"""
    target = reply.redirect
    if target is None or job.kind not in GUARDED:
        return False
    form = _place(login.url)
    return _place(target.url) == form != _place(job.url)


def is_of_login(login: LoginConfig, url: str) -> bool:
    """Is this the page with the form, which shows it to everybody?"""
    return _place(url) == _place(login.url)


def _place(url: str) -> str:
    return url.partition("#")[0].partition("?")[0]


def bare(reply: Reply, login: LoginConfig, step: LoginStep) -> Reply:
    """What may be kept and told of an answer: no body, and nowhere one of the passwords, which a
    site may repeat in an address."""
    shown_as_such = [name for name in step.secret if name in login.fields]
    names = shown_as_such or [name for name, one in login.fields.items() if one.env]
    secrets = [login.fields[name].value for name in names]
    headers = tuple(
        (name, HIDDEN if name.lower() != "set-cookie" and _tells(value, secrets) else value)
        for name, value in reply.headers
    )
    detail = HIDDEN if _tells(reply.error_detail or "", secrets) else reply.error_detail
    note = HIDDEN if _tells(reply.note or "", secrets) else reply.note
    reply = msgspec.structs.replace(
        reply, body=b"", headers=headers, error_detail=detail, note=note
    )
    leads = "" if reply.redirect is None else reply.redirect.url
    if not _tells(f"{leads}#{reply.redirect_fragment or ''}", secrets):
        return reply
    return msgspec.structs.replace(
        reply, redirect=None, redirect_fragment=None, error="bad_redirect",
        error_detail="it redirects to an address that has a password in it",
    )  # fmt: skip


def _tells(text: str, secrets: Iterable[str]) -> bool:
    """Does a text have one of these, however it is written there?"""
    looked_for = {form for one in secrets if len(one) >= SHORT for form in _forms(one)}
    return any(form in read for read in _read(text) for form in looked_for)


def _read(text: str) -> Iterator[bytes]:
    """A text as it is, and with what addresses and HTML put in place of characters taken back, as
    often as an address may stand in another."""
    for charset in ("utf-8", "latin-1"):
        read = text.encode(charset, "replace")
        for _ in range(1 + WITHIN):
            yield read
            yield unescape(read.decode("latin-1")).encode("latin-1", "replace")
            read = unquote_to_bytes(read.replace(b"+", b" "))


def _forms(secret: str) -> Iterator[bytes]:
    for charset in ("utf-8", "windows-1252"):
        with suppress(UnicodeEncodeError):
            data = secret.encode(charset)
            yield data
            yield base64.b64encode(data).rstrip(b"=")
            yield base64.urlsafe_b64encode(data).rstrip(b"=")
