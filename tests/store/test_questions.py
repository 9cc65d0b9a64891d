"""What does each view count as an answer?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from crawler.policy import words
from crawler.store import views
from crawler.store.database import Connection, open_for_writing

MOMENT = "2026-01-01T00:00:00.000Z"


class Site:
    """A crawl, written row by row."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._ids: dict[str, int] = {}
        self._insert("hosts", id=1, host="a.test", registered_domain="a.test")
        self._insert(
            "runs", id=1, started_at=MOMENT, state="finished", config="", judging="", version=""
        )

    def _insert(self, table: str, **row: object) -> None:
        names, places = ", ".join(row), ", ".join("?" * len(row))
        self.connection.execute(
            f"INSERT INTO {table} ({names}) VALUES ({places})", tuple(row.values())
        )

    def url(self, path: str, state: str = "done", reason: str | None = None, **facts: Any) -> int:
        """A URL that has a page, unless it has no status."""
        number = self._ids[path] = len(self._ids) + 1
        page = {key: facts.pop(key) for key in ("title", "canonical", "text_hash") if key in facts}
        challenge = facts.pop("challenge", None)
        leads_to = facts.pop("leads_to", None)
        facts = {"status": 200, "kind": "page"} | facts
        self._insert(
            "urls", id=number, url=path, hash=number, host_id=1, state=state, reason=reason,
            depth=1, via="a", first_seen_at=MOMENT, run_id=1, **facts,
        )  # fmt: skip
        self._insert(
            "visits", run_id=1, url_id=number, kind="page", method="GET", attempt=1,
            started_at=MOMENT, status=facts["status"], redirect_to_id=leads_to,
        )  # fmt: skip
        self._insert(
            "pages", id=number, url=path, depth=1, status=facts["status"], fetched_at=MOMENT,
            first_seen_at=MOMENT, word_count=3, challenge=challenge, host_id=1, **page,
        )  # fmt: skip
        return number

    def links(self, source: str, *targets: str, kind: str = "a") -> None:
        """Links of a page."""
        [(first,)] = self.connection.execute(
            "SELECT count(*) FROM links WHERE source_id = ?", (self._ids[source],)
        )
        for position, target in enumerate(targets, first):
            self._insert(
                "links", source_id=self._ids[source], position=position,
                target_id=self._ids[target], kind=kind,
            )  # fmt: skip

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows."""
        return list(self.connection.execute(sql).fetchall())


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with closing(open_for_writing(tmp_path / "crawl.db")) as connection:
        yield Site(connection)


# What is broken (reports of users: a large PDF and a 429 that waits are not)

BROKEN = [
    ({"status": 404}, 1),
    ({"status": 410}, 1),
    ({"status": 400}, 1),
    ({"status": 451}, 1),
    ({"status": 500, "state": "failed", "reason": "http_500"}, 1),
    ({"status": 501}, 1),
    ({"status": None, "state": "failed", "reason": "dns_fail"}, 1),
    ({"status": None, "state": "failed", "reason": "connect_refused"}, 1),
    ({"status": None, "state": "failed", "reason": "tls_verify"}, 1),
    ({"status": None, "state": "failed", "reason": "timeout"}, 1),
    ({"status": 302, "state": "failed", "reason": "redirect_loop"}, 1),
    # A part of it came.
    ({"status": 200, "state": "failed", "reason": "conn_reset"}, 0),
    # It is visited again, and has not been yet.
    ({"status": 404, "state": "queued"}, 0),
    ({"status": 503, "state": "queued"}, 0),
    # A wall stands there.
    ({"status": 503, "state": "failed", "reason": "http_503", "challenge": "cloudflare"}, 0),
]
SOUND = [
    {"status": 200},
    {"status": 301},
    {"status": 401},
    {"status": 403},
    {"status": 407},
    {"status": 429, "state": "failed", "reason": "http_429"},
    {"status": 429, "state": "queued", "reason": "http_429", "attempts": 1},
    {"status": 503, "state": "queued", "reason": "http_503", "attempts": 1},
    {"status": None, "state": "queued", "reason": "timeout", "attempts": 1},
    {"status": 200, "state": "failed", "reason": "too_large"},
    {"status": 200, "state": "failed", "reason": "parse_timeout"},
    {"status": 200, "state": "failed", "reason": "decode_error"},
    {"status": None, "state": "skipped", "reason": "robots"},
    {"status": 404, "state": "skipped", "reason": "excluded"},
]


@pytest.mark.parametrize(("target", "certain"), BROKEN)
def test_a_link_to_it_is_broken(site: Site, target: dict[str, Any], certain: int) -> None:
    site.url("/")
    site.url("/target", **target)
    site.links("/", "/target")
    assert site.ask("SELECT page, link, status, reason, certain FROM broken_links") == [
        ("/", "/target", target["status"], target.get("reason"), certain)
    ]


@pytest.mark.parametrize("target", SOUND)
def test_a_link_to_it_is_not_broken(site: Site, target: dict[str, Any]) -> None:
    site.url("/")
    site.url("/target", **target)
    site.links("/", "/target")
    assert site.ask("SELECT * FROM broken_links") == []


def test_nothing_is_certain_of_a_host_that_is_parked(site: Site) -> None:
    site.url("/")
    site.url("/target", status=None, state="failed", reason="timeout")
    site.links("/", "/target")
    site.connection.execute("UPDATE hosts SET blocked_until = ?", (MOMENT,))
    assert site.ask("SELECT certain FROM broken_links") == [(0,)]


@pytest.mark.parametrize("status", [404, 410])
def test_what_a_host_said_before_it_was_parked_is_certain(site: Site, status: int) -> None:
    site.url("/")
    site.url("/target", status=status)
    site.links("/", "/target")
    site.connection.execute("UPDATE hosts SET blocked_until = ?", (MOMENT,))
    assert site.ask("SELECT certain FROM broken_links") == [(1,)]


def test_every_error_that_leads_nowhere_is_a_word() -> None:
    assert set(views.NO_WAY_THERE) <= words.which(stands="reason")


def test_many_redirects_to_what_is_gone_are_found_by_their_index(site: Site) -> None:
    """Statistics of such a file made SQLite look at all of them for each: 26 s for 3,400."""
    gone = site.url("/gone", status=404)
    site.url("/")
    for number in range(300):
        site.url(f"/{number}", status=301, leads_to=gone)
        site.links("/", f"/{number}")
    site.connection.execute("ANALYZE")
    steps = [row[3] for row in site.ask("EXPLAIN QUERY PLAN SELECT * FROM broken_links")]
    assert any("visits USING INDEX visits_redirect_to_id" in step for step in steps), steps
    found = site.ask("SELECT count(*), min(redirected_to) FROM broken_links")
    assert found == [(300, "/gone")]


# Who carries a link

CARRIES = [(200, 1), (None, 1), (429, 1), (500, 1), (503, 1), (304, 1)]
CARRIES_NO_MORE = [(301, 0), (302, 0), (404, 0), (410, 0), (403, 0), (401, 0)]


@pytest.mark.parametrize(("status", "count"), CARRIES + CARRIES_NO_MORE)
def test_a_page_that_is_gone_or_has_moved_carries_no_links(
    site: Site, status: int | None, count: int
) -> None:
    site.url("/old", status=status, state="done" if status else "failed")
    site.url("/gone", status=404)
    site.url("/listed")
    site.url("/map.xml", kind="sitemap")
    site.links("/old", "/gone", "/listed")
    site.links("/old", "/gone", kind="img")
    site._insert("sitemap_entries", sitemap_id=site._ids["/map.xml"], url_id=site._ids["/listed"])
    assert site.ask("SELECT count(*) FROM broken_links WHERE kind = 'a'") == [(count,)]
    assert site.ask("SELECT count(*) FROM images_without_alt") == [(count,)]
    assert site.ask("SELECT count(*) FROM orphan_pages WHERE url = '/listed'") == [(1 - count,)]


# What is the same, and what says where it belongs


def test_an_empty_title_is_no_duplicate(site: Site) -> None:
    for path in ("/a", "/b"):
        site.url(path, title="")
    assert site.ask("SELECT * FROM duplicate_titles") == []


@pytest.mark.parametrize("view", ["duplicate_titles", "duplicate_pages"])
@pytest.mark.parametrize(
    ("canonicals", "pages"),
    [((None, None), 2), (("/a", "/a"), 0), ((None, "/a"), 0), (("/a", "/b"), 2)],
)
def test_pages_of_one_canonical_are_no_duplicates_of_each_other(
    site: Site, view: str, canonicals: tuple[str | None, str | None], pages: int
) -> None:
    for path, canonical in zip(("/a", "/b"), canonicals, strict=True):
        site.url(path, title="same", text_hash=1, canonical=canonical)
    assert site.ask(f"SELECT pages FROM {view}") == ([(pages,)] if pages else [])


@pytest.mark.parametrize(
    ("named", "told"),
    [
        (["/page"], []),
        (["/other"], [("/page", "/other", 1, None, 404)]),
        (["/other", "/other"], [("/page", "/other", 1, None, 404)]),
        (["/page", "/other"], [("/page", "/page", 2, "/other", 200)]),
        (["/other", "/page"], [("/page", "/other", 2, "/page", 404)]),
    ],
)
def test_a_canonical_that_is_another_or_not_the_only_one_is_told_in_one_row(
    site: Site, named: list[str], told: list[tuple[Any, ...]]
) -> None:
    site.url("/page", canonical=named[0])
    site.url("/other", status=404)
    site.links("/page", *named, kind="canonical")
    site.links("/page", "/other")
    assert told == site.ask(
        "SELECT url, canonical, canonicals, other_canonical, canonical_status "
        "FROM canonical_mismatches"
    )


def test_a_canonical_of_a_header_alone_is_told(site: Site) -> None:
    """It stands among no links of a page that has none."""
    site.url("/file.pdf", canonical="/file")
    found = site.ask("SELECT url, canonical, canonical_status FROM canonical_mismatches")
    assert found == [("/file.pdf", "/file", None)]


@pytest.mark.parametrize(
    ("judged_run", "orphans"), [(1, [("/listed",)]), (2, [])], ids=["of an earlier run", "of this"]
)
def test_counts_of_links_are_believed_only_where_the_last_run_was_analysed(
    site: Site, judged_run: int, orphans: list[tuple[Any, ...]]
) -> None:
    site.url("/listed")
    site.url("/map.xml", kind="sitemap")
    site._insert("sitemap_entries", sitemap_id=2, url_id=1)
    site.connection.execute("UPDATE pages SET inlinks = 1")
    site._insert(
        "runs", id=2, started_at=MOMENT, state="finished", config="", judging="", version=""
    )
    site._insert(
        "checks", name="x", position=1, group_name="x", severity="note", definition="", limits="{}",
        needs="",
    )  # fmt: skip
    site._insert("runs_checks", run_id=judged_run, check_name="x", judged=1)
    assert site.ask("SELECT url FROM orphan_pages") == orphans
