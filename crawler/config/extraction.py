"""Which rules of extraction did the person write, and can each be used?

A rule is a table ``[extract.NAME]`` of a configuration, or ``--set extract.NAME.css=...``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from crawler.config.sections import EXTRACT, ExtractRule
from crawler.config.values import STR_LIKE, Setting, compile_patterns, expected, shown
from crawler.errors import UsageError

MAX_RULES: Final = 200
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,59}")
_TAKEN: Final = frozenset({"page_id", "url"})
"""Columns that the view has besides the rules' own."""
_FIELDS: Final = {field.name: field.type for field in msgspec.structs.fields(ExtractRule)}


def is_of_rule(key: str) -> bool:
    """Does a setting belong to a rule?"""
    return key == EXTRACT or key.startswith(f"{EXTRACT}.")


def read_rules(settings: Iterable[Setting]) -> dict[str, ExtractRule]:
    """The rules by name, in the order in which they are first named; a later setting of a key
    replaces an earlier one. Raises UsageError, one line that names the source and the key."""
    given: dict[str, dict[str, Any]] = {}
    sources: dict[str, str] = {}
    for setting in _flat(settings):
        _, name, key = setting.key.split(".", 2)
        _refuse_name(setting, name, given)
        given.setdefault(name, {})[key] = _value(setting, key)
        sources[name] = setting.source
        if len(given) > MAX_RULES:
            raise UsageError(f"{setting.source}: more than {MAX_RULES} rules of extraction")
    return {name: _rule(sources[name], name, values) for name, values in given.items()}


def _flat(settings: Iterable[Setting]) -> Iterable[Setting]:
    """Settings of single keys: a file gives whole tables."""
    for setting in settings:
        depth = setting.key.count(".")
        if isinstance(setting.value, dict) and depth < 2:
            inner = setting.value.items()
            keys = [Setting(setting.source, f"{setting.key}.{key}", value) for key, value in inner]
            yield from _flat(keys) if keys else [Setting(setting.source, f"{setting.key}..", "")]
        else:
            yield Setting(setting.source, setting.key + "." * max(0, 2 - depth), setting.value)


def _refuse_name(setting: Setting, name: str, given: Iterable[str]) -> None:
    example = "write [extract.NAME] with css or xpath in it"
    if not name:
        raise UsageError(f"{setting.source}: {EXTRACT}: expected rules; {example}")
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{setting.source}: extract.{name}: a rule's name becomes a column: letters, digits "
            "and _, a letter first"
        )
    if name.lower() in _TAKEN:
        raise UsageError(f"{setting.source}: extract.{name}: is a column that is there already")
    twin = next((one for one in given if one != name and one.lower() == name.lower()), None)
    if twin is not None:
        raise UsageError(f"{setting.source}: extract.{name}: is the same column as extract.{twin}")


def _value(setting: Setting, key: str) -> Any:
    if key not in _FIELDS:
        near = next(iter(difflib.get_close_matches(key, _FIELDS, 1)), "")
        hint = f'did you mean "{near}"?' if near else f"there are: {', '.join(_FIELDS)}"
        where = setting.key.rstrip(".")
        if not key.strip("."):
            raise UsageError(f"{setting.source}: {where}: expected a rule's keys ({hint})")
        raise UsageError(f"{setting.source}: unknown key {shown(where)} ({hint})")
    kind = msgspec.inspect.type_info(_FIELDS[key])
    value = setting.value
    if isinstance(kind, msgspec.inspect.VarTupleType) and isinstance(value, str):
        value = [value]
    if isinstance(kind, STR_LIKE) and isinstance(value, (int, float)):
        value = str(value)
    try:
        made = msgspec.convert(value, _FIELDS[key])
    except msgspec.ValidationError:
        raise UsageError(
            f"{setting.source}: {setting.key}: expected {expected(kind)}, got {shown(value)}"
        ) from None
    if key == "include":
        compile_patterns(setting, made)
    if key == "sites":
        _refuse_no_site(setting, made)
    return made


def _refuse_no_site(setting: Setting, names: tuple[str, ...]) -> None:
    from crawler.config.place import place_of  # for those who name sites

    for name in names:
        try:
            place_of(name)
        except ValueError as error:
            raise UsageError(f"{setting.source}: {setting.key}: {shown(name)}: {error}") from None


def _rule(source: str, name: str, values: dict[str, Any]) -> ExtractRule:
    """A rule that selects something somewhere."""
    from crawler.selectors import Selector, SelectorError  # lxml, for those who write rules

    rule = ExtractRule(**values)
    where = f"{source}: {EXTRACT}.{name}"
    if bool(rule.css) == bool(rule.xpath):
        raise UsageError(f"{where}: write css or xpath{', not both' if rule.css else ''}")
    if rule.attribute and rule.type == "count":
        raise UsageError(f"{where}: a count has no attribute")
    try:
        Selector(css=rule.css, xpath=rule.xpath)
    except SelectorError as error:
        written = rule.css or rule.xpath
        raise UsageError(f"{where}: {shown(written)} {error}") from None
    return rule
