"""How does a person bring archives into a crawl?

A file after the other, a record after the other, as a run of its own. Stopped at any moment, what
was stored is whole; the same command again passes over what is there, and goes on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final, get_args
from urllib.parse import urlsplit

import msgspec
from isal import isal_zlib

from crawler.config import Config
from crawler.errors import UsageError
from crawler.fetch.failures import Failure
from crawler.fetch.lenient_head import Head
from crawler.imports.digests import Claim, digest_of
from crawler.imports.records import Archive, Damage, Record, refuse_other
from crawler.imports.replay import Held, Read, Replay, head_of, says_chunks
from crawler.model import Document, Job, Kind, Target, Visit
from crawler.policy import urls
from crawler.policy.urls import UrlRules
from crawler.store.archives import ArchiveRecorder, Brought, importing

BATCH: Final = 200
BATCH_BYTES: Final = 16 * 1024 * 1024
KINDS: Final = frozenset(get_args(Kind))
ANSWERS: Final = frozenset({"response", "revisit", "resource"})
NOT_MODIFIED: Final = "server-not-modified"
_SITEMAP: Final = re.compile(r"/[^/]*sitemap[^/]*\.xml(?:\.gz)?", re.IGNORECASE)
_LISTS: Final = ("xml", "gzip")
_ASSET: Final = re.compile(
    r"\s*(?:(?:audio|font|image|video)/|text/css\b"
    r"|(?:text|application)/(?:x-)?(?:java|ecma)script\b"
    r"|application/(?:x-)?font|application/vnd\.ms-fontobject)"
)
"""Media types of what pages need to look right, but are none."""

Tell = Callable[[str], object]
Progress = Callable[[int], object]


class Counts(msgspec.Struct):
    """What came of an import.

    brought: answers that are new; known: that were there already. damaged: records that could not
    be read. untrue: answers whose digest is not that of what they hold. unresolved: answers whose
    bodies are in an archive that is not here. passed: records that hold no answer to a GET.
    """

    files: int = 0
    brought: int = 0
    known: int = 0
    damaged: int = 0
    untrue: int = 0
    unresolved: int = 0
    passed: int = 0


def reading(config: Config) -> Config:
    """The settings under which answers are read: one after the other."""
    return msgspec.structs.replace(config, run=msgspec.structs.replace(config.run, concurrency=1))


def storing(config: Config) -> Config:
    """The settings under which they are stored: nothing is asked for, whatever they lead to."""
    return msgspec.structs.replace(
        config,
        scope=msgspec.structs.replace(config.scope, mode="host", check=()),
        assets=msgspec.structs.replace(config.assets, mode="record"),
    )


def refuse_unready(files: Sequence[Path]) -> None:
    """Raises UsageError where an import could not even begin."""
    if find_spec("fastwarc") is None:
        raise UsageError("import: needs more: pip install 'crawler[archives]'")
    for path in files:
        refuse_other(path)


def bring(
    files: Sequence[Path],
    database: Path,
    config: Config,
    *,
    tell: Tell,
    progress: Progress = lambda _: None,
) -> Counts:
    """Bring archives into a database. Raises UsageError, StorageError and KeyboardInterrupt.

    tell: takes a line on each record that could not be read, or says what is not so. progress:
    takes how many were read.
    """
    refuse_unready(files)
    named = " ".join(map(str, files))
    replay = Replay(reading(config))
    try:
        with importing(database, storing(config), files=named) as recorder:
            importer = Import(recorder, replay, config, tell=tell, progress=progress)
            for path in files:
                importer.take(Archive(path))
            importer.end()
            return importer.counts
    finally:
        replay.close()


class Pending(msgspec.Struct, frozen=True):
    """An answer of which the request may still come."""

    record_id: str
    concurrent_to: frozenset[str]
    brought: Brought


class Request(msgspec.Struct, frozen=True):
    """A request whose answer may still come."""

    record_id: str
    concurrent_to: frozenset[str]
    url: str
    method: str

    def asks_for(self, record: Record) -> bool:
        """Is this its answer? Where nothing says so, the next record of the same address is."""
        if self.concurrent_to or record.concurrent_to:
            return record.id in self.concurrent_to or self.record_id in record.concurrent_to
        return self.url == record.url


class Import:
    """Takes records and gives answers to the recorder."""

    def __init__(
        self,
        recorder: ArchiveRecorder,
        replay: Replay,
        config: Config,
        *,
        tell: Tell,
        progress: Progress,
    ) -> None:
        self._recorder = recorder
        self._replay = replay
        self._rules = UrlRules.of(config)
        self._max_head = config.fetch.max_header_bytes
        self._tell = tell
        self._progress = progress
        self._request: Request | None = None
        self._pending: Pending | None = None
        self._batch: list[Brought] = []
        self._batch_bytes = 0
        self._seen = 0
        self.counts = Counts()

    def __repr__(self) -> str:
        return f"<Import {self._seen:,} records, {len(self._batch)} to store>"

    def take(self, archive: Archive) -> None:
        """Read an archive to its end."""
        self.counts.files += 1
        for found in archive.records():
            self._seen += 1
            self._progress(self._seen)
            if isinstance(found, Damage):
                self._damaged(found)
            elif found.type == "request":
                self._take_request(found)
            elif found.type in ANSWERS and found.url.lower().startswith(("http://", "https://")):
                self._take_answer(found)
            else:
                self.counts.passed += found.type not in ("warcinfo", "metadata")
        self._settle_pending()

    def end(self) -> None:
        """Store what is left."""
        self._settle_pending()
        self._store()
        self.counts.brought, self.counts.known = self._recorder.brought, self._recorder.known
        self.counts.unresolved += self._recorder.unresolved

    def _damaged(self, damage: Damage) -> None:
        self.counts.damaged += 1
        self._tell(f"{damage.place}: {damage.why}; passed over")

    def _take_request(self, record: Record) -> None:
        """Its method is what tells whether its answer is a page."""
        try:
            request = Request(record.id, record.concurrent_to, record.url, record.method())
        except OSError as error:
            self._damaged(Damage(record.place, str(error)))
            return
        pending = self._pending
        if pending is not None and (
            pending.record_id in request.concurrent_to or request.record_id in pending.concurrent_to
        ):
            self._pending = _asked_by(pending, request.method)
            self.counts.passed += self._pending is None
        else:
            self._request = request

    def _take_answer(self, record: Record) -> None:
        self._settle_pending()
        request, self._request = self._request, None
        method = request.method if request is not None and request.asks_for(record) else "GET"
        target, _ = urls.resolve(record.url, rules=self._rules)
        if method not in ("GET", "HEAD"):
            self.counts.passed += 1
        elif target.refusal is not None or not target.origin:
            self._damaged(Damage(record.place, f"{target.refusal}: {record.url[:200]}"))
        else:
            self._read_answer(record, target, method)

    def _read_answer(self, record: Record, target: Target, method: str) -> None:
        count = _Counted(record)
        try:
            held = self._held(record, method, count.read)
            if held is None:
                self.counts.unresolved += 1
                return
            claim = count.claim = _claim_of(record, held)
            job = self._job(record, target, method, held)
            visit = self._replay.visit(job, held)
            count.read_on()
        except Failure as failure:
            self._damaged(Damage(record.place, f"holds no HTTP answer: {failure.detail}"))
            return
        except OSError as error:
            self._damaged(Damage(record.place, str(error)))
            return
        if count.size != record.length:
            self._damaged(Damage(record.place, f"ends after {count.size:,} bytes"))
            return
        if claim is not None and visit.body is not None:
            self._remember(record, claim, visit, visit.body)
        self._pending = Pending(record.id, record.concurrent_to, Brought(target, visit))

    def _held(self, record: Record, method: str, read: Read) -> Held | None:
        """The answer with its head; None where its body is in an archive that is not here."""
        if record.type == "resource":
            named = [(b"content-type", record.content_type.encode("latin-1", "replace"))]
            return Held(Head(200, "1.1", named), b"", read, record.at, record.ip)
        if record.type == "response":
            head, rest = self._head_of(record, read, method)
            return Held(head, rest, read, record.at, record.ip, record.truncated)
        head, rest = (
            self._head_of(record, read, method) if record.length else (Head(200, "1.1", []), b"")
        )
        if head.status == 304 or record.profile.rstrip("/").endswith(NOT_MODIFIED):
            return Held(msgspec.structs.replace(head, status=304), rest, read, record.at, record.ip)
        body = self._original(record)
        if body is None:
            return None
        as_it_came = record.truncated == "unspecified"  # it could not be unpacked
        return Held(
            head, body, _nothing, record.at, record.ip, record.truncated, is_unpacked=not as_it_came
        )

    def _head_of(self, record: Record, read: Read, method: str) -> tuple[Head, bytes]:
        """The head that a block begins with, and what was read behind it. Raises Failure."""
        head, rest = head_of(read, method, most=self._max_head)
        if record.is_http2:
            head.version = "2"
        return head, rest

    def _original(self, record: Record) -> bytes | None:
        """The body that a revisit says is the same."""
        found = self._find(record)
        if found is None:
            self._store()
            found = self._find(record)
        return found

    def _find(self, record: Record) -> bytes | None:
        """By its digest, ours or the one that an archive gave it; or by when it came first."""
        recorder, digest = self._recorder, digest_of(record.payload_digest)
        known = () if digest is None else (digest.sha256, recorder.recall(str(digest)))
        for sha256 in known:
            if sha256 is not None and (body := recorder.body(sha256)) is not None:
                return body
        if record.refers_to_at is None:
            return None
        target, _ = urls.resolve(record.refers_to_url or record.url, rules=self._rules)
        sha256 = recorder.sha256_at(target.hash, record.refers_to_at)
        return None if sha256 is None else recorder.body(sha256)

    def _remember(self, record: Record, claim: Claim, visit: Visit, packed: bytes) -> None:
        """The digest that an archive gives of a body is known by ours, if it is that of the body:
        anybody may claim that of another's."""
        sha256 = (visit.body_sha256 or b"").hex()
        if claim.digest.sha256 == sha256:
            return  # bodies are known by it anyway
        if claim.holds(lambda: isal_zlib.decompress(packed)):
            self._recorder.remember(str(claim.digest), sha256)
        elif visit.reply.truncated is None and visit.reply.error is None:
            self.counts.untrue += 1
            self._tell(f"{record.place}: its digest is not that of what it holds; kept without it")

    def _job(self, record: Record, target: Target, method: str, held: Held) -> Job:
        """What would have been asked for."""
        kind = kind_of(record, target.url, held.head)
        if method == "HEAD":
            kind = "check"
        etag = "*" if held.head.status == 304 else None  # some condition was met
        return Job(0, 0, target.url, kind, method, etag=etag)

    def _settle_pending(self) -> None:
        pending, self._pending = self._pending, None
        if pending is None:
            return
        self._batch.append(pending.brought)
        visit = pending.brought.visit
        self._batch_bytes += len(visit.body or b"") + len(visit.document.text or "")
        if len(self._batch) >= BATCH or self._batch_bytes >= BATCH_BYTES:
            self._store()

    def _store(self) -> None:
        self._recorder.bring(self._batch)
        self._batch, self._batch_bytes = [], 0


class _Counted:
    """The block of a record, of which it is known how much was read. claim: hears of what is read
    from now on."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self.size = 0
        self.claim: Claim | None = None

    def read(self, size: int) -> bytes:
        """More of it."""
        data = self._record.read(size)
        self.size += len(data)
        if self.claim is not None:
            self.claim.feed(data)
        return data

    def read_on(self) -> None:
        """Up to its end: whether it is whole shows only there."""
        while self.read(1 << 20):
            pass


def _claim_of(record: Record, held: Held) -> Claim | None:
    """The digest that a record gives of an answer that it holds itself, None for no such."""
    digest = digest_of(record.payload_digest) if record.type == "response" else None
    if digest is None:
        return None
    claim = Claim(digest, is_chunked=says_chunks(held.head))
    claim.feed(held.rest)
    return claim


def _nothing(_size: int) -> bytes:
    return b""


def _asked_by(pending: Pending, method: str) -> Pending | None:
    """An answer whose request came after it: what it was; None for what is no page."""
    if method == "GET":
        return pending
    if method != "HEAD":
        return None
    target, visit = pending.brought
    job = msgspec.structs.replace(visit.job, kind="check", method="HEAD")
    document = Document(content_type=visit.document.content_type)
    made = msgspec.structs.replace(visit, job=job, document=document, body=None, body_sha256=None)
    return msgspec.structs.replace(pending, brought=Brought(target, made))


def kind_of(record: Record, url: str, head: Head) -> Kind:
    """What an answer was fetched for: as its writer says, or as its address and type do."""
    if record.kind in KINDS:
        return record.kind  # type: ignore[return-value]  # it is one of them
    path = urlsplit(url).path
    if path == "/robots.txt":
        return "robots"
    types = [value.lower() for name, value in head.headers if name.lower() == b"content-type"]
    declared = (types or [b""])[-1].decode("latin-1")
    if _SITEMAP.fullmatch(path[path.rfind("/") :]) and any(one in declared for one in _LISTS):
        return "sitemap"
    return "asset" if _ASSET.match(declared) else "page"
