"""How does a database come to hold a million analysed pages, and what does it cost to ask it?

Hosts of 10,000 pages, each a tree: a page links to its parent, its children, its neighbours and the
sections of its host, twenty links in all. The rows are written straight into the tables, facts
too, as two crawls would have left them: crawling so many takes hours. Faults are sown by number.

    python -m tests.bench.million FILE PAGES      # prints what took how many seconds, as JSON
"""

from __future__ import annotations

import crawler._patch  # isort: skip  # noqa: F401  # must come before every other import

import json
import random
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from crawler.analyse.checks import CHECKS
from crawler.analyse.run import analyse
from crawler.config import Config
from crawler.policy.urls import identity
from crawler.store.analysis import VERSION
from crawler.store.database import Connection, open_for_reading, open_for_writing
from crawler.store.views import VIEWS
from crawler.store.writer import close_for_readers

PER_HOST: Final = 10_000
BRANCHES: Final = 10
ASSETS: Final = 50
"""Of a host: images, scripts, style sheets."""
EXTERNAL: Final = 20_000
DOMAINS: Final = 2_000
SIGNATURE_BYTES: Final = 512
SEEN: Final = "2026-01-01T00:00:00.000Z"
AGAIN: Final = "2026-02-01T00:00:00.000Z"
HEADERS: Final = msgspec.json.encode(
    {
        "content-type": "text/html; charset=utf-8",
        "server": "nginx",
        "cache-control": "max-age=600",
        "content-encoding": "gzip",
        "last-modified": "Thu, 01 Jan 2026 00:00:00 GMT",
        "x-content-type-options": "nosniff",
        "vary": "Accept-Encoding",
    }
).decode()
WORDS: Final = (
    *("harbour", "light", "keeper", "tide", "anchor", "signal", "lantern", "vessel", "pilot"),
    *("channel", "beacon", "chart", "compass", "storm", "mooring", "jetty"),
)
GONE, MOVED, SILENT, HIDDEN, ELSEWHERE, UNTITLED, TWICE, MUTE, COPY, ALIKE, CUT, FILLER, BARE = (
    range(7, 20)
)
"""What is wrong with a page, by its number modulo 1,000."""


def build(database: Path, pages: int) -> None:
    """Write a file that holds so many pages, a multiple of 10,000."""
    connection = open_for_writing(database)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("BEGIN IMMEDIATE")
    for table, rows in _tables(pages):
        _insert(connection, table, rows)
    connection.execute("COMMIT")
    close_for_readers(connection, database, None, ended_well=True)


def _insert(connection: Connection, table: str, rows: Iterator[dict[str, object]]) -> None:
    first = next(rows)
    places = ", ".join(f":{name}" for name in first)
    statement = f"INSERT INTO {table} ({', '.join(first)}) VALUES ({places})"
    connection.execute(statement, first)
    connection.executemany(statement, rows)


def _tables(pages: int) -> Iterable[tuple[str, Iterator[dict[str, object]]]]:
    hosts = pages // PER_HOST
    yield "runs", _runs()
    yield "hosts", _hosts(hosts)
    yield "origins", _origins(hosts)
    yield "urls", _urls(pages, hosts)
    yield "seeds", _seeds(hosts)
    yield "bodies", _bodies(pages)
    yield "texts", _texts(pages)
    yield "pages", _pages(pages)
    yield "visits", _visits(pages)
    yield "links", _links(pages, hosts)
    yield "sitemap_entries", _sitemap_entries(pages, hosts)
    yield "facts", _facts(pages)
    yield "headings", _headings(pages)
    yield "meta_tags", _meta_tags(pages)
    yield "link_facts", _link_facts(pages)
    yield "structured_data", _structured_data(pages)


# where things are: pages come first, then what else has an address


def _origin(host: int) -> str:
    return f"http://site{host:04}.example"


def _url(page: int) -> str:
    host, place = divmod(page, PER_HOST)
    return f"{_origin(host)}/" + (
        f"s{place % 10}/t{place // 10 % 100}/p{place}.html" if place else ""
    )


def _assets_at(pages: int) -> int:
    return pages + 1


def _external_at(pages: int, hosts: int) -> int:
    return _assets_at(pages) + hosts * ASSETS


def _sitemaps_at(pages: int, hosts: int) -> int:
    return _external_at(pages, hosts) + EXTERNAL


def _depth(place: int) -> int:
    depth = 0
    while place:
        place, depth = (place - 1) // BRANCHES, depth + 1
    return depth


def _fault(page: int) -> int:
    return page % 1000


def _has_document(page: int) -> bool:
    return _fault(page) not in (GONE, MOVED, SILENT)


def _documents(pages: int) -> Iterator[int]:
    return filter(_has_document, range(pages))


def _status(page: int) -> int | None:
    return {GONE: 404, MOVED: 301, SILENT: None}.get(_fault(page), 200)


# rows, table by table


def _runs() -> Iterator[dict[str, object]]:
    config = msgspec.json.encode(Config()).decode()
    for number, at in ((1, SEEN), (2, AGAIN)):
        yield {
            "id": number, "started_at": at, "finished_at": at, "state": "finished",
            "finish_reason": "finished", "config": config, "judging": "{}",
            "seeds_file": "seeds.txt", "version": "0.1.0",
        }  # fmt: skip


def _hosts(hosts: int) -> Iterator[dict[str, object]]:
    for host in range(hosts):
        name = f"site{host:04}.example"
        yield {"id": host + 1, "host": name, "registered_domain": name, "pages": PER_HOST}
    for domain in range(DOMAINS):
        name = f"other{domain:04}.example"
        yield {"id": hosts + 1 + domain, "host": name, "registered_domain": name, "pages": 0}


def _origins(hosts: int) -> Iterator[dict[str, object]]:
    for host in range(hosts):
        yield {
            "id": host + 1, "origin": _origin(host), "host_id": host + 1, "robots_status": 200,
            "robots_fetched_at": SEEN,
        }  # fmt: skip


def _urls(pages: int, hosts: int) -> Iterator[dict[str, object]]:
    for page in range(pages):
        silent = _fault(page) == SILENT
        yield _address(
            page + 1, _url(page), page // PER_HOST + 1, state="failed" if silent else "done",
            reason="timeout" if silent else None, status=_status(page),
            depth=_depth(page % PER_HOST), via="a" if page % PER_HOST else "seed",
        )  # fmt: skip
    for at in range(hosts * ASSETS):
        url = f"{_origin(at // ASSETS)}/files/{at % ASSETS}.{('png', 'js', 'css')[at % 3]}"
        yield _address(
            _assets_at(pages) + at, url, at // ASSETS + 1, reason="not_followed", via="img"
        )
    for at in range(EXTERNAL):
        url = f"http://other{at % DOMAINS:04}.example/{at}"
        yield _address(
            _external_at(pages, hosts) + at, url, hosts + 1 + at % DOMAINS, reason="scope"
        )
    for host in range(hosts):
        yield _address(
            _sitemaps_at(pages, hosts) + host, f"{_origin(host)}/sitemap.xml", host + 1,
            state="done", status=200, kind="sitemap",
        )  # fmt: skip


def _address(
    number: int,
    url: str,
    host: int,
    *,
    state: str = "skipped",
    reason: str | None = None,
    status: int | None = None,
    depth: int = 1,
    via: str = "a",
    kind: str = "page",
) -> dict[str, object]:
    return {
        "id": number, "url": url, "hash": identity(url), "host_id": host, "kind": kind,
        "state": state, "reason": reason, "status": status, "depth": depth, "attempts": 1,
        "via": via, "found_on_id": 1, "first_seen_at": SEEN, "run_id": 1,
    }  # fmt: skip


def _seeds(hosts: int) -> Iterator[dict[str, object]]:
    for run in (1, 2):
        for host in range(hosts):
            yield {
                "run_id": run, "line": host + 1, "text": f"{_origin(host)}/",
                "url_id": host * PER_HOST + 1,
            }  # fmt: skip


def _bodies(pages: int) -> Iterator[dict[str, object]]:
    for page in _documents(pages):
        yield {
            "id": page + 1, "sha256": f"{identity(str(page)):064x}", "body_bytes": 20_000,
            "content_type": "text/html", "charset": "utf-8",
        }  # fmt: skip


def _texts(pages: int) -> Iterator[dict[str, object]]:
    chance = random.Random(1)
    for page in _documents(pages):
        words = " ".join(chance.choices(WORDS, k=150))
        said = " lorem ipsum dolor" if _fault(page) == FILLER else ""
        yield {"body_id": page + 1, "text": f"Page {page} {words}{said}"}


def _pages(pages: int) -> Iterator[dict[str, object]]:
    for page in range(pages):
        yield {
            "id": page + 1, "url": _url(page), "host_id": page // PER_HOST + 1,
            "depth": _depth(page % PER_HOST), "status": _status(page),
            "error": "timeout" if _fault(page) == SILENT else None, "ttfb_ms": 5.0 + page % 997,
            "fetched_at": AGAIN, "first_seen_at": SEEN, "visits": 2, **_document(page),
        }  # fmt: skip


def _document(page: int) -> dict[str, object]:
    """What the row of a page tells of its document."""
    there, fault = _has_document(page), _fault(page)
    said = {
        "content_type": "text/html",
        "title": None if fault == UNTITLED else _title(page),
        "description": None
        if fault == MUTE
        else f"What there is to know of number {page}, in short",
        "h1": f"Number {page}",
        "lang": "en",
        "canonical": _url(page - 1 if fault == ELSEWHERE else page),
        "meta_robots": "noindex" if fault == HIDDEN else None,
        "word_count": 160,
        "text_hash": page - 1 if fault == COPY else page,
        "body_bytes": 20_000 + page % 1009,
        "document_at": SEEN,
        "changed_at": SEEN,
        "body_id": page + 1,
        "outlinks": 20,
        "document_status": 200,
        "partial": "length" if fault == CUT else None,
        "etag": f'"{page}"',
    }
    return {name: value if there else None for name, value in said.items()}


def _title(page: int) -> str:
    return f"All about number {page - 1 if _fault(page) == TWICE else page} of the register"


def _visits(pages: int) -> Iterator[dict[str, object]]:
    for run, at in ((1, SEEN), (2, AGAIN)):
        for page in range(pages):
            there = _has_document(page)
            unchanged = run == 2 and there and page % 10 > 0
            yield {
                "run_id": run, "url_id": page + 1, "kind": "page", "method": "GET", "attempt": 1,
                "started_at": at, "status": 304 if unchanged else _status(page),
                "error": "timeout" if _fault(page) == SILENT else None, "ip": "192.0.2.1",
                "http_version": "1.1", "ttfb_ms": 5.0 + page % 997, "total_ms": 9.0 + page % 997,
                "wire_bytes": 5_000, "body_bytes": 20_000,
                "content_type": "text/html" if there else None,
                "headers": None if unchanged or _fault(page) == SILENT else HEADERS,
                "redirect_to_id": page + 2 if _fault(page) == MOVED else None,
                "not_modified": int(unchanged), "body_id": page + 1 if there else None,
                "title": _title(page) if there else None,
                "text_hash": page + (run == 1 and page % 500 == 0) if there else None,
                "canonical": _url(page) if there else None,
            }  # fmt: skip


def _links(pages: int, hosts: int) -> Iterator[dict[str, object]]:
    for page in _documents(pages):
        for position, (target, kind, anchor, region) in enumerate(_leads(page, pages, hosts)):
            asks = kind == "a" and (page + position) % 400 == 0
            yield {
                "source_id": page + 1, "position": position, "target_id": target, "kind": kind,
                "anchor": anchor, "rel": "nofollow" if asks else None, "nofollow": int(asks),
                "fragment": ("top-of" if page % 5 else "lost") if position == 19 else None,
                "region": region,
            }  # fmt: skip


def _leads(page: int, pages: int, hosts: int) -> Iterator[tuple[int, str, str | None, str | None]]:
    """The twenty links of a page: target, kind, anchor, region."""
    host, place = divmod(page, PER_HOST)
    home = host * PER_HOST + 1
    asset = _assets_at(pages) + host * ASSETS
    yield page + (0 if _fault(page) == ELSEWHERE else 1), "canonical", None, None
    yield asset + 2, "stylesheet", None, None
    yield asset + 1, "script", None, None
    yield asset + place % ASSETS // 3 * 3, "img", None if page % 20 == 0 else "A view", "main"
    for section in range(5):
        yield home + section, "a", f"Section {section}", "nav"
    yield home + max(place - 1, 0) // BRANCHES, "a", "Up", "main"
    for step in range(1, 8):
        child = place * BRANCHES + step
        there = child if child < PER_HOST else (place * 7 + step * 131) % PER_HOST
        generic = "click here" if page % 200 == 0 and step == 1 else f"Number {there}"
        yield home + there, "a", None if page % 100 == step else generic, "main"
    yield home + (place + 1) % PER_HOST, "a", "Next", "main"
    external = _external_at(pages, hosts) + (page * 31) % EXTERNAL
    yield external, "a", "Source", "footer"
    yield home + (place * 3) % PER_HOST, "a", "See there", "main"


def _sitemap_entries(pages: int, hosts: int) -> Iterator[dict[str, object]]:
    for page in range(pages):
        if page % 20:
            yield {
                "sitemap_id": _sitemaps_at(pages, hosts) + page // PER_HOST, "url_id": page + 1,
                "lastmod": f"2025-12-{page % 28 + 1:02}",
            }  # fmt: skip


def _facts(pages: int) -> Iterator[dict[str, object]]:
    for page in _documents(pages):
        fault = _fault(page)
        yield {
            "body_id": page + 1, "version": VERSION, "doctype": 1, "charset": "utf-8",
            "head_ended_by": "body", "lang": "en", "title": _title(page),
            "titles": int(fault != UNTITLED), "titles_outside": 0, "descriptions": 1,
            "descriptions_outside": 0, "robots_outside": 0, "canonical_href": _url(page),
            "canonicals": 1, "canonical_values": 1, "canonicals_outside": 0, "metas_outside": 0,
            "viewport": "width=device-width, initial-scale=1", "og_title": _title(page),
            "jsonld_blocks": 1, "jsonld_invalid": 0, "microdata": 0, "rdfa": 0, "outline": "122",
            "headings_empty": 0, "h1s": 1, "h2s": 2, "ids": "top-of main foot", "forms": 0,
            "passwords": 0, "scripts": 1, "inline_bytes": 300, "frames": 0, "mains": 1,
            "names_missing": int(page % 100 < 10), "pictures_empty": 0, "links_uncrawlable": 0,
            "nodes": 220, "depth": 12, "hidden_words": 0, "newest_date": "2025-12-01",
            "main_words": 5 if fault == BARE else 150, "main_hash": page, "sentences": 12,
            "syllables": 260, "heads": 1, "bodies": 1, "text_first": 0, "anchors": 16,
            "signature": _signature(page - 1 if fault == ALIKE else page),
        }  # fmt: skip


def _signature(page: int) -> bytes:
    return random.Random(page).randbytes(SIGNATURE_BYTES)


def _headings(pages: int) -> Iterator[dict[str, object]]:
    for page in _documents(pages):
        for position, text in enumerate((f"Number {page}", f"Of number {page}", "Literature")):
            yield {
                "body_id": page + 1, "position": position, "level": min(position + 1, 2),
                "text": text, "image_only": 0,
            }  # fmt: skip


def _meta_tags(pages: int) -> Iterator[dict[str, object]]:
    for page in _documents(pages):
        said = [("og:title", _title(page))]
        said += [("robots", "noindex")] if _fault(page) == HIDDEN else []
        for position, (name, content) in enumerate(said):
            yield {
                "body_id": page + 1, "position": position, "name": name, "content": content,
                "in_head": 1,
            }  # fmt: skip


def _link_facts(pages: int) -> Iterator[dict[str, object]]:
    for page in _documents(pages):
        yield {"body_id": page + 1, "position": 3, "width": "600", "height": "400", "flags": None}
        if 1 <= page % 100 <= 7:
            yield {
                "body_id": page + 1, "position": 9 + page % 100, "width": None, "height": None,
                "flags": "unnamed",
            }  # fmt: skip


def _structured_data(pages: int) -> Iterator[dict[str, object]]:
    for page in _documents(pages):
        yield {
            "body_id": page + 1, "position": 0, "syntax": "json-ld", "type": "Article",
            "context": "https://schema.org",
            "data": f'{{"@type":"Article","headline":"Number {page}"}}',
        }  # fmt: skip


# what it costs


def passes(database: Path) -> dict[str, float]:
    """Seconds of each pass of an analysis, and of each check."""
    took: dict[str, float] = {}
    names = list(CHECKS)
    before = time.perf_counter()

    def told(step: str, done: int, _total: int) -> None:
        nonlocal before
        now = time.perf_counter()
        name = f"check {names[done - 1]}" if step == "checks" else f"pass {step}"
        took[name] = took.get(name, 0.0) + now - before
        before = now

    analyse(database, Config(), told, processes=1)
    return took


def first_pages(database: Path) -> dict[str, float]:
    """Seconds until 50 rows of each view are there."""
    took = {}
    connection = open_for_reading(database)
    for view in VIEWS:
        before = time.perf_counter()
        connection.execute(f"SELECT * FROM {view} LIMIT 50").fetchall()
        took[f"view {view}"] = time.perf_counter() - before
    connection.close()
    return took


def main(database: Path, pages: int) -> None:
    """Make the file, analyse it, ask it."""
    before = time.perf_counter()
    build(database, pages)
    took = {"making the file": time.perf_counter() - before}
    print(json.dumps(took | passes(database) | first_pages(database)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
