"""Which headers does a host not send that would protect its readers?

The headers of a host are counted by what they say, since most of its pages say the same, and are
told once, on the host's front page.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from crawler.analyse.check import Check, Evidence, Finder, Found, Limits
from crawler.analyse.checks.sites import front_pages
from crawler.store.database import Connection

_SAID: Final = """
    SELECT good_pages.host_id, {values}, count(*), min(good_pages.url)
    FROM good_pages
    JOIN visits ON visits.id = (
        SELECT max(id)
        FROM visits
        WHERE url_id = good_pages.id AND kind = 'page' AND headers IS NOT NULL
    )
    WHERE {pages}
    GROUP BY good_pages.host_id, {values}
    ORDER BY good_pages.host_id, min(good_pages.url)
"""
_EVERY: Final = "1"
_SECURE: Final = "good_pages.url LIKE 'https:%'"
_META_POLICIES: Final = """
    SELECT group_concat(content, ', ')
    FROM (
        SELECT meta_tags.content
        FROM meta_tags
        WHERE meta_tags.body_id = good_pages.body_id AND meta_tags.name = '{name}'
        ORDER BY meta_tags.position
    )
"""


class _Group(msgspec.Struct, frozen=True):
    """Good pages of a host that say the same; example: the URL of one."""

    host_id: int
    values: tuple[str | None, ...]
    pages: int
    example: str


Fault = Callable[[tuple[str | None, ...]], str | None]
"""What is wrong where headers say this, or None."""


def _groups(
    connection: Connection, names: Iterable[str], pages: str = _EVERY, meta: str | None = None
) -> Iterator[_Group]:
    """Hosts by what these headers say; a header that came twice is a JSON array. meta: the name of
    meta elements that say the same as a header could, as the last value."""
    values = [f"json_extract(visits.headers, '$.\"{name}\"')" for name in names]
    if meta is not None:
        values.append(f"({_META_POLICIES.format(name=meta)})")
    sql = _SAID.format(values=", ".join(values), pages=pages)
    for host_id, *said, count, example in connection.execute(sql).fetchall():
        yield _Group(host_id, tuple(said), count, example)


def _once_a_host(fault: Fault, *names: str, pages: str = _EVERY, meta: str | None = None) -> Finder:
    """One finding a host of which any page has this fault."""

    def find(connection: Connection, _limits: Limits) -> Iterator[Found]:
        fronts = front_pages(connection)
        found: dict[int, dict[str, Any]] = {}
        for group in _groups(connection, names, pages, meta):
            wrong = fault(group.values)
            if wrong is None:
                continue
            said = next((value for value in group.values if value), None)
            first = {"wrong": wrong, "value": said, "pages": 0, "example": group.example}
            evidence = found.setdefault(group.host_id, first)
            evidence["pages"] += group.pages
        for host_id, evidence in found.items():
            yield fronts[host_id], "", evidence

    return find


def _all_of(value: str | None) -> list[str]:
    """The values of a header that may have come more than once."""
    if value is None:
        return []
    if not value.startswith('["'):
        return [value]
    try:
        return [str(one) for one in json.loads(value)]
    except (ValueError, RecursionError):  # of a site that says what looks like it
        return [value]


# What each header must say


_LONGEST_AGE: Final = 18
"""Digits that are read of a time: Python reads no more than 4,300, and raises."""
_MAX_AGE: Final = re.compile(r"(?:^|;)\s*max-age\s*=\s*\"?(\d+)", re.IGNORECASE)
_DAY_S: Final = 86_400


def _hsts_missing(connection: Connection, _limits: Limits) -> Iterator[Found]:
    """One page that says it is enough for a host: RFC 6797, section 8.1."""
    fronts = front_pages(connection)
    said: dict[int, bool] = {}
    for group in _groups(connection, ["strict-transport-security"], _SECURE):
        said[group.host_id] = said.get(group.host_id, False) or group.values[0] is not None
    for host_id, is_said in said.items():
        if not is_said:
            yield fronts[host_id], "", {}


def _hsts_short(connection: Connection, limits: Limits) -> Iterator[Found]:
    """The shortest time that a host says; of several headers the first counts (section 8.1)."""
    fronts = front_pages(connection)
    shortest: dict[int, tuple[int, str]] = {}
    for group in _groups(connection, ["strict-transport-security"], _SECURE):
        first = next(iter(_all_of(group.values[0])), None)
        if first is None:
            continue
        age = _MAX_AGE.search(first)
        seconds = int(age[1][:_LONGEST_AGE]) if age else 0
        shortest[group.host_id] = min(
            shortest.get(group.host_id, (seconds, group.example)), (seconds, group.example)
        )
    for host_id, (seconds, example) in shortest.items():
        if seconds < limits["days"] * _DAY_S:
            severe = int(seconds < limits["severe_days"] * _DAY_S)
            evidence = {"max_age": seconds, "severe": severe, "example": example}
            yield fronts[host_id], "", evidence


def _directives(policy: str) -> Mapping[str, list[str]]:
    """Sources by directive; the first of one name counts
    (https://www.w3.org/TR/CSP3/#parse-serialized-policy)."""
    directives: dict[str, list[str]] = {}
    for part in policy.lower().split(";"):
        name, *sources = part.split() or [""]
        directives.setdefault(name, sources)
    return directives


def _policies(values: Iterable[str | None]) -> list[Mapping[str, list[str]]]:
    texts = [text for value in values for one in _all_of(value) for text in one.split(",")]
    return [_directives(text) for text in texts if text.strip()]


def _csp(values: tuple[str | None, ...]) -> str | None:
    """All policies hold at once, so that one that is strict is enough."""
    policies = _policies(values)
    if not policies:
        return "missing"
    return None if any(map(_bars_scripts, policies)) else "weak"


def _bars_scripts(policy: Mapping[str, list[str]]) -> bool:
    """Does it keep scripts out that were slipped in? A nonce or hash makes ``unsafe-inline`` void
    (https://www.w3.org/TR/CSP3/#allow-all-inline)."""
    sources = policy.get("script-src", policy.get("default-src"))
    if sources is None:
        return False
    named = any(source.startswith(("'nonce-", "'sha")) for source in sources)
    if "'strict-dynamic'" in sources and named:
        return True
    if {"*", "http:", "https:", "data:"}.intersection(sources):
        return False
    return named or "'unsafe-inline'" not in sources


def _nosniff(values: tuple[str | None, ...]) -> str | None:
    """https://fetch.spec.whatwg.org/#determine-nosniff: the first value counts."""
    said = ",".join(_all_of(values[0])).partition(",")[0].strip().lower()
    return None if said == "nosniff" else "missing" if not said else "unknown"


def _framing(values: tuple[str | None, ...]) -> str | None:
    """RFC 7034, section 2.1, and https://www.w3.org/TR/CSP3/#directive-frame-ancestors, which a
    meta element cannot say and which, where it stands, is what counts."""
    frame_options, policy = values
    ancestors = [
        directives["frame-ancestors"]
        for directives in _policies([policy])
        if "frame-ancestors" in directives
    ]
    if ancestors:
        everybody = {"*", "http:", "https:"}
        return "anybody" if all(map(everybody.intersection, ancestors)) else None
    said = {one.strip().lower() for text in _all_of(frame_options) for one in text.split(",")}
    if said & {"deny", "sameorigin"}:
        return None
    return "unknown" if said else "missing"


_REFERRER_POLICIES: Final = frozenset(
    {
        *("no-referrer", "no-referrer-when-downgrade", "same-origin", "origin", "strict-origin"),
        *("origin-when-cross-origin", "strict-origin-when-cross-origin", "unsafe-url"),
    }
)


def _referrer(values: tuple[str | None, ...]) -> str | None:
    """Of several the last that is known counts
    (https://www.w3.org/TR/referrer-policy/#parse-referrer-policy-from-header)."""
    words = [
        word.strip().lower()
        for value in values
        for text in _all_of(value)
        for word in text.split(",")
    ]
    known = [word for word in words if word in _REFERRER_POLICIES]
    if not known:
        return "missing"
    return "unsafe-url" if known[-1] == "unsafe-url" else None


def _permissions(values: tuple[str | None, ...]) -> str | None:
    return None if values[0] else "missing"


def _cors(values: tuple[str | None, ...]) -> str | None:
    origin, credentials = ((_all_of(value) or [""])[0].strip() for value in values)
    if origin != "*":
        return None
    return "with credentials" if credentials.lower() == "true" else "anybody"


_COOKIE_FLAGS: Final = ("secure", "httponly", "samesite")


def _cookie_flags(connection: Connection, _limits: Limits) -> Iterator[Found]:
    """One finding a cookie of a host. Over http there can be no ``Secure``, and what takes a
    cookie away protects nothing."""
    fronts = front_pages(connection)
    found: dict[tuple[int, str], Evidence] = {}
    for group in _groups(connection, ["set-cookie"]):
        for cookie in _all_of(group.values[0]):
            pair, *attributes = cookie.split(";")
            said = {one.partition("=")[0].strip().lower() for one in attributes}
            name = pair.partition("=")[0].strip()
            if re.search(r";\s*max-age\s*=\s*(?:0|-\d+)\s*(?:;|$)", cookie, re.IGNORECASE):
                continue
            over_http = group.example.startswith("http:")
            wanted = _COOKIE_FLAGS[1:] if over_http else _COOKIE_FLAGS
            missing = [flag for flag in wanted if flag not in said]
            if missing:
                evidence = {"missing": missing, "example": group.example}
                found.setdefault((fronts[group.host_id], name), evidence)
    for (url_id, name), flags in found.items():
        yield url_id, name, flags


_VERSION: Final = re.compile(r"\d")


def _tells_version(connection: Connection, _limits: Limits) -> Iterator[Found]:
    fronts = front_pages(connection)
    for name in ("server", "x-powered-by"):
        for group in _groups(connection, [name]):
            said = ", ".join(_all_of(group.values[0]))
            if _VERSION.search(said):
                evidence = {"value": said, "pages": group.pages, "example": group.example}
                yield fronts[group.host_id], name, evidence


_NEEDS: Final = ("headers",)

CHECKS: Final = (
    Check(
        name="hsts_missing",
        severity="note",
        definition="a host over https does not say that it is to be asked over https alone",
        find=_hsts_missing,
        needs=_NEEDS,
    ),
    Check(
        name="hsts_short",
        severity="warning",
        definition="a host says that it is to be asked over https alone for a short time; "
        "severe where that is very short",
        find=_hsts_short,
        limits={"days": 365, "severe_days": 31},
        needs=_NEEDS,
    ),
    Check(
        name="csp_missing",
        severity="note",
        definition="pages have no Content-Security-Policy, or one that lets any script in",
        find=_once_a_host(_csp, "content-security-policy", meta="content-security-policy"),
        needs=_NEEDS,
    ),
    Check(
        name="nosniff_missing",
        severity="note",
        definition="pages do not say X-Content-Type-Options: nosniff",
        find=_once_a_host(_nosniff, "x-content-type-options"),
        needs=_NEEDS,
    ),
    Check(
        name="framing_allowed",
        severity="note",
        definition="any site may show the pages in a frame of its own: neither X-Frame-Options nor"
        " frame-ancestors keeps it from that",
        find=_once_a_host(_framing, "x-frame-options", "content-security-policy"),
        needs=_NEEDS,
    ),
    Check(
        name="referrer_policy_missing",
        severity="note",
        definition="pages say no Referrer-Policy, or one that tells the whole address to anybody",
        find=_once_a_host(_referrer, "referrer-policy", meta="referrer"),
        needs=_NEEDS,
    ),
    Check(
        name="permissions_policy_missing",
        severity="note",
        definition="pages say no Permissions-Policy",
        find=_once_a_host(_permissions, "permissions-policy"),
        needs=_NEEDS,
    ),
    Check(
        name="cors_open",
        severity="note",
        definition="scripts of any site may read the pages; worse with credentials",
        find=_once_a_host(_cors, "access-control-allow-origin", "access-control-allow-credentials"),
        needs=_NEEDS,
    ),
    Check(
        name="cookie_flags",
        severity="warning",
        definition="a cookie is set without Secure, HttpOnly or SameSite",
        find=_cookie_flags,
        needs=_NEEDS,
    ),
    Check(
        name="server_tells_version",
        severity="note",
        definition="Server or X-Powered-By tells a number that says which weaknesses to try",
        find=_tells_version,
        needs=_NEEDS,
    ),
)
