"""Which digest is meant by what a record says, and is it that of what the record holds?"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from typing import Final

import msgspec

from crawler.fetch.chunks import Chunks

_SIZES: Final = {"md5": 16, "sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64}
"""Bytes of the digests that archives write."""


class Digest(msgspec.Struct, frozen=True):
    """A digest. algorithm: as `hashlib` calls it."""

    algorithm: str
    value: bytes

    def __str__(self) -> str:
        """The same however an archive writes it."""
        return f"{self.algorithm}:{self.value.hex()}"

    @property
    def sha256(self) -> str | None:
        """As hexadecimal digits, by which bodies are known; None for that of another algorithm."""
        return self.value.hex() if self.algorithm == "sha256" else None


def digest_of(written: str | None) -> Digest | None:
    """What WARC-Payload-Digest says, as ``sha1:`` and Base32, Base64 or hexadecimal digits (ISO
    28500, 5.8). None for what is none, or none that can be computed here."""
    name, _, value = (written or "").strip().partition(":")
    algorithm = name.strip().lower().replace("sha-", "sha")
    size = _SIZES.get(algorithm)
    if size is None:
        return None
    try:
        data = _bytes(value.strip().rstrip("="), size)
    except (binascii.Error, ValueError):
        return None
    return Digest(algorithm, data) if len(data) == size else None


def _bytes(value: str, size: int) -> bytes:
    """Of a value without padding; which code it is in is told by its length."""
    if len(value) == 2 * size:
        return bytes.fromhex(value)
    if len(value) == -(-8 * size // 5):
        return base64.b32decode(value.upper() + "=" * (-len(value) % 8))
    return base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)


class Claim:
    """The digest that a record says it has, and whether that is so.

    Writers differ in what they take for the payload: all that is behind the head of the answer, the
    same put together from its chunks, or what it says without any coding. `feed` takes the first,
    in pieces.
    """

    def __init__(self, digest: Digest, *, is_chunked: bool) -> None:
        self.digest = digest
        self._behind_head = self._begun()
        self._together = self._begun()
        self._chunks = Chunks() if is_chunked else None

    def __repr__(self) -> str:
        return f"<Claim {self.digest}>"

    def feed(self, data: bytes) -> None:
        """More of what is behind the head."""
        self._behind_head.update(data)
        if self._chunks is not None and self._chunks.broken is None:
            self._together.update(self._chunks.feed(data))

    def holds(self, plain: Callable[[], bytes]) -> bool:
        """Is it the digest of what was fed? plain: gives the same without any coding; called only
        where it matters."""
        value = self.digest.value
        if value in (self._behind_head.digest(), self._together.digest()):
            return True
        return value == self._begun(plain()).digest()

    def _begun(self, data: bytes = b"") -> hashlib._Hash:
        # No secret hangs on it: an algorithm is as safe as whoever wrote the archive chose.
        return hashlib.new(self.digest.algorithm, data, usedforsecurity=False)
