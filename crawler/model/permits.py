"""What do a worker that shows a page and the conductor tell each other meanwhile?"""

from __future__ import annotations

from typing import Final

import msgspec

ROBOTS: Final = "Robots"
"""What an `Ask` for a robots.txt is for, as no page can have it."""
PACE: Final = "render_pace"
"""The word for a host that may not be asked for so long that a page cannot wait."""


class Ask(msgspec.Struct, frozen=True, tag=True):
    """May this be asked for, for a page that is being shown?

    token: the lease of the page. number: by which a worker knows its answer. kind: what for.
    addresses: at which its host is, as far as is known; what is asked for goes to no other.
    """

    token: int
    number: int
    url: str
    kind: str
    addresses: tuple[str, ...] = ()


class Grant(msgspec.Struct, frozen=True, tag=True):
    """It may be asked for now. robots_first: the robots.txt of its origin is not known yet; it is
    to be asked for as any other, told by `Learnt`, and then this is asked again."""

    token: int
    number: int
    robots_first: bool = False


class Refusal(msgspec.Struct, frozen=True, tag=True):
    """It may not be asked for; reason: a word."""

    token: int
    number: int
    reason: str


class Fetched(msgspec.Struct, frozen=True, tag=True):
    """What was granted has been asked for; status: what was answered, None for nothing. addresses:
    as the question had them."""

    token: int
    url: str
    status: int | None = None
    retry_after_s: float | None = None
    addresses: tuple[str, ...] = ()


class Learnt(msgspec.Struct, frozen=True, tag=True):
    """What the robots.txt of an origin asks for, as `policy.robots.packed` writes it; None where it
    forbids nothing. refusal: the word for what it forbids altogether, since it could not be had;
    `PACE` where it was not even asked for, and may be by the next."""

    token: int
    origin: str
    rules: bytes | None = None
    refusal: str | None = None


Question = Ask | Fetched | Learnt
"""What a worker says while it shows a page."""
Answer = Grant | Refusal
