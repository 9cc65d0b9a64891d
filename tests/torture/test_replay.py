"""Do the tools that people replay archives with show what was stored?

pywb, the validator of WACZ files and ReplayWeb.page, each installed once into a folder of its own.
"""

from __future__ import annotations

import re
import socket
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

import pytest

from crawler.store.database import open_for_writing
from tests.archives.site import publish
from tests.bench import workshop
from tests.bench.workshop import Absent, python_environment
from tests.browser import chromium
from tests.crawls import config, crawl, let_a_day_pass, rows
from tests.sites.server import Answer, Server
from tests.sites.server import Request as Asked
from tests.sites.skip import require_program
from tests.sites.web import Web
from tests.terminal import Terminal

READY_S = 60.0
A_DAY_BEFORE = """
    UPDATE visits
    SET started_at = strftime('%Y-%m-%dT%H:%M:%fZ', started_at, '-1 day')
"""


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with its pictures and styles, crawled on two days."""
    database = tmp_path_factory.mktemp("replay") / "site.db"
    web = Web()
    publish(web)
    settings = config(robots={"sitemaps": True}, assets={"mode": "fetch"}, pace={"tries": 1})
    crawl(database, web.url(), settings=settings)
    let_a_day_pass(database)
    with closing(open_for_writing(database)) as connection:
        connection.execute(A_DAY_BEFORE)
    web.page("/deep", title="Deep", body="<p id='part'>At the bottom, and changed</p>")
    crawl(database, web.url(), settings=settings)
    web.close()
    return database


def environment(name: str, requirement: str) -> Path:
    """The folder of the programs of a package."""
    try:
        return python_environment(name, requirement, print).parent
    except Absent as absent:
        pytest.skip(str(absent))


def exported(database: Path, form: str, folder: Path) -> Path:
    made = folder / f"site.{form}"
    ran = Terminal(folder)("export", form, "--db", str(database), "--out", str(made))
    assert ran.code == 0, ran.err
    return made


# pywb


@contextmanager
def pywb(archive: Path, folder: Path) -> Iterator[str]:
    """The address at which pywb replays an archive."""
    programs = environment("pywb", "pywb==2.10.0")
    for words in (("init", "site"), ("add", "site", str(archive))):
        subprocess.run([programs / "wb-manager", *words], cwd=folder, check=True, timeout=120)
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [programs / "wayback", "--bind", "127.0.0.1", "--port", str(port)],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        address = f"http://127.0.0.1:{port}/site"
        _wait_for(address, process)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)


class _Stay(HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        """Redirects are answers as well."""


_opener = build_opener(_Stay, ProxyHandler({}))


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + READY_S
    while True:
        assert process.poll() is None, "pywb ended at once"
        try:
            _opener.open(address + "/", timeout=5).close()
            return
        except HTTPError:
            return
        except (URLError, OSError):
            assert time.monotonic() < end, "pywb does not answer"
            time.sleep(0.1)


def replayed(address: str, url: str, at: str) -> tuple[int, bytes]:
    """What pywb gives for an address at a moment, not rewritten."""
    asked = Request(
        f"{address}/{re.sub(r'[^0-9]', '', at)[:14]}id_/{url}",
        headers={"Accept-Encoding": "identity"},
    )
    try:
        answer = _opener.open(asked, timeout=30)
    except HTTPError as refused:
        answer = refused
    with answer:
        return answer.status, answer.read()


def test_pywb_replays_every_answer_byte_for_byte(crawled: Path, tmp_path: Path) -> None:
    stored = rows(
        crawled,
        """
        SELECT urls.url, visits.started_at, visits.status, bodies.body
        FROM visits
        JOIN urls ON urls.id = visits.url_id
        LEFT JOIN bodies ON bodies.id = visits.body_id
        WHERE visits.status IS NOT NULL AND visits.not_modified = 0
        ORDER BY visits.id
        """,
    )
    with pywb(exported(crawled, "warc", tmp_path), tmp_path) as address:
        for url, at, status, body in stored:
            wanted = (status, zlib.decompress(body) if body else b"")
            assert replayed(address, url, at) == wanted, (url, at)
    assert len(stored) > 40


# WACZ


def test_the_validator_of_wacz_files_finds_nothing(crawled: Path, tmp_path: Path) -> None:
    programs = environment("wacz", "wacz==0.6.0")
    package = exported(crawled, "wacz", tmp_path)
    ran = subprocess.run(
        [programs / "wacz", "validate", "-f", package], capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stdout
    assert "Validation succeeded, the passed WACZ is valid" in ran.stdout


def test_the_index_is_the_one_that_the_makers_of_the_format_make(
    crawled: Path, tmp_path: Path
) -> None:
    """cdxj-indexer, which comes with their tool, of the archive inside."""
    from zipfile import ZipFile

    programs = environment("wacz", "wacz==0.6.0")
    with ZipFile(exported(crawled, "wacz", tmp_path)) as package:
        package.extractall(tmp_path)
        ours = zlib.decompress(package.read("indexes/index.cdx.gz"), 31).decode().splitlines()
    ran = subprocess.run(
        [programs / "cdxj-indexer", "--sort", tmp_path / "archive" / "data.warc.gz"],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert places(ours) == places(ran.stdout.splitlines())


def places(index: list[str]) -> list[tuple[str, ...]]:
    """Which address of which time stands where."""
    of = re.compile(r'"(?:offset|length)": "(\d+)"')
    return sorted((line.split(" {")[0], *of.findall(line)) for line in index)


def ranged(data: bytes) -> Callable[[Asked], Answer]:
    """A file of which parts can be had (RFC 9110, section 14)."""

    def answer(asked: Asked) -> Answer:
        found = re.fullmatch(r"bytes=(\d*)-(\d*)", asked.headers.get("range", ""))
        headers = {"Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
        if found is None:
            return Answer(headers=headers, body=data)
        first, last = found.groups()
        begin = int(first) if first else max(0, len(data) - int(last))
        end = min(int(last), len(data) - 1) if first and last else len(data) - 1
        place = {"Content-Range": f"bytes {begin}-{end}/{len(data)}"}
        return Answer(206, headers | place, data[begin : end + 1])

    return answer


FRAME = """
<!doctype html><script src="/replay/ui.js"></script>
<replay-web-page style="display:block;height:700px" replayBase="/replay/" embed="replayonly"
    source="/site.wacz" url="{url}"></replay-web-page>
"""
INSIDE = """
(() => {
    const outer = document.querySelector('replay-web-page').shadowRoot.querySelector('iframe');
    const find = (root) => {
        for (const one of root.querySelectorAll('*')) {
            if (one.tagName === 'IFRAME' && /\\/w\\//.test(one.src)) return one;
            const inner = one.shadowRoot && find(one.shadowRoot);
            if (inner) return inner;
        }
    };
    const inner = outer && outer.contentDocument && find(outer.contentDocument);
    const page = inner && inner.contentDocument;
    return page && page.querySelector('h1, p') ? page : null;
})()
"""


def component() -> Path:
    """The folder of ReplayWeb.page, made once; what it is built of is in it, and not installed."""
    made = workshop.folder("replayweb")
    npm = require_program("npm", "apt-get install npm")
    if not (made / "package" / "sw.js").exists():
        packed = subprocess.run(
            [npm, "pack", "replaywebpage@2.4.6"], cwd=made, capture_output=True, timeout=300
        )
        if packed.returncode:
            pytest.skip(f"ReplayWeb.page could not be had: {packed.stderr.decode()[-300:]}")
        subprocess.run(["tar", "xzf", "replaywebpage-2.4.6.tgz"], cwd=made, check=True)
    return made / "package"


@contextmanager
def replaying(package: Path) -> Iterator[Callable[[str], str]]:
    """Gives the address at which ReplayWeb.page shows an address of the archive."""
    parts = component()
    script = {"Content-Type": "text/javascript"}
    files = {
        f"/replay/{name}": Answer(headers=script, body=(parts / name).read_bytes())
        for name in ("ui.js", "sw.js")
    }
    whole = ranged(package.read_bytes())

    def answer(asked: Asked) -> Answer:
        path, _, query = asked.target.partition("?")
        if path == "/site.wacz":
            return whole(asked)
        if path == "/":
            return Answer(body=FRAME.format(url=query).encode())
        return files.get(path, Answer(404))

    server = Server(answer, record=lambda _: None)
    port = server.listen("127.0.0.1")
    try:
        yield lambda url: f"http://127.0.0.1:{port}/?{url}"
    finally:
        server.stop()


SHOWN = {
    "/": "Front",
    "/gzip": "packed words",
    "/chunks": "in chunks",
    "/same": "The very same bytes",
    "/again": "The very same bytes",
    "/deep": "and changed",
    "/latin": "\xc4pfel",
}


def test_replayweb_shows_the_pages_with_their_styles(crawled: Path, tmp_path: Path) -> None:
    front = rows(crawled, "SELECT url FROM urls WHERE via = 'seed'")[0][0]
    package = exported(crawled, "wacz", tmp_path)
    with replaying(package) as address, chromium() as browser:
        browser.size(1200, 760)
        for path, words in SHOWN.items():
            browser.open(address(front.rstrip("/") + path))
            browser.until(f"{INSIDE} !== null && {INSIDE}.body.innerText.includes({words!r})")
            if path == "/":
                color = f"getComputedStyle({INSIDE}.querySelector('h1')).color"
                browser.until(f"{color} === 'rgb(0, 128, 0)'")
                browser.until(f"{INSIDE}.querySelector('img').naturalWidth === 1")
                browser.picture(tmp_path / "front.png")
                print(tmp_path / "front.png")
