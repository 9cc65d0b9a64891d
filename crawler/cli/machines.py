"""How do other machines help with a crawl?"""

from __future__ import annotations

import click

from crawler.channels.redis import acl
from crawler.cli.group import cli, standard_output

ACL_EXAMPLES = """\b
Examples:
  crawler redis-acl
  crawler redis-acl | sed "s/PASSWORD/$(openssl rand -hex 32)/" | redis-cli
"""


@cli.command(name="redis-acl", epilog=ACL_EXAMPLES)
def redis_acl() -> None:
    """Print what a Redis or Valkey should let conductors and workers do, as commands for redis-cli.

    A worker may read what is asked of it, give signs of life, and write what it has fetched:
    nothing else, and no other program's keys. Put passwords of your own in place of PASSWORD.
    """
    with standard_output():
        for line in acl.lines("PASSWORD"):
            click.echo(line)
