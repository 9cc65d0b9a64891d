"""What is known of a page after each run, and what differs between two: a model in words.

It knows nothing of tables, and says what the rulings on changes say.
"""

from __future__ import annotations

from typing import NamedTuple

PAGE, ELSEWHERE, FURTHER = 1, 2, 3


class Seen(NamedTuple):
    """What one visit saw."""

    status: int | None = 200
    error: str | None = None
    title: str | None = None
    text: int | None = None
    canonical: str | None = None
    body: int | None = None
    leads_to: int | None = None
    truncated: str | None = None
    unchanged: bool = False
    challenge: str | None = None


def page(title: str = "A", text: int = 1, canonical: str | None = None, body: int = 1) -> Seen:
    return Seen(title=title, text=text, canonical=canonical, body=body)


THERE = page()
GONE, GONE_FOR_GOOD, FORBIDDEN = Seen(404), Seen(410), Seen(403)
BUSY, BROKEN, SILENT = Seen(429), Seen(503), Seen(None, "timeout")
MOVED, MOVED_ON = Seen(301, leads_to=ELSEWHERE), Seen(301, leads_to=FURTHER)
WALL = Seen(403, challenge="cloudflare")
WALL_OF_200 = page("Just a moment", 7, body=7)._replace(challenge="cloudflare")
UNCHANGED = Seen(304, unchanged=True)
TOO_LARGE = page()._replace(error="too_large", truncated="length")
CUT = page(text=9, body=9)._replace(truncated="disconnect")


class State(NamedTuple):
    """What is known of a page: how it is, and its last document."""

    how: str
    answer: Seen
    document: Seen | None


def step(before: State | None, seen: Seen | None) -> State | None:
    if seen is None:
        return before
    document = before.document if before else None
    if seen.unchanged:
        assert document is not None
        return State("there", document, document)
    if seen.status is None or seen.status == 429 or seen.status >= 500:
        return State("unreachable", seen, document)
    if seen.status < 300:
        return State("there", seen, seen)
    how = {301: "moved", 404: "gone", 410: "gone"}.get(seen.status, "refused")
    return State(how, seen, document)


def difference(before: State | None, now: State | None) -> str | None:
    """The rulings in words: what differs between two states of a page."""
    if now is None or now == before:
        return None
    if before is None:
        return "new" if now.how == "there" else None
    if now.how != before.how:
        if now.how == "there" and before.how != "refused":
            return "returned"
        return now.how if now.how in ("gone", "moved", "unreachable") else "changed"
    if now.how == "unreachable":
        return None
    if now.how == "moved" and now.answer.leads_to != before.answer.leads_to:
        return "moved"
    if now.answer.status != before.answer.status or reads(now) != reads(before):
        return "changed"
    both = now.document and before.document
    return "touched" if both and now.document.body != before.document.body else None


def reads(state: State) -> tuple[object, ...] | None:
    return state.document and state.document[2:5]
