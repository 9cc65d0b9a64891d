"""Does each check find what was planted for it, and nothing else?"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

import pytest

from crawler.analyse.checks import CHECKS, GROUPS
from crawler.analyse.needs import NEEDS
from crawler.analyse.run import analyse
from crawler.config import Config
from crawler.store.database import Connection, open_for_writing
from tests.analyse.site import Site
from tests.crawls import crawl, rows
from tests.sites.web import Web

FOUND = """
    SELECT findings.check_name, urls.url, findings.item
    FROM findings
    JOIN urls ON urls.id = findings.url_id
    WHERE findings.fixed_run_id IS NULL
"""
UNJUDGED = "SELECT check_name, reason FROM runs_checks WHERE judged = 0"


def told(_step: str, _done: int, _all: int) -> None:
    """Nobody watches."""


class Audit:
    """A group's sites, crawled and analysed."""

    def __init__(self, group: str, web: Web, database: Path) -> None:
        self.planted: ModuleType = importlib.import_module(f"tests.analyse.planted.{group}")
        self.sites = list(self._build(web))
        for site in self.sites:
            site.finish()
        settings = getattr(self.planted, "SETTINGS", None)
        crawl(database, *(site.url() for site in self.sites), settings=settings)
        self.alter(database)
        analyse(database, settings or Config(), told, processes=1)
        self.names = {check.name for check in GROUPS[group]}
        self.unjudged = dict(rows(database, UNJUDGED))
        self._found = rows(database, FOUND)

    def _build(self, web: Web) -> Iterator[Site]:
        """A host for every function of the group's file whose name begins with ``plant``."""
        for number, name in enumerate(n for n in vars(self.planted) if n.startswith("plant")):
            site = Site(web.host(f"127.0.5.{number + 1}"), web)
            getattr(self.planted, name)(site)
            yield site

    def alter(self, database: Path) -> None:
        """Hosts get the names they are to be known by, and the group's ``ALTER`` says what no
        server can make come about at will, such as the time that an answer took."""
        with closing(open_for_writing(database)) as connection:
            for site in self.sites:
                if site.called is not None:
                    call(connection, site.url("").rstrip("/"), site.called)
            for statement in getattr(self.planted, "ALTER", ()):
                connection.execute(statement)

    def expected(self, check: str) -> set[tuple[str, str]]:
        """URL and item of all that was planted for a check."""
        return {
            (at(site, path), item)
            for site in self.sites
            for name, path, item in site.found
            if name == check
        }

    def found(self, check: str) -> set[tuple[str, str]]:
        """URL and item of all that it found."""
        return {(url, item) for name, url, item in self._found if name == check}

    def decoys(self, check: str) -> set[str]:
        """URLs of all that looks like it and is not."""
        return {
            at(site, path) for site in self.sites for name, path in site.spared if name == check
        }


def at(site: Site, path: str) -> str:
    """The URL of a path as the file knows it."""
    if path.startswith("http"):
        return path
    return site.url(path) if site.called is None else site.called + path


def call(connection: Connection, origin: str, name: str) -> None:
    """Let a file know an origin by another name, as if it had been crawled there."""
    host = name.partition("://")[2]
    (host_id,) = connection.execute(
        "SELECT host_id FROM origins WHERE origin = ?", (origin,)
    ).fetchone()
    connection.execute(
        "UPDATE hosts SET host = ?, registered_domain = ? WHERE id = ?",
        (f"{name}", host.removeprefix("www."), host_id),
    )
    connection.execute("UPDATE origins SET origin = ? WHERE origin = ?", (name, origin))
    named = (
        ("urls", "url"),
        ("pages", "url"),
        ("pages", "canonical"),
        ("renders", "raw_canonical"),
    )
    for table, column in named:
        connection.execute(
            f"UPDATE {table} SET {column} = ?1 || substr({column}, length(?2) + 1)"
            f" WHERE {column} LIKE ?2 || '/%'",
            (name, origin),
        )


@pytest.fixture(scope="module", params=GROUPS)
def audit(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Audit]:
    web = Web()
    yield Audit(request.param, web, tmp_path_factory.mktemp(request.param) / "audit.db")
    web.close()


def test_every_check_finds_what_was_planted_for_it_and_nothing_else(audit: Audit) -> None:
    wrong = {
        name: {"missed": paths(expected - found), "too much": paths(found - expected)}
        for name in sorted(audit.names - set(audit.planted.NOT_JUDGED))
        if (expected := audit.expected(name)) != (found := audit.found(name))
    }
    assert wrong == {}


def test_every_check_has_something_planted_and_a_decoy(audit: Audit) -> None:
    judged = audit.names - set(audit.planted.NOT_JUDGED)
    assert {name for name in judged if not audit.expected(name)} == set()
    assert {name for name in judged if not audit.decoys(name)} == set()


def test_what_cannot_be_judged_says_why(audit: Audit) -> None:
    said = {name: reason for name, reason in audit.unjudged.items() if name in audit.names}
    assert said == audit.planted.NOT_JUDGED


def test_what_only_a_browser_shows_is_not_judged_without_one(audit: Audit) -> None:
    of_browser = {check.name for check in CHECKS.values() if "rendered" in check.needs}
    said = {audit.unjudged.get(name) for name in of_browser}
    was_shown = audit.names >= of_browser
    assert said == ({None} if was_shown else {NEEDS["rendered"][1]})


def paths(places: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """Paths instead of URLs, sorted."""
    return sorted((urlsplit(url).path, item) for url, item in places)
