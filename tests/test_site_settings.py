"""Can a person ask for something else of some sites, and is every slip named?"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from crawler.cli import cli
from crawler.config import Config, load
from crawler.config.place import place_of
from crawler.errors import UsageError
from crawler.policy.sites import Sites
from tests.crawls import crawl, fates, rows
from tests.sites.web import Web

Written = Callable[[str], Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Writes a configuration file and gives its path."""

    def write(text: str) -> Path:
        path = tmp_path / "sites.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


NAMED = """
[pace]
gap_s = 0.25
[site."*.example.org"]
gap_s = 1
max_depth = 1
[site."*.a.example.org"]
gap_s = 2
[site."b.a.example.org"]
gap_s = 3
[site."b.a.example.org:8443"]
gap_s = 4
[site."https://b.a.example.org:8443"]
gap_s = 5
[site."https://b.a.example.org:8443/area/"]
gap_s = 6
[site."https://b.a.example.org:8443/area/of/"]
gap_s = 7
"""


@pytest.mark.parametrize(
    ("url", "gap_s"),
    [
        ("https://b.a.example.org:8443/area/of/x", 7),
        ("https://b.a.example.org:8443/area/x", 6),
        ("https://b.a.example.org:8443/area", 5),
        ("http://b.a.example.org:8443/area/x", 4),
        ("https://b.a.example.org/area/x", 3),
        ("https://b.a.example.org./area/x", 3),
        ("https://c.a.example.org/", 2),
        ("https://c.b.a.example.org/", 2),
        ("https://x.example.org/", 1),
        ("https://a.example.org/", 1),
        ("https://example.org/", 0.25),
        ("https://badexample.org/", 0.25),
        ("https://example.org.evil.test/", 0.25),
    ],
)
def test_the_most_specific_name_wins(written: Written, url: str, gap_s: float) -> None:
    sites = Sites(load(written(NAMED)))
    assert sites.config(url).pace.gap_s == gap_s
    assert sites.config(url).pace.gap_s == gap_s  # remembered


def test_it_wins_key_by_key(written: Written) -> None:
    held = Sites(load(written(NAMED))).config("https://b.a.example.org:8443/area/of/x")
    assert (held.pace.gap_s, held.scope.max_depth) == (7, 1)


@pytest.mark.parametrize(
    ("written_as", "same"),
    [
        ("EXAMPLE.org", "example.org"),
        ("b\u00fccher.example", "xn--bcher-kva.example"),
        ("example.org.", "example.org"),
        ("https://Example.ORG:443", "https://example.org/"),
        ("http://0x7f.1:80/", "http://127.0.0.1"),
        ("*.B\u00fccher.example", "*.xn--bcher-kva.example"),
    ],
)
def test_names_are_read_as_addresses_are(written_as: str, same: str) -> None:
    assert place_of(written_as) == place_of(same)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[site."exa mple.org"]\ngap_s = 1', 'site."exa mple.org": expected a site: '),
        ('[site."ftp://example.org"]\ngap_s = 1', "only http and https are fetched"),
        ('[site.""]\ngap_s = 1', 'site."": expected a site'),
        ('[site."*"]\ngap_s = 1', "expected a site"),
        ('[site."*.127.0.0.1"]\ngap_s = 1', "an address has no names below it"),
        ('[site."*.example.org:8443"]\ngap_s = 1', "have no port"),
        ('[site."https://*.example.org"]\ngap_s = 1', "without a scheme"),
        ('[site."https://u:p@example.org"]\ngap_s = 1', "a name bears no password"),
        ('[site."https://example.org/#a"]\ngap_s = 1', "leave it out"),
        ('[site."https://exa%00mple"]\ngap_s = 1', "is no address"),
        ('[site."https://example.org:99999"]\ngap_s = 1', "is no address"),
        ("[site.example.org]\ngap_s = 1", "a name with dots stands in quotes"),
        ('[site."example.org".pace]\ngap_s = 1', "write gap_s without pace"),
        ('[site."example.org"]\ngap = 1', '.gap (did you mean "gap_s"?)'),
        ('[site."example.org"]\nzzz = 1', ".zzz (there are: own, obey_robots, "),
        ('[sites."example.org"]\ngap_s = 1', '(did you mean "site"?)'),
        ("site = 1", 'expected sites: write [site."example.org"]'),
        ("[site]\ngap_s = 1", 'write [site."example.org"], and keys in it'),
        ('[site."a.b"]\ngap_s = "x"', 'site."a.b".gap_s: expected a number >= 0, got "x"'),
        ('[site."a.b"]\ngap_s = -1', 'site."a.b".gap_s: expected a number >= 0, got -1'),
        ('[site."a.b"]\ngap_s = inf', 'site."a.b".gap_s: expected a number >= 0, got Infinity'),
        ('[site."a.b"]\ntries = 0', 'site."a.b".tries: expected a whole number >= 1, got 0'),
        ('[site."a.b"]\nown = 1', 'site."a.b".own: expected true or false, got 1'),
        ('[site."a.b"]\nobey_robots = false', "of a site of your own say own = true"),
        ('[site."a.b"]\ncrawl_delay_max_s = 1', "of a site of your own say own = true"),
        ('[site."a.b"]\nown=false\nobey_robots = false\n[site."*.b"]\nown=true', "own = true"),
        ('[site."*.b"]\nobey_robots = false\n[site."a.b"]\nown=true', "own = true"),
        ('[site."*.co.uk"]\nbearer = "x"', "below co.uk anybody has sites"),
        ('[site."*.com"]\nbasic = {user="u", password="p"}', "name yours one by one"),
        ('[site."*.GitHub.io"]\nheaders = {X-Key="k"}', "below github.io anybody has sites"),
        ('[site."*.xn--55qx5d.cn"]\nbearer = "x"', "anybody has sites"),
    ],
)
def test_a_wrong_site_or_key_is_refused_in_one_line(written: Written, text: str, told: str) -> None:
    path = written(text)
    with pytest.raises(UsageError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert told in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "text",
    [
        '[site."a.b"]\nown = true\nobey_robots = false',
        '[site."*.b"]\nown = true\n[site."a.b"]\nobey_robots = false',
        '[site."a.b"]\nown = true\n[site."https://a.b/x/"]\nobey_robots = false',
        '[robots]\nobey = false\n[site."a.b"]\nobey_robots = true',
        '[site."a.b"]\ncrawl_delay_max_s = 600',
    ],
)
def test_robots_may_be_kept_more_strictly_or_left_aside_on_ones_own_sites(
    written: Written, text: str
) -> None:
    assert load(written(text)).site


@pytest.mark.parametrize(
    "text",
    [
        '[site."*.github.io"]\nown = true\nbearer = "x"',
        '[site."*.github.io"]\nheaders = {Accept = "text/html"}\ncookies = true\ngap_s = 2',
        '[site."*.me.github.io"]\nbearer = "x"',
        '[site."*.example.co.uk"]\nbearer = "x"',
        '[site."*.corp"]\nbearer = "x"',
        '[site."github.io"]\nbearer = "x"',
    ],
)
def test_secrets_are_for_ones_own_sites_and_all_else_for_whomever(
    written: Written, text: str
) -> None:
    assert load(written(text)).site


def test_one_setting_of_a_site_is_given_on_the_command_line() -> None:
    said = load(None, ['site."example.org".gap_s=2', 'site."example.org".tries = 1']).site
    assert (said["example.org"].gap_s, said["example.org"].tries) == (2, 1)


def test_what_is_said_last_holds_however_the_site_is_spelt(written: Written) -> None:
    path = written('[site."Example.org"]\ngap_s = 2\ntries = 2')
    config = load(path, ['site."example.org".gap_s=9'])
    held = Sites(config).config("https://example.org/").pace
    assert (held.gap_s, held.tries) == (9, 2)


# What holds, and who said so


def settings(*words: str) -> dict[str, tuple[object, str, object, object]]:
    """What `crawler settings --json` tells: value, source, line and site by key."""
    ran = CliRunner().invoke(cli, ["settings", *words, "--json"])
    assert ran.exit_code == 0, ran.output
    return {
        one["key"]: (one["value"], one["source"], one["line"], one["site"])
        for one in json.loads(ran.stdout)["settings"]
    }


TOLD = '''\
pace.gap_s = 2
[fetch]
contact = """
gap_s = 9
"""
[site."*.example.org"]
max_depth = 3  # gap_s = 1
[site]
"example.org" = { tries = 1 }
"https://example.org/a=b/".max_body_bytes = 7
'''


def test_settings_tells_which_line_said_what_holds(written: Written) -> None:
    path = written(TOLD.replace('"""\ngap_s = 9\n"""', '"me"\n\n'))
    source = str(path)
    held = settings("example.org/a=b/c", "--config", source, "--set", "run.max_pages=4")
    assert held["pace.gap_s"] == (2, source, 1, None)
    assert held["fetch.contact"] == ("me", source, 3, None)
    assert held["pace.tries"] == (1, source, 9, "example.org")
    assert held["fetch.max_body_bytes"] == (7, source, 10, "https://example.org/a=b/")
    assert held["run.max_pages"] == (4, "--set", None, None)
    assert held["scope.max_depth"] == (50, "default", None, None)
    other = settings("http://www.example.org/", "--config", source)
    assert other["scope.max_depth"] == (3, source, 7, "*.example.org")


def test_what_looks_like_a_key_within_a_text_of_several_lines_is_none(written: Written) -> None:
    path = written('[scope]\nexclude = [\n"""\nmax_depth = 9""",\n]\nmax_depth = 4\n')
    assert settings("https://example.org/", "--config", str(path))["scope.max_depth"] == (
        4, str(path), 6, None,
    )  # fmt: skip


def test_settings_are_told_to_people_a_line_each(written: Written) -> None:
    path = written('[site."example.org"]\ngap_s = 3\n')
    ran = CliRunner().invoke(cli, ["settings", "https://example.org/", "--config", str(path)])
    assert ran.exit_code == 0
    [line] = [line for line in ran.stdout.splitlines() if line.startswith("pace.gap_s ")]
    assert line.split(maxsplit=2) == [
        "pace.gap_s", "3.0", f'{path}, line 2 [site."example.org"]',
    ]  # fmt: skip


def test_settings_refuses_what_is_no_address() -> None:
    ran = CliRunner().invoke(cli, ["settings", "ftp://example.org/"])
    assert ran.exit_code == UsageError.exit_code


# What they do


def config(*overrides: str) -> Config:
    """What a test says, with short rests, and sitemaps left out."""
    return load(None, ["robots.sitemaps=false", "pace.retry_base_s=0.02", *overrides])


def test_pages_of_a_site_rest_as_long_as_was_said_of_it(tmp_path: Path, web: Web) -> None:
    other = web.host("127.0.7.1")
    for host in (web, other):
        host.page("/", links=["/a", "/b"])
        host.page("/a")
        host.page("/b")
    said = [f'site."{web.address}".own_gap_s=0.3']
    crawl(tmp_path / "a.db", web.url("/"), other.url("/"), settings=config(*said))
    gaps = dict(rows(tmp_path / "a.db", "SELECT host, delay_ms FROM hosts"))
    assert gaps == {web.address: 300, other.address: 0}
    log = web.log
    gaps_s = [after.started - before.ended for before, after in itertools.pairwise(log)]
    assert len(gaps_s) == 3
    assert min(gaps_s) >= 0.29


def test_a_page_of_an_area_is_followed_by_the_rest_of_that_area(tmp_path: Path, web: Web) -> None:
    web.page("/", links=["/area/a", "/z"])
    web.page("/area/a")
    web.page("/z")
    said = [f'site."{web.url("/area/")}".own_gap_s=0.4', "pace.own_in_flight=1"]
    crawl(tmp_path / "a.db", web.url("/"), settings=config(*said))
    hits = {hit.path: hit for hit in web.log}
    assert web.paths == ["/robots.txt", "/", "/area/a", "/z"]
    assert hits["/z"].started - hits["/area/a"].ended >= 0.39


def test_robots_txt_of_ones_own_site_is_left_aside_and_others_are_kept(
    tmp_path: Path, web: Web
) -> None:
    other = web.host("127.0.7.1")
    for host in (web, other):
        host.robots("User-agent: *\nDisallow: /")
        host.page("/")
    said = [f'site."{web.url("")}".own=true', f'site."{web.url("")}".obey_robots=false']
    crawl(tmp_path / "a.db", web.url("/"), other.url("/"), settings=config(*said))
    assert fates(tmp_path / "a.db", web.url(""))["/"] == ("done", None)
    assert fates(tmp_path / "a.db", other.url(""))["/"] == ("skipped", "robots")
    assert web.paths == ["/"]


def test_robots_txt_of_one_site_is_kept_where_others_are_left_aside(
    tmp_path: Path, web: Web
) -> None:
    other = web.host("127.0.7.1")
    for host in (web, other):
        host.robots("User-agent: *\nDisallow: /")
        host.page("/")
    said = ["robots.obey=false", f'site."{web.address}".obey_robots=true']
    crawl(tmp_path / "a.db", web.url("/"), other.url("/"), settings=config(*said))
    assert fates(tmp_path / "a.db", web.url(""))["/"] == ("skipped", "robots")
    assert other.paths == ["/"]


def test_one_area_of_ones_own_is_crawled_though_robots_forbids_all(
    tmp_path: Path, web: Web
) -> None:
    web.robots("User-agent: *\nDisallow: /")
    web.page("/mine/")
    web.page("/others/")
    area = web.url("/mine/")
    said = [f'site."{area}".own=true', f'site."{area}".obey_robots=false']
    crawl(tmp_path / "a.db", area, web.url("/others/"), settings=config(*said))
    found = fates(tmp_path / "a.db", web.url(""))
    assert (found["/mine/"], found["/others/"]) == (("done", None), ("skipped", "robots"))


def test_caps_of_a_site_are_its_own(tmp_path: Path, web: Web) -> None:
    other = web.host("127.0.7.1")
    for host in (web, other):
        host.page("/", links=["/a", "/b", "/c"])
        for path in ("/a", "/b", "/c"):
            host.page(path, body="x" * 5000)
    said = [
        f'site."{web.address}".max_pages_per_host=2',
        f'site."{web.address}".max_body_bytes=999',
    ]
    crawl(tmp_path / "a.db", web.url("/"), other.url("/"), settings=config(*said))
    found = fates(tmp_path / "a.db", web.url(""))
    capped = {url for url, fate in found.items() if fate == ("skipped", "host_cap")}
    assert capped == {"/b", "/c"}
    there = [found[other.url(path)] for path in ("/", "/a", "/b", "/c")]
    assert there == [("done", None)] * 4
    assert rows(tmp_path / "a.db", TOO_LARGE) == [(web.url("/a"),)]


TOO_LARGE = """
    SELECT urls.url
    FROM visits
    JOIN urls ON urls.id = visits.url_id
    WHERE visits.error = 'too_large'
"""


def test_a_site_is_followed_no_deeper_than_was_said_of_it(tmp_path: Path, web: Web) -> None:
    web.page("/", links=["/a/1"])
    web.page("/a/1", links=["/a/2", "/b"])
    web.page("/a/2")
    web.page("/b")
    said = [f'site."{web.url("/a/")}".max_depth=1']
    crawl(tmp_path / "a.db", web.url("/"), settings=config(*said))
    found = fates(tmp_path / "a.db", web.url(""))
    assert (found["/a/2"], found["/b"]) == (("skipped", "depth"), ("done", None))


def test_a_cap_that_is_raised_lets_in_what_it_had_kept_out(tmp_path: Path, web: Web) -> None:
    web.page("/", links=["/a", "/b", "/c"])
    for path in ("/a", "/b", "/c"):
        web.page(path)
    for most in (2, 9):
        said = [f'site."{web.address}".max_pages_per_host={most}']
        crawl(tmp_path / "a.db", web.url("/"), settings=config(*said))
    assert set(fates(tmp_path / "a.db", web.url("")).values()) == {("done", None)}
