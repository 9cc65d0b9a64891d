"""How is a crawl shown, stopped and told of?"""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import gevent

from crawler.channels import Channel
from crawler.cli.group import DASHBOARD_PORT, standard_output
from crawler.crawl import Crawl, Ended, Plan, analyse_crawl, complaint
from crawler.errors import Interrupted
from crawler.faces import summary
from crawler.faces.log import told_by
from crawler.faces.progress import Face
from crawler.policy.conditions import need_checks
from crawler.store import audit as store_audit
from crawler.store import queries
from crawler.store.audit import Audit

if TYPE_CHECKING:
    from crawler.conductor.others import Exchange


class Ways(NamedTuple):
    """How other machines and other shards are reached; None where nobody asks for them."""

    channel: Channel | None = None
    exchange: Exchange | None = None


NO_WAYS = Ways()
MOST_SIGNALS = 2
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(
    plan: Plan,
    face: Face,
    *,
    fail_on: Sequence[str] = (),
    dashboard: int | None = None,
    ways: Ways = NO_WAYS,
) -> int:
    """Crawl, show it, tell what came of it; gives the exit code. Raises what there is to mend."""
    with _looked_at(plan, face, dashboard, ways) as crawl:
        with _stopped_by_signals(crawl, face), told_by(face):
            ended = crawl.run()
        return _tell(plan, face, ended, fail_on=fail_on)


@contextmanager
def _looked_at(plan: Plan, face: Face, port: int | None, ways: Ways) -> Iterator[Crawl]:
    """The crawl of a plan, with a dashboard beside its face where somebody wants one."""
    if port is None:
        yield Crawl(plan, face=face, channel=ways.channel, exchange=ways.exchange)
        return
    from crawler.faces.dashboard.feed import Dashboard  # few crawls are watched so

    wanted = None if port == DASHBOARD_PORT else port
    shown = Dashboard(face, plan.path, wanted, control=lambda asked: crawl.command(asked))
    crawl = Crawl(plan, face=shown, channel=ways.channel, exchange=ways.exchange)
    try:
        yield crawl
    finally:
        shown.leave()


def _tell(plan: Plan, face: Face, ended: Ended, *, fail_on: Sequence[str]) -> int:
    """Analyse what was crawled, and tell what it came to; gives the exit code."""
    stopped: Interrupted | None = None
    if plan.config.audit.analyse and ended.outcome.state != "interrupted":
        try:
            analyse_crawl(plan.path, plan.config, face)
        except Interrupted as error:  # the crawl itself has come to its end, which is told first
            stopped = error
    with queries.reading(plan.path) as connection, standard_output():
        face.end(partial(summary.of_run, connection, plan.path))
    if stopped is not None:
        raise stopped
    if ended.outcome.state == "interrupted":
        return Interrupted.exit_code
    wrong = complaint(ended, fail_on=fail_on, audit=_audit(plan.path, fail_on))
    if wrong is not None:
        raise wrong
    return 0


def _audit(path: Path, fail_on: Sequence[str]) -> Audit | None:
    """The audit, where a condition asks for it."""
    if not need_checks(fail_on):
        return None
    with queries.reading(path) as connection:
        return store_audit.audit(connection)


@contextmanager
def _stopped_by_signals(crawl: Crawl, face: Face) -> Iterator[None]:
    """The first signal lets finish what is in flight, the second ends it, the third kills."""

    received = itertools.count(1)

    def stop() -> None:
        now = crawl.stats()
        crawl.stop()
        if next(received) > MOST_SIGNALS:
            face.close()
            os._exit(Interrupted.exit_code)
        if now.phase == "draining":
            face.say("Stopping at once: what is not stored yet will be fetched again")
        else:
            face.say(
                f"Stopping: finishing {now.in_flight:,} in flight (Ctrl-C again to stop at once)"
            )

    before = {number: signal.getsignal(number) for number in STOPPING}
    caught = [number for number in STOPPING if before[number] is not signal.SIG_IGN]
    watchers = [gevent.signal_handler(number, stop) for number in caught]
    try:
        yield
    finally:
        for watcher in watchers:
            watcher.cancel()
        for number in caught:  # the loop leaves the system's default, which ends a process at once
            signal.signal(number, before[number])
