"""Is what this test needs on this machine?

A test whose server, folder or corpus is absent skips with the line that says what to do. Where
``CI=true`` nobody reads skips, so there it fails.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parents[2]


def require_program(name: str, remedy: str) -> Path:
    """The path of a program, looked for in sbin too; `remedy` is the command that installs it."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))
    found = shutil.which(name, path=path)
    return Path(found) if found else _absent(f"{name} is not installed: {remedy}")


def require_folder(folder: str | Path, remedy: str) -> Path:
    """A folder that a package brings; `remedy` is the command that installs it."""
    path = Path(folder)
    return path if path.is_dir() else _absent(f"{path} is absent: {remedy}")


def require_corpus(name: str) -> Path:
    """The folder of a corpus, in ``$CRAWLER_CORPORA`` or in ``../shared/corpora``."""
    path = Path(os.environ.get("CRAWLER_CORPORA") or ROOT.parent / "shared" / "corpora") / name
    if path.is_dir():
        return path
    return _absent(f"corpus {name} is not at {path}: set $CRAWLER_CORPORA to the folder of corpora")


def _absent(line: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(line, pytrace=False)
    pytest.skip(line)
