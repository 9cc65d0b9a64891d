"""How does a crawl become a folder that is read without a server?

Every page and every part of pages that is held is a file; its addresses lead to files where there
are such, and out to the web where there are none. Two passes: first every file gets its name, then
each is written, one at a time, so that memory is flat.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator
from contextlib import closing
from html import escape
from pathlib import Path
from typing import Any, Final, NamedTuple, TextIO

import msgspec

from crawler import plain
from crawler.config import Config
from crawler.exports import relinked
from crawler.exports.format import Export, Written
from crawler.exports.names import marked, proposed
from crawler.parse.charset import decode, decode_styles
from crawler.parse.markup import Tag, tags
from crawler.parse.sniff import HTML_TYPES
from crawler.parse.styles import CSS_TYPE
from crawler.parse.targets import Targets
from crawler.policy.urls import UrlRules
from crawler.store.answers import stands
from crawler.store.database import Connection, scratch
from crawler.store.packing import unpacked
from crawler.store.views import VIEWS

INDEX: Final = "index.html"
MANIFEST: Final = "manifest.jsonl"
MARK_LETTERS: Final = 8
MOST_HOPS: Final = 20
MOST_LISTED: Final = 2_000
"""Pages that stand in the index; the manifest has all."""
BOM: Final = b"\xef\xbb\xbf"
"""Before all else by which a browser knows UTF-8, whatever a page says of itself."""


class File(NamedTuple):
    """What becomes a file."""

    hash: int
    url: str
    body_id: int
    content_type: str
    charset: str
    is_page: int
    status: int
    title: str | None
    document_at: str
    partial: str | None
    is_shown: int


class Names:
    """The name of each file, by the identity of its URL; where redirects lead, too."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        for statement in SCHEMA:
            connection.execute(statement)
        self._claim(INDEX, is_folder=False)
        self._claim(MANIFEST, is_folder=False)
        self._claim("crawler-export.json", is_folder=False)

    def add(self, number: int, url: str, content_type: str) -> str:
        """Give a file its name."""
        mark = f"{number:016x}"
        wanted = proposed(url, mark[:MARK_LETTERS], content_type)
        folder, _, name = wanted.rpartition("/")
        folder = self._folder(folder)
        made, tried = f"{folder}/{name}", 0
        while not self._claim(made, is_folder=False):
            tried += 1  # a site may call its pages like files that we mark
            made = f"{folder}/{marked(name, f'{mark}-{tried}' if tried > 1 else mark)}"
        self._connection.execute("INSERT OR REPLACE INTO files VALUES (?, ?)", (number, made))
        return made

    def lead_on(self, number: int, to: int) -> None:
        """This URL redirects to that one."""
        self._connection.execute("INSERT OR REPLACE INTO hops VALUES (?, ?)", (number, to))

    def of(self, number: int) -> str | None:
        """The file of a URL, at once or where it redirects."""
        for _ in range(MOST_HOPS):
            found = self._connection.execute(FILE, (number,)).fetchone()
            if found is not None:
                return str(found[0])
            hop = self._connection.execute(HOP, (number,)).fetchone()
            if hop is None:
                return None
            number = hop[0]
        return None

    def _folder(self, path: str) -> str:
        """The folder of this name, or of one near it where a file has that."""
        made = ""
        for part in path.split("/"):
            here = f"{made}/{part}" if made else part
            while not self._claim(here, is_folder=True):
                here += "_"
            made = here
        return made

    def _claim(self, path: str, *, is_folder: bool) -> bool:
        """Is nothing else called so, on a system that tells no large letters from small ones?"""
        claimed = self._connection.execute(CLAIM, (path.lower(), is_folder)).rowcount
        if claimed or not is_folder:
            return bool(claimed)
        found = self._connection.execute(CLAIMED, (path.lower(),)).fetchone()
        return bool(found[0])


def write(export: Export, out: Path) -> Written:
    """Fill the folder."""
    with closing(scratch()) as place:
        names = Names(place)
        rules = UrlRules.of(_config(export))
        whole = _name_all(export, names)
        pages = 0
        with (out / MANIFEST).open("w", encoding="utf-8") as manifest:
            for file in export.counted(_files(export), whole):
                made = names.of(file.hash)
                assert made is not None  # it has got its name
                _write_file(out / made, _rewritten(export, file, made, names, rules))
                _note(manifest, file, made)
                pages += file.is_page
        _write_index(export, out / INDEX, names, whole, pages)
    return Written(whole, "file", tuple(_remarks(export, whole, pages)))


def _name_all(export: Export, names: Names) -> int:
    count = 0
    for file in _files(export):
        names.add(file.hash, file.url, file.content_type)
        count += 1
    for number, to in export.moment.connection.execute(REDIRECTS):
        names.lead_on(number, to)
    return count


def _files(export: Export) -> Iterator[File]:
    pages = export.moment.subquery("pages", export.choice.where)
    [knows] = export.moment.connection.execute(KNOWS_RENDERING).fetchone()
    asked = FILES.format(pages=pages, is_shown="pages.rendered" if knows else "0")
    for row in export.moment.connection.execute(asked):
        yield File._make(row)


def _config(export: Export) -> Config:
    """The settings of the last run, by which its addresses were read."""
    row = export.moment.connection.execute(LAST_CONFIG).fetchone()
    try:
        return msgspec.json.decode(row[0], type=Config, strict=False) if row else Config()
    except msgspec.ValidationError:  # of a newer version, perhaps
        return Config()


def _rewritten(export: Export, file: File, made: str, names: Names, rules: UrlRules) -> bytes:
    """The bytes of a file."""
    packed, size = export.moment.connection.execute(BODY, (file.body_id,)).fetchone()
    body = unpacked(packed, size, file.body_id)
    if file.content_type in HTML_TYPES:
        text = decode(body, file.charset or None).data.decode()
        is_xml = file.content_type != "text/html"
        base = _base(text)
        lead = _Leads(file, made, names, rules, base)
        page = relinked.page(text, lead.to, is_xml=is_xml, as_shown=bool(file.is_shown))
        return BOM + page.encode("utf-8", "replace")
    if file.content_type == CSS_TYPE:
        text = decode_styles(body, file.charset or None).data.decode()
        lead = _Leads(file, made, names, rules, None)
        return BOM + relinked.sheet(text, lead.to).encode("utf-8", "replace")
    return body


def _base(text: str) -> str | None:
    """The first base of a page, as written."""
    if re.search("<base", text, re.IGNORECASE) is None:
        return None
    bases = (tag.attributes["href"] for tag in tags(text) if _is_base(tag))
    return next((base.value for base in bases), None)


def _is_base(tag: Tag) -> bool:
    return tag.name == "base" and "href" in tag.attributes


class _Leads:
    """Where the addresses of one file lead from there."""

    def __init__(
        self, file: File, made: str, names: Names, rules: UrlRules, base: str | None
    ) -> None:
        self._folder = posixpath.dirname(made)
        self._names = names
        stands_on = Targets(file.url, rules)
        if base is not None:
            target = stands_on.found[stands_on.place(base)[0]]
            base = None if target.refusal else target.url
        self._has_base = base is not None
        self._targets = Targets(base or file.url, rules, file.charset or "utf-8")
        self._known: dict[int, str] = {}

    def to(self, href: str) -> str | None:
        """What to write in its place; None to leave it."""
        text = href.strip(" \t\n\f\r")
        if (not text or text.startswith("#")) and not self._has_base:
            return None
        index, fragment = self._targets.place(href)
        target = self._targets.found[index]
        if target.refusal is not None:
            return None
        there = self._known.get(index)
        if there is None:
            made = self._names.of(target.hash)
            there = target.url if made is None else posixpath.relpath(made, self._folder)
            self._known[index] = there
        return there if fragment is None else f"{there}#{fragment}"


def _write_file(place: Path, data: bytes) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)


def _note(manifest: TextIO, file: File, made: str) -> None:
    told = {
        "file": made, "url": file.url, "content_type": file.content_type, "status": file.status,
        "fetched_at": file.document_at, "partial": file.partial,
    }  # fmt: skip
    manifest.write(json.dumps(told, ensure_ascii=False) + "\n")


def _remarks(export: Export, whole: int, pages: int) -> Iterator[str]:
    if whole == pages and pages:
        yield ("No images and no styles are kept: crawl with --assets fetch --new-only, then again")
    lost = export.moment.connection.execute(WITHOUT_BODY).fetchone()[0]
    if lost:
        left_out = plain.count(lost, "page")
        yield f"Left out: {left_out} without a body in the file (store.bodies, or host_cap)"


def _write_index(export: Export, place: Path, names: Names, whole: int, pages: int) -> None:
    connection = export.moment.connection
    seeds = _entries(connection.execute(SEEDS).fetchall(), names)
    listed = _entries(connection.execute(LISTED, (MOST_LISTED,)).fetchall(), names)
    more = f"<p>And more: {escape(MANIFEST)} has all of them.</p>" if pages > len(listed) else ""
    place.write_text(
        PAGE.format(
            when=escape(export.now.strftime("%Y-%m-%d %H:%M UTC")),
            whole=f"{whole:,}",
            pages=f"{pages:,}",
            manifest=MANIFEST,
            seeds="\n".join(seeds),
            listed="\n".join(listed),
            more=more,
        ),
        encoding="utf-8",
    )


def _entries(rows: list[tuple[Any, ...]], names: Names) -> list[str]:
    found = []
    for number, url, title in rows:
        made = names.of(number)
        if made is not None:
            name = escape(title or url)
            found.append(f'<li><a href="{escape(made)}">{name}</a> <small>{escape(url)}</small>')
    return found


SCHEMA: Final = (
    "CREATE TABLE names (folded TEXT PRIMARY KEY, is_folder INTEGER) WITHOUT ROWID",
    "CREATE TABLE files (hash INTEGER PRIMARY KEY, file TEXT NOT NULL)",
    "CREATE TABLE hops (hash INTEGER PRIMARY KEY, to_hash INTEGER NOT NULL)",
)
CLAIM: Final = "INSERT OR IGNORE INTO names VALUES (?, ?)"
CLAIMED: Final = "SELECT is_folder FROM names WHERE folded = ?"
FILE: Final = "SELECT file FROM files WHERE hash = ?"
HOP: Final = "SELECT to_hash FROM hops WHERE hash = ?"
BODY: Final = "SELECT body, body_bytes FROM bodies WHERE id = ?"
LAST_CONFIG: Final = "SELECT config FROM runs ORDER BY id DESC LIMIT 1"

KNOWS_RENDERING: Final = """
    SELECT count(*)
    FROM pragma_table_info('pages')
    WHERE name = 'rendered'
"""
"""An older file may be open for reading only."""

FILES: Final = f"""
    WITH assets AS (
        {VIEWS["assets"]}
    )
    SELECT urls.hash, urls.url, bodies.id, bodies.content_type, bodies.charset, 1,
        pages.document_status, pages.title, pages.document_at, pages.partial, {{is_shown}}
    FROM {{pages}} AS pages
    JOIN urls ON urls.id = pages.id
    JOIN bodies ON bodies.id = pages.body_id
    WHERE bodies.body IS NOT NULL
        AND {stands("pages", is_document=True)}
    UNION ALL
    SELECT urls.hash, urls.url, bodies.id, bodies.content_type, bodies.charset, 0,
        200, NULL, assets.document_at, assets.truncated, 0
    FROM assets
    JOIN urls ON urls.id = assets.id
    JOIN bodies ON bodies.id = assets.body_id
    WHERE bodies.body IS NOT NULL
        AND {stands("assets")}
"""
"""What is there. An older file has not got the view, but what it reads."""

REDIRECTS: Final = """
    SELECT urls.hash, target.hash
    FROM visits
    JOIN urls ON urls.id = visits.url_id
    JOIN urls AS target ON target.id = visits.redirect_to_id
    WHERE visits.redirect_to_id IS NOT NULL
        AND visits.kind NOT IN ('robots', 'login')
        AND visits.id = (SELECT max(id) FROM visits AS last WHERE last.url_id = visits.url_id)
"""

WITHOUT_BODY: Final = f"""
    SELECT count(*)
    FROM pages
    LEFT JOIN bodies ON bodies.id = pages.body_id
    WHERE {stands("pages", is_document=True)}
        AND pages.body_bytes > 0
        AND bodies.body IS NULL
"""

SEEDS: Final = """
    SELECT urls.hash, urls.url, pages.title
    FROM seeds
    JOIN urls ON urls.id = seeds.url_id
    LEFT JOIN pages ON pages.id = urls.id
    WHERE seeds.run_id = (SELECT max(id) FROM runs)
    GROUP BY urls.id
    ORDER BY min(seeds.line)
"""

LISTED: Final = f"""
    SELECT urls.hash, pages.url, pages.title
    FROM pages
    JOIN urls ON urls.id = pages.id
    WHERE {stands("pages", is_document=True)}
        AND pages.content_type IN ('text/html', 'application/xhtml+xml')
    ORDER BY pages.depth, pages.id
    LIMIT ?
"""

PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>A crawl to be read without a server</title>
<style>body {{ font: 16px/1.5 sans-serif; margin: 2em auto; max-width: 60em; padding: 0 1em }}
small {{ color: #595959; overflow-wrap: anywhere }}</style>
</head>
<body>
<h1>A crawl to be read without a server</h1>
<p>{pages} pages in {whole} files, made on {when}. <a href="{manifest}">{manifest}</a> tells of
which URL each file is.</p>
<h2>Where it began</h2>
<ul>
{seeds}
</ul>
<h2>Pages</h2>
<ul>
{listed}
</ul>
{more}
</body>
</html>
"""
