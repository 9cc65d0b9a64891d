"""Which types and properties of schema.org are there?

The list is pinned: what schema.org has got since is not known here (`VERSION`). It is made anew by
``python -m tests.analyse.vocabulary``.
"""

from __future__ import annotations

import json
import lzma
import re
from collections.abc import Iterator
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec

VERSION: Final = "schema.org of October 2026 (schema-dts 2.1.0)"
FILE: Final = Path(__file__).with_name("schema_org.txt.xz")
_HOME: Final = re.compile(
    r"https?://(?:www\.)?schema\.org(?:/docs/jsonldcontext\.json(?:ld)?)?/?(?:#|$)"
)
_OWN: Final = re.compile(r"(?:https?://(?:www\.)?schema\.org/|schema:)(?P<name>.+)")
_ACTION: Final = re.compile(r"-(?:input|output)$")
"""What a property of a potential action may end in: https://schema.org/docs/actions.html"""
_MOST: Final = 10_000
"""Objects that are looked at in one item."""


class Vocabulary(msgspec.Struct, frozen=True):
    """Names of types and of properties."""

    types: frozenset[str]
    properties: frozenset[str]


class Unknown(msgspec.Struct, frozen=True):
    """A name that is none. of: the type of the object whose property it is; None for a type."""

    name: str
    of: str | None

    @property
    def kind(self) -> str:
        return "type" if self.of is None else "property"

    def meant(self) -> str | None:
        """The name that it is most like."""
        return _most_like(self.name, self.kind)


@lru_cache(maxsize=1)
def vocabulary() -> Vocabulary:
    """The list, unpacked when it is first asked for: 2 ms."""
    types, properties = lzma.decompress(FILE.read_bytes()).decode().splitlines()
    return Vocabulary(frozenset(types.split()), frozenset(properties.split()))


@lru_cache(maxsize=1000)
def _most_like(name: str, kind: str) -> str | None:
    known = vocabulary().types if kind == "type" else vocabulary().properties
    folded = {one.lower(): one for one in sorted(known)}
    close = get_close_matches(name.lower(), folded, n=1, cutoff=0.8)
    return folded[close[0]] if close else None


def is_schema_org(context: object) -> bool:
    """Does a context mean schema.org alone, so that each plain name is to be found there?

    One that gives names of its own does not, nor does another vocabulary (JSON-LD 1.1, section
    3.1).
    """
    if isinstance(context, str):
        return _HOME.match(context) is not None
    if isinstance(context, list):
        places = [one for one in context if isinstance(one, str)]
        others = [one for one in context if not isinstance(one, str)]
        return bool(places) and all(map(is_schema_org, places)) and all(map(_names_nothing, others))
    vocab = context.get("@vocab") if isinstance(context, dict) else None
    return isinstance(vocab, str) and is_schema_org(vocab) and _names_nothing(context)


def _names_nothing(context: object) -> bool:
    """Does this part of a context only say things such as the language?"""
    if not isinstance(context, dict) or not all(name.startswith("@") for name in context):
        return False
    vocab = context.get("@vocab")
    return vocab is None or (isinstance(vocab, str) and is_schema_org(vocab))


def read_context(text: str | None) -> object:
    """A context as `structured_data.context` holds it: a text, or JSON of another form."""
    if text is None or not text.startswith(("{", "[")):
        return text
    try:
        return json.loads(text)
    except ValueError:  # it was longer than is kept
        return None


def unknown_names(item: object, context: object) -> Iterator[Unknown]:
    """Types and properties of an item, and of all within it, that schema.org does not have."""
    waiting = [(item, context)]
    for _ in range(_MOST):
        if not waiting:
            return
        one, context = waiting.pop(0)
        if isinstance(one, list):
            waiting.extend((part, context) for part in one)
        elif isinstance(one, dict) and "@value" not in one:
            context = one.get("@context", context)
            if is_schema_org(context):
                yield from _of_object(one)
            inner = {name: part for name, part in one.items() if name != "@context"}
            reverse = inner.pop("@reverse", None)
            inner |= reverse if isinstance(reverse, dict) else {}
            waiting.extend((part, context) for part in inner.values())


def _of_object(thing: dict[str, Any]) -> Iterator[Unknown]:
    known = vocabulary()
    kinds = thing.get("@type")
    names = [kind for kind in (kinds if isinstance(kinds, list) else [kinds]) if kind]
    own = [name for name in map(plain, names) if name is not None]
    yield from (Unknown(name, None) for name in own if name not in known.types)
    reverse = thing.get("@reverse")
    for written in [*thing, *(reverse if isinstance(reverse, dict) else ())]:
        name = plain(written)
        if name is not None and _ACTION.sub("", name) not in known.properties:
            yield Unknown(name, own[0] if own else "")


def plain(name: object) -> str | None:
    """A name of schema.org without what stands before it; None of keywords and of other
    vocabularies."""
    if not isinstance(name, str) or name.startswith("@"):
        return None
    found = _OWN.fullmatch(name.strip())
    if found is not None:
        return found["name"]
    return None if ":" in name else name.strip()
