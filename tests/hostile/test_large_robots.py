"""What can the robots.txt of many hosts make the conductor hold, and how long keep it busy?"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crawls import check_whole, config, crawl_apart, rows
from tests.patience import PATIENT_S
from tests.sites.web import Web

HOSTS = 40
RULES = "User-agent: *\n" + "\n".join(f"Disallow: /%{n:x}*%{n:x}" for n in range(27_000))
PEAK_KB = 200_000
"""Of the conductor; the files themselves are 20 MB, and made ready at once they took 700 MB."""


@pytest.mark.timeout(600)
def test_large_files_of_many_hosts_fill_no_memory(web: Web, tmp_path: Path) -> None:
    see_that_they_fit(web, tmp_path, HOSTS, PEAK_KB, 2 * PATIENT_S)


def see_that_they_fit(web: Web, folder: Path, hosts: int, most_kb: int, patience_s: float) -> None:
    """A crawl of so many such hosts ends well, in a conductor no larger than this."""
    seeds = []
    for number in range(hosts):
        host = web.host(f"127.8.{number // 200}.{number % 200 + 1}")
        host.robots(RULES[: 500 * 1024])
        host.page("/", links=["/a", "/%9*%9x"])
        host.page("/a")
        seeds.append(host.url())
    database = folder / "crawl.db"
    process = crawl_apart(database, *seeds, settings=config(), workers=2)
    said, _ = process.communicate(timeout=patience_s)
    state, reason, _, pages, peak_kb = said.decode().split()
    assert (state, reason, int(pages)) == ("finished", "finished", 2 * hosts)
    assert int(peak_kb) < most_kb
    [(told, widened)] = rows(
        database, "SELECT count(*), min(robots_widened) FROM origins WHERE robots_widened > 0"
    )
    assert told == hosts, "that a limit was hit is seen"
    assert widened > 10_000
    check_whole(database)
