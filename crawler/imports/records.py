"""Which records does an archive hold?

WARC 1.0 and 1.1, packed with gzip or Zstandard or not, alone or in a WACZ file; fastwarc reads
them. Files come from anywhere: what is no record costs a line, and reading goes on behind it.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, Final
from zipfile import BadZipFile, ZipFile, ZipInfo

import msgspec

from crawler.errors import StorageError, UsageError
from crawler.imports.onward import Onward

MAX_HEADER_BYTES: Final = 256 * 1024
MOST_IN_VAIN: Final = 200
"""Heads without end, and what begins as a record and is none, that are each looked through, up to
20 ms; of a file that has more the whole of what was looked through is passed over, or 600 KB that
say nothing but WARC/1.0 would take an hour."""
_OVERLONG: Final = "header length"
MEMBER: Final = b"\x1f\x8b\x08"
VERSION: Final = b"WARC/1."
_START: Final = re.compile(re.escape(MEMBER) + rb"|(?:(?<=\n)|\A)" + re.escape(VERSION))
_HEAD: Final = re.compile(re.escape(VERSION) + rb".*?\n\r?\n", re.DOTALL)
_LENGTH: Final = re.compile(rb"^Content-Length:[ \t]*(\d{1,18})[ \t]*\r?$", re.I | re.M)
_ZSTANDARD: Final = b"\x28\xb5\x2f\xfd"
_LOOKED_AT: Final = 64 * 1024
_CHUNK: Final = 1024 * 1024
_OVERLAP: Final = 16
_DIGITS: Final = re.compile(r"\d{1,18}")
_METHOD: Final = re.compile(rb"([A-Z]{1,20}) ")
_STAMP: Final = re.compile(r"\d{14}")


class Damage(msgspec.Struct, frozen=True):
    """What could not be read. place: for people. why: in a few words."""

    place: str
    why: str


class Record(msgspec.Struct, frozen=True):
    """A record whose block is still to be read, before the next one is asked for.

    type: ``response``, ``request`` and so on. url: as written. at: ISO-8601 UTC with milliseconds.
    length: bytes of the block. concurrent_to: ids of records of the same exchange. place: for
    people. kind: what it was fetched for, where its writer says so. is_http2: so was it spoken; the
    block says it in the words of HTTP/1.1. reader: gives the block.
    """

    type: str
    id: str
    url: str
    at: str
    length: int
    content_type: str
    ip: str | None
    truncated: str | None
    payload_digest: str | None
    refers_to_url: str | None
    refers_to_at: str | None
    profile: str
    concurrent_to: frozenset[str]
    kind: str | None
    is_http2: bool
    place: str
    reader: Any

    def method(self) -> str:
        """Of a request: how it asked."""
        found = _METHOD.match(self.read(24))
        return found[1].decode() if found else "GET"

    def read(self, size: int) -> bytes:
        """More of the block. Raises OSError where it is damaged."""
        data: bytes = self.reader.read(size)
        return data


class Archive:
    """The WARC files of an archive. name: for people."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __repr__(self) -> str:
        return f"<Archive {self._path}>"

    def records(self) -> Iterator[Record | Damage]:
        """All records, in their order. Raises UsageError for what is no archive."""
        try:
            with self._path.open("rb") as stream:
                if stream.read(4) == b"PK\x03\x04":
                    yield from _of_zip(self._path, stream)
                else:
                    stream.seek(0)
                    yield from records(stream, str(self._path))
        except OSError as error:
            raise StorageError(f"{self._path}: cannot be read: {error.strerror or error}") from None


def refuse_other(path: Path) -> None:
    """Raises UsageError for what is no WARC or WACZ file."""
    try:
        with path.open("rb") as stream:
            begun = stream.read(_LOOKED_AT)
    except FileNotFoundError:
        is_url = str(path).startswith(("http:/", "https:/"))
        why = "is an address; fetch the archive, and name its file" if is_url else "no such file"
        raise UsageError(f"{path}: {why}") from None
    except IsADirectoryError:
        raise UsageError(f"{path}: is a folder; name its files: {path}/*.warc.gz") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    if begun.startswith((b"PK\x03\x04", _ZSTANDARD)):
        return
    plain = _beginning(begun) if begun.startswith(MEMBER) else begun
    if plain.startswith(b"filedesc://"):
        raise UsageError(f"{path}: is an ARC file; make it a WARC file: warcio recompress")
    if _first_start(begun) is None:  # what stands before a record is told when it is read
        raise UsageError(f"{path}: is no WARC or WACZ file; crawl a list of addresses or a sitemap")


def _beginning(packed: bytes) -> bytes:
    try:
        return zlib.decompressobj(31).decompress(packed, 1024)
    except zlib.error:
        return b""


def _of_zip(path: Path, stream: BinaryIO) -> Iterator[Record | Damage]:
    """The records of all WARC files of a WACZ file."""
    try:
        with ZipFile(stream) as package:
            members = [one for one in package.infolist() if _is_archive(one.filename)]
            if not members:
                raise UsageError(f"{path}: is no WACZ file: there is no WARC file in its archive/")
            _refuse_overlaps(members)
            for one in members:
                with package.open(one) as member:
                    yield from records(Onward(member), f"{path}: {one.filename}")
    except (BadZipFile, NotImplementedError, RuntimeError, zlib.error) as error:
        yield Damage(str(path), f"is a damaged ZIP file ({error})")


def _is_archive(name: str) -> bool:
    return name.startswith("archive/") and name.lower().endswith((".warc", ".warc.gz"))


def _refuse_overlaps(members: list[ZipInfo]) -> None:
    """Raises BadZipFile where the same bytes are in several members: ten megabytes would be read as
    terabytes."""
    placed = sorted(members, key=lambda one: one.header_offset)
    for one, behind in pairwise(placed):
        if one.header_offset + one.compress_size > behind.header_offset:
            raise BadZipFile(f"{one.filename} and {behind.filename} overlap")


def records(stream: BinaryIO | Onward, name: str) -> Iterator[Record | Damage]:
    """The records of one WARC file, and a word on what is none.

    stream: can be searched, if only a little way back. Behind what is damaged, reading goes on
    where the next record begins.
    """
    at: int | None = 0
    in_vain = 0
    while at is not None:
        at = last = stream.seek(at)
        why = behind = read = None
        try:
            for record in _read(stream, is_lax=_is_lax(stream, at)):
                last = record.stream_pos
                read = _record(record, f"{name}, record at byte {last:,}")
                yield read
        except (OSError, ValueError) as error:
            why = _why(error)
            in_vain += _OVERLONG in why
        if read is not None:
            behind = _end_of(stream, last)
            if behind is None and why is None:
                return
        if why is None and not _is_more(stream, last if behind is None else behind):
            return
        in_vain += why is None and read is None
        if not isinstance(read, Damage):
            yield Damage(f"{name}, behind byte {last:,}", why or "what follows is no record")
        step = 1 if in_vain < MOST_IN_VAIN else MAX_HEADER_BYTES
        at = _next_start(stream, last + step if behind is None else behind)


def _read(stream: BinaryIO | Onward, *, is_lax: bool) -> Iterator[Any]:
    """is_lax: what is no record is passed over without a word, and with it the next record."""
    from fastwarc.warc import ArchiveIterator  # an extra, which few need

    return iter(
        ArchiveIterator(
            stream, parse_http=False, quirks_mode=is_lax, max_header_len=MAX_HEADER_BYTES
        )
    )


def _is_lax(stream: BinaryIO | Onward, at: int) -> bool:
    """Does a record begin here whose lines end as none of a WARC file should (1.1, section 4)?"""
    data = stream.read(_LOOKED_AT)
    stream.seek(at)
    line, end, _ = (_beginning(data) if data.startswith(MEMBER) else data).partition(b"\n")
    return bool(end) and line.startswith(VERSION) and not line.endswith(b"\r")


def _end_of(stream: BinaryIO | Onward, at: int) -> int | None:
    """Where the record ends that begins at this byte, with its member where it is packed; None
    where that cannot be told. What stands in a record must not be taken for the next one."""
    if stream.seek(at) != at:
        return None
    data = stream.read(_CHUNK)
    if data.startswith(MEMBER):
        return _end_of_member(stream, at, data)
    while len(data) < MAX_HEADER_BYTES and (more := stream.read(_CHUNK)):
        data += more
    head = _HEAD.match(data)
    length = _LENGTH.search(head[0]) if head else None
    return at + head.end() + int(length[1]) if head and length else None


def _end_of_member(stream: BinaryIO | Onward, end: int, data: bytes) -> int | None:
    """The same of a member of gzip (RFC 1952, section 2.2); end, data: where and how it begins."""
    unpacking = zlib.decompressobj(31)
    try:
        while data:
            end += len(data)
            while data and not unpacking.eof:
                unpacking.decompress(data, _CHUNK)
                data = unpacking.unconsumed_tail
            if unpacking.eof:
                return end - len(unpacking.unused_data)
            data = stream.read(_CHUNK)
    except zlib.error:
        pass
    return None


def _is_more(stream: BinaryIO | Onward, at: int) -> bool:
    """Is there anything at this byte or behind it but ends of lines?"""
    stream.seek(at)
    return any(data.strip(b"\r\n") for data in iter(lambda: stream.read(_CHUNK), b""))


def _why(error: Exception) -> str:
    return str(error).rstrip(".") or "cannot be read"


def _next_start(stream: BinaryIO | Onward, at: int) -> int | None:
    """Where a record may begin, at this byte or behind it; None where none does."""
    held, begins = b"", stream.seek(at)
    while chunk := stream.read(_CHUNK):
        held += chunk
        if (place := _first_start(held)) is not None:
            return begins + place
        begins += max(len(held) - _OVERLAP, 0)
        held = held[-_OVERLAP:]
    return None


def _first_start(data: bytes) -> int | None:
    """Where in these bytes a record may begin."""
    for found in _START.finditer(data):
        at = found.start()
        if found[0] != MEMBER or _beginning(data[at : at + 1024]).startswith(VERSION):
            return at
    return None


def _is_http2(protocols: list[str]) -> bool:
    """Does it name HTTP/2 among what was spoken? Some write all in one line."""
    return any(one.strip().lower() == "h2" for line in protocols for one in line.split(","))


def _record(found: Any, place: str) -> Record | Damage:
    """A record of fastwarc's as one of ours; or what is wrong with it."""
    headers = found.headers
    length = (headers.get("Content-Length") or "").strip()
    if not _DIGITS.fullmatch(length) or int(length) != found.content_length:
        return Damage(place, f"its length is {_shortened(length) or 'not told'}")
    url = (headers.get("WARC-Target-URI") or "").strip().removeprefix("<").removesuffix(">")
    at = moment(headers.get("WARC-Date") or "")
    if at is None:
        return Damage(place, f"its date is {_shortened(headers.get('WARC-Date')) or 'not told'}")
    return Record(
        type=(headers.get("WARC-Type") or "").strip().lower(),
        id=headers.get("WARC-Record-ID") or "",
        url=url,
        at=at,
        length=int(length),
        content_type=(headers.get("Content-Type") or "").lower(),
        ip=_address(headers.get("WARC-IP-Address") or ""),
        truncated=headers.get("WARC-Truncated"),
        payload_digest=headers.get("WARC-Payload-Digest"),
        refers_to_url=(headers.get("WARC-Refers-To-Target-URI") or "").strip("<> ") or None,
        refers_to_at=moment(headers.get("WARC-Refers-To-Date") or ""),
        profile=headers.get("WARC-Profile") or "",
        concurrent_to=frozenset(headers.get_multiple("WARC-Concurrent-To")),
        kind=headers.get("X-Crawler-Kind"),
        is_http2=_is_http2(headers.get_multiple("WARC-Protocol")),
        place=place,
        reader=found.reader,
    )


def _address(written: str) -> str | None:
    """Who answered, if that is an address."""
    try:
        return str(ip_address(written.strip().strip("[]")))
    except ValueError:
        return None


def _shortened(text: str | None) -> str:
    return ascii(text[:40]) if text else ""


def moment(written: str) -> str | None:
    """A date of a record as moments are written in the database; None for what is none."""
    text = written.strip()
    if _STAMP.fullmatch(text):
        text = f"{text[:8]}T{text[8:]}"
    try:
        found = datetime.fromisoformat(text)
        utc = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")
