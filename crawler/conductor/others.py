"""What has the conductor of a shard to do with the other shards?"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

from crawler.conductor.flow import Flow
from crawler.store import mail
from crawler.store.mail import Counts, Message
from crawler.store.shards import Which
from crawler.store.writer import Writer

TAKEN_AT_ONCE = 16
"""Messages of one transaction."""


class Exchange(Protocol):
    """How shards reach each other; see `channels.redis.exchange`, where each of these is told."""

    inbox: deque[Message]
    acks: dict[int, int]
    is_over: bool

    def look_at_engine(self) -> None:
        """See whether it can be had."""

    def run(self, which: Which, desk: Others) -> None:
        """Until it is killed."""

    def wrote(self) -> None:
        """There may be something to send, or to say."""

    def farewell(self) -> None:
        """Wait until all know that all is over."""

    def notice(self) -> str | None:
        """One line on what is waited for."""

    def away_s(self) -> float:
        """For how long some other shard has not been there."""


class Others:
    """What others have found is taken, and what they have taken is forgotten here.

    rests: whether there is nothing to do here. wakes: called when something has come.
    """

    def __init__(
        self, exchange: Exchange, writer: Writer, flow: Flow, rests: Callable[[], bool],
        wakes: Callable[[], None],
    ) -> None:  # fmt: skip
        self.exchange = exchange
        self._writer = writer
        self._flow = flow
        self._rests = rests
        self._wakes = wakes

    def __repr__(self) -> str:
        return f"<Others of {self._writer.which}>"

    def run(self) -> None:
        """Exchange messages until this is killed."""
        assert self._writer.which is not None
        self.exchange.run(self._writer.which, self)

    def write(self) -> bool:
        """The writer's part: take what has come, forget what has arrived; whether there was
        anything to take."""
        inbox = self.exchange.inbox
        batch = [inbox[at] for at in range(min(len(inbox), TAKEN_AT_ONCE))]
        if batch:
            self._flow.take(batch)
            for _ in batch:
                inbox.popleft()
        if self.exchange.acks:
            acks, self.exchange.acks = self.exchange.acks, {}
            self._writer.with_file(lambda file: mail.delivered(file, acks))
        return bool(batch)

    def part(self) -> None:
        """All is over: what was found for others is in their files, whether they have said so here
        yet or not. Wait until they know it, too."""
        sent = self.counts().sent
        self._writer.with_file(lambda file: mail.delivered(file, sent))
        self.exchange.farewell()

    # What the exchange asks for

    def counts(self) -> Counts:
        """How far all is in the file."""
        return self._writer.with_file(mail.counts)

    def meet(self, nonces: Mapping[int, int]) -> None:
        """These are the other shards' files. Raises StorageError for one that is not as before."""
        self._writer.with_file(lambda file: mail.meet(file, nonces))

    def mail_after(self, peer: int, number: int, most_bytes: int) -> list[Message]:
        """Messages for a shard, behind this one."""
        return self._writer.with_file(lambda file: mail.after(file, peer, number, most_bytes))

    def is_at_rest(self) -> bool:
        """There is nothing to do, unless others send something."""
        return self._rests()

    def wake(self) -> None:
        """Something has come."""
        self._wakes()
