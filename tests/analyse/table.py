"""What was planted for each check, and what did it find? ``python -m tests.analyse.table``

Crawls and analyses the sites of every group, as the tests do, and prints a table in Markdown.
"""

from __future__ import annotations

import crawler._patch  # isort: skip  # noqa: F401  # must come before every other import

import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from crawler.analyse.checks import CHECKS, GROUPS
from tests.analyse.test_checks import Audit
from tests.sites.web import Web

HEAD = "| check | severity | state | planted | found | too much | decoys | spared |"
RULE = "|---|---|---|--:|--:|--:|--:|--:|"


def rows(group: str, audit: Audit) -> Iterator[str]:
    """A line for each check of a group."""
    for check in GROUPS[group]:
        expected, found = audit.expected(check.name), audit.found(check.name)
        decoys = audit.decoys(check.name)
        spared = decoys - {url for url, _ in found - expected}
        reason = audit.unjudged.get(check.name)
        state = "done" if reason is None else f"not judged here: {reason}"
        counts = (len(expected), len(expected & found), len(found - expected))
        told = " | ".join(map(str, (*counts, len(decoys), len(spared))))
        yield f"| {check.name} | {check.severity} | {state} | {told} |"


def main() -> None:
    """All groups, one after the other."""
    print(f"{len(CHECKS)} checks\n\n{HEAD}\n{RULE}")
    for group in GROUPS:
        web = Web()
        try:
            with TemporaryDirectory() as folder:
                audit = Audit(group, web, Path(folder) / "audit.db")
                print("\n".join(rows(group, audit)), flush=True)
        finally:
            web.close()


if __name__ == "__main__":
    sys.exit(main())
