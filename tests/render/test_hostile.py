"""What can a page that is being shown do to others, or to the machine?"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import gevent
import psutil
import pytest
from gevent.event import Event

from crawler.config import Config, RenderConfig
from crawler.model import Grant, Job, Reply
from crawler.render import program
from crawler.render.browser import Browser
from crawler.render.cache import Cache
from crawler.render.needs import Needs
from crawler.render.tab import Shown, Tab
from tests.crawls import check_whole, config, crawl, crawl_apart, rows
from tests.patience import PATIENT_S
from tests.render.samples import HTML, SCRIPT, WORDS, shell
from tests.render.test_rules import FILL, errors
from tests.sites.web import Web

HOSTILE = {
    "loop": "for (;;) {}",
    "late_loop": FILL + "; setTimeout(() => { for (;;) {} }, 50)",
    "frame_loop": FILL + "; requestAnimationFrame(() => { for (;;) {} })",
    "microtasks": "const on = () => Promise.resolve().then(on); on()",
    "memory": "const kept = []; for (;;) kept.push(new Array(1e6).fill(Math.random()))",
    "buffers": "const kept = []; for (;;) kept.push(new Uint8Array(5e7).fill(1))",
    "strings": "let s = 'x'.repeat(1e6); const kept = []; for (;;) kept.push(s + kept.length)",
}
GREEDY = ("memory", "buffers", "strings")
FOREVER = "URL.createObjectURL(new Blob(['for (;;) {}']))"
ODD = {
    "nodes": "for (let i = 0; i < 3e6; i++) document.body.append(document.createElement('b'))",
    "links": "for (let i = 0; i < 2e5; i++) { const a = document.createElement('a');"
    "a.href = '/' + i; document.body.append(a) }",
    "deep": "let at = document.body;"
    "for (let i = 0; i < 1e5; i++) at = at.appendChild(document.createElement('div'))",
    "popups": "for (let i = 0; i < 20; i++) open('/x' + i); " + FILL,
    "push": FILL + "; for (let i = 0; i < 1e4; i++) history.pushState(i, '', '/p' + i)",
    "dialogues": "for (let i = 0; i < 50; i++) alert(i); " + FILL,
    "workers": FILL + f"; for (let i = 0; i < 20; i++) new Worker({FOREVER})",
    "console": "for (let i = 0; i < 1e4; i++) console.error('x'.repeat(1000)); " + FILL,
    "surrogates": "console.error('\\ud800 \\udc00'); document.title = '\\ud83d'; " + FILL,
    "prototypes": "Array.prototype.toJSON = () => 1; Element.prototype.getHTML = () => 'x';"
    "document.getElementsByTagName = 0; " + FILL,
    "wiped": FILL + "; setTimeout(() => document.documentElement.remove(), 200)",
    "writes": FILL + "; setTimeout(() => { document.open(); document.write('<p>again') }, 200)",
    "timers": FILL + "; setInterval(() => document.body.append('x'), 1)",
}
"""These end, one way or another."""


class Always:
    """Lets everything be asked for."""

    def ask(self, token: int, url: str, kind: str, addresses: tuple[str, ...] = ()) -> object:
        return Grant(token, 0)

    def tell(self, question: object) -> None:
        return None


def show(browser: Browser, script: str, settings: RenderConfig) -> Shown:
    """What one page comes to that is nothing but a script."""
    return tab(browser, script, settings).show()


def tab(browser: Browser, script: str, settings: RenderConfig) -> Tab:
    """It, about to be shown."""
    job = Job(1, 1, "http://hostile.example/")
    page = Reply(status=200, headers=tuple(HTML.items()), body=shell(inline=script).encode())
    whole = Config(render=settings)
    needs = Needs(job, whole, lambda *_: Reply(status=404), Always(), Cache())
    return Tab(browser, job, page, needs, settings)


@pytest.fixture
def browser() -> Iterator[Browser]:
    running = Browser(RenderConfig())
    yield running
    running.close()


def test_a_page_is_judged_by_the_process_that_shows_it(browser: Browser) -> None:
    """Which of them that is cannot be asked: each is the one that is there when one more is."""
    scripts = ["for (;;) {}", FILL, FILL] * 8
    tabs = [tab(browser, one, RenderConfig(wall_s=250, cpu_s=0.5)) for one in scripts]
    gevent.joinall([gevent.spawn(one.show) for one in tabs], raise_error=True)
    assert len({one.pid for one in tabs}) == len(tabs)
    assert 0 not in {one.pid for one in tabs}


def test_hostile_pages_are_given_up_and_good_ones_beside_them_are_not_held_up(
    browser: Browser,
) -> None:
    """The slowest good page is held up no longer than a frame of a bad one may take."""
    strict = RenderConfig(cpu_s=3, wall_s=60)
    bad = {name: gevent.spawn(show, browser, script, strict) for name, script in HOSTILE.items()}
    good = 0
    while not all(one.ready() for one in bad.values()):
        assert show(browser, FILL, RenderConfig(wall_s=250, cpu_s=60)).done_by == "still"
        good += 1
    came_to = {name: one.get().error for name, one in bad.items()}
    loops = {name for name in HOSTILE if name not in GREEDY}
    assert {came_to[name] for name in loops} == {"render_timeout"}, came_to
    # What asks for too much is told no, and may live on, or dies of it.
    allowed = {"render_timeout", "render_memory", "render_crashed", None}
    assert {came_to[name] for name in GREEDY} <= allowed, came_to
    assert not browser.is_gone
    assert good > 1


@pytest.mark.parametrize("name", ODD)
def test_odd_pages_come_to_an_end_and_leave_the_browser_well(browser: Browser, name: str) -> None:
    came_to = show(browser, ODD[name], RenderConfig(cpu_s=2, wall_s=60))
    assert came_to.error in (None, "render_timeout", "render_memory", "render_crashed")
    assert len(came_to.console) <= 100
    if name in ("popups", "push", "dialogues", "console", "surrogates", "prototypes"):
        assert came_to.error is None
        assert WORDS.encode() in (came_to.html or b"")
    after = show(browser, FILL, RenderConfig(wall_s=250, cpu_s=60))
    assert WORDS.encode() in (after.html or b"")


def test_what_shows_pages_has_no_rights_and_no_network(browser: Browser) -> None:
    show(browser, FILL, RenderConfig(wall_s=250, cpu_s=60))
    family = [psutil.Process(browser.pid), *psutil.Process(browser.pid).children(recursive=True)]
    told = {}
    for process in family:
        with suppress(FileNotFoundError, ProcessLookupError):  # what showed the page may just end
            told[process.pid] = Path(f"/proc/{process.pid}/status").read_text()
    assert browser.pid in told
    assert len(told) > 2
    for pid, status in told.items():
        about = dict(line.split(":\t") for line in status.splitlines() if ":\t" in line)
        assert about["Seccomp"].strip() == "2"
        assert about["NoNewPrivs"].strip() == "1"
        if os.getuid() == 0:
            assert "0" not in about["Uid"].split()
            assert about["CapEff"].strip("0") == "" or pid != browser.pid


def processes_of(parent: int) -> list[psutil.Process]:
    return psutil.Process(parent).children(recursive=True)


def browsers(processes: list[psutil.Process]) -> list[psutil.Process]:
    found = []
    for one in processes:
        with suppress(psutil.Error):
            if one.name().startswith("chromium") and one.status() != psutil.STATUS_ZOMBIE:
                found.append(one)
    return found


def is_root_of_them(process: psutil.Process) -> bool:
    """Is this the browser itself, and not one that it has started?"""
    with suppress(psutil.Error):
        return "--type" not in " ".join(process.cmdline())
    return False


def is_a(kind: str, process: psutil.Process) -> bool:
    """Is this process of a browser of such a kind: renderer, zygote ...?"""
    with suppress(psutil.Error):
        return f"--type={kind}" in " ".join(process.cmdline())
    return False


def is_shown(web: Web, crawler: int) -> bool:
    """Has the slow page come to a process that shows it?"""
    return "/slow" in web.paths and any(
        is_a("renderer", one) for one in browsers(processes_of(crawler))
    )


def until(is_so: Callable[[], object]) -> None:
    with gevent.Timeout(PATIENT_S):
        while not is_so():
            gevent.sleep(0.02)


def slow_site(web: Web) -> None:
    """A page that is good, and one that works for long before it is."""
    web.page("/", links=["/good", "/slow"], body=f"<p>{WORDS}</p>")
    web.raw("/good", headers=HTML, body=shell(inline=FILL))
    spin = "const until = performance.now() + 1e9; for (;;) {}"
    web.raw("/slow", headers=HTML, body=shell(inline=spin))


@pytest.mark.parametrize("kill", ["crawler", "worker"])
def test_no_browser_outlives_the_worker_that_started_it(
    web: Web, tmp_path: Path, kill: str
) -> None:
    slow_site(web)
    settings = config(render={"mode": "always", "wall_s": 100, "cpu_s": 100})
    running = crawl_apart(tmp_path / "crawl.db", web.url("/"), settings=settings, workers=1)
    try:
        until(lambda: is_shown(web, running.pid))
        family = processes_of(running.pid)
        shown_by = browsers(family)
        root = next(filter(is_root_of_them, shown_by))
        victim = running.pid if kill == "crawler" else root.ppid()
        os.kill(victim, signal.SIGKILL)
        _, alive = psutil.wait_procs(shown_by, timeout=PATIENT_S)
        assert alive == []
    finally:
        running.kill()
        running.wait()


def test_what_hangs_in_a_browser_ends_with_the_worker_too(web: Web, tmp_path: Path) -> None:
    """A process that is stopped sees nothing of what becomes of others: it has to be killed."""
    slow_site(web)
    settings = config(render={"mode": "always", "wall_s": 100, "cpu_s": 100})
    running = crawl_apart(tmp_path / "crawl.db", web.url("/"), settings=settings, workers=1)
    hanging: list[psutil.Process] = []
    try:
        until(lambda: is_shown(web, running.pid))
        shown_by = browsers(processes_of(running.pid))
        root = next(filter(is_root_of_them, shown_by))
        hanging = [one for one in shown_by if one != root and not is_a("zygote", one)]
        for one in hanging:
            one.suspend()
        os.kill(root.ppid(), signal.SIGKILL)
        _, alive = psutil.wait_procs(shown_by, timeout=PATIENT_S)
        assert alive == []
    finally:
        for one in hanging:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        running.kill()
        running.wait()


def test_a_browser_that_is_killed_costs_no_page(web: Web, tmp_path: Path) -> None:
    """Each page that was in it is shown once more."""
    for number in range(30):
        web.raw(f"/{number}", headers=HTML, body=shell(inline=FILL))
    web.page("/", links=[f"/{number}" for number in range(30)], body=f"<p>{WORDS}</p>")
    settings = config(render={"mode": "shells", "wall_s": 250, "cpu_s": 60})
    database = tmp_path / "crawl.db"
    running = crawl_apart(database, web.url("/"), settings=settings, workers=1)
    try:
        killed = set()
        while running.poll() is None and not killed:
            for one in browsers(processes_of(running.pid)):
                if is_root_of_them(one) and one.pid not in killed:
                    gevent.sleep(0.5)
                    killed.add(one.pid)
                    with suppress(psutil.NoSuchProcess):
                        one.kill()
            gevent.sleep(0.02)
        running.wait()
    finally:
        running.kill()
    assert killed
    assert set(errors(database).values()) == {None}
    assert rows(database, "SELECT count(*) FROM pages WHERE h1 = 'Seen'") == [(30,)]
    check_whole(database)


def test_what_a_killed_worker_left_is_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    gone = tmp_path / f"{program.FOLDERS}4194304-abc"
    mine = tmp_path / f"{program.FOLDERS}{os.getpid()}-abc"
    for folder in (gone, mine):
        folder.mkdir()
        os.utime(folder, (0, 0))
    program.sweep()
    assert not gone.exists()
    assert mine.exists()


def test_a_service_worker_and_a_long_poll_hold_nothing_up(web: Web, tmp_path: Path) -> None:
    polls = (
        "fetch('/poll').catch(() => 0); navigator.serviceWorker.register('/sw.js').catch(() => 0);"
    )
    held = web.held("/poll")
    web.raw("/sw.js", headers=SCRIPT, body="self.addEventListener('fetch', () => 0)")
    web.raw("/", headers=HTML, body=shell(inline=polls + FILL))
    database = tmp_path / "crawl.db"
    crawl(database, web.url("/"), settings=config(render={"mode": "always", "wall_s": 250}))
    held.let_go()
    assert errors(database) == {web.url("/"): None}
    assert rows(database, "SELECT h1 FROM pages") == [("Seen",)]


def test_a_frame_that_waits_for_an_answer_holds_nobody_up(browser: Browser) -> None:
    """A script may ask, and stand still until it is answered, while a frame is drawn."""
    asks = "const x = new XMLHttpRequest(); x.open('GET', '/never', false); x.send()"
    script = f"{FILL}; requestAnimationFrame(() => {{ try {{ {asks} }} catch (e) {{}} }})"
    never = Event()
    settings = RenderConfig(wall_s=250, cpu_s=60)
    job = Job(1, 1, "http://hostile.example/")
    page = Reply(status=200, headers=tuple(HTML.items()), body=shell(inline=script).encode())

    def fetch(*_: object) -> Reply:
        never.wait()
        return Reply(status=404)

    needs = Needs(job, Config(render=settings), fetch, Always(), Cache())
    bad = gevent.spawn(Tab(browser, job, page, needs, settings).show)
    good = gevent.spawn(show, browser, FILL, settings)
    assert good.get(timeout=PATIENT_S).done_by == "still"
    assert bad.get(timeout=PATIENT_S).done_by == "still"
    assert {need.reason for need in needs.rows} <= {"render_pace", "timeout_total"}
