"""How is one value said, and what is told of one that cannot be?"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from crawler.errors import UsageError
from crawler.patterns import PatternError, Patterns


class Setting(msgspec.Struct, frozen=True):
    """One value that a person gave.

    source: the file or flag that gave it. key: ``section.name``. value: as TOML means it.
    """

    source: str
    key: str
    value: Any


SHOWN = 60
"""Characters of a wrong value that a message repeats."""


def compile_patterns(setting: Setting, patterns: tuple[str, ...]) -> None:
    """Raises UsageError for one that cannot be used."""
    try:
        if "" in patterns:  # a variable of the shell that is not set
            raise PatternError("", "is an empty pattern, which matches every address")
        Patterns(patterns)
    except PatternError as error:
        raise UsageError(
            f"{setting.source}: {setting.key}: {shown(error.pattern)} {error.why}"
        ) from None


def shown(value: Any) -> str:
    """A value as a message repeats it: quoted, one line, not too long, no control characters."""
    text = json.dumps(value, default=str)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


STR_LIKE = (msgspec.inspect.StrType, msgspec.inspect.LiteralType)
KINDS: dict[type, str] = {
    msgspec.inspect.BoolType: "true or false",
    msgspec.inspect.StrType: "a text",
    msgspec.inspect.IntType: "a whole number",
    msgspec.inspect.FloatType: "a number",
}
BOUNDS = (("gt", ">"), ("ge", ">="), ("lt", "<"), ("le", "<="))


def expected(kind: msgspec.inspect.Type) -> str:
    """What may stand where a type is asked for, in words: ``a number > 0``."""
    if isinstance(kind, msgspec.inspect.VarTupleType):
        return f"a list, each {expected(kind.item_type)}"
    if isinstance(kind, msgspec.inspect.LiteralType):
        return "one of " + ", ".join(f'"{value}"' for value in kind.values)
    bounds = [(sign, getattr(kind, name, None)) for name, sign in BOUNDS]
    limits = " and ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)
    return f"{KINDS[type(kind)]} {limits}".strip()
