"""What does a shard know of another one?"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import msgspec

from crawler.store.mail import Counts


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """What a shard had sent and taken when it answered a wave: in which file, in which of its
    crawls."""

    nonce: int
    crawl: int
    counts: Counts


class Report(msgspec.Struct, frozen=True, array_like=True):
    """What a shard says of itself.

    nonce: of its file. session: of its conductor. beat: grows. rules: a digest of what all must
    agree in. wave: what the first one asks; answered: what this one has answered, with `counts`.
    end: the answers of all, when the first has found by them that all is done. ended: this one's
    file says so. crawl: which of that file's crawls it is.
    """

    number: int
    shards: int
    nonce: int
    session: str
    started: float
    beat: int
    rules: str
    wave: str = ""
    answered: str = ""
    counts: Counts | None = None
    end: dict[int, Answer] | None = None
    ended: bool = False
    crawl: int = 0

    def answer(self, counts: Counts) -> Answer:
        """With these counts."""
        return Answer(self.nonce, self.crawl, counts)


class Peer(msgspec.Struct):
    """Another shard, as it is known here.

    report: its last. heard: when that changed. acked: what it has of ours. sent: numbers and sizes
    of what is in its stream. moved: when any of this changed. next: its next message. said: how
    far it was told that its messages are taken. said_last: the report, packed. trimmed: how far
    what it has is gone from its stream.
    """

    number: int
    report: Report | None = None
    heard: float = 0.0
    acked: int = 0
    sent: deque[tuple[int, int]] = msgspec.field(default_factory=deque)
    moved: float = 0.0
    next: int = 0
    said: int = 0
    said_last: bytes = b""
    trimmed: int = 0

    @property
    def cursor(self) -> int:
        """The last that was sent."""
        return self.sent[-1][0] if self.sent else self.acked

    @property
    def on_the_way(self) -> int:
        """Bytes that were sent and not taken yet."""
        return sum(size for _, size in self.sent)

    def took(self, number: int, now: float) -> None:
        """It has all up to this message."""
        if number > self.acked:
            self.acked, self.moved = number, now
            while self.sent and self.sent[0][0] <= number:
                self.sent.popleft()


def is_new(report: Report, before: Report) -> bool:
    """Has it said this since?"""
    return (report.session, report.beat) != (before.session, before.beat)


def by_number(pairs: Sequence[bytes]) -> dict[int, bytes]:
    """A hash of the engine, whose fields are numbers of shards."""
    fields = zip(pairs[::2], pairs[1::2], strict=True)
    return {int(field): value for field, value in fields if field.isdigit()}
