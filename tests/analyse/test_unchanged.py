"""Does an audit say the same of a site that has not changed, though nothing of it is sent again?

Whoever answers 304 sends neither the body nor most headers: what a check reads of these is what
came with the document.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
from pathlib import Path
from typing import Final

import pytest

from crawler.analyse.checks import GROUPS
from crawler.analyse.run import analyse
from crawler.config import Config
from tests.analyse.site import Site
from tests.analyse.test_checks import told
from tests.crawls import crawl, rows
from tests.sites.server import Answer, Request
from tests.sites.web import Web

OF_TIME: Final = ("slow_pages", "slow_under_load", "host_slow")
DIFFERING = """
    SELECT findings.check_name, urls.url, findings.item, findings.since_run_id, fixed_run_id
    FROM findings
    JOIN urls ON urls.id = findings.url_id
    WHERE findings.since_run_id > 1 OR findings.fixed_run_id IS NOT NULL
"""


class Confirming(Web):
    """A web that confirms documents which one has already."""

    def reply(self, request: Request) -> Answer:
        """304 where the client has it, and the whole answer otherwise."""
        return self._confirmed(request, super().reply(request))

    def _reply(self, request: Request) -> Answer:
        return self._confirmed(request, super()._reply(request))

    @staticmethod
    def _confirmed(request: Request, answer: Answer) -> Answer:
        named = {name.lower() for name in answer.headers}
        if answer.status != 200 or named & {"etag", "last-modified"}:
            return answer
        tag = f'"{hashlib.sha256(answer.body).hexdigest()[:16]}"'
        if request.headers.get("if-none-match") == tag:
            return Answer(304, {"ETag": tag})
        return dataclasses.replace(answer, headers={**answer.headers, "ETag": tag})


@pytest.mark.parametrize("group", sorted(GROUPS.keys() - {"runs"}))
def test_an_unchanged_site_has_the_faults_that_it_had(group: str, tmp_path: Path) -> None:
    planted = importlib.import_module(f"tests.analyse.planted.{group}")
    settings = getattr(planted, "SETTINGS", None)
    web = Confirming()
    try:
        sites = []
        for number, name in enumerate(n for n in vars(planted) if n.startswith("plant")):
            site = Site(web.host(f"127.0.5.{number + 1}"), web)
            getattr(planted, name)(site)
            site.finish()
            sites.append(site.url())
        file = tmp_path / "audit.db"
        for _ in range(2):
            crawl(file, *sites, settings=settings)
            analyse(file, settings or Config(), told, processes=1)
    finally:
        web.close()
    # a page that a browser shows is always asked for as a whole: its data may have moved
    confirmed = rows(file, "SELECT 1 FROM visits WHERE not_modified = 1 LIMIT 1")
    assert bool(confirmed) == (group != "rendering")
    differing = [row for row in rows(file, DIFFERING) if not {row[0], row[2]} & {*OF_TIME}]
    assert {row[0]: row for row in differing} == {}
