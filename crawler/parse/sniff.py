"""What kind of thing is this body, whatever its label says?

A small part of https://mimesniff.spec.whatwg.org/: a label is believed unless it promises text and
the bytes are not, or there is none. HTML under a binary label stays what the label says.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from crawler.parse.sitemaps import GZIP, is_json_feed, is_list_of_addresses, unpack

Form = Literal["html", "sitemap", "feed", "text", "other"]
"""How a body is read; sitemaps and feeds also as lines of addresses and as JSON."""

HTML_TYPES: Final = frozenset({"text/html", "application/xhtml+xml"})
TEXT_TYPES: Final = frozenset({"text/plain", "text/markdown"})
JSON_TYPES: Final = frozenset({"application/json", "text/json", "application/feed+json"})
_UNKNOWN: Final = frozenset({"unknown/unknown", "application/unknown", "*/*"})
SNIFFED_BYTES: Final = 1445
"""How much of a body is looked at to tell what it is, as in the standard."""

_SIGNATURES: Final = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (8, b"WEBPVP", "image/webp"),
    (0, b"\0\0\1\0", "image/x-icon"),
    (8, b"WAVE", "audio/wave"),
    (8, b"AVI ", "video/avi"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
    (0, b"OggS\0", "application/ogg"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"%!PS-Adobe-", "application/postscript"),
    (0, b"\x1f\x8b\x08", "application/gzip"),
    (0, b"PK\3\4", "application/zip"),
    (0, b"Rar!\x1a\7", "application/x-rar-compressed"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"wOFF", "font/woff"),
    (0, b"wOF2", "font/woff2"),
    (0, b"\0asm", "application/wasm"),
)
_SIGNED = re.compile(
    b"|".join(b"." * at + re.escape(mark) for at, mark, _ in _SIGNATURES), re.DOTALL
)
_BINARY: Final = bytes({*range(0x09), 0x0B, *range(0x0E, 0x1B), *range(0x1C, 0x20)})
_TEXT: Final = bytes(set(range(256)) - set(_BINARY))
_MARKUP = re.compile(rb"<\0?[a-zA-Z!?/]|\0<")
_HTML = re.compile(
    rb"\s*<(?:!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p)"
    rb"[\s>]|\s*<!--",
    re.IGNORECASE,
)
_BOM: Final = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_SPACE = re.compile(rb"[\s\0]*")
_USUAL_BEGINNING = re.compile(rb"[\s\0]*+(?:<!doctype html>[\s\0]*+)?<html[\s>]", re.IGNORECASE)
_ROOT = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)")
SITEMAP_ROOTS: Final = (b"urlset", b"sitemapindex")
_FORMS: Final[dict[bytes, Form]] = {
    **dict.fromkeys(SITEMAP_ROOTS, "sitemap"),
    b"rss": "feed",
    b"feed": "feed",
    b"rdf": "feed",
    b"html": "html",
}


def media_type(label: str | None, body: bytes) -> str:
    """The type a body is recorded under; `label` is the header's, without parameters."""
    if label is None or label in _UNKNOWN:
        return _unlabelled(body)
    if label in HTML_TYPES or label in TEXT_TYPES or is_xml(label):
        return _signed(body) or ("application/octet-stream" if _is_binary(body) else label)
    return label


def is_xml(label: str) -> bool:
    """Whether a type is one of XML's (https://mimesniff.spec.whatwg.org/#xml-mime-type)."""
    return label in ("text/xml", "application/xml") or label.endswith("+xml")


def form_of(label: str, data: bytes) -> Form:
    """How a body of that type is read; `data` is the body as UTF-8."""
    if label in TEXT_TYPES:
        if is_list_of_addresses(data):
            return "sitemap"
        form = _FORMS.get(root_name(data), "text")
        return "feed" if is_json_feed(data) else "text" if form == "html" else form
    if label in HTML_TYPES:
        # Feeds and sitemaps go under text/html often enough that the standard looks for them.
        return _FORMS.get(root_name(data), "html")
    if label in JSON_TYPES:
        return "feed" if is_json_feed(data) else "other"
    return _FORMS.get(root_name(data), "other") if is_xml(label) else "other"


def is_packed_list(body: bytes) -> bool:
    """Is this a sitemap or feed behind gzip? Only its beginning is unpacked to tell."""
    start = unpack(body, SNIFFED_BYTES).data if body.startswith(GZIP) else b""
    start = start.removeprefix(_BOM[0])
    if root_name(start) in _FORMS.keys() - {b"html"}:
        return True
    whole_lines = start if len(start) < SNIFFED_BYTES else start.rpartition(b"\n")[0]
    return is_list_of_addresses(whole_lines)


def root_name(data: bytes) -> bytes:
    """The local name of the first element, in lower case; empty where text or nothing comes first.

    Comments, declarations and instructions before it are skipped.
    """
    if _USUAL_BEGINNING.match(data):
        return b"html"
    at = _skip_space(data, 0)
    while data.startswith((b"<!", b"<?"), at):
        end = _end_of_declaration(data, at)
        if end < 0:
            return b""
        at = _skip_space(data, end)
    found = _ROOT.match(data, at)
    return found[1].lower() if found else b""


def _end_of_declaration(data: bytes, at: int) -> int:
    if data.startswith(b"<!--", at):
        return _behind(data, b"-->", at + 4)
    if data.startswith(b"<?", at):
        return _behind(data, b"?>", at + 2)
    end = _behind(data, b">", at)
    if b"[" in data[at:end]:  # a DOCTYPE with declarations of its own
        end = _behind(data, b">", _behind(data, b"]", at))
    return end


def _behind(data: bytes, mark: bytes, at: int) -> int:
    """The index behind the next mark, or -1."""
    end = data.find(mark, at) if at >= 0 else -1
    return end + len(mark) if end >= 0 else -1


def _skip_space(data: bytes, at: int) -> int:
    found = _SPACE.match(data, at)
    return found.end() if found else at


def _unlabelled(body: bytes) -> str:
    signed = _signed(body)
    if signed:
        return signed
    # The standard takes any comment for HTML; feeds may begin with one too.
    if _FORMS.get(root_name(body), "html") != "html" or body.lstrip().startswith(b"<?xml"):
        return "application/xml"
    if _HTML.match(body):
        return "text/html"
    return "application/octet-stream" if _is_binary(body) else "text/plain"


def _signed(body: bytes) -> str | None:
    if not _SIGNED.match(body):
        return None
    return next(kind for at, mark, kind in _SIGNATURES if body.startswith(mark, at))


def _is_binary(body: bytes) -> bool:
    """More than a tenth control characters, and nothing that looks like a tag or like UTF-16."""
    head = body[:SNIFFED_BYTES]
    if _MARKUP.match(head):
        return False
    controls = len(head.translate(None, _TEXT))
    if controls * 10 <= len(head) or head.startswith(_BOM):
        return False
    return not _MARKUP.search(head)
