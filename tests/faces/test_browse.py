"""Can a crawl be browsed in Datasette, with what its tables and columns mean?"""

from __future__ import annotations

import http.client
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import gevent
import pytest
from gevent import socket, subprocess

from crawler.analyse.run import analyse
from crawler.config import Config
from crawler.errors import UsageError
from crawler.faces import browse
from crawler.store import columns, queries, views
from tests.crawls import crawl
from tests.sites.injections import SCRIPT, publish_injections
from tests.sites.web import Web

PATIENT_S = 60


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A crawl in Datasette."""
    folder = tmp_path_factory.mktemp("browse")
    database = folder / "shop.db"
    web = Web()
    publish_injections(web)
    web.page("/plain-page", title="A lantern", body="<p>The lantern of the harbour is lit.")
    crawl(database, web.url(), web.url("/plain-page"))
    web.close()
    analyse(database, Config(), lambda *_: None, processes=1)
    with queries.reading(database) as connection:
        browse.make_folder(connection, database, folder / "made")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        browse.command(folder / "made", port),
        stdout=subprocess.DEVNULL, stderr=(folder / "log").open("w"),
    )  # fmt: skip
    try:
        with gevent.Timeout(PATIENT_S):
            while not answers(port):
                assert process.poll() is None, (folder / "log").read_text()
                gevent.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def answers(port: int) -> bool:
    """Is something there?"""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def read(url: str) -> str:
    with urlopen(url, timeout=PATIENT_S) as answer:
        text: str = answer.read().decode()
        return text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "evil.example"}, 421),
        ({"Host": "evil.example:{port}"}, 421),
        ({"Host": "localhost:{port}"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Dest": "document"}, 403),
    ],
)
def test_no_page_of_the_web_reads_it_or_makes_it_work(
    address: str, headers: dict[str, str], status: int
) -> None:
    """Under a name of its own, or by a question whose answer it does not see."""
    place = address.removeprefix("http://")
    link = http.client.HTTPConnection(place, timeout=PATIENT_S)
    told = {name: value.format(port=place.partition(":")[2]) for name, value in headers.items()}
    link.request("GET", "/shop.json?sql=SELECT+url+FROM+pages", headers=told)
    answer = link.getresponse()
    assert answer.status == status
    assert (b"127.0.0.1" in answer.read()) == (status == 200)
    link.close()


def test_tables_tell_what_their_columns_mean(address: str) -> None:
    text = read(f"{address}/shop/urls")
    assert "A row: " in text
    assert "state" in text
    told = json.loads(read(f"{address}/shop/urls.json?_shape=objects&_extra=columns&_facet=state"))
    assert told["rows"]
    assert "why" in read(f"{address}/shop/urls").lower()


def test_questions_are_stored_queries(address: str) -> None:
    front = read(f"{address}/shop")
    for name in views.VIEWS:
        assert f"ask_{name}" in front
    rows = json.loads(read(f"{address}/shop/ask_crawl_summary.json?_shape=array"))
    assert {"state", "urls"} <= rows[0].keys()


def test_pages_are_found_by_their_words(address: str) -> None:
    told = json.loads(read(f"{address}/shop/pages.json?_search=lanterns&_shape=array"))
    assert [page["title"] for page in told] == ["A lantern"]


def test_a_stored_page_is_never_live(address: str) -> None:
    for path in ("/shop/pages", "/shop/bodies", "/shop/texts", "/shop/ask_slow_pages"):
        assert SCRIPT not in read(address + path)


def test_every_table_and_view_is_described(tmp_path: Path) -> None:
    database = tmp_path / "a.db"
    web = Web()
    web.page("/")
    crawl(database, web.url())
    web.close()
    with queries.reading(database) as connection:
        told = browse.metadata(connection, "a")["databases"]["a"]
    assert columns.HELP.keys() | views.VIEWS.keys() <= told["tables"].keys()
    assert all(about["description"] for about in told["tables"].values())
    assert told["tables"]["pages"]["label_column"] == "url"


def test_nothing_of_others_is_written_through_or_run(crawled: Path, tmp_path: Path) -> None:
    folder, victim = tmp_path / "made", tmp_path / "victim"
    victim.write_text("as it was")
    with queries.reading(crawled) as connection:
        browse.make_folder(connection, crawled, folder)
        (folder / "metadata.yml").unlink()
        (folder / "metadata.yml").symlink_to(victim)
        browse.make_folder(connection, crawled, folder)
        assert victim.read_text() == "as it was"
        assert "databases" in json.loads((folder / "metadata.yml").read_text())
        (folder / "templates").mkdir()
        with pytest.raises(UsageError, match=r"something else \(templates\)"):
            browse.make_folder(connection, crawled, folder)
        (folder / "templates").rmdir()
        if os.geteuid() == 0:
            os.chown(folder, 65534, 65534)
            with pytest.raises(UsageError, match="something else"):
                browse.make_folder(connection, crawled, folder)


def test_without_datasette_it_is_said_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "datasette", None)
    with pytest.raises(Exception, match="make browse"):
        browse.command(tmp_path, 8101)
