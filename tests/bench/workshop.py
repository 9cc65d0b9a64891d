"""Where do benchmarks keep what they make once, and what is missing?

All of it lies in ``.bench`` at the root of the repository, which git does not see: sites laid out
as files, environments of the peers, flame graphs. It may be removed at any time.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.sites.skip import ROOT

FOLDER = ROOT / ".bench"
INSTALL_LIMIT_S = 600

Tell = Callable[[str], object]
"""Takes a line for the person who waits."""


class Absent(Exception):
    """Something that cannot take part here; its text says what to do about it."""


def folder(*parts: str) -> Path:
    """A folder of the workshop, made where it is not there."""
    path = FOLDER.joinpath(*parts)
    path.mkdir(parents=True, exist_ok=True)
    unseen = FOLDER / ".gitignore"
    if not unseen.exists():
        unseen.write_text("*\n")
    return path


def program(name: str, remedy: str) -> str:
    """The path of a program of the system. Raises Absent."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise Absent(f"{name} is not installed: {remedy}")
    return found


def python_environment(name: str, requirement: str, tell: Tell) -> Path:
    """The Python of an environment that holds one package, made once. Raises Absent."""
    home = FOLDER / name
    python = home / "bin" / "python"
    if not _is_made(home, requirement):
        tell(f"installing {requirement} (once)")
        folder(name)
        _install([sys.executable, "-m", "venv", "--clear", str(home)], home)
        _install([str(python), "-m", "pip", "install", "--quiet", requirement], home)
        (home / ".made").write_text(requirement)
    return python


def node_packages(name: str, requirements: Sequence[str], tell: Tell) -> Path:
    """A folder in which npm has installed these packages, made once. Raises Absent."""
    home = FOLDER / name
    wanted = " ".join(requirements)
    if not _is_made(home, wanted):
        npm = program("npm", "apt-get install npm")
        tell(f"installing {requirements[0]} (once)")
        shutil.rmtree(home, ignore_errors=True)
        folder(name)
        (home / "package.json").write_text('{"private": true}\n')
        _install([npm, "install", "--no-audit", "--no-fund", *requirements], home)
        (home / ".made").write_text(wanted)
    return home


def _is_made(home: Path, wanted: str) -> bool:
    made = home / ".made"
    return made.exists() and made.read_text() == wanted


def _install(command: Sequence[str], home: Path) -> None:
    log = home.with_suffix(".log")
    try:
        with log.open("wb") as output:
            subprocess.run(
                command,
                cwd=home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=INSTALL_LIMIT_S,
                check=True,
            )
    except (OSError, subprocess.SubprocessError) as error:
        raise Absent(f"could not be installed ({error}); see {log.relative_to(ROOT)}") from None
