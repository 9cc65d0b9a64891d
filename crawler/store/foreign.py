"""Does anything in this file act by itself that is not the crawler's?

Whoever prepared a file may have left triggers in it, a view or a virtual table in place of a table,
or expressions that run with every row that is written. Such a file is refused by name. What a
person keeps beside our tables (tables, views, triggers on those, indexes, columns) is welcome.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from crawler.errors import StorageError
from crawler.store import columns, search_index, views

INTERNAL = frozenset({"_sqlite_migrations", "_crawler_views", "sqlite_sequence", "sqlite_stat1"})
OURS = INTERNAL | search_index.SHADOWS | columns.HELP.keys()
_STATES = ("queued", "done", "failed", "skipped"), ("running", "finished", "interrupted", "failed")
_CHECKS = tuple(f"check (state in ({', '.join(map(repr, states))}))" for states in _STATES)
"""The only expressions in our tables."""
_SAID = re.compile(r"--[^\n]*|/\*.*?\*/|\s+", re.DOTALL)
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|\[[^\]]*\]")
_CALL = re.compile(r"(\w+|'') ?\(")
_NO_CALLS = frozenset({"where", "and", "or", "not", "in", "is", "when", "then", "else", "between"})
_ACTS = re.compile(r"\b(?:check|as)\b|\bdefault ?\(")


def refuse_acting(connection: Any, path: Path, *, writing: bool) -> None:
    """Raises StorageError naming what acts in place of our tables or, for writing, on them."""
    listed = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()
    for kind, name, table, sql in listed:
        found = _in_place(kind, name, sql or "")
        if found is None and writing:
            found = _on(kind, name, table, sql or "")
        if found is not None:
            raise StorageError(f"{path}: has {found}, which is not the crawler's; {_remedy(kind)}")


def _in_place(kind: str, name: str, sql: str) -> str | None:
    """What stands where a table of ours should be, and is none."""
    if name.lower() not in OURS:
        return None
    if kind == "view":
        return f'a view in place of the table "{name}"'
    if kind == "table" and sql.lower().split()[:2] == ["create", "virtual"]:
        return f'a virtual table in place of the table "{name}"'
    return None


def _on(kind: str, name: str, table: str, sql: str) -> str | None:
    """What would run when something is written to a table of ours."""
    if kind == "trigger" and table.lower() in OURS | views.VIEWS.keys():
        return f'a trigger "{name}" on "{table}"'
    if kind == "table" and name.lower() in OURS and _computes(sql):
        return f'an expression in the table "{name}"'
    if kind == "index" and table.lower() in OURS and _calls(sql):
        return f'an index "{name}" with a function on "{table}"'
    return None


def _calls(sql: str) -> bool:
    """Does a CREATE INDEX call a function for every row? Only the table's name may stand before
    a bracket there."""
    plain = _QUOTED.sub("''", _SAID.sub(" ", sql)).lower()
    return sum(before not in _NO_CALLS for before in _CALL.findall(plain)) > 1


def _computes(sql: str) -> bool:
    """Has a CREATE TABLE a check, a generated column or a computed default besides our checks?"""
    plain = _SAID.sub(" ", sql).lower().replace("( ", "(").replace(" )", ")")
    for check in _CHECKS:
        plain = plain.replace(check, "", 1)
    return _ACTS.search(_QUOTED.sub("''", plain)) is not None


def _remedy(kind: str) -> str:
    if kind in {"trigger", "index"}:
        return f"remove it with DROP {kind.upper()} if it is yours"
    return "go on with a file that nobody has changed so"
