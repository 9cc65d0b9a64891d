"""What does a word of the database mean, and what follows from it?"""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from crawler.errors import UsageError
from crawler.policy import words
from crawler.policy.words import Column, Word

COLUMNS: dict[Column, str] = {
    "error": "visits.error",
    "reason": "urls.reason",
    "truncated": "visits.truncated",
    "render": "renders.error, requests.reason",
}
FAULTS = {
    "site": "the site's",
    "page": "the page's, or the link's",
    "settings": "the settings of this crawl",
    "crawler": "the crawler's own",
    "proxy": "the proxy's",
}
LAYERS = {
    "names": "resolving names: when that is down, nobody is blamed",
    "links": "reaching addresses: when that is down, nobody is blamed",
}
SHOWN = {
    "queued": "a URL's state: it is left to fetch, now or when it has rested",
    "done": "a URL's state: its host answered, whatever the status",
    "failed": "a URL's state: no answer after all tries, or a 429 or 5xx; urls.reason says which",
    "skipped": "a URL's state: a rule stopped it, and it was not asked for; urls.reason says which",
    "asset": "a URL's kind: pages need it to look right, and it was fetched for that alone "
    "(--assets fetch): it is in the view assets, never in pages",
    "check": "a URL's kind: it was asked for with HEAD, to see whether it is there, and not kept "
    "(--assets check, --check external)",
    "waiting": "URLs are left, and the time of none of them, or of their hosts, has come yet",
    "rests": "a host is not asked for so long: the gap between two requests, a Crawl-delay, a "
    "Retry-After, a retry, or nearly all of its last answers have failed",
    "retry": "why a host rests: an attempt failed in a way that time may heal, and is made again",
    "parked": "nearly all of a host's last answers have failed: it rests for 15 minutes to an hour",
}
"""Words of the progress line and of ``urls.state``."""
CUTS = {
    "length": "cut at its limit",
    "disconnect": "what came before is stored",
    "time": "what came in time is stored",
}


def told(word: str) -> Iterator[str]:
    """A word's row of the table in lines. Raises UsageError, with the nearest, for no word."""
    if word in SHOWN:
        yield f"{word}: {SHOWN[word]}"
        return
    found = words.of(word)
    if found is words.OTHER:
        near = difflib.get_close_matches(word, [*words.WORDS, *SHOWN], 1)
        hint = f'did you mean "{near[0]}"?' if near else "crawler explain lists all words"
        raise UsageError(f"{word}: no word of a crawl's database ({hint})")
    yield f"{word}: {found.meaning}"
    for name, value in _facts(found):
        yield f"  {name:<13}{value}"


def listed() -> Iterator[str]:
    """Every word, with its sentence."""
    width = max(map(len, words.WORDS)) + 2
    for word, row in words.WORDS.items():
        yield f"{word:<{width}}{row.meaning}"
    for word, meaning in SHOWN.items():
        yield f"{word:<{width}}{meaning}"
    yield f"{'http_NNN':<{width}}the host answered with this status, also after all tries"


def _facts(row: Word) -> Iterator[tuple[str, str]]:
    yield "stands in", ", ".join(COLUMNS[column] for column in row.stands)
    if row.stands == ("truncated",):
        return
    yield "whose doing", FAULTS[row.fault]
    if row.tries > 1:
        yield "tries", f"{row.tries}, the first rest is {row.rest:g} x pace.retry_base_s"
    elif "error" in row.stands or row.meaning.startswith("the host answered"):
        yield "tries", "1: waiting does not heal it"
    if row.layer is not None:
        yield "network", LAYERS[row.layer]
    if row.cuts is not None:
        yield "body", f"{CUTS[row.cuts]}, truncated = {row.cuts}"
        yield "page", "a new version" if row.kept else "keeps its last good version"
    if row.judged_anew:
        yield "comes back", "when the settings change so that nothing stands against it"
    elif row.asked_anew:
        yield "comes back", "when the finished crawl is run again"
