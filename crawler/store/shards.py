"""What does a file keep that is one of several shards of a crawl?

Which of them it is; what it has found for the others, until they have it (`outbox`); and how far
each of them has come with that (`peers`). All of it changes in the transactions that store pages,
so that whatever dies, what was found once arrives once.

What every run would pass on again, seeds, is passed on once in a crawl: a shard that is killed at
the end of it and started again has then nothing to tell, and finds that all is over.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from crawler.errors import StorageError
from crawler.store.analysis import Column, create

OTHER_SHARD: Final = "other_shard"
"""The reason of a URL whose fate another shard keeps."""
FIRST_ID: Final = 1 << 40
"""The ids of shard N begin at N times this, so that merging need not give new ones."""
MOST_SHARDS: Final = 4096
"""Their ids stay below 2^53, which JavaScript and spreadsheets keep."""
NUMBERED: Final = ("hosts", "origins", "urls", "visits", "bodies", "seeds")
"""Tables whose ids are told apart so."""

SHARD: Final[Mapping[str, Column]] = {
    "number": ("INTEGER PRIMARY KEY", "which of them this file is, from 1"),
    "shards": ("INTEGER NOT NULL", "how many there are"),
    "nonce": ("INTEGER NOT NULL", "tells this file from another that is the same shard"),
}
PEERS: Final[Mapping[str, Column]] = {
    "number": ("INTEGER PRIMARY KEY", "another shard, from 1"),
    "nonce": ("INTEGER NOT NULL", "its file; see shard.nonce"),
    "sent": ("INTEGER NOT NULL DEFAULT 0", "the last message that was written for it"),
    "taken": ("INTEGER NOT NULL DEFAULT 0", "its last message that is in this file"),
}
OUTBOX: Final[Mapping[str, Column]] = {
    "peer": ("INTEGER NOT NULL", "the shard that it is for"),
    "number": ("INTEGER NOT NULL", "of the message, from 1 for each shard"),
    "message": ("BLOB NOT NULL", "links and seeds (MessagePack); gone when they are in its file"),
}
PASSED: Final[Mapping[str, Column]] = {
    "hash": ("INTEGER PRIMARY KEY", "of a seed, or of where one redirects to, and of its shard"),
}
CHAINS: Final[Mapping[str, Column]] = {
    "hash": ("INTEGER PRIMARY KEY", "of a URL to which redirects have led (urls.hash)"),
    "seed": ("TEXT NOT NULL", "the seed, in another shard's file, at which they began"),
}
TABLES: Final = {"shard": SHARD, "peers": PEERS, "outbox": OUTBOX, "shard_chains": CHAINS}
LATER_TABLES: Final = {"shard_passed": PASSED}
CRAWL: Final[Mapping[str, Column]] = {
    "crawl": ("INTEGER NOT NULL DEFAULT 0", "which crawl of this file goes on, or was the last"),
}
_KEYS: Final = {"outbox": "PRIMARY KEY (peer, number)"}
ROWS: Final = {
    "shard": "which shard of a crawl this file is; none where it is a whole one",
    "peers": "another shard, and how far both have come with what they have for each other",
    "outbox": "what was found for another shard that has not taken it yet",
    "shard_chains": "a URL that stands for a seed of another shard, which redirects to it",
    "shard_passed": "a seed that was passed on since this crawl began",
}
"""What a row is, by table."""


class Which(msgspec.Struct, frozen=True):
    """number: 1 to `shards`. nonce: of the file; 0 where it is not known yet. crawl: which of this
    file's crawls goes on; runs that go on with one that has not ended are of the same."""

    number: int
    shards: int
    nonce: int = 0
    crawl: int = 0

    def __str__(self) -> str:
        return f"shard {self.number}/{self.shards}"

    @property
    def others(self) -> list[int]:
        """All the others."""
        return [one for one in range(1, self.shards + 1) if one != self.number]

    @property
    def first_id(self) -> int:
        """Its ids are greater than this."""
        return self.number * FIRST_ID


def statements() -> list[str]:
    """What brings them into a file."""
    return [create(name, columns, _KEYS.get(name)) for name, columns in TABLES.items()]


def later_statements() -> list[str]:
    """What lets a shard know what it has said in a crawl, and of which crawl that was."""
    return [create(name, columns, None) for name, columns in LATER_TABLES.items()] + [
        f"ALTER TABLE shard ADD COLUMN {name} {kind}" for name, (kind, _) in CRAWL.items()
    ]


def which(connection: Any) -> Which | None:
    """Which shard a file is; None for a whole crawl."""
    row = connection.execute("SELECT number, shards, nonce, crawl FROM shard").fetchone()
    return None if row is None else Which(*row)


def met(connection: Any) -> dict[int, int]:
    """Files of other shards that this one has met, by their numbers."""
    return dict(connection.execute("SELECT number, nonce FROM peers WHERE nonce <> 0").fetchall())


def settle(connection: Any, asked: Which | None, path: object) -> None:
    """Let a new file be the shard that is asked for, and see that an older one is.

    Raises StorageError, one line, where it is another.
    """
    found = which(connection)
    if found is None and asked is None:
        return
    if found is not None or asked is None:
        if found and asked and (found.number, found.shards) == (asked.number, asked.shards):
            return
        was = f"is {found}" if found else "is a whole crawl"
        wanted = f"--shard {found.number}/{found.shards}" if found else "no --shard"
        raise StorageError(f"{path}: {was}; go on with it with {wanted}, or name another --db")
    if connection.execute("SELECT 1 FROM urls LIMIT 1").fetchone():
        raise StorageError(f"{path}: is a whole crawl; a shard begins with a new file (--db)")
    connection.execute(
        "INSERT INTO shard (number, shards, nonce) VALUES (?, ?, ?)",
        (asked.number, asked.shards, secrets.randbits(53)),
    )


def begin_crawl(connection: Any) -> None:
    """Another crawl of this file begins, in which nothing has been passed on."""
    if connection.execute("UPDATE shard SET crawl = crawl + 1").rowcount:
        connection.execute("DELETE FROM shard_passed")
