"""Does a browser that shows very many pages give back what it took, and does it show what the large
frameworks build?

Angular, Next and Nuxt are built by their own tools, once, which takes minutes.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import gevent
import psutil
import pytest
from gevent.pool import Pool

from crawler.config import RenderConfig
from crawler.render.browser import Browser
from crawler.render.program import FOLDERS
from tests.crawls import config, crawl, crawl_apart, rows
from tests.render import built
from tests.render.samples import HTML, ITEMS, shell
from tests.render.test_frameworks import ERRORS, SEEN
from tests.render.test_hostile import browsers, is_root_of_them, processes_of, show
from tests.render.test_rules import FILL
from tests.sites.skip import _absent
from tests.sites.web import Web

PAGES = int(os.environ.get("CRAWLER_TORTURE_PAGES", "500"))
TABS = 4


def memory_of(browser: Browser) -> int:
    """What its processes hold together, in bytes; what they share is counted once."""
    root = psutil.Process(browser.pid)
    return sum(one.memory_full_info().pss for one in (root, *root.children(recursive=True)))


def descriptors_of(browser: Browser) -> int:
    return psutil.Process().num_fds() + psutil.Process(browser.pid).num_fds()


@pytest.mark.timeout(3600)
def test_many_pages_leave_memory_and_descriptors_as_they_were() -> None:
    if not Path(RenderConfig().program).exists():
        _absent("there is no browser to show pages: apt-get install chromium-headless-shell")
    settings = RenderConfig(wall_s=250, cpu_s=60)
    browser = Browser(settings)
    pool = Pool(TABS)
    try:
        came_to = pool.map(lambda _: show(browser, FILL, settings).done_by, range(PAGES // 10))
        memory, descriptors = memory_of(browser), descriptors_of(browser)
        came_to += pool.map(lambda _: show(browser, FILL, settings).done_by, range(PAGES))
        assert set(came_to) == {"still"}
        assert memory_of(browser) < 1.2 * memory
        assert descriptors_of(browser) <= descriptors + 5
        assert not browser.tabs
    finally:
        browser.close()


@dataclass(frozen=True, slots=True)
class Taken:
    """What showing pages takes: bytes and descriptors of the worker, bytes of the browser itself,
    and folders."""

    worker: int
    descriptors: int
    browser: int
    folders: int

    @classmethod
    def by(cls, crawler: int) -> Taken | None:
        """By the one worker of a crawl; None while it changes its browser."""
        with suppress(psutil.Error, StopIteration):
            root = next(filter(is_root_of_them, browsers(processes_of(crawler))))
            worker = root.parent()
            assert worker is not None
            folders = Path(tempfile.gettempdir()).glob(f"{FOLDERS}{worker.pid}-*")
            return cls(
                worker.memory_full_info().pss,
                worker.num_fds(),
                root.memory_full_info().pss,
                len(list(folders)),
            )
        return None


CRAWLED = 6 * PAGES
"""So many that browsers are replaced a few times."""


@pytest.mark.timeout(7200)
def test_a_long_crawl_of_shells_takes_no_more_at_its_end(web: Web, tmp_path: Path) -> None:
    for number in range(CRAWLED):
        web.raw(f"/{number}", headers=HTML, body=shell(inline=f"window.at = {number}; {FILL}"))
    web.page("/", links=[f"/{number}" for number in range(CRAWLED)])
    settings = config(
        render={"mode": "always", "wall_s": 250, "cpu_s": 60}, parse={"max_links": CRAWLED}
    )
    database = tmp_path / "crawl.db"
    running = crawl_apart(database, web.url("/"), settings=settings, workers=1)
    samples: list[Taken] = []
    try:
        while running.poll() is None:
            if len(web.whole_log) > (len(samples) + 1) * CRAWLED / 60:
                taken = Taken.by(running.pid)
                samples += [taken] if taken else []
            gevent.sleep(0.05)
    finally:
        running.kill()
    assert rows(database, ERRORS) == []
    assert rows(database, "SELECT count(*) FROM pages WHERE h1 = 'Seen'") == [(CRAWLED,)]
    # The first tenth fills what a worker keeps.
    early, late = samples[6:16], samples[-10:]
    print(f"after a tenth: {early}\nin the end: {late}")
    assert median(one.worker for one in late) < 1.2 * median(one.worker for one in early)
    assert median(one.browser for one in late) < 1.2 * median(one.browser for one in early)
    assert median(one.descriptors for one in late) <= median(one.descriptors for one in early) + 5
    assert max(one.folders for one in samples) <= 2


SHELLS = {
    "angular": {"/": True},
    "next": {"/": False, "/client/": True},
    "nuxt": {"/": False, "/client/": True},
}
"""Pages by framework: is there nothing in them before their scripts have run?"""
COUNTS = """
    SELECT renders.raw_word_count, pages.word_count,
        (SELECT count(*) FROM links WHERE source_id = urls.id AND kind = 'a' AND via <> 'rendered'),
        (SELECT count(*) FROM links WHERE source_id = urls.id AND kind = 'a' AND via <> 'source')
    FROM renders
    JOIN visits ON visits.id = renders.visit_id
    JOIN urls ON urls.id = visits.url_id
    JOIN pages ON pages.url = urls.url
    WHERE urls.url = ?
"""


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", SHELLS)
def test_what_frameworks_build_is_seen_as_visitors_see_it(
    web: Web, tmp_path: Path, name: str
) -> None:
    built.publish(web, name)
    seeds = [web.url(path) for path in SHELLS[name]]
    for mode in ("shells", "always"):
        database = tmp_path / f"{mode}.db"
        settings = config(render={"mode": mode, "wall_s": 250, "cpu_s": 60})
        crawl(database, *seeds, settings=settings)
        assert rows(database, ERRORS) == []
        for path, is_shell in SHELLS[name].items():
            [(title, h1, words, rendered)] = rows(database, SEEN, web.url(path))
            assert (title, h1) == (name.capitalize(), name.capitalize()), path
            assert 60 <= words <= 70, path
            assert rendered == (is_shell or mode == "always"), path
    for path, is_shell in SHELLS[name].items():
        [(raw_words, words, raw_links, links)] = rows(tmp_path / "always.db", COUNTS, web.url(path))
        print(f"{name}{path}: {raw_words} words and {raw_links} links, shown {words} and {links}")
        assert links == len(ITEMS), path
        assert (raw_words < 15) == (raw_links == 0) == is_shell, path
