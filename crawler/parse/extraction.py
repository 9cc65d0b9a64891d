"""Which values do a person's rules take out of a page?

A rule selects elements, texts or numbers in the page's tree; what it takes of each is read as its
type, and what cannot be read so is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any, Final, NamedTuple

from dateutil import parser as dates
from lxml import etree

from crawler.config import ExtractRule
from crawler.config.place import Place, place_of
from crawler.parse.text import BLOCKS, HIDDEN, clean, fold
from crawler.parse.tree import base_of, read_tree
from crawler.patterns import Patterns
from crawler.policy.sites import is_of
from crawler.policy.urls import UNLIMITED, resolve
from crawler.selectors import Selector

MAX_VALUES: Final = 1000
"""Of one rule on one page."""
MAX_VALUE: Final = 32 * 1024
"""Characters of one."""
MAX_OF_PAGE: Final = 512 * 1024
"""Characters of all values of a page: a nest of elements would give each of its texts again."""
_MAX_DATE: Final = 100
_FAILURES: Final = (etree.XPathError, re.error, ValueError)
"""Of a rule on a page: an expression that stands there and is none, a text with a control character
that EXSLT's functions cannot give back (lxml)."""
_SPACES: Final = r"[\s\u00a0\u2009\u202f'\u2019]"
_NUMBER: Final = re.compile(
    rf"(?<![\w.,])([-+\u2212]?)\s?((?:\d{{1,3}}(?:{_SPACES}\d{{3}})+(?!\d)|\d+)(?:[.,]\d+)*)"
)
_LOOSE_NUMBER: Final = re.compile(r"()(\d+(?:[.,]\d+)*)")
_TIME: Final = re.compile(r"\d:\d\d|\dT\d\d|\d ?[ap]m\b", re.IGNORECASE)

Value = str | float | int
Row = tuple[str, int, Value]
"""Rule, place among what the rule takes of the page (from 0), value."""


class Rule(NamedTuple):
    """A rule that is ready to be used."""

    name: str
    said: ExtractRule
    selector: Selector
    include: Patterns
    places: tuple[Place, ...] = ()


def ready(rules: Mapping[str, ExtractRule]) -> list[Rule]:
    """The rules, compiled; those of a configuration are known to be sound."""
    return [
        Rule(
            name,
            rule,
            Selector(css=rule.css, xpath=rule.xpath),
            Patterns(rule.include),
            tuple(map(place_of, rule.sites)),
        )
        for name, rule in rules.items()
    ]


def of_page(rules: Iterable[Rule], url: str) -> list[Rule]:
    """The rules that a page with this URL is read by."""
    return [
        rule
        for rule in rules
        if (not rule.include or rule.include.match(url))
        and (not rule.places or is_of(rule.places, url))
    ]


def extract(
    body: bytes, charset: str | None, url: str, rules: Iterable[Rule], most: int = MAX_OF_PAGE
) -> tuple[list[Row], bool]:
    """What the rules take out of a page as it was sent, and whether something is missing: it was
    too much, or a rule fails on this page, which keeps no other from what it takes.

    charset: what it was read as. most: characters of all values.
    """
    root = read_tree(body, charset)
    base = base_of(root, url)
    taken: list[Row] = []
    fails = False
    for rule in rules:
        try:
            found = _rows(rule, root, base)
        except _FAILURES:
            fails = True
            continue
        for row in found:
            most -= len(str(row[2]))
            if most < 0:
                return taken, True
            taken.append(row)
    return taken, fails


def _rows(rule: Rule, root: etree._Element, base: str) -> Iterable[Row]:
    found = rule.selector.select(root)
    if rule.said.type == "count":
        counted = found[0] if len(found) == 1 and isinstance(found[0], float) else len(found)
        return [(rule.name, 0, int(counted))] if isfinite(counted) else []
    read = _READ[rule.said.type]
    most = MAX_VALUES if rule.said.many else 1
    values: list[Value] = []
    for one in found:
        taken = _taken(one, rule.said.attribute)
        value = None if taken is None else read(taken, base)
        if value is not None:
            values.append(value[:MAX_VALUE] if isinstance(value, str) else value)
        if len(values) == most:
            break
    return [(rule.name, place, value) for place, value in enumerate(values)]


def _taken(found: Any, attribute: str) -> str | None:
    """What of one thing that was selected is meant: of an element its text, or an attribute."""
    if not isinstance(found, etree._Element):
        number = isinstance(found, float) and found.is_integer()
        return clean(str(int(found) if number else found))
    if attribute:
        value = found.get(attribute)
        return None if value is None else clean(str(value))
    return clean(shown_text(found))


def shown_text(element: etree._Element) -> str:
    """The text of an element as it is shown; of one that shows none (a script) what it holds."""
    parts = [element.text or ""]
    walk = etree.iterwalk(element, events=("start", "end"))
    for event, inner in walk:
        if inner is element:
            continue
        tag = str(inner.tag)
        space = " " if tag in BLOCKS else ""
        if event == "end":
            parts += (space, inner.tail or "")
        elif tag in HIDDEN:
            walk.skip_subtree()
        else:
            parts += (space, inner.text or "")
    return "".join(parts)


def _as_text(taken: str, _base: str) -> str | None:
    return fold(taken) or None


def _as_number(taken: str, _base: str) -> Value | None:
    """The first number: ``1,234.56``, ``1.234,56 €``, ``1 234``, ``-5``, ``12 %`` (12).

    Of a point and a comma the last is the decimal one. One that repeats divides thousands; so does
    a comma alone before exactly three digits. A point alone is decimal.
    """
    found = _NUMBER.search(taken) or _LOOSE_NUMBER.search(taken)
    if found is None:
        return None
    digits = re.sub(_SPACES, "", found[2])
    points, commas = digits.count("."), digits.count(",")
    if points and commas:
        decimal = max(".,", key=digits.rindex)
        if digits.count(decimal) > 1:
            return None
    elif points + commas > 1:
        decimal = ""
    elif commas:
        is_group = len(digits) - digits.index(",") == 4 and digits[0] != "0"
        decimal = "" if is_group else ","
    else:
        decimal = "."
    whole, _, rest = digits.partition(decimal) if decimal else (digits, "", "")
    whole = re.sub("[.,]", "", whole)
    sign = "-" if found[1] in {"-", "\u2212"} else ""
    number = float(f"{sign}{whole}.{rest or '0'}")
    if not rest and abs(number) < 2**53:
        return int(number)
    return number if abs(number) < float("inf") else None


def _as_date(taken: str, _base: str) -> str | None:
    """ISO 8601: ``2024-03-12``, or with a time ``2024-03-12T09:30:00Z`` where a zone is named.

    Texts of ISO 8601, RFC 5322, and those of people in English; a day before its month only where
    points or names of months stand between. A date without a day or a year is none.
    """
    text = fold(taken)[:_MAX_DATE]
    moment = _moment(text)
    if moment is None:
        return None
    if not _TIME.search(text):
        return moment.date().isoformat()
    if moment.tzinfo is None:
        return moment.replace(microsecond=0).isoformat()
    try:
        utc = moment.astimezone(UTC).replace(microsecond=0, tzinfo=None)
    except (ArithmeticError, ValueError):  # the first or last day there is, beyond its zone
        return None
    return utc.isoformat() + "Z"


def _moment(text: str) -> datetime | None:
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            return read(text)
        except (ValueError, TypeError, IndexError, ArithmeticError):
            continue
    day_first = bool(re.match(r"\d{1,2}\.", text))
    try:
        # What the text leaves out is taken from a default: one that shows in either is no date.
        first, second = (
            dates.parse(text, default=default, dayfirst=day_first, fuzzy=True)
            for default in (datetime(2001, 1, 1), datetime(2004, 2, 29))
        )
    except (ValueError, ArithmeticError, TypeError, AttributeError):
        return None
    return first if first == second else None


def _as_url(taken: str, base: str) -> str | None:
    target, fragment = resolve(taken, base, rules=UNLIMITED)
    if target.refusal == "url_invalid":
        return None
    return target.url if fragment is None else f"{target.url}#{fragment}"


_READ: Final[Mapping[str, Callable[[str, str], Value | None]]] = {
    "text": _as_text,
    "number": _as_number,
    "date": _as_date,
    "url": _as_url,
}
