"""The command `crawler`: patches the standard library first, then reads the command line.

requests imported before the patch recurses in ssl, so nothing else may be imported before.
"""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
from contextlib import suppress
from typing import NoReturn


def _stand_in_for_closed_streams() -> None:
    """Put /dev/null where a standard stream was closed (``>&-``), before anything is opened.

    The next file or socket would take its number, and what is meant for people would go there.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
            os.set_inheritable(opened, True)
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115  # open until the end
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


_stand_in_for_closed_streams()
gc.disable()  # until all is loaded, which makes no garbage: looking for some took 15 ms of it

INTERRUPTED = signal.getsignal(signal.SIGINT)
if INTERRUPTED is signal.default_int_handler:
    # Nothing has begun: while modules are loaded, Ctrl-C just ends the process.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import crawler._patch  # noqa: E402, F401  # must come before every other import

COLLECT_AFTER = (20_000, 20, 50)
"""A page makes thousands of short-lived objects and hardly a cycle: looking for cycles at Python's
own threshold took 5 % of the time of a crawl."""
CRAWLING = (["crawl"], ["demo"], ["work"])
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
    from crawler.cli import cli

    for word in sys.argv[1:2]:
        cli.load(word)  # before what is loaded is frozen
    gc.freeze()
    gc.enable()
    signal.signal(signal.SIGINT, INTERRUPTED)
    try:
        cli()
    except SystemExit as ended:
        if isinstance(ended.code, str):
            raise
        leave(ended.code or 0)


def leave(code: int) -> NoReturn:
    """End at once: all memory goes anyway, and taking it down piece by piece takes 50 ms.

    What is registered for the end is done, and what was written is passed on.
    """
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
