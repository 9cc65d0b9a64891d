"""What can a person ask of the crawler?

Words, flags and exit codes; what is done stands in the rooms below. `group` holds what all commands
share; every other file has the commands of one kind, and says which in its first line.
"""

from __future__ import annotations

from crawler.cli import (
    asking,
    auditing,
    crawl,
    exporting,
    history,
    importing,
    machines,
    merging,
    searching,
    settings,
    showing,
)
from crawler.cli.group import Front, cli

__all__ = [
    "Front",
    "asking",
    "auditing",
    "cli",
    "crawl",
    "exporting",
    "history",
    "importing",
    "machines",
    "merging",
    "searching",
    "settings",
    "showing",
]
