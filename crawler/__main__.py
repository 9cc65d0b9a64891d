"""The command `crawler`: patches the standard library first, then reads the command line.

requests imported before the patch recurses in ssl, so nothing else may be imported before.
"""

from __future__ import annotations

import sys

import crawler._patch  # noqa: F401  # must come before every other import


def main() -> None:
    """Run the command line, or a worker process for it."""
    if sys.argv[1:2] == ["_worker"]:
        from crawler.channels.child import serve

        serve(sys.argv[2:])
        return
    from crawler.cli import cli

    cli()


if __name__ == "__main__":
    main()
