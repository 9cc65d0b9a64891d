"""Does a browser that shows very many pages give back what it took?"""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest
from gevent.pool import Pool

from crawler.config import RenderConfig
from crawler.render.browser import Browser
from tests.render.test_hostile import show
from tests.render.test_rules import FILL
from tests.sites.skip import _absent

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
