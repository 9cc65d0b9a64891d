"""Is it the network that is down, and not the hosts?

Pure: time comes in as an argument, in seconds of a clock that never goes back.

The room that fetches marks a failure as doubtful when what had answered before did not answer
either just then, or when nothing has answered yet. One host that is down is therefore no outage.
Doubtful failures of `TELLING` domains in a row, or of fewer for `LASTING_S`, are one: then nothing
is fetched but a probe now and then, until one of them gets through.

There are two layers, because names that are remembered work on while the resolver is dead: what
a remembered name's host answers says nothing about names.
"""

from __future__ import annotations

from typing import Final

from crawler.model import NOTHING_ELSE, Reply
from crawler.policy import urls, words
from crawler.policy.words import Layer

TELLING: Final = 5
"""Domains that must fail in a row."""
LASTING_S: Final = 10.0
"""Where fewer domains are known to fail: how long they must, while nothing succeeds."""
PROBE_S: Final = 5.0
"""Rest between two probes, and of a URL that an outage has hit."""
UNPROVEN_S: Final = 60.0
"""How long an outage is believed in while nothing has ever answered."""
UNHEARD: Final = frozenset({"dns_timeout", "connect_timeout", "timeout"})
"""How a fetch ends whose question a dead network has swallowed."""


def doubt(reply: Reply) -> Layer | None:
    """Which layer of the network may have failed, rather than the host."""
    if reply.status is not None or reply.doubt is None:
        return None
    return words.of(reply.error).layer


class Outage:
    """What a run knows of the network.

    down: nothing but probes should be sent. since: when it began to fail. proven: something has
    answered in this run.
    """

    def __init__(self) -> None:
        self.since: float | None = None
        self.proven = False
        self._failing: dict[Layer, dict[str, float]] = {"names": {}, "links": {}}
        self._next_probe = 0.0

    def __repr__(self) -> str:
        state = "up" if self.since is None else f"down since {self.since:.0f}"
        return f"<Outage {state}, {sum(map(len, self._failing.values()))} domains in doubt>"

    @property
    def down(self) -> bool:
        """Whether the network is taken to be dead."""
        return self.since is not None

    def observe(self, host: str, reply: Reply, now: float) -> bool:
        """Take notice of how a fetch ended; whether nobody is to be blamed for it.

        Nobody is when nothing else answered either. While nothing has answered yet, the first
        failures count, until there are enough of them to tell an outage. Nor is who was asked
        while the network was down, though others answer again by the time this one's is up.
        """
        layer = doubt(reply)
        if layer is None:
            was_down = self.down
            self._cleared(host, reply, now)
            return was_down and reply.error in UNHEARD
        failing = self._failing[layer]
        if len(failing) < TELLING:
            failing.setdefault(urls.registered_domain(host), now)
        first = min(failing.values())
        certain = reply.doubt == NOTHING_ELSE
        if not self.down and (len(failing) >= TELLING or (certain and now - first >= LASTING_S)):
            self.since = first
            self._next_probe = now + PROBE_S
        return certain or self.down

    def may_probe(self, now: float) -> bool:
        """Whether it is time to try one URL while the network is down."""
        return now >= self._next_probe

    def next_probe_in_s(self, now: float) -> float:
        """Seconds until the next probe."""
        return max(0.0, self._next_probe - now)

    def probed(self, now: float) -> None:
        """A probe has been sent."""
        self._next_probe = now + PROBE_S

    def notice(self, now: float) -> str | None:
        """One line for the person; None while the network works."""
        if self.since is None:
            return None
        return f"network down since {now - self.since:.0f} s: probing every {PROBE_S:.0f} s"

    def hopeless(self, now: float, patience_s: float) -> bool:
        """Whether the run should end rather than wait on."""
        limit = patience_s if self.proven else min(patience_s, UNPROVEN_S)
        return self.since is not None and now - self.since > limit

    def _cleared(self, host: str, reply: Reply, now: float) -> None:
        """What an end that is beyond doubt says of each layer."""
        word = words.of(reply.error)
        # A host that falls silent was reached, but on a connection that was kept from before this
        # says nothing of the network now.
        layer = None if word.silent else word.layer
        is_stale = word.silent and reply.connect_ms is None
        reached = reply.status is not None or bool(reply.ip and layer is None and not is_stale)
        asked = reply.dns_ms is not None and not urls.is_ip(host)
        self.proven = self.proven or reached
        if reached or layer == "links":
            self._failing["links"].clear()
        if asked or layer == "names":
            self._failing["names"].clear()
        if self.down and not any(self._failing.values()):
            self.since = None
        elif reached:
            self._next_probe = now  # it told nothing of what is failing, but it cost no waiting
