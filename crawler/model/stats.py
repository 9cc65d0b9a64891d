"""What is going on in a run, now?"""

from __future__ import annotations

import msgspec


class MachineState(msgspec.Struct, frozen=True):
    """What is known of a machine that works for a crawl.

    id: of its row, 0 while it has none. key: its own. name: what it calls itself. processes: of
    its. out: jobs that it has; room: that it may have. visits, bytes, refused: of this run.
    beat_s: seconds since its last sign of life. network: ``up``, or since when it is not. left: why
    it has, empty while it has not.
    """

    id: int
    key: str
    name: str
    processes: int
    out: int = 0
    room: int = 0
    visits: int = 0
    bytes: int = 0
    refused: int = 0
    beat_s: float = 0.0
    network: str = "up"
    left: str = ""


class Stats(msgspec.Struct, frozen=True):
    """One snapshot of a run, for every face: progress line, dashboard, ``--json``.

    phase: loading, crawling, paused, draining or finishing. elapsed_s: since the crawl began.
    pages: settled in this run; pages_per_s: over the last ten seconds; pages_per_s_average: over
        the whole run. queued: URLs that wait. in_flight: jobs that are out. storing: visits that
        wait for the writer. bytes: received. errors: URLs that failed.
    statuses: counts by status or error, most frequent first.
    hosts_due: hosts that could be asked now. resting: hosts that rest longest (name, seconds, why).
    next_due_s: seconds until something may be fetched; None when nothing waits.
    workers: processes; 0 for the conductor's own. max_pages: the limit, 0 for none.
    loads: jobs that are out to each worker, on other machines to each machine. machines: these.
    database_bytes, log_bytes: the file and its write-ahead
        log. disk_free_bytes: room on its disk.
    """

    phase: str
    elapsed_s: float
    pages: int
    pages_per_s: float
    pages_per_s_average: float
    queued: int
    in_flight: int
    storing: int
    bytes: int
    errors: int
    statuses: tuple[tuple[str, int], ...]
    hosts_due: int
    resting: tuple[tuple[str, float, str], ...]
    next_due_s: float | None
    workers: int
    max_pages: int
    loads: tuple[int, ...] = ()
    database_bytes: int = 0
    log_bytes: int = 0
    disk_free_bytes: int = 0
    machines: tuple[MachineState, ...] = ()
