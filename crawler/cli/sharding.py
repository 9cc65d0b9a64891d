"""How is one crawl shared out among several conductors, here or on several machines?"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click
import msgspec
from click.core import ParameterSource

from crawler.channels.redis import VARIABLE
from crawler.channels.redis.address import address_of
from crawler.channels.redis.wire import checked_name
from crawler.children import command_of
from crawler.cli.group import complain
from crawler.config import Config
from crawler.errors import CrawlError, Interrupted, UsageError
from crawler.faces import wording
from crawler.loader import STDIN
from crawler.policy.placement import share
from crawler.policy.scope import judging
from crawler.store.shards import MOST_SHARDS, Which

if TYPE_CHECKING:
    from crawler.channels.redis.address import Address
    from crawler.channels.redis.exchange import Exchange

_SHARD = re.compile(r"([1-9][0-9]{0,3})/([1-9][0-9]{0,3})", re.ASCII)
OWN = frozenset({"db", "redis", "shard", "shards"})
ALONE = frozenset({"dashboard", "as_json", "shard"})
"""Options that are not passed on, and those that are for one crawl alone."""
COMMANDLINE = ParameterSource.COMMANDLINE
MOST_HERE = 64
"""Shards that one command starts on this machine."""


def read_shard(written: str) -> Which:
    """``2/4``. Raises UsageError."""
    found = _SHARD.fullmatch(written)
    number, shards = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= number <= shards <= MOST_SHARDS or shards < 2:
        raise UsageError(
            f"--shard {written[:40]!r}: write which of how many, from 1/2 to "
            f"{MOST_SHARDS}/{MOST_SHARDS}"
        )
    return Which(number, shards)


def place_of(path: Path, which: Which) -> Path:
    """The file of a shard, beside that of a whole crawl of the same name."""
    return path.with_name(f"{path.stem}.shard{which.number}{path.suffix or '.db'}")


def divided(config: Config, which: Which) -> Config:
    """What one shard has of the limits that all share. Raises UsageError where one has nothing."""
    run, pace = config.run, config.pace
    if 0 < run.max_pages < which.shards:
        raise UsageError(f"--max-pages {run.max_pages}: are fewer than there are shards")
    pages = share(run.max_pages, which.number, which.shards)
    per_ip = max(1, share(pace.per_ip, which.number, which.shards))
    return msgspec.structs.replace(
        config,
        run=msgspec.structs.replace(run, max_pages=pages),
        pace=msgspec.structs.replace(pace, per_ip=per_ip),
    )


def exchange_of(config: Config, address: Address, name: str) -> Exchange:
    """How a shard reaches the others. Raises UsageError, one line, where no engine can be had."""
    from crawler.channels.redis.exchange import Exchange  # and redis-py, which few crawls need

    rules = json.dumps(judging(config), sort_keys=True)
    exchange = Exchange(address, checked_name(name), rules)
    exchange.look_at_engine()
    return exchange


def crawl_here(context: click.Context, path: Path, shards: int, *, redis: str, quiet: bool) -> int:
    """Run so many shards on this machine, each a process; gives the exit code.

    context: of the command, which each of them is given but for what says which it is. Raises
    Interrupted, and UsageError for what cannot be said of several at once.
    """
    if not 2 <= shards <= MOST_HERE:
        raise UsageError(f"--shards {shards}: from 2 to {MOST_HERE} on one machine")
    given = {name for name in ALONE if context.get_parameter_source(name) is COMMANDLINE}
    if given or STDIN in context.params["sources"]:
        what = f"--{min(given).removeprefix('as_')}" if given else "the standard input"
        raise UsageError(f"--shards: {what} is for one crawl; start each with --shard I/{shards}")
    address_of(redis, os.environ)
    environment = {**os.environ, VARIABLE: redis} if redis else dict(os.environ)
    arguments = list(_words(context))
    whiches = [Which(number, shards) for number in range(1, shards + 1)]
    places = [place_of(path, which) for which in whiches]
    running = [
        _started(arguments, which, place, environment)
        for which, place in zip(whiches, places, strict=True)
    ]
    tellers = [
        threading.Thread(target=_tell, args=(process.stderr, number), daemon=True)
        for number, process in enumerate(running, 1)
    ]
    for teller in tellers:
        teller.start()
    codes = _waited_for(running)
    for teller in tellers:
        teller.join()
    worst = max(codes, key=_badness)
    if worst == Interrupted.exit_code:
        raise Interrupted(f"{path}: the shards were stopped; the same command goes on with them")
    if worst == 0 and not quiet:
        files = " ".join(map(str, places))
        complain(wording.plain(f"One file of them all: crawler merge {path} {files}"))
    return worst


def _badness(code: int) -> tuple[bool, bool, int]:
    """A bug or a kill before what a person did, and that before what a condition tells."""
    return code not in (0, Interrupted.exit_code), code != 0, code


def _words(context: click.Context) -> Iterator[str]:
    """What was typed, as far as it is for every shard."""
    for parameter in context.command.params:
        name = parameter.name or ""
        if name in OWN or context.get_parameter_source(name) is not COMMANDLINE:
            continue
        value = context.params[name]
        if isinstance(parameter, click.Argument):
            yield from map(str, value)
        elif isinstance(parameter, click.Option) and parameter.is_flag:
            yield parameter.opts[0]
        elif parameter.multiple:
            for one in value:
                yield from (parameter.opts[0], str(one))
        else:
            written = ",".join(value) if isinstance(value, list) else value
            yield from (parameter.opts[0], str(written))


def _started(
    arguments: Sequence[str], which: Which, place: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    command = command_of("crawler", "crawl", *arguments)
    command += ["--db", str(place), "--shard", f"{which.number}/{which.shards}"]
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env=environment,
    )


def _tell(stream: IO[bytes] | None, number: int) -> None:
    """What a shard says, by its number."""
    assert stream is not None
    for line in stream:
        text = line.decode("utf-8", "replace").rstrip("\n")
        if text:
            complain(f"{number}: {text}")


def _waited_for(running: Sequence[subprocess.Popen[bytes]]) -> list[int]:
    """Their exit codes; a signal is passed on to all of them."""

    def pass_on(number: int, _frame: object) -> None:
        for process in running:
            if process.poll() is None:
                os.kill(process.pid, number)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {one: signal.signal(one, pass_on) for one in numbers}
    try:
        codes = [process.wait() for process in running]
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
    return [code if code >= 0 else CrawlError.exit_code for code in codes]
