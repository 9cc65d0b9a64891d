"""Where in an archive does the answer of an address stand?

CDXJ: lines that are sorted by the address as archives spell it (SURT) and by time, in blocks that
are packed, with an index of the blocks (ZipNum), as https://specs.webrecorder.net/cdxj/ has it.
"""

from __future__ import annotations

import heapq
import json
import re
import tempfile
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import IO, Any, Final, Protocol
from urllib.parse import quote_from_bytes, unquote_to_bytes, urlsplit

from isal import isal_zlib

BLOCK_LINES: Final = 1024
SORTED_AT_ONCE: Final = 32 * 1024 * 1024
"""Characters of lines that are sorted in memory; more are sorted piece by piece on the disk."""
MERGED_AT_ONCE: Final = 64


class Out(Protocol):
    """What blocks are written to."""

    def write(self, data: bytes, /) -> object:
        """Write on."""


_WWW: Final = re.compile(r"www\d*\.")
_SLASHES: Final = re.compile(rb"//+")
_UNESCAPED_AT_MOST: Final = 20
_PLAIN: Final = bytes(set(range(0x21, 0x7F)) - set(b"#%")).decode()
"""What stands for itself in an address that was spelt again: the rules of Google's Safe Browsing,
which archives follow (https://developers.google.com/safe-browsing/v4/urls-hashing)."""


def surt(url: str) -> str:
    """The address as archives sort it: its host the other way round, without ``www.`` and what else
    two addresses of a page differ in, all in lower case: ``org,example)/a?b=1``.

    url: as browsers write it, of http or https.
    """
    parts = urlsplit(url)
    host = _WWW.sub("", (parts.hostname or "").rstrip("."), count=1) if parts.hostname else ""
    turned = ",".join(reversed(host.split(".")))
    port = f":{parts.port}" if parts.port else ""
    path = _SLASHES.sub(b"/", _unescaped(parts.path.encode())) or b"/"
    path = _escaped(path).lower().encode()
    if len(path) > 1:
        path = path.removesuffix(b"/")
    query = _query(parts.query)
    return f"{turned}{port}){path.decode()}{query}"


def _query(query: str) -> str:
    spelt = _escaped(_unescaped(query.encode())).lower()
    if not spelt:
        return ""
    return "?" + "&".join(sorted(spelt.split("&"), key=lambda part: part.split("=", 1)))


def _unescaped(data: bytes) -> bytes:
    """What is left when nothing is escaped any more."""
    for _ in range(_UNESCAPED_AT_MOST):
        plain = unquote_to_bytes(data)
        if plain == data:
            break
        data = plain
    return data


def _escaped(data: bytes) -> str:
    return quote_from_bytes(data, safe=_PLAIN)


def line(url: str, date: str, fields: dict[str, str]) -> str:
    """A line of an index. date: ISO-8601."""
    timestamp = re.sub(r"\D", "", date)[:14].ljust(14, "0")
    return f"{surt(url)} {timestamp} {json.dumps({'url': url, **fields}, ensure_ascii=True)}\n"


class Sorter:
    """Lines that may be more than there is memory for, to be had in order. Used as a context."""

    def __init__(self, at_once: int = SORTED_AT_ONCE) -> None:
        self._at_once = at_once
        self._held: list[str] = []
        self._size = 0
        self._files: list[IO[str]] = []

    def __repr__(self) -> str:
        return f"<Sorter {len(self._held)} lines, {len(self._files)} files>"

    def __enter__(self) -> Sorter:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files:
            file.close()

    def add(self, text: str) -> None:
        """One more line, with its end."""
        self._held.append(text)
        self._size += len(text)
        if self._size > self._at_once:
            self._held.sort()
            self._keep(self._held)
            self._held, self._size = [], 0
            if len(self._files) == MERGED_AT_ONCE:
                merged, self._files = self._files, []
                self._keep(heapq.merge(*merged))
                for file in merged:
                    file.close()

    def lines(self) -> Iterator[str]:
        """All lines in order."""
        self._held.sort()
        return iter(heapq.merge(*self._files, self._held))

    def _keep(self, lines: Iterable[str]) -> None:
        file = tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n")  # noqa: SIM115  # see exit
        file.writelines(lines)
        file.seek(0)
        self._files.append(file)


def write_blocks(lines: Iterable[str], out: Out, *, name: str) -> list[str]:
    """Write lines in packed blocks; gives the lines of the index of the blocks.

    name: of the file that they are written to.
    """
    index = ["!meta 0 " + json.dumps({"format": "cdxj-gzip-1.0", "filename": name}) + "\n"]
    offset = 0
    for block in _blocks(lines):
        data = _packed("".join(block).encode())
        out.write(data)
        told: dict[str, Any] = {
            "offset": offset,
            "length": len(data),
            "digest": f"sha256:{sha256(data).hexdigest()}",
        }
        index.append(f"{block[0].partition(' {')[0]} {json.dumps(told)}\n")
        offset += len(data)
    return index


def _blocks(lines: Iterable[str]) -> Iterator[list[str]]:
    block: list[str] = []
    for text in lines:
        block.append(text)
        if len(block) == BLOCK_LINES:
            yield block
            block = []
    if block:
        yield block


def _packed(data: bytes) -> bytes:
    packer = isal_zlib.compressobj(3, isal_zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()
