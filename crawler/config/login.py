"""Which form did the person want to be sent before a crawl, and can it be sent?

A login is a table ``[site."https://example.org".login]`` of a configuration. It is of one origin,
since what is sent is for nobody else.
"""

from __future__ import annotations

import difflib
from typing import Any, Final

import msgspec

from crawler.config.place import Place, href, place_of
from crawler.config.secrets import Reader
from crawler.config.sections import LoginConfig, Proof, Secret
from crawler.config.values import Setting, compile_patterns, shown

EXAMPLE: Final = '[site."https://example.org".login]'
_FIELDS: Final = tuple(field.name for field in msgspec.structs.fields(LoginConfig))
_NEEDED: Final = ("url", "fields", "success")


def read_login(reader: Reader, said: Setting, name: str) -> LoginConfig:
    """What a table says. Raises UsageError, which repeats no secret.

    said: the whole table, under the key of the site. name: of the site.
    """
    place = place_of(name)
    if place.kind != "origin":
        reader.refuse("", f"a login is sent to one scheme, host and port: write {EXAMPLE}")
    table = said.value
    if not isinstance(table, dict):
        reader.refuse("", f"write {EXAMPLE}, and keys in it")
    for key in table:
        if key not in _FIELDS:
            near = next(iter(difflib.get_close_matches(key, _FIELDS, 1)), "")
            known = f'did you mean "{near}"?' if near else f"there are: {', '.join(_FIELDS)}"
            reader.refuse(f".{key}", f"unknown key ({known})")
    for key in _NEEDED:
        if key not in table:
            reader.refuse("", f"{key} is missing; a login has at least {', '.join(_NEEDED)}")
    more: dict[str, Any] = {}
    if "logged_out" in table:
        more["logged_out"] = _proof(reader, ".logged_out", table["logged_out"])
    if "form" in table:
        more["form"] = _selector(reader, ".form", table["form"])
    if "origins" in table:
        more["origins"] = _origins(reader, table["origins"])
    if "exclude" in table:
        more["exclude"] = _patterns(reader, said, table["exclude"])
    return LoginConfig(
        _address(reader, table["url"], name, place),
        _fields(reader, table["fields"]),
        _proof(reader, ".success", table["success"]),
        **more,
    )


def _address(reader: Reader, value: Any, name: str, place: Place) -> str:
    """The page with the form, on the site itself."""
    if not isinstance(value, str) or not value:
        reader.refuse(".url", "expected the address of the page with the form")
    try:
        address = href(value if "://" in value else f"{name}/{value.removeprefix('/')}")
        address = address.partition("#")[0]
        there = place_of(address)
    except ValueError as error:
        reader.refuse(".url", str(error))
    if (there.scheme, there.host, there.port) != (place.scheme, place.host, place.port):
        reader.refuse(".url", f"is not on {name}")
    return address


def _fields(reader: Reader, value: Any) -> dict[str, Secret]:
    if not isinstance(value, dict) or not value:
        reader.refuse(".fields", 'expected { user = "...", password = { env = "NAME" } }')
    fields = {field: reader.secret(text, f".fields.{field}") for field, text in value.items()}
    for field, one in fields.items():
        if any(ord(sign) < 32 or ord(sign) == 127 for sign in one.value):
            reader.refuse(f".fields.{field}", "has control characters")
    return fields


def _proof(reader: Reader, key: str, value: Any) -> Proof:
    if isinstance(value, dict) and set(value) == {"css"}:
        return Proof(css=_selector(reader, f"{key}.css", value["css"]))
    text = " ".join(value.split()) if isinstance(value, str) else ""
    if not text:
        reader.refuse(key, 'expected a text that a page shows, or { css = "a.logout" }')
    return Proof(text)


def _selector(reader: Reader, key: str, value: Any) -> str:
    from crawler.selectors import Selector, SelectorError  # lxml, for those who write one

    if not isinstance(value, str) or not value.strip():
        reader.refuse(key, "expected a CSS selector")
    try:
        Selector(css=value)
    except SelectorError as error:
        reader.refuse(key, f"{shown(value)} {error}")
    return value


def _origins(reader: Reader, value: Any) -> tuple[str, ...]:
    several = value if isinstance(value, list) else [value]
    found = []
    for one in several:
        try:
            place = place_of(one if isinstance(one, str) else "")
        except ValueError as error:
            reader.refuse(".origins", str(error))
        if place.kind != "origin":
            reader.refuse(
                ".origins", f"expected origins, such as https://login.example.org, got {shown(one)}"
            )
        found.append(href(one).removesuffix("/"))
    return tuple(found)


def _patterns(reader: Reader, said: Setting, value: Any) -> tuple[str, ...]:
    several = [value] if isinstance(value, str) else value
    if not isinstance(several, list) or not all(isinstance(one, str) for one in several):
        reader.refuse(".exclude", "expected a list, each a text")
    found = tuple(several)
    compile_patterns(Setting(said.source, f"{said.key}.exclude", found), found)
    return found
