"""Which tables hold what is found out after a crawl, and what does each column mean?

`crawler.analyse` fills them. A table is said once here, a line for each column: its type and what
it means; the statement that makes it carries the meanings as comments, and ``columns_help`` takes
them from here, too (`columns`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

VERSION: Final = 7
"""Of what is read of bodies; facts of an older one are read again."""

Column = tuple[str, str]
"""Type and constraints; meaning."""

FACTS: Final[Mapping[str, Column]] = {
    "body_id": ("INTEGER PRIMARY KEY REFERENCES bodies(id)", "the body that was read"),
    "version": ("INTEGER NOT NULL", "of the reading; an older one is read again"),
    "error": (
        "TEXT",
        "why nothing was read: timeout, lost (its process died), site_too_slow (others of its site "
        "took too long), encrypted, broken, or the name of an error",
    ),
    "doctype": ("INTEGER", "1: a doctype stands first, 0: none, or something before it"),
    "charset": ("TEXT", "declared by a meta in the first 1,024 bytes, as written"),
    "head_ended_by": ("TEXT", "what ended the head: an element's name, or #text"),
    "lang": ("TEXT", "of the html element, as written"),
    "title": ("TEXT", "the first title"),
    "titles": ("INTEGER", "title elements"),
    "titles_outside": ("INTEGER", "those after the head had ended"),
    "description": ("TEXT", "the first meta description"),
    "descriptions": ("INTEGER", "meta descriptions"),
    "descriptions_outside": ("INTEGER", "those after the head had ended"),
    "robots": ("TEXT", "contents of meta robots, in order, with commas between"),
    "robots_outside": ("INTEGER", "meta robots after the head had ended"),
    "canonical_href": ("TEXT", "of the first link rel=canonical, as written"),
    "canonicals": ("INTEGER", "links rel=canonical"),
    "canonical_values": ("INTEGER", "different addresses that they name, as written"),
    "canonicals_outside": ("INTEGER", "those after the head had ended"),
    "canonical_attributes": ("TEXT", "hreflang, lang, media, type that stand on one"),
    "base_href": ("TEXT", "of the first base, as written"),
    "refresh": ("TEXT", "content of the first meta refresh"),
    "metas_outside": ("INTEGER", "meta (but itemprop) and link that belong in the head, after it"),
    "viewport": ("TEXT", "content of the first meta viewport"),
    "og_title": ("TEXT", "Open Graph: title"),
    "og_type": ("TEXT", "Open Graph: type"),
    "og_image": ("TEXT", "Open Graph: image, as written"),
    "og_url": ("TEXT", "Open Graph: url, as written"),
    "twitter_card": ("TEXT", "content of twitter:card"),
    "jsonld_blocks": ("INTEGER", "scripts of type application/ld+json"),
    "jsonld_invalid": ("INTEGER", "those that are not JSON"),
    "microdata": ("INTEGER", "elements with itemscope"),
    "rdfa": ("INTEGER", "elements with typeof"),
    "outline": ("TEXT", "levels of h1 to h6 in order, such as 1223"),
    "headings_empty": ("INTEGER", "h1 to h6 without text or alt"),
    "h1s": ("INTEGER", "h1 elements"),
    "h2s": ("INTEGER", "h2 elements"),
    "ids": ("TEXT", "ids and names of anchors that a fragment may mean, by spaces"),
    "ids_duplicate": ("TEXT", "ids that stand on more than one element, by spaces"),
    "forms": ("INTEGER", "form elements"),
    "passwords": ("INTEGER", "password fields"),
    "scripts": ("INTEGER", "script elements that run"),
    "inline_bytes": ("INTEGER", "bytes of scripts and styles in the page"),
    "frames": ("INTEGER", "frame, object, embed and applet elements"),
    "mains": ("INTEGER", "main landmarks"),
    "names_missing": ("INTEGER", "links, buttons, fields, iframes that nothing names"),
    "pictures_empty": ("INTEGER", "picture elements without an img"),
    "links_uncrawlable": ("INTEGER", "a: javascript:, onclick without href, or bare #"),
    "nodes": ("INTEGER", "elements"),
    "depth": ("INTEGER", "elements within each other, at the deepest"),
    "hidden_words": ("INTEGER", "words in elements that an inline style hides"),
    "newest_date": ("TEXT", "the newest date that markup names: time, article:*, JSON-LD"),
    "main_words": ("INTEGER", "words of the main text"),
    "main_hash": ("INTEGER", "63-bit number of the main text"),
    "language": ("TEXT", "detected of the main text; needs crawler[language]"),
    "language_score": ("REAL", "how certain that is, 0 to 1"),
    "signature": ("BLOB", "MinHash of the main text: 128 numbers of 32 bits"),
    "sentences": ("INTEGER", "sentences of the main text: ends of sentences before a space"),
    "syllables": ("INTEGER", "groups of vowels in the main text, at least one a word"),
    "heads": ("INTEGER", "how often the source begins a head"),
    "bodies": ("INTEGER", "how often the source begins a body"),
    "text_first": ("INTEGER", "1: text stands before the html element"),
    "anchors": ("INTEGER", "a and area that lead somewhere"),
    "secrets": ("TEXT", "keys that nobody should see: whose, with their beginnings, by spaces"),
    "byte_order_mark": ("INTEGER", "1: the body begins with one"),
    "language_by": ("TEXT", "what looked for the language, with its version; NULL: nothing did"),
    "author": ("TEXT", "of a PDF: who wrote it"),
    "pages": ("INTEGER", "of a PDF: its pages"),
    "pages_read": ("INTEGER", "of a PDF: its pages whose text is in texts"),
    "text_cut": ("TEXT", "of a PDF: why its text is not whole: pages, time, text or broken"),
}

BODY_FORMS: Final[Mapping[str, Column]] = {
    "body_id": ("INTEGER PRIMARY KEY REFERENCES bodies(id)", "the body that was looked at"),
    "version": ("INTEGER NOT NULL", "of the reading; an older one is made again"),
    "sniffed": ("TEXT", "the media type that its first bytes tell; NULL: nothing could be read"),
    "root": ("TEXT", "name of the first element; NULL: it is no XML"),
    "namespace": ("TEXT", "of that element"),
    "is_page": ("INTEGER NOT NULL", "1: it begins as HTML"),
    "is_list": ("INTEGER NOT NULL", "1: one address a line, as far as its first 64 KiB tell"),
    "unpacked_bytes": ("INTEGER NOT NULL", "its length, unpacked where it is a gzip file itself"),
}

HEADINGS: Final[Mapping[str, Column]] = {
    "body_id": ("INTEGER NOT NULL REFERENCES bodies(id)", "the body that it stands in"),
    "position": ("INTEGER NOT NULL", "among all headings, from 0"),
    "level": ("INTEGER NOT NULL", "1 or 2"),
    "text": ("TEXT NOT NULL", "its text, with the alt texts of images"),
    "image_only": ("INTEGER NOT NULL", "1: all of the text is alt text"),
}

META_TAGS: Final[Mapping[str, Column]] = {
    "body_id": ("INTEGER NOT NULL REFERENCES bodies(id)", "the body that it stands in"),
    "position": ("INTEGER NOT NULL", "among all meta elements, from 0"),
    "name": (
        "TEXT NOT NULL",
        "name, property or http-equiv, lower case; robots, og, http-equiv ...",
    ),
    "content": ("TEXT NOT NULL", "its content, white space folded"),
    "in_head": ("INTEGER NOT NULL", "0: after the head had ended"),
}

LINK_FACTS: Final[Mapping[str, Column]] = {
    "body_id": ("INTEGER NOT NULL REFERENCES bodies(id)", "the body that it stands in"),
    "position": ("INTEGER NOT NULL", "as links.position of pages with this body"),
    "hreflang": ("TEXT", "as written"),
    "href": ("TEXT", "as written, where that matters: see flags"),
    "width": ("TEXT", "of an image, as written"),
    "height": ("TEXT", "of an image, as written"),
    "loading": ("TEXT", "of an image or frame, as written"),
    "flags": (
        "TEXT",
        "by spaces: blank (new window without noopener), unnamed, image (all it holds), "
        "alt_empty, spaces, protocol_relative, relative (canonical, alternate, next, prev), "
        "outside_head, integrity, first_image, unc, session (an identifier of one was taken out)",
    ),
}

STRUCTURED_DATA: Final[Mapping[str, Column]] = {
    "body_id": ("INTEGER NOT NULL REFERENCES bodies(id)", "the body that it stands in"),
    "position": ("INTEGER NOT NULL", "among the page's JSON-LD items and microdata, from 0"),
    "syntax": ("TEXT NOT NULL", "json-ld, microdata or rdfa"),
    "type": ("TEXT", "its type, as written; several by spaces"),
    "context": ("TEXT", "@context of JSON-LD, where it is one text"),
    "error": ("TEXT", "why it does not parse"),
    "data": ("TEXT", "the item as JSON, where it is JSON-LD of at most 16 KiB"),
}

NEAR_DUPLICATES: Final[Mapping[str, Column]] = {
    "body_id": ("INTEGER PRIMARY KEY REFERENCES bodies(id)", "a member of a group"),
    "leader_id": ("INTEGER NOT NULL REFERENCES bodies(id)", "the group's first body"),
    "similarity": ("REAL NOT NULL", "share of 3-word shingles of main text in common with it"),
    "exact": ("INTEGER", "1: these were counted, 0: estimated by signatures, right to about 0.05"),
}

MISSING_FRAGMENTS: Final[Mapping[str, Column]] = {
    "source_id": ("INTEGER NOT NULL REFERENCES urls(id)", "the page that carries the link"),
    "position": ("INTEGER NOT NULL", "the link, as links.position"),
    "target_id": ("INTEGER NOT NULL REFERENCES urls(id)", "the good page that lacks it"),
    "fragment": ("TEXT NOT NULL", "percent-decoded"),
}

CHECKS: Final[Mapping[str, Column]] = {
    "name": ("TEXT PRIMARY KEY", "the check's word"),
    "position": ("INTEGER NOT NULL", "in the catalogue, from 1"),
    "group_name": ("TEXT NOT NULL", "the group that it belongs to"),
    "severity": ("TEXT NOT NULL", "error, warning or note"),
    "definition": ("TEXT NOT NULL", "when it fires, in a sentence"),
    "limits": ("TEXT NOT NULL", "JSON: its thresholds as they were used last"),
    "needs": ("TEXT NOT NULL", "what must be there for it to be judged, by spaces"),
    "sql": ("TEXT", "what finds it; NULL where that is no SQL"),
}

FINDINGS: Final[Mapping[str, Column]] = {
    "check_name": ("TEXT NOT NULL REFERENCES checks(name)", "what fired"),
    "url_id": ("INTEGER NOT NULL REFERENCES urls(id)", "the page that one would edit"),
    "item": ("TEXT NOT NULL DEFAULT ''", "what on it, where there may be several"),
    "evidence": ("TEXT NOT NULL", "JSON: the values that made it fire"),
    "first_run_id": ("INTEGER NOT NULL REFERENCES runs(id)", "the first run that showed it"),
    "since_run_id": ("INTEGER NOT NULL REFERENCES runs(id)", "the run since which it is open"),
    "last_run_id": ("INTEGER NOT NULL REFERENCES runs(id)", "the last run that showed it"),
    "fixed_run_id": ("INTEGER REFERENCES runs(id)", "the run that saw the page without it"),
}

RUNS_CHECKS: Final[Mapping[str, Column]] = {
    "run_id": ("INTEGER NOT NULL REFERENCES runs(id)", "the run whose end was judged"),
    "check_name": ("TEXT NOT NULL REFERENCES checks(name)", "the check"),
    "judged": ("INTEGER NOT NULL", "1: yes, 0: it could not be"),
    "reason": ("TEXT", "why it could not be, or what it could not see"),
    "found": ("INTEGER NOT NULL DEFAULT 0", "findings"),
    "new": ("INTEGER NOT NULL DEFAULT 0", "of these, open since this run"),
    "fixed": ("INTEGER NOT NULL DEFAULT 0", "findings that this run saw mended"),
}

RUN_PAGES: Final[Mapping[str, Column]] = {
    "run_id": (
        "INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE",
        "the last run at whose end the page had these values",
    ),
    "page_id": ("INTEGER NOT NULL REFERENCES pages(id)", "the page"),
    "inlinks": ("INTEGER", "as pages.inlinks was"),
    "clicks": ("INTEGER", "as pages.clicks was"),
}

PAGES: Final[Mapping[str, Column]] = {
    "canonical_id": ("INTEGER REFERENCES urls(id)", "the URL that its canonical names"),
    "followed_inlinks": ("INTEGER", "good pages with a link here that may be followed"),
    "indexable_inlinks": ("INTEGER", "indexable pages with a link here that may be followed"),
    "clicks": ("INTEGER", "followed links from the nearest seed; NULL: none leads here"),
    "score_percentile": ("REAL", "share of pages whose link_score is not higher, 0 to 100"),
    "indexable": ("INTEGER", "1: a search engine may index it, 0: not; see indexability_reason"),
    "indexability_reason": (
        "TEXT",
        "why not: error, challenge, redirect, status, type, robots, noindex, canonical",
    ),
}
"""Columns that analysis gives to ``pages``."""

_KEYS: Final = {
    "headings": "PRIMARY KEY (body_id, position)",
    "meta_tags": "PRIMARY KEY (body_id, position)",
    "link_facts": "PRIMARY KEY (body_id, position)",
    "structured_data": "PRIMARY KEY (body_id, position)",
    "missing_fragments": "PRIMARY KEY (source_id, position)",
    "findings": "PRIMARY KEY (check_name, url_id, item)",
    "runs_checks": "PRIMARY KEY (run_id, check_name)",
    "run_pages": "PRIMARY KEY (page_id, run_id)",
}

_CLUSTERED: Final = frozenset(_KEYS) - {"runs_checks", "findings"}
"""Tables that are large and read by their key; DuckDB cannot count such a table's rows."""

TABLES: Final[Mapping[str, Mapping[str, Column]]] = {
    "facts": FACTS,
    "headings": HEADINGS,
    "meta_tags": META_TAGS,
    "link_facts": LINK_FACTS,
    "structured_data": STRUCTURED_DATA,
    "near_duplicates": NEAR_DUPLICATES,
    "missing_fragments": MISSING_FRAGMENTS,
    "checks": CHECKS,
    "findings": FINDINGS,
    "runs_checks": RUNS_CHECKS,
    "body_forms": BODY_FORMS,
    "run_pages": RUN_PAGES,
}
_LATER: Final = frozenset({"body_forms", "run_pages"})
"""Tables that files got later than all others."""
ROWS: Final = {
    "facts": "what a page's body says of itself, read after the crawl, or in it where none is kept",
    "headings": "an h1 or h2 that is not empty, of a body",
    "meta_tags": "a meta element of a body that speaks to robots or to other sites",
    "link_facts": "a link of a body of which there is more to say than links says",
    "structured_data": "an item of JSON-LD, microdata or RDFa of a body",
    "near_duplicates": "a body whose main text is almost that of another",
    "missing_fragments": "a link to a place that its page does not have",
    "checks": "a check of the audit",
    "findings": "what a check found on a page, since when, and until when",
    "runs_checks": "what came of a check in a run, and why it could not be made",
    "body_forms": "a body that is no page, or stands in a sitemap's place",
    "run_pages": "what a page counted until a run, where it has changed since; else see pages",
}
"""What a row is, by table."""


def statements() -> list[str]:
    """What brings all this into a file, but for tables that came later."""
    made = [
        create(name, columns, _KEYS.get(name))
        for name, columns in TABLES.items()
        if name not in _LATER
    ]
    added = [f"ALTER TABLE pages ADD COLUMN {name} {PAGES[name][0]}" for name in PAGES]
    return [*made, *added, "CREATE INDEX findings_url_id ON findings(url_id)"]


def later_statements() -> list[str]:
    """What brings the tables that came later."""
    return [create(name, TABLES[name], _KEYS.get(name)) for name in TABLES if name in _LATER]


def complete(connection: Any) -> None:
    """Give tables the columns that came after they were made."""
    for table in ("facts", "near_duplicates"):
        there = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        for name, (kind, _) in TABLES[table].items():
            if name not in there:
                connection.execute(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")


def create(name: str, columns: Mapping[str, Column], key: str | None) -> str:
    """The statement that makes a table, with what its columns mean."""
    lines = [(f"    {column} {kind}", meaning) for column, (kind, meaning) in columns.items()]
    if key:
        lines.append((f"    {key}", ""))
    last = len(lines) - 1
    body = "\n".join(
        f"{line}{',' if number < last else ''}{f'  -- {meaning}' if meaning else ''}"
        for number, (line, meaning) in enumerate(lines)
    )
    clustered = ", WITHOUT ROWID" if name in _CLUSTERED else ""
    return f"CREATE TABLE {name} (\n{body}\n) STRICT{clustered}"


VIEWS: Final = {
    "good_pages": """
        -- Pages of HTML that answered 200 and were read.
        SELECT *
        FROM pages
        WHERE status = 200
            AND error IS NULL
            AND content_type IN ('text/html', 'application/xhtml+xml')
    """,
    "indexable_pages": """
        -- Good pages that a search engine may index, as the last analysis saw it.
        SELECT *
        FROM pages
        WHERE indexable = 1
    """,
    "not_indexable_pages": """
        -- What a search engine may not index, and why; `why` names what forbids it.
        SELECT
            pages.url,
            pages.indexability_reason AS reason,
            CASE pages.indexability_reason
                WHEN 'error' THEN pages.error
                WHEN 'challenge' THEN pages.challenge
                WHEN 'status' THEN CAST(pages.status AS TEXT)
                WHEN 'type' THEN pages.content_type
                WHEN 'noindex' THEN pages.meta_robots
                WHEN 'canonical' THEN pages.canonical
                WHEN 'redirect' THEN (
                    SELECT urls.url
                    FROM visits
                    JOIN urls ON urls.id = visits.redirect_to_id
                    WHERE visits.url_id = pages.id AND visits.kind = 'page'
                    ORDER BY visits.id DESC
                    LIMIT 1
                )
                WHEN 'robots' THEN
                    substr(pages.url, 1, 8 + instr(substr(pages.url, 9), '/')) || 'robots.txt'
            END AS why,
            pages.inlinks,
            pages.id AS url_id
        FROM pages
        WHERE pages.indexable = 0
    """,
    "near_duplicate_pages": """
        -- Pages whose main text is almost that of another, each with the first of its group.
        SELECT pages.url, leaders.url AS like_url, near_duplicates.similarity, pages.id AS url_id
        FROM near_duplicates
        JOIN pages ON pages.body_id = near_duplicates.body_id
        JOIN (
            SELECT body_id, min(id) AS id
            FROM pages
            GROUP BY body_id
        ) AS first_pages ON first_pages.body_id = near_duplicates.leader_id
        JOIN pages AS leaders ON leaders.id = first_pages.id
        WHERE pages.id <> leaders.id
    """,
    "likely_javascript": """
        -- Pages that have scripts, hardly a word and hardly a link: scripts make what people see.
        SELECT
            pages.url,
            facts.scripts,
            coalesce(facts.main_words, 0) AS words,
            facts.anchors,
            facts.inline_bytes,
            pages.id AS url_id
        FROM pages
        JOIN facts ON facts.body_id = pages.body_id
        WHERE pages.status = 200
            AND pages.error IS NULL
            AND pages.rendered = 0
            AND facts.scripts > 0
            AND coalesce(facts.main_words, 0) < 20
            AND facts.anchors < 5
    """,
    "followed_links": """
        -- Links that a search engine follows, from good pages to other pages.
        SELECT links.*
        FROM links
        JOIN pages ON pages.id = links.source_id
        WHERE links.kind IN ('a', 'area')
            AND links.nofollow = 0
            AND links.source_id <> links.target_id
            AND pages.status = 200
            AND pages.error IS NULL
            AND ' ' || coalesce(links.rel, '') || ' ' NOT LIKE '% ugc %'
            AND ' ' || coalesce(links.rel, '') || ' ' NOT LIKE '% sponsored %'
    """,
    "audit_findings": """
        -- What the audit found, with its page: new, open or fixed as of the last run.
        SELECT
            findings.check_name,
            checks.group_name,
            checks.severity,
            CASE
                WHEN findings.fixed_run_id IS NOT NULL THEN 'fixed'
                WHEN findings.since_run_id = (SELECT max(run_id) FROM runs_checks) THEN 'new'
                ELSE 'open'
            END AS state,
            urls.url,
            findings.item,
            findings.evidence,
            findings.first_run_id,
            findings.since_run_id,
            findings.last_run_id,
            findings.fixed_run_id,
            findings.url_id
        FROM findings
        JOIN checks ON checks.name = findings.check_name
        JOIN urls ON urls.id = findings.url_id
    """,
}
"""What checks and people ask of all this; the first comment says which question it answers."""
