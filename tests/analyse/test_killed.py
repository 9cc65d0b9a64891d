"""Does an analysis that was killed come to the same end as one that was not?"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from gevent import monkey

from crawler import failpoints
from crawler.analyse.checks import CHECKS, GROUPS
from crawler.analyse.run import analyse
from crawler.channels import bodies
from crawler.config import Config
from crawler.crawl import audit_complaint
from crawler.store import analysis, kept_changes
from crawler.store.audit import audit
from crawler.store.queries import reading
from tests.analyse.site import Site
from tests.crawls import config, crawl, rows
from tests.sites.web import Web

PAGES = 30
TABLES = analysis.TABLES | kept_changes.TABLES
MOMENTS = [
    # three chunks of bodies, what has changed, what pages are, their links, their likes, their
    # fragments, the list of checks, and the first check
    *((place, nth) for nth in range(1, 10) for place in ("before-commit", "after-commit")),
    # checks at the beginning, in the middle and at the end
    *((place, nth) for nth in (20, 60, 110, 170, 230, 290) for place in (
        "before-commit", "after-commit",
    )),
]  # fmt: skip
HEAD = (
    '<meta property="og:type" content="article"><link rel="next" href="1">'
    '<script type="application/ld+json">{"@type": "Persona"}</script>'
)
ALIKE = " ".join(f"word{number}" for number in range(300))
_fork = monkey.get_original("os", "fork")


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A site that was analysed, and crawled again when all its pages had changed; and the same when
    that was analysed, too."""
    folder = tmp_path_factory.mktemp("killed")
    database, calm = folder / "crawled.db", folder / "calm.db"
    web = Web()
    for run in (1, 2):
        site = Site(web.host("127.0.6.2"))
        for number in range(PAGES):
            links = "".join(f"<a href='/{other}#x'>p</a>" for other in range(number % (3 * run)))
            title = None if number % 7 == run else ""
            site.page(f"/{number}", title=title, head=HEAD, body=f"{links}<p>as of run {run}")
        for end in ("one", "other"):
            site.page(f"/{end}", html=f"<html lang=en><main>{ALIKE} {run} {end}</main>")
        site.host.robots(f"User-agent: *\nDisallow: /private/{run}\n")
        site.finish()
        crawl(database, site.url())
        if run == 1:
            analyse(database, Config(), lambda *_: None, processes=1)
    web.close()
    calm.write_bytes(database.read_bytes())
    analyse(calm, Config(), lambda *_: None, processes=1)
    return database, calm


@pytest.mark.parametrize(("place", "nth"), MOMENTS)
def test_an_analysis_that_was_killed_comes_to_the_same_end(
    crawled: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    nth: int,
) -> None:
    monkeypatch.setattr(bodies, "CHUNK_BODIES", PAGES // 2)
    database = tmp_path / "killed.db"
    database.write_bytes(crawled[0].read_bytes())
    assert apart(database, place, nth) == signal.SIGKILL
    analyse(database, Config(), lambda *_: None, processes=1)
    assert stored(database) == stored(crawled[1])


def test_checks_that_a_killed_analysis_did_not_make_are_told_as_not_judged(
    crawled: tuple[Path, Path], tmp_path: Path
) -> None:
    """What nobody has looked at must not pass for good."""
    database = tmp_path / "killed.db"
    database.write_bytes(crawled[0].read_bytes())
    assert apart(database, "after-commit", 60) == signal.SIGKILL
    last = list(CHECKS)[-1]
    with reading(database) as connection:
        told = audit(connection)
    assert (told.run_id, len(told.checks)) == (2, len(CHECKS))
    [reason] = [why for why, names in told.not_judged.items() if last in names]
    assert reason.startswith("the analysis was stopped before it")
    assert told.scores[list(GROUPS)[-1]] is None
    assert last in str(audit_complaint(told, [last]))


def test_what_was_mended_before_a_killed_analysis_is_seen_by_the_next_one(
    web: Web, tmp_path: Path
) -> None:
    """Though the next run has not come there."""
    database = tmp_path / "crawl.db"
    host, other = Site(web.host("127.0.6.3")), Site(web.host("127.0.6.4"))
    for number, title in enumerate((None, "Harbour light")):
        host.page("/harbour", title=title)
        host.finish()
        crawl(database, host.url())
        if number:
            assert apart(database, "after-commit", 10) == signal.SIGKILL
        else:
            analyse(database, Config(), lambda *_: None, processes=1)
    other.page("/light")
    other.finish()
    assert crawl(database, other.url(), settings=config(run={"max_pages": 1})).reason == "max_pages"
    analyse(database, Config(), lambda *_: None, processes=1)
    mended = "SELECT fixed_run_id FROM findings WHERE check_name = 'title_missing'"
    assert rows(database, mended) == [(3,)]
    visited = "SELECT max(visits.run_id) FROM visits JOIN urls ON urls.id = url_id WHERE url = ?"
    assert rows(database, visited, host.url("/harbour")) == [(2,)]


def apart(database: Path, place: str, nth: int) -> int:
    """Analyse in a process that dies there; by which signal it ended."""
    child = _fork()
    if child == 0:
        try:
            failpoints.armed, failpoints._left = place, nth
            analyse(database, Config(), lambda *_: None, processes=1)
        finally:
            os._exit(1)
    return os.WTERMSIG(os.waitpid(child, 0)[1])


def stored(database: Path) -> dict[str, list[tuple[object, ...]]]:
    """All that analysis stores."""
    kept = {table: sorted(rows(database, f"SELECT * FROM {table}"), key=repr) for table in TABLES}
    return kept | {"pages": rows(database, "SELECT * FROM pages ORDER BY id")}


def test_each_table_of_an_analysis_has_something_to_lose(crawled: tuple[Path, Path]) -> None:
    empty = {table for table, kept in stored(crawled[1]).items() if not kept}
    assert empty == set()
