"""Is it true what README tells three people: a journalist, a researcher, the owner of a site?

Every line of its shell is run as it stands there, on a file of two crawls of sites that changed in
between: one before the day that README names, one after it.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from crawler.analyse.run import analyse
from crawler.policy.urls import identity
from crawler.store.database import open_for_writing
from tests.analyse.test_checks import call
from tests.crawls import config, crawl
from tests.patience import PATIENT_S
from tests.sites.skip import require_program
from tests.sites.web import Web
from tests.test_readme import README

REMEMBER = README[README.index("## Remember") : README.index("## Take along")]
TAKE = README[README.index("## Take along") : README.index("## Choose")]


def lines(section: str) -> list[str]:
    """The lines of its shell, without what stands behind a #."""
    blocks = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    return [line.partition("  #")[0].rstrip() for block in blocks for line in block.splitlines()]


LINES = lines(REMEMBER)
QUICK = config(robots={"obey": False}, pace={"tries": 1})
SENTENCE = "The keeper of the light hung up a lantern."
BEFORE, AFTER = "2026-10-03T10:00:00.000Z", "2026-11-20T10:00:00.000Z"


def publish(web: Web, month: str) -> None:
    """The two sites as they are in that month."""
    newer = month == "November"
    other = web.host("127.0.8.2")
    web.page("/", links=["/prices", "/gone", "/moves", "/fails"], title="Home")
    told = "Nine euros a night" if newer else "Seven euros a night, lantern included"
    web.page("/prices", title="Prices, anew" if newer else "Prices", body=f"<p>{told}.")
    web.page("/gone", title="A promise", body="<p>We promise.")
    web.page("/moves", title="Place")
    web.page("/fails", title="Up")
    if newer:
        web.raw("/gone", status=404, body="nothing here")
        web.redirect("/moves", "/prices", status=301)
        web.raw("/fails", status=503, body="later")
    other.page("/", title="Lighthouses", body=f"<p>{SENTENCE}")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as README has it: .venv/bin/crawler, and a file in data/."""
    folder = tmp_path_factory.mktemp("people")
    (folder / "data").mkdir()
    (folder / ".venv" / "bin").mkdir(parents=True)
    program = folder / ".venv" / "bin" / "crawler"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m crawler "$@"\n')
    program.chmod(0o755)
    file = folder / "data" / "seeds.db"
    web = Web()
    for month in ("October", "November"):
        publish(web, month)
        crawl(file, web.url(), web.host("127.0.8.2").url(), settings=QUICK)
        analyse(file, QUICK, lambda *_: None, processes=1)
    _rename(file, web)
    web.close()
    return folder


def _rename(file: Path, web: Web) -> None:
    """As if the sites had their names, and the crawls been made in these months."""
    with closing(open_for_writing(file)) as connection:
        origins = {web.url(""): "https://www.example.org", web.host("127.0.8.2").url(""): ""}
        for origin, name in origins.items():
            call(connection, origin.rstrip("/"), name or "https://lights.example.org")
        for url_id, url in connection.execute("SELECT id, url FROM urls").fetchall():
            values = (identity(url), url_id)
            connection.execute("UPDATE urls SET hash = ? WHERE id = ?", values)
        connection.execute("UPDATE hosts SET host = replace(host, 'https://', '')")
        for run, at in ((1, BEFORE), (2, AFTER)):
            connection.execute("UPDATE runs SET started_at = ? WHERE id = ?", (at, run))
            connection.execute("UPDATE visits SET started_at = ? WHERE run_id = ?", (at, run))


def run(home: Path, line: str) -> str:
    """What a line of shell writes."""
    require_program("sqlite3", "apt-get install sqlite3")
    root = Path(__file__).parents[1]
    told = subprocess.run(
        line, shell=True, cwd=home, capture_output=True, text=True, timeout=PATIENT_S, check=False,
        env=os.environ | {"PYTHONPATH": str(root)},
    )  # fmt: skip
    assert told.returncode == 0, (line, told.stderr)
    return told.stdout


WANTED = {
    "crawler changes": (
        "gone         https://www.example.org/gone", "moved        https://www.example.org/moves",
        "unreachable  https://www.example.org/fails", "changed      https://www.example.org/prices",
        "title, text", "Prices",
    ),
    "crawler diff": (
        "[-Prices-] {+Prices, anew+}", "[-Prices Seven-]", "[-night, lantern included.-]",
    ),
    "crawler search 'lantern'": ("Lighthouses", "hung up a [lantern]."),
    'crawler search \'"keeper': (),
    "sqlite3": ("lights.example.org", "pages"),
    "crawler log": ("2026-11-20", "2026-10-03", "title, text", "Prices, anew", "Prices"),
}  # fmt: skip
"""By how a line begins: what it writes, among other things."""


@pytest.mark.parametrize("line", LINES)
def test_every_line_of_its_shell_tells_what_it_promises(home: Path, line: str) -> None:
    [wanted] = [
        told for begin, told in WANTED.items() if line.removeprefix(".venv/bin/").startswith(begin)
    ]
    told = run(home, line)
    assert [words for words in wanted if words not in told] == [], told


def test_there_is_a_line_of_each_kind() -> None:
    begun = {
        begin
        for begin in WANTED
        for line in LINES
        if line.removeprefix(".venv/bin/").startswith(begin)
    }
    assert begun == WANTED.keys()


def test_the_researchers_table_has_the_sentence_of_each_site(home: Path) -> None:
    [line] = [line for line in LINES if line.endswith("> found.csv")]
    run(home, line)
    with (home / "found.csv").open(encoding="utf-8") as file:
        [hit] = csv.DictReader(file)
    assert hit["url"] == "https://lights.example.org/"
    assert "[keeper of the light]" in hit["snippet"].replace("] [", " ")


def test_what_a_page_said_that_is_gone_is_still_there(home: Path) -> None:
    [asked] = re.findall(r"`(SELECT run_id, text FROM page_versions .+?)`", REMEMBER)
    told = run(home, f'sqlite3 data/seeds.db "{asked}"').splitlines()
    assert [line[:2] for line in told] == ["1|", "2|"]
    assert "Seven euros" in told[0]
    assert "Nine euros" in told[1]


def test_what_an_earlier_run_left_is_searched(home: Path) -> None:
    assert "--run 2" in REMEMBER
    prices = "https://www.example.org/prices"
    assert prices in run(home, ".venv/bin/crawler search lantern --run 1 --json")
    assert prices not in run(home, ".venv/bin/crawler search lantern --run 2 --json")


def test_the_owner_is_told_which_page_is_due_when_and_why(home: Path) -> None:
    told = run(home, ".venv/bin/crawler plan")
    assert "https://www.example.org/prices" in told
    assert "visited" in told or "changed at" in told


TAKEN = {
    "broken.csv": "https://www.example.org/gone",
    "findings.xlsx": None,
    "pages/run_id=2/part-0.parquet": "PAR1",
    "small.db": "SQLite format 3",
    "texts.jsonl": "Nine euros a night",
    "site/index.html": "www.example.org",
    "changes.rss": "changed: Prices, anew",
    "site.warc.gz": None,
    "data/archive.db": "SQLite format 3",
    "data/all.db": "SQLite format 3",
}
"""What the lines on exports make, and what stands in it where it is no packed file."""


def test_every_line_on_taking_along_makes_what_it_says(home: Path, tmp_path: Path) -> None:
    home = Path(shutil.copytree(home, tmp_path / "own"))  # what is written last in data/ is asked
    for name in ("north", "south"):
        shutil.copy(home / "data" / "seeds.db", home / "data" / f"{name}.db")
    for line in lines(TAKE):
        run(home, line)
    for name, wanted in TAKEN.items():
        made = (home / name).read_bytes()
        assert made
        assert wanted is None or wanted.encode() in made
    for made in ("small.db", "data/archive.db", "data/all.db"):
        asked = "SELECT count(*) FROM pages WHERE url LIKE 'https://www.example.org/%'"
        assert int(run(home, f'sqlite3 {made} "{asked}"')) >= 4
