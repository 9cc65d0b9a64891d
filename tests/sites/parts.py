"""What do these pages need to look right, knowing nothing of the crawler?

A second opinion as `walk` is: the standard library reads pages, tinycss2 reads style sheets.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

import tinycss2

from tests.sites.walk import TIMEOUT_S, resolve

SOURCES = frozenset({"img", "script", "source", "video", "audio", "track", "embed", "input"})
RELS = frozenset({"stylesheet", "icon", "preload", "modulepreload"})


def parts(pages: Iterable[str]) -> dict[str, int]:
    """All that these pages of one origin need of it, with what each part answered."""
    found: dict[str, int] = {}
    connection: http.client.HTTPConnection | None = None
    waiting = list(pages)
    while waiting:
        url = waiting.pop()
        connection = connection or http.client.HTTPConnection(
            urlsplit(url).netloc, timeout=TIMEOUT_S
        )
        connection.request("GET", url[url.index("/", 8) :])
        reply = connection.getresponse()
        kind, text = reply.getheader("Content-Type", ""), reply.read().decode("utf-8", "replace")
        if url in found:
            found[url] = reply.status
        named = _in_page(text) if kind.startswith("text/html") and url not in found else ()
        if kind.startswith("text/css"):
            named = _in_rules(tinycss2.parse_stylesheet(text))
        for href in named:
            target = resolve(url, href)
            if target is not None and target not in found:
                found[target] = 0
                waiting.append(target)
    return found


def _in_page(text: str) -> list[str]:
    reader = _Reader()
    reader.feed(text)
    return reader.found


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        if tag in SOURCES and has.get("src"):
            self.found.append(has["src"])
        if tag == "link" and RELS.intersection(has.get("rel", "").lower().split()):
            self.found.append(has.get("href", ""))
        self.found += [one.split()[0] for one in has.get("srcset", "").split(",") if one.strip()]
        self.found += [has[name] for name in ("poster", "background") if has.get(name)]
        if tag == "object" and has.get("data"):
            self.found.append(has["data"])
        self.found += _in_tokens(tinycss2.parse_component_value_list(has.get("style", "")))
        self._style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._style = False

    def handle_data(self, data: str) -> None:
        if self._style:
            self.found += _in_rules(tinycss2.parse_stylesheet(data))


def _in_rules(rules: Iterable[Any]) -> Iterator[str]:
    for rule in rules:
        if rule.type == "at-rule" and rule.lower_at_keyword == "import":
            yield from _in_tokens(rule.prelude, strings=True)
        yield from _in_tokens(getattr(rule, "content", None) or ())


def _in_tokens(tokens: Iterable[Any], *, strings: bool = False) -> Iterator[str]:
    for token in tokens:
        if token.type == "url" or (strings and token.type == "string"):
            yield token.value
        elif token.type == "function":
            yield from _in_tokens(token.arguments, strings=token.lower_name == "url")
        elif token.type.endswith(" block"):
            yield from _in_tokens(token.content)
