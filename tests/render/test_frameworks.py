"""Is a page seen as its visitors see it, whatever made it?"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crawls import check_whole, config, crawl, rows
from tests.render import built, samples
from tests.sites.web import Web

SEEN = "SELECT title, h1, word_count, rendered FROM pages WHERE url = ?"
LINKS = """
    SELECT target.url, links.via
    FROM links
    JOIN urls AS source ON source.id = links.source_id
    JOIN urls AS target ON target.id = links.target_id
    WHERE source.url = ? AND links.kind = 'a'
    ORDER BY links.position
"""
ERRORS = "SELECT visit_id, error FROM renders WHERE error IS NOT NULL"


@pytest.mark.parametrize("tabs", [1, 4])
def test_pages_of_every_framework_are_seen_as_visitors_see_them(
    web: Web, tmp_path: Path, tabs: int
) -> None:
    samples.serve(web)
    built.publish(web, "svelte")
    web.page("/", links=[f"/{name}" for name in samples.PAGES])
    database = tmp_path / "crawl.db"
    settings = config(render={"mode": "shells", "tabs": tabs, "wall_s": 250, "cpu_s": 60})
    crawl(database, web.url("/"), settings=settings)
    for name, title in samples.TITLES.items():
        [(told, h1, words, rendered)] = rows(database, SEEN, web.url(f"/{name}"))
        assert (told, h1, rendered) == (title, title, 1), name
        assert 60 <= words <= 70, name
        found = rows(database, LINKS, web.url(f"/{name}"))
        assert found == [(web.url(f"/{name}/{item}"), "rendered") for item in samples.ITEMS], name
    pages = {url for (url,) in rows(database, "SELECT url FROM pages WHERE status = 200")}
    assert pages >= {web.url(f"/{n}/{item}") for n in samples.PAGES for item in samples.ITEMS}
    assert rows(database, ERRORS) == []
    check_whole(database)
