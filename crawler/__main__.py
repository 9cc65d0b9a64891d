"""The command `crawler`: patches the standard library first, then reads the command line.

requests imported before the patch recurses in ssl, so nothing else may be imported before.
"""

from __future__ import annotations

import atexit
import gc
import signal
import sys

INTERRUPTED = signal.getsignal(signal.SIGINT)
if INTERRUPTED is signal.default_int_handler:
    # Nothing has begun: while modules are loaded, Ctrl-C just ends the process.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import crawler._patch  # noqa: E402, F401  # must come before every other import

COLLECT_AFTER = (20_000, 20, 50)
"""A page makes thousands of short-lived objects and hardly a cycle: looking for cycles at Python's
own threshold took 5 % of the time of a crawl."""
CRAWLING = (["crawl"], ["demo"])
"""Commands with workers."""


def main() -> None:
    """Run the command line, or a server that forks its workers."""
    gc.set_threshold(*COLLECT_AFTER)
    if sys.argv[1:2] == ["_forks"]:
        from crawler.channels.forkserver import serve

        serve(*map(int, sys.argv[2:]))
    if sys.argv[1:2] in CRAWLING:
        from crawler.channels.forks import prepare

        prepare()
    # All memory goes at the end; looking for cycles in it first took 40 ms.
    atexit.register(gc.freeze)
    from crawler.cli import cli

    signal.signal(signal.SIGINT, INTERRUPTED)
    cli()


if __name__ == "__main__":
    main()
