"""What does a line of a seeds file mean?"""

from __future__ import annotations

import re

import msgspec

from crawler.model import Target
from crawler.policy import urls, words
from crawler.policy.urls import ORDINARY, UNLIMITED, UrlRules

_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):")
_PORT = re.compile(r"\d{1,5}(?:[/?#]|$)")


class Seed(msgspec.Struct, frozen=True):
    """One line that is neither blank nor a comment.

    line: its number, from 1. text: as written, stripped. target: what it names.
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
    text = raw.strip().removeprefix("\ufeff").strip()
    if not text or text.startswith("#"):
        return None
    text = text.split(" #", 1)[0].split("\t#", 1)[0].rstrip()
    bare = is_bare(text)
    href = f"https://{text.removeprefix('//')}" if bare else text
    target, _ = urls.resolve(href, rules=rules)
    error = words.of(target.refusal).meaning if target.refusal else None
    if error is None and any(character.isspace() for character in text):
        error = "more than one word; write one address a line"
    kept = text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    return Seed(number, kept, target, bare and error is None, error)


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
