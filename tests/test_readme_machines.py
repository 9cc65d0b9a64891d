"""Does a crawl over two terminals go as README says?"""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from gevent import subprocess

from tests import engines
from tests.crawls import rows
from tests.patience import PATIENT_S, until
from tests.sites.skip import ROOT
from tests.sites.web import Web

PART = (
    (ROOT / "README.md").read_text("utf-8").partition("## Many machines")[2].partition("\n## ")[0]
)
SHELLS = re.findall(r"```sh\n(.+?)```", PART, re.DOTALL)
PORT = "6379"


@pytest.fixture
def words(web: Web, tmp_path: Path) -> Iterator[list[list[str]]]:
    """README's command lines, with a port of the test's own."""
    port = str(engines.free_port())
    binary, _, _ = engines.binary("redis").rpartition("/")
    (tmp_path / "seeds.txt").write_text(f"{web.url()}\n")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    lines = [line for shell in SHELLS for line in shell.splitlines()]
    assert [line.count(PORT) for line in lines] == [1, 1, 1]
    engine, crawl, work = (line.replace(PORT, port) for line in lines)
    assert engine.startswith("redis-server ")
    yield [["sh", "-c", f"exec {line}"] for line in (f"{binary}/{engine}", crawl, work)]
    subprocess.run([f"{binary}/redis-cli", "-p", port, "shutdown", "nosave"], check=True)


def test_two_terminals_crawl_as_readme_says(
    words: list[list[str]], web: Web, tmp_path: Path
) -> None:
    web.page("/", links=[f"/{number}" for number in range(200)])
    for number in range(200):
        web.page(f"/{number}", wait_s=0.05)
    engine, crawl, work = words
    subprocess.run(engine, cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    helper = subprocess.Popen(work, cwd=tmp_path, stderr=subprocess.PIPE)
    try:
        assert b"Waiting for a crawl: crawler crawl SEEDS --redis URL" in helper.stderr.readline()
        crawling = [*crawl[:2], f"{crawl[2]} --workers 0"]
        ran = subprocess.run(crawling, cwd=tmp_path, capture_output=True, timeout=PATIENT_S)
        assert ran.returncode == 0, ran.stderr
        assert b"At work for " in helper.stderr.readline()
        assert b"The crawl has ended: 203 visits were sent" in helper.stderr.readline()
        helper.send_signal(signal.SIGINT)
        assert helper.wait(PATIENT_S) == 0
    finally:
        helper.kill()
        helper.wait()
        helper.stderr.close()
    database = tmp_path / "data" / "seeds.db"
    assert rows(database, "SELECT visits, left_reason FROM workers") == [(203, "the crawl ended")]
    until(lambda: not (tmp_path / "data" / "seeds.db.lock").exists())
    assert b"redis://" not in database.read_bytes()
