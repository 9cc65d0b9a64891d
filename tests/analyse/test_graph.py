"""Is every link between pages counted once, as that which it leads to in the end?"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from crawler.analyse.graph import (
    count_clicks,
    folded_edges,
    measure_graph,
    ranks_in_numpy,
    ranks_in_python,
    read_graph,
)
from crawler.store.database import open_for_writing
from tests.store.test_questions import Site

PATHS = ("/", "/old", "/new", "/twin", "/leaf", "/gone")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """/ links to /old, which has moved to /new, and to /twin, whose canonical is /new."""
    with closing(open_for_writing(tmp_path / "crawl.db")) as connection:
        site = Site(connection)
        for path in PATHS:
            status = {"/old": 301, "/gone": 404}.get(path, 200)
            site.url(path, status=status, leads_to=3 if path == "/old" else None)
        site.links("/", "/old", "/twin", "/old", "/", "/gone")
        site.links("/new", "/leaf", "/leaf")
        site.links("/twin", "/leaf")
        site.links("/gone", "/leaf")
        ask = connection.execute
        ask("UPDATE pages SET content_type = 'text/html', indexable = status = 200")
        ask("UPDATE pages SET indexability_reason = 'redirect' WHERE url = '/old'")
        ask("UPDATE pages SET indexable = 0, indexability_reason = 'canonical', canonical_id = 3"
            " WHERE url = '/twin'")  # fmt: skip
        ask("UPDATE links SET rel = 'ugc' WHERE source_id = 3 AND position = 0")
        ask("INSERT INTO seeds (run_id, line, text, url_id) VALUES (1, 1, '/', 1)")
        yield site


def test_a_pair_of_pages_counts_once_and_is_followed_when_one_of_its_links_is(site: Site) -> None:
    measure_graph(site.connection)
    counts = "SELECT url, inlinks, followed_inlinks, indexable_inlinks FROM pages ORDER BY id"
    assert site.ask(counts) == [
        ("/", 0, 0, 0), ("/old", 1, 1, 1), ("/new", 0, 0, 0), ("/twin", 1, 1, 1),
        ("/leaf", 2, 2, 1), ("/gone", 1, 1, 1),
    ]  # fmt: skip


def test_what_only_asks_not_to_be_followed_is_an_inlink_and_no_click(site: Site) -> None:
    site.connection.execute("UPDATE links SET rel = 'nofollow sponsored' WHERE target_id = 5")
    measure_graph(site.connection)
    found = site.ask("SELECT inlinks, followed_inlinks, clicks FROM pages WHERE url = '/leaf'")
    assert found == [(2, 0, None)]


def test_a_redirect_and_a_canonical_cost_no_click(site: Site) -> None:
    measure_graph(site.connection)
    assert site.ask("SELECT url, clicks FROM pages ORDER BY id") == [
        ("/", 0), ("/old", 1), ("/new", 1), ("/twin", 1), ("/leaf", 2), ("/gone", 1),
    ]  # fmt: skip


def test_what_is_folded_away_has_no_score_and_gives_it_to_where_it_leads(site: Site) -> None:
    graph = read_graph(site.connection)
    nodes = {0: 0, 2: 1, 4: 2}  # /, /new, /leaf
    assert sorted(zip(*folded_edges(graph, nodes), strict=True)) == [(0, 1), (1, 2)]
    measure_graph(site.connection)
    scored = site.ask("SELECT url, link_score FROM pages WHERE link_score IS NOT NULL ORDER BY 2")
    assert [path for path, _ in scored] == ["/", "/new", "/leaf"]


def test_redirects_that_lead_round_end(site: Site) -> None:
    graph = read_graph(site.connection)
    graph.folds |= {1: 3, 3: 1}
    assert count_clicks([1], graph) == {1: 0, 3: 0, 4: 1}


def test_numpy_and_python_give_the_same_ranks() -> None:
    chance = random.Random(7)
    edges = {(chance.randrange(50), chance.randrange(60)) for _ in range(300)}
    sides = [one for one, _ in edges], [other for _, other in edges]
    in_python, in_numpy = ranks_in_python(60, sides), ranks_in_numpy(60, sides)
    assert in_python == pytest.approx(in_numpy, abs=1e-12)
    assert sum(in_python) == pytest.approx(1)
