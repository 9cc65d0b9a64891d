"""What did a run come to, and what is worth asking now?"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from crawler.faces import wording
from crawler.faces.screen import Screen
from crawler.policy import words
from crawler.store import machines, queries, seed_ends
from crawler.store.database import Connection
from crawler.store.machines import WorkingMachine
from crawler.store.queries import (
    BrokenLogin,
    FateCount,
    First,
    Left,
    Problem,
    RestingHost,
    Run,
    WalledHost,
)
from crawler.store.seed_ends import SeedCount, SeedEnd

if TYPE_CHECKING:
    from rich.text import Text

Row = TypeVar("Row")
FATES_SHOWN = 8
STATUSES_SHOWN = 6
PROBLEMS_SHOWN = 5
SEEDS_SHOWN = 5
HOSTS_SHOWN = 10
PROPOSALS = 3
AGAIN = "run the same command again to go on"
REASONS = {
    "finished": "nothing is left to fetch",
    "max_pages": f"the limit of pages was reached; {AGAIN}",
    "max_time": f"the time was up; {AGAIN}",
    "deferred": "what is left may only be fetched later; run the same command again then",
    "signal": AGAIN,
    "login_failed": "a login failed, and nothing was asked for without it; mend it, and "
    "run the same command again",
    "logged_out": f"a site logged us out; {AGAIN}, logged in anew",
    "deserted": f"other shards were away for too long; start them, and {AGAIN}",
    "killed": f"it was killed, and nothing that was stored is lost; {AGAIN}",
}
"""A run's finish_reason, in words."""
LEFT_ALONE = frozenset({"login_failed", "logged_out"})
"""Those that mean that a site was left before all of it was fetched."""


class Summary(msgspec.Struct, frozen=True):
    """All that is told of the last run of a database."""

    path: Path
    size_bytes: int
    run: Run | None
    fates: First[FateCount]
    problems: First[Problem]
    left: Left
    proposals: Sequence[str]
    waiting_hosts: First[RestingHost]
    seeds: SeedCount = SeedCount(0, 0, 0)
    seed_ends: First[SeedEnd] = First()
    walled_hosts: First[WalledHost] = First()
    machines: Sequence[WorkingMachine] = ()
    broken_logins: First[BrokenLogin] = First()


def of_run(connection: Connection, path: Path) -> Summary:
    """What the last run came to."""
    run = queries.last_run(connection)
    deferred = run is not None and run.reason == "deferred"
    run_id = 0 if run is None else run.id
    return Summary(
        path=path,
        size_bytes=_size(path),
        run=run,
        fates=queries.fates(connection, FATES_SHOWN),
        problems=queries.problems(connection, PROBLEMS_SHOWN),
        left=queries.left(connection),
        proposals=queries.proposals(connection, PROPOSALS),
        waiting_hosts=queries.waiting_hosts(connection, HOSTS_SHOWN) if deferred else First(),
        seeds=seed_ends.count(connection, run_id),
        seed_ends=First(*seed_ends.worth_telling(connection, run_id, SEEDS_SHOWN)),
        walled_hosts=queries.walled_hosts(connection, HOSTS_SHOWN),
        broken_logins=queries.broken_logins(connection, HOSTS_SHOWN),
    )


def of_moment(connection: Connection, path: Path) -> Summary:
    """Where the crawl is now, also while it runs."""
    run = queries.last_run(connection)
    left_alone = run is not None and run.reason in LEFT_ALONE
    return Summary(
        path=path,
        size_bytes=_size(path),
        run=run,
        fates=queries.fates(connection, FATES_SHOWN),
        problems=First(),
        left=queries.left(connection),
        proposals=(),
        waiting_hosts=queries.waiting_hosts(connection, HOSTS_SHOWN),
        machines=machines.at_work(connection, HOSTS_SHOWN),
        broken_logins=queries.broken_logins(connection, HOSTS_SHOWN) if left_alone else First(),
    )


def show(summary: Summary, screen: Screen) -> None:
    """Print a summary."""
    from rich.text import Text  # see `Screen`

    screen.print(Text(wording.plain(ending(summary.run)), style="bold"), soft_wrap=True)
    for line in _lines(summary):
        screen.print(line, soft_wrap=True)
    screen.print()
    screen.print(f"{shown_path(summary.path)}, {wording.size(summary.size_bytes)}", soft_wrap=True)
    for statement in summary.proposals:
        screen.print(f"  {command(summary.path, statement)}", soft_wrap=True)
    if last := remains(summary):
        screen.print()
        screen.print(Text(last, style="bold"), soft_wrap=True)


def facts(summary: Summary) -> dict[str, Any]:
    """A summary as one flat object for programs."""
    run = {} if summary.run is None else msgspec.structs.asdict(summary.run)
    return {
        "run_id": run.pop("id", None),
        **run,
        "database": str(summary.path),
        "database_bytes": summary.size_bytes,
        "queued": summary.left.queued,
        "deferred": summary.left.resting,
    }


def ending(run: Run | None) -> str:
    """How a run ended, in words."""
    if run is None:
        return "No run yet"
    state, reason = run.state, run.reason or ""
    if state == "running":
        if is_alive(run.pid):
            return f"Run {run.id} is going on, begun {run.started_at}"
        state, reason = "interrupted", "killed"
    return f"Run {run.id} {state}: {REASONS.get(reason, reason)}"


def remains(summary: Summary) -> str:
    """What is left and why; empty where there was no run, or it goes on."""
    run, queued = summary.run, summary.left.queued
    if run is None or (run.state == "running" and is_alive(run.pid)):
        return ""
    reason = "killed" if run.state == "running" else run.reason or ""
    if not queued and summary.left.messages:
        return f"What was found for other shards waits in this file: start them, and {AGAIN}"
    if not queued:
        in_vain = reason in LEFT_ALONE
        told = wording.plain(REASONS[reason]) if in_vain else "nothing is left to fetch"
        return f"{told[0].upper()}{told[1:]}"
    are = "is" if queued == 1 else "are"
    why = wording.plain(REASONS.get(reason, f"{reason}; {AGAIN}"))
    return f"{wording.count(queued, 'URL')} {are} left: {why}"


def is_alive(pid: int) -> bool:
    """Is there a process of this number on this machine?"""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def command(path: Path, statement: str) -> str:
    """A line for a shell that asks plain sqlite3."""
    return f'sqlite3 -box {shown_path(path)} "{statement}"'


def shown_path(path: Path) -> str:
    """A path as a shell reads it; never taken for an option."""
    text = str(path)
    return shlex.quote(f"./{text}" if text.startswith("-") else text)


def _size(path: Path) -> int:
    """Bytes on the disk, with what waits in the write-ahead log."""
    log = path.with_name(f"{path.name}-wal")
    return sum(file.stat().st_size for file in (path, log) if file.exists())


def _lines(summary: Summary) -> Iterator[Text]:
    """A title, a figure and what it counts: a line each, however wide, as in a table of rows."""
    from rich.text import Text  # see `Screen`

    rows = [
        ("" if at else title, figure, wording.plain(told))
        for title, part in _parts(summary)
        for at, (figure, told) in enumerate(part)
    ]
    titles, figures = (max((len(row[at]) for row in rows), default=0) for at in (0, 1))
    for title, figure, told in rows:
        line = Text(f"{title:{titles}}  {figure:>{figures}}  {told}".rstrip())
        line.stylize("dim", 0, len(title))
        yield line


def _parts(summary: Summary) -> Iterable[tuple[str, list[tuple[str, str]]]]:
    """The table: a title, then rows of a figure and what it counts."""
    run = summary.run
    if run is not None:
        rate = wording.rate(run.pages / run.elapsed_s) if run.elapsed_s else "-"
        visited = f"URL{'' if run.pages == 1 else 's'} in {wording.span(run.elapsed_s)}"
        yield "visited", [(f"{run.pages:,}", f"{visited}, {rate} on average")]
        yield "errors", [(f"{run.errors:,}", "")]
        yield "received", [(wording.size(run.bytes), "")]
    yield "URLs", _rows(summary.fates, _fate)
    yield "wrong", _rows(summary.problems, _problem)
    yield "seeds", [*_good_seeds(summary), *_rows(summary.seed_ends, _seed)]
    yield "left", _left(summary.left)
    yield "machines", [_machine(one) for one in summary.machines]
    yield "logins", _rows(summary.broken_logins, _login)
    yield "hosts", [*_rows(summary.waiting_hosts, _host), *_rows(summary.walled_hosts, _wall)]


def _rows(first: First[Row], told: Callable[[Row], tuple[int | str, str]]) -> list[tuple[str, str]]:
    """Each as a figure and what it counts, and how many more there are."""
    rows = [told(row) for row in first.rows]
    shown = [(f"{figure:,}" if isinstance(figure, int) else figure, text) for figure, text in rows]
    return [*shown, *(("", more) for more in wording.more(first.more))]


def _fate(fate: FateCount) -> tuple[int, str]:
    statuses = [f"{urls:,} x {status}" for status, urls in fate.statuses]
    why = fate.reason or ", ".join(wording.first(statuses, STATUSES_SHOWN))
    return fate.urls, f"{fate.state}: {why}" if why else fate.state


def _problem(problem: Problem) -> tuple[int, str]:
    such_as = ": " if problem.urls == 1 else ", such as "
    return problem.urls, f"{problem.what}{such_as}{problem.example}"


def _good_seeds(summary: Summary) -> list[tuple[str, str]]:
    """Seeds of which no more need be told."""
    gave = "gives its page" if summary.seeds.held == 1 else "give their pages"
    rows = [(summary.seeds.held, gave), (summary.seeds.waiting, "queued")]
    return [(f"{figure:,}", told) for figure, told in rows if figure]


def _seed(seed: SeedEnd) -> tuple[str, str]:
    return f"line {seed.line:,}", seed_told(seed)


def seed_told(seed: SeedEnd) -> str:
    """What a seed became, and what can be done about it."""
    if seed.why is None:
        return f"{seed.text}: moved to {seed.end}"
    way = f"{seed.text}: leads to {seed.end}" if seed.hops else seed.text
    if seed.refused_name:
        is_name = seed.detail and seed.detail != f"{seed.host} is at {seed.host}"
        where = f"{seed.detail}," if is_name else f"{seed.host} is"
        return f"{way}: {where} a private address; --allow-private {seed.host} permits it"
    word = words.WORDS.get(seed.why)
    return f"{way}: {seed.why}" if word is None else f"{way}: {seed.why}, {word.meaning}"


def _left(left: Left) -> list[tuple[str, str]]:
    rows = [(f"{left.queued:,}", "queued")] if left.queued else []
    if left.next_s is not None:
        soon = wording.span(max(left.next_s, 0.0))
        rows.append((f"{left.resting:,}", f"of these wait for another try, the first for {soon}"))
    return rows


def _host(host: RestingHost) -> tuple[int, str]:
    if host.rest_s < wording.WORTH_TELLING_S:
        return host.queued, f"waiting on {host.host}"
    why = f" ({host.why})" if host.why else ""
    return host.queued, f"waiting on {host.host}, which rests {wording.span(host.rest_s)}{why}"


def _machine(one: WorkingMachine) -> tuple[str, str]:
    beat = f"last beat {one.beat_at[11:19]} UTC"
    network = one.network if one.network.startswith("network") else f"network {one.network}"
    return f"{one.visits:,}", f"visits of {one.name}: {beat}, {network}"


def _login(login: BrokenLogin) -> tuple[str, str]:
    return login.state, f"{login.origin}: {login.detail}"


def _wall(wall: WalledHost) -> tuple[int, str]:
    share = f"of {wording.count(wall.answers, 'answer')} of {wall.host} are challenges"
    return wall.challenges, f"{share}: its audit is not to be trusted"
