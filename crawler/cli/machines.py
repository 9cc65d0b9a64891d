"""How do other machines help with a crawl?"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import Any

import click
import gevent
import msgspec

from crawler.channels.redis import NAME, VARIABLE, acl
from crawler.channels.redis.address import address_of
from crawler.channels.redis.wire import checked_name
from crawler.cli.checking import check_certificates, check_http2
from crawler.cli.crawl import (
    given_settings,
    setting_option,
)
from crawler.cli.group import cli, complain, quiet_option, standard_output
from crawler.cli.reaching import warn_of_password
from crawler.cli.running import STOPPING
from crawler.config import Config
from crawler.config.machines import Adaptation
from crawler.crawl import worker_processes
from crawler.errors import Interrupted
from crawler.faces import wording
from crawler.policy import rendering

ACL_EXAMPLES = """\b
Examples:
  crawler redis-acl
  crawler redis-acl | sed "s/PASSWORD/$(openssl rand -hex 32)/" | redis-cli
"""
WORK_EXAMPLES = f"""\b
Examples:
  crawler work --redis redis://10.0.0.1:6379
  crawler work --redis /run/secrets/redis --name shop --workers 4
  {VARIABLE}=rediss://crawler-worker:PASSWORD@redis.example.org crawler work --once
"""


@cli.command(epilog=WORK_EXAMPLES)
@click.option(
    "--redis",
    default="",
    metavar="URL|FILE",
    help=f"The Redis or Valkey, or a file that holds its address.  [default: {VARIABLE} in the "
    "environment]",
)
@click.option("--name", default=NAME, show_default=True, help="Of the crawl, as there.")
@setting_option(
    "--workers",
    "run__workers",
    type=click.IntRange(1, 256),
    help="Processes.  [default: one per core]",
)
@setting_option("--concurrency", "run__concurrency", type=int, help="Fetches at once of a process.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    help="One setting of this machine, such as fetch.resolver or fetch.proxy.",
)
@click.option("--once", is_flag=True, help="End when the crawl does; else wait for the next.")
@quiet_option
@click.pass_context
def work(
    context: click.Context,
    /,
    redis: str,
    name: str,
    overrides: Sequence[str],
    once: bool,
    quiet: bool,
    **flags: Any,
) -> None:
    """Fetch for a crawl that runs on another machine, over a Redis or Valkey.

    Start it on as many machines as you like, before or after crawler crawl SEEDS --redis URL. All
    settings are those of that crawl. Ctrl-C lets finish what is in flight.
    """
    adaptation = Adaptation(overrides, given_settings(context, flags))
    address = address_of(redis, os.environ)

    def say(line: str) -> None:
        if not quiet:
            complain(wording.plain(line))

    warn_of_password(redis, say)
    from crawler.channels.redis.relay import Agent  # and redis-py, which the others do without

    def adapt(config: Config) -> Config:
        adapted = adaptation.of(config)
        check_certificates(adapted)
        check_http2(adapted)
        if rendering.is_asked(adapted):
            say("No page is shown as a browser does here: that is done where the crawl runs")
            adapted = rendering.without(adapted)
        run = msgspec.structs.replace(adapted.run, workers=max(1, worker_processes(adapted)))
        return msgspec.structs.replace(adapted, run=run)

    agent = Agent(address, checked_name(name), adapt, say)
    _run(agent, say, once=once)


def _run(agent: Any, say: Any, *, once: bool) -> None:
    """Work; the first signal lets finish what is in flight, the second drops it, a third kills."""
    received = 0

    def stop() -> None:
        nonlocal received
        received += 1
        if received > 2:
            os._exit(Interrupted.exit_code)
        first = "Stopping: finishing what is in flight (again to drop it)"
        say(first if received == 1 else "Dropping what is in flight")
        agent.stop()

    watchers = [gevent.signal_handler(number, stop) for number in STOPPING]
    try:
        agent.run(once=once)
    finally:
        for watcher in watchers:
            watcher.cancel()
        for number in STOPPING:
            signal.signal(number, signal.SIG_DFL)


@cli.command(name="redis-acl", epilog=ACL_EXAMPLES)
def redis_acl() -> None:
    """Print what a Redis or Valkey should let conductors and workers do, as commands for redis-cli.

    A worker may read what is asked of it, give signs of life, and write what it has fetched:
    nothing else, and no other program's keys. Put passwords of your own in place of PASSWORD.
    """
    with standard_output():
        for line in acl.lines("PASSWORD"):
            click.echo(line)
