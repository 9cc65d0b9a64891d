"""Do other tools read the lists, feeds, sitemaps and graphs that are made of a crawl?"""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from datetime import datetime
from pathlib import Path

import feedparser
import networkx
import pytest
from lxml import etree

from crawler.errors import UsageError
from crawler.exports import graph as graph_module
from crawler.exports import sitemap
from crawler.exports.run import MARK
from crawler.parse.xml_lists import entries
from crawler.store.database import open_for_writing, scratch
from tests.crawls import config, crawl, let_a_day_pass, rows
from tests.exports.site import AWKWARD
from tests.exports.taking import remarks, take
from tests.sites.web import Web

SITEMAP = {"s": "http://www.sitemaps.org/schemas/sitemap/0.9"}


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({}, "1"),
        ({"state": "skipped"}, "state = 'skipped'"),
        ({"reason": "robots"}, "reason = 'robots'"),
        ({"state": "done", "where": "status = 404"}, "state = 'done' AND status = 404"),
        ({"run": 2}, "id IN (SELECT url_id FROM visits WHERE run_id = 2)"),
    ],
)
def test_a_list_has_the_urls_of_a_state_or_a_reason(
    crawled: Path, tmp_path: Path, options: dict[str, object], where: str
) -> None:
    found = take(crawled, tmp_path / "x", "urls", **options).read_text(encoding="utf-8")
    expected = rows(
        crawled,
        f"SELECT url FROM urls WHERE ({where}) AND kind NOT IN ('robots', 'sitemap') ORDER BY id",
    )
    assert expected
    assert found.splitlines() == [url for (url,) in expected]


def test_a_state_that_no_url_has_is_told_with_those_that_there_are(
    crawled: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r'no URL is "skiped" \(did you mean "skipped"\?'):
        take(crawled, tmp_path / "x", "urls", state="skiped")
    with pytest.raises(UsageError, match=r'no URL is "scop" \(did you mean "scope"\?'):
        take(crawled, tmp_path / "x", "urls", reason="scop")


@pytest.mark.parametrize("asked", [{"state": "queued"}, {"reason": "tls_verify"}])
def test_a_word_that_no_url_has_today_is_an_empty_list(
    asked: dict[str, str], crawled: Path, tmp_path: Path
) -> None:
    assert take(crawled, tmp_path / "x", "urls", **asked).read_bytes() == b""


def test_each_robots_txt_is_told_with_what_was_made_of_it(crawled: Path, tmp_path: Path) -> None:
    text = take(crawled, tmp_path / "x", "robots").read_text(encoding="utf-8")
    [origin] = rows(crawled, "SELECT origin FROM origins WHERE robots_status = 200")
    head, meaning, *body = text.splitlines()
    assert head.startswith(f"## {origin[0]}/robots.txt: HTTP 200, asked for 20")
    assert meaning == "## obeyed: the rules for crawler"
    assert body == [
        "## Crawl-delay: 0 s",
        "User-agent: *",
        "Disallow: /private",
        "Crawl-delay: 0",
        "",
    ]


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (404, "there is none: everything may be fetched"),  # RFC 9309, 2.3.1.3
        (503, "nothing was asked for while it cannot be had"),  # 2.3.1.4
        (429, "nothing was asked for while it cannot be had"),
    ],
)
def test_what_an_answer_for_robots_txt_means_is_said(
    crawled: Path, tmp_path: Path, status: int, meaning: str
) -> None:
    database = tmp_path / "other.db"
    database.write_bytes(crawled.read_bytes())
    with closing(open_for_writing(database)) as connection:
        connection.execute("UPDATE origins SET robots_status = ?, robots_body = NULL", (status,))
    assert f"## {meaning}" in take(database, tmp_path / "x", "robots").read_text().splitlines()


def test_a_feed_has_an_item_for_each_change_of_the_last_run(crawled: Path, tmp_path: Path) -> None:
    found = feedparser.parse(str(take(crawled, tmp_path / "x.rss", "rss")))
    assert not found.bozo
    assert found.version == "rss20"
    expected = rows(crawled, "SELECT url, change, changed_at FROM changes")
    assert {change for _, change, _ in expected} >= {"changed", "gone"}
    assert {(one.link, one.tags[0].term) for one in found.entries} == {
        (url, change) for url, change, _ in expected
    }
    for one in found.entries:
        [when] = [at for url, _, at in expected if url == one.link]
        assert one.published_parsed[:6] == datetime.fromisoformat(when).utctimetuple()[:6]
    assert len({one.id for one in found.entries}) == len(expected)
    again = feedparser.parse(str(take(crawled, tmp_path / "y.rss", "rss", run=2)))
    assert {one.id for one in again.entries} == {one.id for one in found.entries}
    assert feedparser.parse(str(take(crawled, tmp_path / "z.rss", "rss", run=1))).entries == []


def test_a_feed_of_a_first_run_tells_why_it_is_empty(crawled: Path, tmp_path: Path) -> None:
    assert remarks(crawled, tmp_path / "x.rss", "rss") == ()
    [told] = remarks(crawled, tmp_path / "x.rss", "rss", run=1)
    assert told.startswith("There is no earlier run to compare with")


def located(path: Path) -> dict[str, str | None]:
    tree = etree.parse(path)
    return {
        one.findtext("s:loc", namespaces=SITEMAP): one.findtext("s:lastmod", namespaces=SITEMAP)
        for one in tree.getroot()
    }


INDEXABLE = """
    SELECT url, changed_at
    FROM pages
    WHERE indexable = 1 AND status = 200 AND coalesce(canonical, url) = url
"""


def test_a_sitemap_has_the_pages_that_may_be_indexed_and_when_they_changed(
    crawled: Path, tmp_path: Path
) -> None:
    made = take(crawled, tmp_path / "map", "sitemap")
    assert sorted(one.name for one in made.iterdir()) == [MARK, "sitemap-1.xml", "sitemap.xml"]
    expected = dict(rows(crawled, INDEXABLE))
    assert located(made / "sitemap-1.xml") == expected
    ours, whole = entries((made / "sitemap-1.xml").read_bytes(), 100, mend=False)
    assert whole
    assert {one.href: one.lastmod for one in ours} == expected
    left_out = ("/copy", "/hidden", "/gone", "/moved", "/teapot")
    assert expected
    assert not [url for url in expected if url.endswith(left_out)]
    [(origin,)] = rows(crawled, "SELECT origin FROM origins WHERE robots_status = 200")
    assert list(located(made / "sitemap.xml")) == [f"{origin}/sitemap-1.xml"]


def test_a_sitemap_is_cut_at_the_limits_of_the_protocol(
    crawled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (sitemap.MAX_URLS, sitemap.MAX_BYTES) == (50_000, 50 * 1024 * 1024)
    expected = dict(rows(crawled, INDEXABLE))
    for limit, value in (("MAX_URLS", 4), ("MAX_BYTES", 500)):
        with monkeypatch.context() as patched:
            patched.setattr(sitemap, limit, value)
            made = take(crawled, tmp_path / limit, "sitemap")
        parts = sorted(made.glob("sitemap-*.xml"))
        assert len(parts) > 2
        found = [located(part) for part in parts]
        assert {url: at for part in found for url, at in part.items()} == expected
        assert all(len(part) <= 4 for part in found) or limit == "MAX_BYTES"
        assert all(part.stat().st_size <= 500 for part in parts) or limit == "MAX_URLS"
        names = [url.rpartition("/")[2] for url in located(made / "sitemap.xml")]
        assert sorted(names) == [part.name for part in parts]


def test_an_address_that_a_sitemap_does_not_take_is_told(
    crawled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sitemap, "MAX_ADDRESS", len("http://127.0.0.1:65535/"))
    told = remarks(crawled, tmp_path / "map", "sitemap")
    assert len(told) == 1
    assert told[0].startswith("Left out: ")


def test_a_folder_is_replaced_only_where_an_export_made_it(crawled: Path, tmp_path: Path) -> None:
    made = take(crawled, tmp_path / "map", "sitemap")
    (made / "sitemap.xml").write_text("of before")
    take(crawled, made, "sitemap")
    assert (made / "sitemap.xml").read_text() != "of before"
    (made / "mine.txt").write_text("kept")
    with pytest.raises(UsageError, match="holds other files"):
        take(crawled, made, "sitemap")
    assert (made / "mine.txt").read_text() == "kept"
    (made / "mine.txt").unlink()
    (made / MARK).unlink()
    with pytest.raises(UsageError, match="a folder of something else"):
        take(crawled, made, "sitemap")
    assert (made / "sitemap.xml").exists()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["map"]


def test_what_is_not_analysed_gives_no_sitemap(crawled: Path, tmp_path: Path) -> None:
    database = tmp_path / "young.db"
    database.write_bytes(crawled.read_bytes())
    with closing(open_for_writing(database)) as connection:
        connection.execute("UPDATE pages SET indexable = NULL")
    with pytest.raises(UsageError, match="crawler analyse"):
        take(database, tmp_path / "map", "sitemap")
    assert not (tmp_path / "map").exists()


READERS = {"graphml": networkx.read_graphml, "gexf": networkx.read_gexf}


@pytest.mark.parametrize("name", READERS)
def test_networkx_reads_pages_and_their_links(crawled: Path, tmp_path: Path, name: str) -> None:
    graph = READERS[name](take(crawled, tmp_path / "x", name))
    pages = {str(number): row for number, *row in rows(crawled, NODES)}
    assert set(graph) == set(pages)
    for number, attributes in graph.nodes(data=True):
        url, status, title = pages[number]
        assert (attributes["label"], attributes["status"]) == (url, status)
        if title not in AWKWARD:
            assert attributes.get("title") == title
    links = Counter(rows(crawled, EDGES))
    assert {
        (int(source), int(target)): attributes["weight"]
        for source, target, attributes in graph.edges(data=True)
    } == links
    assert graph.is_directed()


NODES = "SELECT id, url, status, title FROM pages"
EDGES = """
    SELECT source_id, target_id
    FROM current_links
    JOIN pages ON pages.id = target_id
    WHERE kind IN ('a', 'area')
"""


PAIRS = """
    SELECT source.host_id, target.host_id, count(*)
    FROM current_links
    JOIN pages AS source ON source.id = source_id
    JOIN urls AS target ON target.id = target_id
    WHERE current_links.kind IN ('a', 'area') AND target.host_id IS NOT NULL
    GROUP BY 1, 2
"""


@pytest.mark.parametrize("at_once", [1, 2, 100_000])
def test_links_of_hosts_are_counted_however_few_fit_into_memory(
    crawled: Path, tmp_path: Path, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph_module, "AT_ONCE", at_once)
    graph = networkx.read_graphml(take(crawled, tmp_path / "x", "graphml", nodes="hosts"))
    found = [(int(a), int(b), weight) for a, b, weight in graph.edges(data="weight")]
    assert sorted(found) == rows(crawled, PAIRS)
    assert len(found) > 1


def test_what_is_counted_stands_on_the_disk_under_no_name() -> None:
    with closing(scratch()) as place:
        [(_, _, name)] = place.execute("PRAGMA database_list").fetchall()
        assert name
        assert not Path(name).exists()
        place.execute("CREATE TABLE many AS SELECT zeroblob(30000000) AS bytes")
        held = [one.stat().st_size for one in Path("/proc/self/fd").iterdir() if name in link(one)]
    assert max(held) > 30_000_000


def link(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except FileNotFoundError:  # that of the folder itself
        return ""


@pytest.mark.parametrize("name", READERS)
def test_networkx_reads_hosts_and_their_links(crawled: Path, tmp_path: Path, name: str) -> None:
    graph = READERS[name](take(crawled, tmp_path / "x", name, nodes="hosts"))
    named = dict(graph.nodes(data="label"))
    assert sorted(named.values()) == ["127.0.0.1", "other.example"]
    found = {(named[a], named[b]): weight for a, b, weight in graph.edges(data="weight")}
    assert found[("127.0.0.1", "other.example")] == 1


@pytest.fixture
def with_forbidden(tmp_path: Path, web: Web) -> Path:
    """A crawl of which a title changed that now holds what XML 1.0 has not (section 2.2)."""
    database = tmp_path / "forbidden.db"
    web.page("/", links=["/a"], title="Front")
    web.page("/a", title="Before")
    crawl(database, web.url(), settings=config())
    web.page("/a", title=FORBIDDEN)
    let_a_day_pass(database)
    crawl(database, web.url(), settings=config())
    return database


FORBIDDEN = "a\ufffee\uffff\U0001ffff f"
SHOWN = "a\\ufffee\\uffff\U0001ffff f"


@pytest.mark.parametrize("name", READERS)
def test_what_xml_forbids_is_shown_in_a_graph(
    with_forbidden: Path, tmp_path: Path, name: str
) -> None:
    graph = READERS[name](take(with_forbidden, tmp_path / "x", name))
    assert SHOWN in dict(graph.nodes(data="title")).values()


def test_what_xml_forbids_is_shown_in_a_feed(with_forbidden: Path, tmp_path: Path) -> None:
    feed = etree.parse(take(with_forbidden, tmp_path / "x.rss", "rss"))
    assert feed.xpath("//item/title/text()") == [f"changed: {SHOWN}"]


def test_a_condition_leaves_pages_out_of_a_graph(crawled: Path, tmp_path: Path) -> None:
    made = take(crawled, tmp_path / "x", "gexf", where="status = 200")
    graph = networkx.read_gexf(made)
    assert {status for _, status in graph.nodes(data="status")} == {200}
