"""Is nothing taken of a machine that a worker would not send?"""

from __future__ import annotations

import hashlib
import zlib
from math import inf, nan
from typing import Any

import msgspec
import pytest

from crawler.channels.outbox import FRAME_ITEMS
from crawler.channels.redis.soundness import Inspector, Unsound
from crawler.config import Config
from crawler.model import (
    Distinct,
    Document,
    Form,
    Job,
    LinkColumns,
    LoginPage,
    Reply,
    Target,
    Visit,
)
from crawler.policy import robots, urls
from crawler.worker import Worker
from tests.crawls import config
from tests.sites.web import Web

ASKED = Job(1, 1, "http://a.test/")
PAGE = b"<title>A page</title>"
AT = "2026-11-29T12:00:00.000Z"


def target(url: str) -> Target:
    return urls.resolve(url)[0]


NAMED = [target("http://a.test/x"), target("https://b.test/"), target("mailto:a@b.test")]
LINKS = LinkColumns([0, 1, 2, 0], ["a", "a", "a", "img"], ["one", "two", None, "three"])
SOUND = Visit(
    ASKED,
    Reply(status=200, ip="127.0.0.1", ttfb_ms=1.0, total_ms=2.0, headers=(("a", "b"),)),
    Document(title="A page", targets=Distinct.of(NAMED), columns=LINKS, text_hash=7, word_count=2),
    AT,
    len(PAGE),
    hashlib.sha256(PAGE).digest(),
    zlib.compress(PAGE),
)


def changed(**parts: Any) -> Visit:
    """The sound visit with other fields, those of its reply and document included."""
    visit = SOUND
    for name in ("reply", "document"):
        inner = {
            key.removeprefix(f"{name}_"): parts.pop(key)
            for key in list(parts)
            if key.startswith(f"{name}_")
        }
        made = msgspec.structs.replace(getattr(visit, name), **inner)
        visit = msgspec.structs.replace(visit, **{name: made})
    return msgspec.structs.replace(visit, **parts)


def check(visit: Visit, settings: Config | None = None) -> None:
    inspector = Inspector(settings or config())
    [read] = inspector.visits(msgspec.msgpack.encode([visit]))
    inspector.check(read, ASKED)


def test_what_workers_send_is_sound(web: Web) -> None:
    web.page("/", links=["/a", "http://b.test/?x=1#y", "mailto:a@b.test", "http://["], title="T")
    web.redirect("/moved", "/")
    web.robots("User-agent: *\nDisallow: /x\nCrawl-delay: 2\n")
    sent: list[Visit] = []
    worker = Worker(config(), sent.append)
    asked = [
        Job(1, 1, web.url(), private_ok=True),
        Job(2, 2, web.url("/moved"), private_ok=True),
        Job(3, 3, web.url("/missing"), private_ok=True),
        Job(4, 4, "http://127.0.0.1:1/", private_ok=True),
        Job(5, 0, web.url("/robots.txt"), kind="robots", private_ok=True),
        Job(6, 6, web.url(), method="HEAD", kind="check", private_ok=True),
    ]
    for job in asked:
        worker.put(job)
    worker.join()
    worker.close()
    inspector = Inspector(config())
    by_token = {job.token: job for job in asked}
    for visit in inspector.visits(msgspec.msgpack.encode(sent)):
        inspector.check(visit, by_token[visit.job.token])
    assert len(sent) == len(asked)


def test_a_visit_is_sound() -> None:
    check(SOUND)


POISON = msgspec.structs.replace(NAMED[0], url="http://a.test/other")
STOLEN = msgspec.structs.replace(NAMED[0], origin="https://b.test")
REFUSED = msgspec.structs.replace(NAMED[0], url="nothing", refusal="scheme")
RULES = robots.packed(robots.read(b"User-agent: *\nDisallow: /\n", "crawler"))


@pytest.mark.parametrize(
    "parts",
    [
        {"job": Job(1, 1, "http://b.test/")},
        {"job": Job(1, 2, "http://a.test/")},
        {"started_at": "now"},
        {"reply_status": 99},
        {"reply_status": 10**6},
        {"reply_status": None},
        {"reply_error": "no such word"},
        {"reply_truncated": "robots"},
        {"reply_body": b"x"},
        {"reply_total_ms": nan},
        {"reply_total_ms": inf},
        {"reply_ttfb_ms": -1.0},
        {"reply_retry_after_s": nan},
        {"reply_wire_bytes": 2**62},
        {"reply_error_detail": "x" * 10_000},
        {"reply_headers": (("a", "b" * 10**6),)},
        {"reply_redirect": POISON},
        {"document_title": "x" * 10_000},
        {"document_text": "x" * 2**21},
        {"document_text_hash": -1},
        {"document_truncated": "scope"},
        {"document_error": "robots"},
        {"document_targets": Distinct.identified([POISON.hash], [POISON])},
        {"document_targets": Distinct.identified([STOLEN.hash], [STOLEN])},
        {"document_targets": Distinct.identified([REFUSED.hash], [REFUSED])},
        {"document_targets": Distinct.identified([5], [NAMED[0]])},
        {"document_targets": Distinct.identified([5, 6], [NAMED[0]])},
        {"document_targets": Distinct([5], b"\xdd\xff\xff\xff\xff")},
        {"document_columns": LinkColumns([9], ["a"])},
        {"document_columns": LinkColumns([-1], ["a"])},
        {"document_columns": LinkColumns([0], ["seedling"])},
        {"document_columns": LinkColumns([0, 1], ["a"])},
        {"document_columns": LinkColumns([0], ["a"], ["x" * 10_000])},
        {"document_leads_on": 5},
        {"document_facts": b"rubbish"},
        {"body_sha256": hashlib.sha256(b"another").digest()},
        {"body_sha256": None},
        {"body_bytes": 5},
        {"body_bytes": 2**50},
        {"body": b"rubbish"},
        {"body": zlib.compress(bytes(10**8))},
        {"robots_rules": RULES},
        {"login": LoginPage(lacks="x" * 10_000)},
        {"login": LoginPage(form=Form(POISON, "http://a.test/", ()))},
    ],
    ids=lambda parts: f"{next(iter(parts))}",
)
def test_what_no_worker_sends_is_refused(parts: dict[str, Any]) -> None:
    with pytest.raises(Unsound):
        check(changed(**parts))


@pytest.mark.parametrize(
    "rules",
    [b"rubbish", zlib.compress(bytes(10**8)), robots.packed(robots.Asked(crawl_delay=nan))],
    ids=["rubbish", "a bomb", "no number"],
)
def test_rules_that_no_worker_reads_are_refused(rules: bytes) -> None:
    asked = Job(1, 0, "http://a.test/robots.txt", kind="robots")
    visit = msgspec.structs.replace(SOUND, job=asked, robots_body=b"x", robots_rules=rules)
    with pytest.raises(Unsound):
        Inspector(config()).check(visit, asked)


@pytest.mark.parametrize(
    "frame",
    [
        *(b"", b"\xc1", b"rubbish", b"\xdd\xff\xff\xff\xff", b"\x91" * 100_000, b"\x91\x90"),
        msgspec.msgpack.encode([{"job": 1}]),
        msgspec.msgpack.encode([[[1, 1, 5], [], [], ""]]),
        msgspec.msgpack.encode([SOUND] * (FRAME_ITEMS + 1)),
        msgspec.msgpack.encode([SOUND] * 70_000),
    ],
)
def test_what_is_no_frame_is_refused(frame: bytes) -> None:
    with pytest.raises(Unsound):
        Inspector(config()).visits(frame)


def test_facts_of_bodies_that_are_not_kept_are_texts_and_numbers(web: Web) -> None:
    settings = config(store={"bodies": False})
    web.page("/", links=["/a"], title="T")
    sent: list[Visit] = []
    worker = Worker(settings, sent.append)
    asked = Job(1, 1, web.url(), private_ok=True)
    worker.put(asked)
    worker.join()
    worker.close()
    [visit] = sent
    assert visit.document.facts
    Inspector(settings).check(visit, asked)
    facts = msgspec.msgpack.decode(visit.document.facts)
    facts[1]["values"] = {"robots": ["a list"]}
    bad = msgspec.structs.replace(visit.document, facts=msgspec.msgpack.encode(facts))
    with pytest.raises(Unsound):
        Inspector(settings).check(msgspec.structs.replace(visit, document=bad), asked)
