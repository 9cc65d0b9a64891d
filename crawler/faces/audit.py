"""How is it told what is wrong with a site, and what to mend first?"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Iterator
from typing import Final

from crawler.faces import wording
from crawler.store.audit import WEIGHTS, Audit, Definition, Judged

_ORDER: Final = tuple(WEIGHTS)


RULE: Final = (
    "A group's score is 100 less the share of pages whose worst finding in it is an error, and "
    f"{WEIGHTS['warning']:g} of the share of those where it is a warning; notes cost nothing. The "
    "score of all is the mean of the groups that were judged."
)
_HANG: Final = re.compile(r"\s*(?:(?:error|warning|note)\s+[\d,]+  )?")
"""What stands before the text of a line, below which it goes on."""


def folded(told: Iterable[str], places: int) -> Iterator[str]:
    """Lines in so many places: they go on between two words, below where their text begins."""
    for line in told:
        hang = _HANG.match(line)
        indent = " " * (len(hang[0]) if hang else 0)
        yield from textwrap.wrap(
            line,
            places,
            subsequent_indent=indent or "  ",
            break_long_words=False,
            break_on_hyphens=False,
            drop_whitespace=True,
        ) or [""]


def lines(audit: Audit) -> Iterator[str]:
    """The groups with their scores, the worst of their checks first, what is not known, and how
    the scores come about."""
    whole = "not judged" if audit.score is None else f"score {audit.score} of 100"
    yield f"Run {audit.run_id}: {wording.count(audit.pages, 'page')}, {whole}"
    for group, score in audit.scores.items():
        members = [check for check in audit.checks if check.group == group]
        yield ""
        if score is None:
            yield f"{group:<14}   -   not judged"
            continue
        yield f"{group:<14}{score:>4}   {_totals(members, compared=audit.compared)}"
        for check in sorted(members, key=lambda one: (_ORDER.index(one.severity), -one.found)):
            if check.judged and (check.found or check.fixed):
                yield _line(check, compared=audit.compared)
    yield from _unknown(audit)
    yield ""
    yield RULE


def _totals(checks: list[Judged], *, compared: bool) -> str:
    found = {
        severity: sum(check.found for check in checks if check.severity == severity)
        for severity in _ORDER
    }
    told = [wording.count(found[severity], severity) for severity in _ORDER]
    new, fixed = sum(check.new for check in checks), sum(check.fixed for check in checks)
    return ", ".join([*told, *([f"{new:,} new", f"{fixed:,} fixed"] if compared else [])])


def _line(check: Judged, *, compared: bool) -> str:
    news = [f"{check.new:,} new"] if check.new and compared else []
    news += [f"{check.fixed:,} fixed"] if check.fixed else []
    beside = f" ({', '.join(news)})" if news else ""
    return f"  {check.severity:<8}{check.found:>7,}  {check.name}: {check.definition}{beside}"


def _unknown(audit: Audit) -> Iterator[str]:
    if audit.doubts:
        yield ""
        yield "Not to be trusted without looking:"
        for count, said in audit.doubts:
            yield f"  {count:,} {said}"
    if audit.not_judged:
        yield ""
        yield "Not judged:"
        for reason, names in audit.not_judged.items():
            yield f"  {reason}: {', '.join(names)}"


def definition_lines(check: Definition) -> Iterator[str]:
    """A check: when it fires, its thresholds, its SQL with these in place."""
    limits: dict[str, float] = json.loads(check.limits)
    yield f"{check.name} ({check.severity}, {check.group}): {check.definition}"
    for name, value in limits.items():
        yield f"limit {check.name}.{name} = {value:g}; set another with audit.limits"
    if check.needs:
        yield f"needs {', '.join(check.needs.split())}"
    if check.sql:
        yield ""
        yield from _with_values(textwrap.dedent(check.sql).strip(), limits).splitlines()
    yield ""


def _with_values(sql: str, limits: dict[str, float]) -> str:
    """The SQL as it can be pasted."""
    for name in sorted(limits, key=len, reverse=True):
        sql = sql.replace(f":{name}", f"{limits[name]:g}")
    return sql
