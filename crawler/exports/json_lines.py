"""How do rows become JSON objects, a line each?

UTF-8, with the keys in the order of the columns; numbers are numbers, NULL is null, bytes are
hexadecimal digits. An infinite number, which JSON has not, is one that every reader takes for it.
"""

from __future__ import annotations

import json
import math
from typing import Any, BinaryIO

from crawler.exports.format import Export, Written


def write(export: Export, out: BinaryIO) -> Written:
    """Write all rows."""
    selection = export.select()
    encode = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode
    keys = [f"{encode(name)}: " for name in selection.columns]
    count = 0
    for row in export.counted(export.moment.rows(selection).rows):
        pairs = (
            key + (encode(value) if type(value) is str else _plain(value))
            for key, value in zip(keys, row, strict=True)
        )
        out.write(f"{{{', '.join(pairs)}}}\n".encode("utf-8", "replace"))
        count += 1
    return Written(count, "row")


def _plain(value: Any) -> str:
    """A value that is no text."""
    if value is None:
        return "null"
    if isinstance(value, bytes):
        return f'"{value.hex()}"'
    if isinstance(value, float) and math.isinf(value):
        return "9e999" if value > 0 else "-9e999"
    return repr(value)
