"""How does a crawl become one file that a browser opens as it was?

WACZ 1.1.1 (https://specs.webrecorder.net/wacz/1.1.1/): a ZIP file with the archive, an index of it,
the pages with their texts, and what tells that all of it is as it was written. Nothing is held but
what is being written: the archive goes into the file as it is made.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import IO, Any, BinaryIO, Final
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from crawler import __version__
from crawler.exports import cdxj
from crawler.exports.format import Export, Written
from crawler.exports.warc import Archive, Kept, new_id
from crawler.exports.warc_records import Answer, digest
from crawler.store import answers

VERSION: Final = "1.1.1"
DATA: Final = "data.warc.gz"
INDEX: Final = "index.cdx.gz"
TIME_FIELD: Final = (0x5455, 5, 1)
"""Begins the extra field of a file's time. Each file has one: where a file has none in the list at
the end, readers take it that there is none beside the file either, and the size of one that may be
larger than 4 GiB stands there."""
REVISIT: Final = "warc/revisit"
"""What an index calls the type of an answer that is held by another record."""


class Package:
    """A ZIP file whose files are listed in it with their digests."""

    def __init__(self, out: BinaryIO, made_at: datetime) -> None:
        self._zip = ZipFile(out, "w", allowZip64=True)
        self._made_at = made_at.astimezone(UTC)
        self._resources: list[dict[str, Any]] = []

    def __repr__(self) -> str:
        return f"<Package of {len(self._resources)} files>"

    @contextmanager
    def file(self, path: str, *, packed: bool) -> Iterator[Counting]:
        """A file to be written. packed: the ZIP file packs it; what is read from the middle of it
        must stay as it is."""
        with self._zip.open(self._info(path, packed=packed), "w", force_zip64=True) as out:
            counting = Counting(out)
            yield counting
        told = {
            "name": path.rpartition("/")[2],
            "path": path,
            "hash": f"sha256:{counting.digest}",
            "bytes": counting.size,
        }
        self._resources.append(told)

    @contextmanager
    def ended(self) -> Iterator[None]:
        """What ends the block ends this: else it would try to end its file whenever memory is
        cleared, and say that it could not."""
        try:
            yield
        except BaseException:
            self._zip.fp = None
            raise

    def close(self, about: dict[str, Any]) -> None:
        """End it: list what it holds, and say by what the list is known to be as it was written."""
        package = {
            "profile": "data-package",
            "resources": self._resources,
            "wacz_version": VERSION,
            "software": f"crawler/{__version__}",
            "created": self._made_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
            **about,
        }
        listed = json.dumps(package, indent=2).encode()
        signed = {
            "path": "datapackage.json",
            "hash": f"sha256:{hashlib.sha256(listed).hexdigest()}",
        }
        self._zip.writestr(self._info("datapackage.json", packed=True), listed)
        digest_file = self._info("datapackage-digest.json", packed=True)
        self._zip.writestr(digest_file, json.dumps(signed, indent=2))
        self._zip.close()

    def _info(self, path: str, *, packed: bool) -> ZipInfo:
        info = ZipInfo(path, self._made_at.timetuple()[:6])
        info.compress_type = ZIP_DEFLATED if packed else ZIP_STORED
        info.extra = struct.pack("<HHBI", *TIME_FIELD, int(self._made_at.timestamp()))
        info.external_attr = 0o644 << 16
        return info


class Counting:
    """A stream that knows how much was written to it, and the digest of that."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._hash = hashlib.sha256()
        self.size = 0

    def __repr__(self) -> str:
        return f"<Counting {self.size:,} bytes>"

    @property
    def digest(self) -> str:
        """Of all that was written, as hexadecimal digits."""
        return self._hash.hexdigest()

    def write(self, data: bytes) -> int:
        """Write on."""
        self._out.write(data)
        self._hash.update(data)
        self.size += len(data)
        return len(data)


def write(export: Export, out: BinaryIO) -> Written:
    """One file with all that is chosen."""
    archive = Archive(export, new_id)
    connection = export.moment.connection
    left = answers.counted(connection, archive.visits)
    package = Package(out, export.now)
    with package.ended():
        exchanges = export.counted(archive.exchanges(), left.chosen)
        with cdxj.Sorter() as index:
            written = _write_archive(package, archive, exchanges, index)
            with package.file(f"indexes/{INDEX}", packed=False) as blocks:
                listed = cdxj.write_blocks(index.lines(), blocks, name=INDEX)
        with package.file("indexes/index.idx", packed=True) as index_of_blocks:
            index_of_blocks.write("".join(listed).encode())
        first = _write_pages(package, export, archive.visits)
        package.close({"title": export.moment.path.stem, **first})
    return Written(written, "answer", archive.remarks(left))


def _write_archive(
    package: Package, archive: Archive, exchanges: Iterator[Kept], index: cdxj.Sorter
) -> int:
    """The records, and a line of the index for each answer; how many there were."""
    written = 0
    with package.file(f"archive/{DATA}", packed=False) as out:
        out.write(archive.begin(DATA))
        for kept in exchanges:
            offset = out.size + kept.index_from
            out.write(kept.data)
            index.add(_index_line(kept, offset))
            written += 1
    return written


def _index_line(kept: Kept, offset: int) -> str:
    answer = kept.answer
    fields = {
        "mime": REVISIT if kept.is_revisit else answer.media_type or _declared(answer),
        "status": str(answer.status),
        **({"digest": digest(bytes.fromhex(answer.sha256))} if answer.sha256 else {}),
        "length": str(len(kept.data) - kept.index_from),
        "offset": str(offset),
        "filename": DATA,
    }
    return cdxj.line(answer.url, answer.date, fields)


def _declared(answer: Answer) -> str:
    types = [value for name, value in answer.headers if name == "content-type"]
    return types[-1].partition(";")[0].strip() if types else "unk"


def _write_pages(package: Package, export: Export, visits: answers.Choice) -> dict[str, str]:
    """The pages, with their texts; gives what is said of the first."""
    first: dict[str, str] = {}
    head = {"format": "json-pages-1.0", "id": "pages", "title": "Pages", "hasText": True}
    with package.file("pages/pages.jsonl", packed=True) as out:
        out.write(json.dumps(head).encode() + b"\n")
        for url_id, url, title, at, text in answers.page_texts(export.moment.connection, visits):
            first = first or {"mainPageUrl": url, "mainPageDate": at}
            page = {"id": str(url_id), "url": url, "ts": at, "title": title or url}
            if text:
                page["text"] = text
            out.write(json.dumps(page, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
    return first
