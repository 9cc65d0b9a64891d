"""Which digest is meant by what a record says?"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

_SHA256: Final = re.compile(r"sha-?256:\s*(\S+)", re.IGNORECASE)
_HEX: Final = re.compile(r"[0-9a-fA-F]{64}")


def hex_of(written: str | None) -> str | None:
    """A SHA-256 as hexadecimal digits, by which bodies are known; None for another digest.

    written: as in WARC-Payload-Digest, in Base32, Base64 or hexadecimal digits.
    """
    found = _SHA256.fullmatch(written.strip()) if written else None
    if found is None:
        return None
    value = found[1]
    if _HEX.fullmatch(value):
        return value.lower()
    try:
        data = (
            base64.b32decode(value.upper() + "=" * (-len(value) % 8))
            if len(value.rstrip("=")) == 52
            else base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)
        )
    except (binascii.Error, ValueError):
        return None
    return data.hex() if len(data) == 32 else None
