"""What did the person ask for, and what holds where they said nothing?

One frozen section per room. Every default of the program stands here and nowhere else;
``config/crawl.toml`` is generated from this module.
"""

from __future__ import annotations

import difflib
import inspect
import json
import logging
import re
import textwrap
import tomllib
from collections.abc import Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from crawler.errors import UsageError
from crawler.patterns import PatternError, Patterns

Positive = Annotated[float, msgspec.Meta(gt=0)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Count = Annotated[int, msgspec.Meta(ge=0)]
AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]
_log = logging.getLogger(__name__)
Scope = Literal["page", "prefix", "host", "domain", "any"]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Shared by all sections: frozen, and an unknown key is refused."""


class ScopeConfig(Section, frozen=True):
    """Which URLs belong to this crawl?

    mode: page (only the seeds), prefix (below the seeds' folders), host (the seeds' hosts; http,
        https and www. count as one, another port does not), domain (their registered domains), any.
    include: when given, a URL outside the seeds must match one of these regular expressions (RE2).
    exclude: a URL that matches one of these is skipped; it wins over include.
    max_depth: clicks from a seed.
    max_pages_per_host: pages of one host; more are ``skipped: host_cap``.
    max_bytes_per_host: what is stored of one host (bodies, texts, links); more is
        ``skipped: host_cap``.
    max_hosts_per_domain, max_pages_per_domain: of one registered domain, against wildcard names;
        more are ``skipped: domain_cap``.
    max_queries_per_path: queries of one path (``/calendar?day=...``); more are ``skipped: trap``.
    allow_private: hosts, addresses or CIDR blocks on private or loopback addresses that may be
        fetched.
    follow_nofollow: fetch targets of rel=nofollow links too.
    check: also ask for ``assets`` and ``external`` links with HEAD, without reading them.
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


class ParseConfig(Section, frozen=True):
    """How much of a document is read?

    max_links: of one page; more are ``truncated: links``.
    max_seconds: a parse that takes longer is killed (not with workers in the conductor).
    """

    max_links: AtLeastOne = 10_000
    max_seconds: Positive = 5


class StoreConfig(Section, frozen=True):
    """What is kept, and how often is it committed?

    bodies: keep the bytes of pages. texts: keep the visible text.
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
    retry_failed: fetch only what failed before. new_only: visit nothing a second time.
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
    drain_s: NotNegative = 10
    max_wait_s: NotNegative = 900


class AuditConfig(Section, frozen=True):
    """What is made of a crawl when it has ended?

    analyse: read the stored pages and make all checks at the end of a run.
    limits: thresholds of checks other than their own, such as ``title_too_long.characters=70``;
        ``crawler audit CHECK`` shows those that a check has.
    """

    analyse: bool = True
    limits: tuple[str, ...] = ()


class Config(Section, frozen=True):
    """All of it."""

    scope: ScopeConfig = ScopeConfig()
    robots: RobotsConfig = RobotsConfig()
    pace: PaceConfig = PaceConfig()
    fetch: FetchConfig = FetchConfig()
    parse: ParseConfig = ParseConfig()
    store: StoreConfig = StoreConfig()
    run: RunConfig = RunConfig()
    audit: AuditConfig = AuditConfig()


class Setting(msgspec.Struct, frozen=True):
    """One value that a person gave.

    source: the file or flag that gave it. key: ``section.name``. value: as TOML means it.
    """

    source: str
    key: str
    value: Any


SECTIONS: dict[str, type[Section]] = {
    field.name: field.type for field in msgspec.structs.fields(Config)
}
SET = "--set"
RENAMED = {"pace.patience_s": "run.max_wait_s"}
"""Keys of older versions, which are still understood."""
HEADER_KEYS = frozenset({"fetch.user_agent", "fetch.contact", "fetch.accept_language"})
"""Texts that are sent as a header."""
PATTERN_KEYS = frozenset({"scope.include", "scope.exclude"})
"""Lists of regular expressions."""
TOKEN = re.compile(r"[A-Za-z0-9_-]*")
TOKEN_KEYS = frozenset({"fetch.robots_token"})
"""Names of crawlers."""
PARAMETER_KEYS = frozenset({"scope.strip_parameters"})
"""Lists of names of parameters."""
PARAMETER = re.compile(r"(?=.)[^\s=&;/?#*]*\*?")
NETWORK_KEYS = frozenset({"scope.allow_private"})
"""Lists of hosts, addresses and blocks of addresses."""
HOST_NAME = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*(?!\d+$|0x[0-9a-f]*$)[a-z0-9_-]{1,63}")
"""What ends in a number is an address (WHATWG URL, "ends in a number")."""
AUTHORITIES = "SSL_CERT_FILE"
"""Names, in the environment, a PEM file of authorities instead of certifi's; OpenSSL's own word."""
MAX_FILE_BYTES = 1024 * 1024
"""Of a configuration; /dev/zero has no end."""
SHOWN = 60
"""Characters of a wrong value that a message repeats."""


def load(path: Path | None, overrides: Sequence[str] = (), flags: Sequence[Setting] = ()) -> Config:
    """The defaults, changed by a TOML file, then by ``section.key=value`` texts, then by flags.

    A value replaces an earlier one of the same key, lists too. Raises UsageError, one line that
    names the file or flag and the key.
    """
    settings = [
        *([] if path is None else _of_file(path)),
        *(_of_override(text) for text in overrides),
        *flags,
    ]
    given: dict[str, dict[str, Any]] = {name: {} for name in SECTIONS}
    for setting in map(_renamed, settings):
        section, name = _known(setting)
        given[section][name] = _value(setting, _fields(section)[name].type)
    config = msgspec.convert(given, Config)
    # Once more, so that 60 and 60.0 are the same wherever a number may have a fraction.
    return msgspec.convert(msgspec.to_builtins(config), Config)


def _of_file(path: Path) -> list[Setting]:
    try:
        with path.open("rb") as file:
            written = file.read(MAX_FILE_BYTES + 1)
        if len(written) > MAX_FILE_BYTES:
            raise UsageError(f"{path}: is larger than a configuration can be")
        tree = tomllib.loads(written.decode("utf-8-sig"))
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: is not UTF-8 text") from None
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits is a ValueError, too
        raise UsageError(f"{path}: is not TOML: {error}") from None
    source = str(path)
    sections = [name for name, values in tree.items() if _is_section(name, values)]
    return [
        *(Setting(source, name, tree[name]) for name in tree if name not in sections),
        *(
            Setting(source, f"{name}.{key}", tree[name][key])
            for name in sections
            for key in tree[name]
        ),
    ]


def _is_section(name: str, values: object) -> bool:
    return name in SECTIONS and isinstance(values, dict)


def _of_override(text: str) -> Setting:
    """A ``section.key=value``: the value as TOML, else as it stands."""
    key, equals, raw = text.partition("=")
    key, raw = key.strip(), raw.strip()
    if not equals:
        raise UsageError(f"{SET} {_shown(text)}: write section.key=value")
    section, name = _known(Setting(SET, RENAMED.get(key, key), raw))
    kind = msgspec.inspect.type_info(_fields(section)[name].type)
    value = _as_toml(raw)
    if isinstance(kind, STR_LIKE) and not isinstance(value, str):
        value = raw
    if isinstance(kind, msgspec.inspect.VarTupleType) and not isinstance(value, list):
        value = [value if isinstance(value, str) else raw]
    return Setting(SET, key, value)


def _as_toml(raw: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {raw}")
    except (ValueError, RecursionError):
        return raw
    return parsed["value"] if len(parsed) == 1 else raw


def _renamed(setting: Setting) -> Setting:
    """The setting under the key that it has now."""
    key = RENAMED.get(setting.key)
    if key is None:
        return setting
    _log.warning("%s: %s is called %s now", setting.source, setting.key, key)
    return Setting(setting.source, key, setting.value)


def _known(setting: Setting) -> tuple[str, str]:
    """The section and name of a key; an unknown one is refused with the nearest that exists."""
    section, _, name = setting.key.partition(".")
    if name in _fields(section):
        return section, name
    if section in SECTIONS and not name:
        raise UsageError(f"{setting.source}: {section} is a section; set one of its keys")
    near = _nearest(setting.key)
    known = f"there are: {', '.join(_fields(section) or SECTIONS)}"
    hint = f'did you mean "{near}"?' if near else known
    what = "key" if section in SECTIONS or "." in near else "section"
    shown = _shown(setting.key if section in SECTIONS else section)
    raise UsageError(f"{setting.source}: unknown {what} {shown} ({hint})")


def _nearest(key: str) -> str:
    """The key, or the section, that was most likely meant; empty when none is near."""
    section, _, name = key.partition(".")
    known = [f"{section}.{name}" for section in SECTIONS for name in _fields(section)]
    homes = [other for other in known if other.partition(".")[2] == (name or section)]
    if homes:
        return homes[0]
    if section in SECTIONS:
        known = [other for other in known if other.startswith(f"{section}.")]
        return next(iter(difflib.get_close_matches(key, known, 1)), "")
    return next(iter(difflib.get_close_matches(section, SECTIONS, 1)), "")


def _fields(section: str) -> dict[str, msgspec.structs.FieldInfo]:
    kind = SECTIONS.get(section)
    return {} if kind is None else {field.name: field for field in msgspec.structs.fields(kind)}


def _value(setting: Setting, kind: Any) -> Any:
    """The value of a setting in its own type."""
    value = setting.value
    fault = _beyond(value)
    if not fault:
        try:
            value = msgspec.convert(value, kind)
        except (msgspec.ValidationError, OverflowError):
            fault = expected(msgspec.inspect.type_info(kind))
    if not fault and setting.key in HEADER_KEYS and not (value.isascii() and value.isprintable()):
        fault = "one line of ASCII without control characters"
    if not fault and setting.key in TOKEN_KEYS and not TOKEN.fullmatch(value):
        fault = "letters, digits, - and _"
    if not fault and setting.key in NETWORK_KEYS and not all(map(_is_network, value)):
        fault = "a host name, an address or a CIDR block such as 192.168.0.0/16"
    if not fault and setting.key in PARAMETER_KEYS and not all(map(PARAMETER.fullmatch, value)):
        fault = "the name of a parameter such as utm_*"
    if fault:
        raise UsageError(
            f"{setting.source}: {setting.key}: expected {fault}, got {_shown(setting.value)}"
        )
    if setting.key in PATTERN_KEYS:
        _compile(setting, value)
    return value


def _beyond(value: Any) -> str:
    """What is expected in place of a number that is none, or that no column can hold."""
    if not isinstance(value, (int, float)) or abs(value) < 2**63:
        return ""
    return "a number below 2^63" if isinstance(value, int) else "a finite number"


def _is_network(text: str) -> bool:
    """Is it the name of a host, an address, or a CIDR block?"""
    entry = text.strip().lower().removeprefix("[").removesuffix("]")
    try:
        ip_network(entry, strict=False)
    except ValueError:
        return HOST_NAME.fullmatch(entry.removesuffix(".")) is not None
    return True


def _compile(setting: Setting, patterns: tuple[str, ...]) -> None:
    try:
        Patterns(patterns)
    except PatternError as error:
        raise UsageError(
            f"{setting.source}: {setting.key}: {_shown(error.pattern)} {error.why}"
        ) from None


def _shown(value: Any) -> str:
    """A value as a message repeats it: quoted, one line, not too long, no control characters."""
    text = json.dumps(value, default=str)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


STR_LIKE = (msgspec.inspect.StrType, msgspec.inspect.LiteralType)
KINDS: dict[type, str] = {
    msgspec.inspect.BoolType: "true or false",
    msgspec.inspect.StrType: "a text",
    msgspec.inspect.IntType: "a whole number",
    msgspec.inspect.FloatType: "a number",
}
BOUNDS = (("gt", ">"), ("ge", ">="), ("lt", "<"), ("le", "<="))


def expected(kind: msgspec.inspect.Type) -> str:
    """What may stand where a type is asked for, in words: ``a number > 0``."""
    if isinstance(kind, msgspec.inspect.VarTupleType):
        return f"a list, each {expected(kind.item_type)}"
    if isinstance(kind, msgspec.inspect.LiteralType):
        return "one of " + ", ".join(f'"{value}"' for value in kind.values)
    bounds = [(sign, getattr(kind, name, None)) for name, sign in BOUNDS]
    limits = " and ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)
    return f"{KINDS[type(kind)]} {limits}".strip()


HEAD = """\
# Every setting with its default; what is left out keeps it. Give this file, or one with only the
# lines that differ, with --config. One setting: --set section.key=value
"""


def default_toml() -> str:
    """The text of ``config/crawl.toml``: every key with its default under what it means."""
    return HEAD + "".join(_section_toml(name, kind) for name, kind in SECTIONS.items())


def _section_toml(section: str, kind: type[Section]) -> str:
    question, notes = _explained(kind)
    lines = ["", f"[{section}]", f"# {question}"]
    last = ""
    for field in msgspec.structs.fields(kind):
        note = next(note for note in notes if re.search(rf"\b{field.name}\b[^:;.]*:", note))
        if note != last:
            lines += ["", *_comment(note)]
            last = note
        lines.append(f"{field.name} = {_as_written(field.default)}")
    return "\n".join(lines) + "\n"


def _explained(kind: type[Section]) -> tuple[str, list[str]]:
    """A section's question, and its notes: each says what one or more keys mean."""
    question, _, rest = inspect.cleandoc(kind.__doc__ or "").partition("\n\n")
    notes: list[str] = []
    for line in rest.splitlines():
        if line.startswith(" ") and notes:
            notes[-1] += " " + line.strip()
        else:
            notes.append(line)
    return question, [note.replace("``", "`") for note in notes]


def _comment(note: str) -> list[str]:
    return textwrap.wrap(note, 100, initial_indent="# ", subsequent_indent="#     ")


def _as_written(value: object) -> str:
    """A default as TOML: JSON's notation is TOML's for what stands here."""
    return json.dumps(list(value) if isinstance(value, tuple) else value)
