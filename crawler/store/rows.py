"""Which fact stands in which column?

A line for each column: its name, and where its value is found. Statement and row are made of the
lines once, when this is imported, so that a row costs what a tuple written by hand costs (0.35 us
for a visit; with attrgetter it is 1.4). A new fact is one line here and one in the schema.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

import msgspec

from crawler.store.clock import iso  # noqa: F401  # stands in the expressions of columns

Row = tuple[object, ...]

MAX_VALIDATOR = 2000
"""Characters of an ETag or a date that are kept: more than is ever sent back, and not so much that
confirming pages fills the disk, which no limit of a host counts."""


def cut(validator: str | None) -> str | None:
    """What is kept of an ETag or a date."""
    return validator if validator is None else validator[:MAX_VALIDATOR]


class Table(msgspec.Struct, frozen=True):
    """The rows that are written of a table.

    insert: the statement for a new row. row: makes the values of one from the facts it is made of,
    which are named in the order in which they are given.
    """

    insert: str
    row: Callable[..., Row]


def table(
    name: str, facts: str, columns: Mapping[str, str], *, known: str = "", also: str = ""
) -> Table:
    """A table whose rows are made from `facts` (names, by spaces) as `columns` says: by column an
    expression of these names.

    known: what to do where the row is there already: nothing is said here of columns that keep
    their first value. also: other columns that change then.
    """
    places = ", ".join("?" * len(columns))
    insert = f"INSERT INTO {name} (\n{_lines(columns)}\n) VALUES ({places})\n{known}{also}"
    values = ", ".join(columns.values())
    # The lines above are the only source of this text: nothing of the web's ever reaches it.
    row: Callable[..., Row] = eval(f"lambda {', '.join(facts.split())}: ({values},)")
    return Table(insert.strip(), row)


def _lines(columns: Mapping[str, str]) -> str:
    return ",\n".join(f"    {column}" for column in columns)


def replacing(columns: Mapping[str, str], first: frozenset[str]) -> str:
    """The clause that gives a row that is there all new values but for the `first` ones."""
    changing = [f"    {name} = excluded.{name}" for name in columns if name not in first]
    return "ON CONFLICT (id) DO UPDATE SET\n" + ",\n".join(changing)


VISITS = table(
    "visits",
    "run_id url_id visit reply document job error redirect_to_id headers not_modified body_id "
    "changed",
    {
        "run_id": "run_id",
        "url_id": "url_id",
        "kind": "job.kind",
        "method": "job.method",
        "attempt": "job.attempt",
        "started_at": "visit.started_at",
        "status": "reply.status",
        "error": "error",
        "error_detail": "reply.error_detail",
        "note": "reply.note",
        "ip": "reply.ip",
        "http_version": "reply.http_version",
        "dns_ms": "reply.dns_ms",
        "connect_ms": "reply.connect_ms",
        "tls_ms": "reply.tls_ms",
        "tls_version": "reply.tls_version",
        "tls_cipher": "reply.tls_cipher",
        "tls_weak": "reply.tls_weak",
        "certificate_until": "reply.certificate_until and iso(reply.certificate_until)",
        "ttfb_ms": "reply.ttfb_ms",
        "total_ms": "reply.total_ms",
        "wire_bytes": "reply.wire_bytes",
        "body_bytes": "visit.body_bytes",
        "truncated": "reply.truncated or document.truncated",
        "challenge": "document.challenge",
        "content_type": "document.content_type",
        "charset": "document.charset",
        "etag": "cut(reply.header('etag'))",
        "last_modified": "cut(reply.header('last-modified'))",
        "headers": "headers",
        "redirect_to_id": "redirect_to_id",
        "not_modified": "not_modified",
        "body_id": "body_id",
        "title": "document.title",
        "text_hash": "document.text_hash",
        "canonical": "document.canonical",
        "changed": "changed",
        "worker_id": "visit.worker or None",
    },
)

_PAGE = {
    "id": "entry.id",
    "url": "entry.url",
    "host_id": "entry.host_id",
    "depth": "depth",
    "status": "reply.status",
    "error": "ruling.error",
    "content_type": "document.content_type",
    "title": "document.title",
    "description": "document.description",
    "h1": "document.h1",
    "lang": "document.lang",
    "canonical": "document.canonical",
    "meta_robots": "document.meta_robots",
    "word_count": "document.word_count",
    "text_hash": "document.text_hash",
    "body_bytes": "visit.body_bytes",
    "ttfb_ms": "reply.ttfb_ms",
    "fetched_at": "visit.started_at",
    "document_at": "document_at",
    "first_seen_at": "visit.started_at",
    "changed_at": "changed_at",
    "etag": "cut(reply.header('etag'))",
    "last_modified": "cut(reply.header('last-modified'))",
    "body_id": "body_id",
    "outlinks": "outlinks",
    "document_status": "reply.status if ruling.is_good else None",
    "partial": "ruling.partial",
    "made_under": "ruling.made_under",
    "challenge": "document.challenge",
    "rendered": "is_rendered",
}

PAGES = table(
    "pages",
    "entry visit reply document ruling depth document_at changed_at body_id outlinks is_rendered",
    _PAGE,
    known=replacing(_PAGE, frozenset({"id", "url", "host_id", "first_seen_at"})),
    also=",\n    visits = visits + 1",
)

URLS = table(
    "urls",
    "id target host_id origin_id kind state reason depth hops priority via found_on_id now run_id",
    {
        "id": "id",
        "url": "target.url",
        "hash": "target.hash",
        "host_id": "host_id",
        "origin_id": "origin_id",
        "kind": "kind",
        "state": "state",
        "reason": "reason",
        "depth": "depth",
        "hops": "hops",
        "priority": "priority",
        "via": "via",
        "found_on_id": "found_on_id",
        "first_seen_at": "now",
        "run_id": "run_id",
    },
)

SEEDS = table(
    "seeds",
    "run_id seed url_id scheme_assumed",
    {
        "run_id": "run_id",
        "line": "seed.line",
        "text": "seed.text",
        "url_id": "url_id",
        "scheme_assumed": "scheme_assumed",
        "error": "seed.error",
    },
)

SITEMAP_ENTRIES = table(
    "sitemap_entries",
    "sitemap_id url_id item",
    {
        "sitemap_id": "sitemap_id",
        "url_id": "url_id",
        "lastmod": "item.lastmod",
        "priority": "item.priority",
        "changefreq": "item.changefreq",
    },
    known="ON CONFLICT DO NOTHING",
)

RENDERS = table(
    "renders",
    "visit_id about raw body_id",
    {
        "visit_id": "visit_id",
        "error": "about.error",
        "done_by": "about.done_by",
        "cpu_ms": "about.cpu_ms",
        "total_ms": "about.total_ms",
        "final_url": "about.final_url",
        "body_id": "body_id",
        "body_bytes": "about.body_bytes",
        "raw_title": "raw.title",
        "raw_description": "raw.description",
        "raw_h1": "raw.h1",
        "raw_canonical": "raw.canonical",
        "raw_meta_robots": "raw.meta_robots",
        "raw_word_count": "raw.word_count",
        "raw_text_hash": "raw.text_hash",
        "raw_links": "about.raw_links",
    },
)

REQUESTS = table(
    "requests",
    "visit_id position target_id need headers body_id",
    {
        "visit_id": "visit_id",
        "position": "position",
        "target_id": "target_id",
        "type": "need.type",
        "method": "need.method",
        "started_at": "need.started_at",
        "status": "need.status",
        "reason": "need.reason",
        "cached": "need.cached",
        "ip": "need.ip",
        "http_version": "need.http_version",
        "total_ms": "need.total_ms",
        "wire_bytes": "need.wire_bytes",
        "body_bytes": "need.body_bytes",
        "content_type": "need.content_type",
        "headers": "headers",
        "body_id": "body_id",
    },
)

CONSOLE = table(
    "console",
    "visit_id position said",
    {
        "visit_id": "visit_id",
        "position": "position",
        "level": "said.level",
        "text": "said.text",
        "url": "said.url",
        "line": "said.line",
    },
)

SCREENSHOTS = table(
    "screenshots",
    "visit_id picture",
    {
        "visit_id": "visit_id",
        "media_type": "picture.media_type",
        "width": "picture.width",
        "height": "picture.height",
        "image": "picture.image",
    },
)

ALWAYS_IN_LINKS = ("source_id", "position", "target_id", "kind")
OPTIONAL_IN_LINKS = {
    "anchor": "anchors",
    "rel": "rels",
    "nofollow": "nofollows",
    "fragment": "fragments",
    "region": "regions",
    "via": "vias",
}
"""Columns of ``links`` by their column of `LinkColumns`. They are left out where no link of a page
has anything there: what is not bound costs nothing (0.8 us a link with the anchor alone, 1.3 us
with all). Links go from columns into the statement without a row in between."""


@lru_cache(maxsize=1 << len(OPTIONAL_IN_LINKS))
def insert_links(names: tuple[str, ...]) -> str:
    """The statement for links that have these columns besides those that all have."""
    columns = (*ALWAYS_IN_LINKS, *names)
    return f"""
        INSERT INTO links ({", ".join(columns)})
        VALUES ({", ".join("?" * len(columns))})
    """
