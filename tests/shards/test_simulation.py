"""Do many shards crawl what one conductor does, when only the web is made up?"""

from __future__ import annotations

from tests.bench.many_shards import simulated
from tests.patience import PATIENT_S

SITES, PAGES = 20, 4


def test_a_made_up_web_is_crawled_whole_by_many_shards() -> None:
    alone = simulated(1, SITES, PAGES, PATIENT_S)
    many = simulated(8, SITES, PAGES, PATIENT_S)
    assert many["pages"] == many["merged_pages"] == alone["pages"] > SITES * PAGES * 0.8
    assert many["urls"] == alone["urls"], "each has its fate in one file"
    assert many["links"] == alone["links"]
    assert many["messages"] > 0
