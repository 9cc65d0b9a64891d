"""Which pages of a series do not lead to the next and the one before?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from crawler.analyse.check import Check, Found, Limits
from crawler.store.database import Connection

_STEPS: Final = """
    WITH named AS MATERIALIZED (
        SELECT source_id, target_id, kind
        FROM links
        WHERE kind IN ('next', 'prev')
    ),
    steps AS MATERIALIZED (
        SELECT DISTINCT named.source_id, named.target_id, named.kind
        FROM named
        CROSS JOIN good_pages ON good_pages.id = named.source_id
    )
"""
_NEXT: Final = f"""{_STEPS}
    SELECT source_id, min(target_id)
    FROM steps
    WHERE kind = 'next'
    GROUP BY source_id
    ORDER BY source_id
"""


def _steps(condition: str, *evidence: str) -> str:
    """Steps to a target of which this holds; pages may have no row of what was never asked for."""
    columns = "".join(f", {name}" for name in evidence)
    return f"""{_STEPS}
        SELECT steps.source_id AS url_id, target.url AS item, steps.kind{columns}
        FROM steps
        JOIN urls AS target ON target.id = steps.target_id
        LEFT JOIN pages AS page ON page.id = target.id
        WHERE {condition}
    """


def _loops(connection: Connection, _limits: Limits) -> Iterator[Found]:
    """Pages from which rel=next leads back to themselves."""
    following = dict(connection.execute(_NEXT).fetchall())
    judged: set[int] = set()
    for start in following:
        way: dict[int, None] = {}
        here: int | None = start
        while here is not None and here not in judged and here not in way:
            way[here] = None
            here = following.get(here)
        if here is not None and here in way:
            members = list(way)[list(way).index(here) :]
            for member in members:
                yield member, "", {"pages": len(members), "next_id": following[member]}
        judged.update(way)


CHECKS: Final = (
    Check(
        name="series_bad_status",
        severity="error",
        definition="rel=next or prev leads to what does not answer 200",
        sql=_steps(
            "target.state = 'failed' OR target.state = 'done' AND target.status <> 200",
            "target.status",
            "target.reason",
        ),
    ),
    Check(
        name="series_unlinked",
        severity="warning",
        definition="no good page has an anchor to what rel=next or prev leads to",
        sql=_steps("page.status = 200 AND page.inlinks = 0", "page.inlinks"),
    ),
    Check(
        name="series_not_in_anchor",
        severity="warning",
        definition="the page itself has no anchor to what its rel=next or prev leads to",
        sql=_steps("""
            NOT EXISTS (
                SELECT 1
                FROM links
                WHERE links.source_id = steps.source_id
                    AND links.target_id = steps.target_id
                    AND links.kind IN ('a', 'area')
            )
        """),
    ),
    Check(
        name="series_loop",
        severity="warning",
        definition="rel=next leads from a page over others back to itself",
        find=_loops,
    ),
    Check(
        name="series_sequence",
        severity="note",
        definition="a page names another as next, which does not name it as prev",
        sql=f"""{_STEPS}
            SELECT steps.source_id AS url_id, target.url AS item, (
                SELECT group_concat(other.url, ' ')
                FROM steps AS odd
                JOIN urls AS other ON other.id = odd.target_id
                WHERE odd.source_id = steps.target_id AND odd.kind = 'prev'
            ) AS its_prev
            FROM steps
            JOIN good_pages AS target ON target.id = steps.target_id
            LEFT JOIN steps AS back
                ON back.source_id = steps.target_id
                AND back.target_id = steps.source_id
                AND back.kind = 'prev'
            WHERE steps.kind = 'next' AND back.source_id IS NULL
        """,
    ),
    Check(
        name="series_multiple",
        severity="warning",
        definition="a page names more than one other as next, or as prev",
        sql=f"""{_STEPS}
            SELECT source_id AS url_id, kind AS item, count(*) AS targets
            FROM steps
            GROUP BY source_id, kind
            HAVING count(*) > 1
        """,
    ),
    Check(
        name="series_nonindexable",
        severity="warning",
        definition="a page of a series is noindex, or names another page as its canonical",
        sql=f"""{_STEPS},
            members AS (
                SELECT source_id AS id
                FROM steps
                UNION
                SELECT target_id
                FROM steps
            )
            SELECT good_pages.id AS url_id, good_pages.indexability_reason AS reason,
                good_pages.meta_robots, good_pages.canonical
            FROM members
            JOIN good_pages ON good_pages.id = members.id
            WHERE good_pages.indexability_reason IN ('noindex', 'canonical')
        """,
    ),
)
