"""Does nothing that a shown page does escape the rules that hold for all that is fetched?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from gevent import socket
from gevent.event import Event
from gevent.server import DatagramServer, StreamServer

from crawler.conductor.permits import IN_FLIGHT
from crawler.fetch.dns import by_ares
from tests.crawls import check_whole, config, crawl, fates, rows
from tests.fetch.nameserver import Nameserver
from tests.hostile.test_shared_address import most_at_once
from tests.render.samples import HTML, SCRIPT, WORDS, shell
from tests.sites.web import Web

REQUESTS = """
    SELECT urls.url, requests.type, requests.status, requests.reason, requests.cached
    FROM requests
    JOIN urls ON urls.id = requests.target_id
    ORDER BY requests.visit_id, requests.position
"""
LATER = "<script async "
FILL = f"document.body.innerHTML = '<h1>Seen</h1><p>{WORDS}</p>'"
ALWAYS = config(render={"mode": "always", "wall_s": 250, "cpu_s": 60})


def asked(database: Path) -> dict[str, tuple[object, ...]]:
    """What pages asked for, by its address: type, status, reason, cached."""
    return {url: tuple(about) for url, *about in rows(database, REQUESTS)}


def errors(database: Path) -> dict[str, str | None]:
    """Why pages could not be shown, by their addresses."""
    sql = """
        SELECT urls.url, renders.error
        FROM renders
        JOIN visits ON visits.id = renders.visit_id
        JOIN urls ON urls.id = visits.url_id
    """
    return dict(rows(database, sql))


class Listeners:
    """What must never be connected to: it notes who came."""

    def __init__(self) -> None:
        self.came: list[str] = []
        self.first = Event()
        self._streams = StreamServer(("127.0.0.1", 0), self._note)
        self._datagrams = DatagramServer(("127.0.0.1", 0), self._note)
        for server in (self._streams, self._datagrams):
            server.start()
        self.tcp: int = self._streams.server_port
        self.udp: int = self._datagrams.server_port

    def _note(self, *said: object) -> None:
        self.came.append(repr(said))
        self.first.set()

    def close(self) -> None:
        for server in (self._streams, self._datagrams):
            server.stop()


@pytest.fixture
def listeners() -> Iterator[Listeners]:
    listening = Listeners()
    yield listening
    listening.close()


LEAKS = """
<link rel="preconnect" href="http://127.0.0.1:TCP/"><link rel="dns-prefetch" href="//leak.test/">
<link rel="prefetch" href="http://127.0.0.1:TCP/prefetch">
<img src="http://127.0.0.1:TCP/image"><iframe src="http://127.0.0.1:TCP/frame"></iframe>
<iframe src="file:///etc/passwd"></iframe><iframe src="https://frame.example/"></iframe>
<script src="http://127.0.0.1:TCP/script.js"></script><link rel="stylesheet" href="http://127.0.0.1:TCP/a.css">
<form id="form" method="post" target="other" action="http://127.0.0.1:TCP/form"></form>
<script>
const quiet = f => {
  try { const made = f(); if (made && made.catch) made.catch(() => 0) } catch (e) {}
};
quiet(() => new WebSocket('ws://127.0.0.1:TCP/ws'));
quiet(() => new WebTransport('https://127.0.0.1:TCP/wt').ready);
quiet(() => new EventSource('http://127.0.0.1:TCP/events'));
quiet(() => navigator.sendBeacon('http://127.0.0.1:TCP/beacon', 'x'));
quiet(() => fetch('http://127.0.0.1:TCP/fetch', {mode: 'no-cors'}));
quiet(() => fetch('http://127.0.0.1:TCP/keepalive', {mode: 'no-cors', keepalive: true}));
quiet(() => fetch('file:///etc/passwd'));
quiet(() => document.getElementById('form').submit());
quiet(() => window.open('http://127.0.0.1:TCP/open'));
quiet(() => {
  const link = new RTCPeerConnection({iceServers: [{urls: 'stun:127.0.0.1:UDP'},
    {urls: 'turn:127.0.0.1:TCP?transport=tcp', username: 'a', credential: 'b'}]});
  link.createDataChannel('x');
  return link.createOffer().then(offer => link.setLocalDescription(offer));
});
quiet(() => new Worker(URL.createObjectURL(new Blob(
  ["fetch('http://127.0.0.1:TCP/worker', {mode: 'no-cors'}); importScripts('http://127.0.0.1:TCP/w.js')"]))));
quiet(() => { const one = document.createElement('a'); one.ping = 'http://127.0.0.1:TCP/ping';
  one.href = '#x'; document.body.append(one); one.click() });
</script>
"""


def test_nothing_leaks_by_whatever_way_a_page_tries(
    web: Web, listeners: Listeners, tmp_path: Path
) -> None:
    body = LEAKS.replace("TCP", str(listeners.tcp)).replace("UDP", str(listeners.udp))
    web.raw("/", headers=HTML, body=f"<title>Leaks</title><p>{WORDS}</p>{body}")
    database = tmp_path / "crawl.db"
    crawl(database, web.url("/"), settings=ALWAYS)
    assert errors(database) == {web.url("/"): None}
    assert listeners.came == []
    # The listeners do hear what comes: else nothing would be proven.
    socket.create_connection(("127.0.0.1", listeners.tcp)).close()
    assert listeners.first.wait(60)
    reasons = {about[2] for about in asked(database).values()}
    assert reasons >= {"blocked_addr", "render_kind", "render_frame", "render_method"}


def test_the_servers_log_equals_visits_and_what_pages_asked_for(web: Web, tmp_path: Path) -> None:
    cdn = web.host("127.0.7.1")
    cdn.robots("User-agent: *\nDisallow: /no\n")
    cdn.raw("/lib.js", headers=SCRIPT | {"Access-Control-Allow-Origin": "*"}, body="window.lib = 1")
    cdn.raw("/no.js", headers=SCRIPT, body="window.no = 1")
    web.robots("User-agent: *\nDisallow: /private\n")
    web.raw("/api", headers={"Content-Type": "application/json"}, body='{"a": 1}')
    web.raw("/moved.js", status=302, headers={"Location": "/app.js"})
    web.raw("/app.js", headers=SCRIPT, body=f"fetch('/api').then(() => {{ {FILL} }})")
    for name in ("/", "/second"):
        scripts = [cdn.url("/lib.js"), cdn.url("/no.js"), "/private.js", "/moved.js"]
        web.raw(name, headers=HTML, body=shell(*scripts, inline="", root="<a href=/second>2</a>"))
    database = tmp_path / "crawl.db"
    settings = config(
        render={"mode": "always", "wall_s": 250, "cpu_s": 60},
        scope={"allow_private": ["127.0.7.1"]},
    )
    crawl(database, web.url("/"), settings=settings)
    about = asked(database)
    assert about[cdn.url("/no.js")] == ("Script", None, "robots", 0)
    assert about[web.url("/private.js")] == ("Script", None, "robots", 0)
    assert errors(database) == dict.fromkeys((web.url("/"), web.url("/second")))
    visited = rows(database, "SELECT url FROM visits JOIN urls ON urls.id = visits.url_id")
    asked_for = rows(database, f"SELECT url FROM ({REQUESTS}) WHERE reason IS NULL AND NOT cached")
    told = Counter(url for (url,) in [*visited, *asked_for])
    seen = Counter(f"http://{hit.address}:{web.port}{hit.path}" for hit in web.whole_log)
    assert seen == told
    assert seen[cdn.url("/lib.js")] == 1, "what one page was given is there for the next"
    check_whole(database)


def test_a_page_whose_script_robots_txt_denies_is_stored_as_it_is(web: Web, tmp_path: Path) -> None:
    web.robots("User-agent: *\nDisallow: /app.js\n")
    web.raw("/", headers=HTML, body=shell("/app.js"))
    web.raw("/app.js", headers=SCRIPT, body=FILL)
    database = tmp_path / "crawl.db"
    crawl(database, web.url("/"), settings=config(render={"mode": "shells"}))
    assert rows(database, "SELECT title, status FROM pages") == [("Loading", 200)]
    assert asked(database) == {web.url("/app.js"): ("Script", None, "robots", 0)}
    assert fates(database, web.url(""))["/app.js"] == ("skipped", "not_followed")
    assert "/app.js" not in web.paths


def test_requests_without_end_stop_at_the_limit(web: Web, tmp_path: Path) -> None:
    web.raw("/api", headers={"Content-Type": "text/plain"}, body="x")
    flood = "for (let i = 0; i < 3000; i++) fetch('/api?' + i).catch(() => 0);"
    for number in range(3000):
        web.raw(f"/api?{number}", headers={"Content-Type": "text/plain"}, body="x")
    web.raw("/", headers=HTML, body=shell(inline=flood + FILL))
    web.raw(
        "/poll", headers=HTML, body=shell(inline="setInterval(() => fetch('/api'), 3000);" + FILL)
    )
    database = tmp_path / "crawl.db"
    crawl(database, web.url("/"), web.url("/poll"), settings=ALWAYS)
    assert sum(path.startswith("/api?") for path in web.paths) == 200
    assert web.paths.count("/api") <= 3
    reasons = Counter(reason for *_, reason, _ in rows(database, REQUESTS))
    assert reasons["render_most"] == 100, "and of those that are refused some are told"
    assert set(errors(database).values()) == {None}


PUBLIC = config(
    render={"mode": "always", "wall_s": 250, "cpu_s": 60},
    scope={"allow_private": ["127.0.0.0/8"]},
    pace={"own_is_public": True, "gap_s": 0},
)


def test_names_without_end_of_one_address_have_it_asked_by_few_at_once(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = web.host("127.0.7.1")
    other.raw("/robots.txt", status=404, wait_s=0.05)
    other.raw("/a.js", headers=SCRIPT, body="1", wait_s=0.05)
    names = [f"name{number}.test" for number in range(40)]
    scripts = [f"http://{name}:{web.port}/a.js" for name in names]
    web.raw("/", headers=HTML, body=shell(*scripts, inline=FILL).replace("<script ", LATER))
    with closing(Nameserver({name: [other.address] for name in names})) as server:
        monkeypatch.setattr(
            "crawler.fetch.fetcher.asker", lambda kind: by_ares(["127.0.0.1"], server.port)
        )
        crawl(tmp_path / "crawl.db", web.url("/"), settings=PUBLIC)
    assert set(other.paths) == {"/robots.txt", "/a.js"}
    assert len(other.paths) > 2 * IN_FLIGHT
    assert most_at_once(other.log) <= IN_FLIGHT


def test_ports_without_end_of_one_host_have_it_asked_by_few_at_once(
    web: Web, tmp_path: Path
) -> None:
    with ExitStack() as open_until_the_end:
        ports = [open_until_the_end.enter_context(closing(Web())) for _ in range(20)]
        for port in ports:
            port.raw("/robots.txt", status=404, wait_s=0.05)
            port.raw("/a.js", headers=SCRIPT, body="1", wait_s=0.05)
        scripts = [port.url("/a.js") for port in ports]
        page = web.host("127.0.7.1")
        page.raw("/", headers=HTML, body=shell(*scripts, inline=FILL).replace("<script ", LATER))
        crawl(tmp_path / "crawl.db", page.url("/"), settings=PUBLIC)
    hits = [hit for port in ports for hit in port.whole_log]
    assert {hit.path for hit in hits} == {"/robots.txt", "/a.js"}
    assert len(hits) > 2 * IN_FLIGHT
    assert most_at_once(hits) <= IN_FLIGHT


def test_an_ordinary_page_keeps_its_words_and_links(web: Web, tmp_path: Path) -> None:
    body = f"<p>{WORDS}</p><noscript><a href='/without'>no</a> scripts</noscript><script>1</script>"
    web.page("/", links=["/a", "/b"], title="Ordinary", body=body)
    for name in ("/a", "/b", "/without"):
        web.page(name, links=["/"], body=f"<p>{WORDS}</p>")
    never, always = tmp_path / "never.db", tmp_path / "always.db"
    crawl(never, web.url("/"))
    crawl(always, web.url("/"), settings=ALWAYS)
    facts = "SELECT url, title, h1, word_count FROM pages WHERE url <> ? ORDER BY url"
    assert rows(never, facts, web.url("/")) == rows(always, facts, web.url("/"))
    links = "SELECT count(*) FROM links WHERE kind = 'a'"
    assert rows(never, links) == rows(always, links)
    vias = dict(rows(always, "SELECT url, links.via FROM links JOIN urls ON urls.id = target_id"))
    assert vias[web.url("/without")] == "source"
    assert vias[web.url("/b")] == "both"
    # Where a browser shows what was sent, nothing is kept twice.
    kept = "SELECT count(*) FROM renders WHERE body_id IS NOT NULL"
    assert rows(always, kept) == [(1,)]
    assert rows(always, "SELECT raw_word_count FROM renders ORDER BY visit_id LIMIT 1") == [(63,)]


MADE = "const made = document.createElement('{}'); document.body.append(made); "
LEAVING = {
    "/location": "location.href = '/elsewhere'",
    "/replace": "setTimeout(() => location.replace('/elsewhere'), 400)",
    "/click": MADE.format("a") + "made.href = '/elsewhere'; made.click()",
    "/form": MADE.format("form") + "made.action = '/elsewhere'; made.submit()",
}
STAYING = {
    "/popup": "window.open('/elsewhere'); " + FILL,
    "/scheme": FILL + "; setTimeout(() => { location.href = 'mailto:a@example.org' }, 100)",
    "/hash": FILL + "; location.hash = 'there'",
    "/push": FILL + "; history.pushState(null, '', '/deeper/')",
    "/dialogue": "alert(1); confirm(2); prompt(3); print(); " + FILL,
    "/unload": "onbeforeunload = () => 'stay'; " + FILL,
}


LED = """
    SELECT DISTINCT links.kind, links.via
    FROM links
    JOIN urls ON urls.id = links.target_id
    WHERE urls.url = ?
"""


def test_no_other_page_becomes_what_a_page_shows(web: Web, tmp_path: Path) -> None:
    web.raw("/elsewhere", headers=HTML, body=f"<title>Elsewhere</title><p>{WORDS}</p>")
    for name, script in (LEAVING | STAYING).items():
        web.raw(name, headers=HTML, body=shell(inline=script))
    database = tmp_path / "crawl.db"
    seeds = [web.url(name) for name in (*LEAVING, *STAYING)]
    crawl(database, *seeds, settings=config(
        render={"mode": "shells", "wall_s": 250}, scope={"mode": "host"}
    ))  # fmt: skip
    why = errors(database)
    assert {web.url(name): "render_left" for name in LEAVING}.items() <= why.items()
    assert dict.fromkeys(web.url(name) for name in STAYING).items() <= why.items()
    found = dict(rows(database, "SELECT url, h1 FROM pages"))
    assert {found[web.url(name)] for name in STAYING} == {"Seen"}
    assert {found[web.url(name)] for name in LEAVING} == {None}
    led = rows(database, LED, web.url("/elsewhere"))
    assert ("refresh", "rendered") in led
    assert (
        dict(rows(database, "SELECT url, title FROM pages"))[web.url("/elsewhere")] == "Elsewhere"
    )
    assert dict(rows(database, "SELECT final_url, 1 FROM renders"))[web.url("/deeper/")] == 1
