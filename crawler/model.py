"""What travels through the crawler?

Five nouns, one way: a `Link` found somewhere becomes a `Job` that may be fetched now; the network
answers with a `Reply`, whose meaning is a `Document`; all of one attempt is a `Visit`, one line of
history. All are frozen, and all but the body of a reply cross process borders as msgpack.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import repeat
from typing import Final, Literal, NamedTuple, TypeVar

import msgspec

Value = TypeVar("Value")
Kind = Literal["page", "robots", "sitemap", "feed", "check", "asset", "login"]
"""What a fetch is for."""

Doubt = Literal["nothing else answers", "nothing has answered yet"]
"""Why a failure may be our own network's: what had answered before does not either, or nothing has
in this run so far."""
NOTHING_ELSE: Final[Doubt] = "nothing else answers"
NOTHING_YET: Final[Doubt] = "nothing has answered yet"


class Target(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where a link points.

    url: the WHATWG href without fragment and userinfo, at most ``MAX_KEPT_URL`` bytes of it; of an
        address that cannot be parsed, the text as it stood, cut likewise.
    hash: 63-bit identity of the whole URL, never of the cut one.
    origin: scheme, name and port (``https://example.org:8443``); empty for other schemes.
    refusal: why this can never be fetched (``scheme``, ``url_invalid``, ``url_too_long``,
        ``blocked_port``), or None.
    """

    url: str
    hash: int
    origin: str
    refusal: str | None = None


class Distinct(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The targets that a document names, each once: a sequence of `Target`.

    hashes: their identities, which is all that matters of a target that is known already.
    packed: the targets themselves as msgpack, unpacked when one is asked for.
    """

    hashes: list[int] = []
    packed: bytes = b"\x90"

    @classmethod
    def of(cls, targets: Sequence[Target]) -> Distinct:
        """These targets. Raises ValueError where an address has a lone surrogate."""
        return cls.identified([target.hash for target in targets], targets)

    @classmethod
    def identified(cls, hashes: list[int], targets: Sequence[Target]) -> Distinct:
        """The same, of targets whose identities, in this order, are known."""
        return cls(hashes, msgspec.msgpack.encode(targets))

    def __getitem__(self, index: int) -> Target:
        return _unpacked(self.packed)[index]

    def __iter__(self) -> Iterator[Target]:
        return iter(_unpacked(self.packed))

    def __len__(self) -> int:
        return len(self.hashes)


@lru_cache(maxsize=1)
def _unpacked(packed: bytes) -> list[Target]:
    return _targets.decode(packed)


_targets = msgspec.msgpack.Decoder(list[Target])


class Link(NamedTuple):
    """One occurrence of a link in a document; its position is its place in `Document.columns`.

    target: index into `Document.targets`.
    kind: one of `crawler.policy.link_kinds`.
    anchor: visible text of an anchor, or the alt text of an image; None where neither can be.
    rel: the rel attribute as written, lower case, or None.
    nofollow: rel has nofollow, or the whole page asks for it (meta robots, X-Robots-Tag).
    fragment: what stood behind ``#``, without it; None when there was none.
    region: ``nav``, ``header``, ``main``, ``footer`` by the nearest such ancestor, or None.
    via: of a page that a browser has shown, where the link stands: ``source``, ``rendered``, or
        ``both``; None of any other page.
    """

    target: int
    kind: str
    anchor: str | None = None
    rel: str | None = None
    nofollow: bool = False
    fragment: str | None = None
    region: str | None = None
    via: str | None = None


def worth_keeping(column: list[Value]) -> list[Value]:
    """The column, or an empty one where it has nothing but None or False."""
    # Most have something at once, or the same throughout, where counting compares identities only.
    starts_empty = bool(column) and (column[0] is None or column[0] is False)
    if starts_empty and column.count(column[0]) == len(column):
        return []
    for value in column:
        if value is not None and value is not False:
            return column
    return []


class LinkColumns(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """All links of a document in document order: a column for each field of `Link`.

    As values of their own they would cost more to send and to store than all else of a page. A
    column of which no link has anything is empty.
    """

    targets: list[int] = []
    kinds: list[str] = []
    anchors: list[str | None] = []
    rels: list[str | None] = []
    nofollows: list[bool] = []
    fragments: list[str | None] = []
    regions: list[str | None] = []
    vias: list[str | None] = []

    @classmethod
    def of(cls, links: Iterable[Link]) -> LinkColumns:
        """The columns of these links."""
        columns = [list(column) for column in zip(*links, strict=True)]
        return cls(*columns[:2], *(worth_keeping(column) for column in columns[2:]))

    def links(self) -> Iterator[Link]:
        """The links, one by one."""
        columns = [column or repeat(None) for column in msgspec.structs.astuple(self)]
        for link in map(Link._make, zip(self.targets, *columns[1:], strict=False)):
            yield link._replace(nofollow=bool(link.nofollow))

    def __len__(self) -> int:
        return len(self.targets)


class Form(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A form as it would be sent, but for what a person said of its fields.

    action: where to. page: the URL that it stands on. pairs: names and values in their order.
    hidden: names of fields that show no text. charset: Python's name of what it is written in.
    """

    action: Target
    page: str
    pairs: tuple[tuple[str, str], ...]
    hidden: tuple[str, ...] = ()
    multipart: bool = False
    charset: str = "utf-8"


class LoginStep(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where a login is.

    site: the origin that it is for. form: what this request sends. sent: it was sent before, so
    that what comes has to prove that somebody is logged in. secret: names of its fields that no
    address may have. goal: where to go on, once the rules of that host are known. check: somebody
    is logged in, but for a page that looks otherwise.
    """

    site: str
    form: Form | None = None
    sent: bool = False
    secret: tuple[str, ...] = ()
    goal: Target | None = None
    check: bool = False


class LoginPage(msgspec.Struct, frozen=True, array_like=True):
    """What a login needs to know of an answer.

    form: the one that is to be sent; lacks: why there is none. proves, refutes: it shows what only
    somebody sees who is logged in, or who is not.
    """

    form: Form | None = None
    lacks: str = ""
    proves: bool = False
    refutes: bool = False


class Job(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A URL that may be fetched now: politeness has been kept before it came out.

    token: the lease, never the same in two runs; a visit that carries a stale one is dropped.
    url_id: ``urls.id``; 0 for a robots.txt. A visit to another URL than was leased is dropped.
    url: what is requested.
    kind: what the fetch is for.
    method: ``GET``, ``HEAD`` for the first try of a check, or ``POST`` for a form.
    attempt: 1 for the first try.
    private_ok: the host is one that the person named as their own (loopback or private).
    etag, last_modified: validators of the last good visit, for a conditional request.
    addresses: the only ones that may be connected to, because the caps of these have been kept;
        where the host is at others, the job comes back undone with them (`Reply.addresses`), as it
        does for an empty tuple. None for any.
    dns_ms: what finding these has taken.
    named: a seed has this origin, so that what is said of its host is meant for it.
    cookies: what the Cookie header says; empty for none.
    login: of a login, and of the robots.txt that it waits for, how far it is. Of anything else: it
        is taken as it is, though it looks as if nobody were logged in.
    """

    token: int
    url_id: int
    url: str
    kind: Kind = "page"
    method: str = "GET"
    attempt: int = 1
    private_ok: bool = False
    etag: str | None = None
    last_modified: str | None = None
    addresses: tuple[str, ...] | None = None
    dns_ms: float | None = None
    named: bool = False
    cookies: str = ""
    login: LoginStep | None = None


class Reply(msgspec.Struct, frozen=True, array_like=True):
    """What the network said, or why it did not.

    status: HTTP status 100..999, None when no answer came.
    error: a word of ``visits.error``, None for any HTTP answer that came whole.
    error_detail: one line for people, control characters escaped.
    ip: the address connected to.
    http_version: ``1.0``, ``1.1`` or ``2``.
    dns_ms, connect_ms, tls_ms, ttfb_ms, total_ms: durations; None when the phase did not happen
        (a kept-alive connection has no dns, connect and tls).
    wire_bytes: body bytes received, before decoding.
    truncated: ``length``, ``disconnect`` or ``time`` when the body is only a prefix.
    headers: names and values in order of arrival, latin-1 decoded, control characters replaced.
    redirect: where a 3xx with a usable Location points.
    redirect_fragment: the fragment of that Location.
    retry_after_s: seconds the server asks to wait (Retry-After in either form), a year at most.
    body: decoded body, at most the cap; never crosses a process border.
    doubt: why the failure may not be the host's, None where it is. try_again: the resolver asked
        for it: it could not say whether there is such a name.
    tls_version, tls_cipher: what the connection was secured with, a kept one, too; None without.
    tls_weak: that is less than RFC 9325 recommends; None without TLS.
    certificate_until: when the certificate ends that the connection was made with, in seconds of
        the epoch; None for a kept one, without TLS, and where nothing was verified.
    addresses: where the host is, though the job names others; nothing was sent, and the job is to
        be given out anew.
    note: one line for people of an answer that is none the worse for it; None for nothing.
    """

    status: int | None = None
    error: str | None = None
    error_detail: str | None = None
    ip: str | None = None
    http_version: str | None = None
    dns_ms: float | None = None
    connect_ms: float | None = None
    tls_ms: float | None = None
    ttfb_ms: float | None = None
    total_ms: float | None = None
    wire_bytes: int = 0
    truncated: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    redirect: Target | None = None
    redirect_fragment: str | None = None
    retry_after_s: float | None = None
    body: bytes = b""
    doubt: Doubt | None = None
    try_again: bool = False
    tls_version: str | None = None
    tls_cipher: str | None = None
    tls_weak: bool | None = None
    addresses: tuple[str, ...] = ()
    note: str | None = None
    certificate_until: int | None = None

    def header(self, name: str) -> str | None:
        """The last value of a header by its lower-case name, or None."""
        for key, value in reversed(self.headers):
            if key.lower() == name:
                return value
        return None


class SitemapEntry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One entry of a sitemap or feed.

    target: index into `Document.targets`.
    is_sitemap: the entry of an index, itself a sitemap.
    lastmod, changefreq: as written, stripped; None when absent.
    priority: 0.0..1.0, None when absent or not a number.
    """

    target: int
    is_sitemap: bool = False
    lastmod: str | None = None
    priority: float | None = None
    changefreq: str | None = None


class Document(msgspec.Struct, frozen=True, array_like=True):
    """What a reply means.

    content_type: media type without parameters, lower case, after sniffing; None for no body.
    charset: the encoding used, as a WHATWG label in lower case.
    title, description, h1, lang, canonical, meta_robots: facts of a page, white space folded.
    text: the visible text. word_count: words in it. text_hash: 63-bit hash of it.
    targets: distinct targets. columns: occurrences of links. entries: of a sitemap or feed.
    truncated: ``parse`` (the parser stopped or gave up), ``links`` (cap on links) or ``text`` (cap
        on the text that is kept), the first of them that holds, or None.
    error: ``parse_timeout`` where the parser was killed, ``decode_error`` otherwise, or None.
    leads_on: index into `targets` of where a refresh leads that stands for a redirect, or None.
    is_shell: it shows next to nothing without its scripts; told only where that is asked for.
    challenge: what stands where the page should be, a wall rather than content; None for a page.
    facts: where the body is not kept, what the audit asks of it, a `store.facts.Unkept` as msgpack.
    """

    content_type: str | None = None
    charset: str | None = None
    title: str | None = None
    description: str | None = None
    h1: str | None = None
    lang: str | None = None
    canonical: str | None = None
    meta_robots: str | None = None
    text: str | None = None
    word_count: int | None = None
    text_hash: int | None = None
    targets: Distinct = Distinct()
    columns: LinkColumns = LinkColumns()
    entries: tuple[SitemapEntry, ...] = ()
    truncated: str | None = None
    error: str | None = None
    challenge: str | None = None
    facts: bytes | None = None
    leads_on: int | None = None
    is_shell: bool = False

    @property
    def links(self) -> tuple[Link, ...]:
        """The occurrences of links in document order, as values."""
        return tuple(self.columns.links())


class Need(msgspec.Struct, frozen=True, array_like=True):
    """What a page asked for while it was shown, and what came of it.

    target: what was asked for. type: what for, in the browser's words (``Script``, ``XHR``), and
        ``Robots``. started_at: ISO-8601 UTC.
    status: HTTP status, None when nothing was answered. reason: why it was not asked for, or got no
        whole answer: a word. cached: an earlier page had it from the same worker.
    headers: of the answer. body: as a zlib stream; body_bytes, body_sha256: of what it packs.
    """

    target: Target
    type: str
    method: str
    started_at: str
    status: int | None = None
    reason: str | None = None
    cached: bool = False
    ip: str | None = None
    http_version: str | None = None
    total_ms: float | None = None
    wire_bytes: int = 0
    content_type: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body_bytes: int = 0
    body_sha256: bytes | None = None
    body: bytes | None = None


class Said(msgspec.Struct, frozen=True, array_like=True):
    """A line of a page's console; line: from 1, None where no script said it."""

    level: str
    text: str
    url: str | None = None
    line: int | None = None


class Picture(msgspec.Struct, frozen=True, array_like=True):
    """What a page looks like; width, height: in pixels."""

    media_type: str
    width: int
    height: int
    image: bytes


class Rendering(msgspec.Struct, frozen=True, array_like=True):
    """What a browser made of a page, or why it could not.

    raw: what was sent says of itself, without text and links, of which there are raw_links.
    error: a word, with which the document stands as it was sent; None where it is the one that was
        shown. done_by: ``still`` or ``time``. cpu_ms, total_ms: what it took.
    final_url: its address in the end, None where that is the one that was fetched.
    body: what was shown, as a zlib stream of HTML in UTF-8, None where it adds nothing or bodies
        are not kept; body_bytes, body_sha256: of what it packs.
    """

    raw: Document
    raw_links: int = 0
    error: str | None = None
    done_by: str | None = None
    cpu_ms: float | None = None
    total_ms: float | None = None
    final_url: str | None = None
    body_bytes: int = 0
    body_sha256: bytes | None = None
    body: bytes | None = None
    needs: tuple[Need, ...] = ()
    console: tuple[Said, ...] = ()
    picture: Picture | None = None

    @property
    def weight(self) -> int:
        """Roughly the memory that it holds, in bytes."""
        bodies = sum(len(need.body or b"") + 500 for need in self.needs)
        image = len(self.picture.image) if self.picture else 0
        return len(self.body or b"") + bodies + image + 300 * len(self.console)


class Ask(msgspec.Struct, frozen=True, tag=True):
    """May this be asked for, for a page that is being shown?

    token: the lease of the page. number: by which a worker knows its answer. kind: what for.
    """

    token: int
    number: int
    url: str
    kind: str


class Grant(msgspec.Struct, frozen=True, tag=True):
    """It may be asked for now. robots_first: the robots.txt of its origin is not known yet; it is
    to be fetched, told by `Learnt`, and then asked again."""

    token: int
    number: int
    robots_first: bool = False


class Refusal(msgspec.Struct, frozen=True, tag=True):
    """It may not be asked for; reason: a word."""

    token: int
    number: int
    reason: str


class Fetched(msgspec.Struct, frozen=True, tag=True):
    """What was granted has been asked for; status: what was answered, None for nothing."""

    token: int
    url: str
    status: int | None = None
    retry_after_s: float | None = None


class Learnt(msgspec.Struct, frozen=True, tag=True):
    """What the robots.txt of an origin asks for, as `policy.robots.packed` writes it; None where it
    forbids nothing. refusal: the word for what it forbids altogether, since it could not be had."""

    token: int
    origin: str
    rules: bytes | None = None
    refusal: str | None = None


Question = Ask | Fetched | Learnt
"""What a worker says while it shows a page."""
Answer = Grant | Refusal


class Visit(msgspec.Struct, frozen=True, array_like=True):
    """One attempt at one job: one line of history.

    job, reply, document: what was asked, said and meant; the reply has lost its body.
    started_at: ISO-8601 UTC with milliseconds.
    body_bytes: length of the decoded body. body_sha256: its digest.
    body: the body as a zlib stream, None when bodies are off or there is none.
    robots_body: of a robots job, the decoded text (at most 500 KiB). robots_rules: what it asks of
        this crawler, as `policy.robots.packed` writes it.
    worker: id of the machine that has fetched it, a row of ``workers``; 0 for the conductor's own.
    login: of a login job, what it needs to know; nothing else of the answer is kept.
    rendering: of a page that a browser was to show; the document is what it showed then.
    """

    job: Job
    reply: Reply
    document: Document
    started_at: str
    body_bytes: int = 0
    body_sha256: bytes | None = None
    body: bytes | None = None
    robots_body: bytes | None = None
    robots_rules: bytes | None = None
    worker: int = 0
    login: LoginPage | None = None
    rendering: Rendering | None = None


class MachineState(msgspec.Struct, frozen=True):
    """What is known of a machine that works for a crawl.

    id: of its row, 0 while it has none. key: its own. name: what it calls itself. processes: of
    its. out: jobs that it has; room: that it may have. visits, bytes, refused: of this run.
    beat_s: seconds since its last sign of life. network: ``up``, or since when it is not. left: why
    it has, empty while it has not.
    """

    id: int
    key: str
    name: str
    processes: int
    out: int = 0
    room: int = 0
    visits: int = 0
    bytes: int = 0
    refused: int = 0
    beat_s: float = 0.0
    network: str = "up"
    left: str = ""


class Stats(msgspec.Struct, frozen=True):
    """One snapshot of a run, for every face: progress line, dashboard, ``--json``.

    phase: loading, crawling, paused, draining or finishing. elapsed_s: since the crawl began.
    pages: settled in this run; pages_per_s: over the last ten seconds; pages_per_s_average: over
        the whole run. queued: URLs that wait. in_flight: jobs that are out. storing: visits that
        wait for the writer. bytes: received. errors: URLs that failed.
    statuses: counts by status or error, most frequent first.
    hosts_due: hosts that could be asked now. resting: hosts that rest longest (name, seconds, why).
    next_due_s: seconds until something may be fetched; None when nothing waits.
    workers: processes; 0 for the conductor's own. max_pages: the limit, 0 for none.
    loads: jobs that are out to each worker, on other machines to each machine. machines: these.
    database_bytes, log_bytes: the file and its write-ahead
        log. disk_free_bytes: room on its disk.
    """

    phase: str
    elapsed_s: float
    pages: int
    pages_per_s: float
    pages_per_s_average: float
    queued: int
    in_flight: int
    storing: int
    bytes: int
    errors: int
    statuses: tuple[tuple[str, int], ...]
    hosts_due: int
    resting: tuple[tuple[str, float, str], ...]
    next_due_s: float | None
    workers: int
    max_pages: int
    loads: tuple[int, ...] = ()
    database_bytes: int = 0
    log_bytes: int = 0
    disk_free_bytes: int = 0
    machines: tuple[MachineState, ...] = ()
