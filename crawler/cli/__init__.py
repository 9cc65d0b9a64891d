"""What can a person ask of the crawler?

Words, flags and exit codes; what is done stands in the rooms below. `front` holds what all commands
share, `running` those that crawl, `asking` those that read a database, `auditing` what judges it.
"""

from __future__ import annotations

from crawler.cli import asking, auditing, running
from crawler.cli.front import Front, cli

__all__ = ["Front", "asking", "auditing", "cli", "running"]
