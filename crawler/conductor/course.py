"""How far has a run come, and what has stopped it?"""

from __future__ import annotations

from math import inf


class Course:
    """The way of one run, from loading to its end.

    phase: loading, crawling, draining or finishing. started: when it began to crawl (monotonic).
    stopped_by: the reason, once nothing more is to be leased, None until then. drain_until: so long
    what is in flight may finish, once it was stopped. is_paused: nothing is leased until that is
    over. error: the first that ends it.
    """

    def __init__(self, now: float) -> None:
        self.phase = "loading"
        self.started = now
        self.stopped_by: str | None = None
        self.drain_until = inf
        self.is_paused = False
        self.error: BaseException | None = None

    def __repr__(self) -> str:
        return f"<Course {self.phase}>"

    @property
    def shown(self) -> str:
        """The phase, as people see it."""
        return "paused" if self.is_paused and self.phase == "crawling" else self.phase

    @property
    def was_stopped(self) -> bool:
        """Has somebody, or a limit, asked for its end?"""
        return self.drain_until < inf

    def begin(self, now: float) -> None:
        """The file is open; what stopped it until now holds."""
        self.started = now
        self.phase = "crawling" if self.stopped_by is None else "draining"

    def stop(self, reason: str, now: float, drain_s: float) -> bool:
        """Stop it; whether that is the first time. Called again, nothing is waited for."""
        is_first = self.stopped_by is None
        self.drain_until = now
        if is_first:
            self.stopped_by = reason
            self.phase = "draining"
            self.drain_until += drain_s
        return is_first

    def fail(self, error: BaseException) -> None:
        """An error ends it; those that follow from it are not told."""
        self.error = self.error or error
