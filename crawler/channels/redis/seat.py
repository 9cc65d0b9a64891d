"""Who is the conductor of a name, and when may a new one begin?

The session's key says it, each second anew with another pulse. Whoever finds one that beats is
refused; one that does not is taken over. What the old one had given out may still be fetched then:
until its machines have signed off, or have dropped everything by themselves, nothing may be given
out.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Iterable
from typing import Any, Final
from zlib import crc32

import gevent
import msgspec

from crawler import __version__
from crawler.channels.redis.beats import hear
from crawler.channels.redis.connection import Away, Link, Refused
from crawler.channels.redis.wire import (
    BEAT_S,
    FENCE_S,
    WINDOW_BYTES,
    Keys,
    Session,
    session_key,
    wire,
)
from crawler.config import Config
from crawler.config.secrets import for_machines
from crawler.errors import UsageError

WATCHED_BEATS: Final = 4
"""A conductor that gives no pulse for so long is gone, or will find that it is."""
KEPT_S: Final = 120
"""How long what a conductor has written outlives it."""
MARGIN_S: Final = 1.0
TRIES: Final = 5
_encode: Final = msgspec.msgpack.encode


class Taken(UsageError):
    """Another conductor has taken over while this one gave no sign of life."""


class Seat:
    """A conductor's place under a name.

    limit_bytes: of the engine's memory, 0 for none. fence_s: as `FENCE_S`.
    keys: of this run. session: what was said last. Not used by two greenlets at once.
    """

    def __init__(
        self, link: Link, name: str, config: Config, *, limit_bytes: int = 0,
        fence_s: float = FENCE_S,
    ) -> None:  # fmt: skip
        self.keys = Keys(name, secrets.token_hex(8))
        self._link = link
        self._name = name
        self._config = _encode(for_machines(config))
        self._limit = limit_bytes
        self._left: set[str] = set()
        self._old: Keys | None = None
        self._quiet_until = 0.0
        self.session = Session(
            self.keys.run, wire(), __version__, 0,
            f"{socket.gethostname()[:60]}, process {os.getpid()}", fence_s=fence_s,
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"<Seat {self._name}, pulse {self.session.pulse}>"

    def claim(self) -> None:
        """Become the conductor. Raises UsageError when somebody else is, Away and Refused."""
        for _ in range(TRIES):
            old = self._found()
            if old is not None and old.is_open:
                self._refuse_living(old)
            if self._put(old):
                self._look_back(old)
                return
        raise UsageError(f"--name {self._name}: others begin with it at the same time")

    def renew(self, machines: int, expelled: dict[str, str]) -> None:
        """Give a pulse, and write again what the engine may have lost. Raises Taken, Away, Refused.

        machines: how many share the engine's memory.
        """
        old = self._found()
        if old is not None and old.run != self.session.run:
            raise Taken(f"--name {self._name}: {old.holder} has taken it over")
        window = WINDOW_BYTES
        if self._limit:
            window = min(window, self._limit // (2 * (machines + 1)))
        self.session = msgspec.structs.replace(
            self.session, pulse=self.session.pulse + 1, window_bytes=window, expelled=expelled
        )
        if not self._put(old):
            raise Away(self._link.place, "the session was changed meanwhile")

    def let_go(self) -> None:
        """Tell all machines to leave. Raises Away and Refused."""
        old = self._found()
        if old is not None and old.run != self.session.run:
            return
        self.session = msgspec.structs.replace(
            self.session, pulse=self.session.pulse + 1, is_open=False
        )
        self._link.ask_all(
            [
                ("SET", session_key(self._name), _encode(self.session), "EX", KEPT_S),
                ("DEL", self.keys.config),
            ]
        )

    def beware(self, machines: Iterable[str]) -> None:
        """Machines of an earlier run may still be at work: a file says so."""
        more = set(machines)
        if more:
            self._left |= more
            self._wait_from_now()

    @property
    def waits(self) -> bool:
        """Was there reason to wait when this was looked at last?"""
        return self._quiet_until > 0

    def must_wait(self) -> bool:
        """May machines of an earlier run still be at work? Raises Away and Refused."""
        if not self._quiet_until:
            return False
        if time.monotonic() >= self._quiet_until or (self._old and self._all_left(self._old)):
            self._quiet_until = 0.0
            self._left.clear()
        return bool(self._quiet_until)

    def _found(self) -> Session | None:
        """What the key holds now; it is watched from here on."""
        _, raw = self._answers([("WATCH", session_key(self._name)), self._ask()])
        if raw is None:
            return None
        try:
            return msgspec.msgpack.decode(raw, type=Session)
        except msgspec.DecodeError:
            return Session("", 0, "", crc32(raw), "another version of the crawler")

    def _ask(self) -> tuple[str, str]:
        return "GET", session_key(self._name)

    def _answers(self, commands: list[Any]) -> list[Any]:
        answers = self._link.ask_all(commands)
        for answer in answers:
            if isinstance(answer, Refused):
                raise answer
        return answers

    def _put(self, old: Session | None) -> bool:
        """Write the session and what belongs to it; False when it was changed meanwhile."""
        key, keys = session_key(self._name), self.keys
        answers = self._answers(
            [
                ("MULTI",),
                ("SET", key, _encode(self.session), "EX", KEPT_S),
                ("SET", keys.config, self._config, "EX", KEPT_S),
                ("EXPIRE", keys.beats, KEPT_S),
                ("EXEC",),
            ]
        )
        return answers[-1] is not None

    def _refuse_living(self, old: Session) -> None:
        until = time.monotonic() + WATCHED_BEATS * BEAT_S
        while time.monotonic() < until:
            gevent.sleep(BEAT_S / 4)
            now = self._found()
            if now is None or not now.is_open:
                return
            if (now.run, now.pulse) != (old.run, old.pulse):
                raise UsageError(
                    f"--name {self._name}: {now.holder} conducts a crawl of that name; "
                    "choose another name"
                )

    def _look_back(self, old: Session | None) -> None:
        """Which machines did the one before have?"""
        if old is None:
            return
        self._old = Keys(self._name, old.run)
        beats, is_flooded = hear(self._link, self._old.beats, self._left)
        self._left |= {key for key, beat in beats.items() if beat is not None and not beat.left}
        if self._left or old.is_open or is_flooded:
            self._wait_from_now()

    def _wait_from_now(self) -> None:
        self._quiet_until = time.monotonic() + self.session.fence_s + MARGIN_S

    def _all_left(self, old: Keys) -> bool:
        """Has each that is known said so? Among too many there may be some that are not known."""
        beats, is_flooded = hear(self._link, old.beats, self._left)
        known = self._left | {key for key, beat in beats.items() if beat is not None}
        return (
            bool(known)
            and not is_flooded
            and all((beat := beats.get(key)) is not None and beat.left for key in known)
        )
