"""Does this invocation go on with a crawl, or start a new one?

Lives on the writer's thread. An unfinished crawl goes on; a finished one is visited again.
"""

from __future__ import annotations

import json
from functools import partial

import msgspec

from crawler import failpoints
from crawler.config import Config, PaceConfig
from crawler.config.secrets import without_secrets
from crawler.model import Target
from crawler.policy import pace, words
from crawler.policy.scope import asks_for_sitemaps, judging
from crawler.store import plan, shards
from crawler.store.clock import iso
from crawler.store.database import Connection
from crawler.store.origins import COUNT_HOSTS
from crawler.store.recorder import Recorder
from crawler.store.scopes import fetch_kind_again

CHUNK = 2000
MOMENT = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T*Z"
BEING_JUDGED = ""
"""Stands in place of a run's rules as long as some verdicts are by others."""


class Start(msgspec.Struct, frozen=True):
    """How a run began.

    mode: ``new`` (an empty file), ``resumed``, ``revisit`` (all in scope is queued again),
        ``retry`` (only failures are), ``new_only`` (nothing is), ``due`` (what the plan names),
        ``import`` (nothing is ever asked for).
    queued: URLs that were queued again.
    """

    run_id: int
    mode: str
    queued: int = 0


def start(
    connection: Connection, config: Config, *, seeds_file: str, version: str, pid: int, now: float
) -> Start:
    """Open a run: note it, and queue what this invocation is to fetch."""
    connection.execute("BEGIN IMMEDIATE")
    last = connection.execute("SELECT judging FROM runs ORDER BY id DESC LIMIT 1").fetchone()
    previous = connection.execute(
        "SELECT id, state FROM runs WHERE via = 'crawl' ORDER BY id DESC LIMIT 1"
    ).fetchone()
    if asks_for_sitemaps(config):
        connection.execute(ASK_FOR_ROBOTS_ANEW)
    rules = _rules(config)
    judged = rules if last is None or last[0] == rules else BEING_JUDGED
    run_id = _begun(connection, config, "crawl", (iso(now), judged, seeds_file, version, pid))
    _forget_logins(connection)
    mode, queued = _mode(connection, config, previous, now)
    if mode != "resumed":
        shards.begin_crawl(connection)
    _cut_rests(connection, config.pace, now)
    connection.execute("COMMIT")
    return Start(run_id, mode, queued)


ASK_FOR_ROBOTS_ANEW = """
    UPDATE origins
    SET robots_fetched_at = NULL
    WHERE EXISTS (
        SELECT 1
        FROM runs
        WHERE id = (SELECT max(id) FROM runs WHERE via = 'crawl')
            AND (json_extract(config, '$.robots.sitemaps') = 0
                OR json_extract(config, '$.scope.mode') = 'page')
    )
"""
"""Where the last run left out the sitemaps that they name."""


def start_import(
    connection: Connection, config: Config, *, files: str, version: str, pid: int, now: float
) -> Start:
    """Open a run that asks for nothing. Its verdicts are by nobody's rules: the next crawl judges
    again."""
    connection.execute("BEGIN IMMEDIATE")
    run_id = _begun(connection, config, "import", (iso(now), BEING_JUDGED, files, version, pid))
    connection.execute("COMMIT")
    return Start(run_id, "import")


def _begun(connection: Connection, config: Config, via: str, values: tuple[object, ...]) -> int:
    """The row of a run that begins; one that was killed is known by now."""
    connection.execute(
        """
        UPDATE runs
        SET state = 'interrupted', finish_reason = 'killed'
        WHERE state = 'running'
        """
    )
    run_id: int = connection.execute(
        """
        INSERT INTO runs (started_at, state, config, judging, seeds_file, version, pid, via)
        VALUES (?1, 'running', ?6, ?2, ?3, ?4, ?5, ?7)
        RETURNING id
        """,
        (*values, msgspec.json.encode(without_secrets(config)).decode(), via),
    ).fetchone()[0]
    return run_id


def _cut_rests(connection: Connection, config: PaceConfig, now: float) -> None:
    """No rest lasts longer than any can, and no rules were asked for in the future: the clock that
    said so may have been wrong.

    What is no moment (a person may write into the file) is no rest.
    """
    for table, column in (
        ("urls", "not_before"), ("hosts", "next_fetch_at"), ("hosts", "blocked_until")
    ):  # fmt: skip
        connection.execute(
            f"""
            UPDATE {table}
            SET {column} = NULL
            WHERE {column} NOT GLOB ? OR ({column} IS NOT NULL AND julianday({column}) IS NULL)
            """,
            (MOMENT,),
        )
    latest = iso(now + pace.longest_retry_s(config))
    connection.execute(
        "UPDATE urls SET not_before = ? WHERE state = 'queued' AND not_before > ?", (latest, latest)
    )
    latest = iso(now + pace.longest_rest_s(config))
    connection.execute(
        "UPDATE hosts SET next_fetch_at = ? WHERE next_fetch_at > ?", (latest, latest)
    )
    connection.execute(
        "UPDATE hosts SET blocked_until = ? WHERE blocked_until > ?", (latest, latest)
    )
    connection.execute(
        "UPDATE origins SET robots_fetched_at = NULL WHERE robots_fetched_at > ?", (iso(now),)
    )


def _forget_logins(connection: Connection) -> None:
    """What was left alone for want of a login waits again, since each run logs in anew."""
    if connection.execute(HAD_LOGINS).fetchone() is None:
        return
    connection.execute(
        "UPDATE origins SET login_state = NULL, login_detail = NULL WHERE login_state IS NOT NULL"
    )
    connection.execute(WAITS_AGAIN[0])
    connection.execute(WAITS_AGAIN[1])


HAD_LOGINS = "SELECT 1 FROM runs WHERE json_extract(config, '$.site') LIKE '%\"login\":%' LIMIT 1"
WAITS_AGAIN = (
    """
    UPDATE hosts
    SET queued = queued + stopped.urls
    FROM (
        SELECT host_id, count(*) AS urls
        FROM urls
        WHERE state = 'skipped' AND reason = 'login_failed'
        GROUP BY host_id
    ) AS stopped
    WHERE stopped.host_id = hosts.id
    """,
    """
    UPDATE urls
    SET state = 'queued', reason = NULL, attempts = 0
    WHERE state = 'skipped' AND reason = 'login_failed'
    """,
)


def judging_changed(connection: Connection, config: Config, run_id: int) -> bool:
    """Are there verdicts by other rules than these?

    A run bears no rules until all is judged by its own, so that a judging that was cut short is
    done again, whatever the next run's rules are.
    """
    row = connection.execute("SELECT judging FROM runs WHERE id = ?", (run_id,)).fetchone()
    return bool(row[0] != _rules(config))


def _rules(config: Config) -> str:
    return json.dumps(judging(config), sort_keys=True)


def _mode(
    connection: Connection, config: Config, previous: tuple[int, str] | None, now: float
) -> tuple[str, int]:
    if previous is None and not _has_imports(connection):
        return "new", 0
    if config.run.retry_failed:
        queued = _queue_again(connection, "state = 'failed' AND kind NOT IN ('robots', 'login')")
        return "retry", queued
    if config.run.new_only:
        return "new_only", 0
    if config.run.due:
        plan.update(connection, often_s=config.revisit.often_s)
        lately = iso(now - config.revisit.often_s)
        return "due", _queue_again(connection, f"{VISITED_AGAIN} AND {DUE}", lately, iso(now))
    waiting = connection.execute("SELECT 1 FROM urls WHERE state = 'queued' LIMIT 1").fetchone()
    if waiting or (previous is not None and previous[1] != "finished"):
        return "resumed", 0
    return "revisit", _queue_again(connection, VISITED_AGAIN)


def _has_imports(connection: Connection) -> bool:
    found = connection.execute("SELECT 1 FROM runs WHERE via = 'import' LIMIT 1").fetchone()
    return found is not None


def _queue_again(connection: Connection, which: str, *values: object) -> int:
    """Queue URLs again and ask for robots.txt anew."""
    queued: int = connection.execute(
        f"""
        UPDATE urls
        SET state = 'queued', reason = NULL, attempts = 0, not_before = NULL
        WHERE state <> 'queued' AND origin_id IS NOT NULL AND {which}
        """,
        values,
    ).rowcount
    connection.execute("UPDATE origins SET robots_fetched_at = NULL WHERE robots_error IS NOT NULL")
    _recount(connection)
    return queued


def _listed(chosen: frozenset[str]) -> str:
    """Words of the table, as SQL."""
    return ", ".join(f"'{word}'" for word in sorted(chosen))


VISITED_AGAIN = f"""
    kind NOT IN ('robots', 'login')
    AND (state IN ('done', 'failed') OR reason IN ({_listed(words.which(asked_anew=True))}))
"""
"""What a new run of a finished crawl asks for again."""

DUE = """
    (
        kind NOT IN ('page', 'check', 'asset')
        OR (kind = 'page' AND id NOT IN (SELECT url_id FROM revisits))
        OR (kind = 'asset' AND NOT EXISTS (
            SELECT 1
            FROM visits
            WHERE visits.url_id = urls.id AND visits.started_at > ?1 AND visits.started_at <= ?2
        ))
        OR id IN (SELECT url_id FROM revisits WHERE due_at <= ?2 OR visited_at > ?2)
    )
"""
"""Of it, what the plan says; lists of pages always, since they tell what is new. What pages are
made of is no part of the plan: it is due as often as a page can be. A visit in the future, by a
clock that was wrong, tells of no interval."""


def _recount(connection: Connection) -> None:
    """Bring the hosts' counters in line with their URLs. Of their rests those stay that a host has
    asked for itself (Retry-After); what we have thought of it does not."""
    connection.execute("UPDATE hosts SET queued = 0, pages = 0, errors_in_row = 0")
    connection.execute(
        """
        UPDATE hosts
        SET next_fetch_at = NULL, blocked_until = NULL, block_reason = NULL
        WHERE block_reason IS NULL OR block_reason NOT LIKE 'retry_after:%'
        """
    )
    connection.execute(COUNT_HOSTS)


def judge_again(
    connection: Connection, config: Config, recorder: Recorder, run_id: int, now: float
) -> int:
    """Judge skipped and queued URLs by the present rules, in steps of one transaction each."""
    # All that waits is counted anew as it is judged, or a full host would stay full.
    connection.execute("UPDATE hosts SET queued = 0")
    recorder.origins.forget()
    recorder.url_table.query_paths.count_anew()
    reasons = _listed(words.which(judged_anew=True))
    last, judged = 0, 0
    while True:
        rows = connection.execute(
            f"""
            SELECT urls.id, urls.url, urls.hash, origins.origin, urls.via, urls.depth, urls.hops,
                urls.found_on_id, urls.kind, urls.reason
            FROM urls
            JOIN origins ON origins.id = urls.origin_id
            WHERE urls.id > ? AND urls.kind NOT IN ('robots', 'login')
                AND (urls.state = 'queued'
                    OR (urls.state = 'skipped' AND urls.reason IN ({reasons})))
            ORDER BY urls.id
            LIMIT {CHUNK}
            """,
            (last,),
        ).fetchall()
        if not rows:
            break
        recorder.change(partial(_judge_rows, connection, recorder, rows), now)
        failpoints.reached("judging")
        last, judged = rows[-1][0], judged + len(rows)
    connection.execute("BEGIN IMMEDIATE")
    _recount(connection)
    connection.execute("UPDATE runs SET judging = ? WHERE id = ?", (_rules(config), run_id))
    connection.execute("COMMIT")
    recorder.origins.forget()
    return judged


def _judge_rows(connection: Connection, recorder: Recorder, rows: list[tuple[object, ...]]) -> None:
    """Take each URL back to "never linked", then admit it by its best link again."""
    connection.executemany(
        """
        UPDATE urls
        SET state = 'skipped', reason = 'not_followed', not_before = NULL, kind = ?
        WHERE id = ?
        """,
        [(fetch_kind_again(str(row[8]), str(row[4])), row[0]) for row in rows],
    )
    for row in rows:
        url_id, url, number, origin, via, depth, hops, found_on, kind, reason = row
        recorder.url_table.unlink(
            int(str(url_id)), int(str(number)), int(str(depth)), int(str(hops))
        )
        refusal = "url_too_long" if len(str(url).encode()) > recorder.url_rules.max_bytes else None
        recorder.url_table.admit(
            Target(str(url), int(str(number)), str(origin), refusal),
            str(via),
            int(str(depth)),
            hops=int(str(hops)),
            source_id=None if found_on is None else int(str(found_on)),
            nofollow=reason == "nofollow",
            fetch_kind=fetch_kind_again(str(kind), str(via)),
        )


def finish(connection: Connection, run_id: int, *, state: str, reason: str, now: float) -> None:
    """Close a run: what ended it, and when."""
    connection.execute(
        "UPDATE runs SET state = ?, finish_reason = ?, finished_at = ? WHERE id = ?",
        (state, reason, iso(now), run_id),
    )


def forget_empty(connection: Connection, run_id: int) -> None:
    """Remove a run that has brought nothing, where another came before it: what changed since the
    run before is asked of the last one that did."""
    connection.execute(
        """
        DELETE FROM runs
        WHERE id = ?1
            AND id > (SELECT min(id) FROM runs)
            AND NOT EXISTS (SELECT 1 FROM visits WHERE run_id = ?1)
            AND NOT EXISTS (SELECT 1 FROM urls WHERE run_id = ?1)
        """,
        (run_id,),
    )
