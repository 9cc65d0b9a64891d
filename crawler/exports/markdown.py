"""How do pages become Markdown, for people and for language models?

A file a page, with what is known of it in front (YAML), in folders as on the site, and a list of
them all; or one file with a JSON object a page. Bodies are read in processes that can be killed: a
page that takes too long or too much is told, and those beside it are there.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from crawler import plain
from crawler.channels.bodies import in_chunks
from crawler.channels.readers import Packed, Read, read_all
from crawler.exports.format import Export, Written
from crawler.parse.isolated import limit_memory
from crawler.parse.markdown import MAX_BYTES, Markdown, read_markdown
from crawler.policy.file_names import file_of
from crawler.store import answers

LIST: Final = "pages.jsonl"
SUFFIX: Final = ".md"
_TOLD: Final = ("url", "title", "description", "lang", "canonical", "document_at")
_PAGES: Final = """
    SELECT {told}, bodies.id, bodies.charset, length(bodies.body)
    FROM (
{chosen}
    ) AS chosen
    JOIN bodies ON bodies.id = chosen.body_id
    WHERE bodies.content_type IN ('text/html', 'application/xhtml+xml')
        AND bodies.body IS NOT NULL
        AND {stands}
"""
_OTHERS: Final = """
    SELECT
        count(CASE WHEN NOT {stands} THEN 1 END),
        count(CASE WHEN {stands} THEN 1 END)
    FROM (
{chosen}
    ) AS chosen
    LEFT JOIN bodies ON bodies.id = chosen.body_id
    WHERE bodies.body IS NULL
        OR bodies.content_type NOT IN ('text/html', 'application/xhtml+xml')
        OR NOT {stands}
"""
_UNPRINTED: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""What JSON leaves as it is, and YAML has to have escaped (YAML 1.2.2, 5.1 and 5.4)."""

About = dict[str, Any]
"""What is known of a page, besides its text."""
_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode


def write(export: Export, out: Any) -> Written:
    """Write all pages into a folder, or into a stream of JSON lines."""
    keep = _into_stream(out) if export.options["jsonl"] else _into_folder(out)
    seen: Counter[str] = Counter()
    for about, read in export.counted(_pages(export), _count(export)):
        error = read.error or ("cut" if read.found and read.found.cut else None)
        keep(about | ({"error": error} if error else {}), read.found)
        seen[error or ""] += 1
    return Written(seen.total(), "page", tuple(_remarks(seen, *_others(export))))


def _pages(export: Export) -> Iterator[tuple[About, Read[Markdown]]]:
    """Each page with its Markdown, in the order in which they are ready."""
    told = ", ".join(f"chosen.{name}" for name in _TOLD)
    asked = _asked(export, _PAGES, told)
    waiting: dict[int, About] = {}

    def wanted() -> Iterator[tuple[Any, ...]]:
        for number, (*values, body_id, charset, size) in enumerate(asked, 1):
            waiting[number] = dict(zip(_TOLD, values, strict=True))
            yield body_id, charset, size, number, waiting[number]["url"]

    chunks = in_chunks(export.moment.connection, wanted())
    processes = len(os.sched_getaffinity(0))
    for chunk in read_all(chunks, _look(), Markdown, processes=processes):
        for read in chunk:
            yield waiting.pop(read.number), read


def _look() -> Callable[[bytes, Packed], Markdown]:
    limited = False

    def look(body: bytes, packed: Packed) -> Markdown:
        nonlocal limited
        if not limited:  # of the process that this runs in
            limit_memory()
            limited = True
        return read_markdown(body, packed.charset, packed.url)

    return look


def _asked(export: Export, sql: str, told: str = "1") -> Iterator[tuple[Any, ...]]:
    selection = export.select()
    stands = answers.stands("chosen", is_document=export.choice.run is None)
    asked = sql.format(told=told, chosen=selection.sql, stands=stands)
    return iter(export.moment.connection.execute(asked, selection.values))


def _count(export: Export) -> int:
    [count] = next(_asked(export, f"SELECT count(*) FROM ({_PAGES})"))
    return int(count)


def _others(export: Export) -> tuple[int, int]:
    """How many are left out: answers that are no pages, and pages of which there is no HTML."""
    [gone, without] = next(_asked(export, _OTHERS))
    return gone, without


def _into_stream(out: BinaryIO) -> Callable[[About, Markdown | None], None]:
    def keep(about: About, found: Markdown | None) -> None:
        row = about | {"markdown": found and found.text}
        out.write(f"{_encode(row)}\n".encode("utf-8", "replace"))

    return keep


def _into_folder(out: Path) -> Callable[[About, Markdown | None], None]:
    def keep(about: About, found: Markdown | None) -> None:
        file = None if found is None else file_of(about["url"], SUFFIX)
        if file is not None and found is not None:
            place = out / file
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("xb") as stream:
                stream.write((_front(about) + found.text).encode("utf-8", "replace"))
        with (out / LIST).open("ab") as stream:
            stream.write(f"{_encode({'file': file} | about)}\n".encode("utf-8", "replace"))

    return keep


def _front(about: About) -> str:
    """What is known, as YAML, of which JSON's texts are a part."""
    known = [f"{name}: {_yaml(value)}" for name, value in about.items() if value is not None]
    return "\n".join(["---", *known, "---", "", ""])


def _yaml(value: object) -> str:
    return _UNPRINTED.sub(lambda found: f"\\u{ord(found[0]):04x}", _encode(value))


def _remarks(seen: Counter[str], gone: int, without: int) -> Iterator[str]:
    if gone:
        yield f"Left out: {plain.count(gone, 'page')} that answered with an error or a redirect"
    if without:
        yield f"Left out: {plain.count(without, 'page')} without a stored HTML body"
    if seen["cut"]:
        cut = plain.count(seen["cut"], "page")
        yield f"{cut} longer than {MAX_BYTES >> 20} MiB; the list tells which"
    for error in sorted(seen.keys() - {"", "cut"}):
        unread = plain.count(seen[error], "page")
        yield f"{unread} could not be read ({error}); the list tells which"
