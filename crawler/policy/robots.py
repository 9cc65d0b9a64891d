"""May this agent fetch this path?

RFC 9309, with the two records that sites use beside it, Crawl-delay and Sitemap. Like most
crawlers this one also reads ``Disallow`` with a common misspelling or without its colon: what a
site plainly wants is done. Matching takes 1 to 10 us on ordinary files, and at most about 5 ms on
any file of 500 KiB; where a file makes it cost more than that, the path is not fetched.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import msgspec

from crawler.policy.urls import path_of
from crawler.policy.wildcards import Exhausted, PathPatterns, Pattern

MAX_BYTES: Final = 500 * 1024
"""RFC 9309, section 2.5: the least that must be read."""

MAX_SITEMAPS: Final = 1000

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
_MARKUP = re.compile(r"\s*<(?:!doctype|html|head|body|\?xml)", re.IGNORECASE)
_ODD = re.compile(r"%[0-9A-Fa-f]{2}|[^A-Za-z0-9\-._~:/?#\[\]@!&'()+,;=%]+")
_BLANK: Final = " \t\v\f\0\u00a0"
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_SHOWN: Final = 200


class RobotsVerdict(NamedTuple):
    """Whether a path may be fetched, and the line of the file that says so, None for no line."""

    allowed: bool
    rule: str | None


class Rules(msgspec.Struct, frozen=True, eq=False):
    """What one site asks of one agent; made by `parse`.

    crawl_delay: seconds between two requests, finite and at least 0, as asked for; None if not.
    sitemaps: values of Sitemap records as written, at most `MAX_SITEMAPS`.
    lines: (is it an Allow, its path pattern in normal form), the least specific first; the rank
        of a line is its place, from 1.
    exact, prefixes, wild: the same lines by the way they match, with their ranks.
    prefix_sizes: lengths of the prefixes.
    """

    crawl_delay: float | None = None
    sitemaps: tuple[str, ...] = ()
    lines: tuple[tuple[bool, str], ...] = ()
    exact: Mapping[str, int] = {}
    prefixes: Mapping[str, int] = {}
    prefix_sizes: tuple[int, ...] = ()
    wild: PathPatterns | None = None

    def __repr__(self) -> str:
        return f"<Rules {len(self.lines):,} lines, crawl delay {self.crawl_delay}>"

    def allows(self, url: str) -> bool:
        """Whether the URL may be fetched; never raises."""
        return self.verdict(url).allowed

    def verdict(self, url: str) -> RobotsVerdict:
        """The same with the line that decides: the longest that fits, an Allow before others
        (RFC 9309, section 2.2.2)."""
        if not self.lines:
            return FREE
        path = path_of(url)
        if path == "/robots.txt":
            return FREE
        path = _normal(path if path.isascii() else _escaped(path))
        rank = self.exact.get(path, 0)
        for size in self.prefix_sizes:
            rank = max(rank, self.prefixes.get(path[:size], 0))
        if self.wild is not None:
            try:
                rank = self.wild.best(path, rank)
            except Exhausted:
                return RobotsVerdict(False, TOO_COSTLY)
        if rank == 0:
            return FREE
        allowed, text = self.lines[rank - 1]
        return RobotsVerdict(allowed, f"{'Allow' if allowed else 'Disallow'}: {text[:_SHOWN]}")


FREE: Final = RobotsVerdict(True, None)

ALLOW_ALL: Final = Rules()


def parse(body: bytes, agent: str, *, max_bytes: int = MAX_BYTES) -> Rules:
    """The rules of a file for an agent such as ``crawler/1.0 (+https://example.org)``.

    Never raises. What lies beyond max_bytes is not read, nor is a line that this cuts through: a
    piece of a path would forbid more than its whole.
    """
    text = _text(body, max_bytes)
    if _MARKUP.match(text):  # a site's "not found" page that came with status 200
        return ALLOW_ALL
    token = _token(agent)
    groups: dict[str, _Group] = {}
    sitemaps: list[str] = []
    heads: dict[str, _Group] = {}
    complete = False
    for record, value in _records(text):
        if record == "agent":
            if complete:
                heads, complete = {}, False
            name = "*" if value == "*" or value.startswith("* ") else _token(value)
            if name and name in (token, "*"):
                heads[name] = groups.setdefault(name, _Group())
        elif record == "sitemap":
            if value and len(sitemaps) < MAX_SITEMAPS:
                sitemaps.append(value)
        elif record == "delay":
            for group in heads.values():
                group.delays.extend(_seconds(value))
        else:
            complete = True
            # A pattern that begins otherwise fits no path, and an empty one says nothing.
            if value.startswith(("/", "*")):
                for group in heads.values():
                    group.lines.append((record == "allow", value))
    ours = groups.get(token) or groups.get("*") or _Group()
    return _compiled(ours.lines, max(ours.delays, default=None), tuple(sitemaps))


class _Group:
    """Lines for one agent, gathered from all groups that name it."""

    __slots__ = ("delays", "lines")

    def __init__(self) -> None:
        self.lines: list[tuple[bool, str]] = []
        self.delays: list[float] = []


def _compiled(
    written: list[tuple[bool, str]], crawl_delay: float | None, sitemaps: tuple[str, ...]
) -> Rules:
    lines = _by_rank(written)
    exact: dict[str, int] = {}
    prefixes: dict[str, int] = {}
    wild: list[Pattern] = []
    for rank, (_, text) in enumerate(lines, 1):
        anchored = text.endswith("$")
        prefix, *rest = (text[:-1] if anchored else text).split("*")
        segments = [part for part in rest if part]
        if anchored and not rest:
            exact[prefix] = rank
        elif not segments:
            prefixes[prefix] = rank
        else:
            end = segments.pop() if anchored and rest[-1] else None
            wild.append(Pattern(prefix, tuple(segments), end, rank))
    return Rules(
        crawl_delay=crawl_delay,
        sitemaps=sitemaps,
        lines=lines,
        exact=exact,
        prefixes=prefixes,
        prefix_sizes=tuple(sorted({len(prefix) for prefix in prefixes})),
        wild=PathPatterns(wild) if wild else None,
    )


def _by_rank(written: list[tuple[bool, str]]) -> tuple[tuple[bool, str], ...]:
    """Lines in normal form, each once, the shortest first and Allow behind Disallow.

    By buckets, because one long sort would hold every other thread of the process.
    """
    buckets: dict[tuple[int, bool], dict[str, None]] = defaultdict(dict)
    for allowed, value in written:
        text = _normal_pattern(value)
        buckets[len(text), allowed][text] = None
    return tuple((key[1], text) for key in sorted(buckets) for text in buckets[key])


def _text(body: bytes, max_bytes: int) -> str:
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


DISALLOW_ALL: Final = _compiled([(False, "/")], None, ())
