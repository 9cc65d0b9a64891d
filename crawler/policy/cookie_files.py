"""Which cookies does a file bring along: a ``cookies.txt``, or a storage state of Playwright?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from crawler.errors import UsageError
from crawler.policy import urls
from crawler.policy.cookies import MAX_COOKIE, Cookie

MAX_FILE_BYTES: Final = 8 * 1024 * 1024
_HTTP_ONLY: Final = "#HttpOnly_"
_FIELDS: Final = 7


def read_cookies(path: Path, now: float) -> list[Cookie]:
    """Raises UsageError, which repeats no value, for what is neither."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_FILE_BYTES + 1).decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: is not UTF-8 text") from None
    if len(text) > MAX_FILE_BYTES:
        raise UsageError(f"{path}: is larger than a file of cookies can be")
    found = _of_state(path, text) if text.lstrip().startswith("{") else _of_lines(path, text)
    return [cookie for cookie in found if cookie.expires is None or cookie.expires > now]


def _of_lines(path: Path, text: str) -> Iterator[Cookie]:
    """Domain, whether names below it are meant, path, secure, expiry, name and value, with tabs."""
    for number, line in enumerate(text.splitlines(), 1):
        is_http_only = line.startswith(_HTTP_ONLY)
        bare = line.removeprefix(_HTTP_ONLY)
        if not bare.strip() or bare.startswith("#"):
            continue
        fields = bare.split("\t")
        if len(fields) == _FIELDS - 1:
            fields.append("")
        if len(fields) != _FIELDS or not _is_number(fields[4]):
            raise UsageError(f"{path}, line {number}: is no line of a cookies.txt")
        domain, below, place, secure, expires, name, value = fields
        yield _cookie(
            f"{path}, line {number}", domain, name, value, place,
            host_only=below.upper() != "TRUE", secure=secure.upper() == "TRUE",
            http_only=is_http_only, expires=float(expires),
        )  # fmt: skip


def _is_number(text: str) -> bool:
    return text.strip().removeprefix("-").replace(".", "", 1).isdecimal() and text.isascii()


def _of_state(path: Path, text: str) -> Iterator[Cookie]:
    """https://playwright.dev/docs/api/class-browsercontext#browser-context-storage-state"""
    try:
        cookies: Any = json.loads(text)["cookies"]
        for number, one in enumerate(cookies, 1):
            yield _cookie(
                f"{path}, cookie {number}", str(one["domain"]), str(one["name"]),
                str(one["value"]), str(one.get("path", "/")),
                host_only=not str(one["domain"]).startswith("."),
                secure=bool(one.get("secure")), http_only=bool(one.get("httpOnly")),
                expires=float(one.get("expires", -1)),
            )  # fmt: skip
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        raise UsageError(f"{path}: is no storage state of Playwright") from None


def _cookie(
    where: str, domain: str, name: str, value: str, path: str, *, host_only: bool, secure: bool,
    http_only: bool, expires: float,
) -> Cookie:  # fmt: skip
    host = domain.strip().lower().removeprefix(".")
    sound = host and name and path.startswith("/") and len(name) + len(value) <= MAX_COOKIE
    if not sound or not (name + value).isprintable() or any(sign in name + value for sign in ";"):
        raise UsageError(f"{where}: is no cookie")
    alone = host_only or urls.is_ip(host) or urls.is_public_suffix(host)
    until = expires if expires > 0 else None
    return Cookie(_sent(name), _sent(value), host, path, alone, secure, http_only, until)


def _sent(text: str) -> str:
    """As a header holds what browsers send, which is UTF-8: a character a byte."""
    return text.encode().decode("latin-1")
