"""How is a crawl browsed in Datasette?

In a folder that is made for it: a link to the file, and what Datasette is to know of it (titles,
what columns mean, facets, our questions as stored queries). Datasette runs as a program of its own,
with its own SQLite, and only reads. Its version 0.65 reads ``metadata.yml``, the alphas of 1.0 take
queries and facets from ``datasette.yaml``; both files say all. JSON is YAML (YAML 1.2).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from crawler import plain
from crawler.children import command_of
from crawler.errors import StorageError, UsageError
from crawler.store import queries
from crawler.store.database import Connection

FACETS: Final = {
    "urls": ["state", "reason", "kind"],
    "pages": ["status", "content_type", "lang"],
    "visits": ["kind", "status", "error"],
    "links": ["kind", "region"],
    "findings": ["check_name"],
    "audit_findings": ["severity", "state", "group_name"],
    "hosts": ["own", "block_reason"],
}
LABELS: Final = {"urls": "url", "pages": "url", "hosts": "host", "origins": "origin"}
SEARCHED: Final = {"pages": {"fts_table": "search", "fts_pk": "body_id"}}
"""Where a box for words is shown: the index of texts is known by the body."""
SORTED: Final = {"runs": "id", "visits": "id", "pages": "fetched_at"}
PLUGINS: Final = Path(__file__).parent / "datasette"
SETTINGS: Final = {"sql_time_limit_ms": 5000, "facet_time_limit_ms": 1000, "allow_download": False}


def make_folder(connection: Connection, path: Path, folder: Path) -> None:
    """Make the folder that Datasette is started with. Raises StorageError and UsageError."""
    name = path.stem
    told = metadata(connection, name)
    files = {
        "metadata.yml": told,
        "datasette.yaml": told | {"settings": SETTINGS},
        "settings.json": SETTINGS,
    }
    link = folder / f"{name}.db"
    try:
        _refuse_of_others(folder, link, files)
        folder.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(path.resolve())
        for file, content in files.items():
            (folder / file).unlink(missing_ok=True)  # it may be a link to somewhere else
            with (folder / file).open("x", encoding="utf-8") as out:
                out.write(json.dumps(content, indent=2) + "\n")
    except OSError as error:
        raise StorageError(f"{folder}: cannot be made: {error.strerror}") from None


def _refuse_of_others(folder: Path, link: Path, files: Collection[str]) -> None:
    """Raises UsageError for a folder that was not made here, or into which somebody else may put
    something: what stands beside our files, such as templates, Datasette runs."""
    if not folder.exists():
        return
    there = [one.name for one in folder.iterdir()]
    others = sorted({*there} - {link.name, *files})
    if others or (there and not link.is_symlink()) or folder.stat().st_uid != os.geteuid():
        told = f" ({plain.printable(others[0])})" if others else ""
        raise UsageError(
            f"{folder}: is a folder of something else{told}; name another with --folder"
        )


def metadata(connection: Connection, name: str) -> dict[str, Any]:
    """What Datasette is told of a file."""
    tables: dict[str, Any] = {}
    (has_index,) = connection.execute(
        "SELECT count(*) FROM sqlite_master WHERE name = 'search'"
    ).fetchone()
    for table in queries.tables(connection):
        about: dict[str, Any] = {
            "description": f"A row: {table.row}",
            "columns": {column.name: _meaning(column) for column in table.columns},
            "facets": FACETS.get(table.name),
            "label_column": LABELS.get(table.name),
            "sort_desc": SORTED.get(table.name),
        }
        about |= SEARCHED.get(table.name, {}) if has_index else {}
        tables[table.name] = {key: value for key, value in about.items() if value}
    asked = {}
    for view in queries.views(connection):
        tables[view.name] = {"description": view.question} | (
            {"facets": FACETS[view.name]} if view.name in FACETS else {}
        )
        asked[f"ask_{view.name}"] = {
            "title": view.question,
            "sql": f"SELECT * FROM {view.name} LIMIT 1000",
        }
    return {
        "title": f"Crawl {name}",
        "description": "A crawl as one SQLite file: what each table and column means stands there.",
        "databases": {name: {"tables": tables, "queries": asked}},
    }


def _meaning(column: queries.Column) -> str:
    return f"{column.meaning} ({column.unit})" if column.unit else column.meaning


def command(folder: Path, port: int) -> list[str]:
    """What starts Datasette on a folder; nobody else's machine reaches it, nor a page of theirs.
    Raises UsageError where there is none."""
    if find_spec("datasette") is None:
        raise UsageError("needs Datasette: make browse brings it, or pip install 'crawler[browse]'")
    place = ("--host", "127.0.0.1", "--port", str(port))
    return command_of("datasette", "serve", str(folder), *place, "--plugins-dir", str(PLUGINS))


def become(words: list[str]) -> None:
    """Be this program from now on: one that never was patched."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(words[0], words)
