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
from crawler.faces.dashboard import shown as seen
from crawler.faces.dashboard.counts import Ask as CountAsk
from crawler.policy.urls import host_of
from crawler.store import audit as store_audit
from crawler.store import figures, free_sql, looks, queries, shown
from crawler.store.database import Connection
from crawler.store.looks import Look, look

MAX_SOURCE: Final = 200_000
"""Characters of a body or a text that are shown."""
MAX_HEADERS: Final = 1024 * 1024
MAX_PACKED: Final = 64 * 1024 * 1024
"""Bytes of headers and of a packed body that are looked into."""
PLACE_S: Final = 5.0
_PLACES: Final = BoundedSemaphore(2)
"""For people's own SQL: each process may use a core and `free_sql.MEMORY_BYTES`."""


class Missing(Exception):
    """There is no such page."""


class Asked(msgspec.Struct, frozen=True):
    """What a browser asked for."""

    path: str
    query: dict[str, str]

    @property
    def rest(self) -> str:
        """What stands behind the name of a page in its path."""
        return self.path.strip("/").partition("/")[2]

    def word(self, name: str) -> str:
        """A parameter; empty where it is not given."""
        return self.query.get(name, "")[:1000]

    def number(self, name: str) -> int:
        """A parameter as a number from 0; 0 where it is none."""
        text = self.word(name)
        return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


Ask = Callable[[Connection, Asked], dict[str, Any]]
Counted = Callable[[Asked], dict[str, CountAsk]]
Apart = Callable[[Path, Asked], dict[str, Any]]


class View(msgspec.Struct, frozen=True):
    """A page: the part of the menu that it belongs to, its template, what it asks, which counts it
    shows, and what is asked in other processes, by the path of the file."""

    section: str
    template: str
    ask: Ask
    counts: Counted = lambda _asked: {}
    apart: Apart = lambda _path, _asked: {}


def find(asked: Asked) -> View:
    """The page of a path. Raises Missing."""
    first, _, rest = asked.path.strip("/").partition("/")
    view = (_WITH_NAME if rest else _PLAIN).get(first)
    if view is None:
        raise Missing(f"there is no page {asked.path}")
    return view


class Whole(msgspec.Struct, frozen=True):
    """What has to be looked for in all of a crawl. values: of the SQL's parameters."""

    sql: str
    values: tuple[tuple[str, Any], ...] = ()
    limit: int = looks.ROWS

    def __call__(self, connection: Connection) -> Look:
        """Look for it, as long as it takes, within bounds."""
        return look(
            connection, self.sql, dict(self.values), limit=self.limit,
            budget_s=looks.COUNT_BUDGET_S,
        )  # fmt: skip


_AS_FOUND: Final = looks.PAGE_ORDERS["found"]


def states(connection: Connection) -> dict[str, int]:
    """URLs by state."""
    return dict(Whole(looks.STATES)(connection).rows)


def _charts(connection: Connection) -> list[tuple[figures.Figure, Look]]:
    return [(figure, Whole(figure.sql, limit=12)(connection)) for figure in figures.CHARTS]


_ERRORS: Final = Whole(looks.SKIPPED, (("state", "failed"),))
_SKIPPED: Final = Whole(looks.SKIPPED, (("state", "skipped"),))
_SLOWEST: Final = Whole(looks.SLOWEST_HOSTS, limit=10)


def _of_overview(_asked: Asked) -> dict[str, CountAsk]:
    return {"states": states, "charts": _charts, "errors": _ERRORS, "slowest": _SLOWEST}


def _of_hosts(_asked: Asked) -> dict[str, CountAsk]:
    return {"slowest": _SLOWEST}


def _of_host(asked: Asked) -> dict[str, CountAsk]:
    return {"errors": Whole(looks.HOST_ERRORS, (("host", asked.rest),))}


def _of_queue(asked: Asked) -> dict[str, CountAsk]:
    state = _state(asked)
    wanted = {"state": state, "reason": asked.word("reason"), "q": asked.word("q")}
    values = (*wanted.items(), ("after", asked.number("after")))
    return {
        "states": states,
        "reasons": _ERRORS if state == "failed" else _SKIPPED,
        "urls": Whole(looks.SKIPPED_URLS, values),
    }


def _of_pages(asked: Asked) -> dict[str, CountAsk]:
    status = asked.word("status")
    like = f"{status[0]}%" if status in {"2xx", "3xx", "4xx", "5xx"} else status
    order = looks.PAGE_ORDERS.get(asked.word("sort"), _AS_FOUND)
    values = (("q", asked.word("q")), ("status", like), ("after", asked.number("after")))
    if not (asked.word("q") or status) and order == _AS_FOUND:
        return {}
    return {"pages": Whole(looks.PAGES.format(order=order), values)}


def _of_findings(_asked: Asked) -> dict[str, CountAsk]:
    return {"told": _audit}


def _of_runs(_asked: Asked) -> dict[str, CountAsk]:
    return {"changes": Whole(looks.CHANGES), "changed": Whole(looks.CHANGED, limit=100)}


def _of_map(asked: Asked) -> dict[str, CountAsk]:
    prefix = asked.word("prefix")
    if not prefix:
        return {"tree": Whole(looks.SITES, limit=300)}
    values = (("prefix", prefix), ("host", host_of(prefix)))
    return {"tree": Whole(looks.TREE, values, limit=300)}


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
    name = asked.rest
    host = look(connection, looks.HOST, {"host": name}).first
    if host is None:
        raise Missing(f"no host {name} was met")
    of_host = {"host_id": host["id"]}
    origins = connection.execute(looks.ORIGINS, of_host | {"most": MAX_SOURCE})
    columns = [column[0] for column in origins.description]
    return {
        "host": host,
        "origins": [_readable(dict(zip(columns, row, strict=True))) for row in origins.fetchall()],
    }


def _readable(origin: dict[str, Any]) -> dict[str, Any]:
    body = origin["robots_body"]
    if isinstance(body, bytes):
        body = body.decode("utf-8", "replace")
    return origin | {"robots_body": body and body[:MAX_SOURCE]}


def _state(asked: Asked) -> str:
    return "failed" if asked.word("state") == "failed" else "skipped"


def _queue(connection: Connection, asked: Asked) -> dict[str, Any]:
    return {"next": look(connection, looks.NEXT), "state": _state(asked)}


def _pages(connection: Connection, asked: Asked) -> dict[str, Any]:
    order = looks.PAGE_ORDERS.get(asked.word("sort"), _AS_FOUND)
    told = {"orders": looks.PAGE_ORDERS, "sorted": order != _AS_FOUND}
    if _of_pages(asked):
        return told
    values = {"q": "", "status": "", "after": asked.number("after")}
    return told | {"pages": look(connection, looks.PAGES.format(order=order), values)}


def _page(connection: Connection, asked: Asked) -> dict[str, Any]:
    number = _number(asked)
    url = look(connection, looks.URL, {"id": number}).first
    if url is None:
        raise Missing(f"no URL has the number {asked.rest}")
    of_page = {"id": number}
    page = look(connection, looks.PAGE, of_page).first
    of_body = {"body_id": page and page["body_id"]}
    headers = connection.execute(looks.HEADERS, of_page | {"most": MAX_HEADERS}).fetchone()
    facts = look(connection, looks.FACTS, of_body).first
    of_browser = seen.of_page(connection, page)
    sent_id = of_browser and of_browser.render["sent_body_id"]
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
        "shown": of_browser,
        "sent": _source(connection, {"body_id": sent_id})
        if sent_id and sent_id != of_body["body_id"]
        else None,
    }


def _number(asked: Asked) -> int:
    """The number that ends a path; 0 where it is none."""
    text = asked.rest
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


def picture(connection: Connection, asked: Asked) -> shown.Picture:
    """What a page looks like. Raises Missing."""
    found = shown.picture(connection, _number(asked))
    if found is None:
        raise Missing(f"no picture is kept of a page {asked.rest}")
    return found


def _headers(written: str) -> list[tuple[str, str]]:
    told = msgspec.json.decode(written)
    pairs = told.items() if isinstance(told, dict) else told
    return [(str(name), str(value)) for name, value in pairs]


def _text(connection: Connection, of_body: Mapping[str, Any]) -> str:
    row = connection.execute(looks.TEXT, {**of_body, "most": MAX_SOURCE}).fetchone()
    return "" if row is None else str(row[0])


def _source(connection: Connection, of_body: Mapping[str, Any]) -> str | None:
    """A body as it is read, its beginning; None where none is kept."""
    row = connection.execute(looks.BODY, {**of_body, "most_packed": MAX_PACKED}).fetchone()
    if row is None or row[0] is None:
        return None
    body = zlib.decompressobj().decompress(row[0], MAX_SOURCE)
    try:
        return body.decode(row[1] or "utf-8", "replace")
    except LookupError:
        return body.decode("utf-8", "replace")


def _findings(_connection: Connection, _asked: Asked) -> dict[str, Any]:
    return {}


def _audit(connection: Connection) -> dict[str, Any]:
    try:
        return {"audit": store_audit.audit(connection), "why": ""}
    except UsageError as error:  # not analysed yet
        return {"audit": None, "why": str(error)}


def _finding(connection: Connection, asked: Asked) -> dict[str, Any]:
    return {"check": _check(connection, asked)}


def _check(connection: Connection, asked: Asked) -> store_audit.Definition:
    try:
        return store_audit.definition(connection, asked.rest)
    except UsageError as error:
        raise Missing(str(error)) from None


def _of_finding(asked: Asked) -> dict[str, CountAsk]:
    return {"found": Whole(looks.FINDINGS, (("name", asked.rest),), limit=300)}


def _runs(connection: Connection, _asked: Asked) -> dict[str, Any]:
    return {"runs": look(connection, looks.RUNS, limit=100)}


def _map(connection: Connection, asked: Asked) -> dict[str, Any]:
    prefix = asked.word("prefix")
    if prefix and look(connection, looks.HOST, {"host": host_of(prefix)}).first is None:
        raise Missing(f"no host of {prefix} was met")
    return {"prefix": prefix, "above": _above(prefix) if prefix else []}


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
    "": View("overview", "dashboard/overview.html", _overview, _of_overview),
    "hosts": View("hosts", "dashboard/hosts.html", _hosts, _of_hosts),
    "queue": View("queue", "dashboard/queue.html", _queue, _of_queue),
    "pages": View("pages", "dashboard/pages.html", _pages, _of_pages),
    "findings": View("findings", "dashboard/findings.html", _findings, _of_findings),
    "runs": View("runs", "dashboard/runs.html", _runs, _of_runs),
    "map": View("map", "dashboard/map.html", _map, _of_map),
    "sql": View("sql", "dashboard/sql.html", _sql, apart=_asked_freely),
}
_WITH_NAME: Final[Mapping[str, View]] = {
    "hosts": View("hosts", "dashboard/host.html", _host, _of_host),
    "pages": View("pages", "dashboard/page.html", _page),
    "findings": View("findings", "dashboard/finding.html", _finding, _of_finding),
}
