"""How is a crawl run, from its plan to what it came to, whoever asks for it?

What the command line, tests and other programs call. Nothing here knows of a terminal: a face is
given where somebody watches.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gevent
import msgspec

from crawler.channels import Channel
from crawler.conductor import Conductor, Outcome
from crawler.config import Config
from crawler.errors import ConditionMet, CrawlError, Interrupted, NoSeedFetched, UsageError
from crawler.faces import progress, summary, wording
from crawler.faces.progress import Face
from crawler.model import Stats
from crawler.policy import conditions as outcomes
from crawler.policy import logins
from crawler.policy.agent import robots_token
from crawler.policy.seeds import Seed
from crawler.store import audit as store_audit
from crawler.store import extracts, queries, seed_ends
from crawler.store.audit import Audit
from crawler.store.runs import Start
from crawler.store.seed_ends import SeedCount, SeedEnd
from crawler.store.shards import Which

if TYPE_CHECKING:
    from crawler.conductor.others import Exchange

BEGUN = {
    "new": "a new crawl",
    "resumed": "going on where the last run stopped",
    "revisit": "the last run was finished; everything in scope is visited again "
    "(--new-only visits nothing twice)",
    "retry": "what failed is tried again, and nothing but what still waits besides",
    "new_only": "only what no run has visited yet",
    "due": "of the pages visited before, those that are due by the plan (crawler plan)",
}
"""How a run began, in words."""

BLOCKED_S = 24 * 3600.0
"""A host that a person blocks is asked nothing more in this run."""
MAX_GAP_S = 3600.0
_COMMANDS: Mapping[str, Callable[[Conductor], None]] = {
    "pause": Conductor.pause,
    "resume": Conductor.resume,
    "stop": Conductor.stop,
}
TOLD_EVERY_S = 2.0
"""How often an analysis tells how far it is."""


class Plan(msgspec.Struct, frozen=True):
    """What is to be crawled, into which database, by which rules; seeds_file: its name.

    which: the shard that this is, None for a whole crawl.
    """

    config: Config
    path: Path
    seeds: Iterator[Seed]
    seeds_file: str = ""
    which: Which | None = None


class Ended(msgspec.Struct, frozen=True):
    """What a crawl came to: how the run ended, and what became of its seeds.

    worst: the first seed that brought no page; None when all did.
    """

    outcome: Outcome
    seeds: SeedCount
    worst: SeedEnd | None = None


class Crawl:
    """One run of a plan.

    face: shows how it goes on; nobody watches without one. channel: how jobs reach workers, by
    default as the plan's configuration says. exchange: how a shard reaches the others.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        face: Face | None = None,
        channel: Channel | None = None,
        exchange: Exchange | None = None,
    ) -> None:
        self._plan = plan
        self._face = face
        self._conductor = Conductor(
            plan.config,
            plan.path,
            plan.seeds,
            agent=robots_token(plan.config.fetch),
            seeds_file=plan.seeds_file,
            channel=channel,
            workers=worker_processes(plan.config),
            which=plan.which,
            exchange=exchange,
        )

    def __repr__(self) -> str:
        return f"<Crawl {self._plan.path}, {self._conductor!r}>"

    def run(self) -> Ended:
        """Run to the end. Raises StorageError when the database cannot be written."""
        watching = gevent.spawn(self._watch)
        try:
            outcome = self._conductor.run()
        finally:
            watching.kill()
            if self._face is not None:
                self._face.close()
        with queries.reading(self._plan.path) as connection:
            seeds = seed_ends.count(connection, outcome.run_id)
            told, _ = seed_ends.worth_telling(connection, outcome.run_id, 1)
            return Ended(outcome, seeds, told[0] if told and told[0].why else None)

    def stop(self) -> None:
        """Finish what is in flight, and end; called again, end at once. Nothing is lost."""
        self._conductor.stop()

    def command(self, asked: Mapping[str, Any]) -> str:
        """Do what a person commands while it runs; tells in a sentence what came of it.

        asked: ``command`` (pause, resume, stop, block, unblock, gap), for the last three ``host``,
        for gap ``gap_s``.
        """
        word, host = str(asked.get("command")), str(asked.get("host", ""))
        if word in _COMMANDS:
            _COMMANDS[word](self._conductor)
            return f"{word}: done"
        if word in {"block", "unblock"}:
            known = self._conductor.block(host, BLOCKED_S if word == "block" else 0.0)
            return f"{host}: {word}ed" if known else f"{host}: nothing waits there now"
        if word == "gap":
            return self._set_gap(host, str(asked.get("gap_s", "")))
        return f"{wording.plain(word)}: no such command"

    def _set_gap(self, host: str, written: str) -> str:
        try:
            asked_s = float(written)
        except ValueError:
            asked_s = -1.0
        if not 0 <= asked_s <= MAX_GAP_S:
            return f"a gap is a number of seconds from 0 to {MAX_GAP_S:,.0f}"
        gap_s = self._conductor.set_gap(host, asked_s)
        if gap_s is None:
            return f"{host}: nothing waits there now"
        more = ", which its Crawl-delay or its answers ask for" if gap_s > asked_s else ""
        return f"{host}: rests {gap_s:g} s between two requests{more}"

    def stats(self) -> Stats:
        """What is going on, now."""
        return self._conductor.stats()

    def start(self) -> Start:
        """How the run began; waits until it has."""
        start = self._conductor.start.get()
        assert start is not None
        return start

    def _watch(self) -> None:
        start = self.start()
        if self._face is None:
            return
        self._face.say(f"{self._plan.path}: {BEGUN[start.mode]}")
        try:
            progress.watch(self.stats, self._face, gevent.sleep)
        except OSError:
            self.stop()


def worker_processes(config: Config) -> int:
    """How many processes: as configured, or one per core that this process may use."""
    return config.run.workers if config.run.workers >= 0 else len(os.sched_getaffinity(0))


def conditions(texts: Iterable[str]) -> list[str]:
    """What ``--fail-on`` names. Raises UsageError for what is no condition."""
    asked = outcomes.split(texts)
    if outcomes.need_checks(asked):
        from crawler.analyse.checks import CHECKS  # who names none need not load them

        checks: Collection[str] = CHECKS
    else:
        checks = ()
    try:
        outcomes.check_known(asked, checks)
    except outcomes.UnknownCondition as error:
        raise UsageError(f"--fail-on: {error}") from None
    return asked


def complaint(
    ended: Ended, *, fail_on: Sequence[str] = (), audit: Audit | None = None
) -> CrawlError | None:
    """What was wrong with a crawl that came to its end; its exit code tells scripts.

    fail_on: conditions that make it fail. audit: of this crawl, where one of them needs it.
    """
    if ended.seeds.in_vain:
        of = f"no seed could be fetched, out of {ended.seeds.seeds:,}"
        worst = ended.worst
        can_be_had = worst is not None and (worst.refused_name or worst.why == logins.FAILED)
        return NoSeedFetched(f"{of}: {summary.seed_told(worst)}" if worst and can_be_had else of)
    if audit is not None:
        return audit_complaint(audit, fail_on, queued=ended.outcome.queued)
    return condition_met(outcomes.met(fail_on, (), queued=ended.outcome.queued))


def audit_complaint(
    audit: Audit, fail_on: Sequence[str], *, queued: int | None = None
) -> CrawlError | None:
    """The same of an audit; with a baseline, only what began after it counts.

    queued: URLs that are left, where the audit does not tell it.
    """
    left = audit.queued if queued is None else queued
    return condition_met(
        outcomes.met(fail_on, audit.checks, queued=left, only_new=audit.baseline),
        list(outcomes.not_judged(fail_on, audit.checks)),
    )


def condition_met(
    met: Sequence[tuple[str, int]], not_judged: Sequence[tuple[str, str]] = ()
) -> CrawlError | None:
    """One line that names each condition that was met, and each of which nobody can say whether it
    is: what nobody has looked at must not pass for good."""
    told = [
        f"{condition}: {wording.count(number, 'URL')} left to fetch"
        if condition == outcomes.UNFINISHED
        else f"{condition}: {wording.count(number, 'finding')}"
        for condition, number in met
    ]
    told += [f"{name}: could not be judged: {wording.plain(why)}" for name, why in not_judged]
    return ConditionMet(f"--fail-on {'; '.join(told)}") if told else None


def analyse_crawl(path: Path, config: Config, face: Face) -> None:
    """Find out what the stored pages tell, and say how far it is, at most every few seconds.

    Raises StorageError, UsageError for a limit that no check has, and Interrupted: then the same
    again goes on.
    """
    from crawler.analyse.run import analyse  # on the way to the first request nobody needs it

    begun = told = time.monotonic()

    def tell(step: str, done: int, whole: int) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told > TOLD_EVERY_S:
            told = now
            face.say(f"Analysing: {step} {done:,} of {whole:,}")

    try:
        analyse(path, config, tell, processes=max(1, worker_processes(config)))
    except KeyboardInterrupt:
        again = f"crawler analyse --db {shlex.quote(str(path))}"
        raise Interrupted(f"{path}: the analysis was stopped; it goes on with: {again}") from None
    with queries.reading(path) as connection:
        found = store_audit.counts(connection)
        taken = extracts.told(connection)
        shells = queries.shells(connection)
    if taken:
        face.say(f"Extracted {taken}; SELECT * FROM {extracts.VIEW}")
    shown = ", ".join(f"{number:,} {severity}" for severity, number in found.items())
    whole = wording.count(sum(found.values()), "finding")
    took = f"{time.monotonic() - begun:.1f} s"
    face.say(f"Analysed in {took}: {whole} ({shown}); which: crawler audit")
    if shells and config.render.mode == "never":
        show = "shows" if shells == 1 else "show"
        face.say(
            f"{wording.count(shells, 'page')} {show} next to nothing without scripts "
            "(crawler query likely_javascript); --render shells looks at them as a browser does"
        )
