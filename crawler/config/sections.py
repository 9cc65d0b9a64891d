"""What can be asked for, and what holds where nothing is said?

One frozen section per room. Every default of the program stands here and nowhere else;
``config/crawl.toml`` is generated from this module.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

Positive = Annotated[float, msgspec.Meta(gt=0)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Count = Annotated[int, msgspec.Meta(ge=0)]
AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]
Scope = Literal["page", "prefix", "host", "domain", "any"]
Http2 = Literal["auto", "never", "always"]
AUTHORITIES = "SSL_CERT_FILE"
"""Names, in the environment, a PEM file of authorities instead of certifi's; OpenSSL's own word."""
SYSTEM_STORE = "system"
"""In place of a PEM file: the authorities of this machine."""


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Shared by all sections: frozen, and an unknown key is refused."""


class Secret(Section, frozen=True, omit_defaults=True):
    """A text that only the site it is for may see. env: the variable that it was read from."""

    value: str
    env: str = ""

    def __repr__(self) -> str:
        return "Secret(***)"


class ScopeConfig(Section, frozen=True):
    """Which URLs belong to this crawl?

    mode: page (only the seeds), prefix (below the seeds' folders), host (the seeds' hosts; http,
        https and www. count as one, another port does not), domain (their registered domains), any.
    include: when given, a URL outside the seeds must match one of these regular expressions (RE2).
    exclude: a URL that matches one of these is skipped; it wins over include.
    max_depth: clicks from a seed.
    max_pages_per_host: pages of one host; more are ``skipped: host_cap``.
    max_bytes_per_host: what is stored of one host (bodies, texts, links, the addresses they lead
        to), and as much again of what an audit finds on it; more is ``skipped: host_cap``.
    max_hosts_per_domain, max_pages_per_domain: of one registered domain, against wildcard names;
        more are ``skipped: domain_cap``.
    max_queries_per_path: queries of one path (``/calendar?day=...``); more are ``skipped: trap``.
    allow_private: hosts, addresses or CIDR blocks on private or loopback addresses that may be
        fetched.
    follow_nofollow: fetch targets of rel=nofollow links too.
    check: also ask for ``external`` links with HEAD, without reading them, and for ``assets``, as
        assets.mode does.
    traps: skip URLs of endless series (repeated segments, endless queries) as ``trap``.
    strip_parameters: taken out of every address, besides the identifiers of sessions that are known
        (``jsessionid``, ``PHPSESSID`` ...): names, at their end ``*`` for any rest (``utm_*``).
    """

    mode: Scope = "host"
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    max_depth: Count = 50
    max_pages_per_host: AtLeastOne = 100_000
    max_bytes_per_host: AtLeastOne = 1024 * 1024 * 1024
    max_hosts_per_domain: AtLeastOne = 1_000
    max_pages_per_domain: AtLeastOne = 1_000_000
    max_queries_per_path: AtLeastOne = 10_000
    allow_private: tuple[str, ...] = ()
    follow_nofollow: bool = False
    check: tuple[Literal["assets", "external"], ...] = ()
    traps: bool = True
    strip_parameters: tuple[str, ...] = ()


class RobotsConfig(Section, frozen=True):
    """How is robots.txt kept?

    obey: robots.txt is fetched and obeyed (RFC 9309).
    max_age_s: rules older than this are fetched again.
    max_bytes: of a rules file, what lies beyond is ignored (RFC 9309, section 2.5).
    crawl_delay_max_s: a Crawl-delay above this counts as this.
    first_s: time for a host's first robots.txt, so that hosts that never answer keep no others
        waiting; the next try has all the time of a fetch.
    sitemaps: read the sitemaps that robots.txt names, or /sitemap.xml where it names none.
    """

    obey: bool = True
    max_age_s: Positive = 86_400
    max_bytes: AtLeastOne = 500 * 1024
    crawl_delay_max_s: NotNegative = 60
    first_s: Positive = 5
    sitemaps: bool = True


class PaceConfig(Section, frozen=True):
    """How hard may a host be asked?

    gap_s: least rest between the end of a reply and the next request to a public host.
    response_factor: the rest is at least this times the host's recent response time.
    own_gap_s, own_in_flight: the same for the person's own hosts (loopback or private, and
        allowed), and how many requests may be in flight to one of them.
    own_is_public: treat own hosts like public ones (for trials of politeness).
    per_ip, per_domain: requests in flight to one public address, and to one registered domain.
    retry_after_max_s: a longer Retry-After counts as this.
    tries: fetches of one URL before it is given up.
    retry_base_s: first back-off; each further one doubles it.
    park_after: errors that park a host, when nearly all of its last answers are such. park_s: how
        long; then it is tried again. own_park_s: how long one of the person's own.
    """

    gap_s: NotNegative = 0.5
    response_factor: NotNegative = 1.0
    own_gap_s: NotNegative = 0.0
    own_in_flight: AtLeastOne = 64
    own_is_public: bool = False
    per_ip: AtLeastOne = 4
    per_domain: AtLeastOne = 4
    retry_after_max_s: NotNegative = 3600
    tries: AtLeastOne = 3
    retry_base_s: NotNegative = 5.0
    park_after: AtLeastOne = 20
    park_s: NotNegative = 900
    own_park_s: NotNegative = 30


class FetchConfig(Section, frozen=True):
    """How is a URL fetched, and when is enough enough?

    user_agent: product token and version; contact: a URL or e-mail address put behind it.
    robots_token: the name by which robots.txt, meta tags and X-Robots-Tag address this crawler;
        empty for that of the user agent (of one that is ``compatible;``, the name behind that).
    connect_s, read_s, total_s: limits for connecting, for silence, and for the whole URL.
    max_body_bytes, max_sitemap_bytes: decoded; more is ``too_large``. max_header_bytes: all.
    max_redirects: hops of one chain. max_url_bytes: longer URLs are ``skipped: url_too_long``.
    resolver: ``thread`` (the system's resolver in gevent's thread pool) or ``ares`` (c-ares).
    verify_tls: check certificates. accept_language: sent when not empty.
    ca_file: a PEM file of the authorities that are believed; ``system`` for those of this machine,
        empty for those that come with the crawler.
    proxy: asked in place of sites, ``http://HOST:PORT`` or ``socks5://HOST:PORT``, before the host
        ``user:password@`` where it asks for them. Several take turns, and one that fails rests.
        ``env`` for those that http_proxy, https_proxy, all_proxy and no_proxy name.
    http2: spoken with https sites: auto (where a site chooses it), never, or always (a site that
        does not fails). Needs ``crawler[http2]``.
    """

    user_agent: str = ""
    contact: str = ""
    robots_token: str = ""
    connect_s: Positive = 10
    read_s: Positive = 20
    total_s: Positive = 60
    max_body_bytes: AtLeastOne = 10 * 1024 * 1024
    max_sitemap_bytes: AtLeastOne = 50 * 1024 * 1024
    max_header_bytes: AtLeastOne = 256 * 1024
    max_redirects: Count = 10
    max_url_bytes: AtLeastOne = 2083
    resolver: Literal["thread", "ares"] = "thread"
    verify_tls: bool = True
    accept_language: str = ""
    ca_file: str = ""
    proxy: tuple[Secret, ...] = ()
    http2: Http2 = "never"


class ParseConfig(Section, frozen=True):
    """How much of a document is read?

    max_links: of one page; more are ``truncated: links``.
    max_seconds: a parse that takes longer is killed (not with workers in the conductor): of CPU, so
        that a busy machine gives up no good page; ten times as long by the clock.
    """

    max_links: AtLeastOne = 10_000
    max_seconds: Positive = 5


class AssetsConfig(Section, frozen=True):
    """What becomes of what pages need to look right: images, style sheets, scripts, fonts, media?

    mode: record (no more than their addresses), check (ask with HEAD whether they are there; the
        same as ``assets`` in scope.check), fetch (keep them, from whatever host, and what style
        sheets name in turn).
    max_media_bytes: of one audio or video that is fetched; of more nothing is kept. All else is
        kept up to fetch.max_body_bytes.
    max_nesting: style sheets that name each other in a chain; what is more is ``skipped: depth``.
    """

    mode: Literal["record", "check", "fetch"] = "record"
    max_media_bytes: AtLeastOne = 10 * 1024 * 1024
    max_nesting: AtLeastOne = 10


Render = Literal["never", "shells", "always"]


class RenderConfig(Section, frozen=True):
    """Which pages are looked at as a browser shows them, with what their scripts make?

    mode: never, shells (pages that show next to nothing without their scripts), always.
    program: the browser, of Debian's package chromium-headless-shell.
    tabs: pages that one worker looks at at once.
    cpu_s, wall_s: seconds for one page, of its own processor time and by the clock.
    memory_bytes: of the process that shows a page; one that takes more is ended.
    max_requests, max_bytes: what one page may ask for beside itself, and what may come of it.
    screenshots: keep a picture of what is seen; images are asked for, too, then.
    """

    mode: Render = "never"
    program: str = "/usr/lib/chromium/chromium-headless-shell"
    tabs: Annotated[int, msgspec.Meta(ge=1, le=16)] = 2
    cpu_s: Positive = 5
    wall_s: Positive = 15
    memory_bytes: Annotated[int, msgspec.Meta(ge=64 * 1024 * 1024)] = 512 * 1024 * 1024
    max_requests: Count = 200
    max_bytes: Count = 20 * 1024 * 1024
    screenshots: bool = False


class StoreConfig(Section, frozen=True):
    """What is kept, and how often is it committed?

    bodies: keep the bytes of pages; without them the audit is the same, and costs time while the
        crawl runs. texts: keep the visible text.
    text_max_bytes: of the text of one page, as UTF-8; of more the beginning is kept.
    obey_noindex: of a page that asks not to be indexed (meta robots, X-Robots-Tag) keep only what
        it answered and its links, no title, text or body.
    batch: visits in one transaction at most. batch_s: seconds between two transactions at most.
    backlog_bytes: visits that wait for the writer; above it nothing new is fetched.
    min_free_bytes: with less room on the disk, or less than a twentieth of it, nothing new is
        fetched until there is more; 0 for no such floor.
    """

    bodies: bool = True
    texts: bool = True
    text_max_bytes: AtLeastOne = 1024 * 1024
    obey_noindex: bool = False
    batch: AtLeastOne = 500
    batch_s: Positive = 0.25
    backlog_bytes: AtLeastOne = 64 * 1024 * 1024
    min_free_bytes: Annotated[int, msgspec.Meta(ge=0)] = 1024 * 1024 * 1024


class RunConfig(Section, frozen=True):
    """How long and how wide does a run go?

    workers: processes that fetch and parse; -1 is one per core, 0 keeps the work in the conductor.
    concurrency: greenlets of one worker. bodies_in_flight_bytes: memory for bodies of one worker.
    max_pages: pages of this run, 0 for no limit. max_seconds: of this run, 0 for no limit.
    retry_failed: fetch what failed before, and what waits. new_only: visit nothing a second time.
    due: of what was visited, only what is due by the plan (``crawler plan``).
    drain_s: how long the first Ctrl-C waits for what is in flight.
    max_wait_s: when all work lies further ahead than this, the run ends and says so.
    """

    workers: Annotated[int, msgspec.Meta(ge=-1, le=256)] = -1
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 256
    bodies_in_flight_bytes: AtLeastOne = 128 * 1024 * 1024
    max_pages: Count = 0
    max_seconds: NotNegative = 0
    retry_failed: bool = False
    new_only: bool = False
    due: bool = False
    drain_s: NotNegative = 10
    max_wait_s: NotNegative = 900


class RevisitConfig(Section, frozen=True):
    """When is a page visited again, where only what is due is?

    often_s: seconds between two visits of the pages that change most; what changes less is visited
        more rarely, so that for as many visits most pages are kept as they are on their site.
    """

    often_s: Annotated[float, msgspec.Meta(ge=60, le=31_536_000)] = 86_400


class AuditConfig(Section, frozen=True):
    """What is made of a crawl when it has ended?

    analyse: read the stored pages and make all checks at the end of a run.
    limits: thresholds of checks other than their own, such as ``title_too_long.characters=70``;
        ``crawler audit CHECK`` shows those that a check has.
    """

    analyse: bool = True
    limits: tuple[str, ...] = ()


class ExtractRule(Section, frozen=True):
    """Which values of pages does a person want beside the crawler's own?

    css, xpath: what is selected; one of them.
    attribute: taken in place of the text. many: all that is selected, else the first of it.
    type: what a value is read as. text: as it is shown. number: its first number. date: ISO 8601.
        url: resolved on the page's base. count: how many are selected, 0 too.
    include: when given, only of pages whose URL matches one of these regular expressions (RE2).
    sites: when given, only of pages of these sites, named as ``[site.NAME]`` names them.
    """

    css: str = ""
    xpath: str = ""
    attribute: str = ""
    many: bool = False
    type: Literal["text", "number", "date", "url", "count"] = "text"
    include: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()


class Basic(Section, frozen=True):
    """A name and its password (RFC 7617)."""

    user: Secret
    password: Secret


class Proof(Section, frozen=True, omit_defaults=True):
    """What a page shows: a text, or what a CSS selector selects."""

    text: str = ""
    css: str = ""

    def __str__(self) -> str:
        return f'"{self.text or self.css}"'


WAYS_OUT: Final = (
    r"(?i)[^a-z](do)?(log|sign)[-_]?(out|off)([^a-z]|$)",
    r"(Log|Sign)([Oo]ut|[Oo]ff)([^a-z]|$)",
)
"""Addresses that end a session, by what stands behind their origin."""


class LoginConfig(Section, frozen=True, omit_defaults=True):
    """Which form is sent before anything else of a site is asked for?

    url: of the page with the form, on the origin that the site's name is.
    fields: the form's fields by their names, each a text or ``{ env = "NAME" }``; all others are
        sent as the page has them.
    success: what pages show to who is logged in: a text, or ``{ css = "a.logout" }``.
    logged_out: what pages show to all others; one that does stops the site in this run.
    form: a CSS selector; without it the first form that has all the fields is sent.
    origins: others to which the form and its redirects may lead (``https://login.example.org``).
    exclude: regular expressions (RE2) of what stands behind the origin; addresses of the site that
        match one are ``skipped: excluded``, since they would log out.
    """

    url: str
    fields: dict[str, Secret]
    success: Proof
    logged_out: Proof | None = None
    form: str = ""
    origins: tuple[str, ...] = ()
    exclude: tuple[str, ...] = WAYS_OUT


class SiteConfig(Section, frozen=True, omit_defaults=True):
    """What holds for some sites in place of what holds for all?

    own: the site is the person's own, so that its robots.txt may be left aside.
    obey_robots, crawl_delay_max_s: as under robots; only stricter, unless the site is own.
    gap_s, response_factor, own_gap_s, own_in_flight, tries: as under pace. What was asked of a host
        last says how long it rests.
    max_depth, max_pages_per_host, max_bytes_per_host: as under scope.
    connect_s, read_s, total_s, max_body_bytes, max_sitemap_bytes: as under fetch.
    render: as render.mode.
    headers: sent besides the crawler's own, or in place of one. basic: the user and password that a
        site asks for; bearer: the token. A text, or ``{ env = "NAME" }`` for what a variable of the
        environment holds. Sent to one origin alone: that of the site's name, and where this is a
        host, to its https and to those of its origins that are seeds. Of all names below one where
        anybody has sites (`*.co.uk`, `*.github.io`) no secret is taken, unless the site is own.
    proxy: as under fetch; ``direct`` for none.
    http2: as under fetch.
    verify_tls, ca_file: as under fetch.
    client_cert: a PEM file with the certificate that is shown to the site, and its key; client_key:
        the key, where it stands in a file of its own.
    cookies: kept and sent back, in this and later runs. cookies_from: a cookies.txt, or a storage
        state of Playwright, that brings some along.
    login: a form that is sent before anything else is asked for: ``[site."https://example.org".login]``;
        cookies are kept.
    """

    own: bool | None = None
    obey_robots: bool | None = None
    crawl_delay_max_s: NotNegative | None = None
    gap_s: NotNegative | None = None
    response_factor: NotNegative | None = None
    own_gap_s: NotNegative | None = None
    own_in_flight: AtLeastOne | None = None
    tries: AtLeastOne | None = None
    max_depth: Count | None = None
    max_pages_per_host: AtLeastOne | None = None
    max_bytes_per_host: AtLeastOne | None = None
    connect_s: Positive | None = None
    read_s: Positive | None = None
    total_s: Positive | None = None
    max_body_bytes: AtLeastOne | None = None
    max_sitemap_bytes: AtLeastOne | None = None
    render: Render | None = None
    headers: dict[str, Secret] | None = None
    basic: Basic | None = None
    bearer: Secret | None = None
    proxy: tuple[Secret, ...] | None = None
    http2: Http2 | None = None
    cookies: bool | None = None
    cookies_from: str | None = None
    verify_tls: bool | None = None
    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    login: LoginConfig | None = None


class Config(Section, frozen=True):
    """All of it. extract: rules by their names. site: by the names of sites, as written."""

    scope: ScopeConfig = ScopeConfig()
    robots: RobotsConfig = RobotsConfig()
    pace: PaceConfig = PaceConfig()
    fetch: FetchConfig = FetchConfig()
    parse: ParseConfig = ParseConfig()
    assets: AssetsConfig = AssetsConfig()
    render: RenderConfig = RenderConfig()
    store: StoreConfig = StoreConfig()
    run: RunConfig = RunConfig()
    revisit: RevisitConfig = RevisitConfig()
    audit: AuditConfig = AuditConfig()
    extract: dict[str, ExtractRule] = {}
    site: dict[str, SiteConfig] = {}


EXTRACT: Final = "extract"
SITE: Final = "site"
NAMED: Final = (EXTRACT, SITE)
"""Sections whose tables have names that people give them."""
SECTIONS: dict[str, type[Section]] = {
    field.name: field.type for field in msgspec.structs.fields(Config) if field.name not in NAMED
}
"""Those whose keys are known."""
SENT: Final = ("headers", "basic", "bearer", "cookies", "client_cert")
"""Keys of a site that are sent to it, and to nobody else."""
PLACES: Final[dict[str, tuple[str, str]]] = {
    "obey_robots": ("robots", "obey"),
    "render": ("render", "mode"),
    **{
        field.name: (section, field.name)
        for section, kind in SECTIONS.items()
        for field in msgspec.structs.fields(kind)
        if field.name in SiteConfig.__struct_fields__
    },
}
"""Of each key of a site that stands in for one of all sites: section and name of that one."""
