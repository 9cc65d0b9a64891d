"""How does a crawl become an archive that other tools replay?

Requests and answers in the order in which they came, as `warc_records.py` says them: redirects and
robots.txt, too, and behind a page what it asked for while a browser showed it. A body that came
before is not written again. What is not kept of an exchange is not made up but for what an archive
cannot do without, and the first record of each file says so.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import msgspec

from crawler import __version__, plain
from crawler.config import Config
from crawler.errors import UsageError
from crawler.exports import warc_records
from crawler.exports.format import Export, Written
from crawler.exports.warc_records import Answer, Asked, Original
from crawler.fetch.decode import codings_of
from crawler.fetch.failures import Failure
from crawler.fetch.fetcher import REDIRECTS, request_headers
from crawler.fetch.route import split
from crawler.policy.agent import user_agent
from crawler.store import answers
from crawler.store.answers import Answered
from crawler.store.answers import Choice as Visits

SUFFIX: Final = ".warc.gz"
BODILESS: Final = frozenset({204, 304})
DESCRIPTION: Final = (
    "Made from the database of a crawl. Bodies are as they were sent, but without content and "
    "transfer codings: headers that spoke of these have X-Archive-Orig- before their names. Names "
    "of headers are in lower case, in the order in which each came first. Requests are made again "
    "from the settings of their runs: what made one conditional is not kept, nor are the headers "
    "of a 304 but its validators, nor the words behind a status. Pages are as they were sent, not "
    "as a browser showed them; what they asked for then follows each, without the headers of its "
    "requests, and where an answer came from memory it is not there again."
)
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?", re.IGNORECASE)
_POWERS: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
LEAST_PART: Final = 1000


class Kept(NamedTuple):
    """An exchange as it is in an archive. index_from: where in its bytes the answer begins."""

    row: Answered
    answer: Answer
    data: bytes
    index_from: int
    is_revisit: bool


class Archive:
    """The records of an export.

    new_id: makes an address for a record.
    """

    def __init__(self, export: Export, new_id: Callable[[], str]) -> None:
        self._export = export
        self._connection = export.moment.connection
        self.visits = visits_of(export)
        self._writer = warc_records.Writer(new_id)
        self._requests: dict[int, tuple[tuple[str, str], ...] | None] = {}
        self.unkept = self.unchanged = 0

    def __repr__(self) -> str:
        return f"<Archive of {self._export.moment!r}>"

    def begin(self, filename: str) -> bytes:
        """The record that begins a file."""
        date = self._export.now.astimezone(UTC).isoformat(timespec="seconds")
        fields = {
            "software": f"crawler/{__version__}",
            "format": "WARC File Format 1.1",
            "conformsTo": warc_records.CONFORMS_TO,
            "isPartOf": self._export.moment.path.stem,
            **self._said_by_runs(),
            "description": DESCRIPTION,
        }
        return self._writer.warcinfo(fields, filename=filename, date=date.replace("+00:00", "Z"))

    def exchanges(self) -> Iterator[Kept]:
        """Every exchange that was chosen."""
        for row in answers.answers(self._connection, self.visits):
            answer = answer_of(row)
            self.unkept += answer.is_missing
            self.unchanged += answer.status == 304 and self.visits.run is not None
            original = Original(row.first_url, row.first_at or "") if row.first_url else None
            asked, made = self._writer.exchange(answer, self._asked(row), original=original)
            revisit = original is not None or answer.status == 304
            yield Kept(row, answer, asked + made, len(asked), revisit)

    def remarks(self, left: answers.Left) -> tuple[str, ...]:
        """What a reader has to know of what is not there."""
        told = (
            ("Not in it, for want of an answer", left.unanswered, "visit"),
            ("Not in it, as they brought no document", left.checks, "check"),
            (
                "Not in it, of what a browser asked for, since refused, unanswered or known before",
                left.parts,
                "request",
            ),
            ("Without bodies, which the crawl did not keep", self.unkept, "answer"),
            (
                "Without bodies, which the archive of an earlier run has (304)",
                self.unchanged,
                "answer",
            ),
        )
        return tuple(
            f"{what}: {plain.count(number, noun)}" for what, number, noun in told if number
        )

    def _said_by_runs(self) -> dict[str, str]:
        """What the last run that was chosen says of itself."""
        config = self._config(self.visits.run)
        if config is None:
            return {}
        return {
            "robots": "obey" if config.robots.obey else "ignore",
            "http-header-user-agent": user_agent(config.fetch),
            **({"operator": config.fetch.contact} if config.fetch.contact else {}),
        }

    def _config(self, run_id: int | None) -> Config | None:
        """The settings of a run that fetched, by default of the last; None where there is none, or
        this version does not understand them."""
        settings = answers.settings_of(self._connection, run_id)
        try:
            return msgspec.json.decode(settings, type=Config) if settings else None
        except msgspec.MsgspecError:
            return None

    def _asked(self, row: Answered) -> Asked | None:
        """The request, as far as the settings of its run tell; None where others made it."""
        if row.run_id not in self._requests:
            config = self._config(row.run_id)
            asked = None if config is None else tuple(request_headers(config.fetch).items())
            self._requests[row.run_id] = asked
        headers = self._requests[row.run_id]
        if headers is None:
            return None
        try:
            _, authority, path = split(row.url)
        except Failure:
            return None
        return Asked(path, authority, headers)


def visits_of(export: Export) -> Visits:
    """Which visits are asked for. Raises UsageError."""
    choice = export.choice
    if choice.where is None:
        return Visits(choice.run)
    return Visits(choice.run, export.moment.subquery("pages", choice.where))


def new_id() -> str:
    """An address for a record."""
    return f"<urn:uuid:{uuid.uuid4()}>"


def answer_of(row: Answered) -> Answer:
    """A visit as an archive says it."""
    headers = row.header_pairs()
    expects = row.method != "HEAD" and row.status not in BODILESS and row.status >= 200
    codings = codings_of([value for name, value in headers if name == "content-encoding"])
    as_it_came = row.error == "decode_error" and row.wire_bytes == row.body_bytes
    return Answer(
        url=row.url,
        date=row.started_at,
        kind=row.kind,
        method=row.method,
        status=row.status,
        http_version=row.http_version,
        headers=headers,
        ip=row.ip,
        body=row.body,
        size=row.body_bytes if row.first_url else None,
        sha256=row.sha256 if row.body is not None or row.first_url else None,
        expects_body=expects,
        is_decoded=bool(codings.known) and not codings.unknown and not as_it_came,
        truncated=_truncated(row, headers) if expects else None,
        media_type=row.content_type,
    )


def _truncated(row: Answered, headers: warc_records.Pairs) -> str | None:
    """The word of WARC-Truncated for a body that is not there, or not whole."""
    if row.truncated in warc_records.TRUNCATIONS:
        return row.truncated
    if row.body is None and row.first_url is None:
        return "unspecified" if row.body_bytes or _is_unread(row, headers) else None
    return "unspecified" if row.error == "decode_error" else None


def _is_unread(row: Answered, headers: warc_records.Pairs) -> bool:
    """Was there a body that was not asked for? That of a redirect is not."""
    named = dict(headers)
    announced = "transfer-encoding" in named or named.get("content-length", "0").strip() != "0"
    return row.status in REDIRECTS and "location" in named and announced


def size_of(written: str | None) -> int | None:
    """Bytes of ``500M`` or ``1 GiB``. Raises UsageError."""
    if written is None:
        return None
    found = _SIZE.fullmatch(written.strip())
    size = 0
    if found:
        number, unit, binary = found.groups()
        size = int(float(number) * (1024 if binary else 1000) ** _POWERS[unit.lower()])
    if size < LEAST_PART:
        raise UsageError(f"--max-size {written}: is no size of a file; write 500M or 1G")
    return size


def write(export: Export, out: Any) -> Written:
    """A file, or with --max-size files of at most about that, in a folder."""
    archive = Archive(export, new_id)
    size = size_of(export.options.get("max_size"))
    left = answers.counted(export.moment.connection, archive.visits)
    exchanges = export.counted(archive.exchanges(), left.chosen)
    if size is None:
        written = _write_file(archive, exchanges, out)
    else:
        written = _write_parts(archive, exchanges, out, name=export.moment.path.stem, size=size)
    return Written(written, "answer", archive.remarks(left))


def _write_file(archive: Archive, exchanges: Iterator[Kept], out: BinaryIO) -> int:
    out.write(archive.begin(""))
    written = 0
    for kept in exchanges:
        out.write(kept.data)
        written += 1
    return written


def _write_parts(
    archive: Archive, exchanges: Iterator[Kept], folder: Path, *, name: str, size: int
) -> int:
    """A part ends before the exchange that would make it too large: none is torn apart."""
    part, written = Part(folder, name), 0
    try:
        for kept in exchanges:
            if part.size == 0 or part.size + len(kept.data) > size:
                part.next(archive)
            part.write(kept.data)
            written += 1
        if part.size == 0:
            part.next(archive)
    finally:
        part.close()
    return written


class Part:
    """The file of a folder that is being written. size: its bytes; 0 before the first."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._number = -1
        self._out: BinaryIO | None = None
        self.size = 0

    def __repr__(self) -> str:
        return f"<Part {self._number} of {self._name}, {self.size:,} bytes>"

    def next(self, archive: Archive) -> None:
        """Begin the next file."""
        self.close()
        self._number += 1
        filename = f"{self._name}-{self._number:05d}{SUFFIX}"
        self._out = (self._folder / filename).open("xb", buffering=1 << 20)
        self.size = 0
        self.write(archive.begin(filename))

    def write(self, data: bytes) -> None:
        """Add records."""
        assert self._out is not None
        self._out.write(data)
        self.size += len(data)

    def close(self) -> None:
        """End the file."""
        if self._out is not None:
            self._out.close()
            self._out = None
