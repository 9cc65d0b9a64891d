"""What would a careful reader find on this site, knowing nothing of the crawler?

A second opinion: it shares no code with what it judges (the standard library only) and asks the
same server. It takes every URL of one origin that can be reached from the start and tells what
each answered and which anchors stand on each page. It keeps no robots.txt and no pace, so it is
for sites on loopback.
"""

from __future__ import annotations

import html.entities
import http.client
import re
from codecs import lookup
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from string import ascii_letters, digits
from urllib.parse import quote, unquote, urlsplit

FOLLOWED_RELS = frozenset({"canonical", "alternate", "next", "prev"})
FOLLOWED = {"a": "href", "area": "href", "frame": "src", "iframe": "src"}
HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAX_URLS = 200_000
TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class Anchor:
    """One ``<a href>``.

    ordinal: its place among the anchors of the page, from 0. href: as written, references
    resolved. target: the absolute URL without fragment; None for other schemes than http and
    https, and for what is no URL. text: its visible text, white space folded.
    """

    source: str
    ordinal: int
    href: str
    target: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a walk found.

    statuses: every URL asked for, and what it answered. pages: those that answered 200 with HTML.
    redirects: from where to where. anchors: of all pages, in the order of the walk.
    elsewhere: targets on other origins, never asked for.
    """

    start: str
    statuses: dict[str, int] = field(default_factory=dict)
    pages: set[str] = field(default_factory=set)
    redirects: dict[str, str] = field(default_factory=dict)
    anchors: list[Anchor] = field(default_factory=list)
    elsewhere: set[str] = field(default_factory=set)

    def broken(self) -> list[Anchor]:
        """The anchors whose target answered 404."""
        return [one for one in self.anchors if self.statuses.get(one.target or "") == 404]

    def summary(self) -> str:
        """One line for people."""
        counts = Counter(self.statuses.values())
        told = ", ".join(f"{count} x {status}" for status, count in sorted(counts.items()))
        return (
            f"{len(self.pages):,} pages, {len(self.statuses):,} URLs ({told}), "
            f"{len(self.anchors):,} anchors, {len(self.broken()):,} of them broken"
        )


def walk(start: str, *, max_urls: int = MAX_URLS) -> Found:
    """Ask for everything of the origin of `start` that can be reached from it."""
    first = resolve("", start)
    if first is None:
        raise ValueError(f"{start} is no URL of http")
    found = Found(first)
    waiting = deque([first])
    seen = {first}
    origin = _origin(first)
    connection = http.client.HTTPConnection(urlsplit(first).netloc, timeout=TIMEOUT_S)
    while waiting and len(found.statuses) < max_urls:
        for target in _visit(connection, waiting.popleft(), found):
            if _origin(target) != origin:
                found.elsewhere.add(target)
            elif target not in seen:
                seen.add(target)
                waiting.append(target)
    connection.close()
    return found


def resolve(base: str, href: str) -> str | None:
    """The URL that a browser would ask for, without fragment, as the URL Standard has it.

    None for other schemes than http and https, and where there is no such URL. `base` is absolute
    and has been through here, or empty.
    """
    text = re.sub("[\t\n\r]", "", href.strip("".join(map(chr, range(33)))))
    text = text.partition("#")[0]
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):", text)
    scheme, rest = (match[1].lower(), text[match.end() :]) if match else ("", text)
    if scheme not in {"", "http", "https"} or not (scheme or base):
        return None
    path, mark, query = rest.partition("?")
    path = path.replace("\\", "/")
    based = urlsplit(base)
    if scheme == based.scheme and not path.startswith("//"):
        scheme = ""  # the old form http:page.html is relative where the schemes agree
    if scheme or path.startswith("//"):
        authority, slash, below = path.lstrip("/").partition("/")
        place = _authority(scheme or based.scheme, authority)
        return place and place + _path(slash + below) + _query(mark, query)
    place = f"{based.scheme}://{based.netloc}"
    if path.startswith("/"):
        return place + _path(path) + _query(mark, query)
    if path:
        return place + _path(based.path.rpartition("/")[0] + "/" + path) + _query(mark, query)
    if mark:
        return place + based.path + _query(mark, query)
    return base.partition("#")[0]


def _authority(scheme: str, authority: str) -> str | None:
    """Scheme, host and port, without userinfo and without the port that goes without saying."""
    match = re.fullmatch(r"(?:.*@)?(\[[0-9A-Fa-f:.]+\]|[^:@\[\]]+)(?::(\d*))?", authority)
    if match is None or int(match[2] or 0) > 65_535:
        return None
    try:
        name = unquote(match[1]).lower()
        host = name.encode("ascii" if name.isascii() else "idna").decode()
    except UnicodeError:
        return None
    if not host.startswith("[") and FORBIDDEN_IN_HOST.search(host):
        return None
    usual = {"http": 80, "https": 443}[scheme]
    port = "" if not match[2] or int(match[2]) == usual else f":{int(match[2])}"
    return f"{scheme}://{host}{port}"


FORBIDDEN_IN_HOST = re.compile(r"[\x00-\x20\x7f#%/:<>?@\[\\\]^|]")
KEPT_IN_PATH = ascii_letters + digits + "!$%&'()*+,-./:;=@[\\]_|~"
KEPT_IN_QUERY = ascii_letters + digits + "!$%&()*+,-./:;=?@[\\]^_`{|}~"


def _path(path: str) -> str:
    kept: list[str] = []
    parts = path.split("/")[1:] or [""]
    for place, part in enumerate(parts):
        plain = part.lower().replace("%2e", ".")
        if plain == "..":
            del kept[-1:]
        elif plain != ".":
            kept.append(part)
        if plain in {".", ".."} and place == len(parts) - 1:
            kept.append("")
    return quote("/" + "/".join(kept), safe=KEPT_IN_PATH, errors="replace")


def _query(mark: str, query: str) -> str:
    return mark + quote(query, safe=KEPT_IN_QUERY, errors="replace")


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _visit(connection: http.client.HTTPConnection, url: str, found: Found) -> Iterator[str]:
    """Ask for one URL, write down what it is, and give what it leads to."""
    parts = urlsplit(url)
    connection.request("GET", parts.path + (f"?{parts.query}" if "?" in url else ""))
    reply = connection.getresponse()
    body = reply.read()
    found.statuses[url] = reply.status
    location = reply.getheader("Location")
    if reply.status in REDIRECTS and location is not None:
        target = resolve(url, location)
        if target is not None:
            found.redirects[url] = target
            yield target
        return
    content_type = reply.getheader("Content-Type") or ""
    if reply.status != 200 or content_type.partition(";")[0].strip().lower() not in HTML_TYPES:
        return
    found.pages.add(url)
    page = Page(url)
    page.feed(decode(body, content_type))
    page.close()
    found.anchors.extend(page.read())
    yield from page.targets


MARKS = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


def decode(body: bytes, content_type: str) -> str:
    """The text of a document: byte order mark, then the header, then its own word."""
    for mark, name in MARKS.items():
        if body.startswith(mark):
            return body[len(mark) :].decode(name, "replace")
    header = re.search(r"charset\s*=\s*[\"']?([\w.:-]+)", content_type, re.I)
    inside = re.search(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]+)", body[:1024], re.I)
    label = header[1] if header else inside[1].decode("ascii") if inside else ""
    # the Encoding Standard reads these labels as windows-1252, and utf-16 in a page as utf-8
    latin = label.lower() in {"", "iso-8859-1", "latin1", "ascii", "us-ascii"}
    if label.lower().startswith("utf-16"):
        label = "utf-8"
    try:
        return body.decode("cp1252" if latin else lookup(label).name, "replace")
    except LookupError:
        return body.decode("cp1252", "replace")


class Page(HTMLParser):
    """The anchors of a document, and what it leads to."""

    def __init__(self, url: str) -> None:
        super().__init__(convert_charrefs=True)
        self.url = url
        self.base: str | None = None
        self._open: list[tuple[str, list[str]]] = []
        self._anchors: list[tuple[str, list[str]]] = []
        self._others: list[str] = []
        self._silent = ""

    @property
    def targets(self) -> Iterator[str]:
        """Absolute URLs this page leads to."""
        for href in [href for href, _ in self._anchors] + self._others:
            target = resolve(self.base or self.url, href)
            if target is not None:
                yield target

    def read(self) -> Iterator[Anchor]:
        """The anchors in their order; only now, because a base may have come late."""
        base = self.base or self.url
        for ordinal, (href, pieces) in enumerate(self._anchors):
            text = " ".join("".join(pieces).split())
            yield Anchor(self.url, ordinal, href, resolve(base, href), text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take down what leads somewhere."""
        values = attributes(self.get_starttag_text() or "")
        if tag in {"script", "style"}:
            self._silent = tag
        if tag == "base" and self.base is None and "href" in values:
            self.base = resolve(self.url, values["href"]) or self.url
        elif tag == "a":
            self._open.clear()  # anchors do not nest: a second one ends the first
            if "href" in values:
                self._anchors.append((values["href"], []))
                self._open.append(self._anchors[-1])
        elif tag in FOLLOWED and FOLLOWED[tag] in values:
            self._others.append(values[FOLLOWED[tag]])
        elif tag == "link" and FOLLOWED_RELS & set(values.get("rel", "").lower().split()):
            self._others.append(values.get("href", ""))
        elif tag == "meta" and values.get("http-equiv", "").lower() == "refresh":
            self._refresh(values.get("content", ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """In HTML the slash of ``<a/>`` means nothing."""
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        """An anchor ends."""
        if tag == "a":
            self._open.clear()
        if tag == self._silent:
            self._silent = ""

    def handle_data(self, data: str) -> None:
        """Text, of an anchor where one is open."""
        if self._open and not self._silent:
            self._open[-1][1].append(data)

    def _refresh(self, content: str) -> None:
        match = re.match(r"\s*[\d.]+\s*[;,]?\s*(?:url\s*=\s*)?([\"']?)(.*)", content, re.I | re.S)
        if match and match[2]:
            self._others.append(match[2].partition(match[1])[0] if match[1] else match[2])


ATTRIBUTE = re.compile(
    r"""([^\s/>=][^\s/>=]*)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"'][^\s>]*)|))?"""
)


def attributes(tag: str) -> dict[str, str]:
    """The attributes of a start tag as written; of a name given twice the first counts."""
    found: dict[str, str] = {}
    inside = re.sub(r"^<[^\s/>]+", "", tag)
    for match in ATTRIBUTE.finditer(inside):
        value = next((one for one in match.groups()[1:] if one is not None), "")
        found.setdefault(match[1].lower(), references(value))
    return found


def references(value: str) -> str:
    """Resolve character references as in an attribute, where ``?a=1&copy=2`` holds none."""
    return re.sub(r"&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[A-Za-z][A-Za-z0-9]*;?=?)", _reference, value)


def _reference(match: re.Match[str]) -> str:
    text = match[0]
    if text.startswith("&#"):
        return html.unescape(text)
    name = text[1:]
    if name in html.entities.html5:
        followed = match.string[match.end() : match.end() + 1]
        ends = name.endswith(";") or not (followed == "=" or followed.isalnum())
        return html.entities.html5[name] if ends else text
    return text
