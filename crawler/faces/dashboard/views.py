"""Which pages has the dashboard, and what is asked for each?

A page is a path, a template, and a function from a connection to what the template shows. What has
to be counted over a whole crawl is named, and made beside (`counts`).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from gevent.lock import BoundedSemaphore

from crawler.errors import UsageError
from crawler.policy.urls import host_of
from crawler.store import audit as store_audit
from crawler.store import figures, free_sql, looks, queries
from crawler.store.database import Connection
from crawler.store.looks import Look, look

MAX_SOURCE: Final = 200_000
"""Characters of a body or a text that are shown."""
PLACE_S: Final = 5.0
_PLACES: Final = BoundedSemaphore(2)
"""For people's own SQL: each process may use a core and `free_sql.MEMORY_BYTES`."""


class Missing(Exception):
    """There is no such page."""


class Asked(msgspec.Struct, frozen=True):
    """What a browser asked for."""

    path: str
    query: dict[str, str]

    def word(self, name: str) -> str:
        """A parameter; empty where it is not given."""
        return self.query.get(name, "")[:1000]

    def number(self, name: str) -> int:
        """A parameter as a number from 0; 0 where it is none."""
        text = self.word(name)
        return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


Ask = Callable[[Connection, Asked], dict[str, Any]]
Apart = Callable[[Path, Asked], dict[str, Any]]


class View(msgspec.Struct, frozen=True):
    """A page: the part of the menu that it belongs to, its template, what it asks, which counts it
    shows, and what is asked in other processes, by the path of the file."""

    section: str
    template: str
    ask: Ask
    counts: tuple[str, ...] = ()
    apart: Apart = lambda _path, _asked: {}


def find(asked: Asked) -> View:
    """The page of a path. Raises Missing."""
    first, _, rest = asked.path.strip("/").partition("/")
    view = (_WITH_NAME if rest else _PLAIN).get(first)
    if view is None:
        raise Missing(f"there is no page {asked.path}")
    return view


def _whole(sql: str, limit: int = looks.ROWS, **values: Any) -> Callable[[Connection], Look]:
    """A count over all of a crawl."""
    return lambda connection: look(
        connection, sql, values, limit=limit, budget_s=looks.COUNT_BUDGET_S
    )


def _charts(connection: Connection) -> list[tuple[figures.Figure, Look]]:
    return [
        (figure, look(connection, figure.sql, limit=12, budget_s=looks.COUNT_BUDGET_S))
        for figure in figures.CHARTS
    ]


COUNTS: Final[Mapping[str, Callable[[Connection], Any]]] = {
    "states": lambda connection: dict(_whole(looks.STATES)(connection).rows),
    "charts": _charts,
    "errors": _whole(looks.SKIPPED, state="failed"),
    "skipped": _whole(looks.SKIPPED, state="skipped"),
    "slowest": _whole(looks.SLOWEST_HOSTS, limit=10),
    "changes": _whole(looks.CHANGES),
    "changed": _whole(looks.CHANGED, limit=100),
}
"""What takes a while on a large crawl; see `counts`."""


def _overview(connection: Connection, _asked: Asked) -> dict[str, Any]:
    return {"run": queries.last_run(connection)}


def _hosts(connection: Connection, asked: Asked) -> dict[str, Any]:
    order = looks.HOST_ORDERS.get(asked.word("sort"), looks.HOST_ORDERS["queued"])
    values = {"q": asked.word("q").lower()}
    return {
        "hosts": look(connection, looks.HOSTS.format(order=order), values, limit=300),
        "orders": looks.HOST_ORDERS,
    }


def _host(connection: Connection, asked: Asked) -> dict[str, Any]:
    name = asked.path.removeprefix("/hosts/")
    host = look(connection, looks.HOST, {"host": name}).first
    if host is None:
        raise Missing(f"no host {name} was met")
    of_host = {"host_id": host["id"]}
    origins = connection.execute(looks.ORIGINS, of_host)
    columns = [column[0] for column in origins.description]
    return {
        "host": host,
        "origins": [_readable(dict(zip(columns, row, strict=True))) for row in origins.fetchall()],
        "errors": look(connection, looks.HOST_ERRORS, of_host),
    }


def _readable(origin: dict[str, Any]) -> dict[str, Any]:
    body = origin["robots_body"]
    if isinstance(body, bytes):
        body = body.decode("utf-8", "replace")
    return origin | {"robots_body": body and body[:MAX_SOURCE]}


def _queue(connection: Connection, asked: Asked) -> dict[str, Any]:
    state = "failed" if asked.word("state") == "failed" else "skipped"
    values = {
        "state": state, "reason": asked.word("reason"), "q": asked.word("q"),
        "after": asked.number("after"),
    }  # fmt: skip
    return {
        "next": look(connection, looks.NEXT),
        "state": state,
        "urls": look(connection, looks.SKIPPED_URLS, values),
    }


def _pages(connection: Connection, asked: Asked) -> dict[str, Any]:
    status = asked.word("status")
    like = f"{status[0]}%" if status in {"2xx", "3xx", "4xx", "5xx"} else status
    sort = asked.word("sort")
    order = looks.PAGE_ORDERS.get(sort, looks.PAGE_ORDERS["found"])
    values = {"q": asked.word("q"), "status": like, "after": asked.number("after")}
    return {
        "pages": look(connection, looks.PAGES.format(order=order), values),
        "orders": looks.PAGE_ORDERS,
        "sorted": sort in looks.PAGE_ORDERS and sort != "found",
    }


def _page(connection: Connection, asked: Asked) -> dict[str, Any]:
    text = asked.path.removeprefix("/pages/")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0
    url = look(connection, looks.URL, {"id": number}).first
    if url is None:
        raise Missing(f"no URL has the number {text}")
    of_page = {"id": number}
    page = look(connection, looks.PAGE, of_page).first
    of_body = {"body_id": page and page["body_id"]}
    headers = connection.execute(looks.HEADERS, of_page).fetchone()
    facts = look(connection, looks.FACTS, of_body).first
    return {
        "url": url,
        "page": page,
        "facts": facts,
        "links_out": look(connection, looks.LINKS_OUT, of_page, limit=200),
        "links_in": look(connection, looks.LINKS_IN, of_page, limit=200),
        "visits": look(connection, looks.VISITS, of_page),
        "headers": [] if headers is None else _headers(headers[0]),
        "findings": look(connection, looks.OF_PAGE, of_page, limit=200),
        "text": _text(connection, of_body),
        "source": _source(connection, of_body),
    }


def _headers(written: str) -> list[tuple[str, str]]:
    told = msgspec.json.decode(written)
    pairs = told.items() if isinstance(told, dict) else told
    return [(str(name), str(value)) for name, value in pairs]


def _text(connection: Connection, of_body: Mapping[str, Any]) -> str:
    row = connection.execute(looks.TEXT, of_body).fetchone()
    return "" if row is None else str(row[0])[:MAX_SOURCE]


def _source(connection: Connection, of_body: Mapping[str, Any]) -> str | None:
    """A body as it is read, its beginning; None where none is kept."""
    row = connection.execute(looks.BODY, of_body).fetchone()
    if row is None or row[0] is None:
        return None
    body = zlib.decompressobj().decompress(row[0], MAX_SOURCE)
    try:
        return body.decode(row[1] or "utf-8", "replace")
    except LookupError:
        return body.decode("utf-8", "replace")


def _findings(connection: Connection, _asked: Asked) -> dict[str, Any]:
    try:
        audit = store_audit.audit(connection)
    except UsageError as error:
        return {"audit": None, "why": str(error)}
    return {"audit": audit, "why": ""}


def _finding(connection: Connection, asked: Asked) -> dict[str, Any]:
    name = asked.path.removeprefix("/findings/")
    try:
        check = store_audit.definition(connection, name)
    except UsageError as error:
        raise Missing(str(error)) from None
    found = look(
        connection,
        """
        SELECT findings.state, findings.url_id, findings.url, findings.item, findings.evidence
        FROM audit_findings AS findings
        WHERE findings.check_name = :name
        ORDER BY CASE findings.state WHEN 'new' THEN 0 WHEN 'open' THEN 1 ELSE 2 END, findings.url
        """,
        {"name": name},
        limit=300,
    )
    return {"check": check, "found": found}


def _runs(connection: Connection, _asked: Asked) -> dict[str, Any]:
    return {"runs": look(connection, looks.RUNS, limit=100)}


def _map(connection: Connection, asked: Asked) -> dict[str, Any]:
    prefix = asked.word("prefix")
    if not prefix:
        return {"prefix": "", "tree": look(connection, looks.TREE_HOSTS, limit=300), "above": []}
    host = look(connection, looks.HOST, {"host": host_of(prefix)}).first
    if host is None:
        raise Missing(f"no host of {prefix} was met")
    values = {"prefix": prefix, "host_id": host["id"]}
    tree = look(connection, looks.TREE, values, limit=300, budget_s=1.0)
    return {"prefix": prefix, "tree": tree, "above": _above(prefix)}


def _above(prefix: str) -> list[tuple[str, str]]:
    """The folders above one, outermost first: name and prefix."""
    scheme, _, rest = prefix.partition("://")
    parts = rest.rstrip("/").split("/")
    return [
        (part, f"{scheme}://{'/'.join(parts[: place + 1])}/") for place, part in enumerate(parts)
    ]


def _sql(connection: Connection, asked: Asked) -> dict[str, Any]:
    return {
        "written": asked.query.get("q", ""),
        "tables": queries.tables(connection),
        "views": queries.views(connection),
    }


def _asked_freely(path: Path, asked: Asked) -> dict[str, Any]:
    """What a person's own SQL gives, if there is some; few at once, each in its own process."""
    written = asked.query.get("q", "")
    if not written.strip():
        return {"found": None}
    if not _PLACES.acquire(timeout=PLACE_S):
        return {"found": Look(written, error="others are asking; ask again in a moment")}
    try:
        return {"found": free_sql.ask_apart(path, written)}
    finally:
        _PLACES.release()


_PLAIN: Final[Mapping[str, View]] = {
    "": View(
        "overview", "dashboard/overview.html", _overview, ("states", "charts", "errors", "slowest")
    ),
    "hosts": View("hosts", "dashboard/hosts.html", _hosts, ("slowest",)),
    "queue": View("queue", "dashboard/queue.html", _queue, ("states", "errors", "skipped")),
    "pages": View("pages", "dashboard/pages.html", _pages),
    "findings": View("findings", "dashboard/findings.html", _findings),
    "runs": View("runs", "dashboard/runs.html", _runs, ("changes", "changed")),
    "map": View("map", "dashboard/map.html", _map),
    "sql": View("sql", "dashboard/sql.html", _sql, apart=_asked_freely),
}
_WITH_NAME: Final[Mapping[str, View]] = {
    "hosts": View("hosts", "dashboard/host.html", _host),
    "pages": View("pages", "dashboard/page.html", _page),
    "findings": View("findings", "dashboard/finding.html", _finding),
}
