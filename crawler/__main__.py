"""The command `crawler`: patches the standard library first, then reads the command line.

requests imported before the patch recurses in ssl, so nothing else may be imported before.
"""

from __future__ import annotations

import crawler._patch  # noqa: F401  # must come before every other import


def main() -> None:
    """Run the command line."""
    from crawler.cli import cli

    cli()


if __name__ == "__main__":
    main()
