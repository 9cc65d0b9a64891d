"""In which file, on every system, does what is at a URL stand?

Each URL has a file of its own, whatever others there are, and the same one in every export. Names
are made of the URL alone; where anything of it could not stand in a name, or would be mistaken for
another's (capitals on systems that fold them, a query, a file where another needs a folder), a mark
that no plain name has tells them apart.
"""

from __future__ import annotations

import base64
import re
from hashlib import blake2b
from typing import Final
from urllib.parse import unquote

MARK: Final = "~"
"""Before the hash in a name; no plain name has it."""
INDEX: Final = "index"
MAX_PART: Final = 100
"""Bytes of one name, before its ending; 143 are the least that a file system in use takes."""
MAX_PATH: Final = 180
"""Characters of all: Windows takes 259, with the folder in which the export lies."""
_PLAIN: Final = re.compile(r"[a-z0-9_@=+,()-](?:[a-z0-9_@=+,().-]*[a-z0-9_@=+,()-])?")
_UNSAFE: Final = re.compile(r"[^\w@=+,().-]|_+")
_RESERVED: Final = re.compile(
    r"(?:con|prn|aux|nul|com[\d\u00b9\u00b2\u00b3]|lpt[\d\u00b9\u00b2\u00b3])(?:\..*)?",
    re.IGNORECASE,
)
"""Devices on Windows, with any ending (learn.microsoft.com, Naming Files)."""


def file_of(url: str, suffix: str) -> str:
    """A relative path with ``/`` between its parts; it ends with `suffix`, which has a dot."""
    scheme, _, rest = url.partition("://")
    authority, _, path = rest.partition("/")
    path, mark, query = path.partition("?")
    *folders, last = path.split("/")
    host = _host(scheme, authority)
    parts = [host, *(_folder(part, suffix) for part in folders), ""]
    parts[-1] = _file(last, f"{mark}{query}") + suffix
    made = "/".join(parts)
    if len(made) <= MAX_PATH:
        return made
    return f"{host[:MAX_PART]}/{_marked(last, url)}{suffix}"


def _host(scheme: str, authority: str) -> str:
    """The host; with scheme and port where they are not the usual ones."""
    name, colon, port = authority.rpartition(":")
    if not colon or not port.isdigit():
        name, port = authority, ""
    said = [name.replace(":", "-"), *(["http"] if scheme == "http" else []), port]
    return ",".join(part for part in said if part)


def _folder(part: str, suffix: str) -> str:
    """A folder's name; never one that a file could have."""
    return part if _is_plain(part) and not part.endswith(suffix) else _marked(part, part)


def _file(last: str, query: str) -> str:
    if not last and not query:
        return INDEX
    if _is_plain(last) and last != INDEX and not query:
        return last
    return _marked(last or INDEX, last + query, query)


def _is_plain(part: str) -> bool:
    return (
        len(part) <= MAX_PART
        and _PLAIN.fullmatch(part) is not None
        and _RESERVED.fullmatch(part) is None
    )


def _marked(part: str, unique: str, query: str = "") -> str:
    """What can be read of a part and its query, and the hash of what makes it one of its own."""
    digest = blake2b(unique.encode("utf-8", "replace"), digest_size=10).digest()
    words = _UNSAFE.sub("_", unquote(part + query)).strip("._")
    seen = words.encode()[: MAX_PART - 17].decode("utf-8", "ignore").rstrip("._") or "_"
    if "." in seen and _RESERVED.fullmatch(seen):  # a mark behind the dot is a part of the ending
        seen = f"_{seen}"
    return f"{seen}{MARK}{base64.b32encode(digest).decode().lower()}"
