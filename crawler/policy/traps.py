"""Is this URL one of endlessly many?

Some sites make new addresses for ever: a relative link that goes one folder deeper each time,
filters that combine without end. Each leaves a mark on the URL itself, and this module knows these
marks. An ordinary URL costs 0.4 to 1 us. (Identifiers of sessions are no trap: see `sessions`.)
"""

from __future__ import annotations

from collections import Counter
from typing import Final

MAX_REPEATS: Final = 2
MAX_SEGMENTS: Final = 20
MAX_PARAMETERS: Final = 20
MAX_SAME_PARAMETER: Final = 5


def trap(
    url: str,
    *,
    max_repeats: int = MAX_REPEATS,
    max_segments: int = MAX_SEGMENTS,
    max_parameters: int = MAX_PARAMETERS,
    max_same_parameter: int = MAX_SAME_PARAMETER,
) -> str | None:
    """Why a URL looks like one of an endless series, in a few words; None when it does not.

    max_repeats: how often a segment, or a run of segments, may stand in a row.
    max_segments: segments of a path. max_parameters: parameters of a query.
    max_same_parameter: how often one parameter may be given.
    """
    address, _, query = url.partition("?")
    # http://host/ has three slashes; a path with fewer than max_repeats + 1 segments repeats none.
    if address.count("/") >= max_repeats + 3:
        reason = _trap_in_path(address, max_repeats, max_segments)
        if reason:
            return reason
    if query.count("&") >= min(max_parameters, max_same_parameter):
        reason = _trap_in_query(query, max_parameters, max_same_parameter)
        if reason:
            return reason
    return None


def _trap_in_path(address: str, max_repeats: int, max_segments: int) -> str | None:
    segments = address.split("/")[3:]
    if not segments[-1]:
        segments.pop()
    if len(segments) > max_segments:
        return f"over {max_segments} segments"
    # Only a path with max_repeats doubles can hold a repetition.
    if len(segments) - len(set(segments)) >= max_repeats and _repeats(segments, max_repeats):
        return "repeated path segment"
    return None


def _repeats(segments: list[str], most: int) -> bool:
    """Whether some run of segments stands more often than that in a row.

    Runs of mere numbers do not count: dates (/1/1/1/) and map tiles (/0/0/0/) look like that.
    """
    for length in range(1, len(segments) // (most + 1) + 1):
        same = 0
        for at in range(length, len(segments)):
            same = same + 1 if segments[at] == segments[at - length] else 0
            if same >= length * most and not _numeric(segments[at - length + 1 : at + 1]):
                return True
    return False


def _numeric(segments: list[str]) -> bool:
    return all(not segment or segment.isdecimal() for segment in segments)


def _trap_in_query(query: str, max_parameters: int, max_same_parameter: int) -> str | None:
    names = [pair.partition("=")[0] for pair in query.partition("#")[0].split("&") if pair]
    if len(names) > max_parameters:
        return f"query of {len(names)} parameters"
    name, count = Counter(names).most_common(1)[0] if names else ("", 0)
    if count > max_same_parameter:
        return f"parameter given {count} times: {name[:40]}"
    return None
