"""Is a site that was crawled in five versions told as it was?

What stands at each address in each version, and what is to be said of it, is written down first.
Between the crawls a day passes, so that robots.txt is asked for again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import combinations
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from tests.crawls import check_whole, config, crawl, let_a_day_pass, rows
from tests.sites.server import Answer, Request
from tests.sites.web import Host, Web

VERSIONS = range(1, 6)
SETTINGS = config(fetch={"read_s": 2}, pace={"tries": 1})
MAIN, WEATHER, SHUT = "127.0.0.1", "127.0.0.7", "127.0.0.8"
"""The site; a host of its that is often busy; one that is down in the third version."""


class Page(NamedTuple):
    """A page of HTML. token: in a comment. tag: its ETag, which is kept to."""

    title: str = ""
    text: str = "Words"
    canonical: str | None = None
    robots: str | None = None
    token: str = ""
    links: tuple[str, ...] = ()
    tag: str | None = None


class Other(NamedTuple):
    """Anything else. to: where a redirect leads. silent: nothing comes."""

    status: int = 200
    to: str | None = None
    kind: str = "text/html"
    body: str = "There is no such page"
    silent: bool = False


Shown = Page | Other | None
"""None where no connection is taken."""
Told = tuple[str, str | None, str | None]
"""Change, what, and the value before."""


class Story(NamedTuple):
    """What stands at an address: one for each version, the last one from then on. told: by version
    what `changes` says. touched: the versions in which only bytes are new."""

    shown: Sequence[Shown]
    told: Mapping[int, Told] = MappingProxyType({})
    touched: frozenset[int] = frozenset()

    def at(self, version: int) -> Shown:
        return self.shown[min(version, len(self.shown)) - 1]


P = Page()
GONE, LOST, BUSY, LATER, SHY = Other(404), Other(410), Other(503), Other(429), Other(403)
SILENT = Other(silent=True)


def to(path: str, status: int = 301) -> Other:
    return Other(status, path)


NEWS = [
    Page(links=("/unlinked", "/early")),
    Page(text="More", links=("/unlinked", "/early", "/new", "/short-lived")),
    Page(text="More", links=("/early", "/new", "/short-lived", "/late")),
]
IS_GONE: Told = ("gone", "status", "200")
IS_SILENT: Told = ("unreachable", "status", "200")

STORIES: dict[str, Story] = {
    **{f"/plain/{number}": Story([P]) for number in range(30)},
    "/news": Story(NEWS, {2: ("changed", "text", None)}, frozenset({3})),
    "/unlinked": Story([P]),
    # what is new
    "/new": Story([GONE, P], {2: ("new", None, None)}),
    "/short-lived": Story([GONE, P, GONE], {2: ("new", None, None), 3: IS_GONE}),
    "/early": Story([GONE, P], {2: ("returned", "status, title, text", "404")}),
    "/late": Story([GONE, GONE, GONE, GONE]),
    # what is read differs
    "/edited": Story([P, P, Page(text="Other words")], {3: ("changed", "text", None)}),
    "/retitled": Story(
        [P, Page("Second"), Page("Second"), Page("Second"), Page("Fifth")],
        {2: ("changed", "title", "Title of /retitled"), 5: ("changed", "title", "Second")},
    ),
    "/rewritten": Story(
        [P, P, P, Page("New", "And new")],
        {4: ("changed", "title, text", "Title of /rewritten")},
    ),
    "/to-and-fro": Story(
        [P, Page("Fro"), P],
        {2: ("changed", "title", "Title of /to-and-fro"), 3: ("changed", "title", "Fro")},
    ),
    "/canonical": Story(
        [P, P, Page(canonical="/plain/3"), Page(canonical="/plain/3"), Page(canonical="/plain/4")],
        {3: ("changed", "canonical", None), 5: ("changed", "canonical", "/plain/3")},
    ),
    "/typed": Story(
        [P, P, Other(kind="text/plain", body="Bare words")],
        {3: ("changed", "title, text", "Title of /typed")},
    ),
    "/refused": Story(
        [P, P, P, SHY, P],
        {4: ("changed", "status", "200"), 5: ("changed", "status", "403")},
    ),
    "/twin/a": Story([Page("Twin", "Twin words")]),
    "/twin/b": Story(
        [Page("Twin", "Twin words")] * 3 + [Page("Single", "Own words")],
        {4: ("changed", "title, text", "Twin")},
    ),
    # only bytes differ
    "/token": Story([Page(token=str(one)) for one in VERSIONS], {}, frozenset({2, 3, 4, 5})),
    "/noindex": Story([P, P, Page(robots="noindex")], {}, frozenset({3})),
    "/picture": Story(
        [Other(kind="image/png", body="\x89PNG 1"), Other(kind="image/png", body="\x89PNG 2")],
        {}, frozenset({2}),
    ),
    # what goes, and comes back
    "/gone": Story([P, P, GONE], {3: IS_GONE}),
    "/lost": Story([P, LOST], {2: IS_GONE}),
    "/gone-then-lost": Story([P, P, GONE, LOST], {3: IS_GONE, 4: ("changed", "status", "404")}),
    "/back": Story([P, GONE, P], {2: IS_GONE, 3: ("returned", "status", "404")}),
    "/back-anew": Story(
        [P, GONE, GONE, Page("Anew")],
        {2: IS_GONE, 4: ("returned", "status, title", "404")},
    ),
    # what leads elsewhere
    "/moved": Story([P, P, to("/moved-here")], {3: ("moved", "status", "200")}),
    "/moved-here": Story([GONE, GONE, P], {3: ("new", None, None)}),
    "/redirect": Story(
        [to("/plain/1"), to("/plain/1"), to("/plain/2")], {3: ("moved", "redirect", "/plain/1")}
    ),
    "/for-good": Story(
        [to("/plain/1", 302)] * 3 + [to("/plain/1")], {4: ("changed", "status", "302")}
    ),
    "/to-gone": Story([to("/gone")]),
    "/arrived": Story(
        [to("/plain/5"), to("/plain/5"), P], {3: ("returned", "status, title, text", "301")}
    ),
    "/round": Story([P, to("/round"), P], {2: IS_SILENT, 3: ("returned", "status", "301")}),
    # what is only confirmed
    "/tagged": Story(
        [Page(tag="1"), Page(tag="1"), Page(tag="1"), Page("Retagged", tag="2")],
        {4: ("changed", "title", "Title of /tagged")},
    ),
    # what robots.txt forbids from the fourth version on is not asked for, and stays as it was
    "/forbidden": Story([P, P, P, GONE]),
}  # fmt: skip

ON_WEATHER: dict[str, Story] = {
    "/": Story([Page(links=("/outage", "/ends", "/later", "/silent", "/tagged"))]),
    "/outage": Story([P, P, BUSY, P], {3: IS_SILENT, 4: ("returned", "status", "503")}),
    "/ends": Story([P, BUSY, GONE], {2: IS_SILENT, 3: ("gone", "status", "503")}),
    "/later": Story([P, LATER, LATER, P], {2: IS_SILENT, 4: ("returned", "status", "429")}),
    "/silent": Story([P, P, P, SILENT, P], {4: IS_SILENT, 5: ("returned", "status", None)}),
    "/tagged": Story(
        [Page(tag="1"), BUSY, Page(tag="1")], {2: IS_SILENT, 3: ("returned", "status", "503")}
    ),
}
IS_SHUT: dict[int, Told] = {3: IS_SILENT, 4: ("returned", "status", None)}
ON_SHUT: dict[str, Story] = {
    "/": Story([front := Page(links=("/a", "/b")), front, None, front], IS_SHUT),
    "/a": Story([P, P, None, P], IS_SHUT),
    "/b": Story([P, P, None, Page("Later")], IS_SHUT | {4: ("returned", "status, title", None)}),
}
UNLINKED = {"/unlinked", "/new", "/short-lived", "/early", "/late", "/moved-here"}
"""The front page, which never changes, leads to all others."""
FRONT = Story([Page(links=tuple(path for path in STORIES if path not in UNLINKED))])
SITES = {MAIN: {"/": FRONT, **STORIES}, WEATHER: ON_WEATHER, SHUT: ON_SHUT}
RULES = "User-agent: *\nDisallow: /forbidden\n"


class Five(NamedTuple):
    """The crawl. at: what was asked of the file after each version."""

    web: Web
    database: Path
    at: dict[int, dict[str, list[tuple[Any, ...]]]]

    def path(self, url: str | None) -> str | None:
        """An address without its host, where that is the main one."""
        return url.replace(self.web.url("/"), "/") if url else url


ASKED = {
    "changes": "SELECT url, change, what, before FROM changes ORDER BY url",
    "touched": "SELECT url FROM touched ORDER BY url",
    "broken_links": "SELECT DISTINCT page, link, redirected_to FROM broken_links",
    "redirects": "SELECT start, hop, redirects_to, status, target_status FROM redirect_chains",
    "skipped_urls": "SELECT url, reason FROM skipped_urls",
    "crawl_summary": "SELECT state, reason, status, urls FROM crawl_summary",
    "seed_summary": "SELECT url, state, reason, status FROM seed_summary",
    "host_summary": "SELECT host, fetched, ok, http_errors, errors, queued FROM host_summary",
    "duplicate_titles": "SELECT title, pages FROM duplicate_titles",
    "duplicate_pages": "SELECT pages, example FROM duplicate_pages WHERE title = 'Twin'",
    "canonical_mismatches": "SELECT url, canonical, canonical_status FROM canonical_mismatches",
    "missing_metadata": "SELECT url FROM missing_metadata WHERE no_title = 1",
    "depth_histogram": "SELECT sum(pages), sum(errors) FROM depth_histogram",
    "pages": "SELECT url, status, title, error FROM pages",
    "urls": "SELECT url, state, status FROM urls WHERE kind = 'page'",
    "noindex": "SELECT url FROM pages WHERE meta_robots = 'noindex'",
}


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Five]:
    """All five crawled, one after the other."""
    web = Web()
    database = tmp_path_factory.mktemp("versions") / "crawl.db"
    hosts = {address: web.host(address) for address in SITES}
    found = Five(web, database, {})
    for version in VERSIONS:
        for address, stories in SITES.items():
            for path, story in stories.items():
                _show(hosts[address], path, story.at(version))
        if version == 3:
            web.shut(hosts[SHUT])
        if version == 4:
            web.open(hosts[SHUT])
            web.robots(RULES)
        crawl(database, *(hosts[address].url() for address in SITES), settings=SETTINGS)
        found.at[version] = {name: rows(database, sql) for name, sql in ASKED.items()}
        let_a_day_pass(database)
    yield found
    web.close()


def _show(host: Host, path: str, shown: Shown) -> None:
    match shown:
        case Page():
            answer = Answer(body=_html(host, path, shown))
        case Other(to=None):
            answer = Answer(
                shown.status, {"Content-Type": shown.kind}, shown.body.encode("latin-1"),
                wait_s=30 if shown.silent else 0,
            )  # fmt: skip
        case Other(to=place):
            answer = Answer(shown.status, {"Location": str(place)})
        case None:
            return
    tag = shown.tag if isinstance(shown, Page) else None
    host.decide(path, lambda request: answer if tag is None else _tagged(request, answer, tag))


def _tagged(request: Request, answer: Answer, tag: str) -> Answer:
    headers = {"ETag": f'"{tag}"'}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Answer(304, headers)
    return Answer(headers=headers, body=answer.body)


def _html(host: Host, path: str, page: Page) -> bytes:
    title = page.title or f"Title of {path if host.address == MAIN else host.address + path}"
    canonical = page.canonical and f"<link rel=canonical href='{page.canonical}'>"
    robots = page.robots and f"<meta name=robots content={page.robots}>"
    links = "".join(f"<p><a href='{link}'>Read</a></p>" for link in page.links)
    words = page.text if page.text != "Words" else f"Words of {host.address}{path}"
    return (
        f"<!doctype html><title>{escape(title)}</title>{canonical or ''}{robots or ''}"
        f"<!-- {page.token} --><h1>{escape(words)}</h1>{links}"
    ).encode()


def _expected(web: Web, version: int) -> list[tuple[Any, ...]]:
    """What `changes` is to say of a version."""
    return sorted(
        (web.host(address).url(path), change, what,
         web.url(before) if before and before.startswith("/") else before)
        for address, stories in SITES.items()
        for path, story in stories.items()
        if (told := story.told.get(version)) is not None
        for change, what, before in (told,)
    )  # fmt: skip


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_what_changed_is_told_of_each_version(five: Five, version: int) -> None:
    assert five.at[version]["changes"] == _expected(five.web, version)


def test_of_the_first_version_nothing_changed(five: Five) -> None:
    assert (five.at[1]["changes"], five.at[1]["touched"]) == ([], [])


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_bytes_alone_are_touched(five: Five, version: int) -> None:
    touched = [
        (five.web.host(address).url(path),)
        for address, stories in SITES.items()
        for path, story in stories.items()
        if version in story.touched
    ]
    assert five.at[version]["touched"] == sorted(touched)


# Any two versions, by the words of the ruling


class Stood(NamedTuple):
    """How an address stood after a version, as far as is known."""

    state: str
    status: int | None
    title: str | None = None
    text: str | None = None
    canonical: str | None = None
    to: str | None = None


def _stood(stories: dict[str, Story], path: str, version: int) -> Stood | None:
    """None where nobody knew of it. What cannot be asked for stays as it was."""
    story = stories[path]
    if path == "/forbidden":
        version = min(version, 3)
    if not _known(path, version):
        return None
    earlier = _stood(stories, path, version - 1) if version > 1 else None
    document = earlier[2:5] if earlier else (None, None, None)
    match shown := story.at(version):
        case Page():
            text = shown.text if shown.text != "Words" else "Words of " + path
            canonical = shown.canonical
            return Stood("there", 200, shown.title or f"Title of {path}", text, canonical)
        case None | Other(silent=True):
            return Stood("unreachable", None, *document)
        case Other(to=place) if place == path:
            return Stood("unreachable", shown.status, *document)
        case Other(to=str(place)):
            return Stood("moved", shown.status, *document, place)
        case Other(status=404 | 410):
            return Stood("gone", shown.status, *document)
        case Other(status=429 | 503):
            return Stood("unreachable", shown.status, *document)
        case Other(status=403):
            return Stood("refused", shown.status, *document)
    read = shown.body if shown.kind.startswith("text") else None
    return Stood("there", 200, None, read, None)


def _known(path: str, version: int) -> bool:
    """Had anything led there by then?"""
    return version >= {"/new": 2, "/short-lived": 2, "/late": 3, "/moved-here": 3}.get(path, 1)


def _change(before: Stood | None, now: Stood | None) -> tuple[str, str | None] | None:
    """Title, text, status and canonical make a change; unreachable for errors, 429 and 5xx, gone
    for 404 and 410, moved for a redirect elsewhere; returned after either."""
    if now is None or (before is None and now.state != "there"):
        return None
    if before is None:
        return "new", None
    fields = ("status", "title", "text", "canonical")
    what = [name for name in fields if getattr(before, name) != getattr(now, name)]
    if (before.state, now.state) == ("moved", "moved") and before.to != now.to:
        return "moved", ", ".join(["redirect", *what])
    if now.state != before.state:
        if now.state == "there" and before.state != "refused":
            return "returned", ", ".join(what) or None
        if now.state in ("gone", "unreachable", "moved"):
            return now.state, ", ".join(what) or None
    elif now.state == "unreachable":
        return None
    return ("changed", ", ".join(what)) if what else None


@pytest.mark.parametrize("pair", list(combinations(VERSIONS, 2)))
def test_any_two_versions_are_compared(five: Five, pair: tuple[int, int]) -> None:
    sql = "SELECT url, change, what FROM changes_between_runs WHERE from_run = ? AND to_run = ?"
    told = {url: (change, what) for url, change, what in rows(five.database, sql, *pair)}
    wanted = {}
    for address, stories in SITES.items():
        for path in stories:
            change = _change(*(_stood(stories, path, version) for version in pair))
            if change is not None:
                wanted[five.web.host(address).url(path)] = change
    assert told == wanted


@pytest.mark.parametrize(
    ("rules", "error"),
    [
        (Answer(503), "robots_unreachable"),
        (Answer(500), "robots_unreachable"),
        (Answer(429), "robots_unreachable"),
        (Answer(404), None),
    ],
)
def test_pages_behind_a_robots_txt_that_cannot_be_had_are_out_of_reach(
    web: Web, tmp_path: Path, rules: Answer, error: str | None
) -> None:
    """RFC 9309, section 2.3.1.4: nothing may be asked for then."""
    database = tmp_path / "crawl.db"
    web.page("/", links=["/a", "/gone"])
    web.page("/a")
    crawl(database, web.url(), settings=SETTINGS)
    let_a_day_pass(database)
    web.answer("/robots.txt", rules)
    crawl(database, web.url(), settings=SETTINGS)
    told = rows(database, "SELECT url, change, status, error FROM changes ORDER BY url")
    out_of_reach = [
        (web.url(path), "unreachable", None, error) for path in ("/", "/a", "/gone") if error
    ]
    assert told == out_of_reach
    statuses = rows(database, "SELECT status, error FROM pages ORDER BY url")
    assert statuses == ([(None, error)] * 3 if error else [(200, None), (200, None), (404, None)])
    let_a_day_pass(database)
    web.robots("User-agent: *\nAllow: /\n")
    crawl(database, web.url(), settings=SETTINGS)
    told = rows(database, "SELECT url, change FROM changes ORDER BY url")
    back = {"/": "returned", "/a": "returned", "/gone": "gone"}
    assert told == ([(web.url(path), change) for path, change in back.items()] if error else [])
    check_whole(database)


# What every view says of each version


def _all(five: Five) -> Iterator[tuple[Host, str, Story]]:
    for address, stories in SITES.items():
        for path, story in stories.items():
            yield five.web.host(address), path, story


def _statuses(five: Five, version: int) -> dict[str, int | None]:
    """What each address that was known then answered at last."""
    found = {}
    for host, path, _ in _all(five):
        stood = _stood(SITES[host.address], path, version)
        if stood is not None:
            found[host.url(path)] = stood.status
    return found


def _links(five: Five, version: int) -> Iterator[tuple[str, str]]:
    """Page and target of every link that the pages of a version hold. What cannot be reached still
    holds what it held."""
    for host, path, story in _all(five):
        held = [shown for shown in map(story.at, range(1, version + 1)) if isinstance(shown, Page)]
        for link in held[-1].links if held else ():
            yield host.url(path), host.url(link)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_page_has_its_status(five: Five, version: int) -> None:
    statuses = _statuses(five, version)
    assert {url: status for url, status, *_ in five.at[version]["pages"]} == statuses
    assert {url: status for url, _, status in five.at[version]["urls"]} == statuses


@pytest.mark.parametrize("version", VERSIONS)
def test_broken_links_are_those_that_lead_nowhere(five: Five, version: int) -> None:
    statuses = _statuses(five, version)
    lost = {url for url, status in statuses.items() if status in (404, 410, 503, None)}
    if version == 2:
        lost.add(five.web.url("/round"))
    wanted = {(page, link, None) for page, link in _links(five, version) if link in lost}
    if five.web.url("/gone") in lost:
        wanted.add((five.web.url(), five.web.url("/to-gone"), five.web.url("/gone")))
    told = {(page, link, end) for page, link, end in five.at[version]["broken_links"]}
    assert told == wanted


@pytest.mark.parametrize("version", VERSIONS)
def test_redirects_are_told_hop_by_hop(five: Five, version: int) -> None:
    statuses = _statuses(five, version)
    wanted = {
        (host.url(path), 1, host.url(shown.to), shown.status, statuses[host.url(shown.to)])
        for host, path, story in _all(five)
        if isinstance(shown := story.at(version), Other) and shown.to
    }
    assert set(five.at[version]["redirects"]) == wanted


@pytest.mark.parametrize("version", VERSIONS)
def test_counts_are_those_of_what_stood_there(five: Five, version: int) -> None:
    told, statuses = five.at[version], _statuses(five, version)
    for address in SITES:
        here = [status for url, status in statuses.items() if five.web.host(address).url() in url]
        good, bad = here.count(200), sum(1 for status in here if status and status >= 400)
        errors = here.count(None) + (version == 2 and address == MAIN)  # the redirect to itself
        assert (address, len(here), good, bad, errors) in [
            (host.partition(":")[0], *counts[:4]) for host, *counts in told["host_summary"]
        ]
    summary = Counter()  # type: ignore[var-annotated]
    for _, _, status, urls in told["crawl_summary"]:
        summary[status] += urls
    assert summary == Counter(statuses.values())
    assert [row[0] for row in told["depth_histogram"]] == [len(statuses)]


SKIPPED = {4: [("/forbidden", "robots")], 5: [("/forbidden", "robots")]}
TWINS = {1: 2, 2: 2, 3: 2}
CANONICALS = {3: "/plain/3", 4: "/plain/3", 5: "/plain/4"}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_other_view_tells_the_version(five: Five, version: int) -> None:
    told, url = five.at[version], five.web.url
    skipped = [(url(path), reason) for path, reason in SKIPPED.get(version, [])]
    assert told["skipped_urls"] == skipped
    assert told["duplicate_titles"] == ([("Twin", 2)] if version in TWINS else [])
    assert told["duplicate_pages"] == ([(2, url("/twin/a"))] if version in TWINS else [])
    canonical = CANONICALS.get(version)
    mismatches = [(url("/canonical"), url(canonical), 200)] if canonical else []
    assert told["canonical_mismatches"] == mismatches
    assert told["missing_metadata"] == []
    assert told["noindex"] == ([(url("/noindex"),)] if version >= 3 else [])
    down = ("failed", "connect_refused", None) if version == 3 else ("done", None, 200)
    ends = {MAIN: ("done", None, 200), WEATHER: ("done", None, 200), SHUT: down}
    wanted = [(five.web.host(address).url(), *end) for address, end in ends.items()]
    assert told["seed_summary"] == wanted


def test_the_file_is_whole_after_all_of_it(five: Five) -> None:
    check_whole(five.database)
