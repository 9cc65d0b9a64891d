"""Which outcome of a crawl or an audit makes a command fail?

``--fail-on broken_links,severity=error,new``: each condition by itself is enough.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final, Protocol

UNFINISHED: Final = "unfinished"
"""URLs are left that another run would fetch."""
NEW: Final = "new"
"""An error or warning began after the run that is compared with."""
SEVERITIES: Final = ("error", "warning", "note")
"""The worst first; ``severity=warning`` is met by a warning or what is worse."""
_SEVERITY: Final = "severity="
_WORDS: Final = (UNFINISHED, NEW, *(f"{_SEVERITY}{severity}" for severity in SEVERITIES))


class Tally(Protocol):
    """What came of one check. found: findings that nobody has mended; new: those of them that
    began after the run that is compared with; reason: why it could not be judged."""

    @property
    def name(self) -> str: ...
    @property
    def severity(self) -> str: ...
    @property
    def judged(self) -> int: ...
    @property
    def reason(self) -> str | None: ...
    @property
    def found(self) -> int: ...
    @property
    def new(self) -> int: ...


class UnknownCondition(ValueError):
    """A text that is no condition; says what was most likely meant."""


def split(texts: Iterable[str]) -> list[str]:
    """The conditions that were written, with commas or one by one, each once."""
    parts = (part.strip() for text in texts for part in text.split(","))
    return list(dict.fromkeys(part for part in parts if part))


def check_known(conditions: Iterable[str], checks: Collection[str]) -> None:
    """Raises UnknownCondition for the first that is neither a word, a severity nor a check."""
    known = [*_WORDS, *checks]
    for condition in conditions:
        if condition not in known:
            near = difflib.get_close_matches(condition, known, 1)
            hint = f'did you mean "{near[0]}"?' if near else f"{', '.join(_WORDS)}, or a check"
            raise UnknownCondition(f'unknown condition "{condition[:60]}" ({hint})')


def need_checks(conditions: Iterable[str]) -> list[str]:
    """Those that can be told only when all checks have been made."""
    return [condition for condition in conditions if condition != UNFINISHED]


def met(
    conditions: Sequence[str], tallies: Iterable[Tally], *, queued: int, only_new: bool = False
) -> list[tuple[str, int]]:
    """The conditions that are met, each with how many URLs or findings meet it.

    only_new: findings that were there before do not count.
    """
    judged = list(tallies)
    counted = ((condition, _count(condition, judged, queued, only_new)) for condition in conditions)
    return [(condition, number) for condition, number in counted if number]


def _count(condition: str, tallies: Sequence[Tally], queued: int, only_new: bool) -> int:
    if condition == UNFINISHED:
        return queued
    if condition == NEW:
        return sum(one.new for one in tallies if one.severity != "note")
    severity = condition.removeprefix(_SEVERITY)
    asked = SEVERITIES[: SEVERITIES.index(severity) + 1] if severity != condition else ()
    return sum(
        one.new if only_new else one.found
        for one in tallies
        if one.name == condition or one.severity in asked
    )


def not_judged(conditions: Collection[str], tallies: Iterable[Tally]) -> Iterator[tuple[str, str]]:
    """Checks that a condition names and that could not be made, each with the reason."""
    there = {one.name: one for one in tallies}
    for name in conditions:
        one = there.get(name)
        if one is not None and not one.judged:
            yield name, one.reason or "it was not made"
        elif one is None and name not in _WORDS:
            yield name, "it is newer than the last analysis; make it with: crawler analyse"
