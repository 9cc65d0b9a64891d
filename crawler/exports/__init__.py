"""What do people take along of a crawl?

An export takes a moment of the database (`store/moment.py`: one read transaction, so that a crawl
that goes on is exported as it was at one moment), what was asked for, and writes to a stream, a
file or a folder, which is there whole or not at all. `run.export` is the door; `formats.py` lists
the formats.

A new format is a row in `FORMATS` (its options in `OPTIONS`: the command line is made from both)
and a module that has

    def write(export: Export, out: BinaryIO) -> Written

`out` is a `Path` for formats that go ``into`` a file (empty, to be filled) or a folder (empty). It
streams: rows are read as they are written, so that memory is flat, and ``export.counted(rows)``
tells how far it is. `export.select()` are the rows of --table, --query, --sql, --where and --run;
`export.moment.subquery("pages", export.choice.where)` is a table under the person's condition to
join with; `export.options` has the rest. What a reader has to know (a limit that was hit) is a line
in `Written.remarks`, never left out. Modules that are an extra are imported in there alone, and
named in `Format.needs`: who lacks them is told what to install. Errors are UsageError and
StorageError; whatever is raised, nothing is left under the final name.
"""

from __future__ import annotations
