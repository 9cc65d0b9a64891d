"""Does a worker turn every job into one visit?"""

from __future__ import annotations

import hashlib
import zlib

import gevent
import pytest

from crawler.config import Config
from crawler.model import Job, Visit
from crawler.policy import robots
from crawler.worker import Worker
from tests.crawls import config
from tests.patience import PATIENT_S
from tests.sites.web import Web


def visits_of(web: Web, *paths: str, settings: Config | None = None) -> list[Visit]:
    delivered: list[Visit] = []
    worker = Worker(settings or config(run={"concurrency": 4}), delivered.append)
    for token, path in enumerate(paths, 1):
        kind = "robots" if path == "/robots.txt" else "page"
        worker.put(Job(token, token, web.url(path), kind=kind, private_ok=True))  # type: ignore[arg-type]
    with gevent.Timeout(PATIENT_S):
        worker.join()
    worker.close()
    return delivered


def test_every_job_becomes_one_visit_also_when_it_fails(web: Web) -> None:
    web.page("/good")
    web.raw("/empty")
    web.raw("/broken", headers={"Content-Encoding": "gzip"}, body="no gzip")
    found = visits_of(web, "/good", "/empty", "/broken", "/missing")
    assert sorted((visit.job.token, visit.reply.status) for visit in found) == [
        (1, 200),
        (2, 200),
        (3, 200),
        (4, 404),
    ]
    errors = {visit.job.token: visit.reply.error for visit in found}
    assert errors == {1: None, 2: None, 3: "decode_error", 4: None}


def test_a_body_travels_hashed_and_packed(web: Web) -> None:
    web.page("/", body="x" * 3000)
    [visit] = visits_of(web, "/")
    assert visit.body is not None
    body = zlib.decompress(visit.body)
    assert b"x" * 3000 in body
    assert visit.body_sha256 == hashlib.sha256(body).digest()
    assert (visit.body_bytes, visit.reply.body) == (len(body), b"")


def test_bodies_may_be_left_behind_but_not_their_digest(web: Web) -> None:
    web.page("/")
    [visit] = visits_of(web, "/", settings=config(store={"bodies": False}))
    assert visit.body is None
    assert visit.body_sha256 is not None
    assert visit.body_bytes > 0


def test_rules_travel_as_they_are(web: Web) -> None:
    web.robots("User-agent: *\nDisallow: /x\n")
    [visit] = visits_of(web, "/robots.txt")
    assert visit.robots_body == b"User-agent: *\nDisallow: /x\n"


def test_rules_are_read_where_they_are_fetched(web: Web) -> None:
    web.robots("User-agent: mybot\nDisallow: /mine\nUser-agent: *\nDisallow: /x\n")
    settings = config(fetch={"user_agent": "mybot/1.0"})
    [visit] = visits_of(web, "/robots.txt", settings=settings)
    assert visit.robots_rules is not None
    assert robots.unpacked(visit.robots_rules).lines == ("-/mine",)


@pytest.mark.parametrize("concurrency", [1, 8])
def test_no_more_is_fetched_at_once_than_asked(web: Web, concurrency: int) -> None:
    paths = [f"/{number}" for number in range(16)]
    for path in paths:
        web.page(path, wait_s=0.03)
    visits_of(web, *paths, settings=config(run={"concurrency": concurrency}))
    moments = sorted([(hit.started, 1) for hit in web.log] + [(hit.ended, -1) for hit in web.log])
    open_now, most = 0, 0
    for _, step in moments:
        open_now += step
        most = max(most, open_now)
    assert most == concurrency


def test_a_worker_tells_what_it_parses(web: Web) -> None:
    told: list[int] = []
    web.page("/")
    worker = Worker(
        config(run={"concurrency": 1}),
        lambda visit: None,
        lambda job: told.append(job.token if job else 0),
    )
    worker.put(Job(9, 1, web.url(), private_ok=True))
    worker.join(PATIENT_S)
    worker.close()
    assert told == [9, 0]
