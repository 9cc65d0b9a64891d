"""What does each word mean that says why a fetch or a URL came to nothing?

One table of all words of ``visits.error``, ``urls.reason`` and ``visits.truncated``, with what
follows from each. A status that is a failure is a word, too: ``http_503``.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Literal

import msgspec

from crawler.policy import retries
from crawler.policy.scope import Standing

Fault = Literal["site", "page", "settings", "crawler", "proxy"]
"""Whose doing it is: the host's, one page's or link's, the person's own choice, ours, or that of a
proxy between."""
Layer = Literal["names", "links"]
"""A part of the network that can be down by itself: resolving names, reaching addresses."""
Column = Literal["error", "reason", "truncated", "render"]
"""Where a word stands: in ``visits.error``, in ``urls.reason``, in ``visits.truncated``, in
``renders.error`` or ``requests.reason``."""

_STATUS: Final = re.compile(r"http_([1-9][0-9]{2})", re.ASCII)
_SITE_BOTH: Final[tuple[Column, ...]] = ("error", "reason")


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one word.

    meaning: a sentence for people. stands: the columns in which it may stand. fault: see `Fault`.
    tries: fetches at most, as far as ``pace.tries`` allows. rest: the first rest between two, as a
        multiple of ``pace.retry_base_s``.
    layer: which part of the network may have failed instead, None when the host was reached.
    silent: the host took the time that passed. unconnected: over https it is the same as if there
        were no server, so that http may be tried.
    cuts: what ``truncated`` says of a body which this has ended. kept: what came before is a
        version of the document all the same. rules: and a robots.txt that is there all the same is
        obeyed.
    of_redirect: the page has moved, though where to cannot be followed.
    standing: what it says of the best link to a URL, None where links played no part.
    of_url: the URL itself cannot be fetched, whoever links to it.
    judged_anew: a change of the settings may undo it. asked_anew: a later run asks again.
    """

    meaning: str
    stands: tuple[Column, ...] = _SITE_BOTH
    fault: Fault = "site"
    tries: int = 1
    rest: float = 0.0
    layer: Layer | None = None
    silent: bool = False
    unconnected: bool = False
    cuts: str | None = None
    kept: bool = False
    rules: bool = False
    of_redirect: bool = False
    standing: Standing | None = None
    of_url: bool = False
    judged_anew: bool = False
    asked_anew: bool = False

    @property
    def skips(self) -> bool:
        """An attempt that ends so leaves its URL ``skipped``: it was refused, not tried in vain."""
        return self.fault == "settings"


def _refusal(meaning: str, *, fault: Fault = "settings", **more: object) -> Word:
    """A word of ``urls.reason`` alone: nothing was asked."""
    return Word(meaning=meaning, stands=("reason",), fault=fault, **more)  # type: ignore[arg-type]  # names are those of Word


def _cut(meaning: str) -> Word:
    return Word(meaning=meaning, stands=("truncated",))


def _unseen(meaning: str, **more: object) -> Word:
    """Why a page was not seen as a browser shows it: its document stands as it was sent."""
    return Word(meaning=meaning, stands=("render",), **({"fault": "page"} | more))  # type: ignore[arg-type]  # names are those of Word


WORDS: Final[dict[str, Word]] = {
    # The name, the connection
    "dns_fail": Word(meaning="the host's name has no address", tries=2, rest=1.0, layer="names"),
    "dns_timeout": Word(
        meaning="no name server told the host's address in time", tries=3, rest=1.0, layer="names"
    ),
    "blocked_addr": Word(
        meaning="the host is at a private address; --allow-private permits it",
        fault="settings",
        judged_anew=True,
        asked_anew=True,
    ),
    "blocked_port": Word(
        meaning="this port is never connected to",
        fault="settings",
        of_url=True,
        judged_anew=True,
    ),
    "connect_refused": Word(
        meaning="nothing at the host's address takes connections",
        tries=3,
        rest=1.0,
        layer="links",
        unconnected=True,
    ),
    "connect_timeout": Word(
        meaning="the host's address did not answer the attempt to connect",
        tries=3,
        rest=2.0,
        layer="links",
        unconnected=True,
    ),
    "proxy_failed": Word(
        meaning="the proxy could not be reached, or did not let this through",
        fault="proxy",
        tries=3,
        rest=1.0,
    ),
    "tls_verify": Word(
        meaning="the certificate does not prove who the host is; --insecure accepts it"
    ),
    "tls_proto": Word(
        meaning="the two sides found no common way to encrypt",
        unconnected=True,
        cuts="disconnect",
    ),
    # The answer
    "conn_reset": Word(
        meaning="the host broke the connection off",
        tries=3,
        rest=1.0,
        unconnected=True,
        cuts="disconnect",
    ),
    "conn_closed": Word(
        meaning="the host closed the connection before the answer was whole",
        tries=3,
        rest=1.0,
        unconnected=True,
        cuts="disconnect",
    ),
    "timeout": Word(
        meaning="the host said nothing for longer than fetch.read_s",
        tries=3,
        rest=2.0,
        layer="links",
        silent=True,
        unconnected=True,
        cuts="time",
    ),
    "timeout_total": Word(
        meaning="the fetch was not done within fetch.total_s", silent=True, cuts="time", kept=True
    ),
    "proto_error": Word(meaning="the answer is not HTTP", cuts="disconnect"),
    "too_large": Word(
        meaning="the answer is larger than fetch.max_body_bytes, or than assets.max_media_bytes; "
        "its beginning is kept where that is worth something",
        cuts="length",
        kept=True,
        rules=True,
    ),
    "decode_error": Word(meaning="the answer's compression is broken", rules=True),
    "bad_redirect": Word(
        meaning="the answer redirects to what is no address for the web",
        fault="page",
        of_redirect=True,
    ),
    "redirect_loop": Word(
        meaning="a redirect leads back to itself; where it sets a cookie first, "
        "[site.NAME] cookies = true keeps it",
        of_redirect=True,
    ),
    "too_many_redirects": Word(
        meaning="a chain of redirects is longer than fetch.max_redirects", of_redirect=True
    ),
    "login_failed": Word(
        meaning="the login of its site failed, so that nothing there was asked for; "
        "the next run tries again",
        fault="settings",
        asked_anew=True,
    ),
    "logged_out": Word(
        meaning="it shows that the login of its site holds no longer; the next run logs in again",
        fault="page",
    ),
    # Our own part
    "parse_timeout": Word(
        meaning="the page took longer to read than parse.max_seconds", fault="page"
    ),
    "worker_lost": Word(
        meaning="the process that had the page in hand ended", fault="page", tries=2
    ),
    "cancelled": Word(
        meaning="the crawler had no means left to fetch it just then",
        fault="crawler",
        tries=3,
        rest=1.0,
    ),
    "head_refused": Word(
        meaning="the host refuses HEAD: it waits to be asked with GET", stands=("reason",)
    ),
    # Not asked for
    "scope": _refusal(
        "it is not on the seeds' hosts, or whatever --scope says",
        standing=Standing.REFUSED,
        judged_anew=True,
    ),
    "excluded": _refusal(
        "--exclude or --include leaves it out, or it would end a login",
        standing=Standing.REFUSED,
        judged_anew=True,
    ),
    "depth": _refusal(
        "it is more clicks away than --max-depth, or more style sheets than assets.max_nesting "
        "name each other before it is named",
        standing=Standing.DEEP,
        judged_anew=True,
    ),
    "nofollow": _refusal(
        "every link to it asks not to be followed",
        fault="site",
        standing=Standing.NOFOLLOW,
        judged_anew=True,
    ),
    "not_followed": _refusal(
        "only images, scripts, forms and the like name it; such are recorded only, "
        "unless --assets asks for more",
        standing=Standing.RECORDED,
        judged_anew=True,
    ),
    "trap": _refusal(
        "it looks like one of an endless series of addresses",
        fault="site",
        standing=Standing.REFUSED,
        judged_anew=True,
    ),
    "other_shard": _refusal("another shard of this crawl keeps what became of it (crawler merge)"),
    "robots": _refusal(
        "the site's robots.txt forbids it; a later run asks for that anew when it is a day old",
        fault="site",
        judged_anew=True,
        asked_anew=True,
    ),
    "robots_unreachable": Word(
        meaning="the site's robots.txt could not be had, so that nothing may be asked for",
        stands=("reason", "error"),
        fault="site",
        judged_anew=True,
        asked_anew=True,
    ),
    "host_cap": Word(
        meaning="scope.max_pages_per_host or scope.max_bytes_per_host is reached",
        stands=("reason", "truncated"),
        fault="settings",
        judged_anew=True,
    ),
    "domain_cap": _refusal(
        "scope.max_pages_per_domain or scope.max_hosts_per_domain is reached",
        judged_anew=True,
    ),
    "host_blocked": _refusal("the host asks for no more requests", fault="site"),
    "no_https": _refusal(
        "the seed was written without a scheme, and https cannot connect: see its http address",
        fault="site",
        asked_anew=True,
    ),
    "scheme": _refusal(
        "only http and https addresses can be crawled",
        fault="page",
        standing=Standing.REFUSED,
        of_url=True,
    ),
    "url_invalid": _refusal("not an address", fault="page", standing=Standing.REFUSED, of_url=True),
    "url_too_long": _refusal(
        "the address is too long",
        standing=Standing.REFUSED,
        of_url=True,
        judged_anew=True,
    ),
    # What a document lacks
    "length": _cut("the body is cut at fetch.max_body_bytes"),
    "disconnect": _cut("the connection ended before the body was whole"),
    "time": _cut("the time was over before the body was whole"),
    "parse": _cut("reading stopped at something that cannot be read"),
    "links": _cut("there are more links than parse.max_links"),
    "text": _cut("the text is kept up to store.text_max_bytes"),
    # What a browser could not show
    "render_timeout": _unseen("its scripts took longer than render.cpu_s or render.wall_s"),
    "render_memory": _unseen("its scripts took more memory than render.memory_bytes"),
    "render_crashed": _unseen("the process that showed it broke down"),
    "render_left": _unseen("its scripts left for another page, which is a link of it now"),
    "render_lost": _unseen("the browser broke down twice while it showed this page"),
    "render_refused": _unseen(
        "its worker has no browser, or nobody to ask what it may ask for", fault="crawler"
    ),
    # Why a page that is being shown did not get what it asked for
    "render_method": _unseen("only GET and HEAD are sent for a page that is being shown"),
    "render_kind": _unseen("a page that is being shown gets no fonts, media, beacons and streams"),
    "render_frame": _unseen("only frames of the page's own domain are shown, one level deep"),
    "render_most": _unseen("the page asked for more than render.max_requests or render.max_bytes"),
    "render_pace": _unseen("the host that was asked rests, or answered too late"),
}

OTHER: Final = Word(meaning="")
"""Stands for a word that is in no table, of a newer version perhaps."""


def of(word: str | None) -> Word:
    """What is known of a word; `OTHER` where nothing is."""
    return WORDS.get(word or "") or _of_status(word or "") or OTHER


def which(*, stands: Column | None = None, **facts: object) -> frozenset[str]:
    """The words of which all these facts hold: ``which(kept=True)``."""
    return frozenset(
        name
        for name, word in WORDS.items()
        if (stands is None or stands in word.stands)
        and all(getattr(word, fact) == value for fact, value in facts.items())
    )


def of_answer(status: int | None) -> str | None:
    """The word of a status that is a failure, ``http_503``; None for every other."""
    if status is None:
        return None
    return f"http_{status}" if retries.is_failure(status) else None


@lru_cache(maxsize=1024)
def _of_status(word: str) -> Word | None:
    found = _STATUS.fullmatch(word)
    if found is None:
        return None
    status = int(found[1])
    tries, rest = retries.of_status(status)
    return Word(
        meaning=f"the host answered {_named(status)}",
        stands=("reason",),
        tries=tries,
        rest=rest,
    )


def _named(status: int) -> str:
    from http import HTTPStatus  # needed by nobody else before the first request

    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status}, a status of no standard"
