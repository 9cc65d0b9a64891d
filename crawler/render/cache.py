"""Which scripts and styles need not be asked for again?

Pages of a site have most of theirs in common. One worker keeps what it was answered, for all pages
that it shows, so that twenty requests of a page become four.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import msgspec

from crawler.model import Reply

KEPT_BYTES: Final = 32 * 1024 * 1024
TYPES: Final = frozenset({"Script", "Stylesheet"})
_OTHER_FOR_OTHERS: Final = frozenset({"*", "cookie", "authorization"})
"""Of Vary: answers that are one visitor's alone."""


class Kept(msgspec.Struct, frozen=True):
    """An answer; until: seconds of a clock that never goes back."""

    reply: Reply
    until: float


class Cache:
    """Answers by their addresses and by who may see them; those that were asked for longest ago
    leave first.

    kept_s: how long an answer holds, whatever it says itself: a crawl sees a site at one time.
    """

    def __init__(self, kept_s: float = 900.0, kept_bytes: int = KEPT_BYTES) -> None:
        self._kept_s = kept_s
        self._most = kept_bytes
        self._answers: OrderedDict[tuple[str, str], Kept] = OrderedDict()
        self._bytes = 0

    def __repr__(self) -> str:
        return f"<Cache {len(self._answers)} answers, {self._bytes:,} bytes>"

    def find(self, url: str, whose: str, kind: str, now: float) -> Reply | None:
        """What was answered, or None. whose: who may see it; nobody else is given it."""
        key = url, whose
        kept = self._answers.get(key) if kind in TYPES else None
        if kept is None:
            return None
        if kept.until <= now:
            self._drop(key)
            return None
        self._answers.move_to_end(key)
        return kept.reply

    def keep(self, url: str, whose: str, kind: str, reply: Reply, now: float) -> None:
        """Keep an answer for later pages, where it is as good for them."""
        if kind not in TYPES or reply.status != 200 or reply.error or not _is_for_all(reply):
            return
        if len(reply.body) > self._most // 4:
            return
        key = url, whose
        self._drop(key)
        self._answers[key] = Kept(reply, now + self._kept_s)
        self._bytes += len(reply.body)
        while self._bytes > self._most:
            self._drop(next(iter(self._answers)))

    def _drop(self, key: tuple[str, str]) -> None:
        kept = self._answers.pop(key, None)
        if kept is not None:
            self._bytes -= len(kept.reply.body)


def _is_for_all(reply: Reply) -> bool:
    control = (reply.header("cache-control") or "").lower()
    if "no-store" in control or "private" in control:
        return False
    varies = (reply.header("vary") or "").lower().split(",")
    return _OTHER_FOR_OTHERS.isdisjoint(word.strip() for word in varies)
