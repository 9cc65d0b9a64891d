"""What does a person see while the crawl goes on?

Three faces of one snapshot, all told by `watch`: a panel that is drawn anew on a terminal
(`panel.py`), plain lines where there is none, JSON lines for programs. A quiet screen makes each of
them silent.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from crawler.faces import summary, wording
from crawler.faces.screen import Screen, Stream
from crawler.faces.summary import Summary
from crawler.model import Stats

STANDING = ("the network", "the disk", "the machines", "the other shards")
"""Names in `Stats.resting` that are no hosts: their reason is a sentence of its own."""
PHASES = {
    "loading": "loading",
    "crawling": "crawling",
    "paused": "paused",
    "draining": "finishing what is in flight",
    "finishing": "closing the database",
}


class Face(Protocol):
    """Shows a run. every_s: seconds between two snapshots."""

    every_s: float

    def show(self, stats: Stats) -> None:
        """Show a snapshot."""

    def say(self, text: str) -> None:
        """One line for the person, at once."""

    def warn(self, text: str) -> None:
        """One line that is told though nothing else is shown."""

    def close(self) -> None:
        """Leave the terminal as it was."""

    def end(self, told: Callable[[], Summary]) -> None:
        """Tell what the run came to; it is asked for only where it is shown."""


def watch(stats: Callable[[], Stats], face: Face, sleep: Callable[[float], object]) -> None:
    """Show snapshots until the caller ends it."""
    while True:
        sleep(face.every_s)
        face.show(stats())


class PlainLines:
    """A line now and then, where no terminal is."""

    every_s = 10.0

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def show(self, stats: Stats) -> None:
        """Print a line."""
        self.say(line(stats))

    def say(self, text: str) -> None:
        """Print a line."""
        self._screen.print(wording.plain(text), soft_wrap=True)

    def warn(self, text: str) -> None:
        """Print a line."""
        insist(self._screen, text)

    def close(self) -> None:
        """Nothing to leave."""

    def end(self, told: Callable[[], Summary]) -> None:
        """Print the summary."""
        if not self._screen.quiet:
            summary.show(told(), self._screen)


class JsonLines:
    """A JSON object a second on one stream; words for people go to another."""

    every_s = 1.0

    def __init__(self, stream: Stream, people: Screen, *, only_the_end: bool = False) -> None:
        self._stream = stream
        self._words = PlainLines(people)
        self._only_the_end = only_the_end

    def show(self, stats: Stats) -> None:
        """Write a line of the snapshot. Raises BrokenPipeError when nobody reads any more."""
        if not self._only_the_end:
            self._stream.write(json_line("stats", msgspec.to_builtins(stats)))

    def say(self, text: str) -> None:
        """Print a line for people."""
        self._words.say(text)

    def warn(self, text: str) -> None:
        """Print a line for people."""
        self._words.warn(text)

    def close(self) -> None:
        """Nothing to leave."""

    def end(self, told: Callable[[], Summary]) -> None:
        """Write the last line."""
        with contextlib.suppress(BrokenPipeError):
            self._stream.write(json_line("outcome", summary.facts(told())))


def insist(screen: Screen, text: str) -> None:
    """Print a line though the screen is to be quiet."""
    quiet, screen.quiet = screen.quiet, False
    screen.print(wording.plain(text), soft_wrap=True)
    screen.quiet = screen.quiet or quiet


def json_line(event: str, facts: dict[str, Any]) -> str:
    """One line of ``--json``: ASCII, so that no text of a stranger's can command a terminal."""
    return json.dumps({"event": event, **facts}) + "\n"


def line(stats: Stats) -> str:
    """A snapshot as one line."""
    parts = [
        f"{stats.pages:,} visited in {wording.span(stats.elapsed_s)}",
        f"{wording.rate(stats.pages_per_s)} now",
        f"{wording.rate(stats.pages_per_s_average)} average",
        f"{stats.queued:,} queued",
        f"{stats.in_flight:,} in flight",
        wording.size(stats.bytes),
        wording.count(stats.errors, "error"),
        f"{wording.count(stats.hosts_due, 'host')} to ask now",
        wording.count(len(stats.machines), "machine") if stats.machines else "",
        *standing(stats),
        waiting(stats),
        remaining(stats),
    ]
    phase = "" if stats.phase == "crawling" else f"{PHASES.get(stats.phase, stats.phase)}: "
    return phase + ", ".join(part for part in parts if part)


def waiting(stats: Stats) -> str:
    """Why nothing goes on at the moment; empty when something does."""
    rest = idle(stats)
    return ", ".join([f"waiting {rest}", *resting(stats, 1)]) if rest else ""


def idle(stats: Stats) -> str:
    """How long nothing will go on; empty when something does, or soon will."""
    rest_s = stats.next_due_s or 0.0
    if stats.in_flight or stats.hosts_due or rest_s < wording.WORTH_TELLING_S:
        return ""
    return wording.span(rest_s)


def resting(stats: Stats, limit: int) -> list[str]:
    """Hosts that rest, as far as they will still do so when it has been read."""
    hosts = [one for one in stats.resting if one[0] not in STANDING]
    return [
        f"{wording.plain(host)} rests {wording.span(seconds)} ({wording.plain(why)})"
        for host, seconds, why in hosts[:limit]
        if seconds >= wording.WORTH_TELLING_S
    ]


def standing(stats: Stats) -> list[str]:
    """What holds up the whole crawl, however short the next look at it is away."""
    return [wording.plain(why) for name, _, why in stats.resting if name in STANDING]


def machines(stats: Stats, limit: int) -> list[str]:
    """Who fetches elsewhere, and how each is."""
    told = [
        f"{wording.plain(one.name)}: {one.out:,} of {one.room:,} in flight, last beat "
        f"{one.beat_s:.0f} s ago, network {wording.plain(one.network).removeprefix('network ')}"
        for one in stats.machines
    ]
    return list(wording.first(told, limit))


def remaining(stats: Stats) -> str:
    """When the limit of pages, or the end of the queue before it, will be reached at this rate.

    Empty without a limit: a queue grows while it is worked off.
    """
    rate = stats.pages_per_s or stats.pages_per_s_average
    left = min(stats.max_pages - stats.pages, stats.queued + stats.in_flight)
    if rate <= 0 or left / rate < wording.WORTH_TELLING_S:
        return ""
    return f"done in about {wording.span(left / rate)}"
