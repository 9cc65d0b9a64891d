"""What does each robots.txt of the crawl say, line by line?

Of the origins that the crawl was about, not of those that only a link leads to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import msgspec

from crawler.parse.text import clean
from crawler.policy.robots import RECORDS, decoded
from crawler.store.database import Connection

_LINE_END: Final = re.compile(r"\r\n?|\n")
ELSEWHERE: Final = frozenset(
    {
        *("clean-param", "content-signal", "content-usage", "host", "indexpage", "noindex"),
        *("nofollow", "request-rate", "visit-time", "robot-version", "comment", "tdm-reservation"),
        *("tdm-policy", "unavailable_after", "noarchive", "ai-usage", "license"),
    }
)
"""Fields that others read, or used to."""
FILES: Final = """
    WITH crawled AS MATERIALIZED (
        SELECT DISTINCT origin_id
        FROM urls
        WHERE kind = 'page' AND coalesce(reason, '') NOT IN ('scope', 'no_https')
    )
    SELECT urls.id AS url_id, urls.url, origins.id AS origin_id, origins.origin,
        origins.robots_status AS status, origins.robots_error AS error,
        origins.robots_fetched_at AS fetched_at, origins.robots_body AS body
    FROM urls
    JOIN origins ON origins.id = urls.origin_id
    JOIN crawled ON crawled.origin_id = origins.id
    WHERE urls.kind = 'robots'
        AND urls.url = origins.origin || '/robots.txt'
        AND (origins.robots_fetched_at IS NOT NULL OR origins.robots_error IS NOT NULL)
    ORDER BY urls.id
"""
"""Every robots.txt that was asked for."""


class Line(NamedTuple):
    """A line that says something. number: from 1. field: lower case, empty where there is none."""

    number: int
    field: str
    value: str
    text: str


class RobotsFile(msgspec.Struct, frozen=True):
    """One that was there. url_id: its own. lines: without blank ones and comments."""

    url_id: int
    origin_id: int
    origin: str
    body: bytes
    lines: tuple[Line, ...]

    def values(self, *fields: str) -> list[str]:
        """What stands in these fields, in order, each once."""
        return list(dict.fromkeys(line.value for line in self.lines if line.field in fields))

    def agents(self) -> list[str]:
        """Whom its groups name, as written."""
        return self.values(*_AGENTS)

    def sitemaps(self) -> list[str]:
        """The sitemaps that it names, as written."""
        return [value for value in self.values(*_SITEMAPS) if value]


_AGENTS: Final = tuple(name for name, record in RECORDS.items() if record == "agent")
_SITEMAPS: Final = tuple(name for name, record in RECORDS.items() if record == "sitemap")


def robots_files(connection: Connection) -> Iterator[RobotsFile]:
    """Every robots.txt that was there, whatever it says."""
    sql = f"SELECT url_id, origin_id, origin, body FROM ({FILES}) WHERE body IS NOT NULL"
    for url_id, origin_id, origin, body in connection.execute(sql).fetchall():
        yield RobotsFile(url_id, origin_id, origin, body, _lines(body))


def named_sitemaps(connection: Connection) -> Mapping[int, list[str]]:
    """By origin the sitemaps that its robots.txt names, as written."""
    return {file.origin_id: file.sitemaps() for file in robots_files(connection)}


def _lines(body: bytes) -> tuple[Line, ...]:
    lines = []
    for number, text in enumerate(_LINE_END.split(clean(decoded(body))), 1):
        said = text.partition("#")[0].strip()
        if not said:
            continue
        name, colon, value = said.partition(":")
        if not colon:
            name, _, value = said.partition(" ")
        known = colon or (name.lower() in RECORDS and len(said.split()) == 2)
        field = name.strip().lower() if known else ""
        lines.append(Line(number, field, value.strip(), said))
    return tuple(lines)
