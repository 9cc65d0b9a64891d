"""Is there no way past the gate, and are certificates unchecked only where that was asked for?"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from tests.crawls import check_whole, config, crawl, fates, rows
from tests.fetch import certificates
from tests.fetch.nameserver import Nameserver
from tests.fetch.stage import serving, stage
from tests.hostile.origins import NO_RULES, conversation
from tests.sites.web import Web

REFUSED = "127.66.0.1"
OURS = {"allow_private": ["127.0.0.0/16"], "mode": "any", "check": ["assets", "external"]}


def test_every_way_to_a_refused_address_is_shut(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """robots.txt, sitemaps, checks, every hop of a redirect, and all that a page can refer to."""
    names = Nameserver({"inside.test": [REFUSED], "meta.test": ["169.254.169.254"]})
    for name, value in names.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("crawler.fetch.fetcher.asker", lambda kind: _ask(names))
    with closing(names), stage(serving(b"HTTP/1.1 200 OK\r\n\r\nsecret"), host=REFUSED) as inside:
        door = f"http://{REFUSED}:{inside.port}"
        named = f"http://inside.test:{inside.port}"
        web.robots(
            f"User-agent: *\nAllow: /\nSitemap: {door}/sitemap.xml\nSitemap: {named}/s.xml\n"
        )
        web.redirect("/hop/1", "/hop/2")
        web.redirect("/hop/2", f"{door}/hop")
        web.redirect("/named", f"{named}/hop")
        web.page(
            "/",
            links=["/hop/1", "/named", f"{door}/a", f"http://{_as_number(REFUSED)}:{inside.port}/n",
                   f"http://[::ffff:{REFUSED}]:{inside.port}/v6", f"http://meta.test:{inside.port}/"],
            head=f'<link rel="canonical" href="{door}/canonical">'
            f'<link rel="alternate" hreflang="de" href="{door}/de">',
            body=f'<img src="{door}/img"><iframe src="{named}/frame"></iframe>'
            f'<script src="{named}/js"></script>',
        )  # fmt: skip
        # Another host whose robots.txt leads inside.
        other = web.host("127.0.9.1")
        other.redirect("/robots.txt", f"{door}/robots.txt")
        other.page("/")
        database = tmp_path / "doors.db"
        settings = config(scope=OURS, robots={"sitemaps": True}, fetch={"connect_s": 2})
        crawl(database, web.url(), other.url(), settings=settings)
        assert inside.connections == 0
    found = fates(database)
    behind = {url: fate for url, fate in found.items() if not url.startswith("http://127.0.")}
    assert len(behind) >= 12
    assert set(behind.values()) == {("skipped", "blocked_addr")}
    asked = rows(database, "SELECT DISTINCT kind FROM visits WHERE error = 'blocked_addr'")
    assert ("robots",) in asked
    check_whole(database)


def _ask(names: Nameserver) -> object:
    from crawler.fetch.dns import by_ares

    return by_ares(["127.0.0.1"], names.port)


def _as_number(ip: str) -> int:
    return int.from_bytes(bytes(map(int, ip.split("."))), "big")


def test_where_robots_is_not_asked_the_gate_still_is(web: Web, tmp_path: Path) -> None:
    with stage(serving(b"HTTP/1.1 200 OK\r\n\r\nsecret"), host=REFUSED) as inside:
        door = f"http://{REFUSED}:{inside.port}"
        web.page("/", links=[f"{door}/a"], body=f'<img src="{door}/img">')
        web.redirect("/hop", f"{door}/hop")
        database = tmp_path / "doors.db"
        settings = config(scope=OURS, robots={"obey": False})
        crawl(database, web.url(), web.url("/hop"), settings=settings)
        assert inside.connections == 0
    assert {fates(database)[f"{door}/{path}"] for path in ("a", "img", "hop")} == {
        ("skipped", "blocked_addr")
    }
    kinds = rows(
        database, "SELECT DISTINCT kind FROM visits WHERE error = 'blocked_addr' ORDER BY 1"
    )
    assert kinds == [("check",), ("page",)]


@pytest.mark.parametrize(
    ("careless", "fate"), [(True, ("done", None)), (False, ("failed", "tls_verify"))]
)
def test_certificates_go_unchecked_only_where_that_was_asked_for(
    tmp_path: Path, careless: bool, fate: tuple[str, str | None]
) -> None:
    """The careless crawl comes first in this process, and leaves nothing behind."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

    def act(peer: object, path: str) -> bool:
        peer.say(answer)  # type: ignore[attr-defined]
        return True

    context = certificates.of_a_stranger("x.test")
    with stage(conversation(act, NO_RULES), context=context) as server:
        database = tmp_path / "tls.db"
        crawl(database, server.url(), settings=config(fetch={"verify_tls": not careless}))
    assert fates(database) == {server.url(): fate}
    detail = rows(database, "SELECT DISTINCT error_detail FROM visits")
    assert careless or all("names: x.test" in text for (text,) in detail)
