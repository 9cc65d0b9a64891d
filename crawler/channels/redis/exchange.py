"""How do the shards of a crawl reach each other?

Over a Redis or Valkey, which may lose all of it at any moment. Each shard has a stream for each
other one, whose entries bear the numbers of its messages: an entry that is there already is
refused, and one that does not follow the last is not taken. A shard says how far it has taken
another's messages only when that is in its file; the other one then forgets them, takes them out
of the engine, and until then sends them again when they are gone. What each says of itself, once a
second, stands in one hash.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections import deque
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final, Protocol

import gevent
import msgspec
from gevent.event import Event

from crawler import __version__
from crawler.channels.redis.acl import KEYS
from crawler.channels.redis.address import Address
from crawler.channels.redis.connection import Away, Link, Refused, look_at
from crawler.channels.redis.peers import Answer, Peer, Report, by_number, is_new
from crawler.errors import UsageError
from crawler.policy import waves
from crawler.store.mail import Counts, Message
from crawler.store.shards import Which

BEAT_S: Final = 1.0
"""At least so often a shard says that it is there."""
LOOK_S: Final = 0.1
BUSY_S: Final = 0.01
"""How long is waited between two looks where nothing moves, and where something does."""
MANY: Final = 8
"""With more shards each looks the more rarely: what all of them say, all of them read."""
SILENT_S: Final = 10.0
"""A shard that says nothing for so long is away."""
STILL_S: Final = 1.0
"""When nothing has moved for so long, it is looked whether what was sent is still there."""
OUT_BYTES: Final = 32 * 1024 * 1024
LEAST_BYTES: Final = 128 * 1024
"""Sent by a shard and not taken yet, which the others share; each may have so much at least."""
INBOX: Final = 64
"""Messages that wait to be taken."""
A_LOOK: Final = 8
STREAMS: Final = 16
"""Entries of one stream, and streams, that one look reads."""
FAREWELL_S: Final = 60.0
"""So long a shard that has ended waits for others to see it, too: one may have been killed."""
KEPT_S: Final = 86_400
_ENTRY: Final = "m"
_log = logging.getLogger(__name__)


class Desk(Protocol):
    """The conductor of a shard, as the exchange sees it."""

    def counts(self) -> Counts:
        """How far all is in the file."""

    def meet(self, nonces: Mapping[int, int]) -> None:
        """These are the other shards' files."""

    def mail_after(self, peer: int, number: int, most_bytes: int) -> list[Message]:
        """Messages for a shard, behind this one."""

    def is_at_rest(self) -> bool:
        """There is nothing to do, unless others send something."""

    def wake(self) -> None:
        """Something has come."""


class Exchange:
    """One shard's side of it. rules: what all shards must agree in, of whatever length.

    inbox: messages to be taken, in order. acks: what others have of ours, not yet forgotten here.
    is_over: the whole crawl has come to its end. Raises UsageError without redis-py.
    """

    def __init__(self, address: Address, name: str, rules: str) -> None:
        self._link = Link(address)
        self._prefix = f"{KEYS}{name}"
        digest = blake2b(f"{__version__} {rules}".encode(), digest_size=8).hexdigest()
        self._limit = 0
        self._which = Which(0, 0)
        self._peers: dict[int, Peer] = {}
        self._desk: Desk
        self._own = Report(0, 0, 0, secrets.token_hex(8), time.time(), 0, digest)
        self._seen: dict[int, tuple[str, int]] = {}
        self._last: dict[int, Report] = {}
        self._rival = "", 0
        self._strangers: set[str] = set()
        self._beaten = self._since = 0.0
        self._why_away = ""
        self._moved = Event()
        self.inbox: deque[Message] = deque()
        self.acks: dict[int, int] = {}
        self.is_over = False

    def __repr__(self) -> str:
        return f"<Exchange of {self._which}, {len(self.inbox)} to take>"

    def look_at_engine(self) -> None:
        """Raises UsageError, one line, when the engine cannot be had or used."""
        self._limit = look_at(self._link).limit_bytes

    def run(self, which: Which, desk: Desk) -> None:
        """Until it is killed. Raises CrawlError where another conductor or file is in the way."""
        self._which, self._desk = which, desk
        now = self._since = time.monotonic()
        self._own = msgspec.structs.replace(
            self._own, number=which.number, shards=which.shards, nonce=which.nonce,
            crawl=which.crawl,
        )  # fmt: skip
        counts = desk.counts()
        for number in which.others:
            first = desk.mail_after(number, 0, 1)
            acked = first[0].number - 1 if first else counts.sent[number]
            self._peers[number] = Peer(
                number, acked=acked, moved=now, next=counts.taken[number] + 1
            )
        while True:
            self._moved.clear()
            moved = self._round()
            self._moved.wait(BUSY_S if moved else LOOK_S * max(1.0, which.shards / MANY))

    def wrote(self) -> None:
        """There may be something to send, or to say."""
        self._moved.set()

    def farewell(self) -> None:
        """This shard's file says that all is over: wait until those of the others do, too."""
        self._own = msgspec.structs.replace(self._own, ended=True)
        self._beaten = 0.0  # which is said before this goes, whoever is still there
        until = time.monotonic() + FAREWELL_S
        while time.monotonic() < until:
            is_said = self._beaten > 0
            if is_said and self._all_ended():
                break
            self._round()
            gevent.sleep(LOOK_S)
        self._link.close()

    def _all_ended(self) -> bool:
        return all(self._has_ended(number) for number in self._peers)

    def _has_ended(self, number: int) -> bool:
        """Has a shard said, whenever it was, that its file has the end of this crawl?"""
        last, answer = self._last.get(number), self._end.get(number)
        if last is None or answer is None:
            return False
        return last.ended and (last.nonce, last.crawl) == (answer.nonce, answer.crawl)

    # What there is to tell

    def notice(self) -> str | None:
        """One line on what is waited for; None while all are there."""
        if self._why_away:
            return f"{self._why_away}; what was found for other shards waits in the file"
        away = self._away()
        if not away or time.monotonic() - self._since < SILENT_S:
            return None
        which = ", ".join(f"{number}/{self._which.shards}" for number in away)
        return f"waiting for shard {which}: start it, or start it again"

    def away_s(self) -> float:
        """For how long some other shard, or the engine, has not been there."""
        if not self._away():
            return 0.0
        return time.monotonic() - min(
            max(self._peers[number].heard, self._since) for number in self._away()
        )

    def _away(self) -> list[int]:
        now = time.monotonic()
        return [one.number for one in self._peers.values() if now - one.heard > SILENT_S]

    # A round

    def _round(self) -> bool:
        """Say, hear, send and receive; whether anything has moved."""
        try:
            counts = self._desk.counts()
            self._speak(counts)
            self._tidy()
            moved = self._send(counts)
            moved = self._receive() or moved
        except (Away, Refused) as error:
            if isinstance(error, Refused) and error.code == "NOPERM":
                raise UsageError(
                    f"{error}: its user may not do that; crawler redis-acl prints what it needs"
                ) from None
            self._why_away = str(error)
            gevent.sleep(LOOK_S)
            return False
        self._why_away = ""
        return moved

    def _speak(self, counts: Counts) -> None:
        """Say what is new here, and hear what others say."""
        now = time.monotonic()
        is_due = now - self._beaten > BEAT_S
        before = self._own
        self._count_waves(counts)
        commands: list[tuple[Any, ...]] = [
            ("HGETALL", f"{self._prefix}:shards"),
            ("HGETALL", self._acks_of(self._which.nonce)),
        ]
        if self._own != before or is_due:
            self._own = msgspec.structs.replace(self._own, beat=before.beat + 1)
            packed = msgspec.msgpack.encode(self._own)
            commands.append(("HSET", f"{self._prefix}:shards", self._which.number, packed))
        if is_due:
            commands.append(("EXPIRE", f"{self._prefix}:shards", KEPT_S))
        commands += self._says_taken(counts, again=is_due)
        answers = self._asked(commands)
        self._beaten = now if is_due else self._beaten
        self._hear(by_number(answers[0]), now)
        for number, told in by_number(answers[1]).items():
            peer = self._peers.get(number)
            if peer is not None and told.isdigit() and int(told) <= counts.sent[number]:
                self._know_taken(peer, int(told), now)

    def _know_taken(self, peer: Peer, number: int, now: float) -> None:
        if number > peer.acked:
            peer.took(number, now)
            self.acks[peer.number] = number
            self._desk.wake()

    def _says_taken(self, counts: Counts, *, again: bool) -> list[tuple[Any, ...]]:
        """To each sender, how far its messages are in this file."""
        said: list[tuple[Any, ...]] = []
        for peer in self._peers.values():
            taken = counts.taken[peer.number]
            if peer.report is None or not taken or (taken == peer.said and not again):
                continue
            key = self._acks_of(peer.report.nonce)
            said += [("HSET", key, self._which.number, taken), ("EXPIRE", key, KEPT_S)]
            peer.said = taken
        return said

    def _acks_of(self, nonce: int) -> str:
        return f"{self._prefix}:acks:{nonce}"

    def _asked(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Answers, of which none is a refusal."""
        answers = self._link.ask_all(commands)
        for answer in answers:
            if isinstance(answer, Refused):
                raise answer
        return answers

    # Who is there

    def _hear(self, told: Mapping[int, bytes], now: float) -> None:
        met: dict[int, int] = {}
        for number, packed in told.items():
            peer = self._peers.get(number)
            if peer is not None and packed == peer.said_last:
                continue
            try:
                report = msgspec.msgpack.decode(packed, type=Report)
            except msgspec.MsgspecError:
                continue  # of another version; it says so itself, or is none of ours
            if number == self._which.number:
                self._look_at_rival(report)
                if self._own.end is None:  # what this one has found before it was killed
                    self._own = msgspec.structs.replace(self._own, end=report.end)
                continue
            if peer is None:
                continue
            self._last[number] = report
            if peer.report is None and self._is_stale(report):
                continue
            if peer.report is None or is_new(report, peer.report):
                if self._is_strange(report):
                    continue
                if peer.report is None or peer.report.nonce != report.nonce:
                    met[number] = report.nonce
                peer.report, peer.said_last, peer.heard = report, packed, now
        if met:
            self._desk.meet(met)

    def _is_stale(self, report: Report) -> bool:
        """What stands there of a shard that has not been heard yet may be of an earlier run."""
        seen = self._seen.setdefault(report.number, (report.session, report.beat))
        return seen == (report.session, report.beat)

    def _look_at_rival(self, report: Report) -> None:
        """Raises UsageError when another conductor goes on being this shard: with another file, or
        with a copy of this one."""
        if report.session == self._own.session:
            return
        session, beat = self._rival
        if report.session == session and report.beat > beat:
            if report.nonce == self._which.nonce:
                why = "with a copy of this file; what that one takes would never be in this one"
            else:
                why = "with another file; give this crawl another --name"
            raise UsageError(f"{self._which} is run already, {why}")
        self._rival = report.session, report.beat

    def _is_strange(self, report: Report) -> bool:
        """Is a shard none of the same crawl? Raises UsageError when it was there before this one;
        else it will hear the same, and is not listened to."""
        is_older = (report.started, report.number) < (self._own.started, self._which.number)
        if report.shards != self._which.shards:
            why = f"is one of {report.shards} shards"
        elif report.rules != self._own.rules:
            why = "has other settings or another version, and would judge otherwise"
        else:
            return False
        told = f"shard {report.number}, which runs already, {why}"
        if is_older:
            raise UsageError(f"{told}; give all the same, or this crawl another --name")
        if report.session not in self._strangers:
            self._strangers.add(report.session)
            _log.warning("%s", told)
        return True

    # Sending

    def _tidy(self) -> None:
        """What others have in their files is needed no longer."""
        done = [peer for peer in self._peers.values() if peer.acked > peer.trimmed]
        if done:
            trims = [("XTRIM", self._stream_to(one), "MINID", f"{one.acked + 1}-0") for one in done]
            self._asked(trims)
            for peer in done:
                peer.trimmed = peer.acked

    def _send(self, counts: Counts) -> bool:
        now = time.monotonic()
        moved = False
        for peer in self._peers.values():
            if peer.sent and now - peer.moved > STILL_S:
                self._mend(peer, now)
            room = self._window - peer.on_the_way
            if counts.sent[peer.number] > peer.cursor and room > 0:
                messages = self._desk.mail_after(peer.number, peer.cursor, room)
                self._add(peer, messages, now)
                moved = moved or bool(messages)
        return moved

    @property
    def _window(self) -> int:
        """Bytes that may be on their way to one shard; all of it is half of a small engine at most,
        for a full one would take no word of what has been taken."""
        others = self._which.shards - 1
        window = max(LEAST_BYTES, OUT_BYTES // others)
        return min(window, self._limit // (2 * others * (others + 1))) if self._limit else window

    def _stream_to(self, peer: Peer) -> str:
        return f"{self._prefix}:mail:{self._which.nonce}:{peer.number}"

    def _add(self, peer: Peer, messages: Sequence[Message], now: float) -> None:
        """Into its stream; what is there already is refused, which is as good."""
        key = self._stream_to(peer)
        commands: list[tuple[Any, ...]]
        commands = [("XADD", key, f"{one.number}-0", _ENTRY, one.packed) for one in messages]
        if not commands:
            return
        commands.append(("EXPIRE", key, KEPT_S))
        for message, answer in zip(messages, self._link.ask_all(commands)[:-1], strict=True):
            if isinstance(answer, Refused) and answer.code != "ERR":
                raise answer
            peer.sent.append((message.number, len(message.packed)))
        peer.moved = now

    def _mend(self, peer: Peer, now: float) -> None:
        """Nothing moves: is what was sent still there? Else it is sent again."""
        key, first = self._stream_to(peer), peer.sent[0][0]
        trim, there, many = self._link.ask_all(
            [
                ("XTRIM", key, "MINID", f"{first}-0"),
                ("XRANGE", key, "-", "+", "COUNT", 1),
                ("XLEN", key),
            ]
        )
        for answer in (trim, there, many):
            if isinstance(answer, Refused):
                raise answer
        peer.moved = now
        if many == len(peer.sent) and there and there[0][0] == b"%d-0" % first:
            return
        again = self._desk.mail_after(peer.number, first - 1, self._window)
        peer.sent.clear()
        self._link.ask("DEL", key)
        self._add(peer, again, now)

    # Receiving

    def _receive(self) -> bool:
        """Messages that follow those which were taken; where one is missing, it comes again."""
        if len(self.inbox) >= INBOX:
            return False
        known = [peer for peer in self._peers.values() if peer.report is not None]
        if not known:
            return False
        turn = self._own.beat % len(known)
        asked = (known[turn:] + known[:turn])[:STREAMS]
        keys = [self._stream_from(peer) for peer in asked]
        marks = [f"{peer.next - 1}-0" for peer in asked]
        answer = self._link.ask("XREAD", "COUNT", A_LOOK, "STREAMS", *keys, *marks)
        by_key = dict(zip(keys, asked, strict=True))
        before = len(self.inbox)
        for key, entries in answer or ():
            peer = by_key[key.decode()]
            for entry, fields in entries:
                number = int(entry.partition(b"-")[0])
                if number != peer.next:
                    break
                self.inbox.append(Message(peer.number, number, fields[1]))
                peer.next += 1
        if len(self.inbox) > before:
            self._desk.wake()
        return len(self.inbox) > before

    def _stream_from(self, peer: Peer) -> str:
        assert peer.report is not None
        return f"{self._prefix}:mail:{peer.report.nonce}:{self._which.number}"

    # The end

    def _count_waves(self, counts: Counts) -> None:
        """Answer the first shard's wave, or be it; see whether all is over."""
        if self._own.ended:
            self._answer(counts)
            return
        if self.inbox or not self._desk.is_at_rest():
            return
        if self._desk.counts() != counts:
            return  # something was taken or found meanwhile
        self._answer(counts)
        if self._which.number == 1:
            self._ask(counts)
        if self._end.get(self._which.number) == self._own.answer(counts):
            self.is_over = True
            self._desk.wake()

    @property
    def _end(self) -> dict[int, Answer]:
        """The answers of all, as the first has found that nothing was under way.

        Whoever said it, and however long ago: it is over for a shard that has said and taken
        nothing since its own answer. So one that was killed then ends though all others have gone.
        """
        first = self._own if self._which.number == 1 else self._last.get(1)
        return (first.end if first is not None else None) or {}

    def _answer(self, counts: Counts) -> None:
        first = self._own if self._which.number == 1 else self._live(1)
        wave = first.wave if first is not None else ""
        if wave and wave != self._own.answered:
            self._own = msgspec.structs.replace(self._own, answered=wave, counts=counts)

    def _ask(self, counts: Counts) -> None:
        """The first shard begins a wave when the one before it has been answered by all."""
        own = self._own
        if own.wave:
            answers = {1: own.answer(own.counts or counts)}
            for number in self._which.others:
                report = self._live(number)
                if report is None or report.answered != own.wave or report.counts is None:
                    return
                answers[number] = report.answer(report.counts)
            if waves.is_over({number: answer.counts for number, answer in answers.items()}):
                self._own = msgspec.structs.replace(own, end=answers)
                return
        wave = f"{self._own.session}:{secrets.token_hex(4)}"
        self._own = msgspec.structs.replace(own, wave=wave)

    def _live(self, number: int) -> Report | None:
        """What a shard said that is there now."""
        peer = self._peers[number]
        return peer.report if time.monotonic() - peer.heard <= SILENT_S else None
