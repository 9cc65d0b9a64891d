"""Which cookies go on from one run to the next?

Written down by a crawl that keeps some; whoever has the file can use them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from crawler.policy.cookies import Cookie
from crawler.store.analysis import Column, create

COOKIES: Final[Mapping[str, Column]] = {
    "name": ("TEXT NOT NULL", "its name"),
    "value": ("TEXT NOT NULL", "what is sent back: may let its bearer in"),
    "domain": ("TEXT NOT NULL", "the host that it is for"),
    "path": ("TEXT NOT NULL", "the beginning of the paths that it is for"),
    "host_only": ("INTEGER NOT NULL", "1 when it is for no name below the domain"),
    "secure": ("INTEGER NOT NULL", "1 when it is for https alone"),
    "http_only": ("INTEGER NOT NULL", "1 when scripts may not see it"),
    "expires": ("REAL", "epoch seconds; none for the end of a browser's session"),
    "created": ("REAL NOT NULL", "epoch seconds when it was first set"),
}
TABLES: Final = {"cookies": COOKIES}
ROWS: Final = {"cookies": "a cookie that a site has set, where site.NAME.cookies keeps them"}
"""What a row is, by table."""


def statements() -> list[str]:
    """What brings them into a file."""
    return [create(name, columns, None) for name, columns in TABLES.items()]


def kept(connection: Any) -> list[Cookie]:
    """All of earlier runs."""
    rows = connection.execute(f"SELECT {', '.join(COOKIES)} FROM cookies").fetchall()
    return [
        Cookie(
            name, value, domain, path, bool(host_only), bool(secure), bool(http_only), expires,
            created,
        )
        for name, value, domain, path, host_only, secure, http_only, expires, created in rows
    ]  # fmt: skip


def keep(connection: Any, cookies: Iterable[Cookie]) -> None:
    """These, in place of those that were kept."""
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("DELETE FROM cookies")
    connection.executemany(
        f"INSERT INTO cookies ({', '.join(COOKIES)}) VALUES ({', '.join('?' * len(COOKIES))})",
        map(msgspec.structs.astuple, cookies),
    )
    connection.execute("COMMIT")
