"""What does each table and each column mean?

Said once: in ``columns_help`` of every file, in the comments of its tables, and by
``crawler schema``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from crawler.store import (
    analysis,
    cookies,
    extracts,
    kept_changes,
    machines,
    plan,
    rendering,
    search_index,
    shards,
)

TIME = "ISO-8601, UTC"
MS, S, BYTES, FLAG = "ms", "s", "bytes", "0 or 1"
STATUS = "HTTP status"
LATER = "filled by an analysis of the crawl; NULL until then"


class Table(msgspec.Struct, frozen=True):
    """row: what a row is. columns: what each means, with its unit where it has one."""

    row: str
    columns: dict[str, str | tuple[str, str]]


HELP: dict[str, Table] = {
    "runs": Table(
        "one run: an invocation of crawler crawl on this file",
        {
            "id": "its number; later runs have greater ones",
            "started_at": ("when it began", TIME),
            "finished_at": ("when it ended; NULL while it runs, or when it was killed", TIME),
            "state": "running, finished, interrupted or failed",
            "finish_reason": "why it ended: finished, or the limit that was reached, or killed",
            "config": ("all settings it ran under", "JSON"),
            "judging": ("the settings its verdicts were made by; empty while some are by others",
                        "JSON"),
            "seeds_file": "the file its seeds came from, or the archives that it brought in",
            "version": "the crawler's version",
            "pid": "its process",
            "pages": ("pages it fetched", "pages"),
            "errors": ("URLs that failed in it", "URLs"),
            "bytes": ("what it received", BYTES),
            "via": "crawl, or import: its pages were fetched by others, as their visits say when",
        },
    ),
    "seeds": Table(
        "a line of a run's seeds that is no comment",
        {
            "id": "its number",
            "run_id": "the run (runs.id)",
            "line": "its line in the file, from 1",
            "text": "as it was written",
            "url_id": "the URL it names (urls.id); NULL when it is none",
            "scheme_assumed": ("it was written without https:// or http://", FLAG),
            "error": "why it is no address",
        },
    ),
    "hosts": Table(
        "a host name, and how fast it may be asked",
        {
            "id": "its number",
            "host": "the name, or the address, of URLs",
            "registered_domain": "the part of the name that can be bought (example.co.uk)",
            "own": ("it is the person's own: private, and allowed", FLAG),
            "ip": "the address last connected to",
            "delay_ms": ("the rest between two requests, as it was last", MS),
            "penalty_ms": ("what of it 429 and 503 have brought about", MS),
            "next_fetch_at": ("not to be asked before", TIME),
            "blocked_until": ("it asked for rest, or is parked, until then", TIME),
            "block_reason": "why it rests",
            "errors_in_row": ("failures since its last answer", "errors"),
            "queued": ("its URLs that wait", "URLs"),
            "pages": ("its pages that were fetched, or given up", "pages"),
            "stored_bytes": ("roughly what is stored of it: bodies, texts, links", BYTES),
        },
    ),
    "origins": Table(
        "a scheme, host and port, and what its robots.txt said",
        {
            "id": "its number",
            "origin": "such as https://example.org",
            "host_id": "its host (hosts.id)",
            "robots_status": ("what robots.txt answered", STATUS),
            "robots_error": "why it could not be had",
            "robots_fetched_at": ("when it was asked for; NULL to ask anew", TIME),
            "robots_body": "its text as it was sent, without content coding",
            "robots_agent": "the agent whose rules were read from it",
            "robots_rules": "these rules, as they are kept",
            "robots_widened": "lines that forbid more than they say, because there are too many",
            "crawl_delay": ("the Crawl-delay that holds for this crawler", S),
            "login_state": "its login in the present run: in, failed, doubt, over (logged out)",
            "login_detail": "why it failed, or which page looks as if nobody were logged in",
        },
    ),
    "urls": Table(
        "a URL ever seen, and what became of it",
        {
            "id": "its number; pages.id is the same",
            "url": "as browsers write it, without fragment",
            "hash": "a hash of it, below 2^63",
            "host_id": "its host (hosts.id); NULL for mailto: and the like",
            "origin_id": "its origin (origins.id)",
            "kind": "what it is fetched as: page, robots, sitemap, feed, check, asset or login",
            "state": "queued, done (answered, whatever the status), failed or skipped",
            "reason": "why it failed or was skipped; crawler explain WORD tells more",
            "status": ("what it answered last; a 304 stands in visits alone", STATUS),
            "depth": ("clicks from the nearest seed", "clicks"),
            "hops": ("redirects between the link and it", "redirects"),
            "priority": "lower ones are fetched first; seeds have 0",
            "attempts": ("tries in the present run", "tries"),
            "not_before": ("its next try waits until then", TIME),
            "via": "the kind of the link that brought it, or archive",
            "found_on_id": "a page that links to it (urls.id)",
            "first_seen_at": ("when it was first seen", TIME),
            "run_id": "the run that first saw it (runs.id)",
        },
    ),
    "query_paths": Table(
        "a path with many queries; past scope.max_queries_per_path they are a trap",
        {
            "origin_id": "origins.id",
            "path": "the URLs up to their question mark",
            "queries": ("how many were taken, in all runs", "URLs"),
        },
    ),
    "scopes": Table(
        "a part of the web that the seeds brought into the crawl",
        {
            "key": "a host, a domain or a folder, as scope.mode has it",
            "run_id": "the last run whose seeds brought it (runs.id)",
        },
    ),
    "visits": Table(
        "one request and its answer: the history of every URL",
        {
            "id": "its number; later visits have greater ones",
            "run_id": "the run (runs.id)",
            "url_id": "what was asked for (urls.id)",
            "kind": "what for: page, robots, sitemap, feed, check, asset or login",
            "method": "GET or HEAD; POST of a login",
            "attempt": ("which try it was; 0: none, for want of its robots.txt", "tries"),
            "started_at": ("when it began", TIME),
            "status": ("what was answered; NULL when nothing was", STATUS),
            "error": "why no whole answer came; crawler explain WORD tells more",
            "error_detail": "the same, for people",
            "note": "what is odd about an answer that is none the worse for it",
            "ip": "the address connected to",
            "http_version": "1.0, 1.1 or 2",
            "dns_ms": ("to resolve the name; NULL on a kept connection", MS),
            "connect_ms": ("to connect", MS),
            "tls_ms": ("to secure the connection", MS),
            "ttfb_ms": ("from the request to the first byte", MS),
            "total_ms": ("all of it", MS),
            "wire_bytes": ("of the body as it was sent", BYTES),
            "body_bytes": ("of the body when it is unpacked", BYTES),
            "truncated": "why the document is not whole: length, disconnect, time, parse ...",
            "content_type": "the media type, looked at, not only declared",
            "charset": "the encoding it was read in",
            "etag": "the ETag header",
            "last_modified": "the Last-Modified header",
            "headers": ("all headers; NULL on a 304", "JSON"),
            "redirect_to_id": "where a redirect leads (urls.id)",
            "not_modified": ("304: the document is as it was", FLAG),
            "body_id": "what was sent (bodies.id)",
            "title": "the title it had",
            "text_hash": "a hash of the visible text",
            "canonical": "the canonical it named",
            "tls_version": "such as TLSv1.3",
            "tls_cipher": "the cipher suite",
            "tls_weak": ("no longer recommended by RFC 9325", FLAG),
            "certificate_until": ("when the certificate ends that the connection was made with; "
                                  "NULL on a kept one", TIME),
            "challenge": "a wall in place of the page; NULL for a page",
            "worker_id": "the machine that asked (workers.id); NULL for the one that has the file",
            "changed": ("1: it may have found something new, 0: all is as it was before", FLAG),
        },
    ),
    "pages": Table(
        "a URL fetched as a page, as of its last visit: what people query",
        {
            "id": "the number of its URL (urls.id)",
            "url": "its address",
            "host_id": "its host (hosts.id)",
            "depth": ("clicks from the nearest seed", "clicks"),
            "status": ("what it answered last", STATUS),
            "error": "why the last visit brought no whole answer",
            "content_type": "the media type, looked at, not only declared",
            "title": "its title",
            "description": "its meta description",
            "h1": "its first heading of the first level that is not empty",
            "lang": "the language it declares",
            "canonical": "the address it names as its own",
            "meta_robots": "what it asks of robots (meta robots and X-Robots-Tag)",
            "word_count": ("words of visible text", "words"),
            "text_hash": "a hash of the visible text",
            "body_bytes": ("of the body when it is unpacked", BYTES),
            "ttfb_ms": ("from the request to the first byte", MS),
            "fetched_at": ("when it was last visited", TIME),
            "document_at": ("when the document was fetched that the row describes", TIME),
            "first_seen_at": ("when it was first fetched", TIME),
            "changed_at": ("when its text or bytes were first seen as they are now", TIME),
            "visits": ("how often it was visited", "visits"),
            "etag": "the ETag header of the document",
            "last_modified": "the Last-Modified header of the document",
            "body_id": "the bytes of the document (bodies.id)",
            "inlinks": (f"links to it; {LATER}", "links"),
            "outlinks": ("links on it", "links"),
            "link_score": f"how well it is linked; {LATER}",
            "document_status": ("what the document answered that the row describes", STATUS),
            "partial": "why the document is not whole; NULL when it is",
            "made_under": "a hash of the settings that the document was made under",
            "challenge": "a wall in place of the page; NULL for a page",
            "rendered": ("its facts, text and links are those that a browser shows", FLAG),
        },
    ),
    "bodies": Table(
        "one distinct body in one reading",
        {
            "id": "its number",
            "sha256": ("of the unpacked body", "hexadecimal digits"),
            "body_bytes": ("when it is unpacked", BYTES),
            "body": "as a zlib stream; NULL where bodies are not kept (store.bodies)",
            "content_type": "the media type it was read as",
            "charset": "the encoding it was read in",
        },
    ),
    "texts": Table(
        "the visible text of a body",
        {"body_id": "the body (bodies.id)", "text": "what a reader sees"},
    ),
    "links": Table(
        "one occurrence of a link on the last good version of a page",
        {
            "source_id": "the page that carries it (urls.id)",
            "position": "its place among the links of the page, from 0",
            "target_id": "where it leads (urls.id)",
            "kind": "a, img, script, canonical and so on",
            "anchor": "its visible text; the alt text of an image",
            "rel": "its rel attribute",
            "nofollow": ("it, or the page, asks not to be followed", FLAG),
            "fragment": "what stood behind #",
            "region": "nav, header, main or footer, where it stands in one",
            "via": "source, rendered or both: where it stands, of a page that was rendered",
        },
    ),
    "sitemap_entries": Table(
        "an entry of a sitemap or feed",
        {
            "sitemap_id": "the sitemap (urls.id)",
            "url_id": "what it names (urls.id)",
            "lastmod": "as written",
            "priority": "as written, 0.0 to 1.0",
            "changefreq": "as written",
        },
    ),
    "columns_help": Table(
        "a column of a table",
        {
            "table": "the table",
            "column": "the column",
            "meaning": "what stands there",
            "unit": "in which unit or form; NULL where there is none",
        },
    ),
}  # fmt: skip
"""Every table that people may ask, in the order in which they are best read."""


def _meanings(columns: Mapping[str, analysis.Column]) -> dict[str, str | tuple[str, str]]:
    return {name: meaning for name, (_, meaning) in columns.items()}


HELP |= {
    name: Table(analysis.ROWS[name], _meanings(columns))
    for name, columns in analysis.TABLES.items()
}
HELP |= {
    name: Table(extracts.ROWS[name], _meanings(columns))
    for name, columns in extracts.TABLES.items()
}
HELP |= {
    name: Table(search_index.ROWS[name], _meanings(columns))
    for name, columns in search_index.TABLES.items()
}
HELP |= {name: Table(plan.ROWS[name], _meanings(columns)) for name, columns in plan.TABLES.items()}
HELP |= {
    name: Table(kept_changes.ROWS[name], _meanings(columns))
    for name, columns in kept_changes.TABLES.items()
}
HELP |= {
    name: Table(cookies.ROWS[name], _meanings(columns)) for name, columns in cookies.TABLES.items()
}
HELP |= {
    name: Table(rendering.ROWS[name], _meanings(columns))
    for name, columns in rendering.TABLES.items()
}
HELP |= {
    name: Table(shards.ROWS[name], _meanings(columns))
    for name, columns in (shards.TABLES | shards.LATER_TABLES).items()
}
HELP["shard"].columns.update(_meanings(shards.CRAWL))
HELP |= {
    name: Table(machines.ROWS[name], _meanings(columns))
    for name, columns in machines.TABLES.items()
}
HELP["pages"].columns.update(_meanings(analysis.PAGES))


def rows() -> Iterator[tuple[str, str, str, str | None]]:
    """Table, column, meaning, unit."""
    for table, about in HELP.items():
        for column, said in about.columns.items():
            meaning, unit = (said, None) if isinstance(said, str) else said
            yield table, column, meaning, unit


_TABLE = re.compile(r'CREATE TABLE "?(\w+)"? \(')
_COLUMN = re.compile(r'"?(\w+)"?')


def annotated(statement: str) -> str:
    """A CREATE TABLE with a comment above it and above each column that has a line of its own."""
    found = _TABLE.search(statement)
    about = HELP.get(found[1]) if found else None
    if about is None:
        return statement
    lines = []
    for line in statement.splitlines():
        name = _COLUMN.match(line.lstrip())
        said = about.columns.get(name[1]) if name else None
        indent = line[: len(line) - len(line.lstrip())]
        if line.lstrip().startswith("CREATE TABLE"):
            lines += [line, f"{indent}    -- a row: {about.row}"]
        elif said is None:
            lines.append(line)
        else:
            meaning = said if isinstance(said, str) else f"{said[0]} ({said[1]})"
            lines += [f"{indent}-- {meaning}", line]
    return "\n".join(lines)


def refresh(connection: Any) -> None:
    """Tell in ``columns_help`` what this version's columns mean; within a transaction."""
    wanted = list(rows())
    if connection.execute("SELECT * FROM columns_help ORDER BY rowid").fetchall() == wanted:
        return
    connection.execute("DELETE FROM columns_help")
    connection.executemany("INSERT INTO columns_help VALUES (?, ?, ?, ?)", wanted)
