"""Which media type do the headers of an answer name?

https://fetch.spec.whatwg.org/#concept-header-extract-mime-type and
https://mimesniff.spec.whatwg.org/#parsing-a-mime-type, which browsers share.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

_SPACE = " \t\r\n"
_TOKEN = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII)
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)(?:"|\\?$)', re.DOTALL)
_PARTS = re.compile(r'[^",]+|"(?:[^"\\]|\\.)*(?:"|\\?$)|,', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class MediaType(NamedTuple):
    """A media type: `essence` is ``type/subtype``, both it and names of parameters lower case."""

    essence: str
    parameters: Mapping[str, str]


def extracted(values: Iterable[str]) -> MediaType | None:
    """What all Content-Type headers of an answer mean together; None where none is a type.

    The last type counts; the charset of one before it holds as long as the type stays the same.
    """
    return _extracted(", ".join(values))


@lru_cache(maxsize=256)
def _extracted(joined: str) -> MediaType | None:
    found: MediaType | None = None
    for value in _split(joined):
        read = parsed(value)
        if read is None or read.essence == "*/*":
            continue
        if found and found.essence == read.essence and "charset" in found.parameters:
            charset = read.parameters.get("charset", found.parameters["charset"])
            read = MediaType(read.essence, {**read.parameters, "charset": charset})
        found = read
    return found


def parsed(text: str) -> MediaType | None:
    """One media type; None where the text is none."""
    essence, _, rest = text.strip(_SPACE).partition(";")
    kind, slash, subtype = essence.rstrip(_SPACE).partition("/")
    if not (slash and _TOKEN.fullmatch(kind) and _TOKEN.fullmatch(subtype)):
        return None
    return MediaType(f"{kind}/{subtype}".lower(), _parameters(rest))


def _parameters(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        end = next((here for here in range(at, len(text)) if text[here] in ";="), len(text))
        name = text[at:end].lstrip(_SPACE).lower()
        at = end + 1
        if end == len(text) or text[end] == ";":
            continue
        value, at = _value(text, at)
        if value is not None and _TOKEN.fullmatch(name) and _VALUE.fullmatch(value):
            found.setdefault(name, value)
    return found


def _value(text: str, at: int) -> tuple[str | None, int]:
    """The value of a parameter that begins at an index, and the index behind its semicolon.

    An empty one is none; what stands between the end of a quoted one and the semicolon is nothing.
    """
    quoted = _QUOTED.match(text, at)
    end = text.find(";", quoted.end() if quoted else at)
    end = len(text) if end < 0 else end
    value = _ESCAPED.sub(r"\1", quoted[1]) if quoted else text[at:end].rstrip(_SPACE) or None
    return value, end + 1


def _split(text: str) -> Iterator[str]:
    """At commas that stand in no quotes."""
    value = ""
    for part in _PARTS.findall(text):
        if part == ",":
            yield value.strip(" \t")
            value = ""
        else:
            value += part
    yield value.strip(" \t")
