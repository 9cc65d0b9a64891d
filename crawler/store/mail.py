"""What does a shard tell the others, and how does it leave and arrive?

Lives on the writer's thread. What is found for another shard is written in the transaction in which
it was found, as messages numbered from 1 for each receiver; a message is taken in the transaction
that moves its sender's mark. So a message counts once, however often it comes.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from crawler.errors import StorageError
from crawler.policy import urls
from crawler.policy.placement import shard_of
from crawler.policy.seeds import Seed
from crawler.store.database import Connection
from crawler.store.shards import NUMBERED, Which

A_MESSAGE = 500
"""Items of one at most."""


class PassedLink(msgspec.Struct, frozen=True, array_like=True, tag="link"):
    """A link to a URL of another shard, as `UrlTable.admit` takes it."""

    url: str
    kind: str
    depth: int
    hops: int = 0
    nofollow: bool = False
    fetch_kind: str = "page"


class PassedSeed(msgspec.Struct, frozen=True, array_like=True, tag="seed"):
    """A line of the seeds that another shard has read."""

    seed: Seed


class Chained(msgspec.Struct, frozen=True, array_like=True, tag="chain"):
    """A chain of redirects that began at the seed `seed` leads to `url`."""

    url: str
    seed: str


Item = PassedLink | PassedSeed | Chained
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Item]).decode


class Message(msgspec.Struct, frozen=True):
    """From a shard, or to one: its number there, and its items, packed."""

    peer: int
    number: int
    packed: bytes

    def items(self) -> list[Item]:
        """What it says. Raises msgspec.MsgspecError for what no shard has written."""
        return _decode(self.packed)


class Counts(msgspec.Struct, frozen=True, array_like=True):
    """How far a shard has come with each other one: sent to it, taken from it, at one moment."""

    sent: dict[int, int]
    taken: dict[int, int]


class Mail:
    """What a shard has for the others."""

    def __init__(self, connection: Connection, which: Which) -> None:
        self._connection = connection
        self.which = which
        self._items: dict[int, list[Item]] = {}
        self._ids = _Ids(connection, which)
        rows = [(number,) for number in which.others]
        connection.executemany("INSERT OR IGNORE INTO peers (number, nonce) VALUES (?, 0)", rows)

    def __repr__(self) -> str:
        return f"<Mail of {self.which}>"

    def peer_of(self, origin: str) -> int | None:
        """The other shard that has an origin; None for this one's."""
        number = shard_of(urls.host_of(origin), self.which.shards)
        return None if number == self.which.number else number

    def post(self, peer: int, item: Item) -> None:
        """To be written with the transaction that goes on."""
        self._items.setdefault(peer, []).append(item)

    def post_once(self, peer: int, item: Item) -> None:
        """The same, unless it was posted since this crawl began."""
        passed = urls.number_of(_encode([peer, item]))
        if self._connection.execute(PASS_ONCE, (passed,)).rowcount:
            self.post(peer, item)

    # A transaction

    def begin(self) -> None:
        """Ids begin where this shard's do."""
        self._ids.begin()

    def write(self) -> None:
        """Write what was posted."""
        self._ids.end()
        for peer, items in self._items.items():
            starts = range(0, len(items), A_MESSAGE)
            [last] = self._connection.execute(
                "UPDATE peers SET sent = sent + ? WHERE number = ? RETURNING sent",
                (len(starts), peer),
            ).fetchone()
            first = last - len(starts) + 1
            self._connection.executemany(
                "INSERT INTO outbox (peer, number, message) VALUES (?, ?, ?)",
                [
                    (peer, first + place, _encode(items[start : start + A_MESSAGE]))
                    for place, start in enumerate(starts)
                ],
            )
        self._items.clear()

    def forget(self) -> None:
        """After a rollback."""
        self._items.clear()

    def mark(self, peer: int, number: int) -> bool:
        """A message of a shard is being taken; False when that was done before.

        Raises StorageError for a gap, which the one who fetches messages has to see first.
        """
        [taken] = self._connection.execute(
            "SELECT taken FROM peers WHERE number = ?", (peer,)
        ).fetchone()
        if number <= taken:
            return False
        if number != taken + 1:
            raise StorageError(f"message {number} of shard {peer} came after message {taken}")
        self._connection.execute("UPDATE peers SET taken = ? WHERE number = ?", (number, peer))
        return True


class _Ids:
    """Lets the ids of a new file begin above those of all shards before it.

    SQLite gives a row the greatest id so far and one more: within a transaction, tables that are
    empty hold a row that it does not leave behind.
    """

    def __init__(self, connection: Connection, which: Which) -> None:
        self._connection = connection
        self._first = which.first_id
        self._empty = set(NUMBERED) - {"urls"}
        self._held: list[str] = []

    def begin(self) -> None:
        for table in sorted(self._empty):
            if self._connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone():
                self._empty.discard(table)
            else:
                self._connection.execute(PLACES[table], (self._first,))
                self._held.append(table)

    def end(self) -> None:
        for table in self._held:
            self._connection.execute(f"DELETE FROM {table} WHERE id = ?", (self._first,))
        self._held.clear()


def counts(connection: Connection) -> Counts:
    """Of one moment: one statement is one read transaction."""
    rows = connection.execute("SELECT number, sent, taken FROM peers").fetchall()
    return Counts({row[0]: row[1] for row in rows}, {row[0]: row[2] for row in rows})


def meet(connection: Connection, nonces: Mapping[int, int]) -> None:
    """Remember which files the other shards have. Raises StorageError when one has another now."""
    for number, nonce in nonces.items():
        [known] = connection.execute(
            "SELECT nonce FROM peers WHERE number = ?", (number,)
        ).fetchone()
        if known not in (0, nonce):
            raise StorageError(
                f"shard {number} has another file than before: what was found for it is gone; "
                "give it back its file, or begin all shards anew"
            )
        connection.execute("UPDATE peers SET nonce = ? WHERE number = ?", (nonce, number))


def after(connection: Connection, peer: int, number: int, most_bytes: int) -> list[Message]:
    """Messages for a shard behind this one, in order, as many as fit, and at least one."""
    found: list[Message] = []
    size = 0
    rows = connection.execute(
        "SELECT number, message FROM outbox WHERE peer = ? AND number > ? ORDER BY number",
        (peer, number),
    )
    for its_number, packed in rows:
        if found and size + len(packed) > most_bytes:
            break
        found.append(Message(peer, its_number, packed))
        size += len(packed)
    return found


def delivered(connection: Connection, acks: Mapping[int, int]) -> None:
    """These shards have all up to these numbers in their files."""
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("DELETE FROM outbox WHERE peer = ? AND number <= ?", acks.items())
    connection.execute("COMMIT")


PASS_ONCE = "INSERT OR IGNORE INTO shard_passed (hash) VALUES (?)"
PLACES = {
    "hosts": "INSERT INTO hosts (id, host, registered_domain) VALUES (?, '', '')",
    "origins": "INSERT INTO origins (id, origin, host_id) VALUES (?, '', 0)",
    "visits": """
        INSERT INTO visits (id, run_id, url_id, kind, method, attempt, started_at)
        VALUES (?, 0, 0, '', '', 0, '')
    """,
    "bodies": "INSERT INTO bodies (id, sha256, body_bytes) VALUES (?, '', 0)",
    "seeds": "INSERT INTO seeds (id, run_id, line, text) VALUES (?, 0, 0, '')",
}
