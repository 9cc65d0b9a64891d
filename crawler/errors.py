"""What can go wrong for the person at the command line, and which exit code tells it?

Exit codes: 0 finished, 1 a bug, 2 usage, 3 storage, 4 a ``--fail-on`` condition, 5 no seed
could be fetched, 130 interrupted.
"""

from __future__ import annotations


class CrawlError(Exception):
    """Something a person can mend; its text is one line that names the thing and the remedy."""

    exit_code = 1


class UsageError(CrawlError):
    """Wrong usage, seeds or configuration."""

    exit_code = 2


class StorageError(CrawlError):
    """Disk full, read-only, not our database, a newer schema, or another crawler holds it."""

    exit_code = 3


class ConditionMet(CrawlError):
    """A ``--fail-on`` condition held at the end of the crawl."""

    exit_code = 4


class NoSeedFetched(CrawlError):
    """Not one seed could be fetched."""

    exit_code = 5


class Interrupted(CrawlError):
    """The crawl was stopped by a signal; the same command goes on where it stopped."""

    exit_code = 130
