"""What does a file that is made now begin with?

What all migrations come to, as it stands in ``new_file.sql``: making every table as version 0.1
had it and changing it again takes three times as long, and sqlite-utils, too. What is newer than
that text is applied to a new file as to any other.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crawler.store.schema import migrations

PLACE = Path(__file__).with_suffix(".sql")
END = ";\n\n"
HEAD = "-- What all migrations of schema.py come to; written by new_file.written().\n\n"
MADE = """\
SELECT sql
FROM sqlite_master
WHERE sql IS NOT NULL
ORDER BY rowid
"""
NOTED = """\
INSERT INTO _sqlite_migrations (migration_set, name, applied_at)
SELECT '{}', column1, strftime('%Y-%m-%d %H:%M:%f+00:00', 'now')
FROM (VALUES {})"""


def begin(connection: Any) -> None:
    """Make the tables in a file without any, within a transaction."""
    for statement in PLACE.read_text("utf-8").removeprefix(HEAD).split(END):
        connection.execute(statement)


def written() -> str:
    """The text of ``new_file.sql``."""
    from crawler.store.library import Database  # nobody who crawls needs it

    made = Database(memory=True)
    migrations.apply(made)
    tables = [sql for (sql,) in made.execute(MADE)]
    names = ",\n".join(f"    ('{name}')" for name in migrations.names)
    return HEAD + END.join([*tables, NOTED.format(migrations.name, f"\n{names}\n")]) + "\n"


if __name__ == "__main__":
    PLACE.write_text(written(), "utf-8")
