"""How does a page of ours become HTML?

Templates escape everything; what comes from the web is text there, and becomes a link only where it
is an address of http or https. Where such a link is followed, nobody is told from where.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from crawler.faces import charts, wording
from crawler.plain import plain, plain_lines

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
        "lines": plain_lines, "dedent": textwrap.dedent, "cell": cell, "number": number,
        "size": wording.size, "span": wording.span,
        "bars": lambda rows, title: Markup(charts.bars(title, rows)),
    }  # fmt: skip
    return made


def render(template: str, **values: Any) -> str:
    """A page from a template."""
    return environment().get_template(template).render(**values)


def number(value: float) -> str:
    """``12,345``; of a fraction three digits."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3g}"


def _evidence(value: object) -> str:
    """JSON of a finding as words: ``title: Lamp, characters: 71``."""
    try:
        facts = json.loads(str(value))
    except ValueError:  # cut, since it is long
        return plain(str(value))
    if not isinstance(facts, dict):
        return plain(str(value))
    return plain(", ".join(f"{name}: {fact}" for name, fact in facts.items() if fact is not None))


def is_figure(rows: Sequence[tuple[Any, ...]], place: int) -> bool:
    """Does a column hold numbers, which stand to the right?"""
    values = [row[place] for row in rows if row[place] is not None]
    return bool(values) and all(isinstance(value, (int, float)) for value in values)


def cell(value: object, column: str = "") -> Markup:
    """What stands in a table: an address as a link, a number in its form, nothing as a dash."""
    if value is None or value == "":
        return Markup('<span class="none">&ndash;</span>')
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        is_name = column == "id" or column.endswith("_id") or column in {"status", "run"}
        return escape(str(value) if is_name else number(value))
    text = _evidence(value) if column == "evidence" else plain(str(value))
    if not text.lower().startswith(_WEB) or " " in text:
        return escape(text)
    return Markup('<a href="{}" rel="noreferrer noopener">{}</a>').format(text, text)
