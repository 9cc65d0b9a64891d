"""How is a crawl asked for?

A parameter with two underscores in its name is a setting: ``run__max_pages`` is ``run.max_pages``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from crawler.channels.redis import NAME, VARIABLE
from crawler.cli.checking import check_what_is_named
from crawler.cli.group import (
    DASHBOARD_PORT,
    DATA,
    Command,
    Port,
    cli,
    db_option,
    face_for,
    fail_on_option,
    json_option,
    netrc_option,
    quiet_option,
)
from crawler.cli.running import NO_WAYS, run
from crawler.config import Config, Setting, load
from crawler.crawl import Plan, conditions
from crawler.errors import UsageError
from crawler.faces.progress import Face
from crawler.loader import STDIN, default_database, read_seeds, refuse_to_mix
from crawler.policy import rendering, urls
from crawler.policy.agent import PRODUCT, robots_token
from crawler.policy.conditions import need_checks
from crawler.policy.seeds import Seed, without_password
from crawler.policy.urls import UrlRules

EXAMPLES = """\b
Examples:
  crawler crawl seeds.txt
  crawler crawl seeds.txt --max-pages 500 --exclude '\\.pdf$'
  crawler crawl https://example.org/
  cut -f 2 list.tsv | crawler crawl - --db data/list.db
  crawler crawl seeds.txt --set pace.gap_s=2 --set fetch.contact=me@example.org
"""
TAKEN_FOR_GRANTED = """\b
How it reads what you ask for:
  A seed without a scheme means https, and http where https cannot connect.
  An address in place of a file is a seed; the database is named by its host (and port).
  The scope is that of this run's seeds; a port is a part of it.
  A front page that redirects takes its site along, a deeper page does not.
  Identifiers of sessions, such as ;jsessionid=, are taken out of addresses.
  A finished crawl is visited again as a whole, with --new-only what is new.
  Exit code 5 means that no seed has given a page, not even by redirects.
  A limit that is reached is no failure, but --fail-on unfinished makes it one.
"""


def setting_option(*names: str, help: str, **kinds: Any) -> Callable[[Command], Command]:
    """A flag that is a setting; the configuration holds where it is not given."""
    return click.option(*names, help=help, default=None, **kinds)


@cli.command(epilog=f"{TAKEN_FOR_GRANTED}\n{EXAMPLES}")
@click.argument("sources", metavar="SEEDS|URL...", nargs=-1, required=True)
@db_option(
    "The database, made where it is not there.  "
    "[default: data/NAME.db for NAME.txt, data/HOST.db for http://HOST/]"
)
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="Settings in TOML; config/crawl.toml shows all of them.",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    help="One setting; may be given again.",
)
@setting_option(
    "--workers", "run__workers", type=int, help="Processes; 0 for none.  [default: one per core]"
)
@setting_option("--concurrency", "run__concurrency", type=int, help="Fetches at once of a worker.")
@setting_option("--max-pages", "run__max_pages", type=int, help="Stop after so many pages.")
@setting_option("--max-depth", "scope__max_depth", type=int, help="Clicks from a seed.")
@setting_option("--max-time", "run__max_seconds", type=float, help="Stop after so many seconds.")
@setting_option(
    "--scope",
    "scope__mode",
    metavar="[page|prefix|host|domain|any]",
    help="What belongs to the crawl: the seeds alone, what is below their folders, their hosts, "
    "their domains, everything.  [default: host]",
)
@setting_option(
    "--include",
    "scope__include",
    multiple=True,
    metavar="RE",
    help="Only pages that match; sitemaps, and where a seed moved, are read all the same.",
)
@setting_option(
    "--exclude",
    "scope__exclude",
    multiple=True,
    metavar="RE",
    help="No pages that match, but for the same.",
)
@setting_option(
    "--ignore-robots",
    "robots__obey",
    is_flag=True,
    flag_value=False,
    help="Do not ask for robots.txt. For your own sites.",
)
@setting_option(
    "--allow-private",
    "scope__allow_private",
    multiple=True,
    metavar="HOST|CIDR",
    help="Fetch from this host or network though it is private or loopback.",
)
@setting_option(
    "--check",
    "scope__check",
    metavar="assets,external",
    callback=lambda _context, _option, value: value and value.split(","),
    help="Also see whether images, scripts and so on, or links that leave, are there.",
)
@setting_option(
    "--assets",
    "assets__mode",
    metavar="[record|check|fetch]",
    help="What pages need to look right: record its addresses, check whether it is there, or "
    "fetch and keep it, from any host.  [default: record]",
)
@setting_option(
    "--render",
    "render__mode",
    metavar="[never|shells|always]",
    help="Look at pages as a browser shows them: those that show next to nothing without their "
    "scripts, or all.  [default: never]",
)
@setting_option(
    "--screenshots",
    "render__screenshots",
    is_flag=True,
    flag_value=True,
    help="Keep a picture of each page that a browser shows.",
)
@setting_option(
    "--retry-failed",
    "run__retry_failed",
    is_flag=True,
    flag_value=True,
    help="Fetch what failed before, what still waits, and what changed settings permit now.",
)
@setting_option(
    "--new-only",
    "run__new_only",
    is_flag=True,
    flag_value=True,
    help="Visit nothing a second time: only new seeds, and what a limit left.",
)
@setting_option(
    "--due",
    "run__due",
    is_flag=True,
    flag_value=True,
    help="Of what was visited before, visit what is due by crawler plan.",
)
@setting_option(
    "--insecure",
    "fetch__verify_tls",
    is_flag=True,
    flag_value=False,
    help="Accept certificates that prove nothing.",
)
@setting_option(
    "--no-analyse",
    "audit__analyse",
    is_flag=True,
    flag_value=False,
    help="Leave facts, graph and checks to crawler analyse.",
)
@netrc_option
@setting_option(
    "--proxy",
    "fetch__proxy",
    multiple=True,
    metavar="URL|env",
    help="Ask through http://HOST:PORT or socks5://HOST:PORT, several in turns; env for those that "
    "the environment names.",
)
@click.option(
    "--redis",
    default="",
    metavar="URL|FILE",
    help="Let other machines fetch, too (crawler work), over this Redis or Valkey; a file may hold "
    f"its address.  [default: {VARIABLE} in the environment, or none]",
)
@click.option("--name", default=NAME, show_default=True, help="Of the crawl, for machines to join.")
@click.option(
    "--shard",
    metavar="I/K",
    help="Crawl one of K parts, by the domains of hosts, over --redis; others crawl the others.",
)
@click.option(
    "--shards", type=int, metavar="K", help="Crawl all K parts on this machine, over --redis."
)
@click.option(
    "--dashboard",
    type=Port(),
    is_flag=False,
    flag_value=str(DASHBOARD_PORT),
    metavar="[PORT]",
    help=f"Show it in a browser while it goes on.  [default: {DASHBOARD_PORT}]",
)
@fail_on_option
@quiet_option
@json_option
@click.pass_context
def crawl(
    context: click.Context,
    /,
    sources: tuple[str, ...],
    db: Path | None,
    config_file: Path | None,
    overrides: Sequence[str],
    netrc: Path | None,
    redis: str,
    name: str,
    shard: str | None,
    shards: int | None,
    dashboard: int | None,
    fail_on: Sequence[str],
    quiet: bool,
    as_json: bool,
    **flags: Any,
) -> int:
    """Crawl the addresses in SEEDS, files with one a line ("-" is the standard input), or each URL.

    Everything goes into one SQLite file. Run the same command again to go on with a crawl that was
    stopped, or to visit a finished one again. Ctrl-C stops at any time; nothing is lost.
    """
    if shards is not None:
        from crawler.cli import sharding  # few crawls have shards

        path = db or default_database(sources, DATA)
        return sharding.crawl_here(context, path, shards, redis=redis, quiet=quiet)
    config = load(config_file, overrides, given_settings(context, flags), netrc=netrc)
    check_what_is_named(config)
    if rendering.is_asked(config):
        from crawler.render import program  # few crawls show pages

        program.check(config.render)
    asked = _conditions(fail_on, config)
    face = face_for(quiet=quiet, as_json=as_json)
    if STDIN in sources and os.isatty(0):
        face.say("Reading addresses from standard input, one a line; Ctrl-D ends them")
    found = read_seeds(
        *sources, rules=UrlRules.of(config), patience_s=config.run.max_seconds or None
    )
    for notice in found.notices:
        face.say(notice)
    path = db or default_database(sources, DATA)
    which = None
    if shard:
        from crawler.cli import sharding

        which = sharding.read_shard(shard)
        path = db or sharding.place_of(path, which)
    if db is None:
        refuse_to_mix(path, sources, found)
    seeds = iter(found)
    if not config.fetch.contact:
        seeds = _with_warning(seeds, config.scope.allow_private, face)
    if (token := robots_token(config.fetch)) != PRODUCT:
        face.say(f"Sites' wishes for robots are kept that are addressed to {token} or to all")
    ways = NO_WAYS
    if which is not None or redis or os.environ.get(VARIABLE):
        from crawler.cli.reaching import reached  # few crawls have others

        ways, config = reached(config, which, redis, name, face)
    plan = Plan(config, path, seeds, " ".join(map(without_password, sources)), which)
    return run(plan, face, fail_on=asked, dashboard=dashboard, ways=ways)


def _conditions(fail_on: Sequence[str], config: Config) -> Sequence[str]:
    """What is to end it with a failure. Raises UsageError where nobody will be able to tell."""
    asked = conditions(fail_on)
    if not config.audit.analyse and (without := need_checks(asked)):
        why = "needs the analysis; leave out --no-analyse (audit.analyse = false)"
        raise UsageError(f"--fail-on: {without[0]} {why}")
    return asked


def _with_warning(seeds: Iterator[Seed], own: Collection[str], face: Face) -> Iterator[Seed]:
    """The seeds; before the first that is on others' hosts, a warning that nobody is named."""
    told = False
    for seed in seeds:
        host = urls.host_of(seed.target.origin)
        if not (told or seed.error or host in own or urls.is_private_literal(host)):
            face.say("Warning: sites cannot reach you: set fetch.contact (--set fetch.contact=...)")
            told = True
        yield seed


def given_settings(context: click.Context, flags: dict[str, Any]) -> list[Setting]:
    """The settings that were given as flags."""
    names = {parameter.name: parameter.opts[0] for parameter in context.command.params}
    return [
        Setting(
            names[name],
            name.replace("__", "."),
            list(value) if isinstance(value, tuple) else value,
        )
        for name, value in flags.items()
        if value is not None and value != ()
    ]
