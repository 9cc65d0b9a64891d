"""What can a person ask of the crawler?

Words, flags and exit codes; what is done stands in the rooms below. `group` holds what all commands
share, `crawl` those that crawl, `asking` those that read a database, `history` those that compare
runs, `auditing` what judges it.
"""

from __future__ import annotations

from crawler.cli import asking, auditing, crawl, history
from crawler.cli.group import Front, cli

__all__ = ["Front", "asking", "auditing", "cli", "crawl", "history"]
