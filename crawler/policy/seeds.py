"""What does a line of a seeds file mean?"""

from __future__ import annotations

import re

import msgspec

from crawler.model import Target
from crawler.policy import urls, words
from crawler.policy.urls import ORDINARY, UNLIMITED, UrlRules

_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):")
_HALF_SCHEME = re.compile(r"(?:h?t?tps?|https?)[;.,]?/", re.IGNORECASE)
"""``http//example.org``: the parser sees a host that is called http."""
_HOST = re.compile(r"[a-z0-9._-]+")
_UNSEEN = "".join(map(chr, (*range(0x21), 0x7F, 0x85, 0xA0, 0xAD, *range(0x2000, 0x2010)))) + (
    "\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u202f\u205f\u2060\u3000\ufeff"
)
"""White space, and what texts bring along that nobody sees: U+200B, marks of direction, hyphens."""
_QUOTES = (
    *(('"', '"'), ("'", "'"), ("`", "`"), ("<", ">"), ("(", ")")),
    *(("\u201c", "\u201d"), ("\u201e", "\u201c"), ("\u2018", "\u2019"), ("\u00ab", "\u00bb")),
)
_USERINFO = re.compile(r"((?:https?:)?[/\\]{2,})[^/?#\\]*@", re.IGNORECASE)
"""What stands before the host, up to the last ``@`` (URL standard, authority state)."""
_PERHAPS_USERINFO = re.compile(
    r"\A(?>((?:[a-z][a-z0-9+.-]*:)?[/\\]{2,}|))(?!mailto:)[^@:]*+:(?!//).*@", re.IGNORECASE
)
"""The same where the parser finds no such address, and so cannot say what is a password in it."""
_PORT = re.compile(r"\d{1,5}(?:[/?#]|$)")


class Seed(msgspec.Struct, frozen=True):
    """One line that is neither blank nor a comment.

    line: its number, from 1. text: as written, stripped, without passwords. target: what it names.
    scheme_assumed: no scheme was written, https is tried first and http where that cannot connect.
    error: why it cannot be crawled, for people; None when it can.
    """

    line: int
    text: str
    target: Target
    scheme_assumed: bool
    error: str | None


def read_line(number: int, raw: str, *, rules: UrlRules = ORDINARY) -> Seed | None:
    """The seed of a line, or None for a blank line or a ``#`` comment."""
    text = raw.strip(_UNSEEN)
    if not text or text.startswith("#"):
        return None
    text = unquoted(text.split(" #", 1)[0].split("\t#", 1)[0].rstrip(_UNSEEN))
    bare = is_bare(text)
    href = f"https://{text.removeprefix('//')}" if bare else text
    target, _ = urls.resolve(href, rules=rules)
    error = words.of(target.refusal).meaning if target.refusal else _misspelt(text, target)
    if error is None and any(character.isspace() for character in text):
        error = "more than one word; write one address a line"
    shown = without_password(text)
    if error is not None:
        shown = _PERHAPS_USERINFO.sub(r"\1***@", shown, count=1)
        target, _ = urls.resolve(shown if shown != text else href, rules=rules)
    kept = shown.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    return Seed(number, kept, target, bare and error is None, error)


def without_password(text: str) -> str:
    """An address with ``***`` for the name and password in it: crawls are handed on."""
    return _USERINFO.sub(r"\1***@", text, count=1) if "@" in text else text


def unquoted(text: str) -> str:
    """A text out of the quotes, brackets and comma in which programs and letters put addresses."""
    bare = text.rstrip(",;")
    for opening, closing in _QUOTES:
        if len(bare) > 1 and bare.startswith(opening) and bare.endswith(closing):
            return bare[1:-1].strip(_UNSEEN)
    return text


def _misspelt(text: str, target: Target) -> str | None:
    """Why an address that the URL parser takes is none that people mean."""
    host = urls.host_of(target.origin)
    if _HALF_SCHEME.match(text):
        return f"{words.of('url_invalid').meaning}: write http:// or https:// before the host"
    if not (host.startswith("[") or _HOST.fullmatch(host)):
        return words.of("url_invalid").meaning
    return None


def is_bare(text: str) -> bool:
    """Is this an address without a scheme, as in ``example.org:8080/a``?"""
    scheme = _SCHEME.match(text)
    if scheme is None:
        return True
    rest = text[scheme.end() :]
    return not rest.startswith("//") and _PORT.match(rest) is not None


def over_http(target: Target) -> Target:
    """The same address with http in place of https."""
    plain, _ = urls.resolve("http" + target.url.removeprefix("https"), rules=UNLIMITED)
    return plain
