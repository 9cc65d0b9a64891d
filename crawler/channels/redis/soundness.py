"""Is what a machine has sent a visit as our own workers make them?

Whoever holds a worker's password may send anything. A visit must be that of a job as it was given
out; what stands in it keeps to the types of `crawler.model` (msgspec sees to that) and to the
bounds of a worker, for the store and the views rely on them. A body must be the one that its digest
names, and an address have the identity under which it is known: both are shared by all pages, so
that a false one would spoil others' than this machine's. What a page says nobody can check.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Sized
from hashlib import sha256
from math import isfinite
from typing import Any, Final

import msgspec
from isal import isal_zlib

from crawler.channels.outbox import FRAME_ITEMS
from crawler.config import Config
from crawler.model import Document, Job, LoginPage, Reply, Target, Visit
from crawler.policy import link_kinds, robots, urls, words
from crawler.policy.urls import MAX_KEPT_URL, UrlRules

REMEMBERED: Final = 100_000
"""Identities that were checked, twice: a site's pages mostly name the same addresses."""
LONGEST_TEXT: Final = 4096
"""Of a fact, an error, a note: workers cut them to less."""
MOST_ENTRIES: Final = 50_000
MOST_FIELDS: Final = 10_000
MOST_BESIDE: Final = 16 * 1024 * 1024
"""Of a frame, besides a body and as much of what was read in it."""
MOST_FORM: Final = 4 * 1024 * 1024
LONGEST_S: Final = 1e6
INT64: Final = 2**63
_MOMENT: Final = re.compile(r"20\d\d-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-6]\d\.\d{3}Z", re.ASCII)
_ERRORS: Final = words.which(stands="error")
_CUTS: Final = words.which(stands="truncated") | {None}
_KINDS: Final = link_kinds.FOLLOWED | link_kinds.RECORDED
_REGIONS: Final = frozenset({"nav", "header", "main", "footer", None})
_REFUSALS: Final = frozenset({"scheme", "url_invalid", "url_too_long", "blocked_port"})
_DURATIONS: Final = ("dns_ms", "connect_ms", "tls_ms", "ttfb_ms", "total_ms", "retry_after_s")
_FACTS: Final = ("title", "description", "h1", "lang", "canonical", "meta_robots")
_SHORT: Final = ("content_type", "charset", "challenge")


class Unsound(Exception):
    """What was sent is nothing that a worker sends; the text says what, and repeats none of it."""


class Inspector:
    """Looks at the visits of all machines of a run."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._rules = UrlRules(max_bytes=1 << 20, strip=None)
        self._decoder = msgspec.msgpack.Decoder(list[Visit])
        self._known: set[int] = set()
        self._known_before: set[int] = set()
        fetch = config.fetch
        said = config.site.values()
        self._most_body = max(
            [fetch.max_body_bytes, fetch.max_sitemap_bytes, config.assets.max_media_bytes]
            + [site.max_body_bytes or 0 for site in said]
            + [site.max_sitemap_bytes or 0 for site in said]
        )
        self._most_body = max(self._most_body, config.robots.max_bytes) + 2**20

    def __repr__(self) -> str:
        return f"<Inspector {len(self._known)} addresses checked>"

    def visits(self, frame: bytes) -> list[Visit]:
        """What a frame holds, by the types alone. Raises Unsound.

        What it may take is looked at first: values of a byte take twelve times as much in memory.
        """
        if len(frame) > 2 * self._most_body + MOST_BESIDE or _announced(frame) > FRAME_ITEMS:
            raise Unsound("no frame of visits")
        try:
            return self._decoder.decode(frame)
        except (msgspec.DecodeError, ValueError, RecursionError):
            raise Unsound("no frame of visits") from None

    def check(self, visit: Visit, job: Job) -> None:
        """Raises Unsound for what is no visit of this job."""
        if visit.job != job:
            raise Unsound("a visit of another job than was given out")
        if not _MOMENT.fullmatch(visit.started_at):
            raise Unsound("no moment at which it began")
        if visit.rendering is not None or visit.document.columns.vias:
            raise Unsound("a page as browsers show it, which is done where the crawl runs")
        self._check_reply(visit.reply)
        self._check_document(visit.document)
        self._check_body(visit)
        if visit.login is not None:
            self._check_login(visit.login)
        if visit.robots_body is not None or visit.robots_rules is not None:
            self._check_robots(visit)

    def _check_reply(self, reply: Reply) -> None:
        if reply.status is not None and not 100 <= reply.status <= 999:
            raise Unsound("no status of HTTP")
        if reply.error not in _ERRORS and reply.error is not None:
            raise Unsound("an error that no fetch ends with")
        if reply.status is None and reply.error is None and not reply.addresses:
            raise Unsound("neither an answer nor an error")
        if reply.truncated not in _CUTS or reply.body:
            raise Unsound("a reply that no fetch gives")
        for name in _DURATIONS:
            value = getattr(reply, name)
            if value is not None and not 0 <= value <= 1000 * LONGEST_S:
                raise Unsound("a duration that cannot be")
        if not 0 <= reply.wire_bytes < 2**53 or not 0 <= (reply.certificate_until or 0) < 2**40:
            raise Unsound("a number that cannot be")
        _texts(reply.error_detail, reply.note, reply.redirect_fragment)
        _texts(reply.ip, reply.http_version, reply.tls_version, reply.tls_cipher, most=200)
        _texts(*reply.addresses, most=200)
        if len(reply.addresses) > 256:
            raise Unsound("too many addresses")
        if sum(len(name) + len(value) for name, value in reply.headers) > self._most_headers:
            raise Unsound("more headers than are read")
        if reply.redirect is not None:
            self._check_target(reply.redirect, reply.redirect.hash)

    @property
    def _most_headers(self) -> int:
        return 2 * self._config.fetch.max_header_bytes

    def _check_document(self, document: Document) -> None:
        _texts(*(getattr(document, name) for name in _FACTS))
        _texts(*(getattr(document, name) for name in _SHORT), most=500)
        text = document.text
        if text and len(text) > self._config.store.text_max_bytes + LONGEST_TEXT:
            raise Unsound("more text than is kept")
        _numbers(document.word_count, document.text_hash, most=INT64)
        if document.truncated not in _CUTS:
            raise Unsound("a cut that nothing makes")
        if document.error not in _ERRORS and document.error is not None:
            raise Unsound("an error that no parser ends with")
        self._check_targets(document)
        self._check_links(document)
        if document.facts is not None:
            _check_facts(document.facts)

    def _check_targets(self, document: Document) -> None:
        """Those that were not seen before are unpacked and read anew."""
        hashes = document.targets.hashes
        if len(hashes) > 2 * MOST_ENTRIES:
            raise Unsound("more addresses than a page has")
        known, before = self._known, self._known_before
        if all(number in known or number in before for number in hashes):
            return
        try:
            targets = list(document.targets)
        except (msgspec.DecodeError, ValueError, RecursionError):
            raise Unsound("addresses that cannot be read") from None
        if len(targets) != len(hashes):
            raise Unsound("other addresses than are named")
        for target, number in zip(targets, hashes, strict=True):
            if number not in known:
                if number not in before:
                    self._check_target(target, number)
                known.add(number)
        if len(known) > REMEMBERED:
            self._known_before, self._known = known, set()

    def _check_target(self, target: Target, number: int) -> None:
        if target.hash != number or not 0 <= number < INT64:
            raise Unsound("an address under another's number")
        if target.refusal is None:
            made, _ = urls.resolve(target.url, rules=self._rules)
            if made != target:
                raise Unsound("an address that is not what it is named")
            return
        if target.refusal not in _REFUSALS or len(target.url) > MAX_KEPT_URL:
            raise Unsound("an address that nobody refuses so")
        whole = len(target.url.encode("utf-8", "replace")) < MAX_KEPT_URL - 3
        text = f"\0{target.url}" if target.refusal == "url_invalid" else target.url
        if whole and number not in (urls.identity(text), urls.identity(target.url)):
            raise Unsound("an address under another's number")

    def _check_links(self, document: Document) -> None:
        columns, most = document.columns, len(document.targets)
        count = len(columns.targets)
        for column in msgspec.structs.astuple(columns)[1:]:
            if len(column) not in (0, count):
                raise Unsound("columns of links that do not fit each other")
        if count:
            if len(columns.kinds) != count or not _within(columns.targets, most):
                raise Unsound("links that lead nowhere")
            if not (set(columns.kinds) <= _KINDS and set(columns.regions) <= _REGIONS):
                raise Unsound("links of a kind that there is not")
            _texts(*columns.anchors, *columns.rels, *columns.fragments, most=LONGEST_TEXT)
        if document.leads_on is not None and not 0 <= document.leads_on < most:
            raise Unsound("a refresh that leads nowhere")
        if document.entries:
            _check_entries(document, most)

    def _check_login(self, page: LoginPage) -> None:
        form = page.form
        _texts(page.lacks)
        if form is not None:
            self._check_target(form.action, form.action.hash)
            _texts(form.page, form.charset, *form.hidden)
            said = sum(len(name) + len(value) for name, value in form.pairs)
            if len(form.pairs) + len(form.hidden) > MOST_FIELDS or said > MOST_FORM:
                raise Unsound("a form that nobody sends")

    def _check_body(self, visit: Visit) -> None:
        size, digest, packed = visit.body_bytes, visit.body_sha256, visit.body
        if not 0 <= size <= self._most_body:
            raise Unsound("a body of a size that is not kept")
        if (size > 0) != (digest is not None) or (digest is not None and len(digest) != 32):
            raise Unsound("a body without its digest")
        if packed is None:
            return
        unpacking = isal_zlib.decompressobj()
        try:
            body = unpacking.decompress(packed, size + 1)
        except isal_zlib.error:  # type: ignore[misc]  # it is a class, whatever its stub says
            raise Unsound("a body that cannot be unpacked") from None
        if len(body) != size or not unpacking.eof or unpacking.unused_data:
            raise Unsound("a body of another size than is said")
        if sha256(body).digest() != digest:
            raise Unsound("a body of another digest than is said")

    def _check_robots(self, visit: Visit) -> None:
        if visit.job.kind != "robots":
            raise Unsound("a robots.txt that was not asked for")
        if len(visit.robots_body or b"") > self._most_body:
            raise Unsound("a robots.txt that is too long")
        try:
            packed = visit.robots_rules
            asked = robots.Asked() if packed is None else robots.unpacked(packed)
        except (zlib.error, msgspec.DecodeError, ValueError):
            raise Unsound("rules that cannot be read") from None
        delay = asked.crawl_delay
        if delay is not None and not 0 <= delay < INT64:
            raise Unsound("a Crawl-delay that cannot be")


def _announced(frame: bytes) -> int:
    """Items that a frame says that it has (https://github.com/msgpack/msgpack/blob/master/spec.md,
    array format); 0 for what is no array."""
    first = frame[0] if frame else 0
    if 0x90 <= first <= 0x9F:
        return first & 0x0F
    size = {0xDC: 2, 0xDD: 4}.get(first, 0)
    return int.from_bytes(frame[1 : 1 + size], "big")


def _check_entries(document: Document, most: int) -> None:
    if len(document.entries) > MOST_ENTRIES or not _within(
        [entry.target for entry in document.entries], most
    ):
        raise Unsound("entries of a sitemap that lead nowhere")
    for entry in document.entries:
        _texts(entry.lastmod, entry.changefreq, most=1000)
        if entry.priority is not None and not 0 <= entry.priority <= 1:
            raise Unsound("a priority that cannot be")


def _check_facts(packed: bytes) -> None:
    """What the store writes into columns is texts and numbers."""
    from crawler.store.facts import Unkept  # where bodies are not kept

    try:
        facts = msgspec.msgpack.decode(packed, type=Unkept).facts
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise Unsound("facts that cannot be read") from None
    rows: list[Iterable[Any]] = [(facts.values or {}).values(), facts.form or ()]
    for part in (facts.headings, facts.meta_tags, facts.link_facts, facts.structured_data):
        rows += part
    for row in rows:
        for value in row:
            is_sound = value is None or (
                abs(value) < INT64 and isfinite(value)
                if isinstance(value, (int, float))
                else isinstance(value, (str, bytes))
            )
            if not is_sound:
                raise Unsound("facts that cannot be kept")


def _within(places: list[int], most: int) -> bool:
    return not places or (min(places) >= 0 and max(places) < most)


def _texts(*texts: Sized | None, most: int = LONGEST_TEXT) -> None:
    for text in texts:
        if text is not None and len(text) > most:
            raise Unsound("a text that is too long")


def _numbers(*numbers: int | None, most: int) -> None:
    for number in numbers:
        if number is not None and not 0 <= number < most:
            raise Unsound("a number that cannot be")
