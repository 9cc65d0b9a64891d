"""What can a hostile site make its analysis hold and keep?"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from crawler.analyse import facts, findings
from crawler.analyse.found import PAGE_CHARACTERS, PAGE_FINDINGS, TEXT_CHARACTERS
from crawler.analyse.run import analyse
from crawler.channels import patience, readers
from crawler.channels.patience import Usual
from crawler.config import Config
from crawler.store.audit import audit
from crawler.store.database import open_for_reading, open_for_writing
from tests.analyse.site import Site
from tests.crawls import config, crawl, rows
from tests.patience import PATIENT_S
from tests.sites.skip import ROOT
from tests.sites.web import Web

ALTS = """
    SELECT count(*), sum(length(item) + length(evidence))
    FROM findings
    WHERE check_name = 'image_alt_missing' AND fixed_run_id IS NULL
"""
JUDGED = """
    SELECT judged, found, fixed, reason
    FROM runs_checks
    WHERE check_name = 'image_alt_missing'
    ORDER BY run_id DESC
    LIMIT 1
"""
PAIRS = "'hreflang_return_differs'"
LONG = "x" * 1_900
PEAK = """
import crawler._patch
import sys
from pathlib import Path
from crawler.analyse.run import analyse
from crawler.config import Config
analyse(Path(sys.argv[1]), Config(), lambda *_: None, processes=1)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    yield web
    web.close()


def audited(database: Path, site: Site, *, settings: Config | None = None) -> None:
    site.finish()
    crawl(database, site.url())
    analyse(database, settings or Config(), lambda *_: None, processes=1)


def images(names: Iterator[int] | range, more: str = "") -> str:
    return "".join(f'<img src="/{name}{more}.png">' for name in names)


def test_of_one_page_a_thousand_findings_are_kept_and_the_rest_is_told(
    web: Web, tmp_path: Path
) -> None:
    database, site = tmp_path / "many.db", Site(web.host("127.0.6.31"))
    site.page("/many", body=images(range(PAGE_FINDINGS + 234)))
    audited(database, site)
    [(kept, _)] = rows(database, ALTS)
    [(judged, found, fixed, reason)] = rows(database, JUDGED)
    assert (kept, judged, found, fixed) == (PAGE_FINDINGS, 1, PAGE_FINDINGS, 0)
    assert "234 more" in reason
    assert "one page" in reason


def test_what_is_kept_of_one_page_is_bounded_by_its_length(web: Web, tmp_path: Path) -> None:
    database, site = tmp_path / "long.db", Site(web.host("127.0.6.31"))
    site.page("/long", body=images(range(400), LONG))
    site.page("/short", body=images(range(3)))
    audited(database, site)
    [(kept, characters)] = rows(database, ALTS)
    [(_, found, _, reason)] = rows(database, JUDGED)
    assert 3 < kept == found < 400
    assert characters < PAGE_CHARACTERS + 1_000
    assert f"{403 - kept} more" in reason


def test_what_is_left_out_is_not_taken_for_mended(web: Web, tmp_path: Path) -> None:
    database, site = tmp_path / "again.db", Site(web.host("127.0.6.31"))
    site.page("/many", body=images(range(5_000, 5_000 + PAGE_FINDINGS)))
    audited(database, site)
    before = rows(database, "SELECT item FROM findings WHERE check_name = 'image_alt_missing'")
    site = Site(site.host)
    site.page("/many", body=images(range(1_000, 2_000)) + images(range(5_000, 6_000)))
    audited(database, site)
    after = rows(database, "SELECT item FROM findings WHERE check_name = 'image_alt_missing'")
    [(_, _, fixed, reason)] = rows(database, JUDGED)
    assert (after, fixed) == (before, 0)
    assert "1,000 more" in reason


def test_what_findings_of_one_host_take_has_a_limit(web: Web, tmp_path: Path) -> None:
    database = tmp_path / "host.db"
    hostile, other = Site(web.host("127.0.6.31")), Site(web.host("127.0.6.32"))
    for page in range(8):
        hostile.page(f"/{page}", body=images(range(page * 100, page * 100 + 90), LONG))
    other.page("/one", body=images(range(5)))
    most = 1_000_000
    hostile.page("/leads", body=f'<a href="{other.url()}">other</a>')
    other.finish()
    hostile.finish()
    crawl(database, hostile.url(), other.url())
    analyse(database, config(scope={"max_bytes_per_host": most}), lambda *_: None, processes=1)
    weights = rows(
        database,
        """
        SELECT hosts.host, sum(length(findings.item) + length(findings.evidence))
        FROM findings
        JOIN urls ON urls.id = findings.url_id
        JOIN hosts ON hosts.id = urls.host_id
        GROUP BY hosts.host
        """,
    )
    assert all(weight <= most for _, weight in weights)
    [(_, _, _, reason)] = rows(database, JUDGED)
    assert "one host" in reason
    [(of_other,)] = rows(
        database,
        """
        SELECT count(*)
        FROM findings
        JOIN urls ON urls.id = findings.url_id
        WHERE check_name = 'image_alt_missing' AND url LIKE 'http://127.0.6.32%'
        """,
    )
    assert of_other == 5


def test_a_long_value_of_the_evidence_is_cut_and_says_so(web: Web, tmp_path: Path) -> None:
    database, site = tmp_path / "text.db", Site(web.host("127.0.6.31"))
    before = "".join(f'<link rel=prev href="/{number}{LONG}">' for number in range(9))
    site.page("/first", head='<link rel=next href="/second">')
    site.page("/second", head=before)
    audited(database, site)
    [(others,)] = rows(
        database,
        """
        SELECT json_extract(evidence, '$.its_prev')
        FROM findings
        WHERE check_name = 'series_sequence' AND item LIKE '%/second'
        """,
    )
    assert len(others) < TEXT_CHARACTERS + 50
    assert others.endswith("more characters)")


def test_what_a_site_left_unread_because_it_takes_too_long_is_told(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here a page takes too long when it takes any time at all."""
    monkeypatch.setattr(facts, "USUAL", Usual(0.0, 0.0))
    monkeypatch.setattr(patience, "MOST_S", 0.0)
    monkeypatch.setattr(readers, "TELL_S", 0.0)
    database, site = tmp_path / "slow.db", Site(web.host("127.0.6.31"))
    for page in range(5):
        site.page(f"/{page}")
    audited(database, site)
    told = rows(database, "SELECT error, count(*) FROM facts GROUP BY error")
    assert told == [(None, 1), ("site_too_slow", 5)]
    with closing(open_for_reading(database)) as connection:
        doubts = [said for _, said in audit(connection).doubts]
    assert any("bodies could not be read" in said for said in doubts)


def test_the_memory_of_an_analysis_does_not_grow_with_what_it_finds(
    web: Web, tmp_path: Path
) -> None:
    peaks = []
    for number, pages in enumerate((1, 12)):
        database, site = tmp_path / f"{pages}.db", Site(web.host(f"127.0.6.{33 + number}"))
        for page in range(pages):
            site.page(
                f"/{page}",
                body="".join(
                    f'<a target=_blank href="http://else.invalid/{page}/{at}/{LONG}">'
                    f'<img src="/{page}/{at}/{LONG}">{"click here " * 80}</a>'
                    for at in range(1_500)
                ),
            )
        site.finish()
        crawl(database, site.url())
        told = subprocess.check_output(
            [sys.executable, "-c", PEAK, str(database)], cwd=ROOT, timeout=PATIENT_S
        )
        peaks.append(int(told) // 1024)
    # What SQLite keeps of two files (20 and 4 MiB), and chunks of bodies; what is found is 150 MB.
    assert peaks[1] - peaks[0] < 60, peaks


def test_a_check_that_a_site_makes_find_too_much_is_given_up_alone(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages that name each other in 2,500 languages make 37 million pairs: many seconds, here with
    a limit of half a second."""
    database, site = tmp_path / "pairs.db", Site(web.host("127.0.6.31"))
    paths = [f"/{number}" for number in range(3)]
    alternates = "".join(
        f"<link rel=alternate hreflang={path[1:]}x{code} href={path}>"
        for path in paths
        for code in range(2_500)
    )
    for path in paths:
        site.page(path, head=alternates, body=images(range(1)))
    monkeypatch.setattr(findings, "CHECK_S", 0.5)
    audited(database, site)
    told = rows(
        database, "SELECT judged, found, reason FROM runs_checks WHERE check_name = " + PAIRS
    )
    assert [(judged, found) for judged, found, _ in told] == [(0, 0)]
    assert "given up after 1 s" in told[0][2]
    [(judged, found, _, _)] = rows(database, JUDGED)
    assert (judged, found) == (1, 3)


def test_a_check_that_fails_on_what_no_crawl_writes_is_given_up_alone(
    web: Web, tmp_path: Path
) -> None:
    database = tmp_path / "a.db"
    web.page("/", title="")
    crawl(database, web.url(), settings=config())
    with closing(open_for_writing(database)) as connection:
        connection.execute("UPDATE visits SET started_at = '99999-01-01T00:00:00.000Z'")
    analyse(database, Config(), lambda *_: None, processes=1)
    failed = rows(database, "SELECT check_name FROM runs_checks WHERE reason LIKE 'it failed:%'")
    assert failed == [("slow_under_load",)]
    assert rows(database, "SELECT count(*) FROM findings WHERE check_name = 'title_missing'") == [
        (1,)
    ]
