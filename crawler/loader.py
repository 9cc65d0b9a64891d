"""Which addresses does the person want crawled?"""

from __future__ import annotations

import codecs
import itertools
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePath

import gevent
from gevent.socket import wait_read

from crawler.errors import StorageError, UsageError
from crawler.policy import urls
from crawler.policy.seed_columns import (
    TABLES,
    Table,
    address_in,
    cells,
    is_address,
    is_open,
    table,
)
from crawler.policy.seeds import Seed, read_line
from crawler.policy.urls import ORDINARY, UrlRules
from crawler.store import queries

STDIN = "-"
CHUNK_BYTES = 16 * 1024
LOOKED_AT_BYTES = 8 * 1024
"""So much of the beginning tells whether this is text at all."""
LOOKED_AT_LINES = 100
"""So many tell whether it is a table."""
COMPARED = 20_000
"""Seeds of a file that are compared with an earlier crawl's."""
MAX_LINE = 64 * 1024
"""Characters of a line; a longer one is cut, and an error."""
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_LINE_END = re.compile(r"\r\n|\r|\n")
_NO_UTF8 = re.compile("[\udc80-\udcff]")
_WEB = re.compile(r"https?:", re.IGNORECASE)
_MARKUP = re.compile(rb"\x1f\x8b|(?:\xef\xbb\xbf)?\s*<[?!a-z]", re.IGNORECASE)
"""How a sitemap begins, packed or not; no address does."""


class Seeds:
    """The seeds of files, of the standard input and of addresses, one after the other.

    notices: what there is to tell of how they are read.
    """

    def __init__(self, parts: Iterable[Iterator[list[Seed]]], notices: list[str]) -> None:
        self._parts = itertools.chain.from_iterable(parts)
        self._ready: list[Seed] = []
        self._at = 0
        self.notices = notices

    def __iter__(self) -> Iterator[Seed]:
        return self

    def __next__(self) -> Seed:
        while self._at >= len(self._ready):
            self._ready, self._at = next(self._parts), 0
        self._at += 1
        return self._ready[self._at - 1]

    def beginning(self, most: int = 1) -> list[Seed]:
        """At least so many of the next seeds, where there are; they come all the same."""
        held = self._ready[self._at :]
        while len(held) < most and (more := next(self._parts, None)) is not None:
            held += more
        self._ready, self._at = held, 0
        return held


def is_url(source: str) -> bool:
    """Is it an address itself, rather than the name of a file?"""
    if _WEB.match(source):
        return True
    known = PurePath(source).suffix.lower() in {".txt", ".list", ".lst", ".log", *TABLES}
    return not known and is_address(source) and not Path(source).exists()


def read_seeds(*sources: str, rules: UrlRules = ORDINARY, patience_s: float | None = None) -> Seeds:
    """The seeds of files, of the standard input for ``-``, and of addresses, read as they are
    asked for.

    Never holds more than a line and a chunk. Raises UsageError before it returns when there is no
    such file, when it is not text, when not one line of it is a seed, or when none has come within
    patience_s; an address among the sources has to be one that can be crawled.
    """
    notices: list[str] = []
    parts = [
        iter([[_given(number, source, rules)]])
        if is_url(source)
        else _Source(source, rules, notices).open(patience_s)
        for number, source in enumerate(sources, 1)
    ]
    return Seeds(parts, notices)


def default_database(sources: Sequence[str], folder: Path) -> Path:
    """Where a crawl of these goes: named by the first file, or by the host of the first address."""
    first = sources[0]
    if first == STDIN:
        name = "stdin"
    elif is_url(first):
        seed = read_line(1, first)
        name = urls.host_of(seed.target.origin).strip("[]") if seed else ""
    else:
        name = Path(first).stem
    return folder / f"{name}.db"


def refuse_to_mix(path: Path, sources: Sequence[str], seeds: Seeds) -> None:
    """A database that was named by default must not take in another list's crawl unasked.

    Raises UsageError where it was made from other sources and no seed is shared.
    """
    if not path.exists():
        return
    try:
        with queries.reading(path) as connection:
            earlier = queries.seeds_files(connection)
            if not earlier or any(map(partial(_is_same, sources), earlier)):
                return
            most = 1 if STDIN in sources else COMPARED
            if queries.has_seed(connection, (seed.target.hash for seed in seeds.beginning(most))):
                return
    except StorageError:  # the crawl itself says more of it
        return
    origin = "the standard input" if earlier[0] == STDIN else earlier[0]
    raise UsageError(
        f"{path}: holds a crawl of other seeds, from {origin}; name another file: "
        "--db data/other.db, or DB=data/other.db for make"
    )


def _is_same(sources: Sequence[str], earlier: str) -> bool:
    """Whether the same file was read before, or addresses of the same host."""
    known = earlier.split(" ")
    if all(map(is_url, sources)) and all(map(is_url, known)):
        return True
    return any(
        STDIN not in (source, other) and Path(source).resolve() == Path(other).resolve()
        for source in sources
        for other in (earlier, *known)
    )


def _given(number: int, source: str, rules: UrlRules) -> Seed:
    """An address on the command line."""
    seed = read_line(number, source, rules=rules)
    if seed is None:
        raise UsageError(f"{source}: not an address")
    if seed.error is not None:
        raise UsageError(f"{seed.text}: {seed.error}")
    return seed


class _Source:
    """One file, or the standard input."""

    def __init__(self, source: str, rules: UrlRules, notices: list[str]) -> None:
        self._source = source
        self._name = "standard input" if source == STDIN else source
        self._rules = rules
        self._notices = notices
        self._number = 0
        self._table: Table | None = None
        self._row: list[str] = []
        self._row_length = 0
        self._rows = 0
        self._width: int | None = None

    def open(self, patience_s: float | None) -> Iterator[list[Seed]]:
        """Its seeds, chunk by chunk."""
        seeds = self._found(_chunks(self._descriptor(), self._name))
        late = UsageError(f"{self._name}: no address came within {patience_s or 0:g} s")
        with gevent.Timeout(patience_s or None, late):
            for first in seeds:
                return itertools.chain([first], seeds)
        raise UsageError(f"{self._name}: no seeds in it; write one address a line")

    def _descriptor(self) -> int:
        try:
            if self._source == STDIN:
                return os.dup(0)
            # A pipe that nobody writes to yet must not hold the whole process.
            return os.open(self._source, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            raise UsageError(f"{self._source}: no such file; {_hint(self._source)}") from None
        except (OSError, ValueError) as error:
            raise UsageError(f"{self._name}: cannot be read: {_why(error)}") from None

    def _found(self, chunks: Iterator[bytes]) -> Iterator[list[Seed]]:
        first = next(chunks, b"")
        chunks = itertools.chain([first], chunks)
        if _MARKUP.match(first):
            yield from self._listed(chunks)
        else:
            yield from self._seeds(_lines(_text(chunks, self._name)))

    def _listed(self, chunks: Iterator[bytes]) -> Iterator[list[Seed]]:
        """Those of a sitemap, or of another list in XML, as a whole."""
        from crawler.parse import charset, sitemaps, xml_lists  # for those who have such a list

        packed = b"".join(_at_most(chunks, sitemaps.MAX_UNPACKED_BYTES, self._name))
        body, _ = sitemaps.unpack(packed)
        listed, _ = xml_lists.entries(charset.decode(body).data, sitemaps.MAX_ENTRIES)
        if not listed:
            raise UsageError(f"{self._name}: lists no addresses; write one address a line")
        if len(listed) > sitemaps.MAX_ENTRIES:
            self._notices.append(f"{self._name}: only its first 50,000 addresses are read")
        self._notices.append(f"{self._name} is a sitemap or feed: its addresses are the seeds")
        read = (
            read_line(number, entry.href, rules=self._rules)
            for number, entry in enumerate(listed[: sitemaps.MAX_ENTRIES], 1)
        )
        yield [seed for seed in read if seed is not None]

    def _seeds(self, chunks: Iterator[list[str]]) -> Iterator[list[Seed]]:
        """Lists that are not empty."""
        for at, lines in enumerate(chunks):
            if at == 0:
                self._look(lines)
            found = [seed for line in lines for seed in self._of_line(line)]
            if found:
                yield found
        if self._row and self._table is not None:  # its last quote is never closed
            yield from filter(None, [list(self._alone(self._table))])

    def _look(self, lines: list[str]) -> None:
        """Is it a table?"""
        self._table = table(self._source, lines[:LOOKED_AT_LINES])
        if self._table is not None:
            self._notices.append(f"{self._name} is {self._table.told}")
        elif PurePath(self._source).suffix.lower() in TABLES:
            raise UsageError(
                f"{self._name}: no column of it holds addresses; write one address a line"
            )

    def _of_line(self, line: str) -> Iterator[Seed]:
        """The seeds that are known now that this line is, none for most lines without one."""
        self._number += 1
        if self._table is not None and len(line) <= MAX_LINE:
            yield from self._of_row(line, self._table)
            return
        read = _overlong if len(line) > MAX_LINE else read_line
        seed = read(self._number, line, rules=self._rules)
        if seed is not None:
            yield seed

    def _of_row(self, line: str, table: Table) -> Iterator[Seed]:
        """The address in a row; cells in quotes may go over several lines."""
        if not self._row and (not line.strip() or line.startswith("#")):
            return
        self._row.append(line)
        self._row_length += len(line) + 1
        if is_open(line, table.delimiter, within=len(self._row) > 1):
            if self._row_length >= MAX_LINE:  # nobody's cell is so long: the quote was no quote
                yield from self._alone(table)
            return
        seed = self._read_row("\n".join(self._row), self._number, table)
        self._row, self._row_length = [], 0
        if seed is not None:
            yield seed

    def _alone(self, table: Table) -> Iterator[Seed]:
        """What is held of a row that does not end, each line as a row of its own."""
        first = self._number + 1 - len(self._row)
        rows, self._row, self._row_length = self._row, [], 0
        for number, line in enumerate(rows, first):
            seed = self._read_row(line, number, table)
            if seed is not None:
                yield seed

    def _read_row(self, row: str, number: int, table: Table) -> Seed | None:
        self._rows += 1
        if self._rows == 1 and table.title is not None:
            self._width = len(cells(row, table.delimiter))
            return None
        text = address_in(row, table, self._width)
        return read_line(number, text, rules=self._rules)


def _hint(source: str) -> str:
    if not Path(source).suffix:
        return "for an address write http:// or https:// before it"
    return "write one address a line into it; config/seeds.txt is an example"


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _chunks(descriptor: int, name: str) -> Iterator[bytes]:
    """What the descriptor gives; nobody else waits while it gives nothing."""
    try:
        patient = not stat.S_ISREG(os.fstat(descriptor).st_mode)
        while True:
            if patient:
                wait_read(descriptor)
            chunk = os.read(descriptor, CHUNK_BYTES)
            if not chunk:
                return
            yield chunk
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {_why(error)}") from None
    finally:
        os.close(descriptor)


def _at_most(chunks: Iterator[bytes], most: int, name: str) -> Iterator[bytes]:
    for chunk in chunks:
        most -= len(chunk)
        if most < 0:
            raise UsageError(f"{name}: is larger than a sitemap can be (50 MiB)")
        yield chunk


def _text(chunks: Iterator[bytes], name: str) -> Iterator[str]:
    """Decoded; bytes that are no UTF-8 stand for themselves (PEP 383)."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape")
    looked_at = b""
    for chunk in chunks:
        if len(looked_at) < LOOKED_AT_BYTES:
            looked_at = (looked_at + chunk)[:LOOKED_AT_BYTES]
            _refuse_binary(looked_at, name)
        yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)


def _refuse_binary(beginning: bytes, name: str) -> None:
    if beginning.startswith(UTF16):
        raise UsageError(f"{name}: is UTF-16 text; save it as UTF-8")
    if b"\0" in beginning:
        raise UsageError(f"{name}: is not a text file; write one address a line")


def _lines(texts: Iterator[str]) -> Iterator[list[str]]:
    """The lines of each chunk without their ends, each of at most ``MAX_LINE + 1`` characters; the
    rest is dropped."""
    kept = ""
    for text in texts:
        held = kept + text
        # The other half of a line end may still come.
        cut = held[:-1] if held.endswith("\r") else held
        *whole, rest = _LINE_END.split(cut)
        kept = rest[: MAX_LINE + 1] + held[len(cut) :]
        yield [_mended(line[: MAX_LINE + 1]) for line in whole]
    if kept:
        yield [_mended(line) for line in _LINE_END.split(kept)]


def _mended(line: str) -> str:
    """A line that is no UTF-8 is most likely windows-1252, as Latin-1 is called today."""
    if not _NO_UTF8.search(line):
        return line
    return line.encode("utf-8", "surrogateescape").decode("windows-1252", "replace")


def _overlong(number: int, line: str, *, rules: UrlRules) -> Seed | None:
    text = line.strip()
    if text.startswith("#"):
        return None
    target, _ = urls.resolve(text, rules=rules)
    kept = text.replace("\0", "\ufffd")
    return Seed(number, kept, target, False, f"the line is longer than {MAX_LINE:,} characters")
