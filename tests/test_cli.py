"""Does the command do what its help says, and tell by its exit code how that went?"""

from __future__ import annotations

import json
import os
import pty
import re
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import IO

import click
import gevent
import psutil
import pytest
from click.testing import CliRunner

from crawler import __version__
from crawler.cli import Front, cli
from crawler.cli.group import PLACES
from crawler.store import database
from tests.fetch.nameserver import Nameserver
from tests.patience import PATIENT_S
from tests.sites.skip import ROOT, require_program
from tests.sites.web import Web
from tests.terminal import ENVIRONMENT, Ran, Terminal

CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
IMAGES = "".join(f'<img src="/image/{number}.png">' for number in range(3000))
PATIENT = ("--set", "run.drain_s=600")
AT_ONCE = ("--set", "pace.tries=1", "--workers", "0", "--no-analyse")


@pytest.fixture
def crawler(tmp_path: Path) -> Terminal:
    """The command, in an empty folder."""
    return Terminal(tmp_path)


@pytest.fixture
def story(web: Web) -> Web:
    """A front page, a page, a broken link, two pages of one title, and a place forbidden."""
    web.robots("User-agent: *\nDisallow: /private\n")
    web.page("/", links=["/a", "/b", "/gone", "/private/x"], title="Front")
    web.page("/a", title="Same")
    web.page("/b", title="Same")
    return web


def wait_for(happened: Callable[[], object], what: str) -> None:
    """Wait, not for ever, until something has happened."""
    for _ in range(int(PATIENT_S / 0.02)):
        if happened():
            return
        gevent.sleep(0.02)
    pytest.fail(f"{what} never came")


# A crawl


def test_a_crawl_goes_into_the_database_of_its_seeds_and_says_what_it_came_to(
    crawler: Terminal, story: Web
) -> None:
    ran = crawler("crawl", crawler.seeds(story.url("/"), "ftp://no.example/"))
    assert (ran.code, ran.out) == (0, "")
    assert "finished: nothing is left to fetch" in ran.err
    assert re.search(r"visited +4  URLs in ", ran.err)
    assert re.search(r"URLs +4  done: 3 x 200, 1 x 404\n", ran.err)
    assert re.search(r" 1  HTTP 404: " + re.escape(story.url("/gone")), ran.err)
    assert re.search(r" 1  skipped: robots\b", ran.err)
    assert "line 2  ftp://no.example/: only http and https" in ran.err
    assert "data/seeds.db, " in ran.err
    titles = crawler.ask("SELECT title FROM pages WHERE status = 200 ORDER BY url")
    assert titles == [("Front",), ("Same",), ("Same",)]


def test_the_three_commands_at_the_end_work_in_a_shell(tmp_path: Path, story: Web) -> None:
    folder = tmp_path / "it's a $HOME of `data`"
    folder.mkdir()
    require_program("sqlite3", "apt-get install sqlite3")
    crawler = Terminal(folder)
    ran = crawler("crawl", crawler.seeds(story.url("/")), "--db", "-my crawl's.db")
    assert ran.code == 0
    lines = [line.strip() for line in ran.err.splitlines() if line.startswith("  sqlite3 ")]
    assert len(lines) == 3
    answers = [
        subprocess.run(
            line, shell=True, cwd=folder, capture_output=True, text=True, timeout=PATIENT_S
        )
        for line in lines
    ]
    assert [(answer.returncode, answer.stderr) for answer in answers] == [(0, "")] * 3
    cells = answers[0].stdout.splitlines()[3].strip("│").split("│")
    assert [cell.strip() for cell in cells] == [story.url("/gone"), "404", "1", story.url("/")]
    assert all(answer.stdout for answer in answers)


def test_addresses_can_stand_in_place_of_a_file(crawler: Terminal, story: Web) -> None:
    ran = crawler("crawl", story.url("/"), story.url("/robots.txt"), *AT_ONCE)
    assert (ran.code, ran.out) == (0, "")
    assert f"data/{story.address}.db: a new crawl" in ran.err
    again = crawler("crawl", story.url("/gone"), *AT_ONCE)
    assert again.code in (0, 5)  # of the same host


def test_another_list_of_the_same_name_is_not_mixed_in(crawler: Terminal, story: Web) -> None:
    for folder in "ab":
        (crawler.folder / folder).mkdir()
    crawler.seeds(story.url("/"), name="a/seeds.txt")
    crawler.seeds(story.url("/a"), name="b/seeds.txt")
    assert crawler("crawl", "a/seeds.txt", *AT_ONCE).code == 0
    ran = crawler("crawl", "b/seeds.txt", *AT_ONCE)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines()[-1] == (
        "crawler: data/seeds.db: holds a crawl of other seeds, from a/seeds.txt; name another "
        "file: --db data/other.db, or DB=data/other.db for make"
    )
    # the same file by another name, one that shares a line, and one that is named, go on
    assert crawler("crawl", f"{crawler.folder}/a/seeds.txt", *AT_ONCE).code == 0
    assert crawler("crawl", "b/seeds.txt", "--db", "data/seeds.db", *AT_ONCE).code == 0
    crawler.seeds("http://none.invalid/", story.url("/"), name="b/seeds.txt")
    assert crawler("crawl", "b/seeds.txt", *AT_ONCE).code == 0


def test_two_different_standard_inputs_are_not_mixed(crawler: Terminal, story: Web) -> None:
    first, second = story.url("/").encode(), story.url("/a").encode()
    assert crawler("crawl", "-", *AT_ONCE, stdin=first).code == 0
    assert crawler("crawl", "-", *AT_ONCE, stdin=b"# more\n" + first + b"\n" + second).code == 0
    ran = crawler("crawl", "-", *AT_ONCE, stdin=story.url("/b").encode())
    assert ran.code == 2
    assert "data/stdin.db: holds a crawl of other seeds, from the standard input" in ran.err


@pytest.mark.parametrize("source", ["sleep 30", "yes ''", "yes '# none'"])
def test_an_input_without_addresses_ends_with_the_time_of_the_run(
    crawler: Terminal, source: str
) -> None:
    with subprocess.Popen(["sh", "-c", f"exec {source}"], stdout=subprocess.PIPE) as giving:
        with crawler.start("crawl", "-", "--max-time", "0.2", stdin=giving.stdout) as process:
            _, err = process.communicate(timeout=PATIENT_S)
        giving.kill()
    assert process.returncode == 2
    assert err == b"crawler: standard input: no address came within 0.2 s\n"


def test_a_pipe_that_nobody_writes_to_ends_with_the_time_of_the_run(
    crawler: Terminal, tmp_path: Path
) -> None:
    pipe = tmp_path / "seeds"
    os.mkfifo(pipe)
    ran = crawler("crawl", str(pipe), "--db", str(tmp_path / "crawl.db"), "--max-time", "0.2")
    assert (ran.code, ran.err) == (2, f"crawler: {pipe}: no address came within 0.2 s\n")


@pytest.mark.parametrize("files", [20, 16, 12, 10])
def test_too_few_files_are_told_in_a_line(crawler: Terminal, files: int) -> None:
    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

    seeds = crawler.seeds("http://127.0.0.1:8/")
    with crawler.start("crawl", seeds, "--quiet", "--workers", "2", preexec_fn=few) as process:
        _, err = process.communicate(timeout=PATIENT_S)
    assert process.returncode in (2, 3)
    assert err.startswith(b"crawler: ")
    assert err.count(b"\n") == 1


@pytest.mark.parametrize("more", ["sleep 600", "yes {}", "seq -f {}%.0f 1000000000"])
def test_an_input_without_end_does_not_outlive_the_time_of_the_run(
    crawler: Terminal, story: Web, more: str
) -> None:
    url = story.url("/")
    said = f"echo {url}; {more.format(url)}"
    with subprocess.Popen(
        ["sh", "-c", said], stdout=subprocess.PIPE, start_new_session=True
    ) as giving:
        words = ("crawl", "-", "--db", "data/seeds.db", "--max-time", "1", "--quiet", *PATIENT)
        with crawler.start(*words, stdin=giving.stdout) as process:
            _, err = process.communicate(timeout=PATIENT_S)
        os.killpg(giving.pid, signal.SIGKILL)
    assert (process.returncode, err) == (0, b"")
    assert crawler.ask("SELECT finish_reason FROM runs") == [("max_time",)]


def test_quiet_says_nothing(crawler: Terminal, story: Web) -> None:
    ran = crawler("crawl", crawler.seeds(story.url("/")), "--quiet", *AT_ONCE)
    assert ran == Ran(0, "", "")


def test_json_writes_objects_and_last_the_outcome(crawler: Terminal, story: Web) -> None:
    ran = crawler("crawl", crawler.seeds(story.url("/")), "--json")
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert {line["event"] for line in lines[:-1]} <= {"stats"}
    told = lines[-1]
    assert told["event"] == "outcome"
    assert (told["state"], told["reason"], told["pages"], told["queued"]) == (
        "finished",
        "finished",
        4,
        0,
    )
    assert told["database"] == "data/seeds.db"
    assert "sqlite3" not in ran.err


def test_quiet_json_is_the_outcome_alone(crawler: Terminal, story: Web) -> None:
    story.page("/a", title="Same", wait_s=1.3)
    ran = crawler("crawl", crawler.seeds(story.url("/")), "--json", "--quiet", *AT_ONCE)
    assert [json.loads(line)["event"] for line in ran.out.splitlines()] == ["outcome"]
    assert ran.err == ""


def test_seeds_come_from_the_standard_input_too(crawler: Terminal, story: Web) -> None:
    ran = crawler("crawl", "-", stdin=story.url("/a").encode())
    assert ran.code == 0
    assert crawler.ask("SELECT text FROM seeds", "data/stdin.db") == [(story.url("/a"),)]


def test_a_limit_of_pages_leaves_the_rest_queued_and_says_so(crawler: Terminal, story: Web) -> None:
    seeds = crawler.seeds(story.url("/"))
    ran = crawler("crawl", seeds, "--max-pages", "1")
    assert ran.code == 0
    assert "the limit of pages was reached; run the same command again to go on" in ran.err
    assert re.search(r"left +\d  queued", ran.err)
    ran = crawler("crawl", seeds)
    assert "going on where the last run stopped" in ran.err
    assert crawler.ask("SELECT count(*) FROM pages") == [(4,)]


@pytest.mark.parametrize(
    ("lines", "more", "times"),
    [
        (["http://no-such-name.invalid/", "http://other.invalid/"], (), 1),
        (
            [
                "http://127.0.0.1:8080/",
                "localhost:8080",
                "http://127.9.9.9:8080/",
                "ftp://a.example/",
            ],
            (),
            0,
        ),
        (["http://intranet.invalid/"], ("--allow-private", "intranet.invalid"), 0),
        (["http://a.invalid/"], ("--set", "fetch.contact=me@example.org"), 0),
    ],
    ids=["others' hosts", "own hosts", "a host that was allowed", "a contact"],
)
def test_who_cannot_be_reached_by_others_is_warned_once(
    tmp_path: Path, lines: list[str], more: tuple[str, ...], times: int
) -> None:
    crawler = Terminal(tmp_path)
    with closing(Nameserver({})) as names:
        environment = {**ENVIRONMENT, **names.environment()}
        words = ("crawl", crawler.seeds(*lines), *more, *AT_ONCE)
        with crawler.start(*words, env=environment) as process:
            _, err = process.communicate(timeout=PATIENT_S)
    assert err.count(b"sites cannot reach you") == times


def test_a_contact_is_told_to_sites(crawler: Terminal, story: Web) -> None:
    seeds = crawler.seeds(story.url("/a"))
    ran = crawler("crawl", seeds, "--set", "fetch.contact=me@example.org")
    assert "fetch.contact" not in ran.err
    assert story.log[-1].headers["user-agent"] == f"crawler/{__version__} (+me@example.org)"


FLAGS = (
    (("--workers", "0"), "run", "workers", 0),
    (("--concurrency", "3"), "run", "concurrency", 3),
    (("--max-pages", "9"), "run", "max_pages", 9),
    (("--max-depth", "2"), "scope", "max_depth", 2),
    (("--max-time", "50"), "run", "max_seconds", 50),
    (("--scope", "prefix"), "scope", "mode", "prefix"),
    (("--include", "/a", "--include", "/b"), "scope", "include", ["/a", "/b"]),
    (("--exclude", r"\.pdf$"), "scope", "exclude", [r"\.pdf$"]),
    (("--ignore-robots",), "robots", "obey", False),
    (("--allow-private", "127.0.7.0/24"), "scope", "allow_private", ["127.0.7.0/24"]),
    (("--check", "assets,external"), "scope", "check", ["assets", "external"]),
    (("--insecure",), "fetch", "verify_tls", False),
    (("--set", "pace.gap_s=2"), "pace", "gap_s", 2),
)


def test_every_flag_is_its_setting(crawler: Terminal, story: Web) -> None:
    words = [word for flag, *_ in FLAGS for word in flag]
    assert crawler("crawl", crawler.seeds(story.url("/a")), *words, *AT_ONCE).code == 0
    config = json.loads(crawler.ask("SELECT config FROM runs")[0][0])
    assert [config[section][key] for _, section, key, _ in FLAGS] == [one for *_, one in FLAGS]
    assert "/robots.txt" not in story.paths


def test_a_flag_that_is_not_given_leaves_the_setting_of_the_file(
    crawler: Terminal, story: Web
) -> None:
    (crawler.folder / "site.toml").write_text("[robots]\nobey = false\n[run]\nmax_pages = 3\n")
    words = ("crawl", crawler.seeds(story.url("/")), "--config", "site.toml")
    assert crawler(*words, *AT_ONCE).code == 0
    config = json.loads(crawler.ask("SELECT config FROM runs")[0][0])
    assert (config["robots"]["obey"], config["run"]["max_pages"]) == (False, 3)


def test_retry_failed_fetches_only_what_failed(crawler: Terminal, story: Web) -> None:
    story.raw("/b", status=503)
    seeds = crawler.seeds(story.url("/"))
    crawler("crawl", seeds, *AT_ONCE)
    story.page("/b", title="Healed")
    before = len(story.log)
    assert crawler("crawl", seeds, "--retry-failed", *AT_ONCE).code == 0
    assert {hit.path for hit in story.log[before:]} <= {"/b", "/robots.txt"}
    assert ("Healed",) in crawler.ask("SELECT title FROM pages")


# What is refused


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("crawl", "none.txt"), "crawler: none.txt: no such file; write one address"),
        (("crawl", "."), "crawler: .: cannot be read: Is a directory"),
        (("crawl", "empty.txt"), "crawler: empty.txt: no seeds in it"),
        (("crawl", "binary.txt"), "crawler: binary.txt: is not a text file"),
        (("crawl", "-"), "crawler: standard input: no seeds in it"),
        (("crawl", "good.txt", "--config", "none.toml"), "crawler: none.toml: no such file"),
        (
            ("crawl", "good.txt", "--config", "bad.toml"),
            'crawler: bad.toml: fetch.total_s: expected a number > 0, got "abc"',
        ),
        (
            ("crawl", "good.txt", "--set", "fetch.contact=a\nb"),
            "crawler: --set: fetch.contact: expected one line of ASCII",
        ),
        (
            ("crawl", "good.txt", "--max-time", "-3"),
            "crawler: --max-time: run.max_seconds: expected a number >= 0, got -3",
        ),
        (("crawl", "good.txt", "--scope", "all"), "crawler: --scope: scope.mode: expected one of"),
        (
            ("crawl", "good.txt", "--allow-private", "nonsense/99"),
            "crawler: --allow-private: scope.allow_private: expected a host name, an address or",
        ),
        (("crawl", "good.txt", "--max-pags", "3"), "crawler crawl: No such option '--max-pags'"),
        (("crawl",), "crawler crawl: Missing argument 'SEEDS|URL...'"),
        (("crowl",), "crawler: No such command 'crowl'"),
        (("query",), "crawler: no database in data/; name one with --db"),
    ],
)
def test_wrong_usage_is_one_line_and_creates_nothing(
    crawler: Terminal, words: Sequence[str], message: str
) -> None:
    crawler.seeds("http://127.0.0.1:9/", name="good.txt")
    crawler.seeds("# nothing", name="empty.txt")
    (crawler.folder / "binary.txt").write_bytes(b"\x7fELF\0\0")
    (crawler.folder / "bad.toml").write_text('[fetch]\ntotal_s = "abc"\n')
    before = sorted(crawler.folder.iterdir())
    ran = crawler(*words)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(message)
    assert ran.err.count("\n") == 1
    assert sorted(crawler.folder.iterdir()) == before


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("none.pem", "No such file or directory"),
        ("good.txt", "no certificates in PEM form"),
        ("torn.pem", "no certificates in PEM form"),
    ],
)
def test_authorities_that_cannot_be_used_are_one_line_too(
    crawler: Terminal, monkeypatch: pytest.MonkeyPatch, name: str, why: str
) -> None:
    crawler.seeds("http://127.0.0.1:9/", name="good.txt")
    crawler.seeds("-----BEGIN CERTIFICATE-----", "x", name="torn.pem")
    monkeypatch.setitem(ENVIRONMENT, "SSL_CERT_FILE", name)
    assert crawler("crawl", "good.txt") == Ran(2, "", f"crawler: SSL_CERT_FILE: {name}: {why}\n")
    assert not (crawler.folder / "data").exists()
    assert crawler("crawl", "good.txt", "--insecure").code == 5


def test_what_is_not_our_database_is_storage_and_stays_untouched(
    crawler: Terminal, story: Web
) -> None:
    other = crawler.folder / "notes.db"
    other.write_text("my notes")
    ran = crawler("crawl", crawler.seeds(story.url("/")), "--db", "notes.db", "--quiet")
    assert (ran.code, ran.err.count("\n")) == (3, 1)
    assert ran.err.startswith("crawler: notes.db: is not an SQLite database")
    assert other.read_text() == "my notes"
    assert story.log == []
    assert crawler("status", "--db", "notes.db").code == 3
    assert crawler("query", "pages", "--db", "none.db").code == 3


@pytest.mark.parametrize(("status", "code"), [(404, 5), (403, 5), (500, 5), (200, 0)])
@pytest.mark.parametrize("hops", [0, 2])
def test_a_crawl_whose_seeds_gave_no_page_ends_with_exit_code_5(
    crawler: Terminal, web: Web, status: int, code: int, hops: int
) -> None:
    """Whatever the seed answers itself: it stands for what it leads to."""
    for hop in range(hops):
        web.redirect(f"/{hop}", f"/{hop + 1}")
    web.raw(f"/{hops}", status=status, headers={"Content-Type": "text/html"}, body="<p>here")
    ran = crawler("crawl", crawler.seeds(web.url("/0")), *AT_ONCE)
    assert ran.code == code
    way = f"{web.url('/0')}: leads to {web.url('/2')}" if hops else web.url("/0")
    why = f"http_{status}" if status == 500 else f"HTTP {status}"
    assert (f"line 1  {way}: {why}\n" in ran.err) == (code != 0)
    assert ran.err.endswith("crawler: no seed could be fetched, out of 1\n") == (code != 0)


def test_a_name_on_a_private_address_is_told_with_what_permits_it(crawler: Terminal) -> None:
    with closing(Nameserver({"news.test": ["127.77.1.6"]})) as names:
        environment = {**ENVIRONMENT, **names.environment()}
        words = ("crawl", crawler.seeds("http://news.test:8080/"), "--quiet", *AT_ONCE)
        with crawler.start(*words, env=environment) as process:
            _, err = process.communicate(timeout=PATIENT_S)
    assert process.returncode == 5
    assert err.decode() == (
        "crawler: no seed could be fetched, out of 1: http://news.test:8080/: news.test is at "
        "127.77.1.6, a private address; --allow-private news.test permits it\n"
    )


def test_a_seed_whose_site_moved_is_told(crawler: Terminal, web: Web) -> None:
    other = web.host("127.0.5.1")
    other.page("/")
    web.redirect("/", other.url("/"))
    seeds = crawler.seeds(web.url("/"), other.url("/"))
    ran = crawler("crawl", seeds, *AT_ONCE)
    assert f"line 1  {web.url('/')}: moved to {other.url('/')}\n" in ran.err
    assert re.search(r"seeds +2  give their pages\n", ran.err)


def test_a_script_can_be_told_that_something_is_left(crawler: Terminal, story: Web) -> None:
    words = ("crawl", crawler.seeds(story.url("/")), "--fail-on", "unfinished")
    ran = crawler(*words, "--max-pages", "1")
    assert ran.code == 4
    assert ran.err.endswith("crawler: --fail-on unfinished: 4 URLs left to fetch\n")
    assert crawler(*words).code == 0


def test_a_script_can_be_told_what_checks_find(crawler: Terminal, story: Web) -> None:
    words = ("crawl", crawler.seeds(story.url("/")), "--fail-on", "no_answer,unfinished")
    ran = crawler(*words)
    assert ran.code == 0, ran.err
    ran = crawler(*words, "--fail-on", "broken_links,title_missing")
    assert ran.code == 4
    assert ran.err.endswith("crawler: --fail-on broken_links: 1 finding\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("--fail-on", "broken_link"),
            'unknown condition "broken_link" (did you mean "broken_links"?)',
        ),
        (
            ("--fail-on", "unfinished,new", "--no-analyse"),
            "new needs the analysis; leave out --no-analyse (audit.analyse = false)",
        ),
    ],
)
def test_a_condition_that_cannot_be_told_is_refused_before_the_crawl(
    crawler: Terminal, words: Sequence[str], told: str
) -> None:
    ran = crawler("crawl", crawler.seeds("http://127.0.0.1:9/"), *words)
    assert (ran.code, ran.err) == (2, f"crawler: --fail-on: {told}\n")
    assert not (crawler.folder / "data").exists()


def test_the_last_line_says_what_is_left_and_why(crawler: Terminal, story: Web) -> None:
    seeds = crawler.seeds(story.url("/"))
    last = "4 URLs are left: the limit of pages was reached; run the same command again to go on\n"
    assert crawler("crawl", seeds, "--max-pages", "1").err.endswith(last)
    assert crawler("crawl", seeds).err.endswith("\nNothing is left to fetch\n")


def test_what_was_visited_adds_up_without_robots_and_sitemaps(
    crawler: Terminal, story: Web
) -> None:
    story.page("/b", links=["/lost"])
    ran = crawler("crawl", crawler.seeds(story.url("/")), *AT_ONCE)
    assert re.search(r"visited +5  URLs in ", ran.err)
    assert re.search(r"URLs +5  done: 3 x 200, 2 x 404\n", ran.err)
    assert re.search(rf"wrong +2  HTTP 404, such as {re.escape(story.url('/gone'))}\n", ran.err)
    told = crawler("query", "crawl_summary", "--csv", "--db", "data/seeds.db").out
    assert told.splitlines()[1:] == ["done,,200,3", "done,,404,2", "skipped,robots,,1"]


def test_who_visits_a_finished_crawl_again_is_told_how_to_visit_only_what_is_new(
    crawler: Terminal, story: Web
) -> None:
    seeds = crawler.seeds(story.url("/"))
    first = crawler("crawl", seeds, *AT_ONCE)
    assert "visited again" not in first.err
    again = crawler("crawl", seeds, *AT_ONCE)
    assert "everything in scope is visited again (--new-only visits nothing twice)" in again.err


def test_the_name_by_which_sites_address_this_crawler_is_told(
    crawler: Terminal, story: Web
) -> None:
    seeds = crawler.seeds(story.url("/"))
    assert "addressed to" not in crawler("crawl", seeds, *AT_ONCE).err
    named = ("--set", "fetch.user_agent=Mozilla/5.0 (compatible; NewsBot/1.0)")
    told = crawler("crawl", seeds, *AT_ONCE, *named).err
    assert "Sites' wishes for robots are kept that are addressed to newsbot or to all" in told


def test_when_no_seed_can_be_fetched_the_exit_code_says_so(crawler: Terminal, story: Web) -> None:
    story.robots("User-agent: *\nDisallow: /\n")
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        refused = f"http://127.0.0.1:{deaf.getsockname()[1]}/"
        ran = crawler("crawl", crawler.seeds(refused, "not an address", story.url("/")), *AT_ONCE)
    assert ran.code == 5
    assert f"line 1  {refused}: connect_refused" in ran.err
    assert ran.err.endswith("crawler: no seed could be fetched, out of 3\n")


def test_one_seed_that_gives_a_page_is_enough(crawler: Terminal, story: Web) -> None:
    seeds = crawler.seeds("not an address", story.url("/nothing-here"), story.url("/a"))
    assert crawler("crawl", seeds, *AT_ONCE).code == 0


def test_a_bug_is_called_one_and_shows_where() -> None:
    @click.command("break")
    def broken() -> None:
        raise ZeroDivisionError("of ours")

    ran = CliRunner().invoke(Front("crawler", commands={"break": broken}), ["break"])
    assert ran.exit_code == 1
    first, second, *_ = ran.stderr.splitlines()
    assert first.startswith(f"crawler: this is a bug in crawler {__version__}; please report it")
    assert second.startswith("Traceback")
    assert "ZeroDivisionError: of ours" in ran.stderr


# Signals and readers that go away


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_lets_finish_what_is_in_flight(
    crawler: Terminal, story: Web, number: signal.Signals
) -> None:
    story.page("/", links=["/slow", "/later"])
    slow = story.held("/slow", title="Slow", links=["/last"])
    words = ("crawl", crawler.seeds(story.url("/slow"), story.url("/")), "--set", "store.batch_s=1")
    with crawler.start(*words) as process:
        assert slow.asked.wait(PATIENT_S)
        process.send_signal(number)
        told = lines_until(process.stderr, b"Stopping")
        slow.let_go()
        _, rest = process.communicate(timeout=PATIENT_S)
    assert process.returncode == 130
    assert re.search(rb"Stopping: finishing \d+ in flight \(Ctrl-C again to stop at once\)", told)
    assert b"interrupted: run the same command again to go on" in rest
    assert b"Traceback" not in told + rest
    assert crawler.ask("SELECT title FROM pages WHERE title = 'Slow'") == [("Slow",)]
    assert crawler(*words).code == 0
    assert crawler.ask("SELECT count(*) FROM urls WHERE state = 'queued'") == [(0,)]


def lines_until(stream: IO[bytes] | None, said: bytes) -> bytes:
    """What a process writes, to the end of the line that says this."""
    assert stream is not None
    read = b""
    with gevent.Timeout(PATIENT_S, AssertionError(f"{said!r} never came")):
        while said not in read:
            line = stream.readline()
            assert line, read
            read += line
    return read


def test_the_second_signal_stops_at_once_and_nothing_is_lost(crawler: Terminal, story: Web) -> None:
    slow = story.held("/slow", title="Slow")
    words = ("crawl", crawler.seeds(story.url("/"), story.url("/slow")))
    queued, pages = "SELECT url FROM urls WHERE state = 'queued'", "SELECT count(*) FROM pages"
    with crawler.start(*words) as process:
        assert slow.asked.wait(PATIENT_S)
        wait_for(lambda: "/gone" in story.paths and crawler.ask(pages) == [(4,)], "what is quick")
        process.send_signal(signal.SIGINT)
        told = lines_until(process.stderr, b"Stopping: finishing")
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=PATIENT_S)
    assert process.returncode == 130
    assert b"Stopping at once" in rest
    assert b"Traceback" not in told + rest
    assert crawler.ask(queued) == [(story.url("/slow"),)]


def test_a_hangup_that_is_ignored_stays_ignored(crawler: Terminal, story: Web) -> None:
    front = story.held("/", title="Front")
    ignore = {"preexec_fn": lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)}
    with crawler.start("crawl", crawler.seeds(story.url("/")), *AT_ONCE, **ignore) as process:
        assert front.asked.wait(PATIENT_S)
        process.send_signal(signal.SIGHUP)
        front.let_go()
        process.communicate(timeout=PATIENT_S)
    assert process.returncode == 0


def test_ctrl_c_while_seeds_are_awaited_is_no_bug(crawler: Terminal) -> None:
    inside, outside = pty.openpty()
    try:
        with crawler.start("crawl", "-", stdin=outside) as process:
            told = lines_until(process.stderr, b"Reading addresses from standard input")
            process.send_signal(signal.SIGINT)
            process.wait(timeout=PATIENT_S)
            assert process.stderr is not None
            assert process.stderr.read() == b""
            assert told.count(b"\n") == 1
        assert process.returncode == 130
    finally:
        os.close(inside)
        os.close(outside)


def test_whoever_types_the_seeds_is_told_so(crawler: Terminal) -> None:
    inside, outside = pty.openpty()
    with crawler.start("crawl", "-", stdin=outside) as process:
        assert process.stderr is not None
        told = process.stderr.readline()
        os.write(inside, b"\x04")
        _, err = process.communicate(timeout=PATIENT_S)
    os.close(outside)
    os.close(inside)
    assert told == b"Reading addresses from standard input, one a line; Ctrl-D ends them\n"
    assert err == b"crawler: standard input: no seeds in it; write one address a line\n"
    assert process.returncode == 2


def test_make_refuses_a_seed_where_it_would_crawl_something_else() -> None:
    make = require_program("make", "apt-get install make")
    ran = subprocess.run(
        [make, "--dry-run", "crawl", "SEED=x.txt"], cwd=ROOT, capture_output=True, text=True
    )
    assert ran.returncode == 2
    assert "SEED is not known; write SEEDS=FILE" in ran.stderr


def test_a_reader_that_goes_away_is_no_error(crawler: Terminal, story: Web) -> None:
    story.page("/", links=[f"/p{n}" for n in range(20)], body=IMAGES)
    for number in range(20):
        story.page(f"/p{number}", wait_s=1.0)
    crawler.seeds(story.url("/"))
    ran = subprocess.run(
        f"{sys.executable} -m crawler crawl seeds.txt --json --workers 0 | head -n 1; "
        f"{sys.executable} -m crawler query skipped_urls --csv --db data/seeds.db | head -n 1; "
        f"{sys.executable} -m crawler query skipped_urls --json --db data/seeds.db | head -n 1; "
        "echo ${PIPESTATUS[0]}",
        shell=True,
        executable="/bin/bash",
        cwd=crawler.folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=PATIENT_S,
    )
    assert ran.stdout.count("\n") == 4
    assert ran.stdout.endswith("\n0\n")
    assert "Traceback" not in ran.stderr
    assert "bug" not in ran.stderr
    assert "data/seeds.db: Broken pipe" not in ran.stderr


@pytest.mark.parametrize("form", [(), ("--csv",), ("--json",)])
def test_an_output_that_takes_nothing_is_not_blamed_on_the_database(
    crawler: Terminal, form: tuple[str, ...]
) -> None:
    with closing(database.open_for_writing(crawler.folder / "a.db")) as connection:
        connection.execute("CREATE VIEW one AS SELECT 1 AS one")
    with (
        Path("/dev/full").open("wb") as full,
        crawler.start("query", "one", *form, "--db", "a.db", stdout=full) as process,
    ):
        _, err = process.communicate(timeout=PATIENT_S)
    assert process.returncode == 3
    assert err == b"crawler: standard output: cannot be written: No space left on device\n"


def test_a_crawl_whose_lines_cannot_be_written_says_so(crawler: Terminal, story: Web) -> None:
    words = ("crawl", crawler.seeds(story.url("/")), "--json", "--quiet", *AT_ONCE)
    with (
        Path("/dev/full").open("wb") as full,
        crawler.start(*words, stdout=full) as process,
    ):
        _, err = process.communicate(timeout=PATIENT_S)
    assert process.returncode == 3
    assert err == b"crawler: standard output: cannot be written: No space left on device\n"
    assert crawler.ask("SELECT count(*) FROM pages") == [(4,)]


def test_a_crawl_goes_on_though_nobody_can_be_told(crawler: Terminal, story: Web) -> None:
    with (
        Path("/dev/full").open("wb") as full,
        crawler.start("crawl", crawler.seeds(story.url("/")), *AT_ONCE, stderr=full) as process,
    ):
        process.communicate(timeout=PATIENT_S)
    assert process.returncode == 0
    assert crawler.ask("SELECT count(*) FROM pages") == [(4,)]


def test_a_closed_standard_error_is_no_error(crawler: Terminal, story: Web) -> None:
    crawler.seeds(story.url("/"))
    ran = subprocess.run(
        f"{sys.executable} -m crawler crawl seeds.txt --json 2>&-",
        shell=True,
        cwd=crawler.folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=PATIENT_S,
    )
    assert ran.returncode == 0
    assert json.loads(ran.stdout.splitlines()[-1])["pages"] == 4
    assert crawler.ask("PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize(
    "closed", ["<&-", ">&-", "2>&-", "<&- 2>&-", "<&- >&-", ">&- 2>&-", "<&- >&- 2>&-"]
)
def test_closed_streams_are_no_error_and_nothing_else_gets_their_place(
    crawler: Terminal, story: Web, closed: str
) -> None:
    crawler.seeds(story.url("/"))
    ran = subprocess.run(
        f"{sys.executable} -m crawler crawl seeds.txt --workers 1 {closed}",
        shell=True,
        cwd=crawler.folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=PATIENT_S,
    )
    assert (ran.returncode, ran.stdout) == (0, "")
    assert "Traceback" not in ran.stderr
    assert crawler.ask("SELECT count(*) FROM pages") == [(4,)]
    assert crawler.ask("PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize(
    ("words", "code"), [("status", 0), ("query", 0), ("explain", 0), ("crawl -", 2), ("--help", 0)]
)
def test_every_command_ends_by_its_own_code_without_streams(
    crawler: Terminal, story: Web, words: str, code: int
) -> None:
    crawler("crawl", crawler.seeds(story.url("/")), *AT_ONCE)
    ran = subprocess.run(
        f"{sys.executable} -m crawler {words} <&- >&- 2>&-",
        shell=True,
        cwd=crawler.folder,
        env=ENVIRONMENT,
        timeout=PATIENT_S,
    )
    assert ran.returncode == code


def test_no_text_of_a_stranger_commands_the_terminal(crawler: Terminal, story: Web) -> None:
    hostile = "\x1b]0;owned\x07\x9b2J\u202e[red]"
    story.page("/", title=f"Title{hostile}", links=["/gone\x1b[2J"])
    seeds = crawler.seeds(story.url("/"), f"http://{hostile}/", hostile)
    ran = crawler("crawl", seeds, *AT_ONCE)
    shown = crawler("query", "seed_summary")
    listed = crawler("query", "seed_summary", "--json")
    for text in (ran.err, shown.out, listed.out):
        assert not CONTROLS.search(text)
        assert "\u202e" not in text
    assert r"\x1b]0;owned\x07\x9b2J\u202e[red]" in ran.err


def test_on_a_terminal_a_panel_lives_while_the_crawl_does(crawler: Terminal, story: Web) -> None:
    slow = story.held("/slow")
    inside, outside = pty.openpty()
    seen = bytearray()

    def look() -> None:
        while chunk := read_terminal(inside):
            seen.extend(chunk)

    words = ("crawl", crawler.seeds(story.url("/"), story.url("/slow")), "--max-pages", "99")
    with crawler.start(*words, stderr=outside) as process:
        os.close(outside)
        looking = gevent.spawn(look)
        wait_for(lambda: b" of 99 " in seen, "a panel")
        slow.let_go()
        process.communicate(timeout=PATIENT_S)
        looking.join(timeout=PATIENT_S)
    os.close(inside)
    text = seen.decode()
    assert process.returncode == 0
    assert "on average" in text
    assert "in flight" in text
    assert " of 99 " in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor is left hidden"
    assert "nothing is left to fetch" in text


def read_terminal(descriptor: int) -> bytes:
    """What a terminal shows next; empty when its program is gone."""
    try:
        gevent.socket.wait_read(descriptor, timeout=PATIENT_S)
        return os.read(descriptor, 65_536)
    except OSError:
        return b""


@pytest.mark.parametrize(
    "words",
    [
        ("query",), ("query", "crawl_summary"), ("query", "crawl_summary", "--csv"),
        ("query", "crawl_summary", "--json"), ("changes",), ("schema",), ("status",),
        ("explain",), ("explain", "tls_verify"), ("crawl", "--help"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_whoever_stops_reading_an_answer_ends_it_in_silence(
    crawler: Terminal, words: tuple[str, ...]
) -> None:
    (crawler.folder / "data").mkdir()
    database.open_for_writing(crawler.folder / "data" / "a.db").close()
    reading, writing = os.pipe()
    os.close(reading)
    with crawler.start(*words, stdout=writing) as process:
        os.close(writing)
        _, err = process.communicate(timeout=PATIENT_S)
    assert process.returncode == 0, err
    assert b"rror" not in err


COLOURS = re.compile(rb"\x1b\[[0-9;]*?\b(?:[349][0-7]|10[0-7]|[34]8;)[0-9;]*m")


def test_no_colours_are_sent_to_a_terminal_that_wants_none(crawler: Terminal, story: Web) -> None:
    """https://no-color.org: with NO_COLOR set and not empty."""
    inside, outside = pty.openpty()
    seen = bytearray()

    def look() -> None:
        while chunk := read_terminal(inside):
            seen.extend(chunk)

    environment = {**ENVIRONMENT, "NO_COLOR": "1", "TERM": "xterm-256color"}
    words = ("crawl", crawler.seeds(story.url("/")), *AT_ONCE)
    with crawler.start(*words, stderr=outside, env=environment) as process:
        os.close(outside)
        looking = gevent.spawn(look)
        process.communicate(timeout=PATIENT_S)
        looking.join(timeout=PATIENT_S)
    os.close(inside)
    assert b"nothing is left to fetch" in seen
    assert COLOURS.search(seen) is None


# Questions


def test_status_tells_where_a_crawl_is_while_it_runs_and_after_it_was_killed(
    crawler: Terminal, story: Web
) -> None:
    slow = story.held("/slow")
    words = ("crawl", crawler.seeds(story.url("/"), story.url("/slow")), "--quiet")
    found = "SELECT count(*) FROM hosts WHERE queued > 0"
    with crawler.start(*words) as process:
        assert slow.asked.wait(PATIENT_S)
        wait_for(lambda: crawler.ask(found) == [(1,)], "what waits")
        during = crawler("status")
        process.kill()
        process.wait()
    assert during.code == 0
    assert during.out.startswith("Run 1 is going on")
    assert during.err == "data/seeds.db, the last one written in data/; --db names another\n"
    assert re.search(r"hosts +\d+  waiting on 127\.0\.0\.1", during.out)
    assert crawler("status").out.startswith("Run 1 interrupted: it was killed")


def test_query_answers_by_name_as_a_table_as_csv_and_as_json(crawler: Terminal, story: Web) -> None:
    crawler("crawl", crawler.seeds(story.url("/")), "--quiet", *AT_ONCE)
    told = (story.url("/"), story.url("/gone"), "/gone")
    table = crawler("query", "broken_links", "--db", "data/seeds.db")
    assert (table.code, table.err) == (0, "")
    assert table.out.splitlines()[1].split()[:3] == list(told)
    chosen = crawler("query", "broken_links", "--csv")
    assert chosen.err == "data/seeds.db, the last one written in data/; --db names another\n"
    as_csv = chosen.out.splitlines()
    assert as_csv[0].startswith("page,link,anchor,kind,status")
    assert as_csv[1].startswith(",".join(told))
    as_json = crawler("query", "broken_links", "--json").out.splitlines()
    rows = [json.loads(line) for line in as_json]
    assert [(row["page"], row["link"], row["anchor"]) for row in rows] == [told]


def test_a_limit_counts_rows_and_a_table_says_when_there_are_more(
    crawler: Terminal, story: Web
) -> None:
    crawler("crawl", crawler.seeds(story.url("/")), "--quiet", *AT_ONCE)
    ran = crawler("query", "heavy_pages", "--limit", "2")
    assert len(ran.out.splitlines()) == 3
    assert "more than 2 rows" in ran.err
    assert len(crawler("query", "heavy_pages", "--csv", "--limit", "2").out.splitlines()) == 3
    assert len(crawler("query", "heavy_pages", "--csv").out.splitlines()) == 4


def test_numbers_and_dates_beyond_all_bounds_are_wrong_usage(crawler: Terminal, story: Web) -> None:
    crawler("crawl", crawler.seeds(story.url("/")), "--quiet", *AT_ONCE)
    huge, digits = "9" * 20, "9" * 5000
    for words in (
        ("query", "pages", "--limit", huge),
        ("query", "pages", "--csv", "--limit", str(2**63 - 1)),
        ("search", "front", "--limit", huge),
        ("search", "front", "--run", huge),
        ("search", "front", "--run", f"-{huge}"),
        ("search", "front", "--since", "0001-01-01T00:00+05:00"),
        ("search", "front", "--until", "9999-12-31"),
        ("changes", "--since", "9999-12-31T23:59:59-23:59"),
        ("changes", "--since", digits),
        ("changes", "--from", huge),
        ("diff", story.url("/"), "--to", huge),
        ("audit", "--since", huge),
        ("dashboard", "--port", huge),
        ("crawl", story.url("/"), "--dashboard", digits),
    ):
        ran = crawler(*words, *([] if words[0] == "crawl" else ["--db", "data/seeds.db"]))
        assert (ran.code, ran.out) == (2, ""), words
        assert len(ran.err.splitlines()) == 1
        assert len(ran.err) < 400


def test_a_table_is_shown_by_its_name_as_a_view_is(crawler: Terminal, story: Web) -> None:
    crawler("crawl", crawler.seeds(story.url("/")), "--quiet", *AT_ONCE)
    shown = crawler("query", "hosts").out.splitlines()
    assert shown[0].split()[:2] == ["id", "host"]
    assert shown[1].split()[:2] == ["1", "127.0.0.1"]


def test_without_a_name_every_question_is_listed_and_an_unknown_one_gets_a_hint(
    crawler: Terminal, story: Web
) -> None:
    crawler("crawl", crawler.seeds(story.url("/")), "--quiet", *AT_ONCE)
    listed = crawler("query").out
    assert re.search(r"^broken_links +Links that lead nowhere", listed, re.M)
    ran = crawler("query", "brokn_links")
    assert ran.code == 2
    assert 'no view "brokn_links" (did you mean "broken_links"? there are: ' in ran.err


# The rest


def test_the_demo_runs_twice_on_one_database(crawler: Terminal) -> None:
    first = crawler("demo")
    assert first.code == 0
    assert "HTTP 404" in first.err
    counted = crawler.ask("SELECT count(*) FROM urls", "data/demo.db")
    assert crawler("demo", "--quiet") == Ran(0, "", "")
    assert crawler.ask("SELECT count(*) FROM urls", "data/demo.db") == counted
    assert crawler.ask("SELECT state FROM runs", "data/demo.db") == [("finished",), ("finished",)]


def test_the_demo_keeps_off_other_crawls(crawler: Terminal, story: Web) -> None:
    crawler("crawl", crawler.seeds(story.url("/")), "--quiet", *AT_ONCE)
    ran = crawler("demo", "--db", "data/seeds.db")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "is a crawl of your own" in ran.err


def test_every_command_is_where_it_is_looked_for() -> None:
    """A file has no command of which the table does not know."""
    for name in PLACES:
        cli.load(name)
    assert set(cli.commands) == set(PLACES)
    sources = (ROOT / "crawler" / "cli").glob("*.py")
    having = {path.stem for path in sources if "\n@cli.command" in path.read_text()}
    assert having == set(PLACES.values())


def test_version_and_help(crawler: Terminal) -> None:
    assert crawler("--version").out == f"crawler {__version__}\n"
    run = CliRunner().invoke
    help_of = {name: run(cli, [name, "--help"]).output for name in PLACES}
    assert "Examples:\n    crawler crawl seeds.txt\n" in help_of["crawl"]
    assert all(text.startswith(f"Usage: crawler {name} ") for name, text in help_of.items())


def test_changes_are_told_by_run_or_date(crawler: Terminal, story: Web) -> None:
    seeds = crawler.seeds(story.url("/"))
    crawler("crawl", seeds)
    assert "nothing to compare with" in crawler("changes").err
    story.page("/a", title="Other")
    crawler("crawl", seeds)
    told = crawler("changes", "--csv")
    assert "From run 1 to run 2" in told.err
    assert told.out.splitlines()[1].startswith(f'changed,{story.url("/a")},"title, text",Same,')
    assert crawler("changes", "--from", "1", "--to", "2", "--csv").out == told.out
    wrong = crawler("changes", "--from", "7")
    assert (wrong.code, wrong.err.splitlines()[-1]) == (2, "crawler: no run 7 (there are 1 to 2)")


def test_the_schema_is_told(crawler: Terminal, story: Web) -> None:
    crawler("crawl", crawler.seeds(story.url("/")), *AT_ONCE)
    told = crawler("schema")
    assert told.code == 0
    assert "zlib.decompress(packed)" in told.out


@pytest.mark.parametrize("view", ["endless", "sorted"])
def test_a_query_that_does_not_end_is_ended_by_ctrl_c(
    crawler: Terminal, story: Web, view: str
) -> None:
    crawler("crawl", crawler.seeds(story.url("/")), *AT_ONCE)
    numbers = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT n FROM t"
    with closing(database.sqlite3.connect(crawler.folder / "data" / "seeds.db")) as connection:
        connection.execute(f"CREATE VIEW endless AS SELECT max(n) FROM ({numbers})")
        connection.execute(f"CREATE VIEW sorted AS SELECT n FROM ({numbers}) ORDER BY n % 7, n")
    with crawler.start("query", view, "--db", "data/seeds.db") as process:
        at_work = psutil.Process(process.pid).cpu_times
        wait_for(lambda: at_work().user > 2, "the query, far beyond what it takes to start,")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENT_S) == 130


# Search


@pytest.fixture
def searched(crawler: Terminal, story: Web) -> Terminal:
    """A crawl of two pages that tell of lanterns, analysed."""
    story.page("/", links=["/a", "/b"], title="Front")
    story.page("/a", title="Keepers", body="The keeper of the lantern spoke.")
    story.page("/b", title="Shops", body="Lanterns are sold here.")
    assert crawler("crawl", crawler.seeds(story.url("/"))).code == 0
    return crawler


def test_search_tells_pages_with_the_words_around(searched: Terminal, story: Web) -> None:
    ran = searched("search", '"keeper of the lantern"')
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "Keepers",
        story.url("/a"),
        "  Keepers The [keeper of the lantern] spoke.",
    ]
    as_json = searched("search", "lantern", "--json", "--limit", "1", "--site", "127.0.0.1")
    assert {"title": "Shops", "status": 200}.items() <= json.loads(as_json.out).items()
    as_csv = searched("search", "lantern", "--csv").out.splitlines()
    assert as_csv[0] == "url,title,snippet,score,status,content_type,found_at"
    assert len(as_csv) == 3


def test_search_that_finds_nothing_says_where_it_looked(searched: Terminal) -> None:
    ran = searched("search", "unheard", "of")
    assert (ran.code, ran.out) == (0, "")
    assert "Nothing in 3 pages: unheard of" in ran.err
    ran = searched("search", "(lantern AND")
    assert (ran.code, 'Read as words, since it is no query: "lantern"' in ran.err) == (0, True)
    ran = searched("search", "lantern", "--site", "127.0.0.9")
    assert (ran.code, ran.err.count("no host of this crawl is called so")) == (2, 1)


def test_search_says_what_it_lacks_and_finds_what_is_there(searched: Terminal, story: Web) -> None:
    story.page("/", links=["/c"], title="Front")
    story.page("/c", body="One more lantern.")
    assert searched("crawl", "seeds.txt", "--no-analyse").code == 0
    ran = searched("search", "lantern")
    assert (ran.code, ran.out.count("http://")) == (0, 2)
    assert "The index lacks 2 texts; bring it up to date with: crawler analyse --db " in ran.err
    assert searched("analyse").code == 0
    assert searched("search", "lantern").out.count("http://") == 3
    assert searched("crawl", story.url("/c"), "--db", "new.db", "--no-analyse").code == 0
    ran = searched("search", "lantern", "--db", "new.db")
    assert (ran.code, ran.out) == (0, "")
    assert "There is no index to search yet" in ran.err


def test_search_works_while_a_crawl_runs(searched: Terminal, story: Web) -> None:
    story.page("/", links=["/late"], title="Front")
    story.raw("/late", body="late", wait_s=60)
    with searched.start("crawl", "seeds.txt"):
        wait_for(
            lambda: searched.ask("SELECT 1 FROM visits WHERE run_id = 2 AND kind = 'page'"),
            "a page",
        )
        ran = searched("search", "lantern")
    assert (ran.code, ran.out.count("http://")) == (0, 2)
