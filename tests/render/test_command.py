"""What does somebody see who asks for pages to be shown?"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from gevent import subprocess

from crawler.cli import cli
from crawler.config import Config
from crawler.model import Job, Reply
from crawler.parse import parse
from crawler.render import Renderer
from tests.crawls import config, crawl, rows
from tests.render.samples import HTML, WORDS, shell
from tests.render.test_rules import FILL, errors
from tests.sites.server import Answer, Request
from tests.sites.skip import ROOT
from tests.sites.web import Web
from tests.test_readme import README


def run(*words: str, folder: Path) -> Result:
    return CliRunner().invoke(
        cli, ["crawl", *words, "--db", str(folder / "a.db"), "--workers", "0"]
    )


def test_a_browser_that_is_not_there_is_named_with_its_package(web: Web, tmp_path: Path) -> None:
    ended = run(
        web.url("/"), "--render", "shells", "--set", "render.program=/nowhere", folder=tmp_path
    )
    assert ended.exit_code == 2
    assert "apt-get install chromium-headless-shell" in ended.output
    assert web.paths == []
    assert not (tmp_path / "a.db").exists()


def test_where_there_are_no_user_namespaces_the_sandbox_is_named() -> None:
    """As in a container that allows none."""
    unshare = shutil.which("unshare")
    assert unshare is not None
    try_it = (
        "from crawler.config import RenderConfig; from crawler.render import program\n"
        "from crawler.errors import UsageError\n"
        "try:\n    program.check(RenderConfig())\n"
        "except UsageError as error:\n    print(error.exit_code, error)"
    )
    script = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$0" -c "$1"'
    told = subprocess.run(
        [unshare, "--user", "--map-root-user", "sh", "-c", script, sys.executable, try_it],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.stdout.startswith("2 --render: the sandbox"), told
    assert "user namespaces" in told.stdout


def test_a_crawl_without_a_browser_tells_what_it_did_not_see(
    web: Web, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    web.raw("/", headers=HTML, body=shell(inline=FILL))
    run(web.url("/"), folder=tmp_path)
    told = capfd.readouterr().err
    assert "1 page shows next to nothing without scripts" in told
    assert "--render shells" in told
    run(web.url("/"), "--render", "shells", folder=tmp_path)
    assert "next to nothing" not in capfd.readouterr().err
    assert rows(tmp_path / "a.db", "SELECT h1, rendered FROM pages") == [("Seen", 1)]


def test_readmes_own_lines_show_pages(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [line for line in README.splitlines() if "--render" in line and "crawl " in line]
    assert len(lines) == 2
    web.raw("/", headers=HTML, body=shell(inline=FILL))
    monkeypatch.chdir(tmp_path)
    for number, line in enumerate(lines):
        command, _, _ = line.partition("  #")
        words = command.replace("https://example.org/", web.url("/")).split()[1:]
        more = ["--db", f"{number}.db", "--quiet", "--workers", "0"]
        assert CliRunner().invoke(cli, [*words, *more]).exit_code == 0
        assert rows(tmp_path / f"{number}.db", "SELECT h1 FROM pages") == [("Seen",)]
    [(kind, image)] = rows(tmp_path / "1.db", "SELECT media_type, image FROM screenshots")
    assert kind == "image/jpeg"
    assert image.startswith(b"\xff\xd8")


def test_one_site_may_be_shown_and_all_others_not(web: Web, tmp_path: Path) -> None:
    other = web.host("127.0.7.1")
    for host in (web, other):
        host.raw("/", headers=HTML, body=shell(inline=FILL))
    settings = config(site={web.url("/"): {"render": "always"}})
    crawl(tmp_path / "a.db", web.url("/"), other.url("/"), settings=settings)
    shown = dict(rows(tmp_path / "a.db", "SELECT url, rendered FROM pages"))
    assert shown == {web.url("/"): 1, other.url("/"): 0}


def test_a_shown_page_is_never_asked_for_conditionally(web: Web, tmp_path: Path) -> None:
    """Its shell is as it was while what its scripts bring is not."""
    asked = []

    def decide(request: Request) -> Answer:
        asked.append(request.headers.get("if-none-match"))
        return page

    page = Answer(headers=HTML | {"ETag": '"same"'}, body=shell(inline=FILL).encode())
    web.decide("/", decide)
    settings = config(render={"mode": "shells", "wall_s": 250})
    for _ in range(2):
        crawl(tmp_path / "a.db", web.url("/"), settings=settings)
    assert asked == [None, None]
    assert rows(tmp_path / "a.db", "SELECT count(*) FROM renders") == [(2,)]


def test_bodies_that_are_not_kept_leave_facts_of_what_was_seen(web: Web, tmp_path: Path) -> None:
    web.raw("/", headers=HTML, body=shell(inline=FILL))
    settings = config(render={"mode": "shells", "wall_s": 250}, store={"bodies": False})
    crawl(tmp_path / "a.db", web.url("/"), settings=settings)
    found = rows(
        tmp_path / "a.db",
        "SELECT main_words, h1s, body FROM pages JOIN bodies ON bodies.id = pages.body_id "
        "JOIN facts ON facts.body_id = bodies.id",
    )
    assert [(h1s, body) for _, h1s, body in found] == [(1, None)]
    assert found[0][0] >= 60


def test_a_page_that_asks_not_to_be_kept_leaves_nothing_of_what_was_seen(
    web: Web, tmp_path: Path
) -> None:
    said = '<meta name="robots" content="noindex">'
    gone = "document.querySelector('meta').remove(); " + FILL
    web.raw("/", headers=HTML, body=shell(inline=gone).replace("<head>", f"<head>{said}"))
    settings = config(render={"mode": "shells", "wall_s": 250}, store={"obey_noindex": True})
    crawl(tmp_path / "a.db", web.url("/"), settings=settings)
    for table in ("renders", "requests", "bodies", "texts"):
        assert rows(tmp_path / "a.db", f"SELECT count(*) FROM {table}") == [(0,)], table


def test_workers_that_cannot_ask_show_nothing_and_say_so(caplog: pytest.LogCaptureFixture) -> None:
    settings = Config(render=config(render={"mode": "always"}).render)
    job = Job(1, 1, "http://example.org/")
    reply = Reply(status=200, headers=tuple(HTML.items()), body=f"<p>{WORDS}".encode())
    document = parse(job, reply, settings)
    renderer = Renderer(settings, lambda _: lambda *_: reply, None)
    same, about = renderer.look(job, reply, document, lambda *_: document)
    assert same is document
    assert about is not None
    assert about.error == "render_refused"
    assert "stand as they were sent" in caplog.text


def test_workers_in_processes_show_pages_too(web: Web, tmp_path: Path) -> None:
    web.page("/", links=["/shell"], body=f"<p>{WORDS}</p>")
    web.raw("/shell", headers=HTML, body=shell("/app.js"))
    web.raw("/app.js", headers={"Content-Type": "text/javascript"}, body=FILL)
    settings = config(render={"mode": "shells", "wall_s": 250})
    crawl(tmp_path / "a.db", web.url("/"), settings=settings, workers=2)
    assert errors(tmp_path / "a.db") == {web.url("/shell"): None}
    assert "/app.js" in web.paths
