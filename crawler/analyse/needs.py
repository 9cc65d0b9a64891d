"""Can a check be made of this crawl, and if not, why not?

A check whose needs are not met is not silent: ``runs_checks`` says what was missing.
"""

from __future__ import annotations

from typing import Final

from crawler.store.database import Connection

AUTHORITY: Final = (
    "substr(url, instr(url, '://') + 3, instr(substr(url, instr(url, '://') + 3), '/') - 1)"
)
"""Name and port in a ``url``."""
NEEDS: Final[dict[str, tuple[str, str]]] = {
    "facts": (
        "SELECT EXISTS (SELECT 1 FROM facts WHERE error IS NULL)",
        "no page of HTML was read",
    ),
    "headers": (
        "SELECT EXISTS (SELECT 1 FROM visits WHERE headers IS NOT NULL AND kind = 'page')",
        "no page has answered",
    ),
    "assets": (
        "SELECT EXISTS (SELECT 1 FROM runs WHERE json_extract(config, '$.scope.check')"
        " LIKE '%assets%' OR json_extract(config, '$.assets.mode') IN ('check', 'fetch'))",
        "no images, scripts and so on were asked for (--assets check)",
    ),
    "external": (
        "SELECT EXISTS (SELECT 1 FROM runs WHERE json_extract(config, '$.scope.check')"
        " LIKE '%external%')",
        "no links that leave were asked for (--check external)",
    ),
    "texts": (
        "SELECT EXISTS (SELECT 1 FROM texts)",
        "no visible text was kept (store.texts)",
    ),
    "sitemaps": (
        "SELECT EXISTS (SELECT 1 FROM sitemap_entries)",
        "no sitemap was read",
    ),
    "sitemaps_asked": (
        "SELECT EXISTS (SELECT 1 FROM visits WHERE kind = 'sitemap')"
        " OR EXISTS (SELECT 1 FROM sitemap_entries)",
        "no sitemap was asked for (robots.sitemaps)",
    ),
    "robots": (
        "SELECT EXISTS (SELECT 1 FROM origins WHERE robots_fetched_at IS NOT NULL)",
        "no robots.txt was asked for",
    ),
    "earlier_run": (
        "SELECT count(*) > 1 FROM runs",
        "there is no earlier run to compare with",
    ),
    "earlier_crawl": (
        "SELECT EXISTS (SELECT 1 FROM runs WHERE finish_reason = 'finished'"
        " AND id < (SELECT max(id) FROM runs))",
        "there is no earlier run that came to its end",
    ),
    "earlier_audit": (
        "SELECT EXISTS (SELECT 1 FROM runs_checks WHERE judged = 1"
        " AND run_id < (SELECT max(id) FROM runs))",
        "no earlier run was audited",
    ),
    "both_schemes": (
        f"SELECT EXISTS (SELECT 1 FROM pages WHERE url LIKE 'http:%' AND {AUTHORITY} IN"
        f" (SELECT {AUTHORITY} FROM pages WHERE url LIKE 'https:%'))",
        "nothing was asked over http of a host that was asked over https",
    ),
    "earlier_counts": (
        "SELECT EXISTS (SELECT 1 FROM runs_checks JOIN runs ON runs.id = runs_checks.run_id"
        " WHERE runs.finish_reason = 'finished' AND runs.id < (SELECT max(id) FROM runs))",
        "no earlier run that came to its end was audited",
    ),
    "signatures": (
        "SELECT EXISTS (SELECT 1 FROM facts WHERE signature IS NOT NULL)",
        "no main text was long enough to be compared, or rensa is not installed",
    ),
    "languages": (
        "SELECT EXISTS (SELECT 1 FROM facts WHERE language IS NOT NULL)",
        "no language was detected; install crawler[language], then: crawler analyse",
    ),
    "certificates": (
        "SELECT EXISTS (SELECT 1 FROM visits WHERE certificate_until IS NOT NULL)",
        "no connection over https has told when its certificate ends",
    ),
    "rendered": (
        "SELECT EXISTS (SELECT 1 FROM renders WHERE coalesce(error, '') <> 'render_refused')",
        "no page was looked at as a browser shows it (--render shells)",
    ),
    "probe": ("SELECT 0", "that takes a request of its own, which is never made"),
}
"""By word: SQL that tells whether it is there, and what to say where it is not."""


def unmet(connection: Connection, needs: tuple[str, ...]) -> str | None:
    """Why a check with these needs cannot be made, or None."""
    for need in needs:
        sql, reason = NEEDS[need]
        if not connection.execute(sql).fetchone()[0]:
            return reason
    return None
