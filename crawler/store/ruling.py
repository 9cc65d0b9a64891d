"""What does a visit mean for what is kept of its URL?

Pure: what is known comes in as a value, what is to be written goes out as one. Nothing is decided
anywhere else but which of a document's links are admitted as what: that needs the rows of their
targets (`UrlTable.admit_links`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Container
from itertools import compress, count
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

import msgspec

from crawler.config import Config
from crawler.model import Distinct, Document, LinkColumns, Reply, Target, Visit
from crawler.policy import logins, outage, pace, rendering, robots_directives, words
from crawler.policy.link_kinds import FOLLOWED
from crawler.policy.pace import Fate
from crawler.policy.requisites import reads_styles
from crawler.policy.scope import ECHOES
from crawler.store import analysis
from crawler.store.contract import Arrival
from crawler.store.news import Seen

MAX_ROBOTS_HOPS = 5
"""RFC 9309, section 2.3.1.2: at least five consecutive redirects should be followed."""
MAX_STRANGE_ROBOTS = 20
"""Redirects of others' robots.txt to one host that are followed in a run."""
LAST_STATUS = 599
"""Of the last class that there is."""
HEAD_REFUSED = Fate("queued", "head_refused", 0.0)
"""Servers that refuse HEAD do so with any status; only a GET tells whether the URL is broken."""
UNFOLLOWED = "link"
"""The kind of an element ``link`` that means nothing to a crawler."""
KINDS_THAT_BECOME_PAGES = ("check", "sitemap", "asset")

CONFIRMED = 200
"""What a part of pages answered that is asked for conditionally."""

Change = Literal["document", "unchanged", "failure"]
"""What a visit does to the row of a page: give it a new document, confirm the one that is held, or
tell of a failure beside it."""


class Before(NamedTuple):
    """What stood in the tables of a URL before a visit to it.

    waited: it was queued; a robots.txt that was asked for again may have stopped it while it was
    out. is_page: it has a row in ``pages``, and the rest is from there; seen: what its last visit
    found.
    """

    waited: int = 0
    is_page: int = 0
    document_at: str | None = None
    document_status: int | None = None
    text_hash: int | None = None
    body_id: int | None = None
    changed_at: str | None = None
    seen: Seen | None = None


NEVER_HELD = Before()


class Facts(msgspec.Struct, frozen=True):
    """What is known of a URL when a visit to it comes back.

    depth, hops: by its best links so far. linked: pages link to it by now, whatever it was out for.
    is_echo: but only as their canonical or alternate.
    bare_seeds: seeds written without a scheme named it, so that http can be tried instead.
    """

    depth: int
    hops: int
    linked: bool
    before: Before
    bare_seeds: bool = False
    is_echo: bool = False


class Ruling(msgspec.Struct, frozen=True):
    """What a visit comes to.

    fate: of its URL. error: of the visit. again_as_page: it waits to be fetched as a page.
    over_http: its seeds are tried over http. loops: it redirects to itself. follows: its redirect
    is admitted, one hop on.
    change: of its page, None where there is none. is_good: it brought a version of the document.
    is_not_modified: the server confirmed what is held. ends_links: the page is gone or has moved,
    and what it linked to with it.
    status: what the document answered; one that was confirmed answers what it answered before.
    partial: why the document is not whole. made_under: the settings under which it was made, None
    where it must not be asked for conditionally (see `settings_of`).
    entries: what it lists as a sitemap replaces what it listed before. A page may be one, too.
    styles: what it names as a style sheet that is no page replaces what it named before.
    """

    fate: Fate
    error: str | None = None
    again_as_page: bool = False
    over_http: bool = False
    loops: bool = False
    follows: bool = False
    change: Change | None = None
    is_good: bool = False
    is_not_modified: bool = False
    ends_links: bool = False
    status: int | None = None
    partial: str | None = None
    made_under: int | None = None
    entries: bool = False
    styles: bool = False


def rule(
    arrival: Arrival, facts: Facts, config: Config, *, settings: int | None = 0, chance: float = 0.5
) -> Ruling:
    """The ruling on a visit.

    settings: by `settings_of`. chance: 0..1, spreads the rests before further tries.
    """
    reply, document, entry = arrival.visit.reply, arrival.visit.document, arrival.entry
    before = facts.before
    error = reply.error or document.error
    redirects = reply.redirect is not None and error is None
    if redirects:
        error = _chain_error(arrival, facts.hops, config.fetch.max_redirects)
    fate = fate_of(arrival, error, config, chance=chance)
    shown_again = _is_asked_again(arrival, error, config)
    if shown_again:
        fate = Fate("queued", error, 0.0)
    over_http = facts.bare_seeds and may_try_http(arrival, config)
    if over_http:
        fate = Fate("skipped", "no_https")
    again = facts.linked and entry.kind in KINDS_THAT_BECOME_PAGES
    if again:
        fate = Fate("queued")
    is_page = entry.kind == "page" and fate.state in ("done", "failed")
    is_good = is_page and _is_good(arrival, error, before)
    change = _change(arrival, error, is_good, before) if is_page else None
    is_asset = entry.kind == "asset" and not again
    is_not_modified = reply.status == 304 and _was_conditional(arrival)
    partial = why_partial(reply, document, error) if is_good else None
    whole = is_good and partial is None and error is None and document.challenge is None
    return Ruling(
        fate,
        error,
        again_as_page=again,
        over_http=over_http,
        loops=redirects and error == "redirect_loop" and not shown_again,
        follows=redirects and error is None,
        change=change,
        is_good=is_good and change == "document",
        is_not_modified=is_not_modified,
        ends_links=bool(before.is_page or entry.kind in ("sitemap", "asset"))
        and _is_elsewhere(arrival, error),
        status=_status(reply, before, change, confirmed=is_asset and is_not_modified),
        partial=partial,
        # what a browser has shown may be another though the document is the same
        made_under=settings if whole and arrival.visit.rendering is None else None,
        entries=(is_good or not is_page)
        and fate.state != "queued"
        and _lists(arrival, error, before),
        styles=is_asset and fate.state == "done" and _is_good(arrival, error, NEVER_HELD),
    )


def _status(reply: Reply, before: Before, change: Change | None, *, confirmed: bool) -> int | None:
    """What the document answered. confirmed: a part of pages is as it was, which was good."""
    if change == "unchanged":
        return before.document_status
    return CONFIRMED if confirmed else reply.status


def fate_of(arrival: Arrival, error: str | None, config: Config, *, chance: float) -> Fate:
    """What becomes of the URL that an attempt was made at."""
    if error == logins.OVER and (arrival.blameless or arrival.attempts < logins.OUT_TRIES):
        return Fate("queued", error, 0.0)
    if arrival.blameless:
        return Fate("queued", error, outage.PROBE_S)
    reply = arrival.visit.reply
    refused = reply.status is not None and reply.status >= 400
    if arrival.visit.job.method == "HEAD" and refused and reply.status not in pace.PENALISED:
        return HEAD_REFUSED
    return pace.fate(
        reply.status,
        error,
        arrival.attempts,
        config.pace,
        retry_after_s=reply.retry_after_s,
        try_again=reply.try_again,
        chance=chance,
    )


def may_try_http(arrival: Arrival, config: Config) -> bool:
    """Could seeds without a scheme be meant for http, since https cannot connect?

    The first fetch of an origin tells, which is its robots.txt where such are asked for.
    """
    entry, visit = arrival.entry, arrival.visit
    tells = bool(arrival.for_origin) or (entry.priority == 0 and not config.robots.obey)
    error = visit.reply.error or visit.document.error
    return tells and not arrival.blameless and words.of(error).unconnected


def _chain_error(arrival: Arrival, hops: int, max_redirects: int) -> str | None:
    """Why a redirect cannot be followed: to itself, or too long a chain.

    Longer loops show when the batch is written (`store/redirects.py`).
    """
    target = arrival.visit.reply.redirect
    if target is not None and target.hash == arrival.entry.hash:
        return "redirect_loop"
    return "too_many_redirects" if hops >= max_redirects else None


def _is_asked_again(arrival: Arrival, error: str | None, config: Config) -> bool:
    """Does a redirect lead back to itself only because no cookie was there yet, which is now?"""
    looped = error == "redirect_loop" and arrival.new_cookies
    return looped and arrival.attempts < config.pace.tries


def _was_conditional(arrival: Arrival) -> bool:
    job = arrival.visit.job
    return bool(job.etag or job.last_modified)


def _is_good(arrival: Arrival, error: str | None, before: Before) -> bool:
    """Does this visit bring a new version of the document, rather than a failure to fetch it?"""
    reply = arrival.visit.reply
    if reply.status is None or not 200 <= reply.status < 300:
        return False
    if arrival.visit.document.challenge is not None and before.document_at:
        return False
    return error is None or words.of(error).kept or not before.document_at


def _change(arrival: Arrival, error: str | None, is_good: bool, before: Before) -> Change:
    entry, reply = arrival.entry, arrival.visit.reply
    asked = entry.etag or entry.last_modified
    if reply.status == 304 and error is None and asked and before.is_page:
        return "unchanged"
    return "failure" if before.document_at and not is_good else "document"


def _lists(arrival: Arrival, error: str | None, before: Before) -> bool:
    """Does this visit say anew what stands in a sitemap, if only that there is nothing more?"""
    reply, document = arrival.visit.reply, arrival.visit.document
    if document.entries:
        return True
    if not (before.is_page or arrival.entry.kind == "sitemap"):
        return False
    is_whole = reply.status == 200 and why_partial(reply, document, error) is None
    return is_whole and document.challenge is None


def why_partial(reply: Reply, document: Document, error: str | None) -> str | None:
    """Why a document is not held whole: a word of ``visits.truncated`` or an error, or None."""
    return reply.truncated or document.truncated or words.of(error).cuts or error


def _is_elsewhere(arrival: Arrival, error: str | None) -> bool:
    """Is what stood here gone, or has it moved?

    What passes (errors of the network, 429, 5xx) and what hides it (a challenge) leave it there.
    """
    status = arrival.visit.reply.status
    if status is None or arrival.visit.document.challenge is not None:
        return False
    if 300 <= status <= 399:
        return status != 304 and (error is None or words.of(error).of_redirect)
    return 400 <= status <= 499 and error is None and words.of_answer(status) is None


NOTED = 1
"""Raised whenever more is noted of a page than before, so that what is held is read again."""


def settings_of(config: Config) -> int:
    """A number for all settings on which it depends what is kept of a document.

    A document that was made under others may lack what these ask for, and is not asked for
    conditionally: the answer "not modified" would hide that for good.
    """
    store = config.store
    asked = (
        NOTED, config.fetch.max_body_bytes, config.parse.max_links, store.bodies, store.texts,
        store.text_max_bytes, store.obey_noindex, config.scope.strip_parameters,
        config.fetch.user_agent, config.fetch.robots_token,
        *(() if store.bodies else (analysis.VERSION,)), *_of_sites(config),
        *(("styles",) if reads_styles(config) else ()),
        *(("render", *sorted(rendering.modes(config))) if rendering.is_asked(config) else ()),
    )  # fmt: skip
    digest = hashlib.blake2b(msgspec.json.encode(asked), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def _of_sites(config: Config) -> tuple[object, ...]:
    """The same settings where they differ for some sites."""
    said = (
        (
            name, site.max_body_bytes, sorted(site.headers or ()), site.basic is not None,
            site.bearer is not None, bool(site.cookies),
        )
        for name, site in config.site.items()
    )  # fmt: skip
    return tuple(one for one in said if any(one[1:]))


# robots.txt


class RobotsRuling(msgspec.Struct, frozen=True):
    """What a reply for a robots.txt comes to (RFC 9309, section 2.3.1).

    follows: its redirect is asked next. retry_in_s: it is asked for again, None for not.
    counted: this was a try. over_http: the seeds of its origin are tried over http.
    failed: why it could not be had, None when all is known: the rules where has_rules, else that
    everything is allowed.
    """

    follows: bool = False
    retry_in_s: float | None = None
    counted: bool = True
    over_http: bool = False
    failed: str | None = None
    has_rules: bool = False


def may_be_asked(target: Target, *, at_home: bool, is_allowed: bool, asked: int) -> bool:
    """May a robots.txt that redirects make us ask for its target?

    On another host only for what that host's own rules allow, its robots.txt above all, and of one
    host not often: others' redirects must not choose what we ask of it. at_home: the target is on
    the host whose rules are asked for. asked: how often its host was asked like this.
    """
    if at_home:
        return True
    return (is_robots_txt(target) or is_allowed) and asked < MAX_STRANGE_ROBOTS


def is_robots_txt(target: Target) -> bool:
    """Is this the robots.txt of its own host, which anybody may ask for?"""
    return urlsplit(target.url)[2:4] == ("/robots.txt", "")


def rule_robots(
    arrival: Arrival, config: Config, *, bare_seeds: bool, leads_astray: bool = False,
    chance: float = 0.5,
) -> RobotsRuling:  # fmt: skip
    """The ruling on a reply for a robots.txt. bare_seeds: seeds without a scheme wait for it.

    leads_astray: its redirect may not be asked for, so that it is as good as not there.
    """
    reply, entry = arrival.visit.reply, arrival.entry
    redirect = reply.redirect
    can_follow = redirect is not None and redirect.refusal is None and not leads_astray
    if can_follow and entry.hops < MAX_ROBOTS_HOPS:
        return RobotsRuling(follows=True)
    if arrival.blameless:
        return RobotsRuling(retry_in_s=outage.PROBE_S, counted=False)
    error = None if reply.status is not None and words.of(reply.error).rules else reply.error
    fate = fate_of(arrival, error, config, chance=chance)
    over_http = bare_seeds and may_try_http(arrival, config)
    if fate.state == "queued" and not over_http:
        return RobotsRuling(retry_in_s=fate.retry_in_s)
    failed = fate.reason if fate.state != "done" and not _has_none(reply, error) else None
    if error is None and _says_not_all(reply):
        failed = reply.error or f"http_{reply.status}"
    good = failed is None and reply.status is not None and 200 <= reply.status < 300
    return RobotsRuling(over_http=over_http, failed=failed, has_rules=good)


def _has_none(reply: Reply, error: str | None) -> bool:
    """Does the site say that it has no robots.txt? 408 and 425, too, when they stay (RFC 9309,
    section 2.3.1.3); 429 says that it has no time."""
    return error is None and 400 <= (reply.status or 0) <= 499 and reply.status != 429


def _says_not_all(reply: Reply) -> bool:
    """Is it no file, or a part of one? Nobody asked for a part, or whether it was modified, so that
    nothing follows from what is not there; of what is compressed and broken as little. A status
    beyond all classes is the server's error (RFC 9110, section 15)."""
    status = reply.status or 0
    in_part = status == 206 or (200 <= status <= 299 and reply.error == "decode_error")
    is_no_file = status == 304 or status > LAST_STATUS
    return is_no_file or (in_part and reply.truncated is not None)


# What is kept of a document


def as_kept(arrival: Arrival, config: Config, *, has_space: bool = True) -> Arrival:
    """The visit with what the person wants kept of it, and there is space for."""
    if not has_space:
        visit = arrival.visit
        document = msgspec.structs.replace(
            visit.document, text=None, facts=None, truncated="host_cap", targets=Distinct(),
            columns=LinkColumns(), entries=(), leads_on=None,
        )  # fmt: skip
        bare = msgspec.structs.replace(
            visit, document=document, body=None, body_sha256=None, rendering=None
        )
        arrival = msgspec.structs.replace(arrival, visit=bare)
    if config.store.obey_noindex and _asks_not_to_be_kept(arrival.visit):
        return _without_content(arrival)
    return arrival


def _asks_not_to_be_kept(visit: Visit) -> bool:
    """As it was sent, or as a browser has shown it."""
    about = visit.rendering
    wishes = [visit.document.meta_robots, about.raw.meta_robots if about is not None else None]
    return any(map(robots_directives.forbid_keeping, wishes))


def _without_content(arrival: Arrival) -> Arrival:
    """A visit that says what was answered and where it leads, but nothing of what was written."""
    visit = arrival.visit
    document = msgspec.structs.replace(
        visit.document, title=None, description=None, h1=None, text=None, word_count=None,
        text_hash=None, facts=None,
    )  # fmt: skip
    bare = msgspec.structs.replace(
        visit, document=document, body=None, body_sha256=None, rendering=None
    )
    return msgspec.structs.replace(arrival, visit=bare)


def without_document(arrival: Arrival) -> Arrival:
    """A visit whose content cannot be stored keeps its place in history, with the error."""
    visit = arrival.visit
    reply = Reply(
        status=visit.reply.status,
        error=visit.reply.error or "decode_error",
        error_detail="the document could not be stored",
        total_ms=visit.reply.total_ms,
    )
    bare = msgspec.structs.replace(
        visit, reply=reply, document=Document(), body=None, body_sha256=None, rendering=None
    )
    return msgspec.structs.replace(arrival, visit=bare)


def within_nesting(document: Document, deep: int, most: int) -> Document:
    """A style sheet that leads to no more of them where `most` name each other in a chain: this
    one is the `deep`-th. What is a sheet without having been imported as one leads nowhere then.
    """
    if deep < most:
        return document
    links = document.columns
    ends = {
        target
        for target, kind in zip(links.targets, links.kinds, strict=True)
        if kind == "import" or deep > most
    }
    targets = [
        msgspec.structs.replace(target, refusal="depth")
        if at in ends and target.refusal is None
        else target
        for at, target in enumerate(document.targets)
    ]
    return msgspec.structs.replace(document, targets=Distinct.of(targets))


def best_links(
    document: Document, wanted: Container[int], *, follow_nofollow: bool, of_echo: bool = False
) -> dict[int, tuple[int, str]]:
    """By target, rank and kind of the first of the best links that lead to it.

    wanted: indexes of targets. of_echo: the page is known only as another's canonical or alternate,
    and its own are links like any other that is not followed. Ranks: 2 for links to follow, 1 for
    those that ask not to be followed, 0 for all others.
    """
    best: dict[int, tuple[int, str]] = {}
    links = document.columns
    targets, kinds, nofollows = links.targets, links.kinds, links.nofollows
    for at in compress(count(), map(wanted.__contains__, targets)):
        target, kind, rank = targets[at], kinds[at], 0
        if of_echo and kind in ECHOES:
            kind = UNFOLLOWED
        if kind in FOLLOWED:
            rank = 1 if nofollows and nofollows[at] and not follow_nofollow else 2
        held = best.get(target)
        if held is None or rank > held[0]:
            best[target] = rank, kind
    return best
