"""May this agent fetch this path?

RFC 9309, with the two records that sites use beside it, Crawl-delay and Sitemap. Like most
crawlers this one also reads ``Disallow`` with a common misspelling or without its colon: what a
site plainly wants is done. Matching takes 1 to 10 us on ordinary files, and at most about 5 ms on
any file of 500 KiB; where a file makes it cost more than that, the path is not fetched.
"""

from __future__ import annotations

import re
import zlib
from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import accumulate, chain
from typing import Final, NamedTuple

import msgspec

from crawler.policy.urls import path_of
from crawler.policy.wildcards import Exhausted, PathPatterns, Pattern

MAX_BYTES: Final = 500 * 1024
"""RFC 9309, section 2.5: the least that must be read."""

MOST_RULES_BYTES: Final = 4 * 1024 * 1024
"""Of rules, unpacked; those of any file of MAX_BYTES are half as large."""
MAX_SITEMAPS: Final = 1000

MAX_WILD: Final = 2000
"""Lines with a wildcard that are matched as they are; those of 4,231 real files are 573 at most.
Each takes 1 KB of memory and 10 us to make ready: 500 KiB of them were 17 MB and 0.35 s."""

FEW: Final = 500
"""Texts of which a dict is kept, which is faster and takes fifteen times the memory."""

RANKED: Final = 4
"""Sets of lines that are kept in order while a file is read for several agents."""
_Lines = list[tuple[bool, str]]

RECORDS: Final = {
    "user-agent": "agent",
    "useragent": "agent",
    "user agent": "agent",
    "allow": "allow",
    "disallow": "disallow",
    "dissallow": "disallow",
    "dissalow": "disallow",
    "disalow": "disallow",
    "diasllow": "disallow",
    "disallaw": "disallow",
    "crawl-delay": "delay",
    "sitemap": "sitemap",
    "site-map": "sitemap",
}
"""Names of records; the misspellings are those of Google's parser (google/robotstxt, robots.cc)."""

TOO_COSTLY: Final = "(rules too costly to judge)"

_LINE_END = re.compile(r"\r\n?|\n")
_TOKEN = re.compile(r"[a-z0-9_-]*")  # RFC 9309, 2.2.1 has no digits, but names of crawlers do
_NUMBER = re.compile(r"[0-9]{1,300}(?:\.[0-9]*)?|\.[0-9]+")
_ODD = re.compile(r"%[0-9A-Fa-f]{2}|[^A-Za-z0-9\-._~:/?#\[\]@!&'()+,;=%]+")
_BLANK: Final = " \t\v\f\0\u00a0"
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_SHOWN: Final = 200


class RobotsVerdict(NamedTuple):
    """Whether a path may be fetched, and the line of the file that says so, None for no line."""

    allowed: bool
    rule: str | None


class Asked(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one site asks of one agent, as it can be sent and stored; made by `read`.

    crawl_delay: seconds between two requests, finite and at least 0, as asked for; None if not.
    sitemaps: values of Sitemap records as written, at most `MAX_SITEMAPS`.
    lines: path patterns in normal form, each behind ``+`` for an Allow or ``-``; the least specific
        first, so that the rank of a line is its place, from 1.
    widened: lines past `MAX_WILD`, which forbid all that begins as they do.
    """

    crawl_delay: float | None = None
    sitemaps: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    widened: int = 0


class Rules:
    """What one site asks of one agent, ready to be asked; made by `parse` or `compiled`.

    crawl_delay, sitemaps, widened: as `Asked` has them. count: of lines. weight: bytes of memory,
    roughly; at most 2 MB for a file of 500 KiB.
    """

    __slots__ = (
        *("_ends", "_exact", "_prefix_sizes", "_prefixes", "_text", "_wild", "count"),
        *("crawl_delay", "sitemaps", "weight", "widened"),
    )

    def __init__(self, asked: Asked = Asked()) -> None:  # noqa: B008  # it is frozen
        self.crawl_delay = asked.crawl_delay
        self.sitemaps = asked.sitemaps
        self.widened = asked.widened
        self.count = len(asked.lines)
        self._text = "".join(asked.lines)
        self._ends = array("I", accumulate(map(len, asked.lines)))
        exact, prefixes, wild = _by_kind(asked)
        self._exact = _ranks(exact)
        self._prefixes = _ranks(prefixes)
        self._prefix_sizes = tuple(sorted({len(prefix) for prefix in prefixes}))
        self._wild = PathPatterns(wild) if wild else None
        self.weight = 1000 + len(self._text) + 30 * self.count + 1000 * len(wild)
        self.weight += sum(60 + len(place) for place in self.sitemaps)

    def __repr__(self) -> str:
        return f"<Rules {self.count:,} lines, crawl delay {self.crawl_delay}>"

    def allows(self, url: str) -> bool:
        """Whether the URL may be fetched; never raises."""
        return self.verdict(url).allowed

    def verdict(self, url: str) -> RobotsVerdict:
        """The same with the line that decides: the longest that fits, an Allow before others
        (RFC 9309, section 2.2.2)."""
        if not self.count:
            return FREE
        path = path_of(url)
        if path == "/robots.txt":
            return FREE
        path = _normal(path if path.isascii() else _escaped(path))
        rank = self._exact(path)
        for size in self._prefix_sizes:
            rank = max(rank, self._prefixes(path[:size]))
        if self._wild is not None:
            try:
                rank = self._wild.best(path, rank)
            except Exhausted:
                return RobotsVerdict(False, TOO_COSTLY)
        return FREE if rank == 0 else self._said(rank)

    def _said(self, rank: int) -> RobotsVerdict:
        line = self._text[self._ends[rank - 2] if rank > 1 else 0 : self._ends[rank - 1]]
        allowed = line[0] == "+"
        return RobotsVerdict(allowed, f"{'Allow' if allowed else 'Disallow'}: {line[1:_SHOWN]}")


FREE: Final = RobotsVerdict(True, None)


def parse(body: bytes, agent: str, *, max_bytes: int = MAX_BYTES) -> Rules:
    """`read` and `compiled` in one."""
    return compiled(read(body, agent, max_bytes=max_bytes))


def compiled(asked: Asked) -> Rules:
    """The rules, ready to be asked: 1 us a line, and 10 where it has a wildcard."""
    return Rules(asked) if asked != Asked() else ALLOW_ALL


def read(body: bytes, agent: str, *, max_bytes: int = MAX_BYTES) -> Asked:
    """What a file asks of an agent such as ``crawler/1.0 (+https://example.org)``.

    Never raises. What lies beyond max_bytes is not read, nor is a line that this cuts through: a
    piece of a path would forbid more than its whole. 0.1 s of CPU for 500 KiB at the most.
    """
    return Groups(body, (agent,), max_bytes=max_bytes).asked(agent)


class Groups:
    """What a file asks of several agents, read once; of all that it names where none are told.

    sitemaps: as `Asked` has them. Never raises. Lines that are for many agents are kept once.
    """

    __slots__ = ("_by_name", "_ranked", "sitemaps")

    def __init__(
        self, body: bytes, agents: Iterable[str] | None = None, *, max_bytes: int = MAX_BYTES
    ) -> None:
        wanted = None if agents is None else {"*", *map(_token, agents)}
        self._by_name: dict[str, _Group] = {}
        self._ranked: dict[tuple[int, ...], tuple[tuple[str, ...], int]] = {}
        sitemaps: list[str] = []
        lines: _Lines = []
        delays: list[float] = []
        before = ""
        complete = False
        for record, value in _records(decoded(body, max_bytes)):
            if record == "sitemap":
                if value and len(sitemaps) < MAX_SITEMAPS:
                    sitemaps.append(value)
                continue
            if record == "agent":
                if complete:
                    lines, complete = [], False
                if before != "agent":
                    delays = []
                name = "*" if value == "*" or value.startswith("* ") else _token(value)
                if name and (wanted is None or name in wanted):
                    self._by_name.setdefault(name, _Group()).add(lines, delays)
            elif record == "delay":
                # Rules are shared with the agents before, a delay belongs to those right before it.
                delays += _seconds(value)
            else:
                complete = True
                # A pattern that begins otherwise fits no path, and an empty one says nothing.
                if value.startswith(("/", "*")):
                    lines.append((record == "allow", value))
            before = record
        self.sitemaps = tuple(sitemaps)

    def __repr__(self) -> str:
        return f"<Groups of {len(self._by_name)} agents>"

    def asked(self, agent: str) -> Asked:
        """What is asked of this one."""
        ours = self._by_name.get(_token(agent)) or self._by_name.get("*") or _Group()
        key = tuple(map(id, ours.parts))
        if key not in self._ranked:
            if len(self._ranked) == RANKED:
                self._ranked.clear()
            self._ranked[key] = _by_rank(chain.from_iterable(ours.parts))
        lines, widened = self._ranked[key]
        delay = max(chain.from_iterable(ours.delays), default=None)
        return Asked(delay, self.sitemaps, lines, widened)


def packed(asked: Asked) -> bytes:
    """For sending and storing; a tenth of the file, at most."""
    places = (
        place.encode(errors="surrogateescape").decode(errors="replace") for place in asked.sitemaps
    )
    fit = msgspec.structs.replace(asked, sitemaps=tuple(places))
    return zlib.compress(msgspec.msgpack.encode(fit), 1)


def unpacked(data: bytes) -> Asked:
    """What was packed. Raises ValueError where it is larger than any that `packed` gives."""
    unpacking = zlib.decompressobj()
    said = unpacking.decompress(data, MOST_RULES_BYTES)
    if not unpacking.eof:
        raise ValueError("rules that are too long")
    return msgspec.msgpack.decode(said, type=Asked)


class _Group:
    """What is said of one agent. parts: lines of each group that names it. delays: likewise."""

    __slots__ = ("delays", "parts")

    def __init__(self) -> None:
        self.parts: list[_Lines] = []
        self.delays: list[list[float]] = []

    def add(self, lines: _Lines, delays: list[float]) -> None:
        """It is named before these, perhaps once more."""
        if not self.parts or self.parts[-1] is not lines:
            self.parts.append(lines)
        if not self.delays or self.delays[-1] is not delays:
            self.delays.append(delays)


def _by_kind(asked: Asked) -> tuple[dict[str, int], dict[str, int], list[Pattern]]:
    """The lines by the way they match, with their ranks: exact, by prefix, with wildcards."""
    exact: dict[str, int] = {}
    prefixes: dict[str, int] = {}
    wild: list[Pattern] = []
    for rank, line in enumerate(asked.lines, 1):
        anchored = line.endswith("$")
        prefix, *rest = (line[1:-1] if anchored else line[1:]).split("*")
        segments = [part for part in rest if part]
        if anchored and not rest:
            exact[prefix] = rank
        elif not segments:
            prefixes[prefix] = rank
        else:
            end = segments.pop() if anchored and rest[-1] else None
            wild.append(Pattern(prefix, tuple(segments), end, rank))
    return exact, prefixes, wild


def _ranks(known: dict[str, int]) -> Callable[[str], int]:
    """Tells the rank of a text, 0 for none. Of many, 12 bytes of each are kept, not the text: its
    hash, which nobody outside this process can foresee."""
    if len(known) <= FEW:
        return partial(_rank_of, known)
    pairs = sorted((hash(text), rank) for text, rank in known.items())
    hashes = array("q", (number for number, _ in pairs))
    ranks = array("I", (rank for _, rank in pairs))

    def rank_of(text: str) -> int:
        number = hash(text)
        at = bisect_left(hashes, number)
        return ranks[at] if at < len(hashes) and hashes[at] == number else 0

    return rank_of


def _rank_of(known: dict[str, int], text: str) -> int:
    return known.get(text, 0)


def _by_rank(written: Iterable[tuple[bool, str]]) -> tuple[tuple[str, ...], int]:
    """Lines in normal form, each once, the shortest first and Allow behind Disallow; and how many
    were widened.

    By buckets, because one long sort would hold every other thread of the process.
    """
    buckets: dict[tuple[int, bool], dict[str, None]] = defaultdict(dict)
    wild: set[str] = set()
    widened = 0
    for allowed, value in written:
        text = _normal_pattern(value)
        size = len(text)
        if "*" in text.rstrip("*") and text not in wild:
            if len(wild) < MAX_WILD:
                wild.add(text)
            else:
                widened += 1
                if allowed:
                    continue
                text = text.partition("*")[0] or "/"
        buckets[size, allowed][text] = None
    lines = (("+" if key[1] else "-") + text for key in sorted(buckets) for text in buckets[key])
    return tuple(lines), widened


def decoded(body: bytes, max_bytes: int = MAX_BYTES) -> str:
    """Decodes UTF-8, or UTF-16 by its mark or its zeros; octets that are neither are escaped."""
    head = body[:max_bytes]
    for mark in (b"\xef\xbb\xbf", b"\xef\xbb", b"\xef"):  # a mark that lost its end is one too
        if head.startswith(mark):
            head = head[len(mark) :]
            break
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = head.decode("utf-16", "replace")  # takes the mark away
    elif len(head) > 3 and head[1] == head[3] == 0 != head[0]:
        text = head.decode("utf-16-le", "replace")
    elif len(head) > 3 and head[0] == head[2] == 0 != head[1]:
        text = head.decode("utf-16-be", "replace")
    else:
        text = head.decode("utf-8", "surrogateescape")
    if len(body) >= max_bytes:
        text = text[: max(text.rfind("\n"), text.rfind("\r")) + 1]
    return text


def _records(text: str) -> Iterator[tuple[str, str]]:
    """Kind (see `RECORDS`) and value of every line that has a meaning here."""
    for line in _LINE_END.split(text):
        said = line.partition("#")[0]
        name, colon, value = said.partition(":")
        if not colon:  # "Disallow /", as Google reads it: two words, no more
            words = said.split()
            if len(words) != 2:
                continue
            name, value = words
        record = RECORDS.get(name.strip(_BLANK).lower())
        if record is not None:
            yield record, value.strip(_BLANK)


def _token(agent: str) -> str:
    """The product token: ``crawler`` of ``Crawler/1.0 (+https://example.org)``."""
    found = _TOKEN.match(agent.strip(_BLANK).lower())
    return found[0] if found else ""


def _seconds(value: str) -> list[float]:
    return [float(value)] if _NUMBER.fullmatch(value) else []


def _normal_pattern(value: str) -> str:
    """Each literal part in normal form; only ``*``, and ``$`` at the end, keep their meaning."""
    anchored = value.endswith("$")
    parts = (value[:-1] if anchored else value).split("*")
    return "*".join([_normal(part) for part in parts]) + ("$" if anchored else "")


def _normal(text: str) -> str:
    """The form in which rules and paths are compared (RFC 9309, section 2.2.2).

    Escapes of unreserved characters are undone, all others have upper-case digits, and what is
    neither reserved nor unreserved is escaped; so are ``*`` and ``$``, which are wildcards bare.
    """
    return _ODD.sub(_normal_piece, text)


def _normal_piece(found: re.Match[str]) -> str:
    piece = found[0]
    if piece[0] == "%":
        character = chr(int(piece[1:], 16))
        return character if character in _UNRESERVED else piece.upper()
    return "".join(f"%{octet:02X}" for octet in piece.encode("utf-8", "surrogateescape"))


def _escaped(path: str) -> str:
    """A path whose lone surrogates are octets such as `_normal` takes."""
    return path.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")


ALLOW_ALL: Final = Rules()
