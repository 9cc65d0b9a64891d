-- What all migrations of schema.py come to; written by new_file.written().

CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);

CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");

CREATE TABLE runs (
        -- a row: one run: an invocation of crawler crawl on this file
        -- its number; later runs have greater ones
        id INTEGER PRIMARY KEY,
        -- when it began (ISO-8601, UTC)
        started_at TEXT NOT NULL,
        -- when it ended; NULL while it runs, or when it was killed (ISO-8601, UTC)
        finished_at TEXT,
        -- running, finished, interrupted or failed
        state TEXT NOT NULL CHECK (state IN ('running', 'finished', 'interrupted', 'failed')),
        -- why it ended: finished, or the limit that was reached, or killed
        finish_reason TEXT,
        -- all settings it ran under (JSON)
        config TEXT NOT NULL,
        -- the settings its verdicts were made by; empty while some are by others (JSON)
        judging TEXT NOT NULL,
        -- the file its seeds came from, or the archives that it brought in
        seeds_file TEXT,
        -- the crawler's version
        version TEXT NOT NULL,
        -- its process
        pid INTEGER,
        -- pages it fetched (pages)
        pages INTEGER NOT NULL DEFAULT 0,
        -- URLs that failed in it (URLs)
        errors INTEGER NOT NULL DEFAULT 0,
        -- what it received (bytes)
        bytes INTEGER NOT NULL DEFAULT 0
    , via TEXT NOT NULL DEFAULT 'crawl') STRICT
    ;

CREATE TABLE seeds (
        -- a row: a line of a run's seeds that is no comment
        -- its number
        id INTEGER PRIMARY KEY,
        -- the run (runs.id)
        run_id INTEGER NOT NULL REFERENCES runs(id),
        -- its line in the file, from 1
        line INTEGER NOT NULL,
        -- as it was written
        text TEXT NOT NULL,
        -- the URL it names (urls.id); NULL when it is none
        url_id INTEGER REFERENCES urls(id),
        -- it was written without https:// or http:// (0 or 1)
        scheme_assumed INTEGER NOT NULL DEFAULT 0,
        -- why it is no address
        error TEXT
    ) STRICT
    ;

CREATE TABLE hosts (
        -- a row: a host name, and how fast it may be asked
        -- its number
        id INTEGER PRIMARY KEY,
        -- the name, or the address, of URLs
        host TEXT NOT NULL UNIQUE,
        -- the part of the name that can be bought (example.co.uk)
        registered_domain TEXT NOT NULL,
        -- it is the person's own: private, and allowed (0 or 1)
        own INTEGER NOT NULL DEFAULT 0,
        -- the address last connected to
        ip TEXT,
        -- the rest between two requests, as it was last (ms)
        delay_ms INTEGER,
        -- not to be asked before (ISO-8601, UTC)
        next_fetch_at TEXT,
        -- it asked for rest, or is parked, until then (ISO-8601, UTC)
        blocked_until TEXT,
        -- why it rests
        block_reason TEXT,
        -- failures since its last answer (errors)
        errors_in_row INTEGER NOT NULL DEFAULT 0,
        -- its URLs that wait (URLs)
        queued INTEGER NOT NULL DEFAULT 0,
        -- its pages that were fetched, or given up (pages)
        pages INTEGER NOT NULL DEFAULT 0
    , penalty_ms INTEGER, stored_bytes INTEGER NOT NULL DEFAULT 0) STRICT
    ;

CREATE INDEX hosts_registered_domain ON hosts(registered_domain);

CREATE TABLE origins (
        -- a row: a scheme, host and port, and what its robots.txt said
        -- its number
        id INTEGER PRIMARY KEY,
        -- such as https://example.org
        origin TEXT NOT NULL UNIQUE,
        -- its host (hosts.id)
        host_id INTEGER NOT NULL REFERENCES hosts(id),
        -- what robots.txt answered (HTTP status)
        robots_status INTEGER,
        -- why it could not be had
        robots_error TEXT,
        -- when it was asked for; NULL to ask anew (ISO-8601, UTC)
        robots_fetched_at TEXT,
        -- its text as it was sent, without content coding
        robots_body BLOB,
        -- the Crawl-delay that holds for this crawler (s)
        crawl_delay REAL
    , robots_agent TEXT, robots_rules BLOB, robots_widened INTEGER, login_state TEXT, login_detail TEXT) STRICT
    ;

CREATE INDEX origins_host_id ON origins(host_id);

CREATE TABLE urls (
        -- a row: a URL ever seen, and what became of it
        -- its number; pages.id is the same
        id INTEGER PRIMARY KEY,
        -- as browsers write it, without fragment
        url TEXT NOT NULL,
        -- a hash of it, below 2^63
        hash INTEGER NOT NULL,
        -- its host (hosts.id); NULL for mailto: and the like
        host_id INTEGER REFERENCES hosts(id),
        -- its origin (origins.id)
        origin_id INTEGER REFERENCES origins(id),
        -- what it is fetched as: page, robots, sitemap, feed, check, asset or login
        kind TEXT NOT NULL DEFAULT 'page',
        -- queued, done (answered, whatever the status), failed or skipped
        state TEXT NOT NULL CHECK (state IN ('queued', 'done', 'failed', 'skipped')),
        -- why it failed or was skipped; crawler explain WORD tells more
        reason TEXT,
        -- what it answered last; a 304 stands in visits alone (HTTP status)
        status INTEGER,
        -- clicks from the nearest seed (clicks)
        depth INTEGER NOT NULL,
        -- redirects between the link and it (redirects)
        hops INTEGER NOT NULL DEFAULT 0,
        -- lower ones are fetched first; seeds have 0
        priority INTEGER NOT NULL DEFAULT 1,
        -- tries in the present run (tries)
        attempts INTEGER NOT NULL DEFAULT 0,
        -- its next try waits until then (ISO-8601, UTC)
        not_before TEXT,
        -- the kind of the link that brought it, or archive
        via TEXT NOT NULL,
        -- a page that links to it (urls.id)
        found_on_id INTEGER REFERENCES urls(id),
        -- when it was first seen (ISO-8601, UTC)
        first_seen_at TEXT NOT NULL,
        -- the run that first saw it (runs.id)
        run_id INTEGER NOT NULL REFERENCES runs(id)
    ) STRICT
    ;

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

CREATE TABLE scopes (
        -- a row: a part of the web that the seeds brought into the crawl
        -- a host, a domain or a folder, as scope.mode has it
        key TEXT PRIMARY KEY
    , run_id INTEGER) STRICT, WITHOUT ROWID
    ;

CREATE TABLE visits (
        -- a row: one request and its answer: the history of every URL
        -- its number; later visits have greater ones
        id INTEGER PRIMARY KEY,
        -- the run (runs.id)
        run_id INTEGER NOT NULL REFERENCES runs(id),
        -- what was asked for (urls.id)
        url_id INTEGER NOT NULL REFERENCES urls(id),
        -- what for: page, robots, sitemap, feed, check, asset or login
        kind TEXT NOT NULL,
        -- GET or HEAD; POST of a login
        method TEXT NOT NULL,
        -- which try it was; 0: none, for want of its robots.txt (tries)
        attempt INTEGER NOT NULL,
        -- when it began (ISO-8601, UTC)
        started_at TEXT NOT NULL,
        -- what was answered; NULL when nothing was (HTTP status)
        status INTEGER,
        -- why no whole answer came; crawler explain WORD tells more
        error TEXT,
        -- the same, for people
        error_detail TEXT,
        -- the address connected to
        ip TEXT,
        -- 1.0, 1.1 or 2
        http_version TEXT,
        -- to resolve the name; NULL on a kept connection (ms)
        dns_ms REAL,
        -- to connect (ms)
        connect_ms REAL,
        -- to secure the connection (ms)
        tls_ms REAL,
        -- from the request to the first byte (ms)
        ttfb_ms REAL,
        -- all of it (ms)
        total_ms REAL,
        -- of the body as it was sent (bytes)
        wire_bytes INTEGER NOT NULL DEFAULT 0,
        -- of the body when it is unpacked (bytes)
        body_bytes INTEGER NOT NULL DEFAULT 0,
        -- why the document is not whole: length, disconnect, time, parse ...
        truncated TEXT,
        -- the media type, looked at, not only declared
        content_type TEXT,
        -- the encoding it was read in
        charset TEXT,
        -- the ETag header
        etag TEXT,
        -- the Last-Modified header
        last_modified TEXT,
        -- all headers; NULL on a 304 (JSON)
        headers TEXT,
        -- where a redirect leads (urls.id)
        redirect_to_id INTEGER REFERENCES urls(id),
        -- 304: the document is as it was (0 or 1)
        not_modified INTEGER NOT NULL DEFAULT 0,
        -- what was sent (bodies.id)
        body_id INTEGER REFERENCES bodies(id),
        -- the title it had
        title TEXT,
        -- a hash of the visible text
        text_hash INTEGER
    , canonical TEXT, tls_version TEXT, tls_cipher TEXT, tls_weak INTEGER, challenge TEXT, note TEXT, changed INTEGER NOT NULL DEFAULT 1, certificate_until TEXT, worker_id INTEGER REFERENCES workers(id)) STRICT
    ;

CREATE INDEX visits_url_id ON visits(url_id);

CREATE INDEX visits_redirect_to_id ON visits(redirect_to_id)
    WHERE redirect_to_id IS NOT NULL
    ;

CREATE TABLE pages (
        -- a row: a URL fetched as a page, as of its last visit: what people query
        -- the number of its URL (urls.id)
        id INTEGER PRIMARY KEY REFERENCES urls(id),
        -- its address
        url TEXT NOT NULL,
        -- its host (hosts.id)
        host_id INTEGER REFERENCES hosts(id),
        -- clicks from the nearest seed (clicks)
        depth INTEGER NOT NULL,
        -- what it answered last (HTTP status)
        status INTEGER,
        -- why the last visit brought no whole answer
        error TEXT,
        -- the media type, looked at, not only declared
        content_type TEXT,
        -- its title
        title TEXT,
        -- its meta description
        description TEXT,
        -- its first heading of the first level that is not empty
        h1 TEXT,
        -- the language it declares
        lang TEXT,
        -- the address it names as its own
        canonical TEXT,
        -- what it asks of robots (meta robots and X-Robots-Tag)
        meta_robots TEXT,
        -- words of visible text (words)
        word_count INTEGER,
        -- a hash of the visible text
        text_hash INTEGER,
        -- of the body when it is unpacked (bytes)
        body_bytes INTEGER,
        -- from the request to the first byte (ms)
        ttfb_ms REAL,
        -- when it was last visited (ISO-8601, UTC)
        fetched_at TEXT NOT NULL,
        -- when the document was fetched that the row describes (ISO-8601, UTC)
        document_at TEXT,
        -- when it was first fetched (ISO-8601, UTC)
        first_seen_at TEXT NOT NULL,
        -- when its text or bytes were first seen as they are now (ISO-8601, UTC)
        changed_at TEXT,
        -- how often it was visited (visits)
        visits INTEGER NOT NULL DEFAULT 1,
        -- the ETag header of the document
        etag TEXT,
        -- the Last-Modified header of the document
        last_modified TEXT,
        -- the bytes of the document (bodies.id)
        body_id INTEGER REFERENCES bodies(id),
        -- links to it; filled by an analysis of the crawl; NULL until then (links)
        inlinks INTEGER,
        -- links on it (links)
        outlinks INTEGER,
        -- how well it is linked; filled by an analysis of the crawl; NULL until then
        link_score REAL
    , document_status INTEGER, partial TEXT, made_under INTEGER, challenge TEXT, canonical_id INTEGER REFERENCES urls(id), followed_inlinks INTEGER, indexable_inlinks INTEGER, clicks INTEGER, score_percentile REAL, indexable INTEGER, indexability_reason TEXT, rendered INTEGER NOT NULL DEFAULT 0) STRICT
    ;

CREATE TABLE texts (
        -- a row: the visible text of a body
        -- the body (bodies.id)
        body_id INTEGER PRIMARY KEY REFERENCES bodies(id),
        -- what a reader sees
        text TEXT NOT NULL
    ) STRICT
    ;

CREATE TABLE links (
        -- a row: one occurrence of a link on the last good version of a page
        -- the page that carries it (urls.id)
        source_id INTEGER NOT NULL REFERENCES urls(id),
        -- its place among the links of the page, from 0
        position INTEGER NOT NULL,
        -- where it leads (urls.id)
        target_id INTEGER NOT NULL REFERENCES urls(id),
        -- a, img, script, canonical and so on
        kind TEXT NOT NULL,
        -- its visible text; the alt text of an image
        anchor TEXT,
        -- its rel attribute
        rel TEXT,
        -- it, or the page, asks not to be followed (0 or 1)
        nofollow INTEGER NOT NULL DEFAULT 0,
        -- what stood behind #
        fragment TEXT,
        -- nav, header, main or footer, where it stands in one
        region TEXT, via TEXT,
        PRIMARY KEY (source_id, position)
    ) STRICT, WITHOUT ROWID
    ;

CREATE TABLE sitemap_entries (
        -- a row: an entry of a sitemap or feed
        -- the sitemap (urls.id)
        sitemap_id INTEGER NOT NULL REFERENCES urls(id),
        -- what it names (urls.id)
        url_id INTEGER NOT NULL REFERENCES urls(id),
        -- as written
        lastmod TEXT,
        -- as written, 0.0 to 1.0
        priority REAL,
        -- as written
        changefreq TEXT,
        PRIMARY KEY (sitemap_id, url_id)
    ) STRICT, WITHOUT ROWID
    ;

CREATE TABLE _crawler_views (name TEXT NOT NULL UNIQUE) STRICT;

CREATE TABLE "bodies" (
            id INTEGER PRIMARY KEY,
            sha256 TEXT NOT NULL,
            body_bytes INTEGER NOT NULL,
            body BLOB,
            content_type TEXT NOT NULL DEFAULT '',
            charset TEXT NOT NULL DEFAULT '',
            UNIQUE (sha256, content_type, charset)
        ) STRICT
        ;

CREATE INDEX seeds_url_id ON seeds(url_id);

CREATE TABLE columns_help (
            "table" TEXT NOT NULL,
            "column" TEXT NOT NULL,
            meaning TEXT NOT NULL,
            unit TEXT,
            UNIQUE ("table", "column")
        ) STRICT
        ;

CREATE TABLE query_paths (
            origin_id INTEGER NOT NULL REFERENCES origins(id),
            path TEXT NOT NULL,
            queries INTEGER NOT NULL,
            PRIMARY KEY (origin_id, path)
        ) STRICT, WITHOUT ROWID
        ;

CREATE TABLE facts (
    body_id INTEGER PRIMARY KEY REFERENCES bodies(id),  -- the body that was read
    version INTEGER NOT NULL,  -- of the reading; an older one is read again
    error TEXT,  -- why nothing was read: timeout, lost (its process died), site_too_slow (others of its site took too long), encrypted, broken, or the name of an error
    doctype INTEGER,  -- 1: a doctype stands first, 0: none, or something before it
    charset TEXT,  -- declared by a meta in the first 1,024 bytes, as written
    head_ended_by TEXT,  -- what ended the head: an element's name, or #text
    lang TEXT,  -- of the html element, as written
    title TEXT,  -- the first title
    titles INTEGER,  -- title elements
    titles_outside INTEGER,  -- those after the head had ended
    description TEXT,  -- the first meta description
    descriptions INTEGER,  -- meta descriptions
    descriptions_outside INTEGER,  -- those after the head had ended
    robots TEXT,  -- contents of meta robots, in order, with commas between
    robots_outside INTEGER,  -- meta robots after the head had ended
    canonical_href TEXT,  -- of the first link rel=canonical, as written
    canonicals INTEGER,  -- links rel=canonical
    canonical_values INTEGER,  -- different addresses that they name, as written
    canonicals_outside INTEGER,  -- those after the head had ended
    canonical_attributes TEXT,  -- hreflang, lang, media, type that stand on one
    base_href TEXT,  -- of the first base, as written
    refresh TEXT,  -- content of the first meta refresh
    metas_outside INTEGER,  -- meta (but itemprop) and link that belong in the head, after it
    viewport TEXT,  -- content of the first meta viewport
    og_title TEXT,  -- Open Graph: title
    og_type TEXT,  -- Open Graph: type
    og_image TEXT,  -- Open Graph: image, as written
    og_url TEXT,  -- Open Graph: url, as written
    twitter_card TEXT,  -- content of twitter:card
    jsonld_blocks INTEGER,  -- scripts of type application/ld+json
    jsonld_invalid INTEGER,  -- those that are not JSON
    microdata INTEGER,  -- elements with itemscope
    rdfa INTEGER,  -- elements with typeof
    outline TEXT,  -- levels of h1 to h6 in order, such as 1223
    headings_empty INTEGER,  -- h1 to h6 without text or alt
    h1s INTEGER,  -- h1 elements
    h2s INTEGER,  -- h2 elements
    ids TEXT,  -- ids and names of anchors that a fragment may mean, by spaces
    ids_duplicate TEXT,  -- ids that stand on more than one element, by spaces
    forms INTEGER,  -- form elements
    passwords INTEGER,  -- password fields
    scripts INTEGER,  -- script elements that run
    inline_bytes INTEGER,  -- bytes of scripts and styles in the page
    frames INTEGER,  -- frame, object, embed and applet elements
    mains INTEGER,  -- main landmarks
    names_missing INTEGER,  -- links, buttons, fields, iframes that nothing names
    pictures_empty INTEGER,  -- picture elements without an img
    links_uncrawlable INTEGER,  -- a: javascript:, onclick without href, or bare #
    nodes INTEGER,  -- elements
    depth INTEGER,  -- elements within each other, at the deepest
    hidden_words INTEGER,  -- words in elements that an inline style hides
    newest_date TEXT,  -- the newest date that markup names: time, article:*, JSON-LD
    main_words INTEGER,  -- words of the main text
    main_hash INTEGER,  -- 63-bit number of the main text
    language TEXT,  -- detected of the main text; needs crawler[language]
    language_score REAL,  -- how certain that is, 0 to 1
    signature BLOB,  -- MinHash of the main text: 128 numbers of 32 bits
    sentences INTEGER,  -- sentences of the main text: ends of sentences before a space
    syllables INTEGER,  -- groups of vowels in the main text, at least one a word
    heads INTEGER,  -- how often the source begins a head
    bodies INTEGER,  -- how often the source begins a body
    text_first INTEGER,  -- 1: text stands before the html element
    anchors INTEGER,  -- a and area that lead somewhere
    secrets TEXT,  -- keys that nobody should see: whose, with their beginnings, by spaces
    byte_order_mark INTEGER,  -- 1: the body begins with one
    language_by TEXT,  -- what looked for the language, with its version; NULL: nothing did
    author TEXT,  -- of a PDF: who wrote it
    pages INTEGER,  -- of a PDF: its pages
    pages_read INTEGER,  -- of a PDF: its pages whose text is in texts
    text_cut TEXT  -- of a PDF: why its text is not whole: pages, time, text or broken
) STRICT;

CREATE TABLE headings (
    body_id INTEGER NOT NULL REFERENCES bodies(id),  -- the body that it stands in
    position INTEGER NOT NULL,  -- among all headings, from 0
    level INTEGER NOT NULL,  -- 1 or 2
    text TEXT NOT NULL,  -- its text, with the alt texts of images
    image_only INTEGER NOT NULL,  -- 1: all of the text is alt text
    PRIMARY KEY (body_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE meta_tags (
    body_id INTEGER NOT NULL REFERENCES bodies(id),  -- the body that it stands in
    position INTEGER NOT NULL,  -- among all meta elements, from 0
    name TEXT NOT NULL,  -- name, property or http-equiv, lower case; robots, og, http-equiv ...
    content TEXT NOT NULL,  -- its content, white space folded
    in_head INTEGER NOT NULL,  -- 0: after the head had ended
    PRIMARY KEY (body_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE link_facts (
    body_id INTEGER NOT NULL REFERENCES bodies(id),  -- the body that it stands in
    position INTEGER NOT NULL,  -- as links.position of pages with this body
    hreflang TEXT,  -- as written
    href TEXT,  -- as written, where that matters: see flags
    width TEXT,  -- of an image, as written
    height TEXT,  -- of an image, as written
    loading TEXT,  -- of an image or frame, as written
    flags TEXT,  -- by spaces: blank (new window without noopener), unnamed, image (all it holds), alt_empty, spaces, protocol_relative, relative (canonical, alternate, next, prev), outside_head, integrity, first_image, unc, session (an identifier of one was taken out)
    PRIMARY KEY (body_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE structured_data (
    body_id INTEGER NOT NULL REFERENCES bodies(id),  -- the body that it stands in
    position INTEGER NOT NULL,  -- among the page's JSON-LD items and microdata, from 0
    syntax TEXT NOT NULL,  -- json-ld, microdata or rdfa
    type TEXT,  -- its type, as written; several by spaces
    context TEXT,  -- @context of JSON-LD, where it is one text
    error TEXT,  -- why it does not parse
    data TEXT,  -- the item as JSON, where it is JSON-LD of at most 16 KiB
    PRIMARY KEY (body_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE near_duplicates (
    body_id INTEGER PRIMARY KEY REFERENCES bodies(id),  -- a member of a group
    leader_id INTEGER NOT NULL REFERENCES bodies(id),  -- the group's first body
    similarity REAL NOT NULL,  -- share of 3-word shingles of main text in common with it
    exact INTEGER  -- 1: these were counted, 0: estimated by signatures, right to about 0.05
) STRICT;

CREATE TABLE missing_fragments (
    source_id INTEGER NOT NULL REFERENCES urls(id),  -- the page that carries the link
    position INTEGER NOT NULL,  -- the link, as links.position
    target_id INTEGER NOT NULL REFERENCES urls(id),  -- the good page that lacks it
    fragment TEXT NOT NULL,  -- percent-decoded
    PRIMARY KEY (source_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE checks (
    name TEXT PRIMARY KEY,  -- the check's word
    position INTEGER NOT NULL,  -- in the catalogue, from 1
    group_name TEXT NOT NULL,  -- the group that it belongs to
    severity TEXT NOT NULL,  -- error, warning or note
    definition TEXT NOT NULL,  -- when it fires, in a sentence
    limits TEXT NOT NULL,  -- JSON: its thresholds as they were used last
    needs TEXT NOT NULL,  -- what must be there for it to be judged, by spaces
    sql TEXT  -- what finds it; NULL where that is no SQL
) STRICT;

CREATE TABLE findings (
    check_name TEXT NOT NULL REFERENCES checks(name),  -- what fired
    url_id INTEGER NOT NULL REFERENCES urls(id),  -- the page that one would edit
    item TEXT NOT NULL DEFAULT '',  -- what on it, where there may be several
    evidence TEXT NOT NULL,  -- JSON: the values that made it fire
    first_run_id INTEGER NOT NULL REFERENCES runs(id),  -- the first run that showed it
    since_run_id INTEGER NOT NULL REFERENCES runs(id),  -- the run since which it is open
    last_run_id INTEGER NOT NULL REFERENCES runs(id),  -- the last run that showed it
    fixed_run_id INTEGER REFERENCES runs(id),  -- the run that saw the page without it
    PRIMARY KEY (check_name, url_id, item)
) STRICT;

CREATE TABLE runs_checks (
    run_id INTEGER NOT NULL REFERENCES runs(id),  -- the run whose end was judged
    check_name TEXT NOT NULL REFERENCES checks(name),  -- the check
    judged INTEGER NOT NULL,  -- 1: yes, 0: it could not be
    reason TEXT,  -- why it could not be, or what it could not see
    found INTEGER NOT NULL DEFAULT 0,  -- findings
    new INTEGER NOT NULL DEFAULT 0,  -- of these, open since this run
    fixed INTEGER NOT NULL DEFAULT 0,  -- findings that this run saw mended
    PRIMARY KEY (run_id, check_name)
) STRICT;

CREATE INDEX findings_url_id ON findings(url_id);

CREATE TABLE extract_rules (
    name TEXT PRIMARY KEY,  -- the rule: a column of the view extracted
    position INTEGER NOT NULL,  -- among the rules, from 0
    css TEXT NOT NULL,  -- what is selected, as a selector of CSS; or xpath
    xpath TEXT NOT NULL,  -- what is selected, as XPath 1.0
    attribute TEXT NOT NULL,  -- what of it is taken; empty for its text
    many INTEGER NOT NULL,  -- 1: all that is selected, 0: the first
    type TEXT NOT NULL,  -- text, number, date, url or count
    include TEXT NOT NULL  -- JSON: patterns, one of which a page's URL matches; [] for any
, sites TEXT NOT NULL DEFAULT '[]') STRICT;

CREATE TABLE extracts (
    page_id INTEGER NOT NULL REFERENCES pages(id),  -- the page (pages.id)
    rule TEXT NOT NULL REFERENCES extract_rules(name),  -- the rule that took it
    position INTEGER NOT NULL,  -- among what the rule took of the page, from 0
    value TEXT NOT NULL,  -- what it took, as text; of a date ISO 8601
    number REAL,  -- the same as a number, where the rule's type is number or count
    PRIMARY KEY (page_id, rule, position)
) STRICT;

CREATE TABLE extract_pages (
    page_id INTEGER PRIMARY KEY REFERENCES pages(id),  -- a page that was read for the rules
    body_id INTEGER REFERENCES bodies(id),  -- the body that was read
    rules TEXT NOT NULL,  -- which rules it was read by, as a digest
    error TEXT  -- why not all was taken: gone (the page answers otherwise, or redirects), cut, no_body, timeout, lost, site_too_slow or an error
) STRICT;

CREATE INDEX visits_changed ON visits(run_id, url_id)
        WHERE changed = 1 AND kind = 'page' AND run_id > 1
        ;

CREATE TABLE body_forms (
    body_id INTEGER PRIMARY KEY REFERENCES bodies(id),  -- the body that was looked at
    version INTEGER NOT NULL,  -- of the reading; an older one is made again
    sniffed TEXT,  -- the media type that its first bytes tell; NULL: nothing could be read
    root TEXT,  -- name of the first element; NULL: it is no XML
    namespace TEXT,  -- of that element
    is_page INTEGER NOT NULL,  -- 1: it begins as HTML
    is_list INTEGER NOT NULL,  -- 1: one address a line, as far as its first 64 KiB tell
    unpacked_bytes INTEGER NOT NULL  -- its length, unpacked where it is a gzip file itself
) STRICT;

CREATE TABLE run_pages (
    run_id INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE,  -- the last run at whose end the page had these values
    page_id INTEGER NOT NULL REFERENCES pages(id),  -- the page
    inlinks INTEGER,  -- as pages.inlinks was
    clicks INTEGER,  -- as pages.clicks was
    PRIMARY KEY (page_id, run_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE indexed_texts (
    body_id INTEGER PRIMARY KEY REFERENCES bodies(id),  -- the body whose text is searched
    title TEXT NOT NULL,  -- its title; empty where it has none
    text_bytes INTEGER NOT NULL,  -- of its text when it was indexed, as UTF-8
    text_hash INTEGER  -- 63-bit number of that text
) STRICT;

CREATE TABLE spaced_texts (
    body_id INTEGER PRIMARY KEY REFERENCES bodies(id),  -- a body that is spelt otherwise
    title TEXT,  -- its title as it is searched; NULL: as it was written
    text TEXT  -- its text as it is searched: U+200B behind each Chinese, Japanese, Korean, Thai character, forms of one letter alike; NULL: as it was written
) STRICT;

CREATE TABLE revisits (
    url_id INTEGER PRIMARY KEY REFERENCES urls(id),  -- the page (urls.id)
    visited_at TEXT NOT NULL,  -- its last visit when this was planned
    accesses INTEGER NOT NULL,  -- visits that tell whether it had changed, of the last 20
    changes INTEGER NOT NULL,  -- of these, those that found it changed
    changes_per_day REAL NOT NULL,  -- how often it changes, as far as these tell
    interval_s INTEGER NOT NULL,  -- seconds to the next visit
    due_at TEXT NOT NULL,  -- when it is to be visited again
    often_s REAL NOT NULL  -- revisit.often_s when this was planned
) STRICT;

CREATE INDEX revisits_due_at ON revisits(due_at);

CREATE TABLE compared_runs (
    from_run INTEGER NOT NULL REFERENCES runs(id),  -- the earlier run
    to_run INTEGER NOT NULL REFERENCES runs(id),  -- the later one
    version INTEGER NOT NULL,  -- of the comparison; an older one is made again
    PRIMARY KEY (from_run, to_run)
) STRICT;

CREATE TABLE run_differences (
    from_run INTEGER NOT NULL REFERENCES runs(id),  -- the earlier run
    to_run INTEGER NOT NULL REFERENCES runs(id),  -- the later one
    url_id INTEGER NOT NULL REFERENCES urls(id),  -- the page (urls.id)
    change TEXT NOT NULL,  -- what became of it; see the view differences
    new_status INTEGER NOT NULL,  -- 1: its status is another
    new_place INTEGER NOT NULL,  -- 1: it redirects elsewhere
    new_title INTEGER NOT NULL,  -- 1: its title is another
    new_text INTEGER NOT NULL,  -- 1: its text is another
    new_canonical INTEGER NOT NULL,  -- 1: its canonical is another
    answer_before_id INTEGER,  -- the visit that tells its answer before (visits.id)
    document_before_id INTEGER,  -- the visit that brought its document before (visits.id)
    now_id INTEGER NOT NULL,  -- its last visit (visits.id)
    answer_id INTEGER NOT NULL,  -- the visit that tells its answer (visits.id)
    document_id INTEGER  -- the visit that brought its document (visits.id)
) STRICT;

CREATE UNIQUE INDEX run_differences_pages ON run_differences(to_run, from_run, change, url_id);

CREATE TABLE cookies (
    name TEXT NOT NULL,  -- its name
    value TEXT NOT NULL,  -- what is sent back: may let its bearer in
    domain TEXT NOT NULL,  -- the host that it is for
    path TEXT NOT NULL,  -- the beginning of the paths that it is for
    host_only INTEGER NOT NULL,  -- 1 when it is for no name below the domain
    secure INTEGER NOT NULL,  -- 1 when it is for https alone
    http_only INTEGER NOT NULL,  -- 1 when scripts may not see it
    expires REAL,  -- epoch seconds; none for the end of a browser's session
    created REAL NOT NULL  -- epoch seconds when it was first set
) STRICT;

CREATE TABLE renders (
    visit_id INTEGER PRIMARY KEY REFERENCES visits(id),  -- the visit whose page was shown (visits.id)
    error TEXT,  -- why it could not be shown, and the page stands as it was sent
    done_by TEXT,  -- why it was taken as done: still (nothing changed any more), time (it went on), or NULL
    cpu_ms REAL,  -- of the process that showed it, in ms
    total_ms REAL,  -- all of it by the clock, in ms
    final_url TEXT,  -- its address when it was done, where scripts have changed that
    body_id INTEGER REFERENCES bodies(id),  -- what was shown, as HTML (bodies.id); NULL where that adds nothing to what was sent
    body_bytes INTEGER NOT NULL,  -- of what was shown
    raw_title TEXT,  -- the title of what was sent
    raw_description TEXT,  -- its meta description
    raw_h1 TEXT,  -- its first h1 that is not empty
    raw_canonical TEXT,  -- the canonical that it names
    raw_meta_robots TEXT,  -- what it asks of robots
    raw_word_count INTEGER,  -- words of its visible text
    raw_text_hash INTEGER,  -- a hash of its visible text
    raw_links INTEGER NOT NULL  -- links on it
) STRICT;

CREATE TABLE screenshots (
    visit_id INTEGER PRIMARY KEY REFERENCES visits(id),  -- the visit whose page was shown (visits.id)
    media_type TEXT NOT NULL,  -- of the picture
    width INTEGER NOT NULL,  -- pixels
    height INTEGER NOT NULL,  -- pixels
    image BLOB NOT NULL  -- the picture: what a visitor sees without scrolling
) STRICT;

CREATE TABLE requests (
    visit_id INTEGER NOT NULL REFERENCES visits(id),  -- the visit whose page was shown (visits.id)
    position INTEGER NOT NULL,  -- its place among what the page asked for, from 0
    target_id INTEGER NOT NULL REFERENCES urls(id),  -- what was asked for (urls.id)
    type TEXT NOT NULL,  -- what for: Script, Stylesheet, XHR, Fetch, Document, Robots ...
    method TEXT NOT NULL,  -- such as GET
    started_at TEXT NOT NULL,  -- when it was asked for
    status INTEGER,  -- what was answered (HTTP status); NULL when nothing was
    reason TEXT,  -- why it was not asked for, or got no whole answer; crawler explain WORD
    cached INTEGER NOT NULL,  -- 1: its answer to an earlier page of this run was used
    ip TEXT,  -- the address connected to
    http_version TEXT,  -- 1.0 or 1.1
    total_ms REAL,  -- all of it, in ms
    wire_bytes INTEGER NOT NULL,  -- of the body as it was sent
    body_bytes INTEGER NOT NULL,  -- of the body when it is unpacked
    content_type TEXT,  -- its media type, as it was sent
    headers TEXT,  -- all headers of the answer, as JSON; NULL where it was cached
    body_id INTEGER REFERENCES bodies(id),  -- what was sent (bodies.id); NULL where it was cached, and where bodies are not kept
    PRIMARY KEY (visit_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE console (
    visit_id INTEGER NOT NULL REFERENCES visits(id),  -- the visit whose page was shown (visits.id)
    position INTEGER NOT NULL,  -- in order, from 0; 100 are kept
    level TEXT NOT NULL,  -- exception (nobody caught it), error, warning, info ...
    text TEXT NOT NULL,  -- what was said, cut
    url TEXT,  -- the script that said it
    line INTEGER,  -- its line, from 1
    PRIMARY KEY (visit_id, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX requests_body_id ON requests(body_id) WHERE body_id IS NOT NULL;

CREATE TABLE shard (
    number INTEGER PRIMARY KEY,  -- which of them this file is, from 1
    shards INTEGER NOT NULL,  -- how many there are
    nonce INTEGER NOT NULL  -- tells this file from another that is the same shard
, crawl INTEGER NOT NULL DEFAULT 0) STRICT;

CREATE TABLE peers (
    number INTEGER PRIMARY KEY,  -- another shard, from 1
    nonce INTEGER NOT NULL,  -- its file; see shard.nonce
    sent INTEGER NOT NULL DEFAULT 0,  -- the last message that was written for it
    taken INTEGER NOT NULL DEFAULT 0  -- its last message that is in this file
) STRICT;

CREATE TABLE outbox (
    peer INTEGER NOT NULL,  -- the shard that it is for
    number INTEGER NOT NULL,  -- of the message, from 1 for each shard
    message BLOB NOT NULL,  -- links and seeds (MessagePack); gone when they are in its file
    PRIMARY KEY (peer, number)
) STRICT;

CREATE TABLE shard_chains (
    hash INTEGER PRIMARY KEY,  -- of a URL to which redirects have led (urls.hash)
    seed TEXT NOT NULL  -- the seed, in another shard's file, at which they began
) STRICT;

CREATE TABLE workers (
    id INTEGER PRIMARY KEY,  -- its number
    run_id INTEGER NOT NULL REFERENCES runs(id),  -- the run that it worked for (runs.id)
    key TEXT NOT NULL,  -- by which its conductor knew it
    name TEXT NOT NULL,  -- its host and process, as it said itself
    processes INTEGER NOT NULL,  -- so many of its processes fetched
    joined_at TEXT NOT NULL,  -- when it joined, ISO-8601, UTC
    beat_at TEXT NOT NULL,  -- when it last gave a sign of life, as far as was written down
    left_at TEXT,  -- when it left; NULL while it is there, or when nobody knows
    left_reason TEXT,  -- why it left
    visits INTEGER NOT NULL,  -- visits that it has sent
    bytes INTEGER NOT NULL,  -- bytes of bodies that it has received
    refused INTEGER NOT NULL,  -- visits of it that were dropped, for nothing was out
    network TEXT NOT NULL  -- up, or since when its network was down
) STRICT;

CREATE TABLE shard_passed (
    hash INTEGER PRIMARY KEY  -- of a seed, or of where one redirects to, and of its shard
) STRICT;

INSERT INTO _sqlite_migrations (migration_set, name, applied_at)
SELECT 'crawler', column1, strftime('%Y-%m-%d %H:%M:%f+00:00', 'now')
FROM (VALUES 
    ('first_schema'),
    ('first_views'),
    ('links_are_indexed_at_the_end'),
    ('changes_are_computed_from_visits'),
    ('views_made'),
    ('visits_tell_their_tls'),
    ('documents_are_held_whole_or_not'),
    ('bodies_are_told_apart_by_how_they_are_read'),
    ('scopes_are_those_of_a_run'),
    ('rules_are_kept_as_they_were_read'),
    ('columns_have_a_dictionary'),
    ('queries_of_a_path_are_counted_over_all_runs'),
    ('visits_have_notes'),
    ('what_analysis_finds'),
    ('hosts_tell_what_is_stored_of_them'),
    ('what_rules_take_out_of_pages'),
    ('visits_tell_whether_they_found_anything_new'),
    ('forms_of_bodies_and_what_pages_counted'),
    ('texts_are_searched'),
    ('when_pages_are_visited_again'),
    ('visits_tell_when_certificates_end'),
    ('what_differs_between_runs'),
    ('runs_tell_whether_they_fetched'),
    ('cookies_go_on_from_run_to_run'),
    ('pages_are_seen_as_browsers_show_them'),
    ('crawls_have_shards'),
    ('visits_tell_which_machine_fetched'),
    ('origins_tell_how_far_their_logins_are'),
    ('rules_of_extraction_are_for_some_sites'),
    ('shards_know_what_they_have_passed_on')
)
