"""Which robots.txt are missing or broken, and what do they ask that their site may not mean?

Findings stand at the robots.txt itself, one a host.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from crawler.analyse.check import Check, Found, Limits
from crawler.analyse.checks.robots_files import FILES, SHOWN, robots_files
from crawler.parse.text import clean
from crawler.policy import robots, word_diff
from crawler.policy.robots import Asked
from crawler.policy.urls import resolve
from crawler.store.database import Connection
from crawler.store.packing import unpacked

ENGINES: Final = (
    *("Googlebot", "Bingbot", "YandexBot", "Yandex", "Baiduspider", "DuckDuckBot", "Slurp"),
    *("Applebot", "Sogou", "Qwantbot", "SeznamBot", "PetalBot", "Yeti"),
)
"""Agents of search engines."""
READERS: Final = (
    *("GPTBot", "ChatGPT-User", "OAI-SearchBot", "ClaudeBot", "Claude-User", "Claude-SearchBot"),
    *("anthropic-ai", "CCBot", "Google-Extended", "Applebot-Extended", "PerplexityBot"),
    *("Perplexity-User", "Bytespider", "Amazonbot", "Meta-ExternalAgent", "FacebookBot"),
    *("cohere-ai", "Diffbot", "omgili", "ImagesiftBot", "MistralAI-User", "DuckAssistBot"),
)
"""Agents that gather for language models, or are one's."""
_ALL: Final = frozenset({"-/", "-/*", "-*"})
_READ_BYTES: Final = 4_000_000
"""A file is read for one agent after the other until it comes to so much, a second: people's files
name up to a hundred, a file of 500 KiB may name 30,000."""
_NO_ONE: Final = "an-agent-that-no-file-names"
_SITEMAPS: Final = """
    SELECT url, status, state, reason
    FROM urls
    WHERE url IN (SELECT value FROM json_each(?))
"""
_TEXTS: Final = f"""
    WITH read AS MATERIALIZED (
        SELECT files.url_id, visits.run_id, max(visits.id) AS visit_id,
            row_number() OVER (PARTITION BY files.url_id ORDER BY visits.run_id DESC) AS number
        FROM ({FILES}) AS files
        JOIN visits ON visits.url_id = files.url_id
        WHERE visits.status = 200 AND visits.kind = 'robots' AND visits.body_id IS NOT NULL
        GROUP BY files.url_id, visits.run_id
    )
    SELECT last.url_id, earlier.run_id, before.body, before.body_bytes, before.id, after.body,
        after.body_bytes, after.id
    FROM read AS last
    JOIN read AS earlier ON earlier.url_id = last.url_id AND earlier.number = 2
    JOIN visits AS then_read ON then_read.id = earlier.visit_id
    JOIN visits AS now_read ON now_read.id = last.visit_id
    JOIN bodies AS before ON before.id = then_read.body_id
    JOIN bodies AS after ON after.id = now_read.body_id
    WHERE last.number = 1
        AND last.run_id = (SELECT max(id) FROM runs)
        AND before.id <> after.id
    ORDER BY last.url_id
"""


def _is_shut(asked: Asked) -> bool:
    """Is everything forbidden?"""
    return not _ALL.isdisjoint(asked.lines) and not any(line[0] == "+" for line in asked.lines)


def _forbids_all(connection: Connection, _limits: Limits) -> Iterator[Found]:
    for file in robots_files(connection):
        named = {agent.lower() for agent in file.agents()}
        shut = ["*"] if _is_shut(file.groups.asked(_NO_ONE)) else []
        shut += [
            one for one in ENGINES if one.lower() in named and _is_shut(file.groups.asked(one))
        ]
        if shut:
            yield file.url_id, "", {"shut_out": shut}


def _syntax(connection: Connection, _limits: Limits) -> Iterator[Found]:
    for file in robots_files(connection):
        if file.said.unknown:
            yield file.url_id, "", {"lines": file.said.unknown, "such_as": list(file.said.such_as)}


def _noindex(connection: Connection, _limits: Limits) -> Iterator[Found]:
    for file in robots_files(connection):
        values = file.values("noindex")
        if values:
            yield file.url_id, "", {"noindex": values[:SHOWN]}


def _shadowed(connection: Connection, _limits: Limits) -> Iterator[Found]:
    """Files with agents for which rules for all do not hold, since they have their own."""
    for file in robots_files(connection):
        of_all = {line for line in file.groups.asked(_NO_ONE).lines if line[0] == "-"}
        free = {}
        most = max(1, _READ_BYTES // len(file.body))
        for agent in file.agents()[:most] if of_all else ():
            own = set(file.groups.asked(agent).lines)
            missing = sorted(of_all - own)
            if agent != "*" and missing and own.isdisjoint(_ALL):
                free[agent] = [f"Disallow: {line[1:]}" for line in missing[:SHOWN]]
        if free:
            yield file.url_id, "", {"not_for": _clean(free)}


def _clean(rules: dict[str, list[str]]) -> dict[str, list[str]]:
    """As a database can hold it."""
    return {clean(agent): [clean(line) for line in lines] for agent, lines in rules.items()}


def _crawl_delay(connection: Connection, _limits: Limits) -> Iterator[Found]:
    for file in robots_files(connection):
        delays = file.values("crawl-delay")
        if delays:
            yield file.url_id, "", {"crawl_delay": delays[:SHOWN]}


def _without_sitemap(connection: Connection, _limits: Limits) -> Iterator[Found]:
    for file in robots_files(connection):
        if not file.sitemaps():
            yield file.url_id, "", {"lines": file.said.lines}


def _sitemap_broken(connection: Connection, _limits: Limits) -> Iterator[Found]:
    named = [
        (file.url_id, written, resolve(written, f"{file.origin}/")[0].url)
        for file in robots_files(connection)
        for written in file.sitemaps()
    ]
    asked = json.dumps([url for _, _, url in named])
    fates = {url: fate for url, *fate in connection.execute(_SITEMAPS, (asked,))}
    for url_id, written, url in named:
        status, state, reason = fates.get(url, (None, None, None))
        if not written.lower().startswith(("http://", "https://")):
            yield url_id, written, {"sitemap": url, "fault": "relative"}
        elif (status or 0) >= 400 or state == "failed":
            yield url_id, written, {"status": status, "reason": reason}


def _ai_policy(connection: Connection, _limits: Limits) -> Iterator[Found]:
    for file in robots_files(connection):
        refused = [agent for agent in READERS if _is_shut(file.groups.asked(agent))]
        signals = file.values("content-signal")
        if refused or signals:
            yield file.url_id, "", {"refused": refused, "content_signal": signals[:SHOWN]}


def _changed(connection: Connection, limits: Limits) -> Iterator[Found]:
    for url_id, run_id, *bodies in connection.execute(_TEXTS).fetchall():
        lines = _differing(_lines_of(*bodies[:3]), _lines_of(*bodies[3:]))
        shown = list(islice(lines, int(limits["lines"])))
        yield url_id, "", {"compared_with_run": run_id, "diff": shown}


def _differing(old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    """The lines that went, each behind ``-``, and those that came, behind ``+``."""
    for old_start, old_end, start, end in word_diff.differing(old, new):
        yield from (f"-{line}" for line in old[old_start:old_end])
        yield from (f"+{line}" for line in new[start:end])


def _lines_of(packed: bytes | None, size: int, body_id: int) -> list[str]:
    if packed is None:
        return []
    return clean(robots.decoded(unpacked(packed, size, body_id))).splitlines()


def _file(condition: str, *evidence: str) -> str:
    columns = "".join(f", {name}" for name in evidence)
    return f"SELECT url_id{columns} FROM ({FILES}) WHERE {condition}"


_LAST: Final = f"""
    WITH RECURSIVE read AS MATERIALIZED (
        SELECT visits.url_id, visits.status, visits.redirect_to_id, visits.headers,
            visits.body_bytes, visits.truncated,
            row_number() OVER (PARTITION BY visits.url_id ORDER BY visits.id DESC) AS number
        FROM urls
        JOIN visits ON visits.url_id = urls.id
        WHERE urls.kind = 'robots'
    ),
    files AS MATERIALIZED ({FILES}),
    hops(start_id, at_id, hop) AS (
        SELECT url_id, url_id, 0
        FROM files
        UNION ALL
        SELECT hops.start_id, read.redirect_to_id, hops.hop + 1
        FROM hops
        JOIN read ON read.url_id = hops.at_id AND read.number = 1
        WHERE read.redirect_to_id IS NOT NULL AND hops.hop < 10
    )
"""
"""The last answers for each robots.txt, and where its redirects lead."""

CHECKS: Final = (
    Check(
        name="robots_missing",
        severity="note",
        definition="a host has no robots.txt",
        sql=_file("status IN (404, 410)", "status"),
        needs=("robots",),
    ),
    Check(
        name="robots_unreachable",
        severity="error",
        definition="a robots.txt cannot be had, so that nothing of its host may be crawled",
        sql=_file(
            "(error IS NOT NULL OR status >= 500 OR status = 429)"
            " AND coalesce(error, '') <> 'blocked_addr'",
            *("status", "error"),
        ),
        needs=("robots",),
    ),
    Check(
        name="robots_redirects",
        severity="warning",
        definition="a robots.txt redirects to another host, or more often than is followed",
        sql=f"""
            {_LAST}
            SELECT hops.start_id AS url_id, max(hops.hop) AS hops, urls.url AS leads_to
            FROM hops
            JOIN urls ON urls.id = hops.at_id
            JOIN urls AS start ON start.id = hops.start_id
            WHERE urls.host_id <> start.host_id OR hops.hop > :hops
            GROUP BY hops.start_id
        """,
        limits={"hops": 5},
        needs=("robots",),
    ),
    Check(
        name="robots_wrong_type",
        severity="note",
        definition="a robots.txt does not come as text/plain",
        sql=f"""
            {_LAST}
            SELECT files.url_id, json_extract(read.headers, '$."content-type"') AS content_type
            FROM files
            JOIN read ON read.url_id = files.url_id AND read.number = 1
            WHERE read.status = 200
                AND coalesce(lower(json_extract(read.headers, '$."content-type"')), '')
                    NOT LIKE '%text/plain%'
        """,
        needs=("robots",),
    ),
    Check(
        name="robots_too_large",
        severity="warning",
        definition="a robots.txt is larger than what crawlers read of it",
        sql=f"""
            {_LAST}
            SELECT files.url_id, read.body_bytes, read.truncated
            FROM files
            JOIN read ON read.url_id = files.url_id AND read.number = 1
            WHERE read.body_bytes > :bytes
                OR (read.body_bytes = :bytes AND read.truncated = 'length')
        """,
        limits={"bytes": 500 * 1024},
        needs=("robots",),
    ),
    Check(
        name="robots_forbids_all",
        severity="error",
        definition="a robots.txt shuts out all crawlers, or a search engine that it names",
        find=_forbids_all,
        needs=("robots",),
    ),
    Check(
        name="robots_syntax",
        severity="note",
        definition="a robots.txt has lines that no known field explains",
        find=_syntax,
        needs=("robots",),
    ),
    Check(
        name="robots_noindex_line",
        severity="warning",
        definition="a robots.txt says Noindex, which no search engine reads there any more",
        find=_noindex,
        needs=("robots",),
    ),
    Check(
        name="robots_shadowed_group",
        severity="note",
        definition="rules for all agents do not hold for one that has a group of its own",
        find=_shadowed,
        needs=("robots",),
    ),
    Check(
        name="robots_crawl_delay",
        severity="note",
        definition="a robots.txt asks for a delay, which some crawlers obey and Google does not",
        find=_crawl_delay,
        needs=("robots",),
    ),
    Check(
        name="robots_without_sitemap",
        severity="note",
        definition="a robots.txt names no sitemap",
        find=_without_sitemap,
        needs=("robots",),
    ),
    Check(
        name="robots_sitemap_broken",
        severity="warning",
        definition="a sitemap that a robots.txt names is relative, or cannot be had",
        find=_sitemap_broken,
        needs=("robots",),
    ),
    Check(
        name="robots_ai_policy",
        severity="note",
        definition="a robots.txt refuses agents of language models, or has a Content-Signal",
        find=_ai_policy,
        needs=("robots",),
    ),
    Check(
        name="robots_changed",
        severity="warning",
        definition="a robots.txt says something else than in the run before",
        find=_changed,
        limits={"lines": 50},
        needs=("robots", "earlier_run"),
    ),
)
