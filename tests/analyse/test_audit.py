"""Does a finding live as its page does, and is an audit told as it is?"""

from __future__ import annotations

import signal
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import psutil
import pytest

from crawler.analyse.run import analyse
from crawler.config import Config
from crawler.store import queries
from crawler.store.audit import audit
from crawler.store.database import open_for_writing
from tests.analyse.site import Site
from tests.crawls import config, crawl, rows
from tests.patience import PATIENT_S, until
from tests.sites.skip import ROOT
from tests.sites.web import Web

LIVES = """
    SELECT check_name, first_run_id, since_run_id, last_run_id, fixed_run_id
    FROM findings
    JOIN urls ON urls.id = findings.url_id
    WHERE check_name = 'title_missing' AND url LIKE '%/changing'
"""
TABLES = (
    *("facts", "headings", "meta_tags", "link_facts", "structured_data", "near_duplicates"),
    *("missing_fragments", "checks", "findings", "runs_checks"),
)


def test_an_audit_says_that_a_run_came_after_it(web: Web, tmp_path: Path) -> None:
    database = tmp_path / "later.db"
    web.page("/", title="Home")
    crawl(database, web.url())
    analyse(database, Config(), lambda *_: None, processes=1)
    crawl(database, web.url())
    with queries.reading(database) as connection:
        doubts = {said: count for count, said in audit(connection).doubts}
    assert doubts["runs came after this one and are not analysed: crawler analyse does it"] == 1


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    yield web
    web.close()


def audited(web: Web, database: Path, *, title: str | None, status: int = 200) -> None:
    """One more run, in which a page has this title and status."""
    site = Site(web.host("127.0.6.1"))
    site.page("/changing", title=title, status=status)
    site.finish()
    crawl(database, site.url())
    analyse(database, Config(), lambda *_: None, processes=1)


def test_a_finding_is_new_open_fixed_and_new_again(web: Web, tmp_path: Path) -> None:
    database = tmp_path / "audit.db"
    audited(web, database, title=None)
    assert rows(database, LIVES) == [("title_missing", 1, 1, 1, None)]
    audited(web, database, title=None)
    assert rows(database, LIVES) == [("title_missing", 1, 1, 2, None)]
    audited(web, database, title="")
    assert rows(database, LIVES) == [("title_missing", 1, 1, 2, 3)]
    audited(web, database, title=None)
    assert rows(database, LIVES) == [("title_missing", 1, 4, 4, None)]


def test_a_page_that_does_not_answer_mends_nothing(web: Web, tmp_path: Path) -> None:
    database = tmp_path / "audit.db"
    audited(web, database, title=None)
    audited(web, database, title=None, status=501)
    assert rows(database, LIVES) == [("title_missing", 1, 1, 1, None)]


def test_what_a_run_saw_that_was_not_analysed_counts_with_the_next(
    web: Web, tmp_path: Path
) -> None:
    database = tmp_path / "audit.db"
    audited(web, database, title=None)
    site = Site(web.host("127.0.6.1"))
    site.page("/changing", title="A title by now")
    site.finish()
    crawl(database, site.url())
    crawl(database, site.url(), settings=config(run={"new_only": True}))
    analyse(database, Config(), lambda *_: None, processes=1)
    assert rows(database, LIVES) == [("title_missing", 1, 1, 1, 3)]


def test_judging_a_run_again_changes_nothing(web: Web, tmp_path: Path) -> None:
    database = tmp_path / "audit.db"
    audited(web, database, title=None)
    before = stored(database)
    analyse(database, Config(), lambda *_: None, processes=1)
    assert stored(database) == before


SLOW = zlib.compress(b"<html><title>x</title>" + b"<p>so <b>it</b> goes on" * 700_000)
WORKS_S = 1.0
"""A reader takes longer for it, and no other process of a command does."""


@pytest.mark.parametrize("words", [["analyse"], ["crawl", "SEED", "--new-only"]])
def test_ctrl_c_ends_an_analysis_and_says_how_it_goes_on(
    web: Web, tmp_path: Path, words: list[str]
) -> None:
    database = tmp_path / "stopped.db"
    site = Site(web.host("127.0.6.4"))
    site.finish()
    crawl(database, site.url())
    with closing(open_for_writing(database)) as connection:
        connection.execute("UPDATE bodies SET body = ?", (SLOW,))
    command = [site.url() if word == "SEED" else word for word in words]
    with subprocess.Popen(
        [sys.executable, "-m", "crawler", *command, "--db", str(database)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
    ) as process:
        until(lambda: reads(process.pid))
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=PATIENT_S)[1].decode()
    assert process.returncode == 130
    assert told.endswith(
        f"crawler: {database}: the analysis was stopped; it goes on with: "
        f"crawler analyse --db {database}\n"
    )
    assert [one.name for one in tmp_path.glob("stopped.db*")] == ["stopped.db"]
    assert rows(database, "SELECT count(*) FROM facts") == [(0,)]


def reads(pid: int) -> bool:
    """Is a process that was forked from it at work? It reads a body.

    The kernel is asked for its children: psutil would look at all processes of the machine.
    """
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with suppress(psutil.NoSuchProcess):
            one = psutil.Process(int(child))
            if one.cmdline() and one.cpu_times().user > WORKS_S:
                return True
    return False


LONG = """
import crawler._patch
import sys
from pathlib import Path
from crawler.analyse.check import Check
from crawler.analyse import findings
from crawler.analyse.findings import judge_run
from crawler.store.database import SQLiteError, is_stop, open_for_writing
from crawler.store.scratch import scratch
sql = '''
    WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < 1e10)
    SELECT max(n) AS url_id FROM counted
'''
check = Check(name="long", severity="note", definition="it takes long", sql=sql)
connection = open_for_writing(Path(sys.argv[1]))
begun = []
def told(text):
    if "WITH RECURSIVE" in text:
        begun.append(text)
stops = findings._Patience.stops
def looks(patience):  # what is raised here ends the statement; in `told` it would be lost
    if begun:
        print("at work", flush=True)
        begun.clear()
    return stops(patience)
findings._Patience.stops = looks
connection.set_trace_callback(told)
with scratch(connection, Path(sys.argv[1])):
    try:
        judge_run(connection, {"long": [check]}, {}, lambda *_: None, host_characters=1)
    except SQLiteError as error:
        print(is_stop(error))
"""


def test_a_check_that_was_stopped_has_not_failed(web: Web, tmp_path: Path) -> None:
    database = tmp_path / "long.db"
    audited(web, database, title="")
    command = [sys.executable, "-c", LONG, str(database)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"at work\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=PATIENT_S)[0] == b"True\n"
    told = "SELECT judged, reason FROM runs_checks WHERE check_name = 'long'"
    [(judged, reason)] = rows(database, told)
    assert (judged, reason[:24]) == (0, "the analysis was stopped")


def stored(database: Path) -> dict[str, list[tuple[object, ...]]]:
    """All that analysis stores."""
    kept = {table: sorted(rows(database, f"SELECT * FROM {table}"), key=repr) for table in TABLES}
    return kept | {"pages": rows(database, "SELECT * FROM pages ORDER BY id")}
