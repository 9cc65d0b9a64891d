"""What does Prometheus read? (https://prometheus.io/docs/instrumenting/exposition_formats/)"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

_GAUGES: Final = {
    "queued": ("crawler_urls_queued", "URLs that wait"),
    "in_flight": ("crawler_requests_in_flight", "requests that are out"),
    "storing": ("crawler_visits_storing", "visits that wait for the writer"),
    "hosts_due": ("crawler_hosts_due", "hosts that could be asked now"),
    "workers": ("crawler_workers", "worker processes"),
    "pages_per_s": ("crawler_pages_per_second", "pages a second, over the last ten seconds"),
}
_COUNTERS: Final = {
    "pages": ("crawler_pages_total", "pages visited in this run"),
    "errors": ("crawler_errors_total", "URLs that failed in this run"),
    "bytes": ("crawler_received_bytes_total", "bytes received in this run"),
    "elapsed_s": ("crawler_elapsed_seconds_total", "seconds since the crawl began"),
}


def exposition(stats: dict[str, Any] | None, states: dict[str, int], sizes: dict[str, int]) -> str:
    """The text of ``/metrics``. stats: a snapshot. states: URLs by state. sizes: bytes of files."""
    return "\n".join(_lines(stats or {}, states, sizes)) + "\n"


def _lines(stats: dict[str, Any], states: dict[str, int], sizes: dict[str, int]) -> Iterator[str]:
    yield from _family(
        "crawler_running", "gauge", "1 while a crawl is attached", [("", bool(stats))]
    )
    for kind, families in (("gauge", _GAUGES), ("counter", _COUNTERS)):
        for key, (name, told) in families.items():
            if key in stats:
                yield from _family(name, kind, told, [("", stats[key])])
    if stats:
        answers = [(f'{{status="{_escaped(what)}"}}', count) for what, count in stats["statuses"]]
        yield from _family(
            "crawler_answers_total", "counter", "answers by status or error", answers
        )
    urls = [(f'{{state="{_escaped(state)}"}}', count) for state, count in states.items()]
    yield from _family("crawler_urls", "gauge", "URLs ever seen, by state", urls)
    files = [(f'{{file="{_escaped(name)}"}}', size) for name, size in sizes.items()]
    yield from _family("crawler_file_bytes", "gauge", "size of the database and its log", files)


def _family(name: str, kind: str, told: str, samples: list[tuple[str, Any]]) -> Iterator[str]:
    if samples:
        yield f"# HELP {name} {told}"
        yield f"# TYPE {name} {kind}"
        for labels, value in samples:
            yield (
                f"{name}{labels} {float(value):g}"
                if isinstance(value, float)
                else (f"{name}{labels} {int(value)}")
            )


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
