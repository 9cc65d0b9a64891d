"""How is a process begun that runs a module of Python's?"""

from __future__ import annotations

import sys


def command_of(module: str, *words: str) -> list[str]:
    """The command that runs a module with these words.

    Without the folder one stands in among the places of modules (``-P``): a file there, which a
    site may have sent, would be run in place of a library.
    """
    return [sys.executable, "-P", "-m", module, *words]
