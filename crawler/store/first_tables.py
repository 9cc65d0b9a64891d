"""Which tables and indexes did version 0.1 have?

Later versions add to them in `store/schema.py`; what stands here is never edited.
"""

from __future__ import annotations

from typing import Final

STATEMENTS: Final = (
    """
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        started_at TEXT NOT NULL,
        finished_at TEXT,
        state TEXT NOT NULL CHECK (state IN ('running', 'finished', 'interrupted', 'failed')),
        finish_reason TEXT,
        config TEXT NOT NULL,
        judging TEXT NOT NULL,
        seeds_file TEXT,
        version TEXT NOT NULL,
        pid INTEGER,
        pages INTEGER NOT NULL DEFAULT 0,
        errors INTEGER NOT NULL DEFAULT 0,
        bytes INTEGER NOT NULL DEFAULT 0
    ) STRICT
    """,
    """
    CREATE TABLE seeds (
        id INTEGER PRIMARY KEY,
        run_id INTEGER NOT NULL REFERENCES runs(id),
        line INTEGER NOT NULL,
        text TEXT NOT NULL,
        url_id INTEGER REFERENCES urls(id),
        scheme_assumed INTEGER NOT NULL DEFAULT 0,
        error TEXT
    ) STRICT
    """,
    """
    CREATE TABLE hosts (
        id INTEGER PRIMARY KEY,
        host TEXT NOT NULL UNIQUE,
        registered_domain TEXT NOT NULL,
        own INTEGER NOT NULL DEFAULT 0,
        ip TEXT,
        delay_ms INTEGER,
        next_fetch_at TEXT,
        blocked_until TEXT,
        block_reason TEXT,
        errors_in_row INTEGER NOT NULL DEFAULT 0,
        queued INTEGER NOT NULL DEFAULT 0,
        pages INTEGER NOT NULL DEFAULT 0
    ) STRICT
    """,
    "CREATE INDEX hosts_registered_domain ON hosts(registered_domain)",
    """
    CREATE TABLE origins (
        id INTEGER PRIMARY KEY,
        origin TEXT NOT NULL UNIQUE,
        host_id INTEGER NOT NULL REFERENCES hosts(id),
        robots_status INTEGER,
        robots_error TEXT,
        robots_fetched_at TEXT,
        robots_body BLOB,
        crawl_delay REAL
    ) STRICT
    """,
    "CREATE INDEX origins_host_id ON origins(host_id)",
    """
    CREATE TABLE urls (
        id INTEGER PRIMARY KEY,
        url TEXT NOT NULL,
        hash INTEGER NOT NULL,
        host_id INTEGER REFERENCES hosts(id),
        origin_id INTEGER REFERENCES origins(id),
        kind TEXT NOT NULL DEFAULT 'page',
        state TEXT NOT NULL CHECK (state IN ('queued', 'done', 'failed', 'skipped')),
        reason TEXT,
        status INTEGER,
        depth INTEGER NOT NULL,
        hops INTEGER NOT NULL DEFAULT 0,
        priority INTEGER NOT NULL DEFAULT 1,
        attempts INTEGER NOT NULL DEFAULT 0,
        not_before TEXT,
        via TEXT NOT NULL,
        found_on_id INTEGER REFERENCES urls(id),
        first_seen_at TEXT NOT NULL,
        run_id INTEGER NOT NULL REFERENCES runs(id)
    ) STRICT
    """,
    "CREATE UNIQUE INDEX urls_hash ON urls(hash)",
    """
    CREATE INDEX urls_queue ON urls(origin_id, priority, depth, id)
    WHERE state = 'queued'
    """,
    """
    CREATE INDEX urls_deferred ON urls(not_before)
    WHERE state = 'queued' AND not_before IS NOT NULL
    """,
    """
    CREATE INDEX urls_out_of_scope ON urls(host_id)
    WHERE state = 'skipped' AND reason = 'scope'
    """,
    """
    CREATE TABLE scopes (
        key TEXT PRIMARY KEY
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE visits (
        id INTEGER PRIMARY KEY,
        run_id INTEGER NOT NULL REFERENCES runs(id),
        url_id INTEGER NOT NULL REFERENCES urls(id),
        kind TEXT NOT NULL,
        method TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        started_at TEXT NOT NULL,
        status INTEGER,
        error TEXT,
        error_detail TEXT,
        ip TEXT,
        http_version TEXT,
        dns_ms REAL,
        connect_ms REAL,
        tls_ms REAL,
        ttfb_ms REAL,
        total_ms REAL,
        wire_bytes INTEGER NOT NULL DEFAULT 0,
        body_bytes INTEGER NOT NULL DEFAULT 0,
        truncated TEXT,
        content_type TEXT,
        charset TEXT,
        etag TEXT,
        last_modified TEXT,
        headers TEXT,
        redirect_to_id INTEGER REFERENCES urls(id),
        not_modified INTEGER NOT NULL DEFAULT 0,
        body_id INTEGER REFERENCES bodies(id),
        title TEXT,
        text_hash INTEGER
    ) STRICT
    """,
    "CREATE INDEX visits_url_id ON visits(url_id)",
    """
    CREATE INDEX visits_redirect_to_id ON visits(redirect_to_id)
    WHERE redirect_to_id IS NOT NULL
    """,
    """
    CREATE TABLE pages (
        id INTEGER PRIMARY KEY REFERENCES urls(id),
        url TEXT NOT NULL,
        host_id INTEGER REFERENCES hosts(id),
        depth INTEGER NOT NULL,
        status INTEGER,
        error TEXT,
        content_type TEXT,
        title TEXT,
        description TEXT,
        h1 TEXT,
        lang TEXT,
        canonical TEXT,
        meta_robots TEXT,
        word_count INTEGER,
        text_hash INTEGER,
        body_bytes INTEGER,
        ttfb_ms REAL,
        fetched_at TEXT NOT NULL,
        document_at TEXT,
        first_seen_at TEXT NOT NULL,
        changed_at TEXT,
        visits INTEGER NOT NULL DEFAULT 1,
        etag TEXT,
        last_modified TEXT,
        body_id INTEGER REFERENCES bodies(id),
        inlinks INTEGER,
        outlinks INTEGER,
        link_score REAL
    ) STRICT
    """,
    """
    CREATE TABLE bodies (
        id INTEGER PRIMARY KEY,
        sha256 TEXT NOT NULL UNIQUE,
        body_bytes INTEGER NOT NULL,
        body BLOB
    ) STRICT
    """,
    """
    CREATE TABLE texts (
        body_id INTEGER PRIMARY KEY REFERENCES bodies(id),
        text TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE links (
        source_id INTEGER NOT NULL REFERENCES urls(id),
        position INTEGER NOT NULL,
        target_id INTEGER NOT NULL REFERENCES urls(id),
        kind TEXT NOT NULL,
        anchor TEXT,
        rel TEXT,
        nofollow INTEGER NOT NULL DEFAULT 0,
        fragment TEXT,
        region TEXT,
        PRIMARY KEY (source_id, position)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX links_target_id ON links(target_id)",
    """
    CREATE TABLE sitemap_entries (
        sitemap_id INTEGER NOT NULL REFERENCES urls(id),
        url_id INTEGER NOT NULL REFERENCES urls(id),
        lastmod TEXT,
        priority REAL,
        changefreq TEXT,
        PRIMARY KEY (sitemap_id, url_id)
    ) STRICT, WITHOUT ROWID
    """,
)
