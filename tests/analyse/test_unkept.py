"""Is an audit the same where no bodies are kept?"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from crawler.analyse.checks import GROUPS
from crawler.analyse.run import analyse
from crawler.config import Config
from crawler.parse.isolated import LARGE_BYTES
from tests.analyse.site import Site
from tests.analyse.test_checks import Audit, told
from tests.crawls import config, crawl, rows
from tests.sites.server import Answer
from tests.sites.skip import ROOT
from tests.sites.web import Web

Known = dict[str, list[tuple[object, ...]]]
PARTS = ("facts", "headings", "meta_tags", "link_facts", "structured_data", "body_forms")
OF_BODIES = """
    SELECT bodies.sha256, bodies.content_type, bodies.charset, {part}.*
    FROM {part}
    JOIN bodies ON bodies.id = {part}.body_id
"""
FINDINGS = """
    SELECT findings.check_name, urls.url, findings.item
    FROM findings
    JOIN urls ON urls.id = findings.url_id
"""
KEPT = """
    SELECT url
    FROM visits
    JOIN bodies ON bodies.id = visits.body_id
    JOIN urls ON urls.id = visits.url_id
    WHERE bodies.body IS NOT NULL AND visits.kind <> 'robots'
"""
JUDGED = "SELECT check_name, judged, reason, found FROM runs_checks"
UNLIKE = frozenset({"slow_pages", "slow_under_load", "urls_unexplained"})
"""Checks of what no two crawls have in common: times, and which page came first."""


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    yield web
    web.close()


def known(database: Path) -> Known:
    """All that is known of bodies, without their numbers, and what was found, without its evidence,
    which may name the page that came first."""
    told_of: Known = {}
    for part in PARTS:
        found = rows(database, OF_BODIES.format(part=part))
        told_of[part] = sorted((row[:3] + row[4:] for row in found), key=repr)
    for name, sql in (("findings", FINDINGS), ("judged", JUDGED)):
        found = [row for row in rows(database, sql) if row[0] not in UNLIKE]
        told_of[name] = sorted(found, key=repr)
    return told_of


def differing(one: Path, other: Path) -> dict[str, set[tuple[object, ...]]]:
    """Rows that are not in both, by what they are of."""
    here, there = known(one), known(other)
    return {name: set(here[name]) ^ set(there[name]) for name in here if here[name] != there[name]}


def without_bodies(settings: Config | None) -> Config:
    """The same but for that."""
    settings = settings or config()
    store = msgspec.structs.replace(settings.store, bodies=False)
    return msgspec.structs.replace(settings, store=store)


@pytest.mark.parametrize("group", GROUPS)
def test_an_audit_without_bodies_knows_and_finds_the_same(
    web: Web, tmp_path: Path, group: str
) -> None:
    audit = Audit(group, web, tmp_path / "kept.db")
    settings = without_bodies(getattr(audit.planted, "SETTINGS", None))
    database = tmp_path / "unkept.db"
    crawl(database, *(site.url() for site in audit.sites), settings=settings)
    audit.alter(database)
    analyse(database, settings, told, processes=1)
    assert rows(database, KEPT) == []
    if group == "rendering":
        _check_shown(known(database), known(tmp_path / "kept.db"))
    else:
        assert differing(database, tmp_path / "kept.db") == {}


def _check_shown(unkept: Known, kept: Known) -> None:
    """Of a page that a browser has shown, facts of what was sent are read from its body later."""
    for part in PARTS:
        assert set(unkept[part]) <= set(kept[part]), part
        assert unkept[part] or not kept[part], part
    for part in ("findings", "judged"):
        differ = set(unkept[part]) ^ set(kept[part])
        assert {row[0] for row in differ} <= {"js_structured_data"}


def test_a_page_that_is_read_apart_is_known_as_well(web: Web, tmp_path: Path) -> None:
    site = Site(web.host("127.0.6.5"))
    site.page("/large", body="<p>so <b>it</b> goes on" * (LARGE_BYTES // 20))
    site.answer("/broken", Answer(200, {"Content-Type": "text/html"}, b"\x1f\x8b\x08 no gzip"))
    site.finish()
    for name, settings in (("kept.db", config()), ("unkept.db", without_bodies(None))):
        crawl(tmp_path / name, site.url(), settings=settings, workers=1)
        analyse(tmp_path / name, settings, told, processes=1)
    assert differing(tmp_path / "unkept.db", tmp_path / "kept.db") == {}
    read = rows(tmp_path / "unkept.db", "SELECT max(nodes) FROM facts")
    assert read[0][0] > LARGE_BYTES // 20


def test_a_body_that_comes_again_is_written_once(web: Web, tmp_path: Path) -> None:
    site = Site(web.host("127.0.6.5"))
    site.answer("/again", Answer(200, {"Content-Type": "text/html"}, b"<title>twice</title>"))
    site.answer("/more", Answer(200, {"Content-Type": "text/html"}, b"<title>twice</title>"))
    site.finish()
    for _ in range(2):
        crawl(tmp_path / "unkept.db", site.url(), settings=without_bodies(None))
    assert rows(tmp_path / "unkept.db", "SELECT count(*) FROM facts") == [(2,)]


IMPORTED = """
import crawler._patch
import sys
from pathlib import Path
from tests.crawls import config, crawl
crawl(Path(sys.argv[1]), sys.argv[2], settings=config(store={"bodies": sys.argv[3] == "kept"}))
print(*sorted(name for name in sys.modules if name in sys.argv[4:]))
"""


@pytest.mark.parametrize(("bodies", "imported"), [("kept", False), ("unkept", True)])
def test_facts_cost_nothing_while_a_crawl_keeps_its_bodies(
    web: Web, tmp_path: Path, bodies: str, imported: bool
) -> None:
    web.page("/", body="so it goes " * 100)
    names = ["crawler.parse.body_facts", "crawler.parse.facts", "crawler.store.facts", "rensa"]
    command = [sys.executable, "-c", IMPORTED, str(tmp_path / "a.db"), web.url("/"), bodies]
    ended = subprocess.run([*command, *names], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    assert ended.stdout.decode().split() == names * imported
