"""What can a person ask of the crawler?

Words, flags and exit codes; what is done stands in the rooms below. `group` holds what all commands
share, and where each stands; every other file has the commands of one kind, says which in its first
line, and is imported when one of them is asked for.
"""

from __future__ import annotations

from crawler.cli.group import Front, cli

__all__ = ["Front", "cli"]
