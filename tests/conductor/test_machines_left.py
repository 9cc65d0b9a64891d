"""Does a run wait for machines that one before it has left at work?"""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import pytest

from crawler.store.database import open_for_writing
from tests.crawls import crawl, rows
from tests.sites.web import Web

ALONE_S = 1.0
LEFT = """
    INSERT INTO workers (
        run_id, key, name, processes, joined_at, beat_at, visits, bytes, refused, network
    ) VALUES (1, 'k', 'north', 1, '2026-11-29T12:00:00.000Z', '2026-11-29T12:00:00.000Z', 0, 0, 0,
        'up')
"""


def test_a_run_of_its_own_waits_for_machines_that_nobody_saw_leave(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crawler.conductor.conductor.ALONE_S", ALONE_S)
    database = tmp_path / "crawl.db"
    web.page("/")
    crawl(database, web.url())
    with closing(open_for_writing(database)) as connection:
        connection.execute(LEFT)
    begun = time.monotonic()
    crawl(database, web.url())
    assert min(hit.started for hit in web.log if hit.started > begun) - begun >= ALONE_S
    gone = [("its conductor was killed",)]
    assert rows(database, "SELECT left_reason FROM workers WHERE left_at IS NOT NULL") == gone
