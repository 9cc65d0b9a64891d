"""What is told of a page that was looked at as a browser shows it, beside what was sent?

Looks at one page, as those of `looks`; and pictures, which no table of ours holds as text.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from crawler.store.database import Connection

PICTURES: Final = frozenset({"image/jpeg", "image/png", "image/webp"})
"""What is given to a browser as a picture; whatever else a file may say that it is, is none."""

RENDER: Final = """
    SELECT renders.*, visits.body_id AS sent_body_id, screenshots.width, screenshots.height
    FROM page_renders
    JOIN renders ON renders.visit_id = page_renders.visit_id
    JOIN visits ON visits.id = renders.visit_id
    LEFT JOIN screenshots ON screenshots.visit_id = renders.visit_id
    WHERE page_renders.id = :id
"""
LINKS_BY_VIA: Final = """
    SELECT coalesce(sum(via <> 'rendered'), 0) AS sent, coalesce(sum(via <> 'source'), 0) AS shown
    FROM links
    WHERE source_id = :id
"""
REQUESTS: Final = """
    SELECT requests.type, requests.method, urls.id, urls.url, requests.status, requests.reason,
        requests.cached, requests.body_bytes, requests.total_ms
    FROM requests
    JOIN urls ON urls.id = requests.target_id
    WHERE requests.visit_id = :visit_id
    ORDER BY requests.position
"""
CONSOLE: Final = """
    SELECT level, text, url AS script, line
    FROM console
    WHERE visit_id = :visit_id
    ORDER BY position
"""
_PICTURE: Final = """
    SELECT pages.url, screenshots.media_type, screenshots.width, screenshots.height,
        screenshots.image
    FROM page_renders
    JOIN screenshots ON screenshots.visit_id = page_renders.visit_id
    JOIN pages ON pages.id = page_renders.id
"""


class Picture(msgspec.Struct, frozen=True):
    """What the page at an address looked like; width, height: in pixels."""

    url: str
    media_type: str
    width: int
    height: int
    image: bytes


def picture(connection: Connection, page_id: int) -> Picture | None:
    """What a page looked like last; None where no picture is kept."""
    row = connection.execute(f"{_PICTURE} WHERE page_renders.id = ?", (page_id,)).fetchone()
    return None if row is None or row[1] not in PICTURES else Picture(*row)


def pictures(connection: Connection, *, most: int, most_bytes: int) -> list[Picture]:
    """Of the pages nearest to a seed; so many, and of all of them so many bytes, at most."""
    each: dict[str, Any] = {"most": most, "each": most_bytes // most}
    rows = connection.execute(
        f"{_PICTURE} WHERE length(screenshots.image) <= :each ORDER BY pages.depth, pages.id"
        " LIMIT :most",
        each,
    )
    return [Picture(*row) for row in rows if row[1] in PICTURES]
