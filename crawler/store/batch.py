"""What does one transaction write?

Rows are gathered here and written at once; what they say has been decided before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain, compress, count, repeat
from operator import attrgetter
from typing import Any

import msgspec

from crawler.model import Document, LinkColumns, Need, Rendering, Reply, Visit
from crawler.store import rows, space
from crawler.store.contract import HostPace, Settled
from crawler.store.database import Connection
from crawler.store.rendering import TEXT_BYTES
from crawler.store.rows import Row

_optional: Callable[[LinkColumns], tuple[list[Any], ...]] = attrgetter(
    *rows.OPTIONAL_IN_LINKS.values()
)


class Batch:
    """The rows of one transaction, by table, and what the conductor is told of it.

    redirected: ids of URLs that redirect on, by visits of this transaction.
    """

    def __init__(self, connection: Connection, run_id: int) -> None:
        self._connection = connection
        self._run_id = run_id
        self.clear()

    def __repr__(self) -> str:
        return f"<Batch {len(self._visits)} visits, {len(self._pages)} pages>"

    def clear(self) -> None:
        """Begin anew."""
        self.settled = Settled()
        self.redirected: set[int] = set()
        self._visits: list[Row] = []
        self._pages: list[Row] = []
        self._links: dict[tuple[str, ...], list[Iterable[Row]]] = {}
        self._texts: list[Row] = []
        self._facts: list[tuple[int, bytes]] = []
        self._sitemap_entries: list[Row] = []
        self._robots_fates: list[Row] = []

    def body(self, visit: Visit, *, texts: bool) -> tuple[int | None, int]:
        """The row of a visit's body, read as this media type and charset, with its text where
        `texts`; and roughly the bytes that are new on the disk. What an earlier visit was not to
        keep of it is kept now."""
        if visit.body_sha256 is None:
            return None, 0
        document = visit.document
        key = (visit.body_sha256.hex(), document.content_type or "", document.charset or "")
        execute = self._connection.execute
        row = execute(INSERT_BODY, (*key, visit.body_bytes, visit.body)).fetchone()
        known = row is None
        stored = 0 if known else len(visit.body or b"")
        if known:
            row = execute(FIND_BODY, key).fetchone()
        body_id = int(row[0])
        if is_shown(visit):
            return body_id, stored  # text and facts are of what was shown
        return body_id, stored + self._told(body_id, document, stored, texts=texts, known=known)

    def shown_body(self, visit: Visit, *, texts: bool) -> tuple[int | None, int]:
        """The same of what a browser showed, where that is anything else than what was sent."""
        about = visit.rendering
        if about is None or about.body_sha256 is None:
            return None, 0
        key = (about.body_sha256.hex(), "text/html", "utf-8")
        body_id, stored = self._keep_body(key, about.body_bytes, about.body)
        told = self._told(body_id, visit.document, stored, texts=texts, known=not stored)
        return body_id, stored + told

    def _told(
        self, body_id: int, document: Document, stored: int, *, texts: bool, known: bool
    ) -> int:
        """Keep what a body says; roughly the bytes that are new on the disk."""
        taken = 0
        if document.text is not None and texts:
            self._texts.append((body_id, document.text))
            taken += len(document.text) if stored else 0
        if document.facts is not None:
            self._facts.append((body_id, document.facts))
            taken += 0 if known else len(document.facts)
        return taken

    def visit(
        self, visit: Visit, url_id: int, *, error: str | None, redirect_to: int | None = None,
        body_id: int | None = None, not_modified: bool = False, changed: bool = True,
    ) -> int:  # fmt: skip
        """A line of history; returns roughly what it takes on the disk beyond the usual.

        changed: it may have found something else than the visit before.
        """
        reply, document, job = visit.reply, visit.document, visit.job
        headers = None if not_modified else _headers(reply)
        self._visits.append(
            rows.VISITS.row(
                self._run_id, url_id, visit, reply, document, job, error, redirect_to,
                headers, not_modified, body_id, changed,
            )
        )  # fmt: skip
        return space.of_visit(headers)

    def rendering(self, about: Rendering, *, target_ids: Sequence[int], body_id: int | None) -> int:
        """What a browser made of the page of the visit before; returns roughly what it takes.

        target_ids: rows of what it asked for. body_id: of what it showed, where that is kept.
        """
        # Rows beside a visit bear its number, so it is written now; few visits have such.
        self._connection.executemany(rows.VISITS.insert, self._visits)
        self._visits.clear()
        (visit_id,) = self._connection.execute("SELECT last_insert_rowid()").fetchone()
        execute, many = self._connection.execute, self._connection.executemany
        execute(rows.RENDERS.insert, rows.RENDERS.row(visit_id, about, about.raw, body_id))
        taken = TEXT_BYTES
        needed: list[Row] = []
        for position, need in enumerate(about.needs):
            need_body, stored = self._body_of_need(need)
            headers = folded_headers(need.headers) if need.headers else None
            taken += TEXT_BYTES + stored + len(headers or "")
            target_id = target_ids[position]
            needed.append(
                rows.REQUESTS.row(visit_id, position, target_id, need, headers, need_body)
            )
        many(rows.REQUESTS.insert, needed)
        many(
            rows.CONSOLE.insert,
            [rows.CONSOLE.row(visit_id, at, said) for at, said in enumerate(about.console)],
        )
        taken += sum(len(said.text) + TEXT_BYTES // 4 for said in about.console)
        if about.picture is not None:
            execute(rows.SCREENSHOTS.insert, rows.SCREENSHOTS.row(visit_id, about.picture))
            taken += len(about.picture.image)
        return taken

    def _body_of_need(self, need: Need) -> tuple[int | None, int]:
        if need.body_sha256 is None:
            return None, 0
        key = (need.body_sha256.hex(), need.content_type or "", "")
        return self._keep_body(key, need.body_bytes, need.body)

    def _keep_body(
        self, key: tuple[str, str, str], size: int, body: bytes | None
    ) -> tuple[int, int]:
        """The row of a body, and the bytes that are new on the disk."""
        row = self._connection.execute(INSERT_BODY, (*key, size, body)).fetchone()
        if row is not None:
            return int(row[0]), len(body or b"")
        return int(self._connection.execute(FIND_BODY, key).fetchone()[0]), 0

    def page(self, row: Row) -> None:
        """The row that people query."""
        self._pages.append(row)

    def links(self, source_id: int, ids: list[int], links: LinkColumns) -> int:
        """The links of a page, whose targets have these ids; returns how many there are."""
        columns = _optional(links)
        found = zip(
            repeat(source_id),
            count(),
            map(ids.__getitem__, links.targets),
            links.kinds,
            *filter(None, columns),
            strict=False,
        )
        names = tuple(compress(rows.OPTIONAL_IN_LINKS, columns))
        self._links.setdefault(names, []).append(found)
        return len(links)

    def sitemap_entry(self, row: Row) -> None:
        """What a sitemap says of a URL."""
        self._sitemap_entries.append(row)

    def robots_fate(self, row: Row) -> None:
        """State, reason, status and attempts of a robots.txt, and its id."""
        self._robots_fates.append(row)

    def missed(self, origin_id: int, at: str, error: str) -> None:
        """The pages of an origin that wait, and were held before, could not even be asked for."""
        self._connection.execute(INSERT_MISSED, (self._run_id, at, error, origin_id))
        self._connection.execute(MISSED_PAGES, (error, origin_id))

    def write(self) -> None:
        """Write what was gathered; what is settled stays."""
        many = self._connection.executemany
        many(rows.VISITS.insert, self._visits)
        many(INSERT_TEXT, self._texts)
        if self._facts:
            from crawler.store import facts  # only where bodies are not kept

            facts.keep_packed(self._connection, self._facts)
        for names, found in self._links.items():
            many(rows.insert_links(names), chain.from_iterable(found))
        many(rows.SITEMAP_ENTRIES.insert, self._sitemap_entries)
        many(UPDATE_ROBOTS_FATE, self._robots_fates)
        many(rows.PAGES.insert, self._pages)
        settled, redirected = self.settled, self.redirected
        self.clear()
        self.settled, self.redirected = settled, redirected

    def write_paces(self, paces: Sequence[HostPace]) -> None:
        """How hosts are paced now."""
        self._connection.executemany(UPDATE_PACE, map(msgspec.structs.astuple, paces))

    def count_run(self) -> None:
        """Add to the run's own counts."""
        settled = self.settled
        self._connection.execute(
            COUNT_RUN, (settled.pages, settled.errors, settled.bytes, self._run_id)
        )


def is_shown(visit: Visit) -> bool:
    """Is the document what a browser showed, and something else than what was sent?"""
    return visit.rendering is not None and visit.rendering.body_sha256 is not None


def _headers(reply: Reply) -> str | None:
    return None if reply.status is None else folded_headers(reply.headers)


def folded_headers(headers: Sequence[tuple[str, str]]) -> str:
    """Headers as a JSON object: lower-case names, a list where a name came more than once."""
    folded: dict[str, Any] = {name.lower(): value for name, value in headers}
    if len(folded) == len(headers):
        return msgspec.json.encode(folded).decode()
    folded = {}
    for name, value in headers:
        key = name.lower()
        if key not in folded:
            folded[key] = value
        elif isinstance(folded[key], list):
            folded[key].append(value)
        else:
            folded[key] = [folded[key], value]
    return msgspec.json.encode(folded).decode()


INSERT_BODY = """
    INSERT INTO bodies (sha256, content_type, charset, body_bytes, body)
    VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (sha256, content_type, charset) DO UPDATE
    SET body = excluded.body
    WHERE bodies.body IS NULL AND excluded.body IS NOT NULL
    RETURNING id
"""

FIND_BODY = """
    SELECT id
    FROM bodies
    WHERE sha256 = ? AND content_type = ? AND charset = ?
"""

INSERT_TEXT = """
    INSERT INTO texts (body_id, text)
    VALUES (?, ?)
    ON CONFLICT (body_id) DO UPDATE
    SET text = excluded.text
    WHERE length(excluded.text) > length(texts.text)
"""

INSERT_MISSED = """
    INSERT INTO visits (run_id, url_id, kind, method, attempt, started_at, error, error_detail)
    SELECT ?, urls.id, 'page', 'GET', 0, ?, ?, 'its robots.txt could not be had'
    FROM urls
    JOIN pages ON pages.id = urls.id
    WHERE urls.origin_id = ? AND urls.state = 'queued'
"""

MISSED_PAGES = """
    UPDATE pages
    SET status = NULL, error = ?
    WHERE id IN (SELECT id FROM urls WHERE origin_id = ? AND state = 'queued')
"""

UPDATE_ROBOTS_FATE = """
    UPDATE urls
    SET state = ?, reason = ?, status = ?, attempts = ?
    WHERE id = ? AND kind IN ('robots', 'login')
"""

UPDATE_PACE = """
    UPDATE hosts
    SET own = ?2, ip = coalesce(?3, ip), delay_ms = ?4, next_fetch_at = ?5, blocked_until = ?6,
        block_reason = ?7, errors_in_row = ?8, penalty_ms = ?9
    WHERE id = ?1
"""

COUNT_RUN = """
    UPDATE runs
    SET pages = pages + ?, errors = errors + ?, bytes = bytes + ?
    WHERE id = ?
"""
