"""In which pieces are stored bodies read?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from crawler.channels.readers import Chunk, Packed
from crawler.store.database import Connection

CHUNK_BODIES: Final = 25
CHUNK_BYTES: Final = 4 * 1024 * 1024
"""Of packed bodies, in one transaction."""


def in_chunks(connection: Connection, wanted: Iterable[tuple[Any, ...]]) -> Iterator[Chunk]:
    """Bodies in their order.

    wanted: rows of the body's id, its charset, its packed size, the number by which the reading is
    known, and the page's URL where that matters.
    """
    chunk: Chunk = []
    size = 0
    for body_id, charset, packed_bytes, number, url in wanted:
        if chunk and (len(chunk) == CHUNK_BODIES or size + packed_bytes > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        (body,) = connection.execute("SELECT body FROM bodies WHERE id = ?", (body_id,)).fetchone()
        chunk.append(Packed(number, charset or None, body, url))
        size += packed_bytes
    if chunk:
        yield chunk
