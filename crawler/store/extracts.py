"""Where is kept what a person's rules take out of pages?

The rules stand in the file with what they took, so that a later run goes on with them. The view
``extracted`` has a column for each; it is made anew whenever the rules are others. A column of one
type for texts, another for numbers: DuckDB reads no table that has both in one.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any, Final

from crawler.config import ExtractRule
from crawler.store.analysis import Column, create

EXTRACT_RULES: Final[Mapping[str, Column]] = {
    "name": ("TEXT PRIMARY KEY", "the rule: a column of the view extracted"),
    "position": ("INTEGER NOT NULL", "among the rules, from 0"),
    "css": ("TEXT NOT NULL", "what is selected, as a selector of CSS; or xpath"),
    "xpath": ("TEXT NOT NULL", "what is selected, as XPath 1.0"),
    "attribute": ("TEXT NOT NULL", "what of it is taken; empty for its text"),
    "many": ("INTEGER NOT NULL", "1: all that is selected, 0: the first"),
    "type": ("TEXT NOT NULL", "text, number, date, url or count"),
    "include": (
        "TEXT NOT NULL",
        "JSON: patterns, one of which a page's URL matches; [] for any",
    ),
    "sites": (
        "TEXT NOT NULL DEFAULT '[]'",
        "JSON: names of sites, one of which it is on; [] for any",
    ),
}
EXTRACTS: Final[Mapping[str, Column]] = {
    "page_id": ("INTEGER NOT NULL REFERENCES pages(id)", "the page (pages.id)"),
    "rule": ("TEXT NOT NULL REFERENCES extract_rules(name)", "the rule that took it"),
    "position": ("INTEGER NOT NULL", "among what the rule took of the page, from 0"),
    "value": ("TEXT NOT NULL", "what it took, as text; of a date ISO 8601"),
    "number": ("REAL", "the same as a number, where the rule's type is number or count"),
}
EXTRACT_PAGES: Final[Mapping[str, Column]] = {
    "page_id": ("INTEGER PRIMARY KEY REFERENCES pages(id)", "a page that was read for the rules"),
    "body_id": ("INTEGER REFERENCES bodies(id)", "the body that was read"),
    "rules": ("TEXT NOT NULL", "which rules it was read by, as a digest"),
    "error": (
        "TEXT",
        "why not all was taken: gone (the page answers otherwise, or redirects), cut, no_body, "
        "timeout, lost, site_too_slow or an error",
    ),
}
TABLES: Final = {
    "extract_rules": EXTRACT_RULES,
    "extracts": EXTRACTS,
    "extract_pages": EXTRACT_PAGES,
}
ROWS: Final = {
    "extract_rules": "a rule by which values are taken out of pages",
    "extracts": "a value that a rule took out of a page",
    "extract_pages": "a page that was read for the rules of extraction",
}
"""What a row is, by table."""

_LATER: Final = frozenset({"sites"})

VIEW: Final = "extracted"
_QUESTION: Final = "-- What rules took out of pages, a column for each rule; of many, a JSON array."
_log = logging.getLogger(__name__)


def statements() -> list[str]:
    """What brings all this into a file."""
    keys = {"extracts": "PRIMARY KEY (page_id, rule, position)"}
    return [
        create(name, {at: columns[at] for at in columns if at not in _LATER}, keys.get(name))
        for name, columns in TABLES.items()
    ]


def later_statements() -> list[str]:
    """The same of what came later."""
    return [
        f"ALTER TABLE {name} ADD COLUMN {column} {columns[column][0]}"
        for name, columns in TABLES.items()
        for column in columns
        if column in _LATER
    ]


def stored_rules(connection: Any) -> dict[str, ExtractRule]:
    """The rules by which a file was read last, by name."""
    found = connection.execute(
        """
        SELECT name, css, xpath, attribute, many, type, include, sites
        FROM extract_rules
        ORDER BY position
        """
    )
    return {
        name: ExtractRule(
            css,
            xpath,
            attribute,
            bool(many),
            kind,
            tuple(json.loads(include)),
            tuple(json.loads(sites)),
        )
        for name, css, xpath, attribute, many, kind, include, sites in found
    }


def keep_rules(connection: Any, rules: Mapping[str, ExtractRule]) -> None:
    """Make these the file's rules; within a transaction."""
    connection.execute("DELETE FROM extract_rules")
    connection.executemany(
        "INSERT INTO extract_rules VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                *(name, position, rule.css, rule.xpath, rule.attribute, int(rule.many), rule.type),
                json.dumps(rule.include),
                json.dumps(rule.sites),
            )
            for position, (name, rule) in enumerate(rules.items())
        ],
    )
    _make_view(connection, rules)


def told(connection: Any) -> str:
    """How much the rules of a file took, in words; empty where it has none."""
    values, pages, rules, unread = connection.execute(
        """
        SELECT
            (SELECT count(*) FROM extracts),
            (SELECT count(DISTINCT page_id) FROM extracts),
            (SELECT count(*) FROM extract_rules),
            (SELECT count(*) FROM extract_pages WHERE error NOT IN ('cut', 'gone'))
        """
    ).fetchone()
    if not rules:
        return ""
    lost = f", {unread:,} pages could not be read (extract_pages.error)" if unread else ""
    return f"{values:,} values of {pages:,} pages by rules ({rules}){lost}"


def _make_view(connection: Any, rules: Mapping[str, ExtractRule]) -> None:
    there = connection.execute(
        "SELECT type, sql FROM sqlite_master WHERE name = ?", (VIEW,)
    ).fetchone()
    if there is not None and not (there[0] == "view" and _QUESTION in there[1]):
        _log.warning("%s: is your own, so the crawler's view of that name is not made", VIEW)
        return
    if there is not None:
        connection.execute(f"DROP VIEW {VIEW}")
    if rules:
        connection.execute(view_sql(rules))


def view_sql(rules: Mapping[str, ExtractRule]) -> str:
    """The statement that makes the view; names of rules are letters, digits and _."""
    columns = "".join(f',\n    {_column(name, rule)} AS "{name}"' for name, rule in rules.items())
    return f"""CREATE VIEW {VIEW} AS
{_QUESTION}
SELECT
    extract_pages.page_id,
    pages.url{columns}
FROM extract_pages
JOIN pages ON pages.id = extract_pages.page_id
WHERE extract_pages.error IS NULL OR extract_pages.error = 'cut'"""


def _column(name: str, rule: ExtractRule) -> str:
    of_page = f"extracts.page_id = extract_pages.page_id AND extracts.rule = '{name}'"
    value = "number" if rule.type in ("number", "count") else "value"
    if rule.many and rule.type != "count":
        return f"""(
        SELECT coalesce(json_group_array(taken.{value}), '[]')
        FROM (
            SELECT extracts.{value}
            FROM extracts
            WHERE {of_page}
            ORDER BY extracts.position
        ) AS taken
    )"""
    read = f"SELECT extracts.{value} FROM extracts WHERE {of_page} AND extracts.position = 0"
    return f"CAST(({read}) AS INTEGER)" if rule.type == "count" else f"({read})"
