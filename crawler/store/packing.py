"""How does a body that is kept become what was sent?"""

from __future__ import annotations

from typing import Final

from isal import isal_zlib

from crawler.errors import StorageError

MOST_BYTES: Final = 1 << 30
"""Nothing larger is unpacked, whatever its row says: SQLite holds no larger value either."""


class Damaged(StorageError):
    """A body is not what its row says. The text names the row, and no file."""


def unpacked(packed: bytes, size: int, body_id: int) -> bytes:
    """A body, unpacked. A file may come from somebody else, whose zlib stream of a megabyte unpacks
    to a gigabyte, so no more is taken than was stored.

    size: ``bodies.body_bytes``. Raises Damaged where the stream does not come to that.
    """
    unpacking = isal_zlib.decompressobj()
    try:
        body = unpacking.decompress(packed, min(size, MOST_BYTES) + 1)
    except isal_zlib.error:  # type: ignore[misc]  # it is a class, whatever its stub says
        raise _damaged(size, body_id) from None
    if len(body) != size or not unpacking.eof:
        raise _damaged(size, body_id)
    return bytes(body)


def _damaged(size: int, body_id: int) -> Damaged:
    return Damaged(f"body {body_id} is damaged: it does not unpack to its {size} bytes")
