"""Which parts of an address name the visit, and not the page?

Sites that know their visitors by the address put an identifier into every link, a new one for each
visitor: a crawler without cookies finds each page under ever new addresses. The identifier is taken
out, in the path (``/a;jsessionid=1``, ``/(S(1))/a``) and in the query (``?sid=1``). So is what
people add to the list, such as the names of campaigns that the audit reports
(`crawler.analyse.checks.tracking`). An address without ``?``, ``;`` and ``(`` costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

ALWAYS: Final = (
    *("jsessionid", "phpsessid", "phpsessionid", "aspsessionid*", "asp.net_sessionid"),
    *("cfid", "cftoken", "oscsid", "oscadminid", "zenid", "xtcsid", "bv_sessionid", "bv_engineid"),
)
"""Parameters that are nothing else: of Java, PHP, ASP, ColdFusion, osCommerce and its kin."""

LIKELY: Final = (
    *("sid", "sess", "sessid", "session", "sessionid", "session_id", "session-id", "ssid"),
    *("sessionkey", "session_key", "sessiontoken", "session_token"),
)
"""Parameters that are if they look like it: there are stories and seminars with a number, too."""

_HEX: Final = "[0-9a-f]{32,128}"
_UUID: Final = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_MIXED: Final = "(?=[a-z]*[0-9])(?=[0-9]*[a-z])[0-9a-z]{20,128}"
_SEARCH_OR_SESSION: Final = "s"  # WordPress searches with it, vBulletin knows visitors by it
# of ASP.NET; compiled when the first path with parentheses comes
_COOKIELESS: Final = r"/\((?:[a-z]\([^/()]*\))*s\([0-9a-z]{24}\)(?:[a-z]\([^/()]*\))*\)(?=/)"

Strip = Callable[[str], str]


def name_pattern(name: str) -> str:
    """A parameter's name as a regular expression; ``*`` stands for any rest."""
    return re.escape(name).replace(r"\*", r"[^=&;/?]*")


@lru_cache(maxsize=64)
def stripper(more: tuple[str, ...] = ()) -> Strip:
    """What takes identifiers of sessions, and the parameters called `more`, out of a URL without
    fragment."""
    in_path = _parameter(more, value=r"[^;/?]*", before="(?:;|%3b)", behind="(?=[;/]|%3b|$)")
    in_query = _parameter(more, value=r"[^&;]*", before="(?:^|[&;])", behind="(?=[&;]|$)")

    def strip(url: str) -> str:
        path, mark, query = url.partition("?")
        if ";" in path or "%3" in path:
            path = in_path.sub("", path)
        if "(" in path:
            path = re.sub(_COOKIELESS, "", path, flags=re.IGNORECASE)
        if not mark:
            return path
        left = in_query.sub("", query)
        if left == query:
            return path + mark + query
        if left[:1] in ("&", ";") and query[:1] not in ("&", ";"):
            left = left[1:]
        return f"{path}?{left}" if left else path

    return strip


def _parameter(more: tuple[str, ...], *, value: str, before: str, behind: str) -> re.Pattern[str]:
    """A parameter to take out, with the separator before it."""
    always, likely = ("|".join(map(name_pattern, names)) for names in (ALWAYS, LIKELY))
    wanted = [
        rf"(?:{always})={value}",
        rf"(?:{likely})=(?:{_HEX}|{_UUID}|{_MIXED})",
        rf"{_SEARCH_OR_SESSION}={_HEX}",
        *(rf"{name_pattern(name)}(?:={value})?" for name in more),
    ]
    return re.compile(rf"{before}(?:{'|'.join(wanted)}){behind}", re.IGNORECASE)
