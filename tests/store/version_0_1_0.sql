PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE IF NOT EXISTS "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO _sqlite_migrations VALUES(1,'crawler','first_schema','2026-11-28 19:07:13.052116+00:00');
INSERT INTO _sqlite_migrations VALUES(2,'crawler','first_views','2026-11-28 19:07:13.056272+00:00');
INSERT INTO _sqlite_migrations VALUES(3,'crawler','links_are_indexed_at_the_end','2026-11-28 19:07:13.059429+00:00');
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
    ;
INSERT INTO runs VALUES(1,'2026-11-28T19:07:13.065Z','2026-11-28T19:07:13.107Z','finished','finished','{"scope":{"mode":"host","include":[],"exclude":[],"max_depth":50,"max_pages_per_host":100000,"max_hosts_per_domain":1000,"max_pages_per_domain":1000000,"max_queries_per_path":10000,"allow_private":[],"follow_nofollow":false,"check":[],"traps":true},"robots":{"obey":true,"max_age_s":86400.0,"max_bytes":512000,"crawl_delay_max_s":60.0,"sitemaps":false},"pace":{"gap_s":0.5,"response_factor":1.0,"own_gap_s":0.0,"own_in_flight":64,"own_is_public":false,"per_ip":4,"per_domain":4,"retry_after_max_s":3600.0,"tries":3,"retry_base_s":5.0,"park_after":20,"park_s":900.0,"patience_s":900.0},"fetch":{"user_agent":"","contact":"","connect_s":10.0,"read_s":20.0,"total_s":60.0,"max_body_bytes":10485760,"max_sitemap_bytes":52428800,"max_header_bytes":262144,"max_redirects":10,"max_url_bytes":2083,"resolver":"thread","verify_tls":true,"accept_language":""},"parse":{"max_links":10000,"max_seconds":5.0},"store":{"bodies":true,"texts":true,"obey_noindex":false,"batch":500,"batch_s":0.25,"backlog_bytes":67108864},"run":{"workers":0,"concurrency":256,"bodies_in_flight_bytes":134217728,"max_pages":0,"max_seconds":0.0,"retry_failed":false,"drain_s":10.0}}','{"allow_private": [], "check": [], "exclude": [], "follow_nofollow": false, "include": [], "max_depth": 50, "max_hosts_per_domain": 1000, "max_pages_per_domain": 1000000, "max_pages_per_host": 100000, "max_queries_per_path": 10000, "max_url_bytes": 2083, "mode": "host", "obey_robots": true, "traps": true}','seeds.txt','0.1.0',27610,4,0,232);
CREATE TABLE seeds (
        id INTEGER PRIMARY KEY,
        run_id INTEGER NOT NULL REFERENCES runs(id),
        line INTEGER NOT NULL,
        text TEXT NOT NULL,
        url_id INTEGER REFERENCES urls(id),
        scheme_assumed INTEGER NOT NULL DEFAULT 0,
        error TEXT
    ) STRICT
    ;
INSERT INTO seeds VALUES(1,1,1,'http://127.0.0.1:8765/',1,0,NULL);
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
    ;
INSERT INTO hosts VALUES(1,'127.0.0.1','127.0.0.1',1,'127.0.0.1',0,NULL,NULL,NULL,0,0,4);
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
    ;
INSERT INTO origins VALUES(1,'http://127.0.0.1:8765',1,200,NULL,'2026-11-28T19:07:13.077Z',X'557365722d6167656e743a202a0a416c6c6f773a202f0a',NULL);
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
    ;
INSERT INTO urls VALUES(1,'http://127.0.0.1:8765/',6687731244470766045,1,1,'page','done',NULL,200,0,0,0,1,NULL,'seed',NULL,'2026-11-28T19:07:13.068Z',1);
INSERT INTO urls VALUES(2,'http://127.0.0.1:8765/robots.txt',5127721063390850241,1,1,'robots','done',NULL,200,0,0,1,1,NULL,'robots',NULL,'2026-11-28T19:07:13.077Z',1);
INSERT INTO urls VALUES(3,'http://127.0.0.1:8765/a',6841484929938063589,1,1,'page','done',NULL,200,1,0,1,1,NULL,'a',1,'2026-11-28T19:07:13.084Z',1);
INSERT INTO urls VALUES(4,'http://127.0.0.1:8765/gone',8784418058222820997,1,1,'page','done',NULL,404,1,0,1,1,NULL,'a',1,'2026-11-28T19:07:13.084Z',1);
INSERT INTO urls VALUES(5,'http://127.0.0.1:8765/old',7115661489361375248,1,1,'page','done',NULL,301,1,0,1,1,NULL,'a',1,'2026-11-28T19:07:13.084Z',1);
INSERT INTO urls VALUES(6,'http://127.0.0.1:8765/p.png',2409010917357264346,1,1,'page','skipped','not_followed',NULL,1,0,1,0,NULL,'img',1,'2026-11-28T19:07:13.084Z',1);
CREATE TABLE scopes (
        key TEXT PRIMARY KEY
    ) STRICT, WITHOUT ROWID
    ;
INSERT INTO scopes VALUES('127.0.0.1');
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
    ;
INSERT INTO visits VALUES(1,1,2,'robots','GET',1,'2026-11-28T19:07:13.075Z',200,NULL,NULL,'127.0.0.1','1.0',0.033669999993435340002,0.65310000013596436474,NULL,0.048451999873577733524,1.3808499998049228452,23,23,NULL,NULL,NULL,NULL,NULL,'{"server":"BaseHTTP/0.6 Python/3.11.7","date":"Sat, 28 Nov 2026 19:07:13 GMT","content-type":"text/plain","content-length":"23"}',NULL,0,NULL,NULL,NULL);
INSERT INTO visits VALUES(2,1,1,'page','GET',1,'2026-11-28T19:07:13.079Z',200,NULL,NULL,'127.0.0.1','1.0',0.019639000129245687276,0.3021689999513910152,NULL,0.044535999904837808571,3.6289669999405305134,131,131,NULL,'text/html','utf-8',NULL,NULL,'{"server":"BaseHTTP/0.6 Python/3.11.7","date":"Sat, 28 Nov 2026 19:07:13 GMT","content-type":"text/html","content-length":"131"}',NULL,0,1,'Home',5222145959136886044);
INSERT INTO visits VALUES(3,1,5,'page','GET',1,'2026-11-28T19:07:13.088Z',301,NULL,NULL,'127.0.0.1','1.0',0.01614400002836191561,0.28167899995423795189,NULL,0.036703999967357958666,0.84566499981519882567,0,0,NULL,NULL,NULL,NULL,NULL,'{"server":"BaseHTTP/0.6 Python/3.11.7","date":"Sat, 28 Nov 2026 19:07:13 GMT","location":"/a","content-length":"0"}',3,0,NULL,NULL,NULL);
INSERT INTO visits VALUES(4,1,4,'page','GET',1,'2026-11-28T19:07:13.087Z',404,NULL,NULL,'127.0.0.1','1.0',0.021492000087164342403,1.1599619999742571962,NULL,0.030986000183474970981,3.5246429999915562802,2,2,NULL,'text/html','utf-8',NULL,NULL,'{"server":"BaseHTTP/0.6 Python/3.11.7","date":"Sat, 28 Nov 2026 19:07:13 GMT","content-type":"text/html","content-length":"2"}',NULL,0,2,NULL,4559709753219710323);
INSERT INTO visits VALUES(5,1,3,'page','GET',1,'2026-11-28T19:07:13.087Z',200,NULL,NULL,'127.0.0.1','1.0',0.024587000098108546808,4.2663340000217431224,NULL,0.024066000150924082845,4.6427629999925557058,99,99,NULL,'text/html','utf-8',NULL,NULL,'{"server":"BaseHTTP/0.6 Python/3.11.7","date":"Sat, 28 Nov 2026 19:07:13 GMT","content-type":"text/html","content-length":"99"}',NULL,0,3,'A',1619072721120947319);
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
    ;
INSERT INTO pages VALUES(1,'http://127.0.0.1:8765/',1,0,200,NULL,'text/html','Home',NULL,'Home',NULL,NULL,NULL,4,5222145959136886044,131,0.044535999904837808571,'2026-11-28T19:07:13.079Z','2026-11-28T19:07:13.079Z','2026-11-28T19:07:13.079Z','2026-11-28T19:07:13.079Z',1,NULL,NULL,1,NULL,4,NULL);
INSERT INTO pages VALUES(3,'http://127.0.0.1:8765/a',1,1,200,NULL,'text/html','A',NULL,NULL,NULL,'http://127.0.0.1:8765/a',NULL,4,1619072721120947319,99,0.024066000150924082845,'2026-11-28T19:07:13.087Z','2026-11-28T19:07:13.087Z','2026-11-28T19:07:13.087Z','2026-11-28T19:07:13.087Z',1,NULL,NULL,3,NULL,2,NULL);
INSERT INTO pages VALUES(4,'http://127.0.0.1:8765/gone',1,1,404,NULL,'text/html',NULL,NULL,NULL,NULL,NULL,NULL,1,4559709753219710323,2,0.030986000183474970981,'2026-11-28T19:07:13.087Z',NULL,'2026-11-28T19:07:13.087Z','2026-11-28T19:07:13.087Z',1,NULL,NULL,2,NULL,0,NULL);
INSERT INTO pages VALUES(5,'http://127.0.0.1:8765/old',1,1,301,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,0.036703999967357958666,'2026-11-28T19:07:13.088Z',NULL,'2026-11-28T19:07:13.088Z','2026-11-28T19:07:13.088Z',1,NULL,NULL,NULL,NULL,0,NULL);
CREATE TABLE bodies (
        id INTEGER PRIMARY KEY,
        sha256 TEXT NOT NULL UNIQUE,
        body_bytes INTEGER NOT NULL,
        body BLOB
    ) STRICT
    ;
INSERT INTO bodies VALUES(1,'d7d6012c63a3f7466a7e0421952c4cc74adf00d0d7d79f06d61f3f1021935273',131,X'785e5d89410a03211004bfe2ce0356bc8f0db9e51ba21315d411e325bf0f4b02815c8aea6a3e92c6fd9a62caee0dbceb6e82bb7661fb712eeebb8b030753963c3cd940b8b10d30bf947508e1e2dfa12d11b4a52b73edd93c57f464e7394726bc0109e929a9');
INSERT INTO bodies VALUES(2,'9390298f3fb0c5b160498935d79cb139aef28e1c47358b4bbba61862b9c26e59',2,X'785ecbcb0700014d00de');
INSERT INTO bodies VALUES(3,'2926acfa04c98da86d8f6a47f66b8081650929b4618cf14ec41e392b57a61563',99,X'785e35c9b10d03210c05d0551c06080bfcb3c414a92d3002c5604468b27d8ae8ba273d3c8ae7f35d4aed0c639c7e4c3921fe01ebf34d5bedca327df62c466d6bbd4294c058fcf25d3ee495d2137131e4eec0cd87220aff00b80d20f0');
CREATE TABLE texts (
        body_id INTEGER PRIMARY KEY REFERENCES bodies(id),
        text TEXT NOT NULL
    ) STRICT
    ;
INSERT INTO texts VALUES(1,'Home A gone old');
INSERT INTO texts VALUES(2,'no');
INSERT INTO texts VALUES(3,'Words of A. home');
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
    ;
INSERT INTO links VALUES(1,0,3,'a','A',NULL,0,NULL,NULL);
INSERT INTO links VALUES(1,1,4,'a','gone',NULL,0,NULL,NULL);
INSERT INTO links VALUES(1,2,5,'a','old',NULL,0,NULL,NULL);
INSERT INTO links VALUES(1,3,6,'img',NULL,NULL,0,NULL,NULL);
INSERT INTO links VALUES(3,0,3,'canonical',NULL,'canonical',0,NULL,NULL);
INSERT INTO links VALUES(3,1,1,'a','home',NULL,0,NULL,NULL);
CREATE TABLE sitemap_entries (
        sitemap_id INTEGER NOT NULL REFERENCES urls(id),
        url_id INTEGER NOT NULL REFERENCES urls(id),
        lastmod TEXT,
        priority REAL,
        changefreq TEXT,
        PRIMARY KEY (sitemap_id, url_id)
    ) STRICT, WITHOUT ROWID
    ;
ANALYZE sqlite_schema;
INSERT INTO sqlite_stat1 VALUES('bodies','sqlite_autoindex_bodies_1','3 1');
INSERT INTO sqlite_stat1 VALUES('visits','visits_redirect_to_id','1 1');
INSERT INTO sqlite_stat1 VALUES('visits','visits_url_id','5 1');
INSERT INTO sqlite_stat1 VALUES('scopes','scopes','1 1');
INSERT INTO sqlite_stat1 VALUES('links','links_target_id','6 2');
INSERT INTO sqlite_stat1 VALUES('links','links','6 3 1');
INSERT INTO sqlite_stat1 VALUES('urls','urls_out_of_scope','0 0');
INSERT INTO sqlite_stat1 VALUES('urls','urls_deferred','0 0');
INSERT INTO sqlite_stat1 VALUES('urls','urls_queue','0 0 0 0 0');
INSERT INTO sqlite_stat1 VALUES('urls','urls_hash','6 1');
INSERT INTO sqlite_stat1 VALUES('_sqlite_migrations','idx__sqlite_migrations_migration_set_name','3 3 1');
INSERT INTO sqlite_stat1 VALUES('origins','origins_host_id','1 1');
INSERT INTO sqlite_stat1 VALUES('origins','sqlite_autoindex_origins_1','1 1');
INSERT INTO sqlite_stat1 VALUES('hosts','hosts_registered_domain','1 1');
INSERT INTO sqlite_stat1 VALUES('hosts','sqlite_autoindex_hosts_1','1 1');
ANALYZE sqlite_schema;
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE INDEX hosts_registered_domain ON hosts(registered_domain);
CREATE INDEX origins_host_id ON origins(host_id);
CREATE UNIQUE INDEX urls_hash ON urls(hash);
CREATE INDEX urls_queue ON urls(origin_id, priority, depth, id)
    WHERE state = 'queued'
    ;
CREATE INDEX urls_deferred ON urls(not_before)
    WHERE state = 'queued' AND not_before IS NOT NULL
    ;
CREATE INDEX urls_out_of_scope ON urls(host_id)
    WHERE state = 'skipped' AND reason = 'scope'
    ;
CREATE INDEX visits_url_id ON visits(url_id);
CREATE INDEX visits_redirect_to_id ON visits(redirect_to_id)
    WHERE redirect_to_id IS NOT NULL
    ;
CREATE VIEW "broken_links" AS 
        -- Links that lead nowhere, at once or by redirects, each with its page and its anchor.
        WITH RECURSIVE broken(id, cause_id, hops) AS (
            SELECT id, id, 0
            FROM urls
            WHERE status >= 400 OR state = 'failed'
            UNION
            SELECT visits.url_id, broken.cause_id, broken.hops + 1
            FROM broken
            JOIN visits ON visits.redirect_to_id = broken.id
            JOIN urls ON urls.id = visits.url_id
            WHERE broken.hops < 10
                AND visits.kind <> 'robots'
                AND urls.state = 'done'
                AND visits.id = (
                    SELECT max(latest.id) FROM visits AS latest WHERE latest.url_id = visits.url_id
                )
        )
        SELECT
            source.url AS page,
            target.url AS link,
            links.anchor,
            links.kind,
            cause.status,
            cause.reason,
            iif(broken.hops, cause.url, NULL) AS redirected_to,
            links.region,
            links.position,
            links.source_id,
            links.target_id
        FROM broken
        JOIN links ON links.target_id = broken.id
        JOIN urls AS cause ON cause.id = broken.cause_id
        JOIN urls AS source ON source.id = links.source_id
        JOIN urls AS target ON target.id = links.target_id
;
CREATE VIEW "redirect_chains" AS 
        -- Redirects hop by hop, from each URL that starts a chain.
        WITH RECURSIVE last_visits AS (
            SELECT url_id, max(id) AS id
            FROM visits
            WHERE kind <> 'robots'
            GROUP BY url_id
        ),
        hops AS (
            SELECT visits.url_id, visits.redirect_to_id, visits.status, visits.error
            FROM last_visits
            JOIN visits ON visits.id = last_visits.id
            WHERE visits.redirect_to_id IS NOT NULL
        ),
        chains(start_id, hop, url_id, redirect_to_id, status, error) AS (
            SELECT url_id, 1, url_id, redirect_to_id, status, error
            FROM hops
            WHERE url_id NOT IN (SELECT redirect_to_id FROM hops)
                OR url_id = redirect_to_id
                OR url_id IN (SELECT id FROM urls WHERE hops = 0)
            UNION ALL
            SELECT chains.start_id, chains.hop + 1, hops.url_id, hops.redirect_to_id,
                hops.status, hops.error
            FROM chains
            JOIN hops ON hops.url_id = chains.redirect_to_id
            WHERE chains.hop < 32
                AND chains.redirect_to_id NOT IN (chains.start_id, chains.url_id)
        )
        SELECT
            start.url AS start,
            chains.hop,
            source.url AS url,
            chains.status,
            target.url AS redirects_to,
            target.state AS target_state,
            pages.status AS target_status,
            coalesce(chains.error, target.reason) AS error,
            source.url LIKE 'https:%' AND target.url LIKE 'http:%' AS to_insecure,
            chains.start_id
        FROM chains
        JOIN urls AS start ON start.id = chains.start_id
        JOIN urls AS source ON source.id = chains.url_id
        JOIN urls AS target ON target.id = chains.redirect_to_id
        LEFT JOIN pages ON pages.id = target.id
;
CREATE VIEW "seed_summary" AS 
        -- Each line of the seeds file in the last run, and what became of it.
        SELECT
            seeds.line,
            seeds.text,
            urls.url,
            coalesce(urls.state, 'refused') AS state,
            coalesce(seeds.error, urls.reason) AS reason,
            pages.status,
            pages.title,
            redirected.url AS redirects_to
        FROM seeds
        LEFT JOIN urls ON urls.id = seeds.url_id
        LEFT JOIN pages ON pages.id = seeds.url_id
        LEFT JOIN visits ON visits.id = (
            SELECT max(id) FROM visits WHERE url_id = seeds.url_id AND kind = 'page'
        )
        LEFT JOIN urls AS redirected ON redirected.id = visits.redirect_to_id
        WHERE seeds.run_id = (SELECT max(id) FROM runs)
;
CREATE VIEW "skipped_urls" AS 
        -- URLs that were seen and not fetched, why, and one page that links to them.
        SELECT urls.url, urls.reason, urls.depth, urls.via, found_on.url AS found_on, urls.id
        FROM urls
        LEFT JOIN urls AS found_on ON found_on.id = urls.found_on_id
        WHERE urls.state = 'skipped'
;
CREATE VIEW "crawl_summary" AS 
        -- Every URL ever seen, counted by what became of it, why, and what it answered.
        SELECT state, reason, status, count(*) AS urls
        FROM urls
        GROUP BY state, reason, status
        ORDER BY urls DESC
;
CREATE VIEW "depth_histogram" AS 
        -- Pages and errors by clicks from a seed.
        SELECT
            depth,
            count(*) AS pages,
            sum(status >= 400 OR error IS NOT NULL) AS errors,
            round(avg(ttfb_ms), 1) AS ttfb_ms,
            sum(body_bytes) AS body_bytes
        FROM pages
        GROUP BY depth
        ORDER BY depth
;
CREATE VIEW "host_summary" AS 
        -- What each host gave, what waits for it, and what it waits for.
        SELECT
            hosts.host,
            hosts.pages,
            hosts.queued,
            count(pages.id) AS fetched,
            sum(pages.status BETWEEN 200 AND 299) AS ok,
            sum(pages.status >= 400) AS http_errors,
            sum(pages.error IS NOT NULL) AS errors,
            round(avg(pages.ttfb_ms), 1) AS ttfb_ms,
            hosts.delay_ms,
            hosts.next_fetch_at,
            hosts.blocked_until,
            hosts.block_reason
        FROM hosts
        LEFT JOIN pages ON pages.host_id = hosts.id
        WHERE hosts.queued > 0 OR pages.id IS NOT NULL
        GROUP BY hosts.id
;
CREATE VIEW "slow_pages" AS 
        -- The slowest good pages first, by milliseconds to the first byte.
        SELECT url, round(ttfb_ms, 1) AS ttfb_ms, body_bytes, title, id
        FROM pages
        WHERE status = 200 AND ttfb_ms IS NOT NULL
        ORDER BY pages.ttfb_ms DESC
;
CREATE VIEW "duplicate_titles" AS 
        -- Titles that more than one good page carries.
        SELECT title, count(*) AS pages, min(url) AS example
        FROM pages
        WHERE title IS NOT NULL AND status = 200
        GROUP BY title
        HAVING count(*) > 1
        ORDER BY pages DESC
;
CREATE VIEW "duplicate_pages" AS 
        -- Good pages with the very same visible text.
        SELECT text_hash, count(*) AS pages, min(url) AS example, max(title) AS title
        FROM pages
        WHERE text_hash IS NOT NULL AND status = 200 AND word_count > 0
        GROUP BY text_hash
        HAVING count(*) > 1
        ORDER BY pages DESC
;
CREATE VIEW "missing_metadata" AS 
        -- Good HTML pages without a title, description or h1, or with an overlong title.
        SELECT
            url,
            title IS NULL OR title = '' AS no_title,
            description IS NULL OR description = '' AS no_description,
            h1 IS NULL OR h1 = '' AS no_h1,
            length(title) AS title_length,
            length(description) AS description_length,
            id
        FROM pages
        WHERE status = 200
            AND content_type IN ('text/html', 'application/xhtml+xml')
            AND (
                coalesce(title, '') = ''
                OR coalesce(description, '') = ''
                OR coalesce(h1, '') = ''
                OR length(title) > 60
                OR length(description) > 160
            )
;
CREATE VIEW "images_without_alt" AS 
        -- Images without an alt attribute, with their page (alt="" is right for decoration).
        SELECT source.url AS page, target.url AS image, links.position
        FROM links
        JOIN urls AS source ON source.id = links.source_id
        JOIN urls AS target ON target.id = links.target_id
        WHERE links.kind = 'img' AND links.anchor IS NULL
;
CREATE VIEW "canonical_mismatches" AS 
        -- Pages whose canonical is another URL, and what that URL answered.
        SELECT pages.url, pages.canonical, target.state AS canonical_state,
            other.status AS canonical_status, pages.id
        FROM pages
        JOIN links ON links.source_id = pages.id AND links.kind = 'canonical'
        JOIN urls AS target ON target.id = links.target_id
        LEFT JOIN pages AS other ON other.id = target.id
        WHERE pages.canonical <> pages.url
;
CREATE VIEW "changes" AS 
        -- What the last crawl found new, changed or gone, when there was one before it.
        WITH earlier AS (
            SELECT max(id) AS id
            FROM runs
            WHERE finish_reason = 'finished' AND id < (SELECT max(id) FROM runs)
        ),
        latest AS (
            SELECT min(runs.started_at) AS started_at
            FROM runs, earlier
            WHERE runs.id > earlier.id
        )
        SELECT
            pages.url,
            CASE
                WHEN pages.first_seen_at >= latest.started_at THEN 'new'
                WHEN pages.document_at >= latest.started_at THEN 'changed'
                ELSE 'gone'
            END AS change,
            pages.status,
            pages.error,
            pages.title,
            pages.changed_at,
            pages.id
        FROM pages, latest
        WHERE pages.first_seen_at >= latest.started_at
            OR (pages.changed_at >= latest.started_at AND pages.document_at >= latest.started_at)
            OR (
                pages.fetched_at >= latest.started_at
                AND pages.document_at < latest.started_at
                AND (pages.status >= 400 OR pages.error IS NOT NULL)
            )
;
CREATE VIEW "external_domains" AS 
        -- Other domains that pages link to: how often, and from how many pages.
        SELECT hosts.registered_domain AS domain, count(*) AS links,
            count(DISTINCT links.source_id) AS pages
        FROM urls
        JOIN hosts ON hosts.id = urls.host_id
        JOIN links ON links.target_id = urls.id
        WHERE urls.reason = 'scope' OR (urls.kind = 'check' AND urls.via = 'a')
        GROUP BY hosts.registered_domain
        ORDER BY links DESC
;
CREATE VIEW "orphan_pages" AS 
        -- Pages that a sitemap names and no page links to.
        SELECT pages.url, pages.status, pages.title, sitemap.url AS sitemap, pages.id
        FROM sitemap_entries
        JOIN pages ON pages.id = sitemap_entries.url_id
        JOIN urls AS sitemap ON sitemap.id = sitemap_entries.sitemap_id
        WHERE pages.id NOT IN (
            SELECT target_id
            FROM links
            WHERE source_id <> target_id
        )
;
CREATE INDEX links_target_id ON links(target_id);
PRAGMA application_id = 1129466962;
PRAGMA user_version = 3;
COMMIT;
