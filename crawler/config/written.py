"""How are all settings with their defaults written into ``config/crawl.toml``?"""

from __future__ import annotations

import inspect
import json
import re
import textwrap

import msgspec

from crawler.config.sections import SECTIONS, ExtractRule, LoginConfig, Section, SiteConfig

HEAD = """\
# Every setting with its default; what is left out keeps it. Give this file, or one with only the
# lines that differ, with --config. One setting: --set section.key=value
"""
EXAMPLE = """\
# [extract.price]
# css = ".product .price"
# type = "number"
# include = ["/products/"]
# sites = ["shop.example.org"]
"""
SITES = """\
# The most specific that is said of a key wins: the beginning of an address, an origin, a host, then
# all names below another. `crawler settings URL` tells what holds for an address.
#
# [site."example.org"]
# gap_s = 5
#
# [site."*.example.org"]
# max_pages_per_host = 100
#
# [site."https://example.org:8443/area/"]
# max_body_bytes = 1000000
"""
LOGIN = """\
# [site."https://example.org".login]
# url = "/login"
# fields = { user = "ann", password = { env = "EXAMPLE_PASSWORD" } }
# success = "Sign out"
# logged_out = "Sign in"
"""


def default_toml() -> str:
    """The text of ``config/crawl.toml``: every key with its default under what it means."""
    sections = (_section_toml(name, kind) for name, kind in SECTIONS.items())
    return (
        HEAD
        + "".join(sections)
        + _named_toml(ExtractRule, EXAMPLE)
        + _named_toml(SiteConfig, SITES)
        + _named_toml(LoginConfig, LOGIN)
    )


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


def _named_toml(kind: type[Section], example: str) -> str:
    """How a table with a name is written; there is none where nothing is said."""
    question, notes = _explained(kind)
    lines = ["", f"# {question}", "#", *(line for note in notes for line in _comment(note))]
    return "\n".join([*lines, "#", *example.splitlines()]) + "\n"


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
