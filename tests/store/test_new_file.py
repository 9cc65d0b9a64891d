"""A new file begins with what all migrations come to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pysqlite3.dbapi2 as sqlite3
import sqlite_utils

from crawler.store import new_file
from crawler.store.database import open_for_writing
from crawler.store.schema import APPLICATION_ID, migrations
from tests.crawls import rows

MADE = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
APPLIED = "SELECT id, migration_set, name FROM _sqlite_migrations ORDER BY id"


def test_what_a_new_file_begins_with_is_what_all_migrations_come_to() -> None:
    assert new_file.PLACE.read_text("utf-8") == new_file.written(), (
        "crawler/store/new_file.sql is out of date: python -m crawler.store.new_file"
    )


def test_a_new_file_is_as_one_that_was_brought_up_to_date(tmp_path: Path) -> None:
    older, new = tmp_path / "older.db", tmp_path / "new.db"
    connection = sqlite3.connect(str(older), isolation_level=None)
    database = sqlite_utils.Database(connection, execute_plugins=False)
    migrations.apply(database, stop_before="first_views")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.close()
    for path in (older, new):
        open_for_writing(path).close()
    assert rows(new, MADE) == rows(older, MADE)
    assert rows(new, APPLIED) == rows(older, APPLIED)
    assert rows(new, "PRAGMA user_version") == rows(older, "PRAGMA user_version")


def test_what_is_newer_than_that_text_is_applied_to_a_new_file(tmp_path: Path) -> None:
    code = (
        "import crawler._patch, sys; from pathlib import Path\n"
        "from crawler.store.database import open_for_writing\n"
        "from crawler.store.schema import migrations\n"
        "@migrations()\n"
        "def of_tomorrow(db):\n"
        "    db.execute('CREATE TABLE tomorrow (day TEXT) STRICT')\n"
        "open_for_writing(Path(sys.argv[1])).close()"
    )
    path = tmp_path / "new.db"
    subprocess.run([sys.executable, "-c", code, path], check=True)
    connection = sqlite3.connect(str(path))
    assert connection.execute("SELECT * FROM tomorrow").fetchall() == []
    assert connection.execute(APPLIED).fetchall()[-1][2] == "of_tomorrow"
    connection.close()


def test_neither_a_new_file_nor_one_of_this_version_needs_sqlite_utils(tmp_path: Path) -> None:
    code = (
        "import crawler._patch, sys; from pathlib import Path\n"
        "from crawler.store.database import open_for_writing\n"
        "for _ in range(2): open_for_writing(Path(sys.argv[1])).close()\n"
        "sys.exit('sqlite_utils' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "new.db"], check=True)
