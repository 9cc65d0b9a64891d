"""Who said what holds, and in which line?"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from crawler.config.place import Place, place_of
from crawler.config.reading import RENAMED, gathered, text_of
from crawler.config.sections import SITE
from crawler.config.site import told

Key = tuple[str, ...]
"""``("pace", "gap_s")``, or ``("site", "example.org", "gap_s")``."""


class Origin(msgspec.Struct, frozen=True):
    """Where a setting was said last.

    source: the file or flag; ``default`` for nowhere. line: of a file, from 1; 0 where there is
    none to tell.
    """

    source: str = "default"
    line: int = 0

    def __str__(self) -> str:
        return f"{self.source}, line {self.line}" if self.line else self.source


def origins(
    path: Path | None, overrides: Sequence[str], netrc: Path | None = None
) -> dict[Key, Origin]:
    """Of every key that was said, where it was said last. Raises UsageError."""
    lines = dict(_lines(text_of(path))) if path is not None else {}
    found: dict[Key, Origin] = {}
    names: dict[Place, str] = {}
    for setting in gathered(path, overrides, netrc=netrc):
        if setting.key == SITE:
            keys: list[Key] = [(SITE, one.name, one.key) for one in told([setting])]
            first = {key[1]: names.setdefault(place_of(key[1]), key[1]) for key in keys}
        else:
            first = {}
            keys = [tuple(RENAMED.get(setting.key, setting.key).split("."))]
        for key in keys:
            line = _line_of(key, lines) if setting.source == str(path) else 0
            known = (SITE, first[key[1]], key[2]) if setting.key == SITE else key
            found[known] = Origin(setting.source, line)
    return found


def _line_of(key: Key, lines: dict[Key, int]) -> int:
    """The line of a key, of the inline table that it stands in, or of the first key in it."""
    for length in range(len(key), 1, -1):
        if key[:length] in lines:
            return lines[key[:length]]
    within = (line for known, line in lines.items() if known[: len(key)] == key)
    return lines.get(key[:1]) or next(within, 0)


def _lines(text: str) -> Iterator[tuple[Key, int]]:
    """Every key of a TOML text and the line in which it is written."""
    table: Key = ()
    before: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        statement = line.strip()
        if statement and not statement.startswith("#") and _is_whole(before):
            before.clear()
            if statement.startswith("["):
                table = _path(statement) or table
            else:
                path = _path(f"{_left(statement)} = true")
                if path:
                    yield (*table, *path), number
        before.append(line)


def _is_whole(lines: list[str]) -> bool:
    """Does nothing of these lines, a text of several lines perhaps, go on in the next?"""
    return not lines or _tree("\n".join(lines)) is not None


def _left(statement: str) -> str:
    """What stands before the equals sign that ends a key, which may have such signs in quotes."""
    for at in [at for at, character in enumerate(statement) if character == "="]:
        if _tree(f"{statement[:at]} = true") is not None:
            return statement[:at]
    return ""


def _path(text: str) -> Key:
    """The keys of a text that says one thing."""
    path: list[str] = []
    tree: Any = _tree(text)
    while isinstance(tree, list) or (isinstance(tree, dict) and tree):
        if isinstance(tree, list):
            tree = tree[0]
            continue
        [(key, tree)] = tree.items()
        path.append(key)
    return tuple(path)


def _tree(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return None
