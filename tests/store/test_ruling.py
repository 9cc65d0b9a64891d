"""Is each visit ruled on as the table says, without a database?"""

from __future__ import annotations

import msgspec
import pytest

from crawler.config import Config
from crawler.model import (
    Distinct,
    Document,
    Job,
    Link,
    LinkColumns,
    Reply,
    SitemapEntry,
    Target,
    Visit,
)
from crawler.policy import outage, urls
from crawler.policy.pace import Fate
from crawler.store.contract import Arrival, Entry
from crawler.store.ruling import (
    HEAD_REFUSED,
    Before,
    Facts,
    RobotsRuling,
    Ruling,
    as_kept,
    best_links,
    rule,
    rule_robots,
)

CONFIG = Config()
SETTINGS = 9
URL = "https://a.test/"
ELSEWHERE, _ = urls.resolve("/b", URL)
ITSELF, _ = urls.resolve(URL)
NEW = Before(waited=1)
HELD = Before(
    waited=1,
    is_page=1,
    document_at="then",
    document_status=200,
    text_hash=1,
    body_id=1,
    changed_at="then",
)
FIRST_LINK = Facts(depth=1, hops=0, linked=False, before=NEW)


def arrival(
    *, status: int | None = 200, error: str | None = None, kind: str = "page", attempts: int = 0,
    hops: int = 0, etag: str | None = None, method: str = "GET", redirect: Target | None = None,
    document: Document | None = None, blameless: bool = False, priority: int = 1,
    for_origin: int = 0, truncated: str | None = None,
) -> Arrival:  # fmt: skip
    entry = Entry(priority, 1, 1, URL, ITSELF.hash, kind, attempts, hops, 1, 1, etag)
    job = Job(1, 1, URL, kind=kind, method=method, attempt=attempts + 1, etag=etag)  # type: ignore[arg-type]
    reply = Reply(status, error, redirect=redirect, truncated=truncated)
    return Arrival(Visit(job, reply, document or Document(), "now"), entry, for_origin, blameless)


VISITS = {
    "a page that came whole is a document": (
        arrival(),
        FIRST_LINK,
        Ruling(Fate("done"), change="document", is_good=True, status=200, made_under=SETTINGS),
    ),
    "a page that is not there has a row, but no document": (
        arrival(status=404),
        FIRST_LINK,
        Ruling(Fate("done"), change="document", status=404),
    ),
    "a page that is gone keeps its document, and links to nothing": (
        arrival(status=404),
        msgspec.structs.replace(FIRST_LINK, before=HELD),
        Ruling(Fate("done"), change="failure", ends_links=True, status=404),
    ),
    "so does one that has moved": (
        arrival(status=301, redirect=ELSEWHERE),
        msgspec.structs.replace(FIRST_LINK, before=HELD),
        Ruling(Fate("done"), follows=True, change="failure", ends_links=True, status=301),
    ),
    "a host that is overloaded says nothing of the page": (
        arrival(status=503, attempts=2),
        msgspec.structs.replace(FIRST_LINK, before=HELD),
        Ruling(Fate("failed", "http_503"), change="failure", status=503),
    ),
    "nor does a wall in front of it": (
        arrival(status=403, document=Document(challenge="login")),
        msgspec.structs.replace(FIRST_LINK, before=HELD),
        Ruling(Fate("done"), change="failure", status=403),
    ),
    "a wall that says 200 replaces no document": (
        arrival(document=Document(challenge="login")),
        msgspec.structs.replace(FIRST_LINK, before=HELD),
        Ruling(Fate("done"), change="failure", status=200),
    ),
    "a document with too many links is not whole": (
        arrival(document=Document(truncated="links")),
        FIRST_LINK,
        Ruling(Fate("done"), change="document", is_good=True, status=200, partial="links"),
    ),
    "what was confirmed is unchanged": (
        arrival(status=304, etag='"1"'),
        msgspec.structs.replace(FIRST_LINK, before=HELD),
        Ruling(Fate("done"), change="unchanged", is_not_modified=True, status=200),
    ),
    "what is not modified though nobody asked is an answer like any other": (
        arrival(status=304),
        FIRST_LINK,
        Ruling(Fate("done"), change="document", status=304),
    ),
    "an error of the network waits for another try": (
        arrival(status=None, error="conn_reset"),
        FIRST_LINK,
        Ruling(Fate("queued", "conn_reset", 5.0), "conn_reset"),
    ),
    "the last try in vain is a failure": (
        arrival(status=None, error="conn_reset", attempts=2),
        FIRST_LINK,
        Ruling(Fate("failed", "conn_reset"), "conn_reset", change="document"),
    ),
    "an outage is no try": (
        arrival(status=None, error="dns_fail", attempts=2, blameless=True),
        FIRST_LINK,
        Ruling(Fate("queued", "dns_fail", outage.PROBE_S), "dns_fail"),
    ),
    "the beginning of what is too large is a document": (
        arrival(error="too_large"),
        msgspec.structs.replace(FIRST_LINK, before=HELD),
        Ruling(
            Fate("failed", "too_large"), "too_large", change="document", is_good=True, status=200,
            partial="length",
        ),
    ),
    "what cannot be read replaces no document": (
        arrival(error="decode_error"),
        msgspec.structs.replace(FIRST_LINK, before=HELD),
        Ruling(Fate("failed", "decode_error"), "decode_error", change="failure", status=200),
    ),
    "our own refusal skips": (
        arrival(status=None, error="blocked_addr"),
        FIRST_LINK,
        Ruling(Fate("skipped", "blocked_addr"), "blocked_addr"),
    ),
    "a redirect is followed": (
        arrival(status=301, redirect=ELSEWHERE),
        FIRST_LINK,
        Ruling(Fate("done"), follows=True, change="document", status=301),
    ),
    "a redirect to itself is an error": (
        arrival(status=301, redirect=ITSELF),
        FIRST_LINK,
        Ruling(
            Fate("failed", "redirect_loop"), "redirect_loop", loops=True, change="document",
            status=301,
        ),
    ),
    "the hop too many is an error": (
        arrival(status=301, redirect=ELSEWHERE),
        msgspec.structs.replace(FIRST_LINK, hops=CONFIG.fetch.max_redirects),
        Ruling(
            Fate("failed", "too_many_redirects"), "too_many_redirects", change="document",
            status=301,
        ),
    ),
    "a check that pages link to by now waits to be a page": (
        arrival(kind="check", method="HEAD"),
        msgspec.structs.replace(FIRST_LINK, linked=True),
        Ruling(Fate("queued"), again_as_page=True, status=200),
    ),
    "a HEAD that is refused is asked again with GET": (
        arrival(kind="check", method="HEAD", status=405),
        FIRST_LINK,
        Ruling(HEAD_REFUSED, status=405),
    ),
    "a check has no row among the pages": (
        arrival(kind="check", status=404),
        FIRST_LINK,
        Ruling(Fate("done"), status=404),
    ),
    "a sitemap is read for its entries": (
        arrival(kind="sitemap", document=Document(entries=(SitemapEntry(0),))),
        FIRST_LINK,
        Ruling(Fate("done"), entries=True, status=200),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VISITS)
def test_a_visit_is_ruled_on(name: str) -> None:
    visit, facts, ruling = VISITS[name]
    assert rule(visit, facts, CONFIG, settings=SETTINGS) == ruling


def test_a_bare_seed_whose_https_cannot_connect_is_tried_over_http_at_once() -> None:
    careless = msgspec.convert({"robots": {"obey": False}}, Config)
    facts = msgspec.structs.replace(FIRST_LINK, bare_seeds=True)
    seed = arrival(status=None, error="connect_refused", priority=0)
    assert rule(seed, facts, careless).over_http
    assert not rule(seed, facts, CONFIG).over_http, "its robots.txt told already"
    broken = arrival(status=None, error="tls_verify", priority=0)
    assert not rule(broken, facts, careless).over_http, "there is a server"


def robots(**fields: object) -> Arrival:
    return arrival(kind="robots", for_origin=1, **fields)  # type: ignore[arg-type]


ROBOTS = {
    # RFC 9309, section 2.3.1.1
    "rules that came are obeyed": (robots(), False, RobotsRuling(has_rules=True)),
    # 2.3.1.3: unavailable
    "none there allows all": (robots(status=404), False, RobotsRuling()),
    "forbidden allows all": (robots(status=403), False, RobotsRuling()),
    # 2.3.1.4: unreachable, asked for again before it is believed
    "a server error is asked for again": (
        robots(status=500), False, RobotsRuling(retry_in_s=5.0),
    ),
    "a server error that stays closes": (
        robots(status=500, attempts=2), False, RobotsRuling(failed="http_500"),
    ),
    # not told there: what comes is not the file, or not all of it, and nobody asked for that
    "not modified closes": (robots(status=304), False, RobotsRuling(failed="http_304")),
    "a part closes": (
        robots(status=206, truncated="disconnect"), False, RobotsRuling(failed="http_206"),
    ),
    "a status beyond all classes closes": (
        robots(status=999), False, RobotsRuling(failed="http_999"),
    ),
    "what could be decoded in part closes": (
        robots(error="decode_error", truncated="disconnect"), False,
        RobotsRuling(failed="decode_error"),
    ),
    "none there allows all, however it is said": (
        robots(status=404, error="decode_error", truncated="disconnect"), False, RobotsRuling(),
    ),
    "what was not compressed, though it said so, is obeyed": (
        robots(error="decode_error"), False, RobotsRuling(has_rules=True),
    ),
    "all of it in one part is obeyed": (robots(status=206), False, RobotsRuling(has_rules=True)),
    # 2.3.1.2
    "a redirect is followed": (
        robots(status=302, redirect=ELSEWHERE), False, RobotsRuling(follows=True),
    ),
    "the sixth redirect in a row counts as none there": (
        robots(status=302, redirect=ELSEWHERE, hops=5), False, RobotsRuling(),
    ),
    # 2.5: parse at least 500 KiB, what lies beyond may be left
    "the beginning of what is too large is obeyed": (
        robots(error="too_large"), False, RobotsRuling(has_rules=True),
    ),
    "an outage is no try": (
        robots(status=None, error="dns_fail", attempts=2, blameless=True), False,
        RobotsRuling(retry_in_s=outage.PROBE_S, counted=False),
    ),
    "bare seeds are tried over http at once": (
        robots(status=None, error="connect_refused"), True,
        RobotsRuling(over_http=True, failed="connect_refused"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ROBOTS)
def test_a_robots_txt_is_ruled_on(name: str) -> None:
    visit, bare_seeds, ruling = ROBOTS[name]
    assert rule_robots(visit, CONFIG, bare_seeds=bare_seeds) == ruling


@pytest.mark.parametrize("wish", ["noindex", "nofollow, noindex", "none"])
def test_what_asks_not_to_be_indexed_keeps_only_its_facts_where_that_is_obeyed(wish: str) -> None:
    document = Document(title="Secret", text="secret words", meta_robots=wish)
    obedient = msgspec.convert({"store": {"obey_noindex": True}}, Config)
    kept = as_kept(arrival(document=document), obedient).visit.document
    assert (kept.title, kept.text, kept.meta_robots) == (None, None, wish)
    assert as_kept(arrival(document=document), CONFIG).visit.document == document


@pytest.mark.parametrize(
    ("links", "best"),
    [
        pytest.param([Link(0, "img")], (0, "img"), id="recorded only"),
        pytest.param([Link(0, "a", nofollow=True)], (1, "a"), id="asks not to be followed"),
        pytest.param([Link(0, "img"), Link(0, "a")], (2, "a"), id="the better one counts"),
        pytest.param([Link(0, "a"), Link(0, "area")], (2, "a"), id="of equal ones the first"),
    ],
)
def test_a_target_is_known_by_the_best_link_to_it(links: list[Link], best: tuple[int, str]) -> None:
    document = Document(targets=Distinct.of([ELSEWHERE]), columns=LinkColumns.of(links))
    assert best_links(document, {0}, follow_nofollow=False) == {0: best}
    assert best_links(document, set(), follow_nofollow=False) == {}
