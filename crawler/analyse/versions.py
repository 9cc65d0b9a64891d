"""What differs between two versions of a page?

Title, status, words and headers are in the file; links of a version are read again from its body,
in a process that can be killed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from crawler.channels.readers import Packed, read_all
from crawler.config import Config
from crawler.model import Job, Reply
from crawler.parse.dispatch import read
from crawler.policy.word_diff import Hunk, changed_words
from crawler.store.history import Compared, Difference, Version

PASSING: Final = frozenset({"date", "age", "expires", "set-cookie", "connection", "keep-alive"})
"""Headers that are others with every answer."""


class Links(msgspec.Struct, frozen=True, array_like=True):
    """What is read again of a body: its visible text, and where its links lead, with an anchor."""

    text: str | None
    links: dict[str, str]


NOTHING: Final = Links("", {})
"""Of a page that has never been there."""


def compare(url: str, older: Version, newer: Version, config: Config) -> Compared:
    """What differs from one version to the other."""
    unknown: list[str] = []
    differences = [
        *_value("status", _answer(older), _answer(newer)),
        *_value("redirect", older.redirect_to, newer.redirect_to),
        *_value("title", older.title, newer.title),
        *_value("canonical", older.canonical, newer.canonical),
    ]
    if older.body_id != newer.body_id:
        differences += _of_documents(url, older, newer, config, unknown)
    differences += _headers(older.headers, newer.headers)
    return Compared(older, newer, tuple(differences), tuple(unknown))


def _answer(version: Version) -> str | None:
    return str(version.status) if version.error is None else version.error


def _value(part: str, before: str | None, after: str | None) -> Iterator[Difference]:
    if (before or "") != (after or ""):
        yield Difference(part, _change(before, after), "", before or None, after or None)


def _change(before: object, after: object) -> str:
    return "changed" if before and after else "added" if after else "removed"


def _of_documents(
    url: str, older: Version, newer: Version, config: Config, unknown: list[str]
) -> list[Difference]:
    """Of text and links."""
    found = _read_again(url, (older, newer), config)
    old, new = (
        found.get(version.body_id) if version.body_id else NOTHING for version in (older, newer)
    )
    texts = [
        version.text if version.text is not None or again is None else again.text
        for version, again in ((older, old), (newer, new))
    ]
    differences = list(_text(texts[0], texts[1], older, newer, unknown))
    if old is None or new is None:
        unknown.extend(
            f"the links of run {version.run}: its body is not kept, or cannot be read"
            for version, again in ((older, old), (newer, new))
            if again is None
        )
        return differences
    return [*differences, *_links(old.links, new.links)]


def _text(
    before: str | None, after: str | None, older: Version, newer: Version, unknown: list[str]
) -> Iterator[Difference]:
    if older.text_hash == newer.text_hash:
        return
    for text, version in ((before, older), (after, newer)):
        if text is None and version.text_hash is not None:
            unknown.append(f"the text of run {version.run}: it is not kept")
            return
    for hunk in changed_words(before or "", after or ""):
        yield _of_hunk(hunk)


def _of_hunk(hunk: Hunk) -> Difference:
    return Difference(
        "text", _change(hunk.removed, hunk.added), str(hunk.word), hunk.removed or None,
        hunk.added or None, hunk.ahead, hunk.behind,
    )  # fmt: skip


def _links(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Difference]:
    for url in dict.fromkeys((*before, *after)):
        if url not in after:
            yield Difference("link", "removed", url, before[url], None)
        elif url not in before:
            yield Difference("link", "added", url, None, after[url])
        elif before[url] != after[url]:
            yield Difference("link", "changed", url, before[url], after[url])


def _headers(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Difference]:
    for name in sorted({*before, *after} - PASSING):
        old, new = _shown(before.get(name)), _shown(after.get(name))
        if old != new:
            yield Difference("header", _change(old, new), name, old, new)


def _shown(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _read_again(url: str, versions: Iterable[Version], config: Config) -> dict[int, Links]:
    """Text and links of bodies that are kept, by body id; one that cannot be read is left out."""
    held = {version.body_id: version for version in versions if version.body_id and version.body}

    def look(body: bytes, packed: Packed) -> Links:
        version = held[packed.number]
        document = read(Job(0, 0, url), Reply(200, headers=_headers_of(version), body=body), config)
        targets = [target.url for target in document.targets]
        anchors: dict[str, str] = {}
        for link in document.links:
            address = targets[link.target] + (f"#{link.fragment}" if link.fragment else "")
            anchors.setdefault(address, link.anchor or "")
        return Links(document.text, anchors)

    chunk = [
        Packed(number, version.charset, version.body or b"", url)
        for number, version in held.items()
    ]
    found = read_all([chunk] if chunk else [], look, Links, processes=1)
    return {one.number: one.found for part in found for one in part if one.found is not None}


def _headers_of(version: Version) -> tuple[tuple[str, str], ...]:
    """The headers that a document came with, and as what it was read then."""
    charset = f"; charset={version.charset}" if version.charset else ""
    sent = dict(version.headers) | {"content-type": f"{version.content_type}{charset}"}
    return tuple(
        (name, str(value))
        for name, values in sent.items()
        for value in (values if isinstance(values, list) else [values])
    )
