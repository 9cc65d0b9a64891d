"""What does a page cost by HTTP/2, and what by HTTP/1.1, over the same TLS?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from statistics import median

from tests.bench import race
from tests.bench.contestants import crawl_command, our_command, pages_of_crawl
from tests.bench.loads import Failed, Figure, lap_folder, timed_run
from tests.bench.race import Course
from tests.bench.workshop import Tell
from tests.fetch.certificates import CA
from tests.sites import nginx

VERSIONS = {"HTTP/1.1": "never", "HTTP/2": "always"}


def http2(
    runs: int, limit_s: float, tell: Tell, *, course: Course | None = None
) -> Iterator[Figure]:
    """The site of `small` from nginx by TLS, crawled by either version in turn."""
    site = course or race.small()
    spent: dict[str, list[float]] = {name: [] for name in VERSIONS}
    with lap_folder() as home:
        authority, pem = home / "authority.pem", home / "server.pem"
        CA.cert_pem.write_to_path(str(authority))
        CA.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(pem))
        with nginx.serve_folder(site.folder, access_log=False, pem=pem) as served:
            for turn in range(1, runs + 1):
                for name, wish in VERSIONS.items():
                    cpu_ms = _lap(served.url(site.start), wish, str(authority), site.pages, limit_s)
                    spent[name].append(cpu_ms)
                    tell(f"http2 {turn}/{runs}  {name}: {cpu_ms:.2f} ms of CPU a page")
    more = median(two - one for one, two in zip(*spent.values(), strict=True))
    for name, figures in spent.items():
        yield Figure(f"{name}: CPU ms a page", f"{median(figures):.3f}")
    yield Figure("HTTP/2 costs more, ms a page", f"{more:.3f}")


def _lap(start: str, wish: str, authority: str, pages: int, limit_s: float) -> float:
    """CPU of one crawl, in ms a page. Raises Failed where it found other pages than there are."""
    with lap_folder() as home:
        os.sync()
        command = [*crawl_command(our_command(), start, home), "--set", f"fetch.http2={wish}"]
        cost = timed_run(command, home, limit_s, {"SSL_CERT_FILE": authority})
        found = pages_of_crawl(home)
    if found != pages:
        raise Failed(f"{found:,} pages of {pages:,}")
    return 1000 * cost.cpu_s / pages
