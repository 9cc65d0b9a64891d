"""What does each robots.txt of the crawl say?

Of the origins that the crawl was about, not of those that only a link leads to.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import chain
from typing import Final

import msgspec

from crawler.parse.text import clean
from crawler.policy.robots import RECORDS, Groups, decoded
from crawler.store.database import Connection

_LINE_END: Final = re.compile(r"\r\n?|\n")
READ: Final = 4
"""Files that are kept as they were read: a dozen checks ask for each, and for 20 agents in it."""
SHOWN: Final = 10
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


class Said(msgspec.Struct, frozen=True):
    """What a file says. lines: how many say something. values: of all fields but those of rules, by
    their names in lower case, in order, each once. unknown: lines without a field that is known.
    such_as: the first of them, each behind its number.
    """

    lines: int
    values: Mapping[str, Mapping[str, None]]
    unknown: int
    such_as: tuple[str, ...]


class RobotsFile(msgspec.Struct, frozen=True):
    """One that was there. url_id: its own. said: without blank lines and comments."""

    url_id: int
    origin_id: int
    origin: str
    body: bytes
    said: Said

    @property
    def groups(self) -> Groups:
        """What it asks of whom."""
        return _groups(self.body)

    def values(self, *fields: str) -> list[str]:
        """What stands in these fields, each once."""
        return list(dict.fromkeys(chain(*(self.said.values.get(one, ()) for one in fields))))

    def agents(self) -> list[str]:
        """Whom its groups name, as written."""
        return self.values(*_AGENTS)

    def sitemaps(self) -> list[str]:
        """The sitemaps that it names, as written."""
        return [value for value in self.values(*_SITEMAPS) if value]


_RULES: Final = ("allow", "disallow")
_AGENTS: Final = tuple(name for name, record in RECORDS.items() if record == "agent")
_SITEMAPS: Final = tuple(name for name, record in RECORDS.items() if record == "sitemap")


def robots_files(connection: Connection) -> Iterator[RobotsFile]:
    """Every robots.txt that was there, whatever it says."""
    sql = f"SELECT url_id, origin_id, origin, body FROM ({FILES}) WHERE body IS NOT NULL"
    for url_id, origin_id, origin, body in connection.execute(sql).fetchall():
        yield RobotsFile(url_id, origin_id, origin, body, _said(body))


def named_sitemaps(connection: Connection) -> Mapping[int, list[str]]:
    """By origin the sitemaps that its robots.txt names, as written."""
    return {file.origin_id: file.sitemaps() for file in robots_files(connection)}


@lru_cache(maxsize=READ)
def _said(body: bytes) -> Said:
    count = unknown = 0
    values: dict[str, dict[str, None]] = defaultdict(dict)
    such_as: list[str] = []
    for number, text in enumerate(_LINE_END.split(clean(decoded(body))), 1):
        said = text.partition("#")[0].strip()
        if not said:
            continue
        count += 1
        name, colon, value = said.partition(":")
        if not colon:
            name, _, value = said.partition(" ")
        field = name.strip().lower()
        if not colon and (field not in RECORDS or len(said.split()) != 2):
            field = ""
        if field not in RECORDS and field not in ELSEWHERE:
            unknown += 1
            if unknown <= SHOWN:
                such_as.append(f"{number}: {said[:100]}")
        elif RECORDS.get(field) not in _RULES:
            values[field][value.strip()] = None
    return Said(count, dict(values), unknown, tuple(such_as))


_groups: Final = lru_cache(maxsize=READ)(Groups)
