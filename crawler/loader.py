"""Which addresses does the person want crawled?"""

from __future__ import annotations

import codecs
import io
import itertools
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from gevent.socket import wait_read

from crawler.errors import UsageError
from crawler.policy import urls
from crawler.policy.seeds import Seed, read_line
from crawler.policy.urls import ORDINARY, UrlRules

STDIN = "-"
CHUNK_BYTES = 64 * 1024
LOOKED_AT_BYTES = 8 * 1024
"""So much of the beginning tells whether this is text at all."""
MAX_LINE = 64 * 1024
"""Characters of a line; a longer one is cut, and an error."""
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_seeds(source: str, *, rules: UrlRules = ORDINARY) -> Iterator[Seed]:
    """The seeds of a file, or of the standard input for ``-``, read as they are asked for.

    Never holds more than a line and a chunk. Raises UsageError before it returns when there is no
    such file, when it is not text, or when not one line of it is a seed.
    """
    name = _name(source)
    chunks = _chunks(_open(source), name)
    seeds = _seeds(_lines(_text(chunks, name)), rules)
    for first in seeds:
        return itertools.chain([first], seeds)
    raise UsageError(f"{name}: no seeds in it; write one address a line")


def _open(source: str) -> int:
    """A descriptor to read from."""
    try:
        if source == STDIN:
            return os.dup(0)
        return os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise UsageError(f"{source}: no such file; {_file_hint(source)}") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{_name(source)}: cannot be read: {_why(error)}") from None


def _name(source: str) -> str:
    return "standard input" if source == STDIN else source


def _file_hint(source: str) -> str:
    if source.startswith(("http:", "https:")) or not Path(source).suffix:
        return "for an address: echo ADDRESS | crawler crawl -"
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


def _text(chunks: Iterator[bytes], name: str) -> Iterator[str]:
    """Decoded, every kind of line end as ``\\n``."""
    decoder = io.IncrementalNewlineDecoder(
        codecs.getincrementaldecoder("utf-8-sig")("replace"), translate=True
    )
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


def _lines(texts: Iterator[str]) -> Iterator[str]:
    """Lines without their ends, of at most ``MAX_LINE + 1`` characters; the rest is dropped."""
    kept = ""
    for text in texts:
        *whole, rest = text.split("\n")
        for line in whole:
            yield (kept + line)[: MAX_LINE + 1]
            kept = ""
        kept = (kept + rest)[: MAX_LINE + 1]
    if kept:
        yield kept


def _seeds(lines: Iterator[str], rules: UrlRules) -> Iterator[Seed]:
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_LINE:
            seed = _overlong(number, line, rules)
        else:
            seed = read_line(number, line, rules=rules)
        if seed is not None:
            yield seed


def _overlong(number: int, line: str, rules: UrlRules) -> Seed | None:
    text = line.strip()
    if text.startswith("#"):
        return None
    target, _ = urls.resolve(text, rules=rules)
    kept = text.replace("\0", "\ufffd")
    return Seed(number, kept, target, False, f"the line is longer than {MAX_LINE:,} characters")
