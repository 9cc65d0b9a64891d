"""What does a page tell machines in their own words?

JSON-LD is kept item by item; of microdata and RDFa the types.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final, NoReturn

from lxml import etree

from crawler.parse.text import fold

_MAX_DATA: Final = 16 * 1024
_MAX_ITEMS: Final = 200
_MAX_TYPE: Final = 500
_DATE: Final = re.compile(r"\s*(\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))(?!\d)")
_DATES: Final = ("dateModified", "datePublished")

Row = tuple[object, ...]


class StructuredData:
    """rows: position, syntax, type, context, error, data."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._blocks = 0
        self._invalid = 0
        self._microdata = 0
        self._rdfa = 0
        self._newest: str | None = None

    def values(self) -> dict[str, object]:
        """Columns of ``facts``."""
        return {
            "jsonld_blocks": self._blocks,
            "jsonld_invalid": self._invalid,
            "microdata": self._microdata,
            "rdfa": self._rdfa,
            "newest_date": self._newest,
        }

    def saw_date(self, text: object) -> None:
        """A date in the markup, if it is one of ISO 8601."""
        found = _DATE.match(text) if isinstance(text, str) else None
        if found and (self._newest is None or found[1] > self._newest):
            self._newest = found[1]

    def add_microdata(self, element: etree._Element) -> None:
        """An element with itemscope; those within others are properties."""
        self._microdata += 1
        if element.get("itemprop") is None:
            self._add("microdata", fold(element.get("itemtype", "")) or None)

    def add_rdfa(self, element: etree._Element) -> None:
        """An element with typeof."""
        self._rdfa += 1
        self._add("rdfa", fold(element.get("typeof", "")) or None)

    def add_jsonld(self, text: str) -> None:
        """A script of type application/ld+json."""
        self._blocks += 1
        try:
            items = list(_items(json.loads(text, parse_constant=_refuse), None))
        except (ValueError, RecursionError) as error:
            self._invalid += 1
            self._add("json-ld", None, error=str(error)[:_MAX_TYPE])
            return
        for item, context in items:
            self._add_item(item, context)

    def _add_item(self, item: Any, context: str | None) -> None:
        if not isinstance(item, dict):
            self._add("json-ld", None, error="not an object")
            return
        for name in _DATES:
            self.saw_date(item.get(name))
        kinds = item.get("@type")
        names = kinds if isinstance(kinds, list) else [kinds]
        kind = " ".join(name for name in names if isinstance(name, str))
        data = json.dumps(item, ensure_ascii=False, separators=(",", ":"))
        data = data.encode("utf-8", "replace").decode()
        kept = data if len(data) <= _MAX_DATA else None
        self._add("json-ld", kind or None, context=context, data=kept)

    def _add(
        self,
        syntax: str,
        kind: str | None,
        *,
        context: str | None = None,
        error: str | None = None,
        data: str | None = None,
    ) -> None:
        if len(self.rows) < _MAX_ITEMS:
            shown = kind and kind[:_MAX_TYPE].encode("utf-8", "replace").decode()
            self.rows.append((len(self.rows), syntax, shown, context, error, data))


def _items(found: Any, context: str | None) -> Iterator[tuple[Any, str | None]]:
    """The items of a block, each with the context that holds for it (JSON-LD 1.1, section 4.9)."""
    if isinstance(found, list):
        for item in found:
            yield from _items(item, context)
    elif isinstance(found, dict):
        own = found.get("@context", context)
        context = own if isinstance(own, str) else json.dumps(own)[:_MAX_TYPE] if own else None
        if isinstance(found.get("@graph"), list):
            for item in found["@graph"]:
                yield from _items(item, context)
        else:
            yield found, context
    else:
        yield found, context


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
