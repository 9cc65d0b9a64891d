"""Does a crawl leave room on the disk?"""

from __future__ import annotations

from pathlib import Path

import gevent
import pytest

from crawler.conductor import Conductor
from crawler.errors import StorageError
from crawler.store import disk
from crawler.store.disk import Room, shortage
from tests.crawls import AGENT, config, crawl, read_seeds, rows
from tests.patience import PATIENT_S, until
from tests.sites.web import Web

ALL = 2**62
"""More than any disk has."""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "crawl.db"


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """All of the disk is to stay free, so that there is too little."""
    monkeypatch.setattr(disk, "SHARE", 1.0)
    return monkeypatch


def test_no_more_is_kept_free_than_a_share_of_the_disk(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "SHARE", 0.0)
    assert shortage(database, ALL) == ""


def test_what_is_lacking_is_told_with_the_setting_that_asks_for_it(
    database: Path, full: pytest.MonkeyPatch
) -> None:
    assert " MB are free on its disk, and store.min_free_bytes keeps " in shortage(database, ALL)


def test_no_floor_is_never_reached(database: Path, full: pytest.MonkeyPatch) -> None:
    assert shortage(database, 0) == ""


def test_a_place_that_tells_nothing_lacks_nothing(tmp_path: Path) -> None:
    assert shortage(tmp_path / "nowhere" / "crawl.db", ALL) == ""


def test_room_is_waited_for_only_so_long(database: Path, full: pytest.MonkeyPatch) -> None:
    room = Room(database, ALL)
    room.look(100.0)
    room.look(109.0)
    room.refuse_waiting_on(110.0, 10.0)
    with pytest.raises(StorageError, match="make room and run the same command again"):
        room.refuse_waiting_on(110.1, 10.0)
    full.setattr(disk, "SHARE", 0.0)
    room.look(111.0)
    room.refuse_waiting_on(1000.0, 10.0)
    assert not room.low


def test_a_crawl_pauses_while_there_is_too_little_room_and_says_so(
    web: Web, database: Path, full: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    web.page("/", links=["/a", "/b"])
    for path in ("/a", "/b"):
        web.page(path)
    settings = config(store={"min_free_bytes": ALL})
    conductor = Conductor(settings, database, read_seeds(web.url()), agent=AGENT)
    crawling = gevent.spawn(conductor.run)
    until(lambda: conductor.stats().resting)
    asked = len(web.paths)
    gevent.sleep(1.0)
    assert (len(web.paths), crawling.ready()) == (asked, False)
    assert "nothing new is fetched until there is more" in conductor.stats().resting[0][2]
    full.setattr(disk, "SHARE", 0.0)
    assert crawling.get(timeout=PATIENT_S).reason == "finished"
    assert rows(database, "SELECT count(*) FROM pages") == [(3,)]
    assert [record.message.split(": ", 1)[1] for record in caplog.records][-1] == (
        "there is room again"
    )


def test_a_crawl_that_waits_for_room_in_vain_ends_with_an_error_of_storage(
    web: Web, database: Path, full: pytest.MonkeyPatch
) -> None:
    web.page("/")
    settings = config(store={"min_free_bytes": ALL}, run={"max_wait_s": 1})
    with pytest.raises(StorageError, match="make room and run the same command again"):
        crawl(database, web.url(), settings=settings)
    assert rows(database, "SELECT state FROM runs") == [("failed",)]
    full.setattr(disk, "SHARE", 0.0)
    crawl(database, web.url())
    assert rows(database, "SELECT count(*) FROM pages WHERE status = 200") == [(1,)]
