"""What may a file be called, so that every system takes it and none takes two for one?

Names are made of the URL alone; what a server says decides of the ending only, out of a table of
our own.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Final
from urllib.parse import unquote, urlsplit

MOST: Final = 80
"""Characters of a part of a name; file systems take 255 bytes."""
MOST_IN_ALL: Final = 200
"""Characters of a whole name; Windows takes 260, with the folder that it lies in."""
_UNSAFE = re.compile(r"[^A-Za-z0-9._+=@~-]")
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9]|conin\$|conout\$)(\.|\Z)")
"""https://learn.microsoft.com/windows/win32/fileio/naming-a-file#naming-conventions"""
_ENDING = re.compile(r"\.[a-z0-9]{1,8}\Z")
OTHER: Final = ".bin"

ENDINGS: Final[dict[str, tuple[str, ...]]] = {
    "text/html": (".html", ".htm"),
    "application/xhtml+xml": (".xhtml", ".xht"),
    "text/css": (".css",),
    **dict.fromkeys(
        ("text/javascript", "application/javascript", "application/x-javascript",
         "application/ecmascript", "text/ecmascript"),
        (".js", ".mjs"),
    ),
    "image/png": (".png", ".apng"),
    "image/apng": (".apng", ".png"),
    "image/jpeg": (".jpg", ".jpeg", ".jpe"),
    "image/gif": (".gif",),
    "image/webp": (".webp",),
    "image/avif": (".avif",),
    "image/svg+xml": (".svg",),
    "image/bmp": (".bmp",),
    "image/tiff": (".tif", ".tiff"),
    **dict.fromkeys(("image/x-icon", "image/vnd.microsoft.icon"), (".ico", ".cur")),
    **dict.fromkeys(("font/woff", "application/font-woff"), (".woff",)),
    **dict.fromkeys(("font/woff2", "application/font-woff2"), (".woff2",)),
    **dict.fromkeys(("font/ttf", "application/x-font-ttf"), (".ttf",)),
    **dict.fromkeys(("font/otf", "application/x-font-otf"), (".otf",)),
    "application/vnd.ms-fontobject": (".eot",),
    "video/mp4": (".mp4", ".m4v"),
    "video/webm": (".webm",),
    "video/ogg": (".ogv", ".ogg"),
    "audio/mpeg": (".mp3",),
    "audio/ogg": (".oga", ".ogg", ".opus"),
    "audio/wav": (".wav",),
    "audio/mp4": (".m4a", ".mp4"),
    "text/vtt": (".vtt",),
    "application/pdf": (".pdf",),
    "application/json": (".json", ".map"),
    "application/feed+json": (".json",),
    "application/zip": (".zip",),
    "application/gzip": (".gz", ".tgz"),
    "application/rss+xml": (".xml", ".rss"),
    "application/atom+xml": (".xml", ".atom"),
    **dict.fromkeys(("text/xml", "application/xml"), (".xml", ".xsl", ".xsd", ".rss", ".atom")),
}  # fmt: skip
"""Endings by which a browser knows what a file is, the usual one first."""
_TELLING: Final = frozenset(
    ending
    for kind in (
        "text/html",
        "application/xhtml+xml",
        "text/css",
        "text/javascript",
        "image/svg+xml",
    )
    for ending in ENDINGS[kind]
) | {".shtml", ".mht", ".mhtml", ".hta"}
"""Endings with which nothing is called that is not what they say."""


def proposed(url: str, mark: str, content_type: str) -> str:
    """The name of a file for what stands at a URL, with ``/`` between its parts.

    mark: tells the URL from all others; it stands in a name that does not say all of its URL.
    """
    parts = urlsplit(url)
    folder, is_exact = [_host(parts.netloc)], True
    *between, last = parts.path.removeprefix("/").split("/")
    for segment in between:
        name, exact = _part(unquote(segment))
        folder.append(name)
        is_exact &= exact
    name, exact = _part(unquote(last)) if last else ("index", True)
    whole = is_exact and exact and not parts.query
    made = "/".join((*folder, with_ending(name, content_type)))
    made = made if whole else marked(made, mark)
    if len(made) <= MOST_IN_ALL:
        return made
    return f"{folder[0]}/_long/{mark}{_ending(made)}"


def _host(netloc: str) -> str:
    """The folder of a host, or of one of its ports."""
    name, _, port = netloc.rpartition(":")
    safe, is_exact = _part(f"{name}_{port}" if port.isdecimal() else netloc)
    return safe if is_exact else f"{safe}-{blake2b(netloc.encode(), digest_size=4).hexdigest()}"


def with_ending(name: str, content_type: str) -> str:
    """The name with an ending that says what it is."""
    ending = _ending(name.lower())
    known = ENDINGS.get(content_type)
    if known is not None:
        return name if ending in known else name + known[0]
    if content_type.startswith("text/"):
        return name if ending and ending not in _TELLING else f"{name}.txt"
    return name if ending and ending not in _TELLING else name + OTHER


def marked(name: str, mark: str) -> str:
    """The name with a mark before its ending."""
    ending = _ending(name)
    return f"{name.removesuffix(ending)}-{mark}{ending}"


def _ending(name: str) -> str:
    found = _ENDING.search(name.lower())
    return name[found.start() :] if found else ""


def _part(text: str) -> tuple[str, bool]:
    """A part of a name, and whether it says all of the text."""
    name = _UNSAFE.sub("_", text)
    if name.startswith(".") or _RESERVED.match(name):
        name = f"_{name}"
    if name.endswith("."):
        name = f"{name[:-1]}_"
    if len(name) > MOST:
        ending = _ending(name)
        name = name[: MOST - len(ending)] + ending
    return name or "_", name == text != ""
