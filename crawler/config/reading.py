"""What did the person ask for, and is it what can be asked for?"""

from __future__ import annotations

import difflib
import json
import logging
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import msgspec

from crawler.config.extraction import is_of_rule, read_rules
from crawler.config.sections import NAMED, SECTIONS, SITE, Config
from crawler.config.values import STR_LIKE, Setting, compile_patterns, expected, shown
from crawler.errors import UsageError

_log = logging.getLogger(__name__)


SET = "--set"
RENAMED = {"pace.patience_s": "run.max_wait_s"}
"""Keys of older versions, which are still understood."""
HEADER_KEYS = frozenset({"fetch.user_agent", "fetch.contact", "fetch.accept_language"})
"""Texts that are sent as a header."""
SECRET_KEYS = frozenset({"fetch.proxy"})
"""What may hold passwords."""
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
MAX_FILE_BYTES = 1024 * 1024
"""Of a configuration; /dev/zero has no end."""


def load(
    path: Path | None,
    overrides: Sequence[str] = (),
    flags: Sequence[Setting] = (),
    *,
    netrc: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Config:
    """The defaults, changed by a TOML file, then by ``section.key=value`` texts, then by flags.

    netrc: a file of passwords, which comes before the other. environ: of this process, for secrets.
    A value replaces an earlier one of the same key, lists too. Raises UsageError, one line that
    names the file or flag and the key.
    """
    settings = gathered(path, overrides, flags, netrc=netrc)
    given: dict[str, dict[str, Any]] = {name: {} for name in SECTIONS}
    rules = [setting for setting in settings if is_of_rule(setting.key)]
    sites = [setting for setting in settings if setting.key == SITE]
    given["extract"] = read_rules(rules)
    others = (one for one in settings if one not in rules and one not in sites)
    for setting in map(_renamed, others):
        section, name = _known(setting)
        if setting.key in SECRET_KEYS:
            given[section][name] = _secret_value(setting, environ)
            continue
        given[section][name] = _value(setting, _fields(section)[name].type)
    config = msgspec.convert(given, Config)
    # Once more, so that 60 and 60.0 are the same wherever a number may have a fraction.
    config = msgspec.convert(msgspec.to_builtins(config), Config)
    if not sites:
        return config
    from crawler.config.site import read_sites  # for those who ask for something of some sites

    return msgspec.structs.replace(config, site=read_sites(sites, config, environ, exposed=SET))


def gathered(
    path: Path | None,
    overrides: Sequence[str] = (),
    flags: Sequence[Setting] = (),
    *,
    netrc: Path | None = None,
) -> list[Setting]:
    """All that was said, in the order in which it counts. Raises UsageError."""
    return [
        *([] if netrc is None else [_of_netrc(netrc)]),
        *([] if path is None else _of_file(path)),
        *(_of_override(text) for text in overrides),
        *flags,
    ]


def _of_netrc(path: Path) -> Setting:
    """The passwords of a netrc file, as sites. Its ``default``, which is for any host, is none."""
    from netrc import NetrcParseError, netrc  # for those who name such a file

    text_of(path)
    try:
        machines = netrc(path).hosts
    except NetrcParseError as error:
        raise UsageError(f"{path}, line {error.lineno}: is not as in a netrc file") from None
    sites = {
        host: {"basic": {"user": login, "password": password}}
        for host, (login, _, password) in machines.items()
        if host != "default" and password
    }
    return Setting(str(path), SITE, sites)


def text_of(path: Path) -> str:
    """What stands in a configuration. Raises UsageError where it cannot be read."""
    try:
        with path.open("rb") as file:
            written = file.read(MAX_FILE_BYTES + 1)
        if len(written) > MAX_FILE_BYTES:
            raise UsageError(f"{path}: is larger than a configuration can be")
        return written.decode("utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: is not UTF-8 text") from None


def _of_file(path: Path) -> list[Setting]:
    try:
        tree = tomllib.loads(text_of(path))
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
        raise UsageError(f"{SET} {shown(text)}: write section.key=value")
    if is_of_rule(key):
        return Setting(SET, key, _as_toml(raw))
    if key == SITE or key.startswith((f"{SITE}.", f"{SITE} ")):
        return Setting(SET, SITE, _of_site(text))
    section, name = _known(Setting(SET, RENAMED.get(key, key), raw))
    kind = msgspec.inspect.type_info(_fields(section)[name].type)
    value = _as_toml(raw)
    if isinstance(kind, STR_LIKE) and not isinstance(value, str):
        value = raw
    if isinstance(kind, msgspec.inspect.VarTupleType) and not isinstance(value, list):
        value = [value if isinstance(value, str) else raw]
    return Setting(SET, key, value)


def _of_site(text: str) -> Any:
    """What a ``site."example.org".key=value`` says, as a file would."""
    try:
        return tomllib.loads(text)[SITE]
    except (ValueError, RecursionError):
        pass
    # A text without its quotes, or a name with an equals sign, which ends no quoted key.
    for at in [at for at, character in enumerate(text) if character == "="]:
        try:
            return tomllib.loads(f"{text[:at]} = {json.dumps(text[at + 1 :].strip())}")[SITE]
        except (ValueError, RecursionError):
            continue
    raise UsageError(f'{SET} {SITE}...: write {SITE}."example.org".key=value')


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
    known = f"there are: {', '.join(_fields(section) or (*SECTIONS, *NAMED))}"
    hint = f'did you mean "{near}"?' if near else known
    what = "key" if section in SECTIONS or "." in near else "section"
    said = shown(setting.key if section in SECTIONS else section)
    raise UsageError(f"{setting.source}: unknown {what} {said} ({hint})")


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
    return next(iter(difflib.get_close_matches(section, (*SECTIONS, *NAMED), 1)), "")


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
            f"{setting.source}: {setting.key}: expected {fault}, got {shown(setting.value)}"
        )
    if setting.key in PATTERN_KEYS:
        compile_patterns(setting, value)
    return value


def _secret_value(setting: Setting, environ: Mapping[str, str]) -> Any:
    """The value of a setting that may hold passwords, which no message repeats."""
    from crawler.config.secrets import Reader  # for those who name any

    reader = Reader(f"{setting.source}: {setting.key}", environ, exposed=False)
    return getattr(reader, setting.key.partition(".")[2])(setting.value)


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
