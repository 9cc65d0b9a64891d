"""How does a page of ours become HTML?

Templates escape everything; what comes from the web is text there, and becomes a link only where it
is an address of http or https. Where such a link is followed, nobody is told from where.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Sequence
from functools import cache
from math import floor, isfinite, log10
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from crawler.faces import charts, wording
from crawler.plain import plain, plain_lines

_NAMES: Final = ("id", "hash", "status", "run", "pid", "port", "version", "under")
"""How columns end whose numbers are names: nothing is counted in them."""
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
_SHORT: Final = 24
_NUMBERS: Final = frozenset({"id", "url_id", "found_on_id", "redirect_to_id"})
"""Columns that are not shown: the address beside each becomes a link to its page here."""
_SPARE: Final = frozenset({"rendered", "via"})
"""Columns that most crawls have nothing in, and that are not shown there."""
_WEB: Final = ("http://", "https://")


@cache
def environment() -> Environment:
    """The templates of this package, with the filters that they use."""
    made = Environment(
        loader=PackageLoader("crawler.faces", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.tests["figure"] = lambda filled, place: is_figure(filled.rows, place)
    made.filters |= {
        "plain": plain,
        "lines": plain_lines, "dedent": textwrap.dedent, "cell": cell, "as_is": as_is,
        "laid_out": laid_out,
        "kind": kind, "number": number,
        "score": score,
        "size": wording.size, "span": wording.span,
        "bars": lambda rows, title: Markup(charts.bars(title, rows)),
    }  # fmt: skip
    return made


def render(template: str, **values: Any) -> str:
    """A page from a template."""
    return environment().get_template(template).render(**values)


def number(value: float) -> str:
    """``12,345``; of a fraction three digits, and never fewer than all before the point."""
    if isinstance(value, int) or not isfinite(value):
        return f"{value:,}"
    digits = max(0, 2 - floor(log10(abs(value)))) if value else 0
    text = f"{value:,.{min(digits, 6)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def score(value: int | None) -> str:
    """``87 of 100``."""
    return "not judged" if value is None else f"{value} of 100"


def _evidence(value: object) -> str:
    """JSON of a finding as words: ``title: Lamp, characters: 71``."""
    try:
        facts = json.loads(str(value))
    except ValueError:  # cut, since it is long
        return plain(str(value))
    if not isinstance(facts, dict):
        return plain(str(value))
    return plain(", ".join(f"{name}: {fact}" for name, fact in facts.items() if fact is not None))


def laid_out(found: Any) -> list[tuple[str, bool]]:
    """The columns of a look that are shown, and whether each holds numbers."""
    return [
        (column, is_figure(found.rows, place))
        for place, column in enumerate(found.columns)
        if column not in _NUMBERS
        and not (column in _SPARE and all(row[place] is None for row in found.rows))
    ]


def is_figure(rows: Sequence[tuple[Any, ...]], place: int) -> bool:
    """Does a column hold numbers, which stand to the right?"""
    values = [row[place] for row in rows if row[place] is not None]
    return bool(values) and all(isinstance(value, (int, float)) for value in values)


def cell(value: object, column: str = "") -> Markup:
    """What stands in a table: an address as a link, a number in its form, nothing as a dash."""
    if isinstance(value, (int, float)) and not column.endswith(_NAMES):
        return escape(number(value))
    if column == "evidence" and value:
        return escape(_evidence(value))
    if _MOMENT.fullmatch(str(value)):
        text = str(value)
        return Markup('<time datetime="{}">{} {}</time>').format(text, text[:10], text[11:19])
    return as_is(value)


def as_is(value: object) -> Markup:
    """What somebody asked for by SQL: an address as a link, nothing as a dash."""
    if value is None or value == "":
        return Markup('<span class="none">&ndash;</span>')
    text = plain(str(value))
    if not text.lower().startswith(_WEB) or " " in text:
        return escape(text)
    return Markup('<a href="{}" rel="noreferrer noopener">{}</a>').format(text, text)


def kind(value: object) -> str:
    """How a cell is laid out: a short word or a moment is never broken, a text may be."""
    return "short" if len(str(value)) <= _SHORT else "text"
